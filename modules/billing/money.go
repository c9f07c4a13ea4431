package billing

import (
	"fmt"
	"slices"
	"strings"
)

// whole tells whether a currency has no smaller unit: https://docs.stripe.com/currencies#zero-decimal
func whole(currency string) bool {
	return slices.Contains([]string{
		"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
	}, currency)
}

// Money returns an amount in a currency's smallest unit as people read it, such as "20.00 USD". The currency is that of ISO 4217
// in small letters, as Stripe has it.
func Money(amount int64, currency string) string {
	sign, code := "", strings.ToUpper(currency)
	if amount < 0 {
		sign, amount = "-", -amount
	}
	if whole(currency) {
		return fmt.Sprintf("%s%d %s", sign, amount, code)
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, amount/100, amount%100, code)
}
