package archives_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/adapters/archives"
)

func TestABundleHasItsFoldersAndLeavesNothing(t *testing.T) {
	place := filepath.Join(t.TempDir(), "exports [of *?")
	if err := os.Mkdir(place, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(place, "export-1.zip"), nil, 0o600); err != nil { // a process was killed as it began one
		t.Fatal(err)
	}
	bundle, err := archives.Folder(place).New(time.Date(2026, 5, 6, 7, 8, 10, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
		t.Errorf("while it grows there are %v, %v: a process that is killed would leave them", left, err)
	}
	for _, name := range []string{"../escaped", "/etc/passwd", "a/../../b", "", ".", "a//b", "a/"} {
		if _, err := bundle.Folder("projects").Create(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for name, archive := range map[string]interface {
		Create(name string) (io.Writer, error)
	}{"README.txt": bundle, "files/a.txt": bundle.Folder("projects")} {
		file, err := archive.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(file, "this is "+name); err != nil {
			t.Fatal(err)
		}
	}
	file, size, err := bundle.Finish()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(file)
	if err != nil || int64(len(body)) != size {
		t.Fatalf("%d bytes of %d, %v", len(body), size, err)
	}
	read, err := zip.NewReader(bytes.NewReader(body), size)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"README.txt": "this is README.txt", "projects/files/a.txt": "this is files/a.txt"} {
		file, err := read.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(file); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if len(read.File) != 2 || read.File[0].Modified.Year() != 2026 {
		t.Errorf("there are %d files, of %s", len(read.File), read.File[0].Modified)
	}
	if err := bundle.Close(); err != nil {
		t.Error(err)
	}
}
