package app_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/billing/billingtest"
	contract "github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database/txtest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events/eventstest"
	"github.com/omnistack/omnistack/platform/id"
)

// fakeFiles is an app.FileStore of one file at most, and app.Removals. It says what it was told to do, and fails where told to.
type fakeFiles struct {
	*fakeStore
	file     *domain.File
	stored   int64
	removals map[string]time.Time
	clock    *clock.Manual
}

var (
	_ app.FileStore = (*fakeFiles)(nil)
	_ app.Removals  = (*fakeFiles)(nil)
)

func (f *fakeFiles) InsertFile(ctx context.Context, file domain.File) error {
	f.file = &file
	return f.Call(ctx, "insert file")
}

func (f *fakeFiles) FindFile(ctx context.Context, owner id.Scope, projectID, fileID string) (domain.File, error) {
	err := f.Call(ctx, "find file")
	if err == nil && (f.file == nil || f.file.Owner != owner || f.file.ProjectID != projectID || f.file.ID != fileID) {
		err = errs.Missing("File", fileID)
	}
	if err != nil {
		return domain.File{}, err
	}
	return *f.file, nil
}

func (f *fakeFiles) LockFile(ctx context.Context, owner id.Scope, projectID, fileID string) (domain.File, error) {
	if err := f.Call(ctx, "lock file"); err != nil {
		return domain.File{}, err
	}
	return f.FindFile(ctx, owner, projectID, fileID)
}

func (f *fakeFiles) SaveFile(ctx context.Context, file domain.File) error {
	f.file = &file
	return f.Call(ctx, "save file")
}

func (f *fakeFiles) DeleteFile(ctx context.Context, _ domain.File) error {
	f.file = nil
	return f.Call(ctx, "delete file")
}

func (f *fakeFiles) ListFiles(ctx context.Context, _ id.Scope, _ string, listing app.Listing) ([]domain.File, int64, error) {
	f.listing = listing
	return []domain.File{*f.file}, 1, f.Call(ctx, "list files")
}

func (f *fakeFiles) Stored(ctx context.Context, _ id.Scope) (int64, error) {
	return f.stored, f.Call(ctx, "stored")
}

func (f *fakeFiles) Note(ctx context.Context, due time.Time, keys ...string) error {
	for _, key := range keys {
		f.removals[key] = due
	}
	return f.Call(ctx, "note")
}

func (f *fakeFiles) Keep(ctx context.Context, key string) (bool, error) {
	if err := f.Call(ctx, "keep"); err != nil {
		return false, err
	}
	due, noted := f.removals[key]
	delete(f.removals, key)
	return noted && due.After(f.clock.Now()), nil
}

func (f *fakeFiles) DropFilesOf(ctx context.Context, owner id.Scope) (int64, []string, error) {
	return 3, f.drop(owner == alice), f.Call(ctx, "drop files of")
}

func (f *fakeFiles) DropFilesOfDeleted(ctx context.Context, before time.Time, _ int) ([]string, error) {
	return f.drop(before.Equal(now.AddDate(0, 0, -30))), f.Call(ctx, "drop files of deleted")
}

// drop forgets the file, and returns where its bytes are.
func (f *fakeFiles) drop(meant bool) (objects []string) {
	if meant && f.file != nil {
		if f.file.Ready() {
			objects = []string{f.file.Object}
		}
		f.file = nil
	}
	return objects
}

func (f *fakeFiles) DropExpired(ctx context.Context, before time.Time, _ int) (int64, error) {
	if f.file != nil && !f.file.Ready() && f.file.ExpiresAt.Before(before) {
		f.file = nil
	}
	return 0, f.Call(ctx, "drop expired")
}

// fakeObjects is an app.Objects in memory. None of it may be called in a transaction.
type fakeObjects struct {
	txtest.Recorder
	objects map[string]string
	found   []string // by Look
}

func (f *fakeObjects) Copy(ctx context.Context, from, to string) error {
	f.objects[to] = f.objects[from]
	return f.Call(ctx, "copy")
}

