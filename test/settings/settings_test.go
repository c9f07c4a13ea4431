// Package settings_test proves what holds for the settings of the whole product, the platform's and every module's.
package settings_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/ai/aimod"
	"github.com/omnistack/omnistack/modules/billing/billingmod"
	"github.com/omnistack/omnistack/modules/notifications/notificationsmod"
	"github.com/omnistack/omnistack/modules/users/usersmod"
	"github.com/omnistack/omnistack/platform/config"
)

const example = "../../.env.example"

// groups returns every group of settings, empty.
func groups() []config.Group {
	return []config.Group{
		new(config.Platform).Group(), new(usersmod.Settings).Group(), new(billingmod.Settings).Group(),
		new(aimod.Settings).Group(), new(notificationsmod.Settings).Group(),
	}
}

// TestEveryGroupIsTested finds the modules by their folders, so that a new one can't be forgotten above.
func TestEveryGroupIsTested(t *testing.T) {
	files, err := filepath.Glob("../../modules/*/*mod/settings.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no settings found: %v", err)
	}
	var owners []string
	for _, group := range groups() {
		owners = append(owners, group.Owner)
	}
	for _, file := range files {
		module := strings.TrimSuffix(filepath.Base(filepath.Dir(file)), "mod")
		if !slices.Contains(owners, module) {
			t.Errorf("the settings of %s are not among the groups", module)
		}
	}
}

func TestEnvExampleStartsAsItIs(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if report := changesNothing(t, text); len(report.Warnings) > 0 {
		t.Errorf("warnings: %v", report.Warnings)
	}
}

// changesNothing fails the test for each setting that a file .env of this text makes another than its default.
func changesNothing(t *testing.T, text []byte) *config.Report {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	dataDir := "DATA_DIR=" + t.TempDir()
	with, err := config.Load(config.Sources{Dir: dir, Environ: []string{dataDir}}, groups()...)
	if err != nil {
		t.Fatal(err)
	}
	without, err := config.Load(config.Sources{Dir: t.TempDir(), Environ: []string{dataDir}}, groups()...)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range with.Settings {
		if want := without.Settings[i]; s.Value != want.Value {
			t.Errorf("%s is %q with the file and %q without it", s.Name, s.Value, want.Value)
		}
	}
	return with
}

func TestEnvExampleNamesEverySettingAndNothingElse(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^(?:# (?:e\.g\. )?)?([A-Z][A-Z0-9_]*)=`).FindAllSubmatch(text, -1) {
		named[string(match[1])] = true
	}
	settings, err := config.Describe(groups()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !named[s.Name] {
			t.Errorf("%s is missing", s.Name)
		}
		delete(named, s.Name)
	}
	if len(named) > 0 {
		t.Errorf("not settings: %v", slices.Sorted(maps.Keys(named)))
	}
}

// TestEnvExampleShowsDefaults reads the lines that are commented out and are no samples.
func TestEnvExampleShowsDefaults(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^# ([A-Z][A-Z0-9_]*=.*)$`).FindAllSubmatch(text, -1)
	file := ""
	for _, match := range shown {
		if !strings.HasPrefix(string(match[1]), "DATA_DIR=") {
			file += string(match[1]) + "\n"
		}
	}
	changesNothing(t, []byte(file))
}

// TestSpecNames holds the variables of the product specification, section 3. Deployments rely on them.
func TestSpecNames(t *testing.T) {
	settings, err := config.Describe(groups()...)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, s := range settings {
		declared[s.Name] = true
	}
	for name := range strings.FieldsSeq(`
		PROJECT_NAME ENVIRONMENT DEBUG LOG_LEVEL SECRET_KEY API_V1_STR BACKEND_CORS_ORIGINS DATABASE_URL DB_POOL_SIZE
		DB_POOL_RECYCLE DB_USE_NULL_POOL REDIS_URL UPSTASH_REDIS_REST_URL UPSTASH_REDIS_REST_TOKEN AUTH_PROVIDER
		SUPABASE_PROJECT_URL SUPABASE_JWT_SECRET CLERK_ISSUER_URL CLERK_SECRET_KEY OAUTH_JWKS_URL OAUTH_AUDIENCE OAUTH_ISSUER
		AI_DEFAULT_PROVIDER AI_DEFAULT_MODEL OPENAI_API_KEY ANTHROPIC_API_KEY PERPLEXITY_API_KEY EMAIL_PROVIDER
		EMAIL_FROM_ADDRESS EMAIL_FROM_NAME RESEND_API_KEY SENDGRID_API_KEY STORAGE_PROVIDER AWS_ACCESS_KEY_ID
		AWS_SECRET_ACCESS_KEY AWS_REGION AWS_S3_BUCKET R2_ACCOUNT_ID R2_ACCESS_KEY_ID R2_SECRET_ACCESS_KEY R2_BUCKET
		STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRET STRIPE_PRICE_ID_MONTHLY STRIPE_PRICE_ID_YEARLY SENTRY_DSN
		SENTRY_TRACES_SAMPLE_RATE RATE_LIMIT_DEFAULT RATE_LIMIT_AI RATE_LIMIT_AUTH
		HOST PORT DATA_DIR LOG_FORMAT PUBLIC_URL FRONTEND_URL TRUSTED_PROXIES BODY_LIMIT REQUEST_TIMEOUT METRICS_ADDR
		DOCS_ENABLED RATE_LIMIT_ENABLED EVENTS_TRANSPORT IDEMPOTENCY_TTL CONTACT_TO_ADDRESS ADMIN_EMAILS
		AUTH_PROVIDER_SECONDARY CLERK_AUTHORIZED_PARTIES CLERK_WEBHOOK_SECRET SUPABASE_WEBHOOK_SECRET OAUTH_ROLE_CLAIM
		OAUTH_EMAIL_CLAIM S3_ENDPOINT STORAGE_LOCAL_IN_PRODUCTION UPLOAD_MAX_BYTES UPLOAD_ALLOWED_TYPES
		ACCOUNT_DELETION_GRACE OPENAI_BASE_URL ANTHROPIC_BASE_URL PERPLEXITY_BASE_URL AI_CATALOG_FILE BILLING_CATALOG_FILE
		STRIPE_API_BASE SECRET_KEY_PREVIOUS`) {
		if !declared[name] {
			t.Errorf("%s is not a setting", name)
		}
	}
}

// TestNoModuleShowsASecret sets every secret of every group to one value and looks for it.
func TestNoModuleShowsASecret(t *testing.T) {
	const canary = "CANARY-7f3a9b2c5d8e1f4a6b0c9d8e7f6a5b4c"
	settings, err := config.Describe(groups()...)
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{"DATA_DIR=" + t.TempDir(), "EMAIL_PROVIDER=smtp", "ENVIRONMENT=production"}
	for _, s := range settings {
		if s.Secret {
			environ = append(environ, s.Name+"="+canary)
		}
	}
	all := groups()
	report, err := config.Load(config.Sources{Dir: t.TempDir(), Environ: environ}, all...)
	if err == nil {
		t.Fatal("accepted")
	}
	var table strings.Builder
	if err := report.Print(&table); err != nil {
		t.Fatal(err)
	}
	text := table.String() + err.Error()
	for _, group := range all {
		text += fmt.Sprintf("%v %+v %#v %s %x", group.Struct, group.Struct, group.Struct, group.Struct, group.Struct)
	}
	if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
		t.Errorf("a secret is shown:\n%s", text)
	}
}
