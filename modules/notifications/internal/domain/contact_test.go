package domain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs/errstest"
)

func TestContactMessagesKeepTheRules(t *testing.T) {
	for name, test := range map[string]struct {
		name, email, subject, message string
		broken                        []string
	}{
		"plain":             {"Ada", "ada@example.com", "Hello", "How are you?", nil},
		"no subject":        {"Ada", "ada@example.com", "", "How are you?\nAda", nil},
		"the longest":       {strings.Repeat("é", 100), "ada@example.com", strings.Repeat("é", 200), strings.Repeat("é", 5000), nil},
		"too long":          {strings.Repeat("é", 101), "ada@example.com", strings.Repeat("é", 201), strings.Repeat("é", 5001), []string{"name", "subject", "message"}},
		"nothing":           {"", "", "", "", []string{"name", "email", "message"}},
		"blank":             {" \u200b", "ada@example.com", " ", "\n\t ", []string{"name", "message"}},
		"a header injected": {"Ada\r\nBcc: eve@example.com", "ada@example.com", "Hi\nBcc: eve@example.com", "x", []string{"name", "subject"}},
		"a line separator":  {"Ada\u2028", "ada@example.com", "Hi\u2029", "x", []string{"name", "subject"}},
		"a named address":   {"Ada", "Ada <ada@example.com>", "", "x", []string{"email"}},
		"two addresses":     {"Ada", "ada@example.com, eve@example.com", "", "x", []string{"email"}},
		"no host":           {"Ada", "ada@localhost", "", "x", []string{"email"}},
		"an address broken": {"Ada", "ada@exam\nple.com", "", "x", []string{"email"}},
		"a long address":    {"Ada", strings.Repeat("a", 250) + "@example.com", "", "x", []string{"email"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := domain.NewContactMessage("m1", test.name, test.email, test.subject, test.message, birth)
			if broken := errstest.Broken(err); !slices.Equal(broken, test.broken) {
				t.Fatalf("broken fields %v, want %v", broken, test.broken)
			}
			want := domain.Contact{Name: test.name, Email: test.email, Subject: test.subject, Message: test.message, Received: birth}
			if err == nil && (got.ID != "m1" || got.Contact != want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
