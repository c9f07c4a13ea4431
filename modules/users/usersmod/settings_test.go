package usersmod_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/users/usersmod"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/config/configtest"
)

func load(t *testing.T, environ ...string) (usersmod.Settings, *config.Report, error) {
	t.Helper()
	var s usersmod.Settings
	report, err := configtest.Load(t, s.Group(), environ...)
	return s, report, err
}

func TestDefaults(t *testing.T) {
	s, _, err := load(t)
	if err != nil || len(s.AdminEmails) != 0 || s.DeletionGrace != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestSettings(t *testing.T) {
	s, _, err := load(t, "ADMIN_EMAILS=ada@example.com, grace@example.com", "ACCOUNT_DELETION_GRACE=72h")
	if err != nil || !slices.Equal(s.AdminEmails, []string{"ada@example.com", "grace@example.com"}) || s.DeletionGrace.Hours() != 72 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, c := range []struct{ variable, part string }{
		{"ADMIN_EMAILS=ada", "must be an e-mail address"},
		{"ADMIN_EMAILS=Ada <ada@example.com>", "must be an e-mail address"},
		{"ACCOUNT_DELETION_GRACE=30d", "must be a duration"},
		{"ACCOUNT_DELETION_GRACE=9000h", "must be at most 720h"},
	} {
		_, _, err := load(t, c.variable)
		name, _, _ := strings.Cut(c.variable, "=")
		if !slices.Equal(configtest.Refused(err), []string{name}) || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: %v", c.variable, err)
		}
	}
}
