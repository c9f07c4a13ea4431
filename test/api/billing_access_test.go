//scaffold:needs billing

package api

import (
	"github.com/omnistack/omnistack/platform/testkit"
)

// billingAccesses are the cases of the routes of billing, and of the simulator of Stripe. Whoever hasn't been to the checkout has
// no portal, so the portal comes first.
var billingAccesses = []access{
	{route: "GET " + billing + "/plans", want: reads(200, 200)},
	{route: "GET " + billing + "/subscription", want: reads(200, 200)},
	{route: "GET " + billing + "/invoices", want: reads(200, 200)},
	{route: "POST " + billing + "/portal", want: persons(201, 409), path: func(m *matrix) string {
		m.customer()
		return billing + "/portal"
	}},
	{route: "POST " + billing + "/checkout", want: persons(201, 201), body: purchase},
	{route: "POST " + api + "/public/webhooks/stripe", want: everybody(400), body: `{"id": "evt_1"}`, free: true},
	{route: "GET " + api + "/admin/billing/revenue", want: admins(200, 200)},
	{route: "GET " + api + "/admin/billing/webhooks", want: admins(200, 200)},
	{route: "POST " + api + "/admin/billing/webhooks/{id}/replay", want: admins(202, 202), path: (*matrix).webhook},

	{route: "GET /dev/stripe/*rest", want: everybody(200), path: fixed("/dev/stripe/"), shows: true, free: true},
	{route: "POST /dev/stripe/*rest", want: everybody(400), path: fixed("/dev/stripe/clock"), free: true},
	{route: "DELETE /dev/stripe/*rest", want: everybody(401), path: fixed("/dev/stripe/v1/customers/cus_1"), free: true},
}

const purchase = `{"plan": "pro", "interval": "monthly"}`

// customer makes the owner a customer.
func (m *matrix) customer() {
	m.as(owner).Do(m.t, "POST", billing+"/checkout", testkit.Body(purchase)).Want(201)
}

// webhook returns the address to replay what was posted about the owner.
func (m *matrix) webhook() string {
	m.customer()
	m.quiet()
	const list = api + "/admin/billing/webhooks"
	return list + "/" + m.as(admin).Do(m.t, "GET", list).Want(200).Text("items.0.id") + "/replay"
}
