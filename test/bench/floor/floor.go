// Package floor is the least that a server can do to give the product's answers on its hot endpoints: the standard
// library's router, pgx, SQL and JSON written by hand. The bench measures the product against it, so it must stay as
// fast as such a server can be, and its answers must stay the product's; a test compares them.
//
// It reads the same tables, checks the token with the product's own verifier, and looks its user up on every request.
// What it leaves out is what the product costs on top: a framework, an ORM, validation by schema, request ids, security
// headers, deadlines, a log line for every request, errors that explain themselves.
package floor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/fold"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

const projectsPath = "/api/v1/app/projects"

type server struct {
	pool     *pgxpool.Pool
	verifier *auth.Verifier
	cursors  page.Cursors
}

// New returns the four hot endpoints, and /health, over a database that the product has migrated. With cursors of the
// product's secret key its lists go on where the product's do.
func New(pool *pgxpool.Pool, verifier *auth.Verifier, cursors page.Cursors) http.Handler {
	s := &server{pool: pool, verifier: verifier, cursors: cursors}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []byte(`{"status":"ok"}`))
	})
	mux.HandleFunc("GET /api/v1/app/users/me", s.me)
	mux.HandleFunc("GET "+projectsPath, s.list)
	mux.HandleFunc("POST "+projectsPath, s.create)
	mux.HandleFunc("GET "+projectsPath+"/{id}", s.get)
	return mux
}

// user is what /me shows, and what every endpoint must know of who asks.
type user struct {
	id                                    string
	email, fullName, avatar, status, plan *string
	role                                  string
	active, deleted                       bool
	version                               int64
	lastLogin                             *time.Time
	created, updated                      time.Time
}

const fromIdentity = ` FROM users u JOIN users_identities i ON i.user_id = u.id WHERE i.issuer = $1 AND i.subject = $2`

const selectCaller = `SELECT u.id, u.is_active, u.deleted_at IS NOT NULL` + fromIdentity

const selectMe = `SELECT u.id, u.email, u.full_name, u.avatar_url, u.role, u.is_active, u.deleted_at IS NOT NULL,
	u.subscription_status, u.subscription_plan, u.version, u.last_login_at, u.created_at, u.updated_at` + fromIdentity

// caller returns the id of the user who asks. It has answered the request when ok is false.
func (s *server) caller(w http.ResponseWriter, r *http.Request) (userID string, ok bool) {
	var u user
	if !s.authenticate(w, r, selectCaller, &u.id, &u.active, &u.deleted) {
		return "", false
	}
	return u.id, allowed(w, u)
}

// authenticate verifies the token and selects its user into the targets.
func (s *server) authenticate(w http.ResponseWriter, r *http.Request, query string, targets ...any) bool {
	token, err := auth.BearerToken(r.Header.Get("Authorization"))
	if err != nil {
		refuse(w, http.StatusUnauthorized)
		return false
	}
	who, err := s.verifier.Verify(r.Context(), token)
	if err != nil {
		refuse(w, http.StatusUnauthorized)
		return false
	}
	err = s.pool.QueryRow(r.Context(), query, who.Issuer, who.Subject).Scan(targets...)
	if errors.Is(err, pgx.ErrNoRows) {
		refuse(w, http.StatusForbidden) // the product would register the user
		return false
	}
	return succeeded(w, err)
}

func allowed(w http.ResponseWriter, u user) bool {
	if u.deleted || !u.active {
		refuse(w, http.StatusForbidden)
		return false
	}
	return true
}

func (s *server) me(w http.ResponseWriter, r *http.Request) {
	var u user
	if !s.authenticate(w, r, selectMe, &u.id, &u.email, &u.fullName, &u.avatar, &u.role, &u.active, &u.deleted,
		&u.status, &u.plan, &u.version, &u.lastLogin, &u.created, &u.updated) || !allowed(w, u) {
		return
	}
	b := make([]byte, 0, 512)
	b = appendText(append(b, `{"id":`...), u.id)
	b = appendOptional(append(b, `,"email":`...), u.email)
	b = appendOptional(append(b, `,"full_name":`...), u.fullName)
	b = appendOptional(append(b, `,"avatar_url":`...), u.avatar)
	b = appendText(append(b, `,"role":`...), u.role)
	b = strconv.AppendBool(append(b, `,"is_active":`...), u.active)
	b = appendOptional(append(b, `,"subscription_status":`...), u.status)
	b = appendOptional(append(b, `,"subscription_plan":`...), u.plan)
	b = append(b, `,"last_login_at":`...)
	if u.lastLogin == nil {
		b = append(b, "null"...)
	} else {
		b = appendTime(b, *u.lastLogin)
	}
	b = appendTime(append(b, `,"created_at":`...), u.created)
	b = appendTime(append(b, `,"updated_at":`...), u.updated)
	w.Header()["Etag"] = []string{etag(u.version)}
	answer(w, http.StatusOK, append(b, '}'))
}

type project struct {
	id, owner, name  string
	description      *string
	version          int64
	created, updated time.Time
}

