package domain

import (
	"time"

	"github.com/omnistack/omnistack/platform/id"
)

// Entry is a call in the ledger, where each has exactly one, however it ended. It holds nothing of what was said.
type Entry struct {
	ID        string
	User      id.Scope // nobody's when the user is erased
	Endpoint  Endpoint
	Route     string // the route that was taken; empty when a model was named
	Requested string // what was asked for: the name of a model or of a route; empty when nothing was
	Stream    bool

	Provider string // that answered, or was asked last, or would have been
	Model    string // its
	Attempts int    // requests, of all models together

	Status       Status
	Finish       Finish // why the answer ended; empty when it didn't
	Reason       Reason // why the call failed; empty when it didn't
	Usage        Usage
	Cost         Cost
	PriceVersion string // of the catalogue that the cost is by

	StartedAt time.Time
	EndedAt   time.Time
	First     time.Duration // until the first of a stream; 0 when there was none
}

// Endpoint is by which door a call came.
type Endpoint string

// The doors.
const (
	Complete Endpoint = "complete"
	Chat     Endpoint = "chat"
	OpenAI   Endpoint = "openai"
	Vectors  Endpoint = "embeddings"
)

// Status is how a call ended.
type Status string

// The ways to end.
const (
	Completed Status = "completed"
	Truncated Status = "truncated" // something had come when it failed
	Failed    Status = "failed"
	Canceled  Status = "cancelled" // whoever asked left
	Killed    Status = "killed"    // the process ended before the call did
)

// Hold is what is set aside of a budget while a call goes on, with what the ledger needs should nobody tell how it ended.
type Hold struct {
	Entry           // what is known when the call begins; Usage is what the prompt is guessed to take
	Amount    Pico  // what the call costs at most, as far as is known
	Month     Month // whose budget it is
	ExpiresAt time.Time
}

// Month is a month of UTC, such as "2026-11".
type Month string

// MonthOf returns the month of a time.
func MonthOf(at time.Time) Month { return Month(at.UTC().Format("2006-01")) }

// Day is a day of UTC, such as "2026-11-27".
type Day string

// DayOf returns the day of a time.
func DayOf(at time.Time) Day { return Day(at.UTC().Format(time.DateOnly)) }

// Lost returns the entry of a call that nobody told the end of: that of a process that was killed. Its prompt had been sent,
// most likely, and was paid.
func (h Hold) Lost(at time.Time) Entry {
	lost := h.Entry
	lost.Status, lost.EndedAt = Killed, at
	return lost
}

// Spent is what a month took so far.
type Spent struct {
	Spent    Pico // by calls that ended
	Reserved Pico // by calls that go on
}
