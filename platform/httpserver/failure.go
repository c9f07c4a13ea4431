package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/gin-gonic/gin"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
)

// statuses maps every kind of error to its HTTP status. It is the only place that does.
var statuses = map[errs.Kind]int{
	errs.Internal:         http.StatusInternalServerError,
	errs.Malformed:        http.StatusBadRequest,
	errs.Unauthenticated:  http.StatusUnauthorized,
	errs.PaymentRequired:  http.StatusPaymentRequired,
	errs.Forbidden:        http.StatusForbidden,
	errs.NotFound:         http.StatusNotFound,
	errs.MethodNotAllowed: http.StatusMethodNotAllowed,
	errs.Conflict:         http.StatusConflict,
	errs.Precondition:     http.StatusPreconditionFailed,
	errs.TooLarge:         http.StatusRequestEntityTooLarge,
	errs.UnsupportedMedia: http.StatusUnsupportedMediaType,
	errs.Invalid:          http.StatusUnprocessableEntity,
	errs.RateLimited:      http.StatusTooManyRequests,
	errs.External:         http.StatusBadGateway,
	errs.Unavailable:      http.StatusServiceUnavailable,
	errs.Timeout:          http.StatusGatewayTimeout,
}

// kindOf returns the kind of error that a status stands for.
func kindOf(status int) errs.Kind {
	for kind, its := range statuses {
		if its == status {
			return kind
		}
	}
	return errs.Internal
}

// statusClientGone is nginx's status for a client that hung up before its answer. Only the log sees it.
const statusClientGone = 499

// Error is the one error envelope of the API.
type Error struct {
	Body   ErrorBody `json:"error"`
	status int
}

// ErrorBody is what the envelope holds.
type ErrorBody struct {
	Code      string         `json:"code" doc:"A stable name to switch on"`
	Message   string         `json:"message" doc:"What went wrong, for people"`
	Details   map[string]any `json:"details" doc:"What there is to add; VALIDATION_ERROR lists the fields under errors"`
	RequestID string         `json:"request_id" doc:"The X-Request-ID of this answer: quote it when you ask for help"`

	Type  string          `json:"type,omitzero" doc:"OpenAI's name for the kind of error; below /v1 only"`
	Param json.RawMessage `json:"param,omitzero" doc:"The parameter that is wrong, or null; below /v1 only"`
}

// GetStatus returns the HTTP status; huma asks for it.
func (e *Error) GetStatus() int { return e.status }

// Error returns the code and the message.
func (e *Error) Error() string { return e.Body.Code + ": " + e.Body.Message }

// envelope puts err into the client's form, without its cause.
func envelope(requestID string, err error) *Error {
	known := errs.From(err)
	out := &Error{status: statuses[known.Kind], Body: ErrorBody{
		Code: known.Code(), Message: known.Message, Details: known.Details, RequestID: requestID,
	}}
	if out.Body.Details == nil {
		out.Body.Details = map[string]any{}
	}
	return out
}

// detailRetryAfter is the detail of an errs.RateLimited, or of an errs.Conflict that passes, that says after how many seconds, an int, it makes sense to try again.
const detailRetryAfter = "retry_after"

// fail notes err in the call's record, sets the headers that go with it and returns the answer.
func fail(c *gin.Context, err error) *Error {
	record := callIn(c)
	record.failure = err
	known := errs.From(err)
	switch known.Kind {
	case errs.Unauthenticated:
		c.Header("Www-Authenticate", auth.Challenge(err)) // RFC 6750, section 3
	case errs.Forbidden:
		if lacking, found := errors.AsType[auth.InsufficientScope](err); found {
			c.Header("Www-Authenticate", lacking.Challenge())
		}
	case errs.TooLarge:
		c.Header("Connection", "close") // what is left of the body is not read
	case errs.RateLimited, errs.Conflict:
		if seconds, told := known.Details[detailRetryAfter].(int); told {
			c.Header("Retry-After", strconv.Itoa(seconds))
		}
	}
	out := envelope(record.requestID, err)
	if record.route != nil && record.route.Dialect == OpenAI {
		out.speakOpenAI()
	}
	return out
}

