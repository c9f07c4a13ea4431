package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/telemetry"
)

func TestLogMasksWhatGivesAway(t *testing.T) {
	for name, secret := range map[string]string{
		"jwt":      "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln",
		"bearer":   "Bearer canary-token",
		"password": "postgres://app:canary@db:5432/x",
		"address":  "canary.person+tag@mail.example.com",

		"resend":     "re_canary1_QwErTyUi",
		"sendgrid":   "SG.canary1canary1canary1.QwErTyUiOpAsDfGhJk",
		"stripe":     "sk_test_canary1QwErTyUi",
		"restricted": "rk_live_canary1QwErTyUi",
		"openai":     "sk-proj-canary1-QwErTyUi",
		"anthropic":  "sk-ant-api03-canary1QwErTyUi",
		"webhook":    "whsec_canary1+canary/QwErTyUi=",
		"our own":    "omni_canary1QwErTyUiOpAsDfGhJk",
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log := telemetry.NewLogger(telemetry.LogOptions{Level: "DEBUG"}, &out)
			log.With(zap.String("with", secret)).Info("said "+secret,
				zap.String("text", secret), zap.Error(errors.New("failed: "+secret)), zap.ByteString("bytes", []byte(secret)),
				zap.Any("struct", struct{ Of string }{secret}), zap.Any("list", []string{secret}), zap.Stringer("stringer", stringer(secret)))

			for _, part := range []string{"canary", "eyJzdWIiOiJjYW5hcnkifQ"} {
				if strings.Contains(out.String(), part) {
					t.Errorf("the log holds %q: %s", part, out.String())
				}
			}
			if strings.Count(out.String(), "****") < 8 {
				t.Errorf("not every place is masked: %s", out.String())
			}
		})
	}
}

// stringer says what it is only when it is asked.
type stringer string

func (s stringer) String() string { return string(s) }

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

// Words that only begin like a key are words.
func TestMaskLeavesWords(t *testing.T) {
	for _, text := range []string{
		"re_read the rows", "a task-oriented job", "desk-lamp", "more_than_enough_words", "core_functionality", "risk_assessments",
		"disk-space-is-low", "SG. is short", "whsec_", "omni_ab12", "uni_versities", "re-registered", "sk-short", "01a214e3-d424-7aee-8d82-a112b91ec602",
	} {
		if got := telemetry.Mask(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := telemetry.Mask("key=re_canary1_QwErTyUi, again sk-canary1canary1"); got != "key=re_****, again sk-****" {
		t.Errorf("masked is %q", got)
	}
}

func BenchmarkMask(b *testing.B) {
	for name, text := range map[string]string{
		"common": "request", "path": "/api/v1/app/projects/{id}", "id": "01a214e3-d424-7aee-8d82-a112b91ec602", "key": "re_canary1_QwErTyUi",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				telemetry.Mask(text)
			}
		})
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

// A line says when, in a form that programs read, with its zone.
func TestEveryLineHasItsTime(t *testing.T) {
	var out bytes.Buffer
	before := time.Now()
	telemetry.NewLogger(telemetry.LogOptions{Level: "INFO"}, &out).Warn("said", zap.Int("n", 1))
	var line struct {
		Time       time.Time
		Level, Msg string
		N          int
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if line.Time.Before(before) || line.Time.After(time.Now()) || line.Level != "warn" || line.Msg != "said" || line.N != 1 {
		t.Errorf("the log says %s", out.String())
	}
}

// What is logged stays one line, without what a terminal would obey. Messages are ours; texts may be anybody's.
func TestNobodyWritesALine(t *testing.T) {
	const hostile = "a\n{\"level\":\"info\",\"msg\":\"forged\"}\r\n\x1b[2J\x00"
	for name, console := range map[string]bool{"JSON": false, "console": true} {
		var out bytes.Buffer
		log := telemetry.NewLogger(telemetry.LogOptions{Level: "INFO", Console: console}, &out)
		log.Info("said", zap.String("text", hostile), zap.Error(errors.New(hostile)), zap.ByteString("bytes", []byte(hostile)),
			zap.Any("list", []string{hostile}), zap.Stringer("stringer", stringer(hostile)), zap.String(hostile, "key"))
		if line := strings.TrimSuffix(out.String(), "\n"); strings.ContainsAny(line, "\n\r\x1b\x00") {
			t.Errorf("%s: %q", name, line)
		}
	}
	var out bytes.Buffer
	telemetry.NewLogger(telemetry.LogOptions{Level: "INFO"}, &out).Info(hostile)
	if line := strings.TrimSuffix(out.String(), "\n"); strings.ContainsAny(line, "\n\r\x1b\x00") {
		t.Errorf("the message: %q", line)
	}
}
