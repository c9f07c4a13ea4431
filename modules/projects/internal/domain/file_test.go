package domain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
)

var rules = domain.FileRules{MaxBytes: 1000, Types: []string{"image/png", "text/plain"}}

func TestNewFilesKeepTheRules(t *testing.T) {
	good := domain.FileDraft{Filename: "a.txt", Type: "text/plain", Size: 1000}
	for name, test := range map[string]struct {
		change func(*domain.FileDraft)
		broken []string
	}{
		"as it is":          {func(*domain.FileDraft) {}, nil},
		"other scripts":     {func(d *domain.FileDraft) { d.Filename = "Übersicht שלום 🚀.txt" }, nil},
		"the longest name":  {func(d *domain.FileDraft) { d.Filename = strings.Repeat("é", 255) }, nil},
		"a longer one":      {func(d *domain.FileDraft) { d.Filename = strings.Repeat("é", 256) }, []string{"filename"}},
		"no name":           {func(d *domain.FileDraft) { d.Filename = "" }, []string{"filename"}},
		"an invisible name": {func(d *domain.FileDraft) { d.Filename = "\u200b" }, []string{"filename"}},
		"a NUL":             {func(d *domain.FileDraft) { d.Filename = "a\x00b" }, []string{"filename"}},
		"this folder":       {func(d *domain.FileDraft) { d.Filename = "." }, []string{"filename"}},
		"the one above":     {func(d *domain.FileDraft) { d.Filename = ".." }, []string{"filename"}},
		"a path":            {func(d *domain.FileDraft) { d.Filename = "/etc/passwd" }, []string{"filename"}},
		"one of Windows":    {func(d *domain.FileDraft) { d.Filename = `C:\a.txt` }, []string{"filename"}},
		"another type":      {func(d *domain.FileDraft) { d.Type = "text/html" }, []string{"content_type"}},
		"a capital":         {func(d *domain.FileDraft) { d.Type = "Text/plain" }, []string{"content_type"}},
		"nothing in it":     {func(d *domain.FileDraft) { d.Size = 0 }, []string{"size"}},
		"too much in it":    {func(d *domain.FileDraft) { d.Size = 1001 }, []string{"size"}},
		"all of it":         {func(d *domain.FileDraft) { *d = domain.FileDraft{Size: -1} }, []string{"filename", "content_type", "size"}},
	} {
		draft := good
		test.change(&draft)
		file, err := rules.NewFile("f1", "p1", id.Of("alice"), draft, birth, later)
		if got := errstest.Broken(err); !slices.Equal(got, test.broken) {
			t.Errorf("%s: broken are %v, want %v", name, got, test.broken)
		}
		want := domain.File{
			ID: "f1", ProjectID: "p1", Owner: id.Of("alice"), Filename: draft.Filename, Type: draft.Type, Size: draft.Size, ExpiresAt: later,
			Version: 1, CreatedAt: birth, UpdatedAt: birth,
		}
		if test.broken == nil && (file != want || file.Ready()) || test.broken != nil && file != (domain.File{}) {
			t.Errorf("%s: got %+v, want %+v", name, file, want)
		}
	}
}

func TestContentIsCheckedAgainstWhatWasSaid(t *testing.T) {
	for name, test := range map[string]struct {
		said   string
		size   int64
		found  []string
		broken []string
	}{
		"a picture":               {"image/png", 7, []string{"image/png", "application/octet-stream"}, nil},
		"another size":            {"image/png", 8, []string{"image/png"}, []string{"size"}},
		"another picture":         {"image/png", 7, []string{"image/gif"}, []string{"content_type"}},
		"a text":                  {"text/plain", 7, []string{"text/plain"}, nil},
		"a CSV that looks so":     {"text/csv", 7, []string{"text/csv", "text/plain"}, nil},
		"a CSV like any text":     {"text/csv", 7, []string{"text/plain"}, nil},
		"JSON like any text":      {"application/json", 7, []string{"text/plain"}, nil},
		"JSON of a kind":          {"application/json", 7, []string{"application/geo+json", "application/json", "text/plain"}, nil},
		"JSON called a text":      {"text/plain", 7, []string{"application/json", "text/plain"}, nil},
		"a document, as archive":  {"application/zip", 7, []string{"application/vnd.oasis.opendocument.text", "application/zip"}, nil},
		"HTML as a text":          {"text/plain", 7, []string{"text/html", "text/plain"}, []string{"content_type"}},
		"SVG as XML":              {"text/xml", 7, []string{"image/svg+xml", "text/xml", "text/plain"}, []string{"content_type"}},
		"HTML, where it is taken": {"text/html", 7, []string{"text/html", "text/plain"}, nil},
		"a text as HTML":          {"text/html", 7, []string{"text/plain"}, []string{"content_type"}},
		"a text as a picture":     {"image/png", 7, []string{"text/plain"}, []string{"content_type"}},
	} {
		err := domain.File{Type: test.said, Size: 7}.Check(domain.Content{Size: test.size, Types: test.found})
		if got := errstest.Broken(err); !slices.Equal(got, test.broken) || (err == nil) != (test.broken == nil) {
			t.Errorf("%s: broken are %v, want %v", name, got, test.broken)
		}
	}
}

func TestAcceptedFilesAreReady(t *testing.T) {
	file := domain.File{ID: "f1", Version: 1, UpdatedAt: birth}
	file.Accept("projects/f1/x", later)
	if !file.Ready() || file.Object != "projects/f1/x" || file.Version != 2 || !file.UpdatedAt.Equal(later) {
		t.Errorf("got %+v", file)
	}
	for version, stale := range map[int64]bool{0: false, 1: true, 2: false, 3: true} {
		if err := file.Expect(version); errs.Is(err, errs.Precondition) != stale || !stale && err != nil {
			t.Errorf("version %d: got %v", version, err)
		}
	}
}

func TestMayStoreFile(t *testing.T) {
	if err := domain.MayStoreFile(10, 10); err != nil {
		t.Errorf("as large as the plan includes: %v", err)
	}
	if err := domain.MayStoreFile(11, 10); !errs.Is(err, errs.PaymentRequired) {
		t.Errorf("larger: got %v", err)
	}
}

func TestMayStore(t *testing.T) {
	const most = 1<<63 - 1
	for _, test := range []struct {
		used, more, limit int64
		may               bool
	}{{0, 10, 10, true}, {0, 11, 10, false}, {9, 1, 10, true}, {10, 1, 10, false}, {20, 1, 10, false}, {most - 1, 1, most, true}, {1, most, most, false}} {
		err := domain.MayStore(test.used, test.more, test.limit)
		if may := err == nil; may != test.may || !may && (!errs.Is(err, errs.PaymentRequired) || errs.From(err).Details["limit"] != test.limit) {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}
