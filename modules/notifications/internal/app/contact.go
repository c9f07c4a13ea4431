package app

import (
	"context"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// contactID is the name under which a letter's data holds what was written into the contact form.
const contactID = "contact_id"

// ContactForm is the contact form as it was filled in.
type ContactForm struct {
	Name, Email, Subject, Message string
	Website                       string // a field that people don't see and programs fill in
}

// Contact keeps what somebody wrote, passes it on by mail and returns its id. Texts that break a rule are errs.Invalid.
// What a program wrote is answered alike, so that it learns nothing, and nothing of it is kept.
func (a *App) Contact(ctx context.Context, form ContactForm) (messageID string, err error) {
	message, err := domain.NewContactMessage(id.New(), form.Name, form.Email, form.Subject, form.Message, a.Clock.Now())
	if err != nil {
		return "", err
	}
	if form.Website != "" {
		return message.ID, nil
	}
	err = a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		if err := a.Store.AddContact(ctx, message); err != nil {
			return err
		}
		return a.post(ctx, domain.Letter{
			ID: id.New(), Key: domain.KindContact + " " + message.ID, Kind: domain.KindContact,
			Template: message.Template(), Data: domain.Data{contactID: message.ID},
		})
	})
	return message.ID, err
}