func (f *fakeObjects) Size(ctx context.Context, key string) (int64, error) {
	if _, there := f.objects[key]; !there {
		return 0, errs.New(errs.NotFound, "File not found")
	}
	return int64(len(f.objects[key])), f.Call(ctx, "size")
}

func (f *fakeObjects) Look(ctx context.Context, key string) (domain.Content, error) {
	return domain.Content{Size: int64(len(f.objects[key])), Types: f.found}, f.Call(ctx, "look")
}

func (f *fakeObjects) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(f.objects[key])), f.Call(ctx, "open")
}

func (f *fakeObjects) Upload(_ context.Context, key string, _ int64, _ string, expires time.Duration) (app.Upload, error) {
	return app.Upload{Method: "PUT", URL: "https://files/" + key, ExpiresAt: now.Add(expires)}, nil
}

func (f *fakeObjects) Download(_ context.Context, key, filename string, _ time.Duration) (string, error) {
	return "https://files/" + key + "?as=" + filename, nil
}

// scanner is an app.Scanner that has its answer.
type scanner struct {
	found string
	err   error
}

func (s scanner) Scan(context.Context, io.Reader) (string, error) { return s.found, s.err }

// drawer is the use cases of files over fakes, with a pending file whose upload is there.
type drawer struct {
	*app.Files
	store   *fakeFiles
	objects *fakeObjects
	events  *eventstest.Recorder
	clock   *clock.Manual
}

func newDrawer(failing string, search app.Scanner) drawer {
	project, tx := apollo(), &txtest.Transactor{}
	file := domain.File{
		ID: "f1", ProjectID: "apollo", Owner: alice, Filename: "a.txt", Type: "text/plain", Size: 4, ExpiresAt: now.Add(time.Minute),
		Version: 1, CreatedAt: birth, UpdatedAt: birth,
	}
	d := drawer{
		store: &fakeFiles{
			fakeStore: &fakeStore{project: &project, Recorder: txtest.Recorder{Failing: failing}}, file: &file,
			removals: map[string]time.Time{"uploads/f1": now.Add(time.Hour)}, clock: clock.NewManual(now),
		},
		objects: &fakeObjects{Recorder: txtest.Recorder{Failing: failing}, objects: map[string]string{"uploads/f1": "text"}, found: []string{"text/plain"}},
		events:  eventstest.New(tx, nil),
	}
	d.clock = d.store.clock
	d.Files = app.NewFiles(app.FilePorts{
		Projects: d.store, Store: d.store, Objects: d.objects, Removals: d.store, Scanner: search, Tx: tx, Events: d.events, Clock: d.clock,
		Plans: billingtest.Entitlements{Plans: []billing.Plan{
			{Name: billing.Free, StorageBytes: 100, FileBytes: 40}, {Name: "small", StorageBytes: billing.Unlimited, FileBytes: 39},
			{Name: "vast", StorageBytes: billing.Unlimited, FileBytes: billing.Unlimited},
		}},
	}, domain.FileRules{MaxBytes: 50, Types: []string{"text/plain"}})
	return d
}

