package stripe_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/adapters/stripe"
	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
)

const (
	secret = "whsec_nobodys"
	other  = "whsec_nobodys_either"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// paid is an event as Stripe posts it, shortened.
const paid = `{
  "id": "evt_1", "object": "event", "api_version": "2024-06-20", "type": "invoice.paid",
  "data": {"object": {"id": "in_1", "object": "invoice", "customer": "cus_1"}}
}`

// sum is the signature of a body, by the description of the scheme.
func sum(secret string, at time.Time, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return hex.EncodeToString(mac.Sum(nil))
}

func header(secret string, at time.Time, body string) string {
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), sum(secret, at, body))
}

func newHook(t testing.TB, secrets ...string) *stripe.Hook {
	t.Helper()
	hook, err := stripe.NewHook(clock.NewManual(now), secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return hook
}

func TestAHookNeedsSecrets(t *testing.T) {
	for _, secrets := range [][]string{nil, {""}, {secret, ""}} {
		if hook, err := stripe.NewHook(clock.NewManual(now), secrets...); err == nil || hook != nil || strings.Contains(err.Error(), secret) {
			t.Errorf("with the secrets %q: %v", secrets, err)
		}
	}
}

func TestSignedPostsAreBelieved(t *testing.T) {
	junk := strings.Repeat("0", 64)
	for name, signature := range map[string]string{
		"just now":                  header(secret, now, paid),
		"by the new secret":         header(other, now, paid),
		"five minutes late":         header(secret, now.Add(-stripe.Tolerance), paid),
		"five minutes early":        header(secret, now.Add(stripe.Tolerance), paid),
		"the right one of several":  fmt.Sprintf("t=%d,v1=%s,v1=%s", now.Unix(), junk, sum(secret, now, paid)),
		"in another order":          fmt.Sprintf("v1=%s,t=%d", sum(secret, now, paid), now.Unix()),
		"beside the scheme of test": header(secret, now, paid) + ",v0=" + junk,
		"beside unknown schemes":    "v2=x,," + header(secret, now, paid) + ",v1=short,novalue",
		"in capitals":               fmt.Sprintf("t=%d,v1=%s", now.Unix(), strings.ToUpper(sum(secret, now, paid))),
	} {
		post, err := newHook(t, secret, other).Verify(signature, []byte(paid))
		if want := (app.Post{ID: "evt_1", Type: "invoice.paid", CustomerID: "cus_1"}); err != nil || post != want {
			t.Errorf("%s: %+v, %v", name, post, err)
		}
	}
}

func TestForgedPostsAreRefused(t *testing.T) {
	right := header(secret, now, paid)
	reencoded, err := json.Marshal(json.RawMessage(paid)) // the same to every parser
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ signature, body string }{
		"no header":                 {"", paid},
		"no signature":              {fmt.Sprintf("t=%d", now.Unix()), paid},
		"an empty signature":        {fmt.Sprintf("t=%d,v1=", now.Unix()), paid},
		"no time":                   {"v1=" + sum(secret, now, paid), paid},
		"another secret":            {header("whsec_wrong", now, paid), paid},
		"an empty secret":           {header("", now, paid), paid},
		"another body":              {right, strings.Replace(paid, "cus_1", "cus_2", 1)},
		"a body encoded anew":       {right, string(reencoded)},
		"a longer body":             {right, paid + "\n"},
		"no body":                   {right, ""},
		"301 seconds ago":           {header(secret, now.Add(-301*time.Second), paid), paid},
		"301 seconds from now":      {header(secret, now.Add(301*time.Second), paid), paid},
		"a time that wasn't signed": {strings.Replace(right, "t=", "t=0", 1), paid},
		"a second time":             {right + fmt.Sprintf(",t=%d", now.Unix()), paid},
		"a time that is no number":  {"t=soon,v1=" + sum(secret, now, paid), paid},
		"a time below zero":         {header(secret, time.Unix(-1, 0), paid), paid},
		"the end of time":           {"t=9223372036854775807,v1=" + sum(secret, now, paid), paid},
		"beyond the end of time":    {"t=9223372036854775808,v1=" + sum(secret, now, paid), paid},
		"the scheme of tests":       {fmt.Sprintf("t=%d,v0=%s", now.Unix(), sum(secret, now, paid)), paid},
		"half a signature":          {right[:len(right)-2], paid},
		"more than a signature":     {right + "00", paid},
		"a header without end":      {right + "," + strings.Repeat("x", 4096), paid},
	} {
		post, err := newHook(t, secret).Verify(test.signature, []byte(test.body))
		if !errs.Is(err, errs.Malformed) || post != (app.Post{}) {
			t.Errorf("%s: %+v, %v", name, post, err)
		}
		if err != nil && (strings.Contains(err.Error(), "cus_") || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s: the error tells too much: %v", name, err)
		}
	}
}

