package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/fold"
)

// HandleFeedback puts addresses that bounced for good, or complained, on the list of those that get nothing any more.
// Hearing it twice is the same as hearing it once.
func (a *App) HandleFeedback(ctx context.Context, heard []domain.Feedback) error {
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		for _, feedback := range heard {
			if !feedback.Ends() || feedback.Address == "" {
				continue
			}
			if err := a.Store.Suppress(ctx, hashOf(feedback.Address), feedback.Reason, a.Clock.Now()); err != nil {
				return err
			}
		}
		return nil
	})
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

// hashOf returns what an address is known by where it mustn't be read, in any case.
func hashOf(address string) string {
	sum := sha256.Sum256([]byte(fold.Text(address)))
	return hex.EncodeToString(sum[:])
}
