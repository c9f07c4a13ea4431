package domain_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
)

var (
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	later = birth.Add(time.Hour)
)

// The names are in people's preferences and in the links of mails that were sent long ago.
func TestKindsAreGolden(t *testing.T) {
	var names []string
	for _, kind := range domain.Kinds() {
		names = append(names, kind.Name)
		found, ok := domain.KindOf(kind.Name)
		if !ok || !reflect.DeepEqual(found, kind) || len(kind.Channels) == 0 {
			t.Errorf("%+v is found as %+v", kind, found)
		}
		if kind.Audience == domain.Anybody && (kind.Optional || kind.Has(domain.InApp)) {
			t.Errorf("%s: who has no account has no preferences and no web app", kind.Name)
		}
	}
	want := []string{
		"account.welcome", "account.security", "account.password_reset", "projects.deleted", "billing.subscription", "billing.payment", "data.export",
		"admin.daily_report", "note", "contact", "message",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the kinds are %q", names)
	}
	if _, ok := domain.KindOf("account"); ok {
		t.Error("a kind is found that doesn't exist")
	}
}

func TestWhatIsNotOptionalIsAlwaysWanted(t *testing.T) {
	everything := domain.Preferences{}
	for _, kind := range domain.Kinds() {
		for _, channel := range []domain.Channel{domain.InApp, domain.ByMail} {
			everything.Off = append(everything.Off, domain.Choice{Kind: kind.Name, Channel: channel})
		}
	}
	for _, kind := range domain.Kinds() {
		for _, channel := range []domain.Channel{domain.InApp, domain.ByMail} {
			if got := (domain.Preferences{}).Wants(kind, channel); got != kind.Has(channel) {
				t.Errorf("who never chose: %s by %s is %t", kind.Name, channel, got)
			}
			if got := everything.Wants(kind, channel); got != (kind.Has(channel) && !kind.Optional) {
				t.Errorf("who switched everything off: %s by %s is %t", kind.Name, channel, got)
			}
		}
	}
}

func TestPreferencesChange(t *testing.T) {
	choice := func(kind string, channel domain.Channel) domain.Choice {
		return domain.Choice{Kind: kind, Channel: channel}
	}
	deleted, welcome := choice("projects.deleted", domain.ByMail), choice("account.welcome", domain.InApp)
	for name, test := range map[string]struct {
		switches []domain.Switch
		off      []domain.Choice
		changed  bool
		broken   []string
	}{
		"nothing":                {off: []domain.Choice{deleted}},
		"what is off":            {switches: []domain.Switch{{Choice: deleted}}, off: []domain.Choice{deleted}},
		"off":                    {switches: []domain.Switch{{Choice: welcome}}, off: []domain.Choice{welcome, deleted}, changed: true},
		"on":                     {switches: []domain.Switch{{Choice: deleted, On: true}}, changed: true},
		"off and on":             {switches: []domain.Switch{{Choice: welcome}, {Choice: welcome, On: true}}, off: []domain.Choice{deleted}},
		"security stays":         {switches: []domain.Switch{{Choice: choice("account.security", domain.ByMail)}}, off: []domain.Choice{deleted}, broken: []string{"kinds.account.security.mail"}},
		"security is on already": {switches: []domain.Switch{{Choice: choice("account.security", domain.ByMail), On: true}}, off: []domain.Choice{deleted}},
		"no such kind":           {switches: []domain.Switch{{Choice: choice("x", domain.ByMail)}, {Choice: welcome}}, off: []domain.Choice{deleted}, broken: []string{"kinds.x.mail"}},
		"nobody's kind":          {switches: []domain.Switch{{Choice: choice("contact", domain.ByMail)}}, off: []domain.Choice{deleted}, broken: []string{"kinds.contact.mail"}},
		"no such channel":        {switches: []domain.Switch{{Choice: choice("admin.daily_report", domain.InApp)}}, off: []domain.Choice{deleted}, broken: []string{"kinds.admin.daily_report.in_app"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := domain.Preferences{Owner: id.Of("alice"), Off: []domain.Choice{deleted}, Version: 3, UpdatedAt: birth}
			changed, err := got.Apply(test.switches, later)
			if changed != test.changed || !slices.Equal(errstest.Broken(err), test.broken) || !slices.Equal(got.Off, test.off) {
				t.Errorf("changed is %t with %v, off is %v", changed, err, got.Off)
			}
			want := map[bool]int64{false: 3, true: 4}[test.changed]
			if got.Version != want || got.UpdatedAt.Equal(later) != test.changed {
				t.Errorf("it has version %d of %s", got.Version, got.UpdatedAt)
			}
		})
	}
	preferences := domain.Preferences{Version: 3}
	for version, fits := range map[int64]bool{0: true, 3: true, 2: false, 4: false} {
		if err := preferences.Expect(version); fits != (err == nil) || !fits && !errs.Is(err, errs.Precondition) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func TestLettersEnd(t *testing.T) {
	until := later.Add(time.Minute)
	letter := domain.Letter{State: domain.Queued, Sealed: []byte("x"), ClaimedUntil: &until, ExpiresAt: &until}
	if !letter.Open() || !letter.ClaimedAt(later) || letter.ClaimedAt(until) || letter.ExpiredAt(later) || !letter.ExpiredAt(until) {
		t.Errorf("a letter on its way: %+v", letter)
	}
	letter.End(domain.Sent, "", "r1", later)
	if letter.Open() || letter.Sealed != nil || letter.ClaimedUntil != nil || *letter.EndedAt != later || letter.Receipt != "r1" {
		t.Errorf("a letter that was sent: %+v", letter)
	}
	for state, open := range map[domain.State]bool{
		domain.Queued: true, domain.Sent: false, domain.Failed: true, domain.Skipped: false, domain.Expired: false,
	} {
		if got := (domain.Letter{State: state}).Open(); got != open {
			t.Errorf("a letter that is %s is open: %t", state, got)
		}
		ended := domain.Letter{State: domain.Queued, Sealed: []byte("x")}
		if ended.End(state, "", "", later); (ended.Sealed != nil) != (state == domain.Failed) {
			t.Errorf("a letter that became %s holds %q", state, ended.Sealed)
		}
	}
}

func TestLettersWithoutAnAnswer(t *testing.T) {
	var letter domain.Letter
	if letter.Doubtful() || letter.ForgottenAt(later, time.Hour) {
		t.Error("a new letter was tried")
	}
	letter.NoteUnanswered(birth)
	if letter.Doubtful() || letter.ForgottenAt(birth.Add(time.Hour-1), time.Hour) || !letter.ForgottenAt(birth.Add(time.Hour), time.Hour) ||
		letter.ForgottenAt(birth.Add(time.Hour), 0) {
		t.Errorf("after one: %+v", letter)
	}
	letter.NoteUnanswered(later)
	if !letter.Doubtful() || !letter.UnansweredSince.Equal(birth) {
		t.Errorf("after two: %+v", letter)
	}
}