const selectProject = `SELECT id, owner_id, name, description, version, created_at, updated_at FROM projects
	WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL`

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	owner, ok := s.caller(w, r)
	if !ok {
		return
	}
	p, err := scan(s.pool.QueryRow(r.Context(), selectProject, r.PathValue("id"), owner))
	if errors.Is(err, pgx.ErrNoRows) {
		refuse(w, http.StatusNotFound)
		return
	}
	if !succeeded(w, err) {
		return
	}
	w.Header()["Etag"] = []string{etag(p.version)}
	answer(w, http.StatusOK, p.append(make([]byte, 0, 512)))
}

const (
	limit = 20

	countProjects = `SELECT count(*) FROM projects WHERE owner_id = $1 AND deleted_at IS NULL`

	// One more than the page: it shows whether there is a next one.
	listProjects = `SELECT id, owner_id, name, description, version, created_at, updated_at FROM projects
		WHERE owner_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 21`
)

// list answers the first page of twenty, newest first, which is what the product's list is without parameters.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	owner, ok := s.caller(w, r)
	if !ok {
		return
	}
	var total int64
	if err := s.pool.QueryRow(r.Context(), countProjects, owner).Scan(&total); !succeeded(w, err) {
		return
	}
	rows, err := s.pool.Query(r.Context(), listProjects, owner)
	if !succeeded(w, err) {
		return
	}
	defer rows.Close()

	b := append(make([]byte, 0, 8<<10), `{"items":[`...)
	var last project
	found := 0
	for rows.Next() {
		if found++; found > limit {
			continue
		}
		if last, err = scan(rows); !succeeded(w, err) {
			return
		}
		if found > 1 {
			b = append(b, ',')
		}
		b = last.append(b)
	}
	if !succeeded(w, rows.Err()) {
		return
	}
	b = strconv.AppendInt(append(b, `],"total":`...), total, 10)
	b = append(b, `,"skip":0,"limit":20`...)
	if found > limit {
		key := page.Key{Value: last.created.UTC().Format("2006-01-02T15:04:05.000000Z"), ID: last.id}
		b = appendText(append(b, `,"next_cursor":`...), s.cursors.Encode(key, "projects", owner, "", "-created_at"))
	}
	answer(w, http.StatusOK, append(b, '}'))
}

const insertProject = `INSERT INTO projects (id, owner_id, name, name_folded, description, version, created_at, updated_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	owner, ok := s.caller(w, r)
	if !ok {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge)
		return
	}
	now := clock.System{}.Now()
	p := project{id: id.New(), owner: owner, version: 1, created: now, updated: now}
	if !p.parse(body) {
		refuse(w, http.StatusUnprocessableEntity)
		return
	}
	if err := s.insert(r.Context(), p); !succeeded(w, err) {
		return
	}
	w.Header()["Etag"] = []string{etag(p.version)}
	w.Header()["Location"] = []string{projectsPath + "/" + p.id}
	answer(w, http.StatusCreated, p.append(make([]byte, 0, 512)))
}

func (s *server) insert(ctx context.Context, p project) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertProject, p.id, p.owner, p.name, fold.Text(p.name), p.description, p.version, p.created, p.updated)
	if err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	return tx.Commit(ctx)
}

// parse reads name and description from a JSON object and tells whether they keep the product's rules.
func (p *project) parse(body []byte) bool {
	in := jsontext.NewDecoder(bytes.NewBuffer(body))
	if start, err := in.ReadToken(); err != nil || start.Kind() != '{' {
		return false
	}
	for in.PeekKind() == '"' {
		name, err := in.ReadToken()
		if err != nil {
			return false
		}
		member := name.String()
		value, err := in.ReadToken()
		switch {
		case err != nil:
			return false
		case member == "name" && value.Kind() == '"':
			p.name = value.String()
		case member == "description" && value.Kind() == '"':
			p.description = new(value.String())
		case member != "description" || value.Kind() != 'n':
			return false
		}
	}
	if _, err := in.ReadToken(); err != nil {
		return false
	}
	return strings.TrimSpace(p.name) != "" && utf8.RuneCountInString(p.name) <= 100 &&
		(p.description == nil || utf8.RuneCountInString(*p.description) <= 2000)
}

func scan(row pgx.Row) (p project, err error) {
	err = row.Scan(&p.id, &p.owner, &p.name, &p.description, &p.version, &p.created, &p.updated)
	return p, err
}

func (p project) append(b []byte) []byte {
	b = appendText(append(b, `{"id":`...), p.id)
	b = appendText(append(b, `,"name":`...), p.name)
	b = appendOptional(append(b, `,"description":`...), p.description)
	b = appendText(append(b, `,"owner_id":`...), p.owner)
	b = appendTime(append(b, `,"created_at":`...), p.created)
	b = appendTime(append(b, `,"updated_at":`...), p.updated)
	return append(b, '}')
}

func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text) // fails for invalid UTF-8, which PostgreSQL doesn't store
	return b
}

func appendOptional(b []byte, text *string) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	return appendText(b, *text)
}

func appendTime(b []byte, at time.Time) []byte {
	return append(at.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

var contentType = []string{"application/json"}

func answer(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(body))} // else net/http sends a long list in chunks
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
}

func refuse(w http.ResponseWriter, status int) {
	answer(w, status, []byte(`{"error":"`+http.StatusText(status)+`"}`))
}

// succeeded answers 500 for an error of the database.
func succeeded(w http.ResponseWriter, err error) bool {
	if err != nil {
		refuse(w, http.StatusInternalServerError)
	}
	return err == nil
}