// detailParam is the detail of an error that says which parameter is wrong, for routes of the dialect OpenAI.
const detailParam = "param"

// speakOpenAI adds what OpenAI's errors have. Its libraries go by the status, and show the rest.
// Source: https://platform.openai.com/docs/guides/error-codes
func (e *Error) speakOpenAI() {
	switch {
	case e.status == http.StatusUnauthorized:
		e.Body.Type = "authentication_error"
	case e.status == http.StatusForbidden:
		e.Body.Type = "permission_error"
	case e.status == http.StatusPaymentRequired:
		e.Body.Type = "insufficient_quota"
	case e.status == http.StatusTooManyRequests:
		e.Body.Type = "rate_limit_error"
	case e.status >= http.StatusInternalServerError:
		e.Body.Type = "server_error"
	default:
		e.Body.Type = "invalid_request_error"
	}
	e.Body.Param = json.RawMessage("null")
	if param, named := e.Body.Details[detailParam].(string); named {
		e.Body.Param, _ = json.Marshal(shorten(param)) // a string always can be
	}
}

// refuse ends the request with err in the envelope. It is how stages fail.
func refuse(c *gin.Context, err error) {
	out := fail(c, err)
	c.Abort()
	c.Header("Content-Type", contentType)
	c.Status(out.status)
	_ = writeJSON(c.Writer, out)
}

var errNothingHere = errs.New(errs.NotFound, "There is nothing at this address")

// hookHuma makes huma speak our envelope. huma keeps these hooks in package variables, so they are set once for the
// process; they hold no state of a server.
var hookHuma = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.ErrorFormatter = ruleText
	huma.NewError = func(status int, _ string, causes ...error) huma.StatusError {
		return envelope("", fromHuma(status, causes))
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, causes ...error) huma.StatusError {
		return fail(humagin.Unwrap(ctx), fromHuma(status, causes))
	}
})

// fromHuma returns the error that huma reports by a status and causes. What fails on our side, a handler or the
// reading of the body, is the only cause of a 500 and says itself what it is. Texts of huma's own go to the client
// only where it checks a schema: they name the rule.
func fromHuma(status int, causes []error) error {
	switch status {
	case http.StatusInternalServerError:
		return errors.Join(causes...)
	case http.StatusRequestTimeout:
		return errs.New(errs.Timeout, "The body took too long to arrive")
	case http.StatusBadRequest:
		if len(causes) == 0 {
			return errs.New(errs.Malformed, "The request needs a body")
		}
		if broken := fields(causes); broken[0].Message == errUnreadable.Error() {
			return errs.New(errs.Malformed, "The body can't be read").With("errors", broken)
		}
	}
	return errs.InvalidFields(fields(causes)...)
}

// inField parts the text of a broken rule from the path of the field it is about, where huma has no other place for
// it. No text holds a NUL.
const inField = "\x00"

// ruleText is huma's formatter of broken rules. A missing field is reported at the field rather than at the object
// around it, and the errors of parsers are left out: they repeat the value.
func ruleText(format string, args ...any) string {
	if format == validation.MsgExpectedRequiredProperty {
		return "is required" + inField + "." + fmt.Sprint(args...)
	}
	if _, parsing := args[0].(error); parsing {
		return strings.TrimSuffix(format, ": %v")
	}
	return fmt.Sprintf(format, args...)
}

// The bounds of what is repeated to the client: names of unknown fields are its own text.
const (
	longestField = 100
	mostFields   = 100
)

// shorten cuts a name that is too long.
func shorten(name string) string {
	if runes := []rune(name); len(runes) > longestField {
		return string(runes[:longestField]) + "…"
	}
	return name
}

// fields returns what huma found wrong, without the values. A location such as "body.name" becomes "name".
func fields(causes []error) []errs.Field {
	found := make([]errs.Field, 0, len(causes))
	for _, cause := range causes[:min(len(causes), mostFields)] {
		detail := cause.(huma.ErrorDetailer).ErrorDetail()
		message, inner, _ := strings.Cut(detail.Message, inField)
		name := detail.Location + inner
		if _, inside, found := strings.Cut(name, "."); found {
			name = inside
		}
		found = append(found, errs.Field{Name: shorten(name), Message: message})
	}
	return found
}
