// Package smtp carries mail to a mail server (RFC 5321; submission as in RFC 6409).
//
// github.com/wneessen/go-mail writes the message and speaks the commands: it is maintained, MIT, needs nothing that we don't
// have, and knows the logins that net/smtp, which is frozen, doesn't. The order of the commands is ours, because what one
// recipient is refused for must not be taken for the fate of all.
//
// SMTP knows no idempotency: when the answer to the end of a message is lost, the next attempt sends it again. Both copies have
// one Message-ID then, by which most mailboxes show them once. So that answer is waited for longer than others: RFC 5321,
// section 4.5.3.2.6, asks for ten minutes, as a server may deliver or examine the message before it answers. Four minutes are
// what fits into a job.
package smtp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/errs"
)

// The ways a connection is protected: the values of SMTP_TLS.
const (
	StartTLS = "starttls" // TLS after the greeting, or no mail at all
	TLS      = "tls"      // TLS from the start
	Plain    = "none"
)

// Options say how to reach the mail server.
type Options struct {
	Host     string
	Port     int
	Username string // empty for no login
	Password config.Secret
	TLS      string         // StartTLS when empty
	Roots    *x509.CertPool // who may have signed the server's certificate; the system's when nil

	DialTimeout   time.Duration // 10 s when 0
	Timeout       time.Duration // of all that comes before the end of the message, without connecting; 20 s when 0
	AnswerTimeout time.Duration // of the answer to the end of the message; 4 min when 0
}

// Mailer carries mail to a mail server, each by a connection of its own. It is safe for concurrent use.
type Mailer struct {
	options Options
	clock   clock.Clock
}

// New returns a mailer.
func New(options Options, clock clock.Clock) *Mailer {
	options.TLS = cmp.Or(options.TLS, StartTLS)
	options.DialTimeout = cmp.Or(options.DialTimeout, 10*time.Second)
	options.Timeout = cmp.Or(options.Timeout, 20*time.Second)
	options.AnswerTimeout = cmp.Or(options.AnswerTimeout, 4*time.Minute)
	return &Mailer{options: options, clock: clock}
}

// Remembers returns 0: SMTP knows no keys.
func (*Mailer) Remembers() time.Duration { return 0 }

// Send hands a mail over and returns its Message-ID. See app.Mailer for its errors. What the server refuses for good, a
// recipient or the message, is errs.Invalid. It is that too when only some recipients are refused: the others have got the
// mail then, and a next attempt would be their second. What isn't the mail's fault, such as a refused login or sender or a
// spent quota, is transient.
func (m *Mailer) Send(ctx context.Context, mail domain.Mail) (receipt string, err error) {
	mail, err = mail.Carryable()
	if err != nil {
		return "", err
	}
	dialer := net.Dialer{Timeout: m.options.DialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(m.options.Host, strconv.Itoa(m.options.Port)))
	if err != nil {
		return "", m.failed(ctx, step{name: "connect"}, err)
	}
	defer func() { _ = conn.Close() }() // what matters has been said
	session := &session{Mailer: m, ctx: ctx, mail: mail, wire: conn, conn: &bounded{Conn: conn, left: maxAnswers}}
	// Whatever waits for the server is woken when the caller's time is over or the caller has gone.
	defer context.AfterFunc(ctx, session.wake)()
	session.allow(m.options.Timeout)
	refused, err := session.run()
	switch {
	case err != nil:
		return "", m.failed(ctx, session.at, err)
	case len(refused) > 0:
		return "", m.error(errs.Invalid, "The mail server refuses a recipient").
			Because(fmt.Errorf("%d of %d recipients are refused: %s", len(refused), len(mail.To), strings.Join(refused, ", ")))
	}
	return mail.MessageID(), nil
}

// step is where in the conversation something happens.
type step struct {
	name      string
	recipient bool // what is refused here is a recipient
	message   bool // what is refused here is the message
	over      bool // the whole message is out
}

