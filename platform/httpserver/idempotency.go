package httpserver

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Idempotency keeps the Idempotency-Keys of clients, with what the call under each was answered.
type Idempotency interface {
	// Find returns what is known of the key, nil while the call may take it. It waits for nobody.
	Find(ctx context.Context, call *KeyedCall) (*KeyHolder, error)
	// Take takes the key in the transaction that ctx carries, which from then on everybody else who wants it waits for. If it
	// isn't free it returns what is known of it. It waits for another transaction as long as call.Patience says, and then takes
	// it for one that is running; what can be done in the transaction after that is to roll it back.
	Take(ctx context.Context, call *KeyedCall) (*KeyHolder, error)
	// Keep ends the call with what is answered, in the transaction that ctx carries. It is errs.Conflict when the lease had
	// ended and another call has taken the key over.
	Keep(ctx context.Context, call *KeyedCall, answer Answer) error
	// Release ends the lease of a call without an answer, in the transaction that ctx carries. The next call has the key for
	// outside of this one, or a new one if it is to be forgotten.
	Release(ctx context.Context, call *KeyedCall, forget bool) error
}

// KeyedCall is a call under an Idempotency-Key.
type KeyedCall struct {
	ID          string        // of the key: SHA-256 in hex over who, the method, the route and what the client sent, none of which is kept
	UserID      string        // whose call it is; empty for a stranger's
	About       string        // what the path held, if an administrator calls: the answer may be about that user
	Fingerprint string        // SHA-256 in hex over the path's parameters, the query and the body
	Patience    time.Duration // how long Take waits
	Lease       time.Duration // how long the call has the key without a transaction; zero while it takes, acts and answers in one

	Outside string    // the key for services outside; Take puts that of the call before in its place which it takes over from
	Until   time.Time // when the lease ends; filled in by Take
}

// KeyHolder is the call that has a key.
type KeyHolder struct {
	Fingerprint string
	Running     bool
	Answer      Answer // of a call that has ended; without a status if it isn't kept
}

// Answer is what a call was answered.
type Answer struct {
	Status  int
	Headers map[string]string // those that belong to the answer, such as ETag and Location
	Body    []byte
}

// headerIdempotencyKey is the header (draft-ietf-httpapi-idempotency-key-header-06).
const headerIdempotencyKey = "Idempotency-Key"

// longestKey is how many characters a key has at most.
const longestKey = 255

// keyParameter describes the header in the API document.
var keyParameter = &huma.Param{
	Name: headerIdempotencyKey, In: "header",
	Schema: &huma.Schema{Type: huma.TypeString, Pattern: `^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$`},
	Description: "Makes it safe to send this again when no answer came: of calls with the same key one happens, and all get its answer, " +
		"the later ones with Idempotent-Replayed: true. " + keyForm + ", in double quotes or not, new for each thing to do. " +
		"The key is good for this operation and the same request only (422 otherwise); while the first call is running it is 409.",
}

const keyForm = "1 to 255 visible ASCII characters"

var (
	errBadKey = errs.New(errs.Malformed, "The header "+headerIdempotencyKey+" must be given once: "+keyForm).With("header", headerIdempotencyKey)
	// The field is the header.
	errOtherRequest = errs.InvalidFields(errs.Field{Name: headerIdempotencyKey, Message: "was used for another request"})
	errRunning      = errs.New(errs.Conflict, "A call with this "+headerIdempotencyKey+" is in progress: try again").With(detailRetryAfter, 1)
	errNotKept      = errs.New(errs.Conflict, "A call with this "+headerIdempotencyKey+" was done, and its answer isn't kept because it held a secret")
)

// parseKey returns the key in the values of the header: a string of RFC 8941 (section 3.3.3), or its characters as they are.
// Anything else is errs.Malformed.
func parseKey(values []string) (string, error) {
	if len(values) != 1 {
		return "", errBadKey
	}
	key := values[0]
	if inner, quoted := strings.CutPrefix(key, `"`); quoted {
		var closed bool
		if key, closed = unquote(inner); !closed {
			return "", errBadKey
		}
	}
	if key == "" || len(key) > longestKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errBadKey
	}
	return key, nil
}

