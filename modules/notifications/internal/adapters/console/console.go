// Package console shows mail instead of sending it, while one develops: it prints a short form of each, and keeps the last
// ones to be looked at in a browser at /dev/mail. There is no vendor and nothing leaves the machine.
package console

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

// kept is how many mails are kept.
const kept = 50

// Mailer shows mail. It is safe for concurrent use.
type Mailer struct {
	out   io.Writer
	pages string // where the pages are
	clock clock.Clock

	mu    sync.Mutex
	count int
	mails []shown // the last ones, the oldest first
}

// shown is a mail that was "sent".
type shown struct {
	Number int
	At     time.Time
	domain.Mail
}

// New returns a mailer that prints to out. The base is the product's URL, such as http://localhost:8000, where the pages of
// Register are; without one it prints no address of them.
func New(out io.Writer, base string, clock clock.Clock) *Mailer {
	m := &Mailer{out: out, clock: clock}
	if base != "" {
		m.pages = strings.TrimSuffix(base, "/") + list
	}
	return m
}

// Remembers returns 0: keys are known until the process ends, or there were many more mails.
func (*Mailer) Remembers() time.Duration { return 0 }

// Send shows a mail and returns its number. One with the key of a mail that is still kept isn't shown again.
func (m *Mailer) Send(ctx context.Context, mail domain.Mail) (receipt string, err error) {
	mail, err = mail.Carryable()
	if err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", errs.New(errs.Unavailable, "The sending was interrupted").Because(ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, earlier := range m.mails {
		if earlier.Key == mail.Key {
			return strconv.Itoa(earlier.Number), nil
		}
	}
	m.count++
	one := shown{Number: m.count, At: m.clock.Now(), Mail: mail}
	m.mails = append(m.mails, one)
	m.mails = m.mails[max(0, len(m.mails)-kept):]
	_, _ = io.WriteString(m.out, m.print(one)) // a terminal that is gone takes no complaint either
	return strconv.Itoa(one.Number), nil
}

// print returns the short form of a mail.
func (m *Mailer) print(one shown) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n--- Mail %d %s\n", one.Number, strings.Repeat("-", 60))
	for _, line := range one.Head() {
		fmt.Fprintf(&out, "%-12s %s\n", line.Name+":", line.Value)
	}
	text := one.Text
	if text == "" {
		text = "(HTML only)"
	}
	fmt.Fprintf(&out, "\n%s\n", strings.TrimSpace(printable(text)))
	if m.pages != "" {
		fmt.Fprintf(&out, "\nOpen it:     %s/%d\n", m.pages, one.Number)
	}
	fmt.Fprintf(&out, "%s\n", strings.Repeat("-", 72))
	return out.String()
}

// line is one of what stands at the head of a mail.
type line struct{ Name, Value string }

// Head returns what stands at the head of the mail.
func (s shown) Head() []line {
	lines := []line{{"From", s.From.String()}, {"To", s.Recipients()}}
	if s.ReplyTo != nil {
		lines = append(lines, line{"Reply-To", s.ReplyTo.String()})
	}
	lines = append(lines, line{"Subject", s.Subject})
	if s.Unsubscribe != "" {
		lines = append(lines, line{"Unsubscribe", s.Unsubscribe})
	}
	return lines
}

// Recipients returns to whom the mail goes.
func (s shown) Recipients() string {
	var all []string
	for _, to := range s.To {
		all = append(all, to.String())
	}
	return strings.Join(all, ", ")
}

// printable returns the text without what could move a terminal's cursor or change its colours.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

// all returns the kept mails, the newest first.
func (m *Mailer) all() []shown {
	m.mu.Lock()
	defer m.mu.Unlock()
	mails := make([]shown, 0, len(m.mails))
	for _, one := range slices.Backward(m.mails) {
		mails = append(mails, one)
	}
	return mails
}

// find returns the mail of the number, errs.NotFound when it isn't kept any more.
func (m *Mailer) find(number int) (shown, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.mails {
		if one.Number == number {
			return one, nil
		}
	}
	return shown{}, errs.Missing("Mail", strconv.Itoa(number))
}
