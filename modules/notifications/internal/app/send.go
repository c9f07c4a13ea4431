package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// SendTimeout bounds an attempt to send a mail. Whoever calls SendMail gives it more.
const SendTimeout = 45 * time.Second

// lease is how long a letter belongs to one attempt. It is longer than an attempt can take, and shorter than a job waits to
// be tried again after its process was killed.
const lease = SendTimeout + 10*time.Second

// lastMoment is how long it may take to give a letter back when the process is stopping.
const lastMoment = 2 * time.Second

// SendMail sends a letter. One that is done, or gone, needs nothing. A transient error is of a Retryable kind, and the letter
// waits for the next attempt; any other closes the letter as failed. Don't call it within a transaction.
//
// A process that dies between the carrier's answer and the note of it sends the mail again. It has the same Key then, by
// which carriers leave out the second.
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
	case errs.From(err).Kind.Retryable():
		a.release(ctx, letterID) // at worst the letter is free again when the lease ends
		return err
	}
	if closing := a.close(ctx, letterID, ending{state: domain.Failed}); closing != nil {
		return closing
	}
	return err
}

// claim returns the letter if there is something to send, and keeps others from sending it at the same time.
func (a *App) claim(ctx context.Context, letterID string) (*domain.Letter, error) {
	var claimed *domain.Letter
	err := a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		letter, err := a.Store.LockLetter(ctx, letterID)
		now := a.Clock.Now()
		switch {
		case errs.Is(err, errs.NotFound):
			return nil // its user was erased, or it is too old
		case err != nil:
			return err
		case letter.State == domain.Failed && !letter.Open():
			return errs.New(errs.Conflict, "The mail failed for good, and what it said is gone")
		case !letter.Open():
			return nil
		case letter.ClaimedAt(now):
			return errs.New(errs.Unavailable, "The mail is being sent")
		}
		letter.ClaimedUntil = new(now.Add(lease))
		claimed = &letter
		return a.Store.SaveLetter(ctx, letter)
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// release gives a letter back for the next attempt.
func (a *App) release(ctx context.Context, letterID string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMoment)
	defer cancel()
	_ = a.Tx.WithinTx(ctx, func(ctx context.Context) error { // the lease ends by itself
		letter, err := a.Store.LockLetter(ctx, letterID)
		if err != nil {
			return err
		}
		letter.ClaimedUntil = nil
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

// close notes how a letter ended, also when there is no time left: it was sent, whatever became of the process.
func (a *App) close(ctx context.Context, letterID string, ended ending) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMoment)
	defer cancel()
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		if ended.erase != "" {
			return a.Store.Erase(ctx, id.Of(ended.erase))
		}
		letter, err := a.Store.LockLetter(ctx, letterID)
		if errs.Is(err, errs.NotFound) || err == nil && !letter.Open() {
			return nil // erased, or closed by somebody else
		}
		if err != nil {
			return err
		}
		letter.End(ended.state, ended.reason, ended.receipt, a.Clock.Now())
		return a.Store.SaveLetter(ctx, letter)
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

	to, err := a.wanted(ctx, mail.To)
	switch {
	case err != nil:
		return mail, ended, err
	case len(to) == 0 && letter.Kind == domain.KindContact:
		return mail, ended, errs.New(errs.Conflict, "CONTACT_TO_ADDRESS bounced, or complained: nobody reads the contact form")
	case len(to) == 0:
		return mail, skipped(domain.Suppressed), nil
	}
	mail.To = to
	err = a.write(&mail, sealed, content)
	return mail, ended, err
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

// content returns what the letter says, nil when its words are its own. What it is about may not be there any more, which
// is errs.NotFound.
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
	case domain.AccountSuspended{}.Template():
		return domain.AccountSuspended{}, nil
	case domain.AccountReactivated{}.Template():
		return domain.AccountReactivated{}, nil
	case domain.RoleChanged{}.Template():
		return domain.RoleChanged{Role: letter.Data["role"]}, nil
	case domain.ProjectDeleted{}.Template():
		return a.projectDeleted(ctx, letter)
	case domain.SubscriptionChanged{}.Template():
		return domain.SubscriptionChanged{Plan: letter.Data["plan"], Status: letter.Data["status"]}, nil
	case domain.Contact{}.Template():
		message, err := a.Store.Contact(ctx, letter.Data[contactID])
		return message.Contact, err
	}
	return nil, errs.New(errs.Invalid, "The mail is of a template that nobody fills in")
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
