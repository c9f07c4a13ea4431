package store

import (
	"context"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
)

var _ app.ExportStore = (*Store)(nil)

// ExportNotifications reads all notifications of the user, in the order of an index.
func (s *Store) ExportNotifications(ctx context.Context, user id.Scope, after *app.ExportedNotification, limit int) ([]app.ExportedNotification, error) {
	matching, args := " WHERE user_id = ?", []any{user.User}
	if after != nil {
		matching += " AND (created_at, id) > (?, ?)"
		args = append(args, after.CreatedAt, after.ID)
	}
	return database.All(s.db.Read(ctx).Raw(notificationFields+matching+" ORDER BY created_at, id LIMIT ?", append(args, limit)...),
		func(found database.Row) (app.ExportedNotification, error) {
			n, err := scanNotification(found)
			return app.ExportedNotification{ID: n.ID, Kind: n.Kind, Topic: n.Topic, Data: n.Data, ReadAt: n.ReadAt, CreatedAt: n.CreatedAt}, err
		})
}

// ExportMails reads all mails to the user.
func (s *Store) ExportMails(ctx context.Context, user id.Scope, after *app.ExportedMail, limit int) ([]app.ExportedMail, error) {
	var last string
	if after != nil {
		last = after.ID
	}
	return database.All(s.db.Read(ctx).Raw(mailFields+" WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?", user.User, last, limit),
		func(found database.Row) (app.ExportedMail, error) {
			l, err := scanLetter(found)
			return app.ExportedMail{
				ID: l.ID, Kind: l.Kind, Template: l.Template, Data: l.Data, State: string(l.State), Reason: l.Reason, Receipt: l.Receipt,
				CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt, EndedAt: l.EndedAt,
			}, err
		})
}