// session is one conversation with the server.
type session struct {
	*Mailer
	ctx    context.Context //nolint:containedctx // it lives as long as the call that it belongs to
	mail   domain.Mail
	wire   net.Conn // the connection itself, below conn
	conn   net.Conn
	client *smtp.Client
	at     step
}

// wake ends what waits for the server.
func (s *session) wake() { _ = s.wire.SetDeadline(time.Unix(1, 0)) }

// allow bounds what follows.
func (s *session) allow(timeout time.Duration) {
	_ = s.wire.SetDeadline(time.Now().Add(timeout))
	if s.ctx.Err() != nil { // which may have come just before
		s.wake()
	}
}

// run plays the conversation. It returns how the recipients were refused that were, while the others got the mail.
func (s *session) run() (refused []string, err error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	if s.options.Username != "" {
		s.at = step{name: "login"}
		if err := s.login(); err != nil {
			return nil, err
		}
	}
	s.at = step{name: "sender"}
	known, _ := s.client.Extension("SMTPUTF8")
	if s.mail.ReplyTo != nil && !ascii(s.mail.ReplyTo.Email) && !known {
		s.mail.ReplyTo = nil // better than no mail: who writes into the contact form is named in the text too
	}
	unicode := slices.ContainsFunc(addresses(s.mail), func(a domain.Address) bool { return !ascii(a.Email) })
	if unicode && !known {
		return nil, errs.New(errs.Invalid, "The mail server takes no address that isn't ASCII")
	}
	message, err := compose(s.mail, s.clock.Now())
	if err != nil {
		return nil, err
	}
	// Asked for without need, SMTPUTF8 makes servers refuse a mail that a next one couldn't take.
	s.client.SkipSMTPUTF8(!unicode)
	if err := s.client.Mail("<" + s.mail.From.Email + ">"); err != nil {
		return nil, err
	}
	s.at = step{name: "recipient", recipient: true}
	for _, to := range s.mail.To {
		if err := s.client.Rcpt("<" + to.Email + ">"); err != nil {
			if answer, ok := errors.AsType[*textproto.Error](err); !ok || !s.at.final(answer) {
				return nil, err // nobody has got the mail yet
			}
			refused = append(refused, describe(err))
		}
	}
	if len(refused) == len(s.mail.To) {
		return refused, nil
	}
	s.at = step{name: "message", message: true}
	return refused, s.hand(message)
}

// open greets the server and protects the connection.
func (s *session) open() (err error) {
	s.at = step{name: "greeting"}
	protection := &tls.Config{ServerName: s.options.Host, RootCAs: s.options.Roots, MinVersion: tls.VersionTLS12}
	if s.options.TLS == TLS {
		s.conn = tls.Client(s.conn, protection)
	}
	if s.client, err = smtp.NewClient(s.conn, s.options.Host); err != nil {
		return err
	}
	domain := s.mail.From.Email[strings.LastIndexByte(s.mail.From.Email, '@')+1:]
	if !ascii(domain) {
		domain = "localhost"
	}
	if err := s.client.Hello(domain); err != nil {
		return err
	}
	if s.options.TLS != StartTLS {
		return nil
	}
	s.at = step{name: "STARTTLS"}
	if offered, _ := s.client.Extension("STARTTLS"); !offered {
		return errNoTLS
	}
	return s.client.StartTLS(protection)
}

var (
	errNoTLS   = errors.New("the mail server offers no STARTTLS")
	errNoLogin = errors.New("the mail server offers no login that we know: SCRAM-SHA-256, PLAIN or LOGIN")
)

// login logs in by the best way that the server offers.
func (s *session) login() error {
	_, offered := s.client.Extension("AUTH")
	user, password, open := s.options.Username, s.options.Password.Reveal(), s.options.TLS == Plain
	for _, way := range []struct {
		name string
		auth smtp.Auth
	}{
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(user, password)},
		{"PLAIN", smtp.PlainAuth("", user, password, s.options.Host, open)},
		{"LOGIN", smtp.LoginAuth(user, password, s.options.Host, open)},
	} {
		if slices.Contains(strings.Fields(strings.ToUpper(offered)), way.name) {
			return s.client.Auth(way.auth)
		}
	}
	return errNoLogin
}

