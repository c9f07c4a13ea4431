//scaffold:needs notifications projects

package scaffold

import "testing"

// A module that had no events gets its first one, and then a mail is sent of another module's.
func TestAMailInOneCommand(t *testing.T) {
	folder := clone(t)
	run(t, folder, "run", "./cmd/scaffold", "event", "mail_refused", "--module", "notifications")
	for _, command := range lines(t, "make consumer ") {
		if out, err := paste(t, folder, command); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	run(t, folder, "run", "./cmd/scaffold", "canvas", "--check")
	run(t, folder, "test", "./test/contract", "-run", "Event|Golden|Consumers")
	run(t, folder, "test", "./modules/notifications/notificationsmod", "-run", "TestEveryHandlerActsOncePerEvent")
}
