// Package domain holds what a notification and a mail are and the rules they keep. It does no I/O and knows no clock.
package domain

import "time"

// Address is whom a mail comes from or goes to.
type Address struct {
	Email string
	Name  string // empty when unknown
}

// Mail is a mail, ready to leave.
type Mail struct {
	Key         string // the same for every attempt to send it: whoever carries it leaves out the second
	Kind        string // what it is about, for the statistics of whoever carries it
	From        Address
	ReplyTo     *Address // nil for the sender
	To          []Address
	Subject     string
	HTML        string
	Text        string
	Unsubscribe string // the https address of one click (RFC 8058) that ends mails of the kind; empty if they can't be ended
}

// Content is what a mail says: one type for each template, which the Template names.
type Content interface{ Template() string }

// Frame is what the layout around every content needs.
type Frame struct {
	Product     string // the name of the product
	Home        string // the address of the web app
	Unsubscribe string // as in Mail
}

// The contents. Their texts are in the templates of the same names.
type (
	// Welcome greets a new user.
	Welcome struct{ Name string } // empty when unknown

	// PasswordReset leads to a page where a new password is chosen.
	PasswordReset struct {
		Link    string
		Expires time.Time
	}

	// DataExportReady leads to the archive with a person's data.
	DataExportReady struct {
		Link    string
		Expires time.Time
	}

	// DailyReport says in numbers what happened on a day.
	DailyReport struct {
		Day      time.Time
		Sections []ReportSection
	}

	// ReportSection is a module's part of a report.
	ReportSection struct {
		Title   string
		Figures []ReportFigure
	}

	// ReportFigure is one line of a report.
	ReportFigure struct{ Name, Value string }

	// Contact is what somebody wrote into the contact form.
	Contact struct {
		Name, Email, Subject, Message string // Subject may be empty
		Received                      time.Time
	}

	// ProjectDeleted says that a project is gone, and for how many days it could be brought back by hand.
	ProjectDeleted struct {
		Name string // empty when it isn't known any more
		Days int
	}

	// Note says in a sentence or two what has no template of its own.
	Note struct{ Subject, Text string }

	// AccountSuspended says that a user may not act any more.
	AccountSuspended struct{}

	// AccountReactivated says that a user may act again.
	AccountReactivated struct{}

	// RoleChanged says what a user may do now.
	RoleChanged struct{ Role string }

	// IdentityLinked says that a user can sign in with another identity, of that issuer.
	IdentityLinked struct{ Issuer string }

	// SubscriptionChanged says which plan a user has now.
	SubscriptionChanged struct{ Plan, Status string }

	// PaymentFailed says that an amount couldn't be collected, and when that is tried again; zero for never.
	PaymentFailed struct {
		Amount string // such as "20.00 USD"
		Next   time.Time
	}

	// TrialEnding says that the trial of a plan ends, and when.
	TrialEnding struct {
		Plan string
		Ends time.Time
	}
)

// Template returns the name of the template.
func (Welcome) Template() string { return "welcome" }

// Template returns the name of the template.
func (PasswordReset) Template() string { return "password_reset" }

// Template returns the name of the template.
func (DataExportReady) Template() string { return "data_export_ready" }

// Template returns the name of the template.
func (DailyReport) Template() string { return "daily_report" }

// Template returns the name of the template.
func (Contact) Template() string { return "contact" }

// Template returns the name of the template.
func (ProjectDeleted) Template() string { return "project_deleted" }

// Template returns the name of the template.
func (Note) Template() string { return "note" }

// Template returns the name of the template.
func (AccountSuspended) Template() string { return "account_suspended" }

// Template returns the name of the template.
func (AccountReactivated) Template() string { return "account_reactivated" }

// Template returns the name of the template.
func (RoleChanged) Template() string { return "role_changed" }

// Template returns the name of the template.
func (IdentityLinked) Template() string { return "identity_linked" }

// Template returns the name of the template.
func (SubscriptionChanged) Template() string { return "subscription_changed" }

// Template returns the name of the template.
func (PaymentFailed) Template() string { return "payment_failed" }

// Template returns the name of the template.
func (TrialEnding) Template() string { return "trial_ending" }
