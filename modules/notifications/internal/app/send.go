package app

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// SendTimeout bounds an attempt to send a mail: a mail server may take four minutes for its last answer. Whoever calls
// SendMail gives it half a minute more.
const SendTimeout = 275 * time.Second

// lastMoment is how long it may take to note what became of a letter, whatever became of the process. SQLite's writer may be
// busy for a while, and a mail whose sending isn't noted is sent again.
const lastMoment = 10 * time.Second

// lease is how long a letter belongs to one attempt. It is longer than an attempt can take, and shorter than a job waits to
// be tried again after its process was killed.
const lease = SendTimeout + lastMoment + 5*time.Second

// memoryMargin is how much shorter than it says a carrier is believed to know a key.
const memoryMargin = time.Hour

// SendMail sends a letter. One that is done, or gone, needs nothing. A transient error is of a Retryable kind, and the letter
// waits for the next attempt; any other closes the letter as failed. Don't call it within a transaction.
//
// Nobody may know whether an attempt sent the mail: its answer didn't come (errs.ErrUnanswered), or its process died. The
// second such attempt closes the letter as failed. A carrier that knows keys leaves out what is sent again with the same
// Key; when it may have forgotten the Key the letter is closed too, and refused by hand. So a mail arrives once by such a
// carrier, and by another one twice at most, unless somebody sends it again by hand.
func (a *App) SendMail(ctx context.Context, letterID string) error {
	letter, err := a.claim(ctx, letterID)
	if err != nil || letter == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, SendTimeout)
	defer cancel()

	mail, ended, err := a.address(ctx, *letter)
	if err == nil && ended.state == "" {
		ended.state = domain.Sent
		ended.receipt, err = a.Mailer.Send(ctx, mail)
	}
	switch {
	case err == nil:
		return a.close(ctx, letterID, ended)
	case errors.Is(err, errs.ErrUnanswered):
		return a.noteUnanswered(ctx, *letter, err)
	case errs.From(err).Kind.Retryable():
		a.release(ctx, letterID) // at worst the letter is free again when the lease ends, as after a death
		return err
	}
	if closing := a.close(ctx, letterID, ending{state: domain.Failed}); closing != nil {
		return closing
	}
	return err
}

// GiveUp closes a letter as failed whose job isn't tried again, unless somebody is sending it.
func (a *App) GiveUp(ctx context.Context, letterID string) error {
	return a.change(ctx, letterID, func(letter *domain.Letter) bool {
		now := a.Clock.Now()
		if letter.State != domain.Queued || letter.ClaimedAt(now) {
			return false
		}
		letter.End(domain.Failed, domain.Abandoned, "", now)
		return true
	})
}

var (
	errDoubtful = errs.New(errs.Conflict, "Nobody knows whether the mail was sent, and another attempt could double it")
	errForgot   = errs.New(errs.Conflict, "The mail may have been sent, and its carrier may not know its key any more")
)

