package billingmod_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/billing/billingmod"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/config/configtest"
)

func load(t *testing.T, environ ...string) (billingmod.Settings, *config.Report, error) {
	t.Helper()
	var s billingmod.Settings
	report, err := configtest.Load(t, s.Group(), environ...)
	return s, report, err
}

func TestDefaults(t *testing.T) {
	s, report, err := load(t)
	if err != nil || s != (billingmod.Settings{GraceDays: 7}) || s.Available() || len(report.Warnings) > 0 {
		t.Errorf("%+v, %v, %v", s, report.Warnings, err)
	}
}

func TestRules(t *testing.T) {
	const key, hook = "STRIPE_SECRET_KEY=sk_live_x", "STRIPE_WEBHOOK_SECRET=whsec_x"
	for _, c := range []struct {
		name    string
		environ []string
		want    []string
		part    string
	}{
		{"both", []string{key, hook, "STRIPE_PRICE_ID_MONTHLY=price_1"}, nil, ""},
		{"two secrets", []string{key, hook + ", whsec_y"}, nil, ""},
		{"an empty secret beside one", []string{key, hook + ","}, []string{"STRIPE_WEBHOOK_SECRET"}, "empty"},
		{"an id beside a secret", []string{key, hook + ",we_x"}, []string{"STRIPE_WEBHOOK_SECRET"}, "signing secret"},
		{"endless grace", []string{"BILLING_GRACE_DAYS=366"}, []string{"BILLING_GRACE_DAYS"}, ""},
		{"restricted key", []string{"STRIPE_SECRET_KEY=rk_live_x", hook}, nil, ""},
		{"no webhook secret", []string{key}, []string{"STRIPE_WEBHOOK_SECRET"}, "must be set when STRIPE_SECRET_KEY is"},
		{"no key", []string{hook}, []string{"STRIPE_SECRET_KEY"}, "must be set when STRIPE_WEBHOOK_SECRET is"},
		{"publishable key", []string{"STRIPE_SECRET_KEY=pk_live_x", hook}, []string{"STRIPE_SECRET_KEY"}, "not the publishable one"},
		{"id of the endpoint", []string{key, "STRIPE_WEBHOOK_SECRET=we_x"}, []string{"STRIPE_WEBHOOK_SECRET"}, "signing secret"},
		{"product for price", []string{key, hook, "STRIPE_PRICE_ID_YEARLY=prod_x"}, []string{"STRIPE_PRICE_ID_YEARLY"}, "not of a product"},
		{"no such catalogue", []string{"BILLING_CATALOG_FILE=none.yaml"}, []string{"BILLING_CATALOG_FILE"}, "must be a file that exists"},
		{"catalogue that is a folder", []string{"BILLING_CATALOG_FILE=."}, []string{"BILLING_CATALOG_FILE"}, "not a folder"},
		{"address without scheme", []string{"STRIPE_API_BASE=localhost:12111"}, []string{"STRIPE_API_BASE"}, "must be an absolute URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, err := load(t, c.environ...)
			if !slices.Equal(configtest.Refused(err), c.want) || err != nil && !strings.Contains(err.Error(), c.part) {
				t.Errorf("%v", err)
			}
			if err == nil && !s.Available() {
				t.Error("not available")
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ variable, name string }{
		{"STRIPE_PRICE_ID_MONTHLY=price_1", "STRIPE_PRICE_ID_MONTHLY"},
		{"STRIPE_SECRET_KEY=sk_test_x", "STRIPE_SECRET_KEY"},
		{"STRIPE_PUBLISHABLE_KEY=pk_x", "STRIPE_PUBLISHABLE_KEY"},
	} {
		_, report, _ := load(t, "ENVIRONMENT=production", c.variable)
		if len(report.Warnings) != 1 || report.Warnings[0].Name != c.name {
			t.Errorf("%s: %v", c.variable, report.Warnings)
		}
	}
}
