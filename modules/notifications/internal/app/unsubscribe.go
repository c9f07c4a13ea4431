package app

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Subscription is what a link in a mail ends: the mails of a kind to a user.
type Subscription struct {
	User string
	Kind string
}

// separator can't occur in an id or a kind.
const separator = "\x00"

// unsubscribeURL returns the address that ends the mails of the kind to the user. It holds until SECRET_KEY was
// changed twice: mails are kept for long.
func (a *App) unsubscribeURL(subscription Subscription) string {
	message := subscription.User + separator + subscription.Kind
	return a.identity.Unsubscribe + base64.RawURLEncoding.EncodeToString(append(a.Signer.Sign([]byte(message)), message...))
}

// signatureSize is the length of a signature, in bytes.
const signatureSize = 32

// ReadSubscription returns what a token from a mail's link ends. A token that isn't one of ours, or is of a user who is
// gone or a kind that can't be switched off any more, is errs.NotFound. Don't call it within a transaction.
func (a *App) ReadSubscription(ctx context.Context, token string) (Subscription, error) {
	missing := errs.New(errs.NotFound, "This link isn't valid")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < signatureSize || !a.Signer.Verify(raw[signatureSize:], raw[:signatureSize]) {
		return Subscription{}, missing
	}
	user, name, _ := strings.Cut(string(raw[signatureSize:]), separator)
	if kind, _ := domain.KindOf(name); !kind.Optional {
		return Subscription{}, missing
	}
	if _, err := a.Directory.Find(ctx, user); errs.Is(err, errs.NotFound) {
		return Subscription{}, missing
	} else if err != nil {
		return Subscription{}, err
	}
	return Subscription{User: user, Kind: name}, nil
}

// Unsubscribe ends what ReadSubscription returned. Doing it twice is the same as doing it once.
func (a *App) Unsubscribe(ctx context.Context, subscription Subscription) error {
	_, err := a.ChangePreferences(ctx, id.Of(subscription.User), 0, []domain.Switch{
		{Choice: domain.Choice{Kind: subscription.Kind, Channel: domain.ByMail}},
	})
	return err
}
