package billingmod

import (
	"strings"

	"github.com/omnistack/omnistack/platform/config"
)

// Owner is the name under which the module's settings are listed.
const Owner = "billing"

// Settings holds the settings of the billing module.
type Settings struct {
	StripeSecretKey      config.Secret `env:"STRIPE_SECRET_KEY" help:"The secret or restricted key for Stripe's API; without it no payments are taken."`
	StripeWebhookSecret  config.Secret `env:"STRIPE_WEBHOOK_SECRET" help:"The signing secret of the webhook endpoint in Stripe; while it is replaced both, with a comma between them."`
	StripePriceIDMonthly string        `env:"STRIPE_PRICE_ID_MONTHLY" help:"The Stripe price of the plan pro, paid monthly."`
	StripePriceIDYearly  string        `env:"STRIPE_PRICE_ID_YEARLY" help:"The Stripe price of the plan pro, paid yearly."`
	StripeAPIBase        string        `env:"STRIPE_API_BASE" is:"base" help:"Another server that speaks Stripe's API, such as stripe-mock; unset, Stripe itself, or the simulator while there is no key."`
	StripePromotionCodes bool          `env:"STRIPE_PROMOTION_CODES" default:"false" help:"Whether the checkout takes promotion codes."`
	StripeAutomaticTax   bool          `env:"STRIPE_AUTOMATIC_TAX" default:"false" help:"Whether Stripe Tax computes taxes at the checkout."`
	StripeAIMeter        string        `env:"STRIPE_AI_METER" help:"The event name of a meter in Stripe, to which the cost of AI calls is reported in microdollars; unset, none is."`
	CatalogFile          string        `env:"BILLING_CATALOG_FILE" is:"file" help:"A file of plans, instead of the built-in ones."`
	GraceDays            int           `env:"BILLING_GRACE_DAYS" default:"7" min:"0" max:"365" help:"For how many days a plan counts while a payment is late."`
	ReturnURL            string        `env:"BILLING_RETURN_URL" is:"base" help:"Where people come back to from the pages of Stripe; unset, /billing of FRONTEND_URL."`
}

// Group returns s as a group for config.Load.
func (s *Settings) Group() config.Group { return config.Group{Owner: Owner, Struct: s} }

// Available reports whether payments can be taken.
func (s *Settings) Available() bool { return s.StripeSecretKey != "" }

// Validate checks that the key and the webhook's secret come together: with one alone, customers pay and nothing learns
// of it, or anybody can say that they paid. It also catches values copied from the wrong line of Stripe's dashboard.
func (s *Settings) Validate(check *config.Check) {
	switch {
	case s.StripeSecretKey != "" && s.StripeWebhookSecret == "":
		check.Refuse("STRIPE_WEBHOOK_SECRET", "must be set when STRIPE_SECRET_KEY is")
	case s.StripeSecretKey == "" && s.StripeWebhookSecret != "":
		check.Refuse("STRIPE_SECRET_KEY", "must be set when STRIPE_WEBHOOK_SECRET is")
	}
	if strings.HasPrefix(s.StripeSecretKey.Reveal(), "pk_") {
		check.Refuse("STRIPE_SECRET_KEY", "must be a secret key (sk_…) or restricted key (rk_…), not the publishable one (pk_…)")
	}
	for _, secret := range s.StripeWebhookSecret.List() {
		switch {
		case strings.HasPrefix(secret.Reveal(), "we_"):
			check.Refuse("STRIPE_WEBHOOK_SECRET", "must be the endpoint's signing secret (whsec_…), not its id (we_…)")
		case secret == "":
			check.Refuse("STRIPE_WEBHOOK_SECRET", "has an empty secret beside a comma")
		}
	}
	for _, price := range []struct{ name, id string }{
		{"STRIPE_PRICE_ID_MONTHLY", s.StripePriceIDMonthly}, {"STRIPE_PRICE_ID_YEARLY", s.StripePriceIDYearly},
	} {
		if strings.HasPrefix(price.id, "prod_") {
			check.Refuse(price.name, "must be the id of a price (price_…), not of a product (prod_…)")
		}
		if price.id != "" && !s.Available() {
			check.Warn(price.name, "does nothing without STRIPE_SECRET_KEY")
		}
	}
	if s.StripeAIMeter != "" && !s.Available() && !check.Environment.OnDesk() {
		check.Warn("STRIPE_AI_METER", "does nothing without STRIPE_SECRET_KEY")
	}
	if check.Environment == config.Production && strings.Contains(s.StripeSecretKey.Reveal(), "k_test_") {
		check.Warn("STRIPE_SECRET_KEY", "is a test key: payments in production move no money")
	}
}
