package app

import (
	"context"
	"time"
)

// Tally returns how many users came between two times, and how many there were in the end.
func (a *App) Tally(ctx context.Context, from, to time.Time) (Tally, error) {
	return a.store.Tally(ctx, from, to)
}