// unquote returns what stands before the closing quote, which must be the end. A backslash stands before a quote or another
// backslash and nothing else.
func unquote(quoted string) (text string, ok bool) {
	var plain strings.Builder
	for i := 0; i < len(quoted); i++ {
		switch c := quoted[i]; c {
		case '"':
			return plain.String(), i == len(quoted)-1
		case '\\':
			i++
			if i == len(quoted) || quoted[i] != '"' && quoted[i] != '\\' {
				return "", false
			}
			plain.WriteByte(quoted[i])
		default:
			plain.WriteByte(c)
		}
	}
	return "", false
}

// digest returns SHA-256 in hex over texts, each with its length, so that nothing moves from one to the next.
func digest(texts ...string) string {
	sum := sha256.New()
	for _, text := range texts {
		_ = binary.Write(sum, binary.BigEndian, int64(len(text))) // a hash takes everything
		_, _ = sum.Write([]byte(text))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// keyed is what one route does about keys. What needs no key, a Query or a webhook that comes with ids of its own, has none.
type keyed struct {
	server *Server
	store  Idempotency // nil: the header is ignored
	route  string      // the method and the path as mounted
	admin  bool
	secret bool
	leased bool
}

// keyed returns what a route does about keys, and says so in its description.
func (r *Router) keyed(route Route, operation *huma.Operation) keyed {
	k := keyed{
		server: r.server, store: r.server.options.Idempotency, route: operation.Method + " " + operation.Path,
		admin: route.Guard == Admin, secret: route.Secret, leased: route.Outside,
	}
	if route.Guard == Signature {
		k.store = nil
	}
	if k.store != nil {
		operation.Parameters = append(operation.Parameters, keyParameter)
		maps.Copy(operation.Responses, r.server.failures(http.StatusConflict))
	}
	return k
}

// IdempotencyKey returns the key that goes with what a mutation whose Route says Outside asks of a service outside. Take it anew
// for each thing that is asked for: the first has it as it is, others may have it with a name of their own behind it. A call
// that is repeated because the one before it broke off has the key of that one. On other routes it is empty.
func IdempotencyKey(ctx context.Context) string {
	if c := callOf(ctx); c != nil {
		c.asked++
		return c.outside
	}
	return ""
}

// attempt is a call that has its turn to act under a key. Nil is a call without one.
type attempt struct {
	keyed

	call  KeyedCall
	again bool   // it takes over from one that broke off, of which nobody knows what it did outside
	done  func() // gives the turn to the next
}

// errReplayed says that the call happened before, and that its answer is in the record of the request.
var errReplayed = errors.New("httpserver: the call is answered as it was before")

// begin waits for calls of this process with the same key, and returns what acts under it, or errReplayed. Without a key it
// returns nil.
func (k *keyed) begin(ctx context.Context) (*attempt, error) {
	record := callOf(ctx)
	if k.leased {
		record.outside = id.New()
	}
	given := record.request.Header[headerIdempotencyKey]
	if len(given) == 0 || k.store == nil {
		return nil, nil
	}
	key, err := parseKey(given)
	if err != nil {
		return nil, err
	}
	a := &attempt{keyed: *k, call: record.under(k.route, key, k.server.caller(record))}
	a.call.Patience = k.server.options.limits.twin
	if k.admin {
		a.call.About = record.target()
	}
	if a.done, err = k.server.turns.wait(ctx, a.call.ID, a.call.Patience); err != nil {
		return nil, err
	}
	if err := a.lookUp(ctx); err != nil {
		a.done()
		return nil, err
	}
	return a, nil
}

// lookUp looks whether the call happened before. If it is one that leaves the process, it takes the key before that, in a
// transaction of its own.
func (a *attempt) lookUp(ctx context.Context) error {
	holder, err := a.store.Find(ctx, &a.call)
	if err != nil {
		return err
	}
	if holder != nil || !a.leased {
		return a.consider(ctx, holder)
	}
	record := callOf(ctx)
	a.call.Outside = record.outside
	a.call.Lease = a.server.options.HTTP.RequestTimeout + a.server.options.limits.margin // no call takes longer
	err = a.server.options.Tx.WithinTx(ctx, a.take)
	a.again = a.call.Outside != record.outside
	record.outside = a.call.Outside
	return err
}

// take takes the key in the transaction of ctx.
func (a *attempt) take(ctx context.Context) error {
	holder, err := a.store.Take(ctx, &a.call)
	if err != nil {
		return err
	}
	return a.consider(ctx, holder)
}

// consider returns nil when nobody holds the key, and otherwise what becomes of the call.
func (a *attempt) consider(ctx context.Context, holder *KeyHolder) error {
	switch {
	case holder == nil:
		return nil
	case holder.Fingerprint != a.call.Fingerprint:
		return errOtherRequest
	case holder.Running:
		return errRunning
	case holder.Answer.Status == 0:
		return errNotKept
	}
	callOf(ctx).replay = &holder.Answer
	return errReplayed
}

// open takes the key in the transaction that acts, unless a lease has it.
func (a *attempt) open(ctx context.Context) error {
	if a == nil || a.leased {
		return nil
	}
	return a.take(ctx)
}

// close keeps the answer in the transaction that acted.
func (a *attempt) close(ctx context.Context, status int, out answered) error {
	if a == nil {
		return nil
	}
	var answer Answer
	if !a.secret {
		answer = Answer{Status: status}
		answer.Headers, answer.Body = out.whole(callOf(ctx).rendered)
	}
	return a.store.Keep(ctx, &a.call, answer)
}

// lastWord is how long it may take to end a lease. It ends by itself if that fails.
const lastWord = 2 * time.Second

// release ends the lease of a call that failed with err, which it returns. If it is certain that nothing came of it outside,
// nor of a call before that it took over from, the next one is new there: services repeat a refusal as they repeat a success.
// A refusal is certain of what was asked for last, so of nothing when something was asked for before.
func (a *attempt) release(ctx context.Context, err error, certain bool) error {
	if a == nil || !a.leased {
		return err
	}
	forget := certain && !a.again && callOf(ctx).asked <= 1
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord) // the client may be gone
	defer cancel()
	unreleased := a.server.options.Tx.WithinTx(ctx, func(ctx context.Context) error { return a.store.Release(ctx, &a.call, forget) })
	if unreleased != nil {
		return errors.Join(errs.From(err), unreleased) // the first that has a kind decides the answer
	}
	return err
}

// certain tells whether an error says that what was asked for wasn't done.
func certain(err error) bool {
	return !errs.From(err).Kind.Retryable() && !errors.Is(err, errs.ErrUnanswered)
}

// end lets the next call with the key go on.
func (a *attempt) end() {
	if a != nil {
		a.done()
	}
}

// send writes an answer again.
func (a *Answer) send(c *gin.Context) {
	for name, value := range a.Headers {
		c.Header(name, value)
	}
	c.Header("Idempotent-Replayed", "true")
	c.Status(a.Status)
	if len(a.Body) > 0 {
		_, _ = c.Writer.Write(a.Body) // who can't be written to is gone
	}
}

// caller returns whose a key is: the user's, or the address's it comes from.
func (s *Server) caller(record *call) string {
	if record.principal.UserID != "" {
		return "user:" + record.principal.UserID
	}
	return addressKey(s.clientAddress(record.request))
}

// under returns the call as it is known by its key, which is that of the caller who.
func (c *call) under(route, key, who string) KeyedCall {
	request := []string{c.query(), ""}
	if c.body != nil {
		request[1] = string(c.body.sum.Sum(nil))
	}
	for _, param := range c.params {
		request = append(request, param.Value)
	}
	fingerprint := digest(request...)
	if c.principal.UserID == "" {
		// An address may be many people's, who may have the same key. They meet only when they ask for the very same.
		key += fingerprint
	}
	return KeyedCall{ID: digest(who, route, key), UserID: c.principal.UserID, Fingerprint: fingerprint}
}

// query returns the query of the request with its parameters in order.
func (c *call) query() string {
	values, _ := url.ParseQuery(c.request.URL.RawQuery) // checkQuery has refused what can't be parsed
	return values.Encode()
}

// turns let calls with the same key go one after the other in this process: the later ones find the answer of the first,
// and don't each hold a connection to the database while they wait for it.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when the turn is over
}

// wait returns when it is the call's turn; done ends that. When the patience is over it is errs.Conflict.
func (t *turns) wait(ctx context.Context, key string, patience time.Duration) (done func(), err error) {
	var timer <-chan time.Time
	for {
		t.mu.Lock()
		before, taken := t.taken[key]
		if !taken {
			mine := make(chan struct{})
			t.taken[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, key)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		if timer == nil {
			timer = time.After(patience)
		}
		select {
		case <-before:
		case <-timer:
			return nil, errRunning
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