func TestAnUploadBegins(t *testing.T) {
	draft := domain.FileDraft{Filename: "b.txt", Type: "text/plain", Size: 40}
	for name, test := range map[string]struct {
		stored int64
		plan   string
		owner  id.Scope
		kind   errs.Kind
		calls  []string
	}{
		"with room":          {60, "", alice, errs.Internal, []string{"lock plan in tx", "lock in tx", "stored in tx", "note in tx", "insert file in tx"}},
		"without":            {61, "", alice, errs.PaymentRequired, []string{"lock plan in tx", "lock in tx", "stored in tx"}},
		"without a limit":    {61, "vast", alice, errs.Internal, []string{"lock plan in tx", "lock in tx", "note in tx", "insert file in tx"}},
		"too large for it":   {0, "small", alice, errs.PaymentRequired, []string{"lock plan in tx", "lock in tx"}},
		"in another's place": {0, "", bob, errs.NotFound, []string{"lock plan in tx", "lock in tx"}},
	} {
		d := newDrawer("", nil)
		d.store.stored, d.store.plan = test.stored, test.plan
		begun, err := d.Prepare(t.Context(), test.owner, "apollo", draft)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Begin(t.Context(), begun)
		if (err == nil) != (test.kind == errs.Internal) || err != nil && !errs.Is(err, test.kind) {
			t.Errorf("%s: got %v", name, err)
		}
		d.store.Expect(t, test.calls...)
		if err != nil {
			continue
		}
		key := "uploads/" + begun.File.ID
		if due := d.store.removals[key]; begun.Upload.URL != "https://files/"+key || !due.After(begun.Upload.ExpiresAt) || *d.store.file != begun.File {
			t.Errorf("%s: %+v is removed at %s", name, begun, due)
		}
	}
	if _, err := newDrawer("", nil).Prepare(t.Context(), alice, "apollo", domain.FileDraft{}); !errs.Is(err, errs.Invalid) {
		t.Errorf("nothing said: got %v", err)
	}
}

// complete completes the file of a drawer.
func (d drawer) complete(ctx context.Context) (domain.File, error) {
	inspected, err := d.Inspect(ctx, alice, "apollo", "f1")
	if err != nil {
		return domain.File{}, err
	}
	return d.Accept(ctx, inspected)
}

// orphans returns the objects that are neither the file's nor due to be removed some time.
func (d drawer) orphans() []string {
	var orphans []string
	for key := range d.objects.objects {
		if _, noted := d.store.removals[key]; !noted && (d.store.file == nil || d.store.file.Object != key) {
			orphans = append(orphans, key)
		}
	}
	return orphans
}

func TestAFileIsCompleted(t *testing.T) {
	d := newDrawer("", scanner{})
	file, err := d.complete(t.Context())
	if err != nil || !file.Ready() || d.objects.objects[file.Object] != "text" || *d.store.file != file {
		t.Fatalf("got %+v, %v", file, err)
	}
	d.events.Expect(t, contract.FileAdded{FileID: "f1", ProjectID: "apollo", OwnerID: "alice", Size: 4, Version: 2})
	if again, err := d.complete(t.Context()); err != nil || again != file {
		t.Errorf("again: got %+v, %v", again, err)
	}
	if orphans := d.orphans(); orphans != nil {
		t.Errorf("nobody's are %v", orphans)
	}
	if _, url, err := d.Get(t.Context(), alice, "apollo", "f1"); err != nil || url != "https://files/"+file.Object+"?as=a.txt" {
		t.Errorf("it is at %s, %v", url, err)
	}
}

// Whatever fails on the way leaves a file that can be completed again, and no object that is nobody's.
func TestCompletingThatFailsCanBeRepeated(t *testing.T) {
	for _, failing := range []string{"find file", "size", "note", "copy", "look", "open", "lock file", "keep", "save file"} {
		d := newDrawer(failing, scanner{})
		if _, err := d.complete(t.Context()); err == nil {
			t.Errorf("%s fails, and nobody hears of it", failing)
		}
		if failing != "save file" && (d.store.file == nil || d.store.file.Ready()) { // the fake doesn't roll back
			t.Errorf("%s fails, and the file is %+v", failing, d.store.file)
		}
		if orphans := d.orphans(); orphans != nil && failing != "save file" {
			t.Errorf("%s fails, and nobody's are %v", failing, orphans)
		}
		d.events.Expect(t)
	}
	d := newDrawer("", scanner{err: errstest.ErrBoom})
	if _, err := d.complete(t.Context()); err == nil || d.store.file == nil || d.store.file.Ready() {
		t.Errorf("without a verdict: got %v, and %+v", err, d.store.file)
	}
}

