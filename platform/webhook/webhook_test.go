package webhook_test

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/webhook"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// other is a secret beside webhooktest.Secret.
const other = "whsec_YW5vdGhlciBzZWNyZXQgdGhhdCBpcyBub2JvZHkncyA="

func verifier(t testing.TB, secrets ...string) *webhook.Verifier {
	t.Helper()
	v, err := webhook.New(clock.NewManual(now), secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The example of https://docs.svix.com/receiving/verifying-payloads/how-manual, with its secret, id, time and signature.
func TestTheExampleOfSvix(t *testing.T) {
	v, err := webhook.New(clock.NewManual(time.Unix(1614265330, 0)), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	id, err := v.Verify(webhooktest.Of(map[string]string{
		"svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "svix-timestamp": "1614265330",
		"svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	}), []byte(`{"test": 2432232314}`))
	if err != nil || id != "msg_p5jXN8AQM9LWM0D4loKWxJek" {
		t.Errorf("%q, %v", id, err)
	}
}

func TestSignedPostsAreBelieved(t *testing.T) {
	body := []byte(`{"type":"x"}`)
	for name, test := range map[string]struct {
		headers map[string]string
		secrets []string
	}{
		"svix":            {webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now, body), []string{webhooktest.Secret}},
		"standard":        {webhooktest.Sign(t, "webhook-", webhooktest.Secret, "msg_1", now, body), []string{webhooktest.Secret}},
		"supabase":        {webhooktest.Sign(t, "webhook-", webhooktest.Secret, "msg_1", now, body), []string{"v1," + webhooktest.Secret}},
		"the new secret":  {webhooktest.Sign(t, "svix-", other, "msg_1", now, body), []string{webhooktest.Secret, other}},
		"the old secret":  {webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now, body), []string{webhooktest.Secret, other}},
		"five min. late":  {webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now.Add(-webhook.Tolerance), body), []string{webhooktest.Secret}},
		"five min. early": {webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now.Add(webhook.Tolerance), body), []string{webhooktest.Secret}},
	} {
		if id, err := verifier(t, test.secrets...).Verify(webhooktest.Of(test.headers), body); err != nil || id != "msg_1" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

// A sender that replaces its secret signs with both and lists both, among schemes that we don't know.
func TestOneOfManySignaturesIsEnough(t *testing.T) {
	body := []byte("{}")
	headers := webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now, body)
	headers["svix-signature"] = "v1a,AAAA " + webhooktest.Sign(t, "svix-", other, "msg_1", now, body)["svix-signature"] + " " + headers["svix-signature"]
	if _, err := verifier(t, webhooktest.Secret).Verify(webhooktest.Of(headers), body); err != nil {
		t.Error(err)
	}
}

func TestAttacks(t *testing.T) {
	const body = `{"type":"x"}`
	right := webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1", now, []byte(body))
	with := func(name, value string) map[string]string {
		changed := maps.Clone(right)
		changed[name] = value
		return changed
	}
	signed := func(id string, at time.Time) map[string]string {
		return webhooktest.Sign(t, "svix-", webhooktest.Secret, id, at, []byte(body))
	}
	empty := webhooktest.Sign(t, "svix-", "whsec_", "msg_1", now, []byte(body))
	mixed := webhooktest.Sign(t, "webhook-", webhooktest.Secret, "msg_1", now, []byte(body))
	mixed["svix-signature"] = mixed["webhook-signature"]
	delete(mixed, "webhook-signature")
	hex := strings.TrimPrefix(right["svix-signature"], "v1,")

	for name, test := range map[string]struct {
		headers map[string]string
		body    string
	}{
		"nothing":                    {nil, body},
		"no id":                      {with("svix-id", ""), body},
		"no timestamp":               {with("svix-timestamp", ""), body},
		"no signature":               {with("svix-signature", ""), body},
		"another body":               {right, body + " "},
		"no body":                    {right, ""},
		"another id":                 {with("svix-id", "msg_2"), body},
		"another timestamp":          {with("svix-timestamp", "1772366401"), body},
		"signed with nothing":        {empty, body},
		"signed with another secret": {webhooktest.Sign(t, "svix-", other, "msg_1", now, []byte(body)), body},
		"too old":                    {signed("msg_1", now.Add(-webhook.Tolerance-time.Second)), body},
		"too new":                    {signed("msg_1", now.Add(webhook.Tolerance+time.Second)), body},
		"a time before all times":    {with("svix-timestamp", "-1"), body},
		"a time after all times":     {with("svix-timestamp", "99999999999999999999"), body},
		"a time with a plus":         {with("svix-timestamp", "+"+right["svix-timestamp"]), body},
		"a time in hexadecimal":      {with("svix-timestamp", "0x69a42bc0"), body},
		"headers of two families":    {mixed, body},
		"a point in the id":          {signed("msg.1", now), body},
		"an endless id":              {signed(strings.Repeat("m", 257), now), body},
		"no version":                 {with("svix-signature", hex), body},
		"another version":            {with("svix-signature", "v2,"+hex), body},
		"the public key's version":   {with("svix-signature", "v1a,"+hex), body},
		"half a signature":           {with("svix-signature", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 16))), body},
		"an empty signature":         {with("svix-signature", "v1,"), body},
		"commas instead of spaces":   {with("svix-signature", "v1,AAAA,v1,"+hex), body},
		"an endless list":            {with("svix-signature", strings.Repeat("v1,AAAA ", 600)+right["svix-signature"]), body},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := verifier(t, webhooktest.Secret).Verify(webhooktest.Of(test.headers), []byte(test.body))
			if !errs.Is(err, errs.Malformed) || id != "" {
				t.Errorf("%q, %v", id, err)
			}
		})
	}
}

