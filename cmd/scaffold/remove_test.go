package main

import (
	"strings"
	"testing"
)

func TestWhatIsNotRemoved(t *testing.T) {
	for name, want := range map[string]string{
		"users": "the users stay", "nothing": "no module nothing", "../modules/users": "no module", "": "no module", "a b": "no module",
	} {
		if _, err := scaffold(t, "remove", name, "--root", top); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}

// gone is a removal of orders, which went with a test here and a test there.
var gone = removal{
	name: "orders", gone: []string{"modules/orders/internal", "modules/orders/ordersmod", "test/api/orders_test.go"},
	tests: map[string]bool{"test/api.TestOrders": true}, settings: []string{"ORDERS_KEY", "ORDERS_URL"}, answers: []string{"Order", "OrderList"},
}

// What is left of each text is what isn't the module's.
func TestWhatGoesWithAModule(t *testing.T) {
	for name, test := range map[string]struct {
		edit         func(string) string
		before, want string
	}{
		"consumers": {gone.withoutConsumers, "a.x users.b.v1\norders.y users.b.v1\nz.x orders.b.v1\n", "a.x users.b.v1\nz.x orders.b.v1\n"},
		"answers":   {gone.withoutAnswers, "Order.id\nOrderList.items\nOrderly.id\nUser.id\n", "Orderly.id\nUser.id\n"},
		"libraries": {
			gone.withoutLibraries, "\t{\"a\", \"modules/orders/internal/adapters/x platform/y\"},\n\t{\"b\", \"modules/orders/internal/z\"},\n\t{\"c\", \"modules/*/x\"},\n",
			"\t{\"a\", \"platform/y\"},\n\t{\"c\", \"modules/*/x\"},\n",
		},
		"proofs": {
			gone.withoutProofs, "- title: A\n  tests:\n    test/api: [TestOrders, TestOthers]\n- title: B\n  tests:\n    test/api: [TestOrders/of_alice]\n\n- title: C\n  open: later\n",
			"- title: A\n  tests:\n    test/api: [TestOthers]\n- title: B\n  not-applicable: What proved it went with orders.\n\n- title: C\n  open: later\n",
		},
		"settings": {
			gone.withoutSettings,
			"# How to.\n# More.\n\n# Core\n\n# What.\nPORT=1\n\n# Orders\n\n# Secret.\nORDERS_KEY=\"\"\n# e.g. ORDERS_KEY=\"x\"\n\n# Where.\n# ORDERS_URL=\n\n# Last\n\nZ=1\n",
			"# How to.\n# More.\n\n# Core\n\n# What.\nPORT=1\n\n# Last\n\nZ=1\n",
		},
		"settings at the end": {gone.withoutSettings, "# Core\n\nPORT=1\n\n# Orders\n\nORDERS_KEY=\n", "# Core\n\nPORT=1\n"},
		"names": {
			gone.withoutNames, "See `modules/orders/internal/x.go` and `modules/users`.\n| A | b | `TestOrders`, `TestOthers` |\n| C | d | `TestOrders/x` |\n",
			"See modules/orders/internal/x.go and `modules/users`.\n| A | b | `TestOthers` |\n",
		},
	} {
		if got := test.edit(test.before); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, test.want)
		}
	}
	if got := needs([]byte("//scaffold:needs ai orders\n\npackage x\n")); len(got) != 2 || got[1] != "orders" {
		t.Errorf("it needs %q", got)
	}
	if got := needs([]byte("package x\n//scaffold:needs orders\n")); got != nil {
		t.Errorf("what stands in the code is no need: %q", got)
	}
}
