package erasure

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
)

// Routes registers what administrators see of erasures.
func (e *Erasure) Routes(r *httpserver.Router) {
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: "/admin/erasures/{user_id}", Guard: httpserver.Admin,
		Summary: "See what was erased of a user who is gone", Errors: []int{http.StatusNotFound},
	}, e.get)
}

// ErasedUser is what was erased of a user, as administrators see it.
type ErasedUser struct {
	UserID     string         `json:"user_id"`
	Receipts   []ErasedModule `json:"receipts" doc:"One for each module and pass, in their order"`
	Unfinished []string       `json:"unfinished" doc:"The modules that haven't erased yet"`
}

// ErasedModule says what one module erased.
type ErasedModule struct {
	Module   string        `json:"module"`
	Pass     string        `json:"pass" enum:"first,second" doc:"The second finds what was written after the first"`
	Tables   []ErasedTable `json:"tables"`
	ErasedAt time.Time     `json:"erased_at"`
}

// ErasedTable is how many rows of a table were erased.
type ErasedTable struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows" doc:"How many are gone, or say no more whose they were"`
}

type getInput struct {
	UserID string `path:"user_id" maxLength:"255"`
}

// expected is how long after the last receipt a module may still erase: the event that tells it to is kept so long. Who joined the
// house later has nothing to erase.
const expected = 30 * 24 * time.Hour

func (e *Erasure) get(ctx context.Context, in *getInput) (*httpserver.Object[ErasedUser], error) {
	found, err := e.receipts(ctx, id.Of(in.UserID), "1 = 1")
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errs.Missing("Erasure", in.UserID)
	}
	proof := ErasedUser{UserID: in.UserID, Receipts: found, Unfinished: []string{}}
	recent := func(r ErasedModule) bool { return e.clock.Now().Before(r.ErasedAt.Add(expected)) }
	for _, m := range e.everybody {
		wrote := func(r ErasedModule) bool { return r.Module == m.Name }
		if slices.ContainsFunc(found, recent) && !slices.ContainsFunc(found, wrote) {
			proof.Unfinished = append(proof.Unfinished, m.Name)
		}
	}
	return &httpserver.Object[ErasedUser]{Body: proof}, nil
}
