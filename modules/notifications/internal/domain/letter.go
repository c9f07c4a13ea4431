package domain

import "time"

// State is how far a letter has come.
type State string

// The states. A letter that is queued is worked on until it has one of the others.
const (
	Queued  State = "queued"
	Sent    State = "sent"    // a carrier took it
	Failed  State = "failed"  // it is of no use to try it again as it is
	Skipped State = "skipped" // nobody is there who could get it
	Expired State = "expired" // what it says isn't true any more
)

// The reasons for being skipped.
const (
	NoAddress  = "no_address"
	Suppressed = "suppressed" // every address bounced for good, or complained
	Gone       = "gone"       // what it is about doesn't exist any more
)

// Letter is a mail on its way: to whom and about what, before it has an address and a text.
type Letter struct {
	ID       string
	Key      string // there is one letter of a key, however often it is written
	Kind     string
	User     string // whom it goes to; empty when that is sealed, or nobody's but the product's own
	Template string // empty when the words are sealed
	Data     Data   // what the content is made of; nil when the content is sealed
	Sealed   []byte // what must lie in the database unread; nil when there is nothing of that, or it was done away with

	State        State
	Reason       string // why it was skipped; empty otherwise
	Receipt      string // how the carrier calls it; empty when it gave no name
	CreatedAt    time.Time
	ExpiresAt    *time.Time // from when on it mustn't be sent; nil for never
	ClaimedUntil *time.Time // until when somebody is sending it; nil for nobody
	EndedAt      *time.Time // when it got its last state
}

// Open tells whether there is something to send. A letter that failed is open when all that it needs is still there: its
// job is dead, so whoever works it again is an administrator who has mended what was wrong.
func (l Letter) Open() bool {
	return l.State == Queued || l.State == Failed && l.Data != nil
}

// ExpiredAt tells whether the letter mustn't be sent at the time.
func (l Letter) ExpiredAt(now time.Time) bool { return l.ExpiresAt != nil && !now.Before(*l.ExpiresAt) }

// ClaimedAt tells whether somebody is sending the letter at the time.
func (l Letter) ClaimedAt(now time.Time) bool {
	return l.ClaimedUntil != nil && now.Before(*l.ClaimedUntil)
}

// End closes the letter: what was sealed in it is gone.
func (l *Letter) End(state State, reason, receipt string, now time.Time) {
	l.State, l.Reason, l.Receipt, l.EndedAt = state, reason, receipt, &now
	l.Sealed, l.ClaimedUntil = nil, nil
}
