//scaffold:needs notifications

package scaffold

import "testing"

// A module that had no events gets its first one.
func TestAModuleGetsItsFirstEvent(t *testing.T) {
	folder := clone(t)
	run(t, folder, "run", "./cmd/scaffold", "event", "mail_refused", "--module", "notifications")
	run(t, folder, "run", "./cmd/scaffold", "canvas", "--check")
	run(t, folder, "test", "./test/contract", "-run", "Event|Golden|Consumers")
}
