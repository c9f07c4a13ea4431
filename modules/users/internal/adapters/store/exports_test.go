package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/export"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
)

var errKilled = errors.New("killed")

// life is how many more things a process does until it is killed: from then on nothing it does has an effect. Below zero it lives on.
type life struct{ left int }

func (l *life) spend() error {
	if l.left == 0 {
		return errKilled
	}
	l.left--
	return nil
}

// mortalTx begins no transaction after the end of a life.
type mortalTx struct {
	*database.DB
	life *life
}

func (m mortalTx) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := m.life.spend(); err != nil {
		return err
	}
	return m.DB.WithinTx(ctx, fn)
}

// cupboard is an app.Archives in memory.
type cupboard struct {
	life    *life
	objects map[string]string
	down    error // what every call fails with; nil for none
}

func (c *cupboard) Put(_ context.Context, key string, body io.Reader, size int64) error {
	text, err := io.ReadAll(body)
	if err = errors.Join(err, c.down, c.life.spend()); err == nil {
		c.objects[key] = string(text[:size])
	}
	return err
}

func (c *cupboard) Delete(_ context.Context, key string) error {
	if err := errors.Join(c.down, c.life.spend()); err != nil {
		return err
	}
	delete(c.objects, key)
	return nil
}

func (c *cupboard) Download(_ context.Context, key, filename string, expires time.Duration) (string, error) {
	return fmt.Sprint("https://example.com/", key, " ", filename, " ", expires), nil
}

// heap is an app.Bundle that puts everything behind each other.
type heap struct{ bytes.Buffer }

type heaps struct{}

func (heaps) New(time.Time) (app.Bundle, error)                       { return new(heap), nil }
func (h *heap) Create(string) (io.Writer, error)                      { return h, nil }
func (h *heap) Folder(string) export.Archive                          { return h }
func (h *heap) Finish() (io.Reader, int64, error)                     { return &h.Buffer, int64(h.Len()), nil }
func (h *heap) Close() error                                          { return nil }
func (*exportSuite) ExportUserData(_ context.Context, _ string) error { return nil }

// saying is a module that hands out a text, or fails.
type saying struct {
	text string
	err  error
}

func (s saying) Export(_ context.Context, scope id.Scope, archive export.Archive) error {
	if s.err != nil {
		return s.err
	}
	return export.Value(archive, "a.json", s.text+scope.User)
}

type exportSuite struct {
	suite
	*app.Exports
	clock   *clock.Manual
	life    *life
	kept    *cupboard
	sources []app.Source
}

func eachExports(t *testing.T, test func(t *testing.T, s *exportSuite)) {
	eachStore(t, func(t *testing.T, inner suite) {
		s := &exportSuite{suite: inner, clock: clock.NewManual(birth), life: &life{-1}}
		s.kept = &cupboard{life: s.life, objects: map[string]string{}}
		s.sources = []app.Source{{Name: "a", Exporter: saying{text: "first of "}}, {Name: "b", Exporter: saying{text: "second of "}}}
		s.Exports = app.NewExports(app.ExportPorts{
			Users: s.Store, Store: s.Store, Queue: s, Sources: func() []app.Source { return s.sources }, Bundles: heaps{}, Archives: s.kept,
			Tx: mortalTx{s.db, s.life}, Events: s.events, Clock: s.clock,
		})
		test(t, s)
	})
}

// asked adds a user and returns the id of an export that the user has asked for.
func (s *exportSuite) asked(t *testing.T, who string) string {
	t.Helper()
	s.add(t, plain(who))
	export, err := s.Ask(t.Context(), id.Of(who))
	if err != nil {
		t.Fatal(err)
	}
	return export.ID
}

