package templates

import (
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
)

// examples returns every content with something in each of its fields.
func examples() []domain.Content {
	at := time.Date(2030, time.January, 2, 15, 4, 0, 0, time.UTC)
	return []domain.Content{
		domain.Welcome{Name: "Ada Lovelace"},
		domain.PasswordReset{Link: "https://app.example.com/reset?token=dGhpcyBpcyBhIGxvbmcgdG9rZW4sIGFzIHRoZXkgYXJlIGluIHJlYWwgbGlmZQ&lang=en", Expires: at},
		domain.DataExportReady{Link: "https://app.example.com/exports/01a214e3-d424-7aee-8d82-a112b91ec602", Expires: at},
		domain.DailyReport{Day: at, Sections: []domain.ReportSection{
			{Title: "Users", Figures: []domain.ReportFigure{{Name: "New users", Value: "12"}, {Name: "Users in total", Value: "1,204"}}},
			{Title: "Projects", Figures: []domain.ReportFigure{{Name: "New projects", Value: "31"}}},
			{Title: "Billing", Figures: nil},
		}},
		domain.Contact{
			Name: "Grace Hopper", Email: "grace@example.org", Subject: "A question about teams", Received: at,
			Message: "Hello,\n\nwe are a team of five and would like to share projects among us. Is there a way to do that today, or is it something that you plan?\n\nThank you\nGrace",
		},
		domain.ProjectDeleted{Name: "Apollo", Days: 30},
		domain.Note{Subject: "Your invoice 2030-17 is ready", Text: "It was made a moment ago, and is due in two weeks. You find it among your invoices."},
		domain.AccountSuspended{},
		domain.AccountReactivated{},
		domain.RoleChanged{Role: "admin"},
		domain.IdentityLinked{Issuer: "https://clerk.example.com"},
		domain.SubscriptionChanged{Plan: "pro", Status: "active"},
		domain.PaymentFailed{Amount: "20.00 USD", Next: at},
		domain.TrialEnding{Plan: "pro", Ends: at},
	}
}
