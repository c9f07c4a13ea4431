package smtp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/smtp"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit"
)

// script is what a server answers to lines that begin so, instead of what a good one would.
type script map[string]string

// The lines that are none of the client's.
const (
	greeting = "greeting"
	message  = "message" // the end of the message
	hang     = "hang"    // as an answer: none
	leave    = "leave"   // as an answer: the connection is closed
	late     = "late"    // as an answer: the usual one, after longer than a short timeout
)

// server is a mail server that follows a script.
type server struct {
	port   int
	script script

	mu       sync.Mutex
	lines    []string // what it was told
	messages []string
	reached  chan struct{} // closed when it begins to hang
}

func play(t *testing.T, script script) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{port: listener.Addr().(*net.TCPAddr).Port, script: script, reached: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return s
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(event, usual string) (goOn bool) {
		answer := usual
		for begin, other := range s.script {
			if strings.HasPrefix(event, begin) {
				answer = other
			}
		}
		switch answer {
		case leave:
			return false
		case late:
			answer = usual
			<-time.After(1200 * time.Millisecond)
		case hang:
			close(s.reached)
			_, _ = in.ReadString('\x00') // until the client leaves
			return false
		}
		_, err := fmt.Fprintf(conn, "%s\r\n", answer)
		return err == nil
	}
	if !say(greeting, "220 here") {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		s.note(&s.lines, line)
		verb, _, _ := strings.Cut(line, " ")
		usual := map[string]string{"EHLO": "250-here\r\n250 8BITMIME", "DATA": "354 go on", "QUIT": "221 bye"}[verb]
		if usual == "" {
			usual = "250 2.0.0 fine"
		}
		if !say(line, usual) || verb == "QUIT" {
			return
		}
		if verb == "DATA" && s.script["DATA"] == "" {
			var text strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			s.note(&s.messages, text.String())
			if !say(message, "250 2.0.0 taken") {
				return
			}
		}
	}
}

func (s *server) note(list *[]string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, text)
}

func (s *server) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

func (s *server) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

func (s *server) mailer(change ...func(*smtp.Options)) *smtp.Mailer {
	options := smtp.Options{Host: "127.0.0.1", Port: s.port, TLS: smtp.Plain}
	for _, one := range change {
		one(&options)
	}
	return smtp.New(options, clock.NewManual(now))
}

func TestRefusalsAreToldApart(t *testing.T) {
	const gossip = " canary@example.org: mailbox of canary"
	for name, test := range map[string]struct {
		script script
		kind   errs.Kind
		says   string
	}{
		"greeted with 554":         {script{greeting: "554 5.7.1" + gossip}, errs.External, "greeting: 554 5.7.1"},
		"greeted with 421":         {script{greeting: "421 4.3.2" + gossip}, errs.Unavailable, "greeting: 421 4.3.2"},
		"greeted with garbage":     {script{greeting: "canary\x00\xff"}, errs.External, "the protocol"},
		"greeted by nobody":        {script{greeting: leave}, errs.External, "EOF"},
		"an endless greeting":      {script{greeting: "220 " + strings.Repeat("canary ", 1<<17)}, errs.External, "says too much"},
		"an endless list":          {script{greeting: strings.Repeat("220-canary\r\n", 1<<16)}, errs.External, "says too much"},
		"EHLO and HELO refused":    {script{"EHLO": "502" + gossip, "HELO": "502" + gossip}, errs.External, "greeting: 502"},
		"the sender refused":       {script{"MAIL": "553 5.7.1" + gossip}, errs.External, "sender: 553 5.7.1"},
		"the sender put off":       {script{"MAIL": "450 4.7.0" + gossip}, errs.External, "sender: 450 4.7.0"},
		"the recipient refused":    {script{"RCPT": "550 5.1.1" + gossip}, errs.Invalid, "550 5.1.1"},
		"the recipient put off":    {script{"RCPT": "451 4.7.1" + gossip}, errs.External, "recipient: 451 4.7.1"},
		"a login asked for":        {script{"RCPT": "530 5.7.0" + gossip}, errs.External, "recipient: 530 5.7.0"},
		"the server leaves":        {script{"RCPT": leave}, errs.External, "EOF"},
		"the message not wanted":   {script{"DATA": "554 5.6.0" + gossip}, errs.Invalid, "message: 554 5.6.0"},
		"the message put off":      {script{"DATA": "452 4.3.1" + gossip}, errs.External, "message: 452 4.3.1"},
		"the message too big":      {script{message: "552 5.3.4" + gossip}, errs.Invalid, "message: 552 5.3.4"},
		"the message refused late": {script{message: "451 4.3.0" + gossip}, errs.External, "message: 451 4.3.0"},
		"no code":                  {script{"RCPT": "canary"}, errs.External, "the protocol"},
		"left with the message":    {script{message: leave}, errs.External, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := play(t, test.script).mailer().Send(t.Context(), letter())
			if !errs.Is(err, test.kind) {
				t.Fatalf("the error is %v, want %s", err, test.kind.Code())
			}
			wantText(t, err, test.says)
		})
	}
}