// What was signed as an id with a point, a timestamp and a body isn't taken for a shorter id and a longer body.
func TestThePartsCannotBeMoved(t *testing.T) {
	signed := webhooktest.Sign(t, "svix-", webhooktest.Secret, "msg_1.1772366400", now, []byte("{}"))
	moved := map[string]string{"svix-id": "msg_1", "svix-timestamp": "1772366400", "svix-signature": signed["svix-signature"]}
	v := verifier(t, webhooktest.Secret)
	if _, err := v.Verify(webhooktest.Of(signed), []byte("{}")); !errs.Is(err, errs.Malformed) {
		t.Errorf("an id with a point: %v", err)
	}
	// The same bytes are signed here, which is why nobody may sign an id with a point. Its body is no JSON any more.
	if _, err := v.Verify(webhooktest.Of(moved), []byte(signed["svix-timestamp"]+".{}")); err != nil {
		t.Errorf("the scheme has changed: %v", err)
	}
}

func TestSecretsThatVerifyNothing(t *testing.T) {
	for name, secrets := range map[string][]string{
		"none":            nil,
		"empty":           {""},
		"the prefix":      {"whsec_"},
		"short":           {"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))},
		"no prefix":       {strings.TrimPrefix(webhooktest.Secret, "whsec_")},
		"no base64":       {"whsec_canary-canary-canary-canary-canary-canary"},
		"one of two":      {webhooktest.Secret, ""},
		"a Stripe secret": {"whsec_canary"},
	} {
		if v, err := webhook.New(clock.NewManual(now), secrets...); err == nil || v != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("msg_1", "1772366400", "v1,AAAA v1,", []byte("{}"))
	f.Add("", "-1", "v1a, ,", []byte(nil))
	right := webhooktest.Sign(f, "svix-", webhooktest.Secret, "msg_1", now, []byte("{}"))
	f.Add(right["svix-id"], right["svix-timestamp"], right["svix-signature"], []byte("{}"))
	v := verifier(f, webhooktest.Secret)
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		headers := map[string]string{"svix-id": id, "svix-timestamp": timestamp, "svix-signature": signature}
		got, err := v.Verify(webhooktest.Of(headers), body)
		if err != nil {
			if !errs.Is(err, errs.Malformed) || got != "" {
				t.Errorf("%q, %v", got, err)
			}
			return
		}
		// Whatever is believed holds what we would have signed.
		want := webhooktest.Sign(t, "svix-", webhooktest.Secret, id, now, body)["svix-signature"]
		if timestamp == right["svix-timestamp"] && !strings.Contains(signature, want) {
			t.Errorf("%q is believed", signature)
		}
	})
}
