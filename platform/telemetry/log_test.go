package telemetry_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/telemetry"
)

func TestLogMasksWhatGivesAway(t *testing.T) {
	for name, secret := range map[string]string{
		"jwt":      "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln",
		"bearer":   "Bearer canary-token",
		"password": "postgres://app:canary@db:5432/x",
		"address":  "canary.person+tag@mail.example.com",
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log := telemetry.NewLogger(telemetry.LogOptions{Level: "DEBUG"}, &out)
			log.With(zap.String("with", secret)).Info("said "+secret,
				zap.String("text", secret), zap.Error(errors.New("failed: "+secret)), zap.ByteString("bytes", []byte(secret)))

			for _, part := range []string{"canary", "eyJzdWIiOiJjYW5hcnkifQ"} {
				if strings.Contains(out.String(), part) {
					t.Errorf("the log holds %q: %s", part, out.String())
				}
			}
			if strings.Count(out.String(), "****") < 5 {
				t.Errorf("not every place is masked: %s", out.String())
			}
		})
	}
}

func TestLibrariesLogMasked(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.Slog(telemetry.NewLogger(telemetry.LogOptions{Level: "INFO"}, &out).Named("library"))
	log.Debug("unseen")
	log.With("with", "a@example.com").Error("to b@example.com", "text", "c@example.com", slog.Any("error", errors.New("d@example.com")), "number", 7)

	line := out.String()
	if strings.Contains(line, "example") || strings.Count(line, "****@****") != 4 || strings.Contains(line, "unseen") {
		t.Errorf("the log says %s", line)
	}
	for _, want := range []string{`"logger":"library"`, `"level":"error"`, `"number":7`} {
		if !strings.Contains(line, want) {
			t.Errorf("the log lacks %s: %s", want, line)
		}
	}
	if strings.Contains(line, "stacktrace") {
		t.Errorf("the log shows a library's stack: %s", line)
	}
	if got := telemetry.Mask("to e@example.com"); got != "to ****@****" {
		t.Errorf("masked is %q", got)
	}
}

func TestLogLeavesTheRest(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewLogger(telemetry.LogOptions{Level: "INFO"}, &out)
	log.Debug("unseen")
	log.Info("request", zap.String("route", "/api/v1/app/projects/{id}"), zap.Int("status", 200), zap.String("version", "1.2.3"))

	for _, want := range []string{`"msg":"request"`, `"route":"/api/v1/app/projects/{id}"`, `"status":200`, `"version":"1.2.3"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %s: %s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "unseen") {
		t.Errorf("a line below the level was written: %s", out.String())
	}
}
