package app

import (
	"context"
	"fmt"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// Notice says that something happened which concerns a user.
type Notice struct {
	User  string
	Kind  string      // one of the domain's
	Topic string      // the template of the mail, and what the web app has words for
	Event string      // the id of what led to it
	Data  domain.Data // ids, numbers and words that are the same for everybody
}

// Notify tells a user what happened by every channel that the user wants: a line in the web app, and a mail that leaves
// when the transaction has committed. For one event and kind it does so once. Of an optional kind no more mails leave than
// domain.MaxPerDay.
func (a *App) Notify(ctx context.Context, notice Notice) error {
	kind, found := domain.KindOf(notice.Kind)
	if !found {
		return fmt.Errorf("notifications: there is no kind %q", notice.Kind)
	}
	owner, key := id.Of(notice.User), notice.Event+" "+kind.Name
	if notice.Data == nil {
		notice.Data = domain.Data{}
	}
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		read := a.Store.Preferences
		if kind.Optional { // so that notices at the same time count each other's letters
			read = a.Store.LockPreferences
		}
		preferences, err := read(ctx, owner)
		if err != nil {
			return err
		}
		if preferences.Wants(kind, domain.InApp) {
			err := a.Store.AddNotification(ctx, domain.Notification{
				ID: id.New(), Owner: owner, Kind: kind.Name, Topic: notice.Topic, Data: notice.Data, CreatedAt: a.Clock.Now(),
			}, key)
			if err != nil {
				return err
			}
		}
		if !preferences.Wants(kind, domain.ByMail) {
			return nil
		}
		if kind.Optional {
			written, err := a.Store.CountLetters(ctx, owner, kind.Name, a.Clock.Now().Add(-24*time.Hour))
			if err != nil || written >= domain.MaxPerDay {
				return err
			}
		}
		return a.post(ctx, domain.Letter{
			ID: id.New(), Key: key, Kind: kind.Name, User: notice.User, Template: notice.Topic, Data: notice.Data,
		})
	})
}

// Note tells a user of an event in words that the caller has, the same for everybody: they are kept, so nothing personal may stand
// in them. The subject is a line of 100 characters, the text a sentence or two, of 500.
func (a *App) Note(ctx context.Context, event, user, subject, text string) error {
	return a.Notify(ctx, Notice{
		User: user, Kind: domain.KindNote, Topic: domain.Note{}.Template(), Event: event,
		Data: domain.Data{"subject": subject, "text": text},
	})
}

// post puts a letter on its way unless there is one of its key.
func (a *App) post(ctx context.Context, letter domain.Letter) error {
	letter.State, letter.CreatedAt = domain.Queued, a.Clock.Now()
	added, err := a.Store.AddLetter(ctx, letter)
	if err != nil || !added {
		return err
	}
	return a.Queue.SendMail(ctx, letter.ID)
}
