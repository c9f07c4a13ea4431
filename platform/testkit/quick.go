package testkit

import (
	"os"
	"runtime/debug"
	"slices"
	"testing"
)

// SkipOrFail skips the test for the reason, or fails it when CI=true: there, what is skipped is not known to work.
func SkipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test may not be skipped when CI=true: %s", reason)
	}
	t.Skip(reason)
}

// NeedServers skips the test in a quick run, which does without servers. Whatever here starts one calls it.
func NeedServers(t testing.TB) {
	t.Helper()
	if testing.Short() || os.Getenv("TESTKIT_QUICK") == "1" {
		SkipOrFail(t, "a quick run has no servers")
	}
}

// Raced tells whether the race detector watches, under which what is computed takes ten times as long.
func Raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
