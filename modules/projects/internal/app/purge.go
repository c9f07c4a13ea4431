package app

import (
	"context"
	"time"
)

// retention is how long a deleted project is kept, for whoever deleted it by mistake.
const retention = 30 * 24 * time.Hour

// purgeBatch is how many projects go in one transaction: on SQLite everybody waits for it.
const purgeBatch = 500

// PurgeDeleted removes for good what was deleted more than 30 days ago. Doing it twice is the same as doing it once.
func (a *App) PurgeDeleted(ctx context.Context) error {
	before := a.clock.Now().Add(-retention)
	for {
		var purged int64
		err := a.tx.WithinTx(ctx, func(ctx context.Context) (err error) {
			if err := a.files.purgeOf(ctx, before, purgeBatch); err != nil {
				return err
			}
			purged, err = a.store.Purge(ctx, before, purgeBatch)
			return err
		})
		if err != nil || purged < purgeBatch {
			return err
		}
	}
}
