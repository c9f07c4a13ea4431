package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/omnistack/omnistack/modules/notifications"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

var _ notifications.Mail = (*App)(nil)

// The bounds of what other modules send.
const (
	maxKey        = 200
	maxRecipients = 50
	maxData       = 64 << 10
	maxBody       = 256 << 10
	maxLink       = 2048
)

// Send writes what a template says.
func (a *App) Send(ctx context.Context, key string, message notifications.Message) error {
	check := &check{}
	check.key(key)
	to, from := check.addresses(message.To, message.From)
	check.that(domain.ValidLine(message.Subject, domain.MaxSubject), "subject", "must be a line of at most 200 characters")
	check.that(len(message.Data) <= maxData, "data", "must have at most 64 KiB")
	if err := check.err(); err != nil {
		return err
	}
	content, err := domain.ReadContent(message.Template, message.Data)
	if err != nil {
		return err
	}
	return a.sendTo(ctx, key, domain.Letter{Kind: domain.KindMessage}, envelope{To: to, From: from, Subject: message.Subject}, content)
}

// SendRaw writes the words of the caller.
func (a *App) SendRaw(ctx context.Context, key string, message notifications.RawMessage) error {
	check := &check{}
	check.key(key)
	to, from := check.addresses(message.To, message.From)
	check.that(message.Subject != "" && domain.ValidLine(message.Subject, domain.MaxSubject), "subject", "must be a line of 1 to 200 characters")
	check.that(message.HTML != "" || message.Text != "", "text", "is required when there is no html")
	check.that(len(message.HTML) <= maxBody, "html", "must have at most 256 KiB")
	check.that(len(message.Text) <= maxBody, "text", "must have at most 256 KiB")
	if err := check.err(); err != nil {
		return err
	}
	return a.sendTo(ctx, key, domain.Letter{Kind: domain.KindMessage}, envelope{
		To: to, From: from, Subject: message.Subject, HTML: message.HTML, Text: message.Text,
	}, nil)
}

// SendPasswordReset sends the link to a page where a new password is chosen.
func (a *App) SendPasswordReset(ctx context.Context, key string, reset notifications.PasswordReset) error {
	check := &check{}
	check.key(key)
	to, _ := check.addresses([]notifications.Address{reset.To}, nil)
	link, err := url.Parse(reset.Link)
	check.that(err == nil && link.Host != "" && (link.Scheme == "https" || link.Scheme == "http") && len(reset.Link) <= maxLink,
		"link", "must be an http or https URL")
	check.that(reset.Expires.After(a.Clock.Now()), "expires", "must be in the future")
	if err := check.err(); err != nil {
		return err
	}
	letter := domain.Letter{Kind: domain.KindPasswordReset, ExpiresAt: new(reset.Expires.UTC())}
	return a.sendTo(ctx, key, letter, envelope{To: to}, domain.PasswordReset{Link: reset.Link, Expires: reset.Expires.UTC()})
}

// sendTo puts a letter of another module on its way.
func (a *App) sendTo(ctx context.Context, key string, letter domain.Letter, sealed envelope, content domain.Content) error {
	letter.ID, letter.Key = id.New(), "mail "+key
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error { return a.postSealed(ctx, letter, sealed, content) })
}

// envelope is what of a letter is sealed.
type envelope struct {
	To      []domain.Address // nil when it goes to a user
	From    *domain.Address  // nil for the product's own
	Subject string           // empty for the template's own
	Content json.RawMessage  // what the template says, if there is one
	HTML    string
	Text    string
}

// postSealed puts a letter on its way whose content lies sealed until then. A nil content stands in the envelope already.
func (a *App) postSealed(ctx context.Context, letter domain.Letter, sealed envelope, content domain.Content) error {
	if content != nil {
		written, err := domain.WriteContent(content)
		if err != nil {
			return err
		}
		letter.Template, sealed.Content = content.Template(), written
	}
	plain, err := json.Marshal(sealed)
	if err != nil {
		return err
	}
	letter.Sealed = a.Sealer.Seal(plain, []byte(letter.ID))
	return a.post(ctx, letter)
}

// open returns what is sealed in a letter, the zero envelope when nothing is.
func (a *App) open(letter domain.Letter) (envelope, error) {
	var sealed envelope
	if letter.Sealed == nil {
		return sealed, nil
	}
	plain, err := a.Sealer.Open(letter.Sealed, []byte(letter.ID))
	if err != nil {
		return sealed, errs.New(errs.Invalid, "The mail can't be opened: SECRET_KEY isn't the one it was sealed with").Because(err)
	}
	if json.Unmarshal(plain, &sealed) != nil { // whose error repeats what was sealed
		return sealed, errs.New(errs.Invalid, "The mail can't be read")
	}
	return sealed, nil
}

// check collects the rules that a mail breaks.
type check struct{ broken []errs.Field }

func (c *check) that(holds bool, field, rule string) {
	if !holds {
		c.broken = append(c.broken, errs.Field{Name: field, Message: rule})
	}
}

func (c *check) err() error {
	if len(c.broken) > 0 {
		return errs.InvalidFields(c.broken...)
	}
	return nil
}

func (c *check) key(key string) {
	c.that(domain.ValidKey(key, maxKey), "key", "must be 1 to 200 visible ASCII characters")
}

// addresses checks whom a mail goes to and comes from, and returns them.
func (c *check) addresses(to []notifications.Address, from *notifications.Address) (whom []domain.Address, who *domain.Address) {
	c.that(1 <= len(to) && len(to) <= maxRecipients, "to", "must be 1 to 50 addresses")
	for i, address := range to {
		whom = append(whom, c.address(address, fmt.Sprintf("to[%d]", i)))
	}
	if from != nil {
		who = new(c.address(*from, "from"))
	}
	return whom, who
}

func (c *check) address(address notifications.Address, field string) domain.Address {
	c.that(domain.ValidEmail(address.Email), field+".email", "must be an e-mail address")
	c.that(domain.ValidLine(address.Name, domain.MaxSubject), field+".name", "must be a line of at most 200 characters")
	return domain.Address{Email: address.Email, Name: address.Name}
}
