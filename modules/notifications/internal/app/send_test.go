package app_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
)

// post queues a letter of the topic to the user and returns its id.
func (f fixture) post(user, kind, topic string, data domain.Data) string {
	f.t.Helper()
	if err := f.Notify(f.t.Context(), app.Notice{User: user, Kind: kind, Topic: topic, Event: "e " + topic, Data: data}); err != nil {
		f.t.Fatal(err)
	}
	return f.queue[len(f.queue)-1]
}

func down(domain.Mail) error { return errs.New(errs.External, "The carrier doesn't answer") }

func TestEachTopicHasItsContent(t *testing.T) {
	for _, test := range []struct {
		kind string
		data domain.Data
		want domain.Content
	}{
		{domain.KindWelcome, nil, domain.Welcome{Name: "Alice"}},
		{domain.KindSecurity, nil, domain.AccountSuspended{}},
		{domain.KindSecurity, nil, domain.AccountReactivated{}},
		{domain.KindSecurity, domain.Data{"role": "admin"}, domain.RoleChanged{Role: "admin"}},
		{domain.KindSecurity, domain.Data{"issuer": "https://clerk.example.com"}, domain.IdentityLinked{Issuer: "https://clerk.example.com"}},
		{domain.KindProjectDeleted, domain.Data{"project_id": "apollo"}, domain.ProjectDeleted{Name: "Apollo", Days: 30}},
		{domain.KindProjectDeleted, domain.Data{"project_id": "gone"}, domain.ProjectDeleted{Days: 30}},
		{domain.KindNote, domain.Data{"subject": "Done", "text": "It is done."}, domain.Note{Subject: "Done", Text: "It is done."}},
		{domain.KindSubscription, domain.Data{"plan": "pro", "status": "active"}, domain.SubscriptionChanged{Plan: "pro", Status: "active"}},
	} {
		f := newFixture(t)
		letterID := f.post("alice", test.kind, test.want.Template(), test.data)
		f.deliver()
		_, html, text, _ := f.Render(test.want, domain.Frame{})
		want := domain.Mail{
			Key: letterID, Kind: test.kind, From: domain.Address{Email: "hello@example.com", Name: "Product"},
			To: []domain.Address{{Email: "alice@example.com", Name: "Alice"}}, Subject: "about " + test.want.Template(),
			HTML: html + f.sent[0].Unsubscribe, Text: text, Unsubscribe: f.sent[0].Unsubscribe,
		}
		if len(f.sent) != 1 || !reflect.DeepEqual(f.sent[0], want) {
			t.Errorf("%s: sent %+v\nwant %+v", test.want.Template(), f.sent, want)
		}
		if kind, _ := domain.KindOf(test.kind); (want.Unsubscribe != "") != kind.Optional {
			t.Errorf("%s can be ended by %q", test.kind, want.Unsubscribe)
		}
		if letter := f.only(); letter.State != domain.Sent || letter.Receipt != "receipt of "+letterID || *letter.EndedAt != now {
			t.Errorf("it is noted as %+v", letter)
		}
		f.queue = []string{letterID}
		if f.deliver(); len(f.sent) != 1 {
			t.Errorf("%s was sent twice", test.want.Template())
		}
	}
}

