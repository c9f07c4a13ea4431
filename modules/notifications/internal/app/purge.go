package app

import (
	"context"
	"time"
)

// How long things are kept.
const (
	keepLetters       = 30 * 24 * time.Hour
	keepContacts      = 90 * 24 * time.Hour
	keepNotifications = 180 * 24 * time.Hour
)

// purgeBatch is how many rows go in one transaction: on SQLite everybody waits for it.
const purgeBatch = 500

// unsentAfter is when a letter that still waits has no job any more: that is tried for two days at most, or was cancelled.
const unsentAfter = 3 * 24 * time.Hour

// Purge closes what expired or was left behind, and removes what is old: mails after 30 days, what was written into the contact form after 90,
// notifications after 180. Doing it twice is the same as doing it once.
func (a *App) Purge(ctx context.Context) error {
	now := a.Clock.Now()
	abandon := func(ctx context.Context, before time.Time, limit int) (int64, error) {
		return a.Store.AbandonLetters(ctx, before, now, limit)
	}
	for _, step := range []struct {
		before time.Time
		purge  func(ctx context.Context, before time.Time, limit int) (int64, error)
	}{
		{now, a.Store.ExpireLetters},
		{now.Add(-unsentAfter), abandon},
		{now.Add(-keepLetters), a.Store.PurgeLetters},
		{now.Add(-keepContacts), a.Store.PurgeContacts},
		{now.Add(-keepNotifications), a.Store.PurgeNotifications},
	} {
		for purged := int64(purgeBatch); purged == purgeBatch; {
			err := a.Tx.WithinTx(ctx, func(ctx context.Context) (err error) {
				purged, err = step.purge(ctx, step.before, purgeBatch)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
