package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// binder is an app.FileExportStore of a few files, and an export.Archive.
type binder struct {
	kept  []app.ExportedFile
	files map[string]*strings.Builder
}

func (b *binder) ExportFiles(_ context.Context, _ id.Scope, after *app.ExportedFile, _ int) ([]app.ExportedFile, error) {
	if after != nil {
		return nil, nil
	}
	return b.kept, nil
}

func (*binder) ExportPlan(context.Context, id.Scope) (*string, error) { return nil, nil }

func (b *binder) Create(name string) (io.Writer, error) {
	b.files[name] = new(strings.Builder)
	return b.files[name], nil
}

// shelf is an app.Objects that opens only, and fails for keys that are errors.
type shelf struct {
	app.Objects
	failing map[string]error
}

func (s shelf) Open(_ context.Context, key string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("what is in " + key)), s.failing[key]
}

func TestFilesAreHandedOutUnderNamesThatEveryoneCanSave(t *testing.T) {
	d := &binder{files: map[string]*strings.Builder{}}
	for i, name := range []string{
		"plain.txt", `a<b>c:d"e|f?g*h.txt`, "dots...", "tab\there\u202e.txt", strings.Repeat("é", 251) + ".pdf", "com1",
	} {
		d.kept = append(d.kept, app.ExportedFile{ID: fmt.Sprint("f", i), Filename: name, Object: "o"})
	}
	d.kept = append(d.kept, app.ExportedFile{ID: "pending", Filename: "x"}, app.ExportedFile{ID: "deleted", Filename: "x", Object: "gone"})
	exporter := app.NewFileExporter(d, shelf{failing: map[string]error{"gone": errs.Missing("File", "gone")}})
	if err := exporter.Export(t.Context(), id.Of("alice"), d); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"files.json", "files/f0-plain.txt", "files/f1-a_b_c_d_e_f_g_h.txt", "files/f2-dots", "files/f3-tab_here_.txt",
		"files/f4-" + strings.Repeat("é", 73) + ".pdf", "files/f5-com1", "plan.json",
	}
	got := slices.Sorted(maps.Keys(d.files))
	if !slices.Equal(got, want) || !utf8.ValidString(strings.Join(got, "")) {
		t.Errorf("got %q, want %q", got, want)
	}
	if text := d.files["files/f0-plain.txt"].String(); text != "what is in o" {
		t.Errorf("a file is %q", text)
	}

	down := errs.New(errs.Unavailable, "down")
	if err := app.NewFileExporter(d, shelf{failing: map[string]error{"o": down}}).Export(t.Context(), id.Of("alice"), d); !errors.Is(err, down) {
		t.Errorf("without the store: got %v", err)
	}
}