func TestNobodyToSendTo(t *testing.T) {
	t.Run("a letter that isn't there", func(t *testing.T) {
		f := newFixture(t)
		if err := f.App.SendMail(t.Context(), "none"); err != nil {
			t.Errorf("%v", err)
		}
	})
	t.Run("a user without an address", func(t *testing.T) {
		f := newFixture(t)
		f.post("bob", domain.KindWelcome, "welcome", nil)
		if f.deliver(); f.only().State != domain.Skipped || f.only().Reason != domain.NoAddress || len(f.sent) > 0 {
			t.Errorf("%+v", f.only())
		}
	})
	t.Run("a user who is gone leaves nothing", func(t *testing.T) {
		f := newFixture(t)
		f.post("dave", domain.KindWelcome, "welcome", nil)
		if f.deliver(); len(f.letters)+len(f.notifications)+len(f.sent) > 0 {
			t.Errorf("%+v and %+v are left", f.letters, f.notifications)
		}
	})
	t.Run("an address that bounced", func(t *testing.T) {
		f := newFixture(t)
		f.post("alice", domain.KindSecurity, "account_suspended", nil)
		if err := f.HandleFeedback(t.Context(), []domain.Feedback{{Address: "ALICE@example.com", Reason: domain.Complained}}); err != nil {
			t.Fatal(err)
		}
		if f.deliver(); f.only().State != domain.Skipped || f.only().Reason != domain.Suppressed || len(f.sent) > 0 {
			t.Errorf("%+v", f.only())
		}
	})
	t.Run("one of several that bounced", func(t *testing.T) {
		f := newFixture(t)
		to := []notifications.Address{{Email: "one@example.com"}, {Email: "two@example.com"}}
		if err := f.SendRaw(t.Context(), "k", notifications.RawMessage{To: to, Subject: "s", Text: "t"}); err != nil {
			t.Fatal(err)
		}
		if err := f.HandleFeedback(t.Context(), []domain.Feedback{{Address: "one@example.com", Reason: domain.Bounced, Permanent: true}}); err != nil {
			t.Fatal(err)
		}
		if f.deliver(); len(f.sent) != 1 || len(f.sent[0].To) != 1 || f.sent[0].To[0].Email != "two@example.com" {
			t.Errorf("sent %+v", f.sent)
		}
	})
	t.Run("a message that is too old", func(t *testing.T) {
		f := newFixture(t)
		if _, err := f.App.Contact(t.Context(), app.ContactForm{Name: "Eve", Email: "eve@example.org", Message: "m"}); err != nil {
			t.Fatal(err)
		}
		clear(f.contacts)
		if f.deliver(); f.only().State != domain.Skipped || f.only().Reason != domain.Gone || len(f.sent) > 0 {
			t.Errorf("%+v", f.only())
		}
	})
}

// A carrier that is down for an hour loses and doubles nothing. Every attempt bears the same key.
func TestACarrierThatIsDown(t *testing.T) {
	f := newFixture(t)
	letterID := f.post("alice", domain.KindWelcome, "welcome", nil)
	f.answer = down
	for range 6 {
		if err := f.App.SendMail(t.Context(), letterID); !errs.Is(err, errs.External) {
			t.Fatalf("down: %v", err)
		}
		if letter := f.only(); letter.State != domain.Queued || letter.ClaimedUntil != nil {
			t.Fatalf("the letter doesn't wait: %+v", letter)
		}
		f.clock.Advance(10 * time.Minute)
	}
	f.answer = nil
	for range 3 {
		if err := f.App.SendMail(t.Context(), letterID); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.sent) != 7 || f.only().State != domain.Sent {
		t.Errorf("%d attempts, then %+v", len(f.sent), f.only())
	}
	for _, mail := range f.sent {
		if mail.Key != letterID {
			t.Errorf("an attempt has the key %q", mail.Key)
		}
	}
}

// A process that dies after the carrier took the mail leaves the letter claimed. Nobody else sends it before that ends; then
// it is sent with the same key, by which the carrier leaves it out.
func TestACrashBetweenSendingAndNoting(t *testing.T) {
	f := newFixture(t)
	letterID := f.post("alice", domain.KindWelcome, "welcome", nil)
	f.Failing = "save letter as sent"
	if err := f.App.SendMail(t.Context(), letterID); !errors.Is(err, errstest.ErrBoom) {
		t.Fatalf("%v", err)
	}
	f.Failing = ""
	if err := f.App.SendMail(t.Context(), letterID); !errs.Is(err, errs.Unavailable) || len(f.sent) != 1 {
		t.Fatalf("while it is claimed: %v, %d attempts", err, len(f.sent))
	}
	f.clock.Advance(app.SendTimeout + 15*time.Second)
	if err := f.App.SendMail(t.Context(), letterID); err != nil || len(f.sent) != 2 {
		t.Fatalf("after the claim: %v, %d attempts", err, len(f.sent))
	}
	if f.sent[0].Key != f.sent[1].Key || f.only().State != domain.Sent {
		t.Errorf("keys %q and %q, %+v", f.sent[0].Key, f.sent[1].Key, f.only())
	}
}