// claim returns the letter if there is something to send, and keeps others from sending it at the same time.
func (a *App) claim(ctx context.Context, letterID string) (claimed *domain.Letter, err error) {
	var refused error
	err = a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		letter, err := a.Store.LockLetter(ctx, letterID)
		now := a.Clock.Now()
		switch {
		case errs.Is(err, errs.NotFound):
			return nil // its user was erased, or it is too old
		case err != nil:
			return err
		case !letter.Open():
			return nil
		case letter.ClaimedAt(now):
			return errs.New(errs.Unavailable, "The mail is being sent")
		}
		if letter.ClaimedUntil != nil { // its attempt has ended without a word
			letter.NoteUnanswered(letter.ClaimedUntil.Add(-lease))
		}
		switch {
		case letter.ForgottenAt(now, max(0, a.Mailer.Remembers()-memoryMargin)):
			refused = errForgot
		case letter.Doubtful() && letter.State == domain.Queued: // by hand, somebody has decided to risk it
			refused = errDoubtful
		}
		if refused != nil {
			letter.End(domain.Failed, domain.Unanswered, "", now)
			return a.Store.SaveLetter(ctx, letter)
		}
		letter.ClaimedUntil = new(now.Add(lease))
		claimed = &letter
		return a.Store.SaveLetter(ctx, letter)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// noteUnanswered notes that nobody knows whether the letter was sent, and gives it back if it may be tried again. It returns
// the error of the attempt, or one that isn't tried again because of it.
func (a *App) noteUnanswered(ctx context.Context, claimed domain.Letter, cause error) error {
	began, doubtful := claimed.ClaimedUntil.Add(-lease), false
	err := a.change(ctx, claimed.ID, func(letter *domain.Letter) bool {
		letter.NoteUnanswered(began)
		if letter.ClaimedUntil, doubtful = nil, letter.Doubtful(); doubtful {
			letter.End(domain.Failed, domain.Unanswered, "", a.Clock.Now())
		}
		return true
	})
	switch {
	case err != nil:
		return err // the letter stays claimed, which is noted later
	case doubtful:
		return errDoubtful.Because(cause)
	}
	return cause
}

// release gives a letter back for the next attempt.
func (a *App) release(ctx context.Context, letterID string) {
	_ = a.change(ctx, letterID, func(letter *domain.Letter) bool {
		letter.ClaimedUntil = nil
		return true
	})
}

// change changes an open letter and saves it if the change says so, also when there is no time left.
func (a *App) change(ctx context.Context, letterID string, change func(letter *domain.Letter) (changed bool)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMoment)
	defer cancel()
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		letter, err := a.Store.LockLetter(ctx, letterID)
		if errs.Is(err, errs.NotFound) || err == nil && !letter.Open() {
			return nil // erased, or closed by somebody else
		}
		if err != nil || !change(&letter) {
			return err
		}
		return a.Store.SaveLetter(ctx, letter)
	})
}

// ending is how a letter ends.
type ending struct {
	state   domain.State // empty while it goes on
	reason  string
	receipt string
	erase   string // the user of whom nothing is to be kept; empty for nobody
}

func skipped(reason string) ending { return ending{state: domain.Skipped, reason: reason} }

// close notes how a letter ended.
func (a *App) close(ctx context.Context, letterID string, ended ending) error {
	if ended.erase != "" {
		_, err := a.Erase(ctx, id.Of(ended.erase))
		return err
	}
	return a.change(ctx, letterID, func(letter *domain.Letter) bool {
		letter.End(ended.state, ended.reason, ended.receipt, a.Clock.Now())
		return true
	})
}

// address makes the mail of a letter, or says how the letter ends without being sent.
func (a *App) address(ctx context.Context, letter domain.Letter) (mail domain.Mail, ended ending, err error) {
	if letter.ExpiredAt(a.Clock.Now()) {
		return mail, ending{state: domain.Expired}, nil
	}
	sealed, err := a.open(letter)
	if err != nil {
		return mail, ended, err
	}
	mail = domain.Mail{Key: letter.ID, Kind: letter.Kind, From: a.identity.From, To: sealed.To}
	if sealed.From != nil {
		mail.From = *sealed.From
	}

	var user users.User
	if letter.User != "" {
		user, err = a.Directory.Find(ctx, letter.User)
		switch {
		case errs.Is(err, errs.NotFound):
			return mail, ending{state: domain.Skipped, erase: letter.User}, nil // what came later than the erasure
		case err != nil:
			return mail, ended, err
		case user.Email == "":
			return mail, skipped(domain.NoAddress), nil
		}
		mail.To = []domain.Address{{Email: user.Email, Name: user.FullName}}
		if kind, _ := domain.KindOf(letter.Kind); kind.Optional {
			mail.Unsubscribe = a.unsubscribeURL(Subscription{User: user.ID, Kind: kind.Name})
		}
	}
	if reason, err := a.outdated(ctx, letter, mail.To); err != nil || reason != "" {
		return mail, skipped(reason), err
	}

	content, err := a.content(ctx, letter, sealed, user)
	if errs.Is(err, errs.NotFound) {
		return mail, skipped(domain.Gone), nil
	}
	if err != nil {
		return mail, ended, err
	}
	if message, ok := content.(domain.Contact); ok && letter.Kind == domain.KindContact {
		mail.To = []domain.Address{a.identity.Contact}
		mail.ReplyTo = &domain.Address{Email: message.Email, Name: message.Name}
	}

	if letter.Kind != domain.KindContact { // which goes to the product's own address, bounced or not: nobody else reads it
		mail.To, err = a.wanted(ctx, mail.To)
		switch {
		case err != nil:
			return mail, ended, err
		case len(mail.To) == 0:
			return mail, skipped(domain.Suppressed), nil
		}
	}
	err = a.write(&mail, sealed, content)
	return mail, ended, err
}

