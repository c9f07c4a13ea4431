package domain

import "time"

// The reasons for feedback.
const (
	Bounced    = "bounced"    // the address doesn't take mail
	Complained = "complained" // its owner called a mail spam
)

// Feedback is what a carrier says, later, about a mail that it took.
type Feedback struct {
	Address   string
	Reason    string // Bounced or Complained
	Permanent bool   // no later mail to the address is of use; a complaint always is
}

// Suppression is an address that gets nothing any more.
type Suppression struct {
	Hash   string // what the address is known by
	Reason string
	At     time.Time
}

// Ends tells whether nothing must be sent to the address any more.
func (f Feedback) Ends() bool { return f.Permanent || f.Reason == Complained }