// What isn't the mail's fault is tried again: the quota is there tomorrow, and the block is lifted.
func TestOnlyWhatIsTheMailsFaultIsFinal(t *testing.T) {
	const anywhere, nowhere, recipients = "RCPT DATA message", "", "RCPT"
	for answer, final := range map[string]string{
		"550 5.1.1 no such user": anywhere, "553 5.1.2 no such host": anywhere, "501 5.1.3 bad address": anywhere,
		"551 5.1.6 has moved": anywhere, "550 5.2.1 takes no mail": anywhere, "552 5.3.4 too big": anywhere, "554 5.6.0 not readable": anywhere,
		"550 5.6.7 not convertible": anywhere, "550-5.1.1 no such user\r\n550 5.1.1 at all": anywhere,
		"550 5.4.5 daily limit exceeded": nowhere, "550 5.7.1 relaying denied": nowhere, "554 5.7.1 client host blocked": nowhere,
		"535 5.7.8 who are you": nowhere, "530 5.7.0 log in first": nowhere, "552 5.2.2 mailbox full": nowhere, "550 5.1.10 null MX": nowhere,
		"550 5.1.8 bad sender": nowhere, "550 5.2.10 x": nowhere, "450 5.1.1 contradicts itself": nowhere, "450 4.1.1 not now": nowhere,
		"554 no enhanced code": nowhere, "552 no enhanced code": nowhere, "503 no enhanced code": nowhere,
		"550 no such user": recipients, "551 not local": recipients, "553 not allowed": recipients,
	} {
		for _, step := range []string{"RCPT", "DATA", message} {
			t.Run(step+" "+answer, func(t *testing.T) {
				t.Parallel()
				_, err := play(t, script{step: answer}).mailer().Send(t.Context(), letter())
				want := errs.External
				if strings.Contains(final, step) {
					want = errs.Invalid
				}
				if !errs.Is(err, want) || errors.Is(err, errs.ErrUnanswered) {
					t.Errorf("%v, want %s", err, want.Code())
				}
			})
		}
	}
}

// Only when the whole message is out nobody knows what became of it.
func TestNobodyKnowsOnlyAfterTheWholeMessage(t *testing.T) {
	short := func(o *smtp.Options) { o.Timeout, o.AnswerTimeout = 50*time.Millisecond, 50*time.Millisecond }
	for _, where := range []string{greeting, "EHLO", "MAIL", "RCPT", "DATA", message} {
		for _, how := range []string{hang, leave, "canary"} {
			if where == "EHLO" && how == "canary" {
				continue // it is greeted another way then
			}
			_, err := play(t, script{where: how}).mailer(short).Send(t.Context(), letter())
			if errors.Is(err, errs.ErrUnanswered) != (where == message) || !errs.From(err).Kind.Retryable() {
				t.Errorf("%s: %s: %v", where, how, err)
			}
		}
	}
}

// A server that examines the message takes its time: it has the message already, and a second one would be a copy.
func TestTheLastAnswerIsWaitedForLonger(t *testing.T) {
	t.Parallel()
	s := play(t, script{message: late})
	_, err := s.mailer(func(o *smtp.Options) { o.Timeout = time.Second }).Send(t.Context(), letter())
	if err != nil || s.taken() != 1 {
		t.Errorf("%v, %d messages", err, s.taken())
	}
}