func TestAPermanentErrorClosesTheLetter(t *testing.T) {
	refused := func(domain.Mail) error { return errs.New(errs.Invalid, "The carrier refuses it") }
	t.Run("to a user: it can be tried again by hand", func(t *testing.T) {
		f := newFixture(t)
		letterID := f.post("alice", domain.KindWelcome, "welcome", nil)
		f.answer = refused
		if err := f.App.SendMail(t.Context(), letterID); !errs.Is(err, errs.Invalid) || f.only().State != domain.Failed {
			t.Fatalf("%v, %+v", err, f.only())
		}
		f.answer = nil
		if err := f.App.SendMail(t.Context(), letterID); err != nil || f.only().State != domain.Sent {
			t.Errorf("by hand: %v, %+v", err, f.only())
		}
	})
	t.Run("what was sealed is kept for a retry by hand", func(t *testing.T) {
		f := newFixture(t)
		if err := f.SendRaw(t.Context(), "k", notifications.RawMessage{To: []notifications.Address{{Email: "eve@example.com"}}, Subject: "s", Text: "t"}); err != nil {
			t.Fatal(err)
		}
		f.answer = refused
		letterID := f.only().ID
		if err := f.App.SendMail(t.Context(), letterID); !errs.Is(err, errs.Invalid) || f.only().State != domain.Failed {
			t.Fatalf("%v, %+v", err, f.only())
		}
		f.answer = nil
		if err := f.App.SendMail(t.Context(), letterID); err != nil || len(f.sent) != 2 || f.sent[1].Text != "t" {
			t.Errorf("by hand: %v, sent %+v", err, f.sent)
		}
		if f.only().State != domain.Sent || f.only().Sealed != nil {
			t.Errorf("it is sent, and still there: %+v", f.only())
		}
	})
	t.Run("a mail that can't be written", func(t *testing.T) {
		f := newFixture(t)
		letterID := f.post("alice", domain.KindWelcome, "welcome", nil)
		f.unwritable = true
		if err := f.App.SendMail(t.Context(), letterID); !errs.Is(err, errs.Invalid) || f.only().State != domain.Failed || len(f.sent) > 0 {
			t.Errorf("%v, %+v", err, f.only())
		}
	})
	t.Run("a topic that nobody knows", func(t *testing.T) {
		f := newFixture(t)
		letterID := f.post("alice", domain.KindWelcome, "farewell", nil)
		if err := f.App.SendMail(t.Context(), letterID); !errs.Is(err, errs.Invalid) || f.only().State != domain.Failed {
			t.Errorf("%v, %+v", err, f.only())
		}
	})
	t.Run("a seal of another key", func(t *testing.T) {
		f := newFixture(t)
		if err := f.SendRaw(t.Context(), "k", notifications.RawMessage{To: []notifications.Address{{Email: "eve@example.com"}}, Subject: "s", Text: "t"}); err != nil {
			t.Fatal(err)
		}
		letter := f.only()
		letter.Sealed[20] ^= 1
		if err := f.App.SendMail(t.Context(), letter.ID); !errs.Is(err, errs.Invalid) || len(f.sent) > 0 {
			t.Errorf("%v", err)
		}
	})
}

func unanswered(domain.Mail) error {
	return errs.New(errs.Timeout, "The carrier took too long").Because(errs.ErrUnanswered)
}

