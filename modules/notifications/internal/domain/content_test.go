package domain_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
)

// full is one content of each template, with something in every field.
func full() []domain.Content {
	return []domain.Content{
		domain.Welcome{Name: "Ada"},
		domain.PasswordReset{Link: "https://example.com/r", Expires: later},
		domain.DataExportReady{Link: "https://example.com/e", Expires: later},
		domain.DailyReport{Day: birth, Sections: []domain.ReportSection{{Title: "Users", Figures: []domain.ReportFigure{{Name: "New", Value: "3"}}}}},
		domain.Contact{Name: "Ada", Email: "ada@example.com", Subject: "s", Message: "m", Received: birth},
		domain.ProjectDeleted{Name: "Apollo", Days: 30},
		domain.Note{Subject: "s", Text: "t"},
		domain.AccountSuspended{},
		domain.AccountReactivated{},
		domain.RoleChanged{Role: "admin"},
		domain.IdentityLinked{Issuer: "https://clerk.example.com"},
		domain.SubscriptionChanged{Plan: "pro", Status: "active"},
		domain.PaymentFailed{Amount: "20.00 USD", Next: later},
		domain.TrialEnding{Plan: "pro", Ends: later},
	}
}

func TestContentsComeBackAsTheyWere(t *testing.T) {
	contents := full()
	if len(contents) != len(domain.Contents()) {
		t.Fatalf("%d of %d contents are tested", len(contents), len(domain.Contents()))
	}
	for _, content := range contents {
		written, err := domain.WriteContent(content)
		if err != nil {
			t.Fatal(err)
		}
		read, err := domain.ReadContent(content.Template(), written)
		if err != nil || !reflect.DeepEqual(read, content) {
			t.Errorf("%s: %s comes back as %+v, %v", content.Template(), written, read, err)
		}
		if fields := reflect.TypeOf(content).NumField(); len(domain.Fields(content.Template())) != fields {
			t.Errorf("%s has %d fields and names %v", content.Template(), fields, domain.Fields(content.Template()))
		}
	}
}

func TestContentsAreReadStrictly(t *testing.T) {
	for name, test := range map[string]struct{ template, data, broken string }{
		"no template":         {"", `{}`, "template"},
		"unknown template":    {"farewell", `{}`, "template"},
		"no data":             {"welcome", ``, "data"},
		"not an object":       {"welcome", `["Ada"]`, "data"},
		"null":                {"welcome", `null`, "data"},
		"two objects":         {"welcome", `{"name": "Ada"} {}`, "data"},
		"a field missing":     {"password_reset", `{"link": "https://example.com"}`, "data.expires"},
		"a field null":        {"welcome", `{"name": null}`, "data.name"},
		"a field unknown":     {"welcome", `{"name": "Ada", "secret@example.com": 1}`, "data"},
		"a field capitalised": {"welcome", `{"Name": "Ada"}`, "data.name,data"},
		"a field twice over":  {"welcome", `{"name": "Ada", "NAME": "Eve"}`, "data"},
		"another type":        {"welcome", `{"name": 7}`, "data.name"},
		"not a time":          {"password_reset", `{"link": "l", "expires": "secret@example.com"}`, "data"},
		"deep inside unknown": {"daily_report", `{"day": "2026-01-02T00:00:00Z", "sections": [{"title": "t", "secret": 1}]}`, "data"},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := domain.ReadContent(test.template, []byte(test.data))
			if !errs.Is(err, errs.Invalid) || content != nil || strings.Join(errstest.Broken(err), ",") != test.broken {
				t.Errorf("got %v with %v, want %s broken", content, errstest.Broken(err), test.broken)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats what was sent: %v", err)
			}
		})
	}
}