// hand sends the message. When the server has taken it nothing that follows matters.
func (s *session) hand(message []byte) error {
	writer, err := s.client.Data()
	if err != nil {
		return err
	}
	if _, err := io.Copy(writer, bytes.NewReader(message)); err != nil {
		return err
	}
	s.at.over = true
	s.allow(s.options.AnswerTimeout)
	if err := writer.Close(); err != nil {
		return err
	}
	s.allow(time.Second)
	_ = s.client.Quit()
	return nil
}

// failed returns the error for what went wrong at a step. It holds the server's codes, never its texts, which may repeat
// addresses.
func (m *Mailer) failed(ctx context.Context, at step, err error) error {
	cause := fmt.Errorf("%s: %s", at.name, describe(err))
	answer, answered := errors.AsType[*textproto.Error](err)
	timer, isNet := errors.AsType[net.Error](err)
	if at.over && !answered {
		cause = fmt.Errorf("%w: %w", errs.ErrUnanswered, cause)
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return m.error(errs.Unavailable, "The sending was interrupted").Because(cause)
	case ctx.Err() != nil, isNet && timer.Timeout():
		return m.error(errs.Timeout, "The mail server took too long").Because(cause)
	case errs.Is(err, errs.Invalid):
		return err
	case answered && at.final(answer):
		return m.error(errs.Invalid, "The mail server refuses the mail").Because(cause)
	case answered && answer.Code == 421, isNet:
		return m.error(errs.Unavailable, "The mail server can't be reached").Because(cause)
	case at.name == "login":
		return m.error(errs.External, "The mail server doesn't let us in: check its login").Because(cause)
	}
	return m.error(errs.External, "The mail server failed").Because(cause)
}

func (m *Mailer) error(kind errs.Kind, message string) *errs.Error {
	return errs.New(kind, message).With("service", "smtp")
}

// enhanced is the code that an answer's text may begin with, RFC 3463.
var enhanced = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// hopeless are the enhanced codes that say something of the mail itself: its recipient isn't there, has moved without saying
// where or takes no mail, or it is too big or can't be converted.
var hopeless = regexp.MustCompile(`^5\.(1\.[1236]|2\.1|3\.4|6\.\d{1,3})$`)

// final tells whether an answer is the last word on the mail. Most refusals aren't, as they are about the one who sends: a
// spent quota, a blocked address, a relay that is forbidden. Without an enhanced code only the answers count that are for
// mailboxes, RFC 5321, section 4.2.3.
func (s step) final(answer *textproto.Error) bool {
	if !s.recipient && !s.message || answer.Code < 500 || answer.Code > 599 {
		return false
	}
	if code := enhanced.FindString(answer.Msg); code != "" {
		return hopeless.MatchString(code)
	}
	return s.recipient && (answer.Code == 550 || answer.Code == 551 || answer.Code == 553)
}

// describe returns what may be told of an error: codes, and texts that aren't the server's.
func describe(err error) string {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return strings.TrimSpace(fmt.Sprintf("%d %s", answer.Code, enhanced.FindString(answer.Msg)))
	}
	certificate, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, isNet := errors.AsType[*net.OpError](err)
	switch {
	case isCertificate:
		return certificate.Error()
	case isNet, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errNoTLS), errors.Is(err, errNoLogin),
		errors.Is(err, errTooMuch):
		return err.Error()
	}
	return "the server doesn't keep to the protocol"
}

// addresses returns all the addresses that the mail names.
func addresses(mail domain.Mail) []domain.Address {
	all := append([]domain.Address{mail.From}, mail.To...)
	if mail.ReplyTo != nil {
		all = append(all, *mail.ReplyTo)
	}
	return all
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}

// maxAnswers is how many bytes a server may say in one conversation. The library reads lines of any length.
const maxAnswers = 256 << 10

var errTooMuch = errors.New("the server says too much")

// bounded is a connection that ends when the server has said too much.
type bounded struct {
	net.Conn

	left int
}

// Read reads no more than is left.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