// One bad address among several doesn't keep the mail from the others, and is told.
func TestRecipientsAreRefusedOneByOne(t *testing.T) {
	mail := letter()
	mail.To = append(mail.To, domain.Address{Email: "bob@example.org"})

	s := play(t, script{"RCPT TO:<canary": "550 5.1.1 canary@example.org is unknown"})
	_, err := s.mailer().Send(t.Context(), mail)
	if !errs.Is(err, errs.Invalid) {
		t.Fatalf("%v", err)
	}
	wantText(t, err, "1 of 2 recipients are refused: 550 5.1.1")
	if s.taken() != 1 {
		t.Errorf("%d messages were taken, want 1", s.taken())
	}

	// Who is put off is asked again, and until then nobody gets the mail: the others would get it twice.
	s = play(t, script{"RCPT TO:<bob": "451 4.7.1 canary"})
	_, err = s.mailer().Send(t.Context(), mail)
	wantTransient(t, err, errs.External, "451 4.7.1")
	if s.taken() != 0 || strings.Contains(s.told(), "DATA") {
		t.Errorf("a message was handed over: %s", s.told())
	}
}

// What happens after the message was taken doesn't matter any more.
func TestATakenMessageIsSent(t *testing.T) {
	for name, script := range map[string]script{"refuses": {"QUIT": "500 canary"}, "leaves": {"QUIT": leave}, "hangs": {"QUIT": hang}} {
		s := play(t, script)
		if _, err := s.mailer().Send(t.Context(), letter()); err != nil || s.taken() != 1 {
			t.Errorf("the server %s: %v, %d messages", name, err, s.taken())
		}
	}
}

func TestStartTLSNeverFallsBack(t *testing.T) {
	for name, script := range map[string]script{
		"not offered": {},
		"refused":     {"EHLO": "250-here\r\n250 STARTTLS", "STARTTLS": "454 4.7.0 canary"},
		"not meant":   {"EHLO": "250-here\r\n250 STARTTLS", "STARTTLS": "220 go on\r\n250 here\r\n250 fine"},
	} {
		s := play(t, script)
		_, err := s.mailer(func(o *smtp.Options) {
			o.TLS, o.Username, o.Password = smtp.StartTLS, "canary-user", "canary-password"
		}).Send(t.Context(), letter())
		wantTransient(t, err, errs.External, "STARTTLS: ")
		if told := s.told(); strings.Contains(told, "AUTH") || strings.Contains(told, "MAIL") || strings.Contains(told, "canary") {
			t.Errorf("%s: the server was told %s", name, told)
		}
	}
}

func TestLogins(t *testing.T) {
	login := func(o *smtp.Options) { o.Username, o.Password = "canary-user", "canary-password" }
	for offered, want := range map[string]string{
		"250 AUTH PLAIN LOGIN": "AUTH PLAIN ",
		"250 AUTH LOGIN":       "AUTH LOGIN",
	} {
		s := play(t, script{"EHLO": "250-here\r\n" + offered, "AUTH": "535 5.7.8 canary"})
		_, err := s.mailer(login).Send(t.Context(), letter())
		wantTransient(t, err, errs.External, "login: 535 5.7.8")
		if told := s.told(); !strings.Contains(told, want) || strings.Contains(told, "MAIL") {
			t.Errorf("%s: the server was told %s", offered, told)
		}
	}
	_, err := play(t, script{"EHLO": "250-here\r\n250 AUTH XOAUTH2"}).mailer(login).Send(t.Context(), letter())
	wantTransient(t, err, errs.External, "no login that we know")
	_, err = play(t, nil).mailer(login).Send(t.Context(), letter())
	wantTransient(t, err, errs.External, "no login that we know")
}

func TestUnicodeAddressesNeedAServerThatKnowsThem(t *testing.T) {
	mail := letter()
	mail.To[0].Email = "jörg@example.org"
	_, err := play(t, nil).mailer().Send(t.Context(), mail)
	if !errs.Is(err, errs.Invalid) || strings.Contains(err.Error(), "@") {
		t.Errorf("%v", err)
	}
	s := play(t, script{"EHLO": "250-here\r\n250-8BITMIME\r\n250 SMTPUTF8"})
	if _, err := s.mailer().Send(t.Context(), mail); err != nil || !strings.Contains(s.told(), "SMTPUTF8") {
		t.Errorf("%v: %s", err, s.told())
	}
	s = play(t, script{"EHLO": "250-here\r\n250-8BITMIME\r\n250 SMTPUTF8"})
	if _, err := s.mailer().Send(t.Context(), letter()); err != nil || strings.Contains(s.told(), "SMTPUTF8") {
		t.Errorf("%v: %s", err, s.told())
	}
}