func TestWhoAPostIsAbout(t *testing.T) {
	for name, test := range map[string]struct{ data, want string }{
		"a customer":               {`{"object": {"object": "customer", "id": "cus_1"}}`, "cus_1"},
		"somebody's":               {`{"object": {"object": "subscription", "id": "sub_1", "customer": "cus_1"}}`, "cus_1"},
		"somebody's, expanded":     {`{"object": {"object": "invoice", "id": "in_1", "customer": {"id": "cus_1", "object": "customer"}}}`, "cus_1"},
		"nobody's any more":        {`{"object": {"object": "payment_method", "id": "pm_1", "customer": null}}`, ""},
		"nobody's":                 {`{"object": {"object": "price", "id": "price_1"}}`, ""},
		"a number for a customer":  {`{"object": {"object": "invoice", "id": "in_1", "customer": 7}}`, ""},
		"a list for a customer":    {`{"object": {"object": "invoice", "id": "in_1", "customer": ["cus_1"]}}`, ""},
		"an id with a zero byte":   {`{"object": {"object": "customer", "id": "cus_\u0000"}}`, ""},
		"an id without end":        {`{"object": {"object": "customer", "id": "cus_` + strings.Repeat("1", 252) + `"}}`, ""},
		"a number for an id":       {`{"object": {"object": "customer", "id": 7}}`, ""},
		"a text for an object":     {`{"object": "cus_1"}`, ""},
		"no object":                {`{}`, ""},
		"nothing for an object":    {`{"object": null}`, ""},
		"a text for what it holds": {`"cus_1"`, ""},
		"nothing":                  {`null`, ""},
	} {
		body := `{"id": "evt_1", "type": "a.type", "data": ` + test.data + `}`
		post, err := newHook(t, secret).Verify(header(secret, now, body), []byte(body))
		if err != nil || post != (app.Post{ID: "evt_1", Type: "a.type", CustomerID: test.want}) {
			t.Errorf("%s: %+v, %v", name, post, err)
		}
	}
}

func TestWhatIsNoEvent(t *testing.T) {
	long := strings.Repeat("x", 252)
	for _, body := range []string{
		``, `null`, `[]`, `"evt_1"`, `{}`, `{`, paid + `x`,
		`{"id": "evt_1"}`, `{"type": "a"}`, `{"id": "", "type": "a"}`, `{"id": "evt_1", "type": ""}`,
		`{"id": 1, "type": "a"}`, `{"id": "evt_1", "type": {}}`, `{"id": "in_1", "type": "a"}`, `{"id": "evt_` + long + `", "type": "a"}`,
		`{"id": "evt_1", "type": "abcd` + long + `"}`, `{"id": "evt_\u0000", "type": "a"}`, `{"id": "evt_1", "type": "a b"}`, `{"id": "evt_ü", "type": "a"}`,
	} {
		post, err := newHook(t, secret).Verify(header(secret, now, body), []byte(body))
		if !errs.Is(err, errs.Malformed) || post != (app.Post{}) {
			t.Errorf("%s: %+v, %v", body, post, err)
		}
	}
}

// signedNow tells whether a header holds the signature of any second within the tolerance.
func signedNow(signature, body string) bool {
	for away := -stripe.Tolerance; away <= stripe.Tolerance; away += time.Second {
		if strings.Contains(strings.ToLower(signature), sum(secret, now.Add(away), body)) {
			return true
		}
	}
	return false
}

func FuzzVerify(f *testing.F) {
	f.Add(header(secret, now, paid), []byte(paid))
	f.Add("t=1,v1=00", []byte("{}"))
	f.Add("v1=,t=,t=", []byte(`{"id": "evt_1", "type": "a", "data": {"object": {"customer": {}}}}`))
	hook := newHook(f, secret)
	f.Fuzz(func(t *testing.T, signature string, body []byte) {
		if _, err := hook.Verify(signature, body); err == nil && !signedNow(signature, string(body)) {
			t.Error("what isn't signed is believed")
		}
		if _, err := hook.Verify(signature, append(body, ' ')); err == nil {
			t.Error("a signature holds for another body")
		}
		post, err := hook.Verify(header(secret, now, string(body)), body)
		if err != nil {
			if !errs.Is(err, errs.Malformed) || post != (app.Post{}) {
				t.Errorf("%+v, %v", post, err)
			}
			return
		}
		if !json.Valid(body) || !strings.HasPrefix(post.ID, "evt_") || post.Type == "" || max(len(post.ID), len(post.Type), len(post.CustomerID)) > 255 ||
			strings.ContainsFunc(post.ID+post.Type+post.CustomerID, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("of %s it makes %+v", body, post)
		}
	})
}
