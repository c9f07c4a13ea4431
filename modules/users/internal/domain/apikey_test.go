package domain_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

func wanted() domain.NewAPIKey {
	return domain.NewAPIKey{Name: "Deploy 🚀", Scopes: []domain.KeyScope{domain.ScopeRead}, Prefix: "omni_ab12", Hash: "hash"}
}

func TestMakeAPIKey(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	got, err := domain.MakeAPIKey("k1", id.Of("sam"), wanted(), 0, now)
	want := domain.APIKey{
		ID: "k1", Owner: id.Of("sam"), Name: "Deploy 🚀", Scopes: []domain.KeyScope{domain.ScopeRead}, Prefix: "omni_ab12", Hash: "hash", CreatedAt: now,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}

	all := wanted()
	all.Scopes = []domain.KeyScope{domain.ScopeAI, domain.ScopeRead, domain.ScopeAI, domain.ScopeWrite}
	all.ExpiresAt = new(now.Add(time.Hour + 7).In(time.FixedZone("east", 7200)))
	all.Name = strings.Repeat("é", domain.MaxAPIKeyName)
	got, err = domain.MakeAPIKey("k1", id.Of("sam"), all, domain.MaxAPIKeys-1, now)
	ordered := []domain.KeyScope{domain.ScopeRead, domain.ScopeWrite, domain.ScopeAI}
	if err != nil || !slices.Equal(got.Scopes, ordered) || *got.ExpiresAt != now.Add(time.Hour) {
		t.Errorf("got %+v, %v", got, err)
	}

	for name, test := range map[string]struct {
		change func(*domain.NewAPIKey)
		fields []string
	}{
		"no name":              {func(k *domain.NewAPIKey) { k.Name = "" }, []string{"name"}},
		"an invisible name":    {func(k *domain.NewAPIKey) { k.Name = " \u200b\u202e" }, []string{"name"}},
		"a long name":          {func(k *domain.NewAPIKey) { k.Name = strings.Repeat("a", 101) }, []string{"name"}},
		"a line break":         {func(k *domain.NewAPIKey) { k.Name = "a\nb" }, []string{"name"}},
		"no scope":             {func(k *domain.NewAPIKey) { k.Scopes = nil }, []string{"scopes"}},
		"an unknown scope":     {func(k *domain.NewAPIKey) { k.Scopes = append(k.Scopes, "admin") }, []string{"scopes"}},
		"an end now":           {func(k *domain.NewAPIKey) { k.ExpiresAt = &now }, []string{"expires_at"}},
		"an end before":        {func(k *domain.NewAPIKey) { k.ExpiresAt = new(now.Add(-time.Hour)) }, []string{"expires_at"}},
		"nothing right at all": {func(k *domain.NewAPIKey) { *k = domain.NewAPIKey{ExpiresAt: new(time.Time)} }, []string{"name", "scopes", "expires_at"}},
	} {
		broken := wanted()
		test.change(&broken)
		got, err := domain.MakeAPIKey("k1", id.Of("sam"), broken, domain.MaxAPIKeys, now)
		var fields []string
		if known, ok := errors.AsType[*errs.Error](err); ok && known.Kind == errs.Invalid {
			for _, field := range known.Details["errors"].([]errs.Field) {
				fields = append(fields, field.Name)
			}
		}
		if !slices.Equal(fields, test.fields) || got.ID != "" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if got, err := domain.MakeAPIKey("k1", id.Of("sam"), wanted(), domain.MaxAPIKeys, now); !errs.Is(err, errs.Conflict) || got.ID != "" {
		t.Errorf("one too many: got %+v, %v", got, err)
	}
}

func TestGood(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	past, soon := now.Add(-time.Microsecond), now.Add(time.Microsecond)
	for name, test := range map[string]struct {
		key  domain.APIKey
		want bool
	}{
		"for ever":       {domain.APIKey{}, true},
		"until later":    {domain.APIKey{ExpiresAt: &soon}, true},
		"until now":      {domain.APIKey{ExpiresAt: &now}, false},
		"until before":   {domain.APIKey{ExpiresAt: &past}, false},
		"revoked":        {domain.APIKey{RevokedAt: &past}, false},
		"revoked, later": {domain.APIKey{RevokedAt: &soon}, false}, // by a clock that is ahead
	} {
		if got := test.key.Good(now); got != test.want {
			t.Errorf("%s: good is %t", name, got)
		}
	}
}