// outdated returns why a letter doesn't go to whom it was written, as things are now; nothing when it does.
func (a *App) outdated(ctx context.Context, letter domain.Letter, to []domain.Address) (reason string, err error) {
	kind, _ := domain.KindOf(letter.Kind)
	if kind.Optional && letter.User != "" {
		preferences, err := a.Store.Preferences(ctx, id.Of(letter.User))
		if err != nil {
			return "", err
		}
		if !preferences.Wants(kind, domain.ByMail) {
			return domain.Unwanted, nil
		}
	}
	if kind.Audience != domain.Admins {
		return "", nil
	}
	admins, err := a.Directory.Administrators(ctx)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(admins, func(admin users.User) bool {
		return admin.ID == letter.User && (admin.ID != "" || hashOf(admin.Email) == hashOf(to[0].Email))
	}) {
		return domain.Demoted, nil
	}
	return "", nil
}

// write fills in what the mail says.
func (a *App) write(mail *domain.Mail, sealed envelope, content domain.Content) error {
	if content == nil {
		mail.Subject, mail.HTML, mail.Text = sealed.Subject, sealed.HTML, sealed.Text
		return nil
	}
	frame := domain.Frame{Product: a.identity.Product, Home: a.identity.Home, Unsubscribe: mail.Unsubscribe}
	var err error
	mail.Subject, mail.HTML, mail.Text, err = a.Renderer.Render(content, frame)
	if err != nil {
		return errs.New(errs.Invalid, "The mail can't be written").Because(err)
	}
	if sealed.Subject != "" {
		mail.Subject = sealed.Subject
	}
	return nil
}

// content returns what the letter says, nil when its words are its own: of most templates the data. What it is about may not be
// there any more, which is errs.NotFound.
func (a *App) content(ctx context.Context, letter domain.Letter, sealed envelope, user users.User) (domain.Content, error) {
	switch {
	case letter.Template == "":
		return nil, nil
	case letter.Data == nil:
		return domain.ReadContent(letter.Template, sealed.Content)
	}
	switch letter.Template {
	case domain.Welcome{}.Template():
		return domain.Welcome{Name: user.FullName}, nil
	case domain.ProjectDeleted{}.Template():
		return a.projectDeleted(ctx, letter)
	case domain.DataExportReady{}.Template():
		return a.exportReady(letter)
	case domain.Contact{}.Template():
		return a.readContact(ctx, letter.Data[contactID])
	}
	data, err := json.Marshal(letter.Data)
	if err != nil {
		return nil, err
	}
	return domain.ReadContent(letter.Template, data)
}

// keptDays is for how many days a deleted project could be brought back by hand, as the projects context has it.
const keptDays = 30

// projectDeleted asks for the name of the project, which isn't known any more when the mail was late.
func (a *App) projectDeleted(ctx context.Context, letter domain.Letter) (domain.Content, error) {
	project, err := a.Catalog.Find(ctx, id.Of(letter.User), letter.Data["project_id"])
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	return domain.ProjectDeleted{Name: project.Name, Days: keptDays}, nil
}

// exportReady leads to where the web app shows the export, to who is signed in: the address is no secret.
func (a *App) exportReady(letter domain.Letter) (domain.Content, error) {
	expires, err := time.Parse(time.RFC3339, letter.Data["expires"])
	return domain.DataExportReady{Link: a.identity.Home + "/exports/" + letter.Data["export_id"], Expires: expires}, err
}
