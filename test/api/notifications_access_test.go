//scaffold:needs notifications

package api

import "fmt"

const (
	notified    = "/api/v1/app/notifications"
	preferences = notified + "/preferences"
)

// notificationsAccesses are the cases of the routes of notifications, and of the page that shows mail.
var notificationsAccesses = []access{
	{route: "GET /dev/mail", want: everybody(200), shows: true},
	{route: "GET /dev/mail/{number}", want: everybody(200), path: fixed("/dev/mail/1"), shows: true},
	{route: "GET /dev/mail/{number}/html", want: everybody(200), path: fixed("/dev/mail/1/html"), shows: true},
	{route: "POST " + api + "/public/contact", want: everybody(202), body: `{"name": "Eve", "email": "eve@example.org", "message": "Hello"}`},
	{route: "GET " + api + "/public/unsubscribe/{token}", want: everybody(404), path: fixed(api + "/public/unsubscribe/guessed")},
	{route: "POST " + api + "/public/unsubscribe/{token}", want: everybody(404), path: fixed(api + "/public/unsubscribe/guessed")},
	{route: "POST " + api + "/public/webhooks/resend", want: everybody(400), body: `{"type": "email.bounced"}`, free: true},
	{route: "POST " + api + "/public/webhooks/sendgrid", want: everybody(404), body: `[]`, free: true}, // it isn't configured
	{route: "GET " + notified, want: reads(200, 200)},
	{route: "POST " + notified + "/{id}/read", want: writes(200, 404), path: func(m *matrix) string { return m.notification() + "/read" }, hides: (*matrix).notification},
	{route: "GET " + preferences, want: reads(200, 200)},
	{route: "PATCH " + preferences, want: writes(200, 200), body: `{"kinds": {"projects.deleted": {"mail": false}}}`},
}

// notification returns the address of the owner's first notification.
func (m *matrix) notification() string {
	listed := m.as(owner).Do(m.t, "GET", notified+"?limit=100").Want(200)
	return notified + "/" + listed.Text(fmt.Sprintf("items.%d.id", len(listed.JSON("items").([]any))-1))
}