func (s *exportSuite) status(t *testing.T, who, exportID string) domain.Export {
	t.Helper()
	found, err := s.FindExport(t.Context(), id.Of(who), exportID)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// swept removes what is due at a time, and returns which objects are left.
func (s *exportSuite) swept(t *testing.T, after time.Duration) int {
	t.Helper()
	s.clock.Advance(after)
	if err := s.RemoveDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	return len(s.kept.objects)
}

// Wherever the process is killed, the next one finishes the export; and when its user is erased before, nothing is left of it.
func TestAnExportSurvivesBeingKilledAnywhere(t *testing.T) {
	eachExports(t, func(t *testing.T, s *exportSuite) {
		deaths := 0
		for step := 0; ; step++ {
			stays, goes := fmt.Sprint("stays", step), fmt.Sprint("goes", step)
			first, second := s.asked(t, stays), s.asked(t, goes)
			s.life.left = step
			err := s.Make(t.Context(), first, false)
			s.life.left = step
			if again := s.Make(t.Context(), second, false); (again == nil) != (err == nil) || err != nil && !errors.Is(err, errKilled) {
				t.Fatalf("step %d: got %v and %v", step, err, again)
			}
			s.life.left = -1
			if err != nil {
				deaths++
				if found := s.status(t, stays, first); !found.Open() {
					t.Errorf("step %d: the export is %s", step, found.Status)
				}
			}

			if err := s.Make(t.Context(), first, false); err != nil {
				t.Errorf("step %d: the next process fails with %v", step, err)
			}
			found, url, err2 := s.Get(t.Context(), id.Of(stays), first)
			if err2 != nil || found.Status != domain.ExportReady || url == "" {
				t.Errorf("step %d: the export is %+v at %q, %v", step, found, url, err2)
			}
			if text := s.kept.objects[found.Object]; !bytes.Contains([]byte(text), []byte("first of "+stays)) || !bytes.Contains([]byte(text), []byte("second of "+stays)) {
				t.Errorf("step %d: the archive has %q", step, text)
			}
			if err := s.app.Delete(t.Context(), domain.Administrator{ID: goes, Role: domain.RoleUser}, goes, 0); err != nil {
				t.Fatal(err)
			}
			if err := s.Make(t.Context(), second, false); err != nil {
				t.Errorf("step %d: the export of who is erased fails with %v", step, err)
			}
			if left := s.swept(t, domain.ExportSlack); left != 1 {
				t.Errorf("step %d: %d archives are left, want the one of who stays", step, left)
			}
			if left := s.swept(t, domain.KeptExport); left != 0 || testkit.Rows(t, s.db, "users_exports", "") != 0 {
				t.Errorf("step %d: %d archives are left after a week", step, left)
			}
			if err == nil {
				break
			}
		}
		if deaths != 5 { // before the beginning, two notes of progress, the archive and the end
			t.Errorf("there were %d places to be killed at", deaths)
		}
	})
}

// An export that is erased while it is made isn't finished, and its archive goes.
func TestAnExportIsErasedWhileItIsMade(t *testing.T) {
	eachExports(t, func(t *testing.T, s *exportSuite) {
		one := s.asked(t, "sam")
		s.sources = append(s.sources, app.Source{Name: "c", Exporter: erasing{t, s}})
		if err := s.Make(t.Context(), one, true); err != nil {
			t.Errorf("got %v", err)
		}
		if left := s.swept(t, domain.ExportSlack); left != 0 || testkit.Rows(t, s.db, "users_exports", "") != 0 {
			t.Errorf("%d archives are left", left)
		}
		if slices.ContainsFunc(s.events.Published(), func(e events.Event) bool { return e.EventName() == "users.export_ready.v1" }) {
			t.Error("it was told that it is ready")
		}
	})
}

type erasing struct {
	t *testing.T
	s *exportSuite
}

func (e erasing) Export(ctx context.Context, scope id.Scope, _ export.Archive) error {
	return e.s.app.Delete(ctx, domain.Administrator{ID: scope.User, Role: domain.RoleUser}, scope.User, 0)
}

// An attempt that fails is tried again unless it was the last one, or another one is of no use. Then the user may ask anew.
func TestExportsFailForGood(t *testing.T) {
	eachExports(t, func(t *testing.T, s *exportSuite) {
		for name, test := range map[string]struct {
			cause error
			last  bool
			want  domain.ExportStatus
		}{
			"an outage":                   {errs.New(errs.Unavailable, "down"), false, domain.ExportRunning},
			"an outage, at last":          {errs.New(errs.Unavailable, "down"), true, domain.ExportFailed},
			"what another try won't mend": {errs.New(errs.Invalid, "too large"), false, domain.ExportFailed},
			"something that isn't there":  {errs.Missing("File", "x"), false, domain.ExportFailed},
		} {
			who := "user of " + name
			one := s.asked(t, who)
			s.sources[1].Exporter = saying{err: test.cause}
			if err := s.Make(t.Context(), one, test.last); !errors.Is(err, test.cause) {
				t.Errorf("%s: got %v", name, err)
			}
			found := s.status(t, who, one)
			if found.Status != test.want || found.Done != 1 || found.Total != 2 {
				t.Errorf("%s: got %+v", name, found)
			}
			if _, url, err := s.Get(t.Context(), id.Of(who), one); err != nil || url != "" {
				t.Errorf("%s: it is at %q, %v", name, url, err)
			}
			_, err := s.Ask(t.Context(), id.Of(who))
			if refused := errs.Is(err, errs.Conflict); refused != (test.want == domain.ExportRunning) || err != nil && !refused {
				t.Errorf("%s: asking anew: got %v", name, err)
			}
		}
		stopped, stop := context.WithCancel(t.Context())
		one := s.asked(t, "sam")
		s.sources[1].Exporter = stopping{stop}
		if err := s.Make(stopped, one, true); !errors.Is(err, context.Canceled) || s.status(t, "sam", one).Status != domain.ExportRunning {
			t.Errorf("a process that stops: %v, and the export is %s", err, s.status(t, "sam", one).Status)
		}
	})
}

type stopping struct{ stop func() }

func (s stopping) Export(ctx context.Context, _ id.Scope, _ export.Archive) error {
	s.stop()
	return ctx.Err()
}

// The archive can be downloaded until the export expires, and goes when the store of files is there again.
func TestExportsExpire(t *testing.T) {
	eachExports(t, func(t *testing.T, s *exportSuite) {
		one := s.asked(t, "sam")
		if err := s.Make(t.Context(), one, false); err != nil {
			t.Fatal(err)
		}
		s.events.Expect(t, users.ExportReady{UserID: "sam", ExportID: one, ExpiresAt: birth.Add(domain.KeptExport)})
		found, url, err := s.Get(t.Context(), id.Of("sam"), one)
		if want := "https://example.com/" + found.Object + " export-2026-01-02.zip 15m0s"; err != nil || url != want {
			t.Errorf("it is at %q, %v, want %q", url, err, want)
		}
		if _, _, err := s.Get(t.Context(), id.Of("sue"), one); !errs.Is(err, errs.NotFound) {
			t.Errorf("somebody else's: got %v", err)
		}
		s.clock.Advance(domain.KeptExport - time.Minute)
		if _, url, err := s.Get(t.Context(), id.Of("sam"), one); err != nil || url != "https://example.com/"+found.Object+" export-2026-01-02.zip 1m0s" {
			t.Errorf("a minute before its end it is at %q, %v", url, err)
		}
		s.clock.Advance(time.Minute)
		if _, _, err := s.Get(t.Context(), id.Of("sam"), one); !errs.Is(err, errs.NotFound) {
			t.Errorf("after its end: got %v", err)
		}
		s.kept.down = errs.New(errs.Unavailable, "down")
		if err := s.RemoveDue(t.Context()); !errs.Is(err, errs.Unavailable) || testkit.Rows(t, s.db, "users_exports", "") != 1 {
			t.Errorf("without the store: got %v", err)
		}
		s.kept.down = nil
		if left := s.swept(t, 0); left != 0 || testkit.Rows(t, s.db, "users_exports", "") != 0 {
			t.Errorf("%d archives are left", left)
		}
	})
}

// However many ask at once, one export comes of it; and nobody who can't act gets one.
func TestExportsAtOnce(t *testing.T) {
	eachExports(t, func(t *testing.T, s *exportSuite) {
		s.asked(t, "sam")
		if _, err := s.Ask(t.Context(), id.Of("sam")); !errs.Is(err, errs.Conflict) {
			t.Errorf("a second one: got %v", err)
		}
		if _, err := s.Ask(t.Context(), id.Of("nobody")); !errs.Is(err, errs.NotFound) {
			t.Errorf("nobody's: got %v", err)
		}
		if left := s.swept(t, domain.ExportDay); left != 0 {
			t.Errorf("%d archives are left", left)
		}
		if _, err := s.Ask(t.Context(), id.Of("sam")); err != nil { // the first was given up: nobody worked on it for a day
			t.Errorf("a day later: got %v", err)
		}
	})
}
