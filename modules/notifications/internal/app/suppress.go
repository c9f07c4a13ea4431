package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/fold"
)

// HandleFeedback puts addresses that bounced for good, or complained, on the list of those that get nothing any more.
// Hearing it twice is the same as hearing it once.
func (a *App) HandleFeedback(ctx context.Context, heard []domain.Feedback) error {
	ended, now := map[string]domain.Suppression{}, a.Clock.Now()
	for _, feedback := range heard {
		hash := hashOf(feedback.Address)
		if _, known := ended[hash]; known || !feedback.Ends() || feedback.Address == "" {
			continue
		}
		ended[hash] = domain.Suppression{Hash: hash, Reason: feedback.Reason, At: now}
	}
	if len(ended) == 0 {
		return nil
	}
	// In one order: on PostgreSQL two posts with the same addresses in different ones would wait for each other.
	ordered := make([]domain.Suppression, 0, len(ended))
	for _, hash := range slices.Sorted(maps.Keys(ended)) {
		ordered = append(ordered, ended[hash])
	}
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error { return a.Store.Suppress(ctx, ordered) })
}

// wanted returns those of the addresses that aren't on the list.
func (a *App) wanted(ctx context.Context, addresses []domain.Address) ([]domain.Address, error) {
	hashes := make([]string, len(addresses))
	for i, address := range addresses {
		hashes[i] = hashOf(address.Email)
	}
	suppressed, err := a.Store.Suppressed(ctx, hashes)
	if err != nil {
		return nil, err
	}
	var wanted []domain.Address
	for i, address := range addresses {
		if !slices.Contains(suppressed, hashes[i]) {
			wanted = append(wanted, address)
		}
	}
	return wanted, nil
}

// hashOf returns what an address is known by where it isn't to be read, whatever its case. It keeps addresses from the eyes
// of whoever sees a table, and no more: there is no secret in it, so whoever has a list of addresses can try them.
func hashOf(address string) string {
	sum := sha256.Sum256([]byte(fold.Text(address)))
	return hex.EncodeToString(sum[:])
}
