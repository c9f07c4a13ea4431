package app

import (
	"context"
	"time"
)

// Tally returns how many projects were created and deleted between two times, and how many there were in the end.
func (a *App) Tally(ctx context.Context, from, to time.Time) (Tally, error) {
	return a.store.Tally(ctx, from, to)
}
