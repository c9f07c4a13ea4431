package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// contactID is the name under which a letter's data holds what was written into the contact form.
const contactID = "contact_id"

// ContactForm is the contact form as it was filled in.
type ContactForm struct {
	Name, Email, Subject, Message string
	Website                       string // a field that people don't see and programs fill in
}

// Contact keeps what somebody wrote, sealed, passes it on by mail and returns its id. Texts that break a rule are errs.Invalid.
// What a program wrote is answered alike, so that it learns nothing, and nothing of it is kept.
func (a *App) Contact(ctx context.Context, form ContactForm) (messageID string, err error) {
	message, err := domain.NewContactMessage(id.New(), form.Name, form.Email, form.Subject, form.Message, a.Clock.Now())
	if err != nil {
		return "", err
	}
	if form.Website != "" {
		return message.ID, nil
	}
	written, err := domain.WriteContent(message.Contact)
	if err != nil {
		return "", err
	}
	err = a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		sealed := a.Sealer.Seal(written, []byte(message.ID))
		if err := a.Store.AddContact(ctx, message.ID, sealed, message.Received); err != nil {
			return err
		}
		return a.post(ctx, domain.Letter{
			ID: id.New(), Key: domain.KindContact + " " + message.ID, Kind: domain.KindContact,
			Template: message.Template(), Data: domain.Data{contactID: message.ID},
		})
	})
	return message.ID, err
}

// readContact returns what somebody wrote, or errs.NotFound.
func (a *App) readContact(ctx context.Context, messageID string) (domain.Content, error) {
	sealed, err := a.Store.Contact(ctx, messageID)
	if err != nil {
		return nil, err
	}
	written, err := a.Sealer.Open(sealed, []byte(messageID))
	if err != nil {
		return nil, errs.New(errs.Invalid, "The message can't be opened: SECRET_KEY isn't the one it was sealed with").Because(err)
	}
	return domain.ReadContent(domain.Contact{}.Template(), written)
}
