package domain

import (
	"strconv"
	"time"
)

// Failure is how a call of a provider failed. It is an error, and holds nothing that a provider said but names.
type Failure struct {
	Provider   string
	Reason     Reason
	Status     int           // of HTTP; 0 when there was no answer
	Code       string        // the provider's own name for it, such as "rate_limit_exceeded"; may be empty
	RequestID  string        // the provider's own, to ask it by; may be empty
	RetryAfter time.Duration // when it may be asked again, as it says; 0 when it says nothing
	Usage      Usage         // what it had counted by then
	Cause      error         // what a log may say
}

// Error returns a text for logs, such as "openai: rate_limited 429 rate_limit_exceeded".
func (f *Failure) Error() string {
	text := f.Provider + ": " + string(f.Reason)
	if f.Status != 0 {
		text += " " + strconv.Itoa(f.Status)
	}
	if f.Code != "" {
		text += " " + f.Code
	}
	if f.Cause != nil {
		text += ": " + f.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Reason is why a call failed.
type Reason string

// The reasons.
const (
	RateLimited Reason = "rate_limited"     // too many calls with this key
	Overloaded  Reason = "overloaded"       // the provider can't for now
	Broken      Reason = "broken"           // it failed, or what it sent is no answer, or not a whole one
	Unreachable Reason = "unreachable"      // no connection
	Late        Reason = "late"             // no answer, or no more of it, in time
	KeyRefused  Reason = "key_refused"      // the key is wrong, or mayn't do this
	NoModel     Reason = "no_model"         // the provider doesn't serve the model
	TooLong     Reason = "context_too_long" // the prompt doesn't fit the model
	Refused     Reason = "refused"          // the provider won't take this request, whoever asks again
	Cancelled   Reason = "cancelled"        // whoever asked is gone
)

// Again tells whether the same call of the same model may succeed when it is made again.
func (r Reason) Again() bool {
	switch r {
	case RateLimited, Overloaded, Broken, Unreachable, Late:
		return true
	}
	return false
}

// Elsewhere tells whether the call may succeed with another model.
func (r Reason) Elsewhere() bool { return r.Again() || r == KeyRefused || r == NoModel || r == TooLong }