// An attempt without an answer may have sent the mail: there is one more, and by a carrier that knows keys only as long as it
// does.
func TestNobodyKnowsWhetherItWasSent(t *testing.T) {
	// try makes one attempt and returns how it ended.
	try := func(f fixture, answer func(domain.Mail) error) error {
		f.answer = answer
		return f.App.SendMail(f.t.Context(), f.only().ID)
	}
	closed := func(t *testing.T, f fixture, err error, attempts int) {
		t.Helper()
		letter := f.only()
		if !errs.Is(err, errs.Conflict) || letter.State != domain.Failed || letter.Reason != domain.Unanswered || len(f.sent) != attempts {
			t.Errorf("%v after %d attempts, %+v", err, len(f.sent), letter)
		}
	}
	start := func(t *testing.T, remembers time.Duration) fixture {
		f := newFixture(t)
		f.remembers = remembers
		f.post("alice", domain.KindWelcome, "welcome", nil)
		if err := try(f, unanswered); !errs.Is(err, errs.Timeout) || f.only().State != domain.Queued || f.only().ClaimedUntil != nil {
			t.Fatalf("the first: %v, %+v", err, f.only())
		}
		if letter := f.only(); letter.Unanswered != 1 || !letter.UnansweredSince.Equal(now) {
			t.Fatalf("it is noted as %+v", letter)
		}
		return f
	}
	for _, remembers := range []time.Duration{0, 24 * time.Hour} {
		t.Run("again, by a carrier that knows keys for "+remembers.String(), func(t *testing.T) {
			f := start(t, remembers)
			if err := try(f, nil); err != nil || f.only().State != domain.Sent || len(f.sent) != 2 || f.sent[0].Key != f.sent[1].Key {
				t.Errorf("the second: %v, %+v", err, f.only())
			}
		})
		t.Run("twice, by a carrier that knows keys for "+remembers.String(), func(t *testing.T) {
			f := start(t, remembers)
			f.clock.Advance(time.Minute)
			closed(t, f, try(f, unanswered), 2)
			if letter := f.only(); !letter.UnansweredSince.Equal(now) {
				t.Errorf("the first is noted at %v", letter.UnansweredSince)
			}
			// Whoever looks into it may decide to risk it.
			if err := try(f, down); !errs.Is(err, errs.External) || len(f.sent) != 3 {
				t.Errorf("by hand: %v", err)
			}
			closed(t, f, try(f, unanswered), 4)
			if err := try(f, nil); err != nil || f.only().State != domain.Sent {
				t.Errorf("by hand: %v, %+v", err, f.only())
			}
		})
	}
	t.Run("refusals in between don't count", func(t *testing.T) {
		f := start(t, 0)
		for range 5 {
			if err := try(f, down); !errs.Is(err, errs.External) || f.only().State != domain.Queued {
				t.Fatalf("%v, %+v", err, f.only())
			}
			f.clock.Advance(20 * time.Hour)
		}
		if err := try(f, nil); err != nil || f.only().State != domain.Sent {
			t.Errorf("%v, %+v", err, f.only())
		}
	})
	t.Run("until the key is forgotten", func(t *testing.T) {
		f := start(t, 24*time.Hour)
		f.clock.Advance(23*time.Hour - time.Second)
		if err := try(f, down); !errs.Is(err, errs.External) || f.only().State != domain.Queued {
			t.Fatalf("just before: %v, %+v", err, f.only())
		}
		f.clock.Advance(time.Second)
		for range 2 { // by hand too
			closed(t, f, try(f, nil), 2)
		}
	})
	t.Run("a process that dies twice", func(t *testing.T) {
		f := newFixture(t)
		f.post("alice", domain.KindWelcome, "welcome", nil)
		f.Failing = "save letter as sent"
		for range 2 {
			if err := try(f, nil); !errors.Is(err, errstest.ErrBoom) {
				t.Fatal(err)
			}
			f.clock.Advance(app.SendTimeout + 15*time.Second)
		}
		closed(t, f, try(f, nil), 2)
	})
}

// Whoever is stopped while the carrier keeps silent doesn't know either.
func TestAnUnansweredAttemptThatIsCutOffIsNoted(t *testing.T) {
	f := newFixture(t)
	letterID := f.post("alice", domain.KindWelcome, "welcome", nil)
	ctx, stop := context.WithCancel(t.Context())
	f.answer = func(mail domain.Mail) error { stop(); return unanswered(mail) }
	if err := f.App.SendMail(ctx, letterID); !errs.Is(err, errs.Timeout) || f.only().Unanswered != 1 || f.only().ClaimedUntil != nil {
		t.Errorf("%v, %+v", err, f.only())
	}
}

