package billing_test

import (
	"testing"

	"github.com/omnistack/omnistack/modules/billing"
)

func TestMoney(t *testing.T) {
	for _, test := range []struct {
		amount   int64
		currency string
		want     string
	}{
		{2000, "usd", "20.00 USD"}, {5, "eur", "0.05 EUR"}, {0, "usd", "0.00 USD"}, {-150, "usd", "-1.50 USD"}, {500, "jpy", "500 JPY"},
	} {
		if got := billing.Money(test.amount, test.currency); got != test.want {
			t.Errorf("%d %s is %q, want %q", test.amount, test.currency, got, test.want)
		}
	}
}