func TestWhatIsNotTakenIsForgotten(t *testing.T) {
	for name, spoil := range map[string]func(*drawer){
		"another size": func(d *drawer) { d.objects.objects["uploads/f1"] = "longer" },
		"another type": func(d *drawer) { d.objects.found = []string{"text/html", "text/plain"} },
		"malware":      func(*drawer) {},
	} {
		d := newDrawer("", scanner{found: map[bool]string{true: "Eicar"}[name == "malware"]})
		spoil(&d)
		if _, err := d.complete(t.Context()); !errs.Is(err, errs.Invalid) || len(errstest.Broken(err)) != 1 {
			t.Errorf("%s: got %v", name, err)
		}
		if d.store.file != nil || d.orphans() != nil {
			t.Errorf("%s: there is %+v, and nobody's are %v", name, d.store.file, d.orphans())
		}
		for key, due := range d.store.removals {
			if late := key == "uploads/f1"; due.After(now) != late { // that URL still works
				t.Errorf("%s: %s is removed at %s", name, key, due)
			}
		}
		d.events.Expect(t)
	}
	d := newDrawer("", nil)
	delete(d.objects.objects, "uploads/f1")
	if _, err := d.complete(t.Context()); !errs.Is(err, errs.Conflict) {
		t.Errorf("nothing uploaded: got %v", err)
	}
}

// Who accepts second, or when what was looked at may be gone already, adds nothing.
func TestAFileIsAcceptedOnce(t *testing.T) {
	d := newDrawer("", nil)
	first, err := d.Inspect(t.Context(), alice, "apollo", "f1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.Inspect(t.Context(), alice, "apollo", "f1")
	if err != nil {
		t.Fatal(err)
	}
	won, err := d.Accept(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	if lost, err := d.Accept(t.Context(), first); err != nil || lost != won {
		t.Errorf("got %+v, %v, want %+v", lost, err, won)
	}
	if orphans := d.orphans(); orphans != nil {
		t.Errorf("nobody's are %v", orphans)
	}

	d = newDrawer("", nil)
	late, err := d.Inspect(t.Context(), alice, "apollo", "f1")
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(2 * time.Hour)
	if _, err := d.Accept(t.Context(), late); !errs.Is(err, errs.Unavailable) || d.store.file.Ready() {
		t.Errorf("hours later: got %v, and %+v", err, d.store.file)
	}
}

func TestAFileIsDeleted(t *testing.T) {
	d := newDrawer("", nil)
	file, err := d.complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(t.Context(), alice, "apollo", "f1", 1); !errs.Is(err, errs.Precondition) || d.store.file == nil {
		t.Errorf("an older version: got %v", err)
	}
	if err := d.Delete(t.Context(), bob, "apollo", "f1", 0); !errs.Is(err, errs.NotFound) || d.store.file == nil {
		t.Errorf("another's: got %v", err)
	}
	if err := d.Delete(t.Context(), alice, "apollo", "f1", 2); err != nil || d.store.file != nil || d.orphans() != nil {
		t.Errorf("got %v, and nobody's are %v", err, d.orphans())
	}
	d.events.Expect(t, contract.FileAdded{FileID: "f1", ProjectID: "apollo", OwnerID: "alice", Size: 4, Version: 2},
		contract.FileDeleted{FileID: "f1", ProjectID: "apollo", OwnerID: "alice", Version: 3})
	if due := d.store.removals[file.Object]; !due.Equal(now) {
		t.Errorf("its bytes are removed at %s", due)
	}
}

func TestWhatWasNeverUploadedIsForgotten(t *testing.T) {
	d := newDrawer("", nil)
	for when, left := range []bool{true, true, false} { // hours later
		if err := d.ForgetExpired(t.Context()); err != nil || (d.store.file != nil) != left {
			t.Errorf("after %d hours: got %v, and %+v", when, err, d.store.file)
		}
		d.clock.Advance(time.Hour)
	}
}

// Nothing of an outside service is called within a transaction.
func TestObjectsAreCalledOutsideOfTransactions(t *testing.T) {
	d := newDrawer("", scanner{})
	if _, err := d.complete(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.objects.Expect(t, "size", "copy", "look", "open")
}