// What was true when the mail was written may not be when it leaves.
func TestThingsChangeWhileALetterWaits(t *testing.T) {
	skippedFor := func(t *testing.T, f fixture, reason string) {
		t.Helper()
		if f.deliver(); len(f.sent) > 0 || f.only().State != domain.Skipped || f.only().Reason != reason {
			t.Errorf("%d mails were sent, %+v", len(f.sent), f.only())
		}
	}
	t.Run("the user switches the kind off", func(t *testing.T) {
		f := newFixture(t)
		f.post("alice", domain.KindWelcome, "welcome", nil)
		f.preferences[alice] = off(domain.KindWelcome, domain.ByMail)
		skippedFor(t, f, domain.Unwanted)
	})
	t.Run("an administrator becomes none", func(t *testing.T) {
		f := newFixture(t)
		f.admins = []users.User{f.people["alice"]}
		if err := f.DailyReport(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.admins = []users.User{{Email: "root@example.com"}}
		skippedFor(t, f, domain.Demoted)
	})
	t.Run("an address isn't an administrator's any more", func(t *testing.T) {
		f := newFixture(t)
		f.admins = []users.User{{Email: "root@example.com"}}
		if err := f.DailyReport(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.admins = []users.User{f.people["alice"], {Email: "other@example.com"}}
		skippedFor(t, f, domain.Demoted)
	})
	t.Run("the directory doesn't say", func(t *testing.T) {
		f := newFixture(t)
		f.admins = []users.User{f.people["alice"]}
		if err := f.DailyReport(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.Failing = "administrators"
		if err := f.App.SendMail(t.Context(), f.only().ID); !errors.Is(err, errstest.ErrBoom) || f.only().State != domain.Queued {
			t.Errorf("%v, %+v", err, f.only())
		}
	})
}

// A letter whose job is dead doesn't look as if it waited.
func TestGivingUp(t *testing.T) {
	f := newFixture(t)
	letterID := f.post("alice", domain.KindWelcome, "welcome", nil)
	f.answer = func(domain.Mail) error {
		if err := f.GiveUp(t.Context(), letterID); err != nil || f.only().State != domain.Queued {
			t.Errorf("while it is being sent: %v, %+v", err, f.only())
		}
		return down(domain.Mail{})
	}
	if err := f.App.SendMail(t.Context(), letterID); !errs.Is(err, errs.External) {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.GiveUp(t.Context(), letterID); err != nil || f.only().State != domain.Failed || f.only().Reason != domain.Abandoned {
			t.Errorf("%v, %+v", err, f.only())
		}
	}
	f.answer = nil
	if err := f.App.SendMail(t.Context(), letterID); err != nil || f.only().State != domain.Sent {
		t.Errorf("by hand: %v, %+v", err, f.only())
	}
	if err := f.GiveUp(t.Context(), letterID); err != nil || f.only().State != domain.Sent {
		t.Errorf("a letter that was sent: %v, %+v", err, f.only())
	}
}

func TestWhatIsAskedFailsForAWhile(t *testing.T) {
	for _, failing := range []string{"find user", "find project"} {
		f := newFixture(t)
		letterID := f.post("alice", domain.KindProjectDeleted, "project_deleted", domain.Data{"project_id": "apollo"})
		f.Failing = failing
		if err := f.App.SendMail(t.Context(), letterID); !errors.Is(err, errstest.ErrBoom) || f.only().State != domain.Queued || f.only().ClaimedUntil != nil {
			t.Errorf("%s fails: %v, %+v", failing, err, f.only())
		}
		f.Failing = ""
		if f.deliver(); len(f.sent) != 1 {
			t.Errorf("%s works again, and %d mails were sent", failing, len(f.sent))
		}
	}
}

// The process stops during the call: the letter is free at once for the next one.
func TestAnAttemptThatIsCutOffGivesTheLetterBack(t *testing.T) {
	f := newFixture(t)
	letterID := f.post("alice", domain.KindWelcome, "welcome", nil)
	ctx, stop := context.WithCancel(t.Context())
	f.answer = func(domain.Mail) error {
		stop()
		return ctx.Err()
	}
	if err := f.App.SendMail(ctx, letterID); !errors.Is(err, context.Canceled) || f.only().ClaimedUntil != nil || f.only().State != domain.Queued {
		t.Errorf("%v, %+v", err, f.only())
	}
	ctx, stop = context.WithCancel(t.Context())
	f.answer = func(domain.Mail) error { stop(); return nil } // it was sent all the same
	if err := f.App.SendMail(ctx, letterID); err != nil || f.only().State != domain.Sent {
		t.Errorf("%v, %+v", err, f.only())
	}
}

func TestAPasswordResetExpires(t *testing.T) {
	reset := notifications.PasswordReset{
		To: notifications.Address{Email: "eve@example.com", Name: "Eve"}, Link: "https://app.example.com/reset?token=secret", Expires: now.Add(time.Hour),
	}
	f := newFixture(t)
	if err := f.SendPasswordReset(t.Context(), "r1", reset); err != nil {
		t.Fatal(err)
	}
	letter := f.only()
	if shown := letter.Key + letter.Kind + letter.Template + string(letter.Sealed); strings.Contains(shown, "secret") || strings.Contains(shown, "eve") {
		t.Errorf("the letter shows its content: %+v", letter)
	}
	if letter.Kind != domain.KindPasswordReset || !letter.ExpiresAt.Equal(reset.Expires) {
		t.Errorf("%+v", letter)
	}
	f.clock.Advance(time.Hour)
	if f.deliver(); f.only().State != domain.Expired || f.only().Sealed != nil || len(f.sent) > 0 {
		t.Errorf("after an hour: %+v", f.only())
	}

	f = newFixture(t)
	if err := f.SendPasswordReset(t.Context(), "r1", reset); err != nil {
		t.Fatal(err)
	}
	if f.deliver(); len(f.sent) != 1 || f.sent[0].To[0] != (domain.Address{Email: "eve@example.com", Name: "Eve"}) || !strings.Contains(f.sent[0].Text, reset.Link) {
		t.Errorf("sent %+v", f.sent)
	}
	if f.only().Sealed != nil {
		t.Error("the link is still there after it was sent")
	}
}

func TestMailsOfOtherModules(t *testing.T) {
	to := []notifications.Address{{Email: "eve@example.com", Name: "Eve"}, {Email: "dan@example.com"}}
	from := &notifications.Address{Email: "sales@example.com", Name: "Sales"}
	f := newFixture(t)
	message := notifications.Message{To: to, From: from, Template: "welcome", Data: []byte(`{"name": "Eve"}`)}
	for range 2 {
		if err := f.Send(t.Context(), "a", message); err != nil {
			t.Fatal(err)
		}
	}
	message.Subject = "Mind this"
	if err := f.Send(t.Context(), "b", message); err != nil {
		t.Fatal(err)
	}
	raw := notifications.RawMessage{To: to, Subject: "Own words", HTML: "<p>html</p>", Text: "text"}
	if err := f.SendRaw(t.Context(), "c", raw); err != nil {
		t.Fatal(err)
	}
	for _, letter := range f.letters {
		if strings.Contains(letter.Key+string(letter.Sealed), "eve") || letter.Data != nil || letter.User != "" {
			t.Errorf("the letter shows its content: %+v", letter)
		}
	}
	f.deliver()
	if len(f.sent) != 3 {
		t.Fatalf("%d mails were sent", len(f.sent))
	}
	for i, want := range []domain.Mail{
		{Subject: "about welcome", Text: "welcome {Name:Eve}", HTML: "<p>welcome {Name:Eve}", From: domain.Address(*from)},
		{Subject: "Mind this", Text: "welcome {Name:Eve}", HTML: "<p>welcome {Name:Eve}", From: domain.Address(*from)},
		{Subject: "Own words", Text: "text", HTML: "<p>html</p>", From: domain.Address{Email: "hello@example.com", Name: "Product"}},
	} {
		want.Key, want.Kind, want.To = f.sent[i].Key, domain.KindMessage, []domain.Address{domain.Address(to[0]), domain.Address(to[1])}
		if !reflect.DeepEqual(f.sent[i], want) {
			t.Errorf("sent %+v\nwant %+v", f.sent[i], want)
		}
	}
}

func TestMailsThatBreakARule(t *testing.T) {
	eve := []notifications.Address{{Email: "eve@example.com"}}
	welcome := func(change func(*notifications.Message)) func(f fixture) error {
		return func(f fixture) error {
			message := notifications.Message{To: eve, Template: "welcome", Data: []byte(`{"name": "secret"}`)}
			change(&message)
			return f.Send(f.t.Context(), "k", message)
		}
	}
	raw := func(change func(*notifications.RawMessage)) func(f fixture) error {
		return func(f fixture) error {
			message := notifications.RawMessage{To: eve, Subject: "s", Text: "t"}
			change(&message)
			return f.SendRaw(f.t.Context(), "k", message)
		}
	}
	reset := func(change func(*notifications.PasswordReset)) func(f fixture) error {
		return func(f fixture) error {
			message := notifications.PasswordReset{To: eve[0], Link: "https://app.example.com/r", Expires: now.Add(time.Hour)}
			change(&message)
			return f.SendPasswordReset(f.t.Context(), "k", message)
		}
	}
	for name, test := range map[string]struct {
		send   func(f fixture) error
		broken string
	}{
		"nobody":     {welcome(func(m *notifications.Message) { m.To = nil }), "to"},
		"too many":   {welcome(func(m *notifications.Message) { m.To = make([]notifications.Address, 51) }), "to"},
		"no address": {welcome(func(m *notifications.Message) { m.To = []notifications.Address{eve[0], {Email: "secret"}} }), "to[1].email"},
		"a name of two lines": {welcome(func(m *notifications.Message) {
			m.To = []notifications.Address{{Email: "eve@example.com", Name: "a\r\nBcc: b"}}
		}), "to[0].name"},
		"a wrong sender":  {welcome(func(m *notifications.Message) { m.From = &notifications.Address{} }), "from.email"},
		"subject":         {welcome(func(m *notifications.Message) { m.Subject = "a\nb" }), "subject"},
		"template":        {welcome(func(m *notifications.Message) { m.Template = "secret" }), "template"},
		"field missing":   {welcome(func(m *notifications.Message) { m.Data = []byte(`{}`) }), "data.name"},
		"field unknown":   {welcome(func(m *notifications.Message) { m.Data = []byte(`{"name": "", "secret": ""}`) }), "data"},
		"no data":         {welcome(func(m *notifications.Message) { m.Data = nil }), "data"},
		"a lot of data":   {welcome(func(m *notifications.Message) { m.Data = make([]byte, 65<<10) }), "data"},
		"no subject":      {raw(func(m *notifications.RawMessage) { m.Subject = "" }), "subject"},
		"no words":        {raw(func(m *notifications.RawMessage) { m.Text = "" }), "text"},
		"many words":      {raw(func(m *notifications.RawMessage) { m.HTML = strings.Repeat("x", 257<<10) }), "html"},
		"no link":         {reset(func(m *notifications.PasswordReset) { m.Link = "secret" }), "link"},
		"a script":        {reset(func(m *notifications.PasswordReset) { m.Link = "javascript://secret/%0aalert()" }), "link"},
		"an expired link": {reset(func(m *notifications.PasswordReset) { m.Expires = now }), "expires"},
		"no key": {func(f fixture) error {
			return f.SendRaw(f.t.Context(), "", notifications.RawMessage{To: eve, Subject: "s", Text: "t"})
		}, "key"},
		"a key with a space": {func(f fixture) error {
			return f.SendRaw(f.t.Context(), "a b", notifications.RawMessage{To: eve, Subject: "s", Text: "t"})
		}, "key"},
		"a long key": {func(f fixture) error {
			return f.SendRaw(f.t.Context(), strings.Repeat("k", 201), notifications.RawMessage{To: eve, Subject: "s", Text: "t"})
		}, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			err := test.send(f)
			got := strings.Join(errstest.Broken(err), ",")
			if !errs.Is(err, errs.Invalid) || !strings.HasPrefix(got, test.broken) || len(f.Calls) > 0 {
				t.Errorf("%q is broken, want %q, after %q", got, test.broken, f.Calls)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats what was sent: %v", err)
			}
		})
	}
}

// The contract names the templates for others, and the fake believes it.
func TestTheContractNamesEveryTemplate(t *testing.T) {
	templates := notifications.Templates()
	for _, content := range domain.Contents() {
		got, named := templates[content.Template()]
		if !named || !slices.Equal(slices.Sorted(slices.Values(got)), domain.Fields(content.Template())) {
			t.Errorf("%s has the fields %v in the contract", content.Template(), got)
		}
		delete(templates, content.Template())
	}
	if len(templates) > 0 {
		t.Errorf("there are no templates %v", templates)
	}
}
