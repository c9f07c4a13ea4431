package app_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

func off(kind string, channels ...domain.Channel) domain.Preferences {
	p := domain.Preferences{Owner: alice, Version: 2}
	for _, channel := range channels {
		p.Off = append(p.Off, domain.Choice{Kind: kind, Channel: channel})
	}
	return p
}

func TestNotify(t *testing.T) {
	for name, test := range map[string]struct {
		kind        string
		preferences domain.Preferences
		inApp, mail bool
	}{
		"by both channels":        {domain.KindWelcome, off(domain.KindWelcome), true, true},
		"not by mail":             {domain.KindWelcome, off(domain.KindWelcome, domain.ByMail), true, false},
		"not in the app":          {domain.KindWelcome, off(domain.KindWelcome, domain.InApp), false, true},
		"not at all":              {domain.KindWelcome, off(domain.KindWelcome, domain.InApp, domain.ByMail), false, false},
		"another kind is off":     {domain.KindWelcome, off(domain.KindProjectDeleted, domain.InApp, domain.ByMail), true, true},
		"what can't be off":       {domain.KindSecurity, off(domain.KindSecurity, domain.InApp, domain.ByMail), true, true},
		"what only comes by mail": {domain.KindDailyReport, off(domain.KindWelcome), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.preferences[alice] = test.preferences
			notice := app.Notice{User: "alice", Kind: test.kind, Topic: "role_changed", Event: "e1", Data: domain.Data{"role": "admin"}}
			for range 3 { // once for one event, however often it comes
				if err := f.Notify(t.Context(), notice); err != nil {
					t.Fatal(err)
				}
			}
			if got := len(f.notifications) == 1; got != test.inApp || len(f.letters) == 1 != test.mail || len(f.queue) == 1 != test.mail {
				t.Fatalf("%d notifications, %d letters and %d jobs", len(f.notifications), len(f.letters), len(f.queue))
			}
			for _, n := range f.notifications {
				want := domain.Notification{ID: n.ID, Owner: alice, Kind: test.kind, Topic: "role_changed", Data: notice.Data, CreatedAt: now}
				if !reflect.DeepEqual(n, want) || !id.Valid(n.ID) {
					t.Errorf("notified of %+v", n)
				}
			}
			for _, l := range f.letters {
				want := domain.Letter{
					ID: l.ID, Key: l.Key, Kind: test.kind, User: "alice", Template: "role_changed", Data: notice.Data,
					State: domain.Queued, CreatedAt: now,
				}
				if !reflect.DeepEqual(l, want) || f.queue[0] != l.ID {
					t.Errorf("wrote %+v", l)
				}
			}
			notice.Event = "e2"
			if err := f.Notify(t.Context(), notice); err != nil || len(f.letters) == 2 != test.mail {
				t.Errorf("another event: %d letters, %v", len(f.letters), err)
			}
		})
	}
}

func TestANoticeOfAnUnknownKindIsAMistake(t *testing.T) {
	f := newFixture(t)
	if err := f.Notify(t.Context(), app.Notice{User: "alice", Kind: "unheard of", Topic: "welcome", Event: "e"}); err == nil || len(f.Calls) > 0 {
		t.Errorf("%v after %q", err, f.Calls)
	}
}

func TestANoticeThatFailsIsRolledBack(t *testing.T) {
	for _, failing := range []string{"add notification", "add letter", "enqueue"} {
		f := newFixture(t)
		f.Failing = failing
		err := f.Notify(t.Context(), app.Notice{User: "alice", Kind: domain.KindWelcome, Topic: "welcome", Event: "e"})
		if !errors.Is(err, errstest.ErrBoom) {
			t.Errorf("%s: %v", failing, err)
		}
		f.tx.ExpectOne(t, err)
	}
}

func TestMarkRead(t *testing.T) {
	f := newFixture(t)
	f.notifications["k"] = domain.Notification{ID: "n1", Owner: alice, CreatedAt: now}
	if _, err := f.App.MarkRead(t.Context(), bob, "n1"); !errs.Is(err, errs.NotFound) {
		t.Errorf("another's: %v", err)
	}
	for range 2 {
		got, err := f.App.MarkRead(t.Context(), alice, "n1")
		if err != nil || got.ReadAt == nil || *got.ReadAt != now || got.Version() != 2 {
			t.Errorf("read %+v, %v", got, err)
		}
		f.clock.Advance(time.Hour)
	}
	f.Expect(t, "mark read in tx")
}

