package testkit

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// Logger returns a logger and everything that was logged to it, from debug up. A failed test prints it.
func Logger(t testing.TB) (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, entry := range logs.All() {
			t.Logf("log: %s %s %v", entry.Level, entry.Message, entry.ContextMap())
		}
	})
	return zap.New(core), logs
}
