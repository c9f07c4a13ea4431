package domain_test

import (
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

func TestExportsAreOneAtATimeAndThreeADay(t *testing.T) {
	export := func(status domain.ExportStatus, ago time.Duration) domain.Export {
		return domain.Export{Status: status, CreatedAt: later.Add(-ago)}
	}
	const hour = time.Hour
	for name, test := range map[string]struct {
		lately []domain.Export
		kind   errs.Kind
		retry  int // seconds
	}{
		"the first":           {nil, 0, 0},
		"one waits":           {[]domain.Export{export(domain.ExportQueued, hour)}, errs.Conflict, 0},
		"one is being made":   {[]domain.Export{export(domain.ExportReady, hour), export(domain.ExportRunning, hour)}, errs.Conflict, 0},
		"two are there":       {[]domain.Export{export(domain.ExportReady, hour), export(domain.ExportReady, 2*hour)}, 0, 0},
		"three are there":     {[]domain.Export{export(domain.ExportReady, 5*hour), export(domain.ExportReady, hour), export(domain.ExportReady, 2*hour)}, errs.RateLimited, 19*3600 + 1},
		"of three one failed": {[]domain.Export{export(domain.ExportReady, hour), export(domain.ExportFailed, hour), export(domain.ExportReady, hour)}, 0, 0},
		"the first is old":    {[]domain.Export{export(domain.ExportReady, 24*hour), export(domain.ExportReady, hour), export(domain.ExportReady, hour)}, 0, 0},
	} {
		made, err := domain.MakeExport("e1", id.Of("alice"), "exports/x.zip", test.lately, later)
		if test.kind == 0 {
			want := domain.Export{
				ID: "e1", Owner: id.Of("alice"), Status: domain.ExportQueued, Object: "exports/x.zip", CreatedAt: later, DueAt: later.Add(24 * hour),
			}
			if err != nil || made != want {
				t.Errorf("%s: got %+v, %v", name, made, err)
			}
			continue
		}
		if retry, _ := errs.From(err).Details["retry_after"].(int); !errs.Is(err, test.kind) || retry != test.retry {
			t.Errorf("%s: got %v, to be tried in %d s", name, err, retry)
		}
	}
}

// Whatever becomes of an export, it is removed at some time, and never while an attempt may still be at it.
func TestEveryExportIsDueAtSomeTime(t *testing.T) {
	export, err := domain.MakeExport("e1", id.Of("alice"), "exports/x.zip", nil, birth)
	if err != nil || !export.Open() || export.Left(birth) != 0 {
		t.Fatalf("born as %+v, %v", export, err)
	}
	now := birth.Add(23 * time.Hour)
	export.Begin(5, now)
	if !export.Open() || export.Total != 5 || export.DueAt.Sub(now) < domain.ExportSlack {
		t.Errorf("begun as %+v", export)
	}
	failed := export
	failed.Fail(now)
	if failed.Open() || failed.DueAt.Sub(now) < domain.ExportSlack || failed.Left(now) != 0 {
		t.Errorf("failed as %+v", failed)
	}
	export.Finish(now)
	if export.Open() || export.Done != 5 || !export.DueAt.Equal(now.Add(7*24*time.Hour)) || export.Left(now.Add(time.Hour)) != 7*24*time.Hour-time.Hour {
		t.Errorf("finished as %+v", export)
	}
}
