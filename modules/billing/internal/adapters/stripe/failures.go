package stripe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	stripego "github.com/stripe/stripe-go/v79"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/upstream"
)

// pause is how long it waits before the second attempt; before each further one it is twice as long.
const pause = 500 * time.Millisecond

// patient repeats requests that may succeed then, by the rules of the library. The library's own repeating sleeps on when the
// caller has left or the time is up. What is repeated has the same idempotency key, so Stripe does it once.
type patient struct {
	calls   http.RoundTripper
	retries int
}

// RoundTrip returns the last answer there was, read to its end.
func (p patient) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		defer request.Body.Close()
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
	}
	for attempt := 0; ; attempt++ {
		answer, again, err := p.once(request, body)
		if !again || attempt >= p.retries {
			return answer, err
		}
		select {
		case <-time.After(pause << attempt):
		case <-request.Context().Done():
			return answer, err // which says more than that time was up
		}
	}
}

// once makes one attempt, and tells whether another one may bring more. An answer that breaks off is none.
func (p patient) once(request *http.Request, body []byte) (answer *http.Response, again bool, err error) {
	attempt := request.Clone(request.Context())
	attempt.Header.Del("X-Stripe-Client-User-Agent") // it names this machine
	attempt.Body, attempt.ContentLength = http.NoBody, int64(len(body))
	if len(body) > 0 {
		attempt.Body = io.NopCloser(bytes.NewReader(body))
	}
	answer, err = p.calls.RoundTrip(attempt)
	if err != nil {
		return nil, request.Context().Err() == nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, request.Context().Err() == nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	if answer.StatusCode < 300 {
		return answer, false, nil
	}
	kind, code := reason(text)
	again = repeatable(answer, code)
	if kind == "" {
		return nil, again, oddity(answer.StatusCode)
	}
	return answer, again, nil
}

// repeatable tells whether a failure may be over a moment later: Stripe says so, or it is one of those that pass.
func repeatable(answer *http.Response, code stripego.ErrorCode) bool {
	switch answer.Header.Get("Stripe-Should-Retry") {
	case "true":
		return true
	case "false":
		return false
	}
	return answer.StatusCode == http.StatusConflict || answer.StatusCode >= 500 || code == stripego.ErrorCodeLockTimeout
}

// reason returns Stripe's names for what is wrong. Kind is empty when it isn't Stripe that answered.
func reason(text []byte) (kind stripego.ErrorType, code stripego.ErrorCode) {
	var said struct {
		Error struct {
			Type stripego.ErrorType `json:"type"`
			Code stripego.ErrorCode `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return "", ""
	}
	return said.Error.Type, said.Error.Code
}

// oddity is an answer of that status which isn't in the shapes of Stripe's API: something in between answered.
type oddity int

func (o oddity) Error() string { return fmt.Sprintf("the answer %d isn't one of Stripe's API", int(o)) }

// incomplete returns the error for an answer that lacks what was asked for.
func incomplete(what string) error {
	return problem(errs.External, "The payment service failed", errors.New("the answer holds no such thing: "+what))
}

// failed returns an error of the library as one of ours, nil for nil. What another try may mend is errs.External, or
// errs.Timeout: whoever waits for a page learns that it is Stripe's fault. Of what Stripe said only its names for it are
// repeated, and to the log alone.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if said, ok := errors.AsType[*stripego.Error](err); ok {
		return refused(said)
	}
	if odd, ok := errors.AsType[oddity](err); ok {
		return problem(errs.External, "The payment service failed", odd)
	}
	if call, ok := errors.AsType[*url.Error](err); ok {
		err = call.Err // the address names the customer
	}
	late, cause := upstream.Cause(err)
	if late {
		return problem(errs.Timeout, "The payment service took too long", cause)
	}
	return problem(errs.External, "The payment service can't be reached", cause)
}

// refused returns what Stripe said as an error of ours. See https://docs.stripe.com/api/errors.
func refused(said *stripego.Error) error {
	cause := fmt.Errorf("stripe answered %d", said.HTTPStatusCode)
	for _, name := range []string{string(said.Type), string(said.Code), said.RequestID} {
		if upstream.Name(name) {
			cause = fmt.Errorf("%w %s", cause, name)
		}
	}
	switch status := said.HTTPStatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return problem(errs.External, "The payment service doesn't let us in: check its key and the account", cause)
	case said.Code == stripego.ErrorCodeLockTimeout, status == http.StatusConflict, status == http.StatusTooManyRequests, status >= 500:
		return problem(errs.External, "The payment service failed", cause)
	case said.Code == stripego.ErrorCodeResourceMissing && (status == http.StatusNotFound || said.Param == "customer"):
		return problem(errs.NotFound, "The payment service doesn't know it", cause)
	case said.Type == stripego.ErrorTypeIdempotency:
		return problem(errs.Invalid, "The key was used for something else", cause)
	case said.Type == stripego.ErrorTypeInvalidRequest, said.Type == stripego.ErrorTypeCard:
		return problem(errs.Invalid, "The payment service refuses what it was sent", cause)
	}
	return problem(errs.External, "The payment service failed", cause)
}

func problem(kind errs.Kind, message string, cause error) error {
	return errs.New(kind, message).With("service", "stripe").Because(cause)
}
