package langchain

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
	"github.com/omnistack/omnistack/platform/upstream"
)

var (
	errNotAnswer = errors.New("the answer isn't of the kind that was asked for")
	errTooLong   = errors.New("the answer is too long")
	errGarbled   = errors.New("the answer can't be read")
)

// listenerError is an error of whoever listens to a stream. It is theirs, and no provider's failure.
type listenerError struct{ error }

func (d *doer) failed(reason domain.Reason, cause error) *domain.Failure {
	return &domain.Failure{Provider: d.provider, Reason: reason, Cause: cause}
}

// lost returns the failure of a call that ended without its answer: because whoever asked left, because it took too long, or
// for another reason. What a provider said is in no error.
func (d *doer) lost(asker, ctx context.Context, otherwise domain.Reason, err error) *domain.Failure {
	switch {
	case errors.Is(asker.Err(), context.Canceled):
		return d.failed(domain.Cancelled, context.Canceled)
	case asker.Err() != nil, errors.Is(context.Cause(ctx), errLate):
		return d.failed(domain.Late, errLate)
	}
	late, cause := upstream.Cause(err)
	if late {
		return d.failed(domain.Late, cause)
	}
	return d.failed(otherwise, cause)
}

// broken returns the error of an answer that began well.
func (d *doer) broken(asker, ctx context.Context, answer *http.Response, usage domain.Usage, err error) error {
	if listener, ok := errors.AsType[listenerError](err); ok {
		return listener.error
	}
	failure := d.lost(asker, ctx, domain.Broken, err)
	if refusal, ok := errors.AsType[*refusal](err); ok {
		failure = d.failed(refusal.reason(0), nil)
		failure.Code = refusal.code()
	} else if errors.Is(err, errNotAnswer) || errors.Is(err, errTooLong) || errors.Is(err, errGarbled) {
		failure = d.failed(domain.Broken, err)
	}
	failure.RequestID, failure.Usage = requestID(answer.Header), usage
	return failure
}

// refusal is what a provider says instead of an answer. Both dialects have these names in an object called error.
type refusal struct {
	Type    string         `json:"type"`
	Code    jsontext.Value `json:"code"` // a text, a number or null
	Message string         `json:"message"`
}

// Error returns the provider's name for it: what else it says may hold anything.
func (r *refusal) Error() string { return r.code() }

// code returns the provider's own name for it, if it is one.
func (r *refusal) code() string {
	for _, name := range []string{strings.Trim(string(r.Code), `"`), r.Type} {
		if name != "null" && upstream.Name(name) {
			return name
		}
	}
	return ""
}

// reason returns what the refusal means. The status is 0 in the middle of a stream, where only names say it.
func (r *refusal) reason(status int) domain.Reason {
	name := r.code()
	switch name {
	case "context_length_exceeded", "request_too_large":
		return domain.TooLong
	case "model_not_found":
		return domain.NoModel
	case "insufficient_quota", "billing_error", "invalid_api_key", "authentication_error", "permission_error":
		return domain.KeyRefused
	case "rate_limit_exceeded", "rate_limit_error", "tokens", "requests":
		return domain.RateLimited
	case "overloaded_error", "server_overloaded", "engine_overloaded":
		return domain.Overloaded
	}
	switch status {
	case 0:
		if name == "invalid_request_error" {
			return domain.Refused
		}
		return domain.Broken
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusPaymentRequired:
		return domain.KeyRefused
	case http.StatusNotFound:
		return domain.NoModel
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return domain.Late
	case http.StatusConflict, http.StatusTooEarly, http.StatusInternalServerError, http.StatusBadGateway:
		return domain.Broken
	case http.StatusTooManyRequests:
		return domain.RateLimited
	case http.StatusServiceUnavailable, 529:
		return domain.Overloaded
	case http.StatusRequestEntityTooLarge:
		return domain.TooLong
	case http.StatusBadRequest:
		if strings.Contains(r.Message, "prompt is too long") { // Anthropic has no name of its own for it
			return domain.TooLong
		}
		return domain.Refused
	}
	if status >= 500 || status < 400 {
		return domain.Broken
	}
	return domain.Refused
}

// refused returns the failure that an answer of another status than 200 stands for.
func (d *doer) refused(answer *http.Response) *domain.Failure {
	// The status says what happened. A body that can't be read, or is a page of a proxy, takes nothing away.
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	var said struct {
		Error refusal `json:"error"`
	}
	_ = json.Unmarshal(body, &said, loose())
	failure := d.failed(said.Error.reason(answer.StatusCode), nil)
	failure.Status, failure.Code, failure.RequestID = answer.StatusCode, said.Error.code(), requestID(answer.Header)
	failure.RetryAfter = retryAfter(answer.Header)
	return failure
}

// requestID returns the provider's own name for a call.
func requestID(header http.Header) string {
	for _, name := range []string{"X-Request-Id", "Request-Id"} {
		if value := header.Get(name); upstream.Name(value) {
			return value
		}
	}
	return ""
}

// maxRetryAfter is the longest wait that is believed.
const maxRetryAfter = 24 * time.Hour

// retryAfter returns how long a provider wants to be left alone: milliseconds in OpenAI's own header, seconds or a date in
// the usual one (RFC 9110, section 10.2.3). What can't be read is 0.
func retryAfter(header http.Header) time.Duration {
	var wait time.Duration
	value := header.Get("Retry-After")
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil && ms >= 0 {
		wait = time.Duration(min(ms, 1e9) * float64(time.Millisecond))
	} else if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 {
		wait = time.Duration(min(seconds, 1e6) * float64(time.Second))
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return max(0, min(wait, maxRetryAfter))
}
