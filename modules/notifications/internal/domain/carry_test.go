package domain_test

import (
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

func letter(change func(*domain.Mail)) domain.Mail {
	m := domain.Mail{
		Key: "key-1", Kind: "welcome", From: domain.Address{Email: "hello@example.com", Name: "Acme"},
		To: []domain.Address{{Email: "ada@example.org", Name: "Ada"}}, Subject: "Welcome", HTML: "<p>Hi</p>", Text: "Hi",
	}
	change(&m)
	return m
}

func TestCarryableRefusesWhatNobodyMayGet(t *testing.T) {
	for field, change := range map[string]func(*domain.Mail){
		"key":         func(m *domain.Mail) { m.Key = "two words" },
		"from":        func(m *domain.Mail) { m.From.Email = "Acme <hello@example.com>" },
		"reply_to":    func(m *domain.Mail) { m.ReplyTo = &domain.Address{Email: "canary@example.com\r\nBcc: x@example.com"} },
		"to":          func(m *domain.Mail) { m.To = nil },
		"to[0]":       func(m *domain.Mail) { m.To[0].Email = "canary@example.org,eve@example.org" },
		"subject":     func(m *domain.Mail) { m.Subject = "\r\n" },
		"text":        func(m *domain.Mail) { m.HTML, m.Text = "", "" },
		"unsubscribe": func(m *domain.Mail) { m.Unsubscribe = "https://example.com/>\r\nBcc: x@example.com" },
	} {
		t.Run(field, func(t *testing.T) {
			_, err := letter(change).Carryable()
			if !errs.Is(err, errs.Invalid) || strings.Contains(err.Error(), "canary") {
				t.Fatalf("%v", err)
			}
			if fields := errs.From(err).Details["errors"].([]errs.Field); len(fields) != 1 || fields[0].Name != field {
				t.Errorf("%+v", fields)
			}
		})
	}
	for name, change := range map[string]func(*domain.Mail){
		"no key":           func(m *domain.Mail) { m.Key = "" },
		"a long key":       func(m *domain.Mail) { m.Key = strings.Repeat("k", 257) },
		"too many":         func(m *domain.Mail) { m.To = make([]domain.Address, 51) },
		"a long address":   func(m *domain.Mail) { m.To[0].Email = strings.Repeat("a", 243) + "@example.org" },
		"a parted address": func(m *domain.Mail) { m.To[0].Email = "\"a\u2028b\"@example.org" },
		"a long subject":   func(m *domain.Mail) { m.Subject = strings.Repeat("s", 901) },
		"no address":       func(m *domain.Mail) { m.To[0].Email = "" },
		"a script's link":  func(m *domain.Mail) { m.Unsubscribe = "javascript:alert(1)" },
	} {
		if _, err := letter(change).Carryable(); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCarryableMakesOneLine(t *testing.T) {
	given := letter(func(m *domain.Mail) {
		m.Subject = "Hello\r\nBcc: eve@example.org\x00\u2028there \xff"
		m.To[0].Name = "Ada\nX: y"
		m.From.Name, m.ReplyTo = "A\tB", &domain.Address{Email: "r@example.com", Name: "R\rS"}
		m.Text = "bad \xff"
	})
	got, err := given.Carryable()
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != "Hello Bcc: eve@example.org there \uFFFD" || got.To[0].Name != "Ada X: y" || got.From.Name != "A B" ||
		got.ReplyTo.Name != "R S" || got.Text != "bad \uFFFD" {
		t.Errorf("%+v", got)
	}
	if given.To[0].Name != "Ada\nX: y" || given.ReplyTo.Name != "R\rS" {
		t.Errorf("the mail itself was changed: %+v", given)
	}
}

func TestCarryableGoesToAnAddressOnce(t *testing.T) {
	got, err := letter(func(m *domain.Mail) {
		m.To = append(m.To, domain.Address{Email: "bob@example.org"}, domain.Address{Email: "ADA@example.org"})
	}).Carryable()
	if err != nil || len(got.To) != 2 || got.To[0].Name != "Ada" || got.To[1].Email != "bob@example.org" {
		t.Errorf("%+v, %v", got.To, err)
	}
}

func TestMessageIDIsAnAtomAtTheSendersDomain(t *testing.T) {
	for key, want := range map[string]string{
		"01a214e3-d424-7aee-8d82-a112b91ec602": "01a214e3-d424-7aee-8d82-a112b91ec602@example.com",
		"welcome/..<x>@y:1":                    "welcome%2F%2E%2E%3Cx%3E%40y%3A1@example.com",
	} {
		if got := letter(func(m *domain.Mail) { m.Key = key }).MessageID(); got != want {
			t.Errorf("%s: %s", key, got)
		}
	}
}

func TestAddressText(t *testing.T) {
	for want, address := range map[string]domain.Address{
		"a@example.org":                     {Email: "a@example.org"},
		"Ada Lovelace <a@example.org>":      {Email: "a@example.org", Name: "Ada Lovelace"},
		"Jörg 😀 <a@example.org>":            {Email: "a@example.org", Name: "Jörg 😀"},
		`"Lovelace, Ada" <a@example.org>`:   {Email: "a@example.org", Name: "Lovelace, Ada"},
		`"Ada \"<x@y>\\\"" <a@example.org>`: {Email: "a@example.org", Name: `Ada "<x@y>\"`},
	} {
		if got := address.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
