package domain

import "slices"

// Channel is a way by which a notification reaches a person.
type Channel string

// The channels.
const (
	InApp  Channel = "in_app" // a line in the web app
	ByMail Channel = "mail"
)

// Audience is whom a kind is for.
type Audience int

// The audiences.
const (
	Users   Audience = iota // everybody with an account
	Admins                  // those of them with an administrator's role
	Anybody                 // an address, whoever reads what arrives there
)

// Kind is what a notification or a mail is about.
type Kind struct {
	Name     string // golden: preferences and links in mails hold it
	Audience Audience
	Channels []Channel
	Optional bool // who gets it may switch its channels off
}

// The names of the kinds.
const (
	KindWelcome        = "account.welcome"
	KindSecurity       = "account.security"
	KindPasswordReset  = "account.password_reset"
	KindProjectDeleted = "projects.deleted"
	KindSubscription   = "billing.subscription"
	KindPayment        = "billing.payment"
	KindDataExport     = "data.export"
	KindDailyReport    = "admin.daily_report"
	KindNote           = "note" // what happened that has no kind of its own
	KindContact        = "contact"
	KindMessage        = "message" // what another module writes to addresses that it names
)

var kinds = []Kind{
	{Name: KindWelcome, Channels: []Channel{InApp, ByMail}, Optional: true},
	{Name: KindSecurity, Channels: []Channel{InApp, ByMail}},
	{Name: KindPasswordReset, Audience: Anybody, Channels: []Channel{ByMail}},
	{Name: KindProjectDeleted, Channels: []Channel{InApp, ByMail}, Optional: true},
	{Name: KindSubscription, Channels: []Channel{InApp, ByMail}, Optional: true},
	{Name: KindPayment, Channels: []Channel{InApp, ByMail}},
	{Name: KindDataExport, Channels: []Channel{InApp, ByMail}},
	{Name: KindDailyReport, Audience: Admins, Channels: []Channel{ByMail}, Optional: true},
	{Name: KindNote, Channels: []Channel{InApp, ByMail}, Optional: true},
	{Name: KindContact, Audience: Anybody, Channels: []Channel{ByMail}},
	{Name: KindMessage, Audience: Anybody, Channels: []Channel{ByMail}},
}

// Kinds returns every kind.
func Kinds() []Kind { return slices.Clone(kinds) }

// KindOf returns the kind of a name, and whether there is one.
func KindOf(name string) (kind Kind, found bool) {
	for _, kind := range kinds {
		if kind.Name == name {
			return kind, true
		}
	}
	return Kind{}, false
}

// MaxPerDay is how many mails of a kind that is Optional a user gets within 24 hours: whoever can make things happen to an
// account could flood an address otherwise.
const MaxPerDay = 10

// Has tells whether the kind goes by the channel at all.
func (k Kind) Has(channel Channel) bool { return slices.Contains(k.Channels, channel) }
