package httpserver

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/auth"
)

// call is what the server knows of one request while it is under way. It is made by the first stage and is the
// request's context, so that every later stage adds to one record, and the access log writes it once.
type call struct {
	context.Context // the request's, which the deadline stage bounds

	client      context.Context // ends when the client hangs up, and not by our deadline
	requestID   string
	traceID     string
	request     *http.Request // as it came
	started     time.Time
	fromHere    bool           // by a client on this machine that calls it by a name of its own
	route       *Route         // nil when no route matches
	params      gin.Params     // what the path holds for the route's parameters
	body        *body          // nil without one
	principal   auth.Principal // zero before authentication and on public routes
	ifNoneMatch string         // what the client has already, for a 304
	failure     error          // what went wrong, with its cause, for the log only
	rendered    []byte         // the body of the answer, marshalled before anything is sent
	replay      *Answer        // what is sent instead of an answer: what the same call was answered before
	outside     string         // the key for what the call asks of services outside
	asked       int            // how often it was taken
}

type callKey struct{}

// Value returns the call itself for its own key, and what the context holds for any other.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// callOf returns the record of the request that ctx belongs to, nil outside of one.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// target returns what the path held for the route's parameters, with slashes between several.
func (c *call) target() string {
	values := make([]string, len(c.params))
	for i, param := range c.params {
		values[i] = param.Value
	}
	return strings.Join(values, "/")
}

func callIn(c *gin.Context) *call { return callOf(c.Request.Context()) }

// RequestID returns the id of the request that ctx belongs to, empty outside of one.
func RequestID(ctx context.Context) string {
	if c := callOf(ctx); c != nil {
		return c.requestID
	}
	return ""
}

// Principal returns who is asking. On public routes, and outside of a request, it is the zero Principal.
func Principal(ctx context.Context) auth.Principal {
	if c := callOf(ctx); c != nil {
		return c.principal
	}
	return auth.Principal{}
}

// TraceParent returns the W3C traceparent under which what the request that ctx belongs to leads to can be found, empty
// outside of one.
func TraceParent(ctx context.Context) string {
	if c := callOf(ctx); c != nil {
		return "00-" + c.traceID + "-" + c.traceID[:16] + "-00"
	}
	return ""
}
