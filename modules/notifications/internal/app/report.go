package app

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/id"
)

// DailyReport writes to every administrator who wants it what happened yesterday, in UTC. It may be tried again: nobody gets
// a day's report twice.
func (a *App) DailyReport(ctx context.Context) error {
	today := a.Clock.Now().UTC().Truncate(24 * time.Hour)
	yesterday := today.AddDate(0, 0, -1)
	sections, err := a.Reports.Sections(ctx, yesterday, today)
	if err != nil {
		return err
	}
	if sections == nil {
		sections = []domain.ReportSection{}
	}
	admins, err := a.Directory.Administrators(ctx)
	if err != nil {
		return err
	}
	kind, _ := domain.KindOf(domain.KindDailyReport)
	report := domain.DailyReport{Day: yesterday, Sections: sections}
	return a.Tx.WithinTx(ctx, func(ctx context.Context) error {
		for _, admin := range admins {
			if admin.Email == "" {
				continue
			}
			envelope := envelope{}
			if admin.ID == "" {
				envelope.To = []domain.Address{{Email: admin.Email}}
			} else if preferences, err := a.Store.Preferences(ctx, id.Of(admin.ID)); err != nil {
				return err
			} else if !preferences.Wants(kind, domain.ByMail) {
				continue
			}
			whom := admin.ID
			if whom == "" {
				whom = hashOf(admin.Email)
			}
			key := kind.Name + " " + yesterday.Format(time.DateOnly) + " " + whom
			letter := domain.Letter{ID: id.New(), Key: key, Kind: kind.Name, User: admin.ID}
			if err := a.postSealed(ctx, letter, envelope, report); err != nil {
				return err
			}
		}
		return nil
	})
}
