package catalog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/billing/internal/adapters/catalog"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
)

func TestTheBuiltInPlans(t *testing.T) {
	plans, err := catalog.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	free, _ := plans.Plan("free")
	pro, _ := plans.Plan("pro")
	enterprise, _ := plans.Plan("enterprise")
	if free.Projects != 3 || free.StorageBytes != 100<<20 || free.FileBytes != 10<<20 || len(free.Prices) != 0 {
		t.Errorf("free is %+v", free)
	}
	if pro.Prices[domain.Yearly] != (domain.Price{ID: "price_pro_yearly", Amount: 20000, Currency: "usd"}) || pro.TrialDays != 14 {
		t.Errorf("pro is %+v", pro)
	}
	if enterprise.Projects != domain.Unlimited || enterprise.StorageBytes != domain.Unlimited || enterprise.FileBytes != domain.Unlimited || enterprise.AIRoutes[0] != "*" {
		t.Errorf("enterprise is %+v", enterprise)
	}
}

// With an account at Stripe nothing is offered at a price that isn't there.
func TestOnlyConfiguredPricesAreSold(t *testing.T) {
	for name, test := range map[string]struct {
		monthly, yearly string
		want            int
	}{"both": {"price_1", "price_2", 2}, "one": {"", "price_2", 1}, "none": {"", "", 0}} {
		plans, err := catalog.Sold(test.monthly, test.yearly)
		if err != nil {
			t.Fatal(err)
		}
		offered := 0
		for _, plan := range plans.Plans() {
			offered += len(plan.Prices)
		}
		if offered != test.want {
			t.Errorf("%s: %d prices are offered, want %d", name, offered, test.want)
		}
		for _, price := range []string{"price_pro_monthly", "price_enterprise_yearly"} {
			if _, _, found := plans.Sold(price); found {
				t.Errorf("%s: the simulator's price %s is sold", name, price)
			}
		}
	}
	if _, err := catalog.Sold("price_1", "price_1"); err == nil {
		t.Error("one price is sold for two intervals")
	}
}

// A catalogue from before there was a limit of one file goes on to have none.
func TestACatalogueMayNotSayHowLargeAFileIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plans.yaml")
	if err := os.WriteFile(path, []byte("plans:\n  - {name: free, rate_factor: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plans, err := catalog.Read(path)
	if free, _ := plans.Plan("free"); err != nil || free.FileBytes != domain.Unlimited {
		t.Errorf("got %+v, %v", free, err)
	}
}

func TestRead(t *testing.T) {
	const good = "plans:\n  - {name: free, rate_factor: 1}\n"
	for name, test := range map[string]struct{ text, wrong string }{
		"good":              {good, ""},
		"unknown field":     {"plans:\n  - {name: free, rate_factor: 1, colour: red}\n", "colour"},
		"no YAML":           {"plans: [", "yaml"},
		"empty":             {"", "EOF"},
		"no free plan":      {"plans:\n  - {name: pro, rate_factor: 1}\n", `no plan "free"`},
		"unknown interval":  {good + "  - {name: pro, rate_factor: 1, prices: {weekly: {id: price_1}}}\n", "weekly"},
		"amount, no money":  {good + "  - {name: pro, rate_factor: 1, prices: {monthly: {id: price_1, amount: 5}}}\n", "amount"},
		"one price, twice":  {good + "  - {name: pro, rate_factor: 1, prices: {monthly: {id: p}, yearly: {id: p}}}\n", "of another"},
		"no rate factor":    {"plans:\n  - {name: free}\n", "rate factor"},
		"file below none":   {"plans:\n  - {name: free, rate_factor: 1, file_mib: -2}\n", "below -1"},
		"plan of no number": {"plans:\n  - {name: free, rate_factor: many}\n", "many"},
	} {
		path := filepath.Join(t.TempDir(), "plans.yaml")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := catalog.Read(path)
		if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: got %v, want %q in it", name, err, test.wrong)
		}
	}
	if _, err := catalog.Read("none.yaml"); err == nil {
		t.Error("a file that isn't there was read")
	}
}
