// Package notificationstest holds the fakes of the notifications contract, for other modules' tests.
package notificationstest

import (
	"context"
	"encoding/json"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omnistack/omnistack/modules/notifications"
	"github.com/omnistack/omnistack/platform/errs"
)

// Mail is a notifications.Mail that keeps what it is told to send. It is safe for concurrent use.
type Mail struct {
	// Now tells the time by which links expire; nil for the machine's.
	Now func() time.Time

	mu   sync.Mutex
	keys []string
	sent map[string]any
}

var _ notifications.Mail = (*Mail)(nil)

// Sent returns what was sent, in the order in which it came: values of Message, RawMessage and PasswordReset.
func (m *Mail) Sent() []any {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []any
	for _, key := range m.keys {
		all = append(all, m.sent[key])
	}
	return all
}

// Send keeps the message.
func (m *Mail) Send(_ context.Context, key string, message notifications.Message) error {
	fields, known := notifications.Templates()[message.Template]
	if !known {
		return invalid("template")
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(message.Data, &data); err != nil || len(data) != len(fields) {
		return invalid("data")
	}
	for _, name := range fields {
		if value, found := data[name]; !found || string(value) == "null" {
			return invalid("data." + name)
		}
	}
	return m.keep(key, message, append(message.To, from(message.From)...), len(message.To))
}

// SendRaw keeps the message.
func (m *Mail) SendRaw(_ context.Context, key string, message notifications.RawMessage) error {
	switch {
	case message.Subject == "" || strings.ContainsAny(message.Subject, "\r\n"):
		return invalid("subject")
	case message.HTML == "" && message.Text == "":
		return invalid("text")
	}
	return m.keep(key, message, append(message.To, from(message.From)...), len(message.To))
}

// SendPasswordReset keeps the message.
func (m *Mail) SendPasswordReset(_ context.Context, key string, reset notifications.PasswordReset) error {
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	link, err := url.Parse(reset.Link)
	switch {
	case err != nil || link.Host == "" || link.Scheme != "http" && link.Scheme != "https":
		return invalid("link")
	case !reset.Expires.After(now()):
		return invalid("expires")
	}
	return m.keep(key, reset, []notifications.Address{reset.To}, 1)
}

func from(address *notifications.Address) []notifications.Address {
	if address == nil {
		return nil
	}
	return []notifications.Address{*address}
}

// keep keeps the message unless there is one of the key.
func (m *Mail) keep(key string, message any, addresses []notifications.Address, recipients int) error {
	if key == "" || len(key) > 200 {
		return invalid("key")
	}
	if recipients < 1 || recipients > 50 {
		return invalid("to")
	}
	for _, address := range addresses {
		parsed, err := mail.ParseAddress(address.Email)
		if err != nil || parsed.Address != address.Email || strings.ContainsAny(address.Name, "\r\n") {
			return invalid("to")
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.keys, key) {
		return nil
	}
	if m.sent == nil {
		m.sent = map[string]any{}
	}
	m.keys = append(m.keys, key)
	m.sent[key] = message
	return nil
}

func invalid(field string) error {
	return errs.InvalidFields(errs.Field{Name: field, Message: "is not valid"})
}