func TestList(t *testing.T) {
	f := newFixture(t)
	for _, key := range []string{"1", "2", "3", "4", "5"} {
		f.notifications[key] = domain.Notification{ID: key, Owner: alice, CreatedAt: now}
	}
	var walked []string
	request := page.Request{Limit: 2}
	for range 5 {
		got, err := f.List(t.Context(), alice, false, request)
		if err != nil || got.Total != 5 || got.Limit != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, n := range got.Items {
			walked = append(walked, n.ID)
		}
		if request.Cursor = got.Next; got.Next == "" {
			break
		}
		for _, foreign := range []struct {
			owner  id.Scope
			unread bool
		}{{bob, false}, {alice, true}} {
			if _, err := f.List(t.Context(), foreign.owner, foreign.unread, request); !errs.Is(err, errs.Invalid) {
				t.Errorf("a cursor of another list: %v", err)
			}
		}
	}
	if !slices.Equal(walked, []string{"5", "4", "3", "2", "1"}) {
		t.Errorf("walked by %v", walked)
	}
}

func TestChangePreferences(t *testing.T) {
	switches := []domain.Switch{{Choice: domain.Choice{Kind: domain.KindWelcome, Channel: domain.ByMail}}}
	wrong := []domain.Switch{{Choice: domain.Choice{Kind: domain.KindSecurity, Channel: domain.ByMail}}}
	for name, test := range map[string]struct {
		version  int64
		switches []domain.Switch
		failing  string
		is       func(error) bool
		calls    []string
		to       int64
	}{
		"whatever the version": {0, switches, "", errstest.Success, []string{"save preferences in tx"}, 2},
		"of the first version": {1, switches, "", errstest.Success, []string{"save preferences in tx"}, 2},
		"of another version":   {2, switches, "", errstest.Kind(errs.Precondition), nil, 0},
		"nothing":              {1, nil, "", errstest.Success, nil, 1},
		"against a rule":       {1, wrong, "", errstest.Kind(errs.Invalid), nil, 0},
		"the save fails":       {1, switches, "save preferences", errstest.Boom, []string{"save preferences in tx"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.Failing = test.failing
			got, err := f.ChangePreferences(t.Context(), alice, test.version, test.switches)
			if !test.is(err) || got.Version != test.to {
				t.Errorf("got %+v, %v", got, err)
			}
			f.Expect(t, test.calls...)
			f.tx.ExpectOne(t, err)
		})
	}
}

func TestContact(t *testing.T) {
	form := app.ContactForm{Name: "Eve", Email: "eve@example.org", Subject: "Hi", Message: "Hello\nthere"}
	t.Run("what somebody wrote is kept and passed on", func(t *testing.T) {
		f := newFixture(t)
		messageID, err := f.App.Contact(t.Context(), form)
		if err != nil || !id.Valid(messageID) {
			t.Fatalf("%q, %v", messageID, err)
		}
		if sealed := string(f.contacts[messageID]); sealed == "" || strings.Contains(sealed, "eve@") || strings.Contains(sealed, "Hello") {
			t.Errorf("kept %q", f.contacts)
		}
		if letter := f.only(); strings.Contains(letter.Key+letter.Data["contact_id"], "eve") || letter.Sealed != nil {
			t.Errorf("the letter says who wrote: %+v", letter)
		}
		f.deliver()
		if len(f.sent) != 1 {
			t.Fatalf("%d mails were sent", len(f.sent))
		}
		mail := f.sent[0]
		if mail.To[0].Email != "team@example.com" || len(mail.To) != 1 || *mail.ReplyTo != (domain.Address{Email: "eve@example.org", Name: "Eve"}) ||
			mail.From.Email != "hello@example.com" || mail.Unsubscribe != "" || !strings.Contains(mail.Text, "Hello\nthere") ||
			!strings.Contains(mail.Text, "Received:"+now.String()) {
			t.Errorf("sent %+v", mail)
		}
	})
	t.Run("a program is answered alike and leaves nothing", func(t *testing.T) {
		f := newFixture(t)
		trapped := form
		trapped.Website = "https://spam.example.com"
		if messageID, err := f.App.Contact(t.Context(), trapped); err != nil || !id.Valid(messageID) {
			t.Errorf("answered %q, %v", messageID, err)
		}
		trapped.Email = ""
		if _, err := f.App.Contact(t.Context(), trapped); !errs.Is(err, errs.Invalid) {
			t.Errorf("a mistake is answered %v, which gives the trap away", err)
		}
		if len(f.Calls) > 0 || f.tx.Committed > 0 {
			t.Errorf("it leaves %q", f.Calls)
		}
	})
	t.Run("a broken rule reaches nothing", func(t *testing.T) {
		f := newFixture(t)
		if _, err := f.App.Contact(t.Context(), app.ContactForm{Email: "eve@example.org"}); !errs.Is(err, errs.Invalid) || len(f.Calls) > 0 {
			t.Errorf("%v after %q", err, f.Calls)
		}
	})
	t.Run("what can't be passed on isn't kept", func(t *testing.T) {
		f := newFixture(t)
		f.Failing = "enqueue"
		_, err := f.App.Contact(t.Context(), form)
		if !errors.Is(err, errstest.ErrBoom) {
			t.Errorf("%v", err)
		}
		f.tx.ExpectOne(t, err)
	})
}

