package audit

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/page"
)

// Routes registers what administrators see of the log.
func (l *Log) Routes(r *httpserver.Router) {
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/admin/audit", Guard: httpserver.Admin,
		Summary: "List what administrators and operators did, the newest first",
	}, l.list)
}

// RecordedAct is an act as administrators see it.
type RecordedAct struct {
	ID        string          `json:"id"`
	Time      time.Time       `json:"time"`
	Actor     string          `json:"actor" doc:"The id of the user; cli, with the role operator, for what was done by the command line"`
	Role      string          `json:"role" enum:"admin,superadmin,operator" doc:"The role that counted then"`
	Action    string          `json:"action" doc:"The method and the route, or the command"`
	Target    string          `json:"target" doc:"The id of what it was done to; empty if the route names none"`
	Input     json.RawMessage `json:"input" doc:"The body of the request, secrets and addresses masked; null for none"`
	Status    int             `json:"status" doc:"Of the answer: 403, 404, 409 and 412 are attempts that changed nothing"`
	RequestID string          `json:"request_id" doc:"Empty for commands"`
}

// columns are what an entry is made of, in the order in which scan takes them.
const columns = "id, actor, role, action, target, input, request_id, status, created_at"

func scan(row database.Row) (RecordedAct, error) {
	var e RecordedAct
	var input string
	err := row.Scan(&e.ID, &e.Actor, &e.Role, &e.Action, &e.Target, &input, &e.RequestID, &e.Status, &e.Time)
	e.Input, e.Time = json.RawMessage(input), e.Time.UTC()
	return e, err
}

type listInput struct {
	httpserver.Paging
	Actor  string    `query:"actor" maxLength:"255" doc:"Only what this user did; cli is the command line"`
	Action string    `query:"action" maxLength:"255" doc:"Only this, such as PATCH /admin/users/{id}"`
	Target string    `query:"target" maxLength:"1024" doc:"Only what was done to this"`
	From   time.Time `query:"from" doc:"Only what was done at this time or later"`
	To     time.Time `query:"to" doc:"Only what was done before this time"`
}

// about names the list, so that a cursor is good for this one only.
func (in *listInput) about() []string {
	return []string{"audit", in.Actor, in.Action, in.Target, in.From.UTC().Format(time.RFC3339Nano), in.To.UTC().Format(time.RFC3339Nano)}
}

// where returns the condition that the filters make, and its arguments.
func (in *listInput) where() (condition string, args []any) {
	condition = " FROM audit_log WHERE 1 = 1"
	filter := func(wanted bool, test string, value any) {
		if wanted {
			condition += " AND " + test
			args = append(args, value)
		}
	}
	filter(in.Actor != "", "actor = ?", in.Actor)
	filter(in.Action != "", "action = ?", in.Action)
	filter(in.Target != "", "target = ?", in.Target)
	filter(!in.From.IsZero(), "created_at >= ?", in.From.UTC())
	filter(!in.To.IsZero(), "created_at < ?", in.To.UTC())
	return condition, args
}

func (l *Log) list(ctx context.Context, in *listInput) (*httpserver.List[RecordedAct], error) {
	wanted, err := in.Page()
	if err != nil {
		return nil, err
	}
	where, args := in.where()
	total, err := database.One(l.db.Read(ctx).Raw("SELECT count(*)"+where, args...), database.Scalar[int64])
	if err != nil {
		return nil, err
	}
	listed, err := page.List(l.cursors, wanted, in.about(), func(act RecordedAct) page.Key { return page.Key{ID: act.ID} },
		func(part page.Window) ([]RecordedAct, int64, error) {
			if part.After != nil {
				where += " AND id < ?"
				args = append(args, part.After.ID)
			}
			query := l.db.Read(ctx).Raw("SELECT "+columns+where+" ORDER BY id DESC LIMIT ? OFFSET ?", append(args, part.Limit, part.Skip)...)
			found, err := database.All(query, scan)
			return found, total, err
		})
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(listed, func(e RecordedAct) RecordedAct { return e }), nil
}
