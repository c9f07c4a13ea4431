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

// The reasons for being skipped, or for having failed.
const (
	NoAddress  = "no_address"
	Suppressed = "suppressed" // every address bounced for good, or complained
	Gone       = "gone"       // what it is about doesn't exist any more
	Unwanted   = "unwanted"   // whom it goes to has switched it off meanwhile
	Demoted    = "demoted"    // whom it goes to is no administrator any more
	Unanswered = "unanswered" // nobody knows whether it was sent, and another attempt could double it
	Abandoned  = "abandoned"  // its job was tried as often as may be, or cancelled
)

// maxUnanswered is after how many attempts without an answer a letter isn't tried again by itself: of those, all but one may
// have been taken beside the one that is.
const maxUnanswered = 2

// Letter is a mail on its way: to whom and about what, before it has an address and a text.
type Letter struct {
	ID       string
	Key      string // there is one letter of a key, however often it is written
	Kind     string
	User     string // whom it goes to; empty when that is sealed, or nobody's but the product's own
	Template string // empty when the words are sealed
	Data     Data   // what the content is made of; nil when the content is sealed
	Sealed   []byte // what must lie in the database unread; nil when there is nothing of that, or it was done away with

	Unanswered      int        // how many attempts ended without anyone knowing whether the mail was taken
	UnansweredSince *time.Time // when the first of them began; nil for none

	State        State
	Reason       string // why it was skipped, or failed without a refusal; empty otherwise
	Receipt      string // how the carrier calls it; empty when it gave no name
	CreatedAt    time.Time
	ExpiresAt    *time.Time // from when on it mustn't be sent; nil for never
	ClaimedUntil *time.Time // until when somebody is sending it; nil for nobody
	EndedAt      *time.Time // when it got its last state
}

// Open tells whether there is something to send. A letter that failed is open: its job is dead, so whoever works it again is
// an administrator who has mended what was wrong.
func (l Letter) Open() bool { return l.State == Queued || l.State == Failed }

// NoteUnanswered counts an attempt, which began at the time, after which nobody knows whether the mail was taken.
func (l *Letter) NoteUnanswered(began time.Time) {
	if l.Unanswered++; l.UnansweredSince == nil {
		l.UnansweredSince = &began
	}
}

// Doubtful tells whether the letter was tried so often without an answer that it isn't tried again by itself.
func (l Letter) Doubtful() bool { return l.Unanswered >= maxUnanswered }

// ForgottenAt tells whether a carrier that leaves out the second mail of a key for so long, 0 for never, may have taken the
// letter and not know it any more at the time.
func (l Letter) ForgottenAt(now time.Time, remembered time.Duration) bool {
	return remembered > 0 && l.UnansweredSince != nil && now.Sub(*l.UnansweredSince) >= remembered
}

// ExpiredAt tells whether the letter mustn't be sent at the time.
func (l Letter) ExpiredAt(now time.Time) bool { return l.ExpiresAt != nil && !now.Before(*l.ExpiresAt) }

// ClaimedAt tells whether somebody is sending the letter at the time.
func (l Letter) ClaimedAt(now time.Time) bool {
	return l.ClaimedUntil != nil && now.Before(*l.ClaimedUntil)
}

// End closes the letter. What was sealed in it is gone, unless it failed: it can be tried again by hand then.
func (l *Letter) End(state State, reason, receipt string, now time.Time) {
	l.State, l.Reason, l.Receipt, l.EndedAt = state, reason, receipt, &now
	l.ClaimedUntil = nil
	if state != Failed {
		l.Sealed = nil
	}
}
