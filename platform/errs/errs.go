// Package errs is the one error model of the product.
//
// An Error has a Kind, which decides what becomes of it (the HTTP status, retry or dead letter), a stable Code that
// clients may switch on, a Message that is safe to show to anyone, and a cause that goes to the log and nowhere else.
// Every other error is of Kind Internal.
package errs

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// Kind says what went wrong, in terms that hold for HTTP, events and jobs alike.
type Kind uint8

// The kinds, in the order of their HTTP status. Internal is the zero value: an error nobody classified is ours.
const (
	Internal         Kind = iota // a fault of ours
	Malformed                    // the request can't be read
	Unauthenticated              // no valid credentials
	PaymentRequired              // the plan doesn't include it
	Forbidden                    // known, but not allowed
	NotFound                     // it doesn't exist, or not for this caller
	MethodNotAllowed             // the resource exists, the method doesn't
	Conflict                     // the state of the resource forbids it
	Precondition                 // the caller's version is stale
	TooLarge                     // the body is over the limit
	UnsupportedMedia             // the body's media type isn't understood
	Invalid                      // readable, but breaks a rule
	RateLimited                  // too many calls
	External                     // a service we call failed
	Unavailable                  // try again later: a dependency is down
	Timeout                      // it took too long
)

// codes holds the default code of every kind; clients know them from the HTTP contract.
var codes = [...]string{
	Internal:         "INTERNAL_ERROR",
	Malformed:        "BAD_REQUEST",
	Unauthenticated:  "UNAUTHENTICATED",
	PaymentRequired:  "PAYMENT_REQUIRED",
	Forbidden:        "FORBIDDEN",
	NotFound:         "NOT_FOUND",
	MethodNotAllowed: "METHOD_NOT_ALLOWED",
	Conflict:         "CONFLICT",
	Precondition:     "PRECONDITION_FAILED",
	TooLarge:         "PAYLOAD_TOO_LARGE",
	UnsupportedMedia: "UNSUPPORTED_MEDIA_TYPE",
	Invalid:          "VALIDATION_ERROR",
	RateLimited:      "RATE_LIMIT_EXCEEDED",
	External:         "EXTERNAL_SERVICE_ERROR",
	Unavailable:      "SERVICE_UNAVAILABLE",
	Timeout:          "TIMEOUT",
}

// Kinds returns every kind, for tables that must cover them all.
func Kinds() []Kind {
	all := make([]Kind, len(codes))
	for i := range codes {
		all[i] = Kind(i)
	}
	return all
}

// Code returns the kind's stable code, such as "NOT_FOUND".
func (k Kind) Code() string { return codes[k] }

// Retryable tells whether the same call may succeed later without anyone changing it.
func (k Kind) Retryable() bool {
	switch k {
	case Internal, RateLimited, External, Unavailable, Timeout:
		return true
	}
	return false
}

// Error is an error that can be shown. Build one with New or a helper below; add the reason with Because.
type Error struct {
	Kind    Kind
	Message string         // safe for every reader
	Details map[string]any // safe for every reader; nil when there is nothing to add
	cause   error          // for the log only
}

// ErrUnanswered is the cause of an error after which nobody knows whether what was asked for was done: the whole of it was
// on its way, and no answer came.
var ErrUnanswered = errors.New("nobody knows whether it was done")

// New returns an error of the kind. The message is shown to the client: no values, names or texts from inside.
func New(kind Kind, message string) *Error { return &Error{Kind: kind, Message: message} }

// Because returns a copy of e with cause behind it. The cause is found by errors.Is and As, and logged, never shown.
func (e *Error) Because(cause error) *Error {
	copied := *e
	copied.cause = cause
	return &copied
}

// With returns a copy of e with one more detail.
func (e *Error) With(key string, value any) *Error {
	copied := *e
	copied.Details = make(map[string]any, len(e.Details)+1)
	maps.Copy(copied.Details, e.Details)
	copied.Details[key] = value
	return &copied
}

// Code returns the stable code shown to clients.
func (e *Error) Code() string { return e.Kind.Code() }

// Error returns the code, the message and the cause: a text for logs, not for clients.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Code() + ": " + e.Message
	}
	return fmt.Sprintf("%s: %s: %v", e.Code(), e.Message, e.cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Field is one broken rule of an input. Name is the path of the field as the client wrote it, such as "name" or
// "messages[2].role"; Message says what is allowed and repeats no value.
type Field struct {
	Name    string `json:"field"`
	Message string `json:"message"`
}

// InvalidFields returns an Invalid error that lists every broken rule under details.errors.
func InvalidFields(fields ...Field) *Error {
	return New(Invalid, "The request is not valid").With("errors", fields)
}

// Missing returns a NotFound error with details resource and id. It is also the answer for what belongs to another.
func Missing(resource, id string) *Error {
	return New(NotFound, resource+" not found").With("resource", resource).With("id", id)
}

// From returns the Error inside err. One that has none is an Internal error with err as its cause; a deadline that
// passed is a Timeout. It returns nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return New(Timeout, "The request took too long").Because(err)
	}
	return New(Internal, "An unexpected error occurred").Because(err)
}

// Is tells whether err is of the kind.
func Is(err error, kind Kind) bool { return err != nil && From(err).Kind == kind }

// Stale returns the Precondition error of a change to a version that is no longer current.
func Stale() *Error {
	return New(Precondition, "It was changed since you read it: read it again")
}