// Who marks a message of the form as spam, or has a full mailbox, still gets the next one: nobody else reads it.
func TestTheContactFormGoesToTheProductWhateverBounced(t *testing.T) {
	f := newFixture(t)
	bounced := domain.Feedback{Address: "TEAM@example.com", Reason: domain.Bounced, Permanent: true}
	if err := f.HandleFeedback(t.Context(), []domain.Feedback{bounced}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.App.Contact(t.Context(), app.ContactForm{Name: "Eve", Email: "eve@example.org", Message: "Hello"}); err != nil {
		t.Fatal(err)
	}
	if err := f.App.SendMail(t.Context(), f.only().ID); err != nil || len(f.sent) != 1 || f.only().State != domain.Sent {
		t.Errorf("%v, %+v", err, f.only())
	}
}

func TestFeedback(t *testing.T) {
	f := newFixture(t)
	heard := []domain.Feedback{
		{Address: "Gone@Example.com", Reason: domain.Bounced, Permanent: true},
		{Address: "full@example.com", Reason: domain.Bounced},
		{Address: "angry@example.com", Reason: domain.Complained},
		{Reason: domain.Complained},
	}
	for range 2 {
		if err := f.HandleFeedback(t.Context(), heard); err != nil {
			t.Fatal(err)
		}
	}
	var reasons []string
	for hash, reason := range f.suppressed {
		if len(hash) != 64 || strings.Contains(hash, "@") {
			t.Errorf("the list holds %q", hash)
		}
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	if !slices.Equal(reasons, []string{domain.Bounced, domain.Complained}) {
		t.Errorf("suppressed for %q", reasons)
	}
}

// Whoever hears the same addresses at once, in whatever order, writes them in one.
func TestFeedbackIsWrittenInOneOrder(t *testing.T) {
	f := newFixture(t)
	var heard []domain.Feedback
	for i := range 300 {
		heard = append(heard, domain.Feedback{Address: fmt.Sprintf("%d@example.com", i%150), Reason: domain.Complained})
	}
	if err := f.HandleFeedback(t.Context(), heard); err != nil || len(f.suppressed) != 150 {
		t.Errorf("%d addresses, %v", len(f.suppressed), err)
	}
	f.Expect(t, "suppress in tx")
}

// Somebody who makes projects and deletes them doesn't flood the mailbox of the account's address.
func TestAnAddressIsNotFlooded(t *testing.T) {
	f := newFixture(t)
	happen := func(kind, topic string, times int) {
		t.Helper()
		for range times {
			notice := app.Notice{User: "alice", Kind: kind, Topic: topic, Event: id.New(), Data: domain.Data{"project_id": "apollo", "role": "user"}}
			if err := f.Notify(t.Context(), notice); err != nil {
				t.Fatal(err)
			}
		}
	}
	happen(domain.KindProjectDeleted, "project_deleted", 25)
	if len(f.letters) != domain.MaxPerDay || len(f.queue) != domain.MaxPerDay || len(f.notifications) != 25 {
		t.Errorf("%d mails, %d jobs and %d lines in the app", len(f.letters), len(f.queue), len(f.notifications))
	}
	happen(domain.KindWelcome, "welcome", 1)
	happen(domain.KindSecurity, "role_changed", 12)
	if want := domain.MaxPerDay + 13; len(f.letters) != want {
		t.Errorf("%d mails, want %d: another kind's and what isn't optional too", len(f.letters), want)
	}
	f.clock.Advance(24 * time.Hour)
	happen(domain.KindProjectDeleted, "project_deleted", 1)
	if want := domain.MaxPerDay + 14; len(f.letters) != want {
		t.Errorf("the next day there are %d mails, want %d", len(f.letters), want)
	}
}

func TestUnsubscribe(t *testing.T) {
	f := newFixture(t)
	if err := f.Notify(t.Context(), app.Notice{User: "alice", Kind: domain.KindWelcome, Topic: "welcome", Event: "e"}); err != nil {
		t.Fatal(err)
	}
	f.deliver()
	token, found := strings.CutPrefix(f.sent[0].Unsubscribe, "https://api.example.com/u/")
	if !found || !strings.Contains(f.sent[0].HTML, token) || strings.Contains(token, "alice") {
		t.Fatalf("the mail has %q", f.sent[0].Unsubscribe)
	}
	subscription, err := f.ReadSubscription(t.Context(), token)
	if err != nil || subscription != (app.Subscription{User: "alice", Kind: domain.KindWelcome}) || len(f.preferences) > 0 {
		t.Fatalf("it is of %+v, %v", subscription, err)
	}
	for range 2 {
		if err := f.Unsubscribe(t.Context(), subscription); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.preferences[alice]; !slices.Equal(got.Off, []domain.Choice{{Kind: domain.KindWelcome, Channel: domain.ByMail}}) || got.Version != 2 {
		t.Errorf("alice doesn't want %+v", got)
	}
	for what, bad := range map[string]string{
		"no token": "", "a word": "unsubscribe", "cut": token[:len(token)-4], "changed": "A" + token[1:], "longer": token + "AAAA", "padded": token + "=",
	} {
		if _, err := f.ReadSubscription(t.Context(), bad); !errs.Is(err, errs.NotFound) && bad != token {
			t.Errorf("%s: %v", what, err)
		}
	}
	delete(f.people, "alice")
	if _, err := f.ReadSubscription(t.Context(), token); !errs.Is(err, errs.NotFound) {
		t.Errorf("of a user who is gone: %v", err)
	}
	f.Failing = "find user"
	if _, err := f.ReadSubscription(t.Context(), token); !errors.Is(err, errstest.ErrBoom) {
		t.Errorf("when the directory fails: %v", err)
	}
}

func TestDailyReport(t *testing.T) {
	f := newFixture(t)
	f.sections = []domain.ReportSection{{Title: "Users", Figures: []domain.ReportFigure{{Name: "New users", Value: "3"}}}}
	f.people["carol"] = users.User{ID: "carol", Email: "carol@example.com", FullName: "Carol"}
	f.admins = []users.User{f.people["alice"], f.people["bob"], f.people["carol"], {Email: "root@example.com"}}
	f.preferences[id.Of("carol")] = domain.Preferences{Off: []domain.Choice{{Kind: domain.KindDailyReport, Channel: domain.ByMail}}}
	for range 2 { // it is tried again
		if err := f.DailyReport(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if f.period != [2]time.Time{yesterday, yesterday.AddDate(0, 0, 1)} {
		t.Errorf("it is about %v", f.period)
	}
	for _, letter := range f.letters {
		if strings.Contains(letter.Key, "@") || letter.User != "" && !strings.HasSuffix(letter.Key, " "+letter.User) || letter.Data != nil || letter.Sealed == nil {
			t.Errorf("the letter shows its content: %+v", letter)
		}
	}
	f.deliver()
	var to []string
	for _, mail := range f.sent {
		to = append(to, mail.To[0].Email)
		if len(mail.To) != 1 || !strings.Contains(mail.Text, "{Name:New users Value:3}") || (mail.Unsubscribe != "") != (mail.To[0].Email == "alice@example.com") {
			t.Errorf("sent %+v", mail)
		}
	}
	slices.Sort(to)
	if !slices.Equal(to, []string{"alice@example.com", "root@example.com"}) {
		t.Errorf("it goes to %q", to)
	}

	f.clock.Advance(24 * time.Hour)
	f.sections = nil
	if err := f.DailyReport(t.Context()); err != nil || len(f.queue) != 2 {
		t.Errorf("the next day: %d mails, %v", len(f.queue), err)
	}
	f.deliver()
	if len(f.sent) != 4 {
		t.Errorf("%d reports were sent, a quiet day's too", len(f.sent))
	}
	for _, failing := range []string{"sections", "administrators", "enqueue"} {
		f := newFixture(t)
		f.Failing, f.admins = failing, []users.User{{Email: "root@example.com"}}
		if err := f.DailyReport(t.Context()); !errors.Is(err, errstest.ErrBoom) || f.tx.Committed > 0 {
			t.Errorf("%s fails: %v", failing, err)
		}
	}
}

func TestErase(t *testing.T) {
	f := newFixture(t)
	if _, err := f.App.Erase(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	f.Expect(t, "erase in tx")
}

// A purge goes on in transactions of their own until nothing is left.
func TestPurge(t *testing.T) {
	f := newFixture(t)
	f.old = map[string]int64{"expire": 0, "abandon": 1, "letters": 499, "contacts": 500, "notifications": 1001}
	if err := f.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Expect(t, "expire in tx", "abandon in tx", "letters in tx", "contacts in tx", "contacts in tx", "notifications in tx", "notifications in tx", "notifications in tx")
	if f.tx.Committed != 8 {
		t.Errorf("in %d transactions", f.tx.Committed)
	}
	f = newFixture(t)
	f.Failing = "contacts"
	if err := f.Purge(t.Context()); !errors.Is(err, errstest.ErrBoom) {
		t.Errorf("%v", err)
	}
}