// An address for the answers that the server can't take is left out: the mail is worth more.
func TestAUnicodeReplyToNeedsAServerThatKnowsIt(t *testing.T) {
	mail := letter()
	mail.ReplyTo = &domain.Address{Email: "jürgen@exämple.com", Name: "Jürgen"}
	for extensions, known := range map[string]bool{"250 8BITMIME": false, "250-8BITMIME\r\n250 SMTPUTF8": true} {
		s := play(t, script{"EHLO": "250-here\r\n" + extensions})
		if _, err := s.mailer().Send(t.Context(), mail); err != nil || s.taken() != 1 {
			t.Fatalf("%v, %d messages", err, s.taken())
		}
		replyTo, told := strings.Contains(s.messages[0], "jürgen@exämple.com"), strings.Contains(s.told(), "SMTPUTF8")
		if replyTo != known || told != known || strings.Contains(s.messages[0], "Reply-To") != known {
			t.Errorf("%q: the server was told %s\n%s", extensions, s.told(), s.messages[0])
		}
	}
}

func TestHangingServersEndInTime(t *testing.T) {
	for _, where := range []string{greeting, "EHLO", "MAIL", "RCPT", "DATA", message} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			s := play(t, script{where: hang})
			_, err := s.mailer(func(o *smtp.Options) { o.Timeout, o.AnswerTimeout = 50*time.Millisecond, 50*time.Millisecond }).Send(t.Context(), letter())
			wantTransient(t, err, errs.Timeout, "")

			s = play(t, script{where: hang})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-s.reached
				cancel()
			}()
			_, err = s.mailer().Send(ctx, letter())
			wantTransient(t, err, errs.Unavailable, "interrupted")
		})
	}
}

func TestATLSHandshakeThatHangsEndsInTime(t *testing.T) {
	silent := testkit.Silence(t, "127.0.0.1:0")
	address, err := net.ResolveTCPAddr("tcp", silent)
	if err != nil {
		t.Fatal(err)
	}
	_, err = smtp.New(smtp.Options{Host: "127.0.0.1", Port: address.Port, TLS: smtp.TLS, Timeout: 50 * time.Millisecond}, clock.NewManual(now)).
		Send(t.Context(), letter())
	wantTransient(t, err, errs.Timeout, "")
}

func TestNobodyThere(t *testing.T) {
	s := play(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = s.mailer().Send(t.Context(), letter())
	wantTransient(t, err, errs.Unavailable, "connect: ")
}

func TestACancelledSendSendsNothing(t *testing.T) {
	s := play(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.mailer().Send(ctx, letter())
	wantTransient(t, err, errs.Unavailable, "interrupted")
	if s.told() != "" {
		t.Errorf("the server was told %s", s.told())
	}
}

// No header and no command can be smuggled in, whatever a name or a subject holds.
func TestNothingCanBeInjected(t *testing.T) {
	mail := letter()
	mail.Subject = "Hi\r\nBcc: eve@example.net\r\n\r\nbody"
	mail.To[0].Name = "Ada\r\nBcc: eve@example.net"
	mail.From.Name = "Acme\nX-Injected: yes"
	mail.Text = "Hi\r\n.\r\nMAIL FROM:<eve@example.net>\r\n"
	s := play(t, nil)
	if _, err := s.mailer().Send(t.Context(), mail); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(s.messages[0], "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if name == "Bcc" || name == "X-Injected" || strings.ContainsAny(line, "\r\n") {
			t.Errorf("there is a line %q", line)
		}
	}
	if told := s.told(); strings.Contains(told, "eve") || s.taken() != 1 {
		t.Errorf("the server was told %s", told)
	}

	for _, address := range []string{"ada@example.org>\r\nRCPT TO:<eve@example.net", "ada@example.org> SIZE=1", "<ada@example.org>", "a b@c"} {
		mail := letter()
		mail.To[0].Email = address
		s := play(t, nil)
		if _, err := s.mailer().Send(t.Context(), mail); !errs.Is(err, errs.Invalid) || s.told() != "" {
			t.Errorf("%q: %v, %s", address, err, s.told())
		}
	}
}
