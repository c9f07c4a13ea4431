package sendgrid_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/sendgrid"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Both ways are what the use cases drive.
var (
	_ app.Mailer   = (*sendgrid.Mailer)(nil)
	_ app.Feedback = (*sendgrid.Feedback)(nil)
)

// The headers of a signed post.
const (
	headerSignature = "x-twilio-email-event-webhook-signature"
	headerTimestamp = "x-twilio-email-event-webhook-timestamp"
)

func newKey(t *testing.T, curve elliptic.Curve) (*ecdsa.PrivateKey, string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, public(t, private.Public())
}

func public(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// sign returns the headers of a post as SendGrid signs it.
func sign(t *testing.T, key *ecdsa.PrivateKey, at time.Time, body string) map[string]string {
	t.Helper()
	timestamp := strconv.FormatInt(at.Unix(), 10)
	digest := sha256.Sum256([]byte(timestamp + body))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{headerTimestamp: timestamp, headerSignature: base64.StdEncoding.EncodeToString(signature)}
}

func of(headers map[string]string) func(string) string {
	return func(name string) string { return headers[name] }
}

// events are some as https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event shows them.
const events = `[
	{"email":"a@example.org","timestamp":1772366000,"event":"processed","sg_message_id":"1.filter"},
	{"email":"b@example.org","timestamp":1772366001,"event":"bounce","type":"bounce","status":"5.1.1","reason":"550 unknown","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0"},
	{"email":"c@example.org","timestamp":1772366002,"event":"bounce","type":"blocked","status":"4.0.0","sg_message_id":"14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0"},
	{"email":"d@example.org","timestamp":1772366003,"event":"dropped","reason":"Bounced Address","sg_message_id":"euo2iKxdSayPF4YE4--I7A.recvd-5f54b5d587-pczjm-1-67BADEEA-6.0"},
	{"email":"e@example.org","timestamp":1772366004,"event":"dropped","reason":"Spam Reporting Address"},
	{"email":"f@example.org","timestamp":1772366005,"event":"dropped","reason":"Invalid","sg_message_id":"only"},
	{"email":"g@example.org","timestamp":1772366006,"event":"dropped","reason":"Unsubscribed Address"},
	{"email":"h@example.org","timestamp":1772366007,"event":"dropped","reason":"Spam Content"},
	{"email":"i@example.org","timestamp":1772366008,"event":"spamreport","sg_message_id":"abc.0"},
	{"email":"j@example.org","timestamp":1772366009,"event":"deferred"},
	{"timestamp":1772366010,"event":"account_status_change","type":"compliance_suspend"}
]
`

func TestFeedback(t *testing.T) {
	private, key := newKey(t, elliptic.P256())
	_, older := newKey(t, elliptic.P256())
	feedback, err := sendgrid.NewFeedback(clock.NewManual(now), older, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]time.Time{
		"now": now, "a day late": now.Add(-24*time.Hour - 5*time.Minute), "five min. early": now.Add(5 * time.Minute),
	} {
		got, err := feedback.Read(of(sign(t, private, at, events)), []byte(events))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var lines []string
		for _, one := range got {
			lines = append(lines, fmt.Sprint(one.Address[:1], one.Reason, one.Permanent))
		}
		want := []string{
			"bbouncedtrue", "cbouncedfalse", "dbouncedtrue", "ecomplainedtrue", "fbouncedtrue", "icomplainedtrue",
		}
		if text := strings.ReplaceAll(strings.Join(lines, "|"), " ", ""); text != strings.Join(want, "|") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if got, err := feedback.Read(of(sign(t, private, now, "[]")), []byte("[]")); err != nil || got != nil {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

func TestAttacks(t *testing.T) {
	private, key := newKey(t, elliptic.P256())
	stranger, _ := newKey(t, elliptic.P256())
	feedback, err := sendgrid.NewFeedback(clock.NewManual(now), key)
	if err != nil {
		t.Fatal(err)
	}
	const body = `[{"email":"canary@example.org","event":"bounce"}]`
	right := sign(t, private, now, body)
	with := func(name, value string) map[string]string {
		return map[string]string{headerTimestamp: right[headerTimestamp], headerSignature: right[headerSignature], name: value}
	}
	moved := map[string]string{headerTimestamp: right[headerTimestamp][:9], headerSignature: right[headerSignature]}
	for name, test := range map[string]struct {
		headers map[string]string
		body    string
	}{
		"nothing":                       {nil, body},
		"no signature":                  {with(headerSignature, ""), body},
		"no timestamp":                  {with(headerTimestamp, ""), body},
		"another timestamp":             {with(headerTimestamp, strconv.FormatInt(now.Unix()+1, 10)), body},
		"a time before all times":       {with(headerTimestamp, "-1"), body},
		"a time after all times":        {with(headerTimestamp, "99999999999999999999"), body},
		"another body":                  {right, body + "\n"},
		"a digit moved into the body":   {moved, right[headerTimestamp][9:] + body},
		"another key":                   {sign(t, stranger, now, body), body},
		"too old":                       {sign(t, private, now.Add(-25*time.Hour-time.Second), body), body},
		"too new":                       {sign(t, private, now.Add(5*time.Minute+time.Second), body), body},
		"not in base64":                 {with(headerSignature, "canary!"), body},
		"a signature of zeros":          {with(headerSignature, "MAYCAQACAQA="), body},
		"signed, but no JSON":           {sign(t, private, now, "canary"), "canary"},
		"signed, but no list":           {sign(t, private, now, `{"email":"canary"}`), `{"email":"canary"}`},
		"signed, with the wrong fields": {sign(t, private, now, `[{"email":["canary"]}]`), `[{"email":["canary"]}]`},
	} {
		got, err := feedback.Read(of(test.headers), []byte(test.body))
		if !errs.Is(err, errs.Malformed) || got != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestKeysThatVerifyNothing(t *testing.T) {
	_, wide := newKey(t, elliptic.P384())
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, right := newKey(t, elliptic.P256())
	for name, keys := range map[string][]string{
		"none": nil, "empty": {""}, "no base64": {"canary!"}, "no key": {"Y2FuYXJ5"}, "another curve": {wide},
		"another algorithm": {public(t, edwards)}, "one of two": {right, ""},
	} {
		if feedback, err := sendgrid.NewFeedback(clock.NewManual(now), keys...); err == nil || feedback != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
