// Package consumers drives the notifications context by what happens in other modules.
package consumers

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/events"
)

// All returns the consumers, handled by the use cases.
func All(notifications *app.App) []events.Consumer {
	notify := func(ctx context.Context, envelope events.Envelope, notice app.Notice) error {
		notice.Event = envelope.ID
		return notifications.Notify(ctx, notice)
	}
	return []events.Consumer{
		events.On(events.Consumer{Name: "notifications.welcome", Summary: "welcomes a new user"},
			func(ctx context.Context, event users.UserRegistered, envelope events.Envelope) error {
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindWelcome, Topic: domain.Welcome{}.Template(),
				})
			}),
		events.On(events.Consumer{Name: "notifications.account_suspended", Summary: "tells a user of the suspension"},
			func(ctx context.Context, event users.UserSuspended, envelope events.Envelope) error {
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindSecurity, Topic: domain.AccountSuspended{}.Template(),
				})
			}),
		events.On(events.Consumer{Name: "notifications.account_reactivated", Summary: "tells a user that the suspension is over"},
			func(ctx context.Context, event users.UserReactivated, envelope events.Envelope) error {
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindSecurity, Topic: domain.AccountReactivated{}.Template(),
				})
			}),
		events.On(events.Consumer{Name: "notifications.role_changed", Summary: "tells a user of the new role"},
			func(ctx context.Context, event users.UserRoleChanged, envelope events.Envelope) error {
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindSecurity, Topic: domain.RoleChanged{}.Template(),
					Data: domain.Data{"role": event.Role},
				})
			}),
		events.On(events.Consumer{Name: "notifications.identity_linked", Summary: "tells a user of another way into the account"},
			func(ctx context.Context, event users.UserIdentityLinked, envelope events.Envelope) error {
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindSecurity, Topic: domain.IdentityLinked{}.Template(),
					Data: domain.Data{"issuer": event.Issuer},
				})
			}),
		events.On(events.Consumer{Name: "notifications.export_ready", Summary: "tells a user where the archive with all data is"},
			func(ctx context.Context, event users.ExportReady, envelope events.Envelope) error {
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindDataExport, Topic: domain.DataExportReady{}.Template(),
					Data: domain.Data{"export_id": event.ExportID, "expires": event.ExpiresAt.Format(time.RFC3339)},
				})
			}),
		events.On(events.Consumer{Name: "notifications.project_deleted", Summary: "tells the owner that a project is gone"},
			func(ctx context.Context, event projects.ProjectDeleted, envelope events.Envelope) error {
				return notify(ctx, envelope, app.Notice{
					User: event.OwnerID, Kind: domain.KindProjectDeleted, Topic: domain.ProjectDeleted{}.Template(),
					Data: domain.Data{"project_id": event.ProjectID},
				})
			}),
		events.On(events.Consumer{Name: "notifications.subscription_changed", Summary: "tells a user of another plan, or of its end"},
			func(ctx context.Context, event billing.SubscriptionChanged, envelope events.Envelope) error {
				if !event.Notable || event.Status == "past_due" { // of a payment that is late another mail tells
					return nil
				}
				plan := event.Plan
				if plan == billing.Free { // nobody subscribes to that
					plan = ""
				}
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindSubscription, Topic: domain.SubscriptionChanged{}.Template(),
					Data: domain.Data{"plan": plan, "status": event.Status},
				})
			}),
		events.On(events.Consumer{Name: "notifications.payment_failed", Summary: "tells a user that a payment failed"},
			func(ctx context.Context, event billing.PaymentFailed, envelope events.Envelope) error {
				var next time.Time
				if event.NextAttemptAt != nil {
					next = *event.NextAttemptAt
				}
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindPayment, Topic: domain.PaymentFailed{}.Template(),
					Data: domain.Data{"amount": billing.Money(event.Amount, event.Currency), "next": next.Format(time.RFC3339)},
				})
			}),
		events.On(events.Consumer{Name: "notifications.trial_ending", Summary: "tells a user that a trial ends"},
			func(ctx context.Context, event billing.TrialEnding, envelope events.Envelope) error {
				return notify(ctx, envelope, app.Notice{
					User: event.UserID, Kind: domain.KindPayment, Topic: domain.TrialEnding{}.Template(),
					Data: domain.Data{"plan": event.Plan, "ends": event.TrialEnd.Format(time.RFC3339)},
				})
			}),
	}
}
