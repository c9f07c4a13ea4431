//scaffold:needs ai billing notifications

package main

import (
	"os"
	"strings"
	"testing"
)

func TestTheBannerNamesThePagesOfModules(t *testing.T) {
	t.Parallel()
	s := newDesk(t).serve("serve")
	for name, path := range map[string]string{"Mail": "/dev/mail", "Stripe": "/dev/stripe/"} {
		s.await(&s.stdout, `(?m)^  `+name+` +`+s.url+path+`(?:  .+)?$`)
		s.api.Do(t, "GET", path).Want(200)
	}
}

// The settings of modules are proved with those of the platform, and their secrets are as hidden.
func TestSettingsOfModules(t *testing.T) {
	t.Parallel()
	ended := newDesk(t, "EMAIL_PROVIDER=pigeon", "STRIPE_SECRET_KEY="+canary).run("serve")
	ended.want(t, exitFailed, "", "2 settings are not valid:", `EMAIL_PROVIDER="pigeon"`, "STRIPE_WEBHOOK_SECRET is unset: must be set when STRIPE_SECRET_KEY is")
	if strings.Contains(ended.stderr, canary[:20]) {
		t.Error("it shows a secret")
	}

	d := newDesk(t, "OPENAI_API_KEY="+canary)
	if err := os.WriteFile(d.file(".env"), []byte("RESEND_API_KEY="+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := d.run("config").stdout
	for line, from := range map[string]string{"OPENAI_API_KEY": "environment", "RESEND_API_KEY": ".env"} {
		if fields := strings.Join(strings.Fields(shown), " "); !strings.Contains(fields, line+" **** "+from) {
			t.Errorf("%s isn't there, masked\n%s", line, shown)
		}
	}
	if strings.Contains(shown, "CANARY") {
		t.Error("it shows a secret")
	}
}
