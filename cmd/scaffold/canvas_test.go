package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const modules = "../../modules"

func TestCanvasesAreFresh(t *testing.T) {
	stale, err := staleCanvases(modules)
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("run `go run ./cmd/scaffold canvas`, these are stale: %s", strings.Join(paths(stale), ", "))
	}
}

func TestCanvas(t *testing.T) {
	folder := t.TempDir()
	contracts, err := filepath.Glob(modules + "/*/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, contract := range contracts {
		home := filepath.Join(folder, filepath.Base(filepath.Dir(contract)))
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(contract)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, "doc.go"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := scaffold(t, "canvas", "--dir", folder, "--check"); err == nil {
		t.Error("canvases that aren't there are fresh")
	}
	written, err := scaffold(t, "canvas", "--dir", folder)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(written, "\n"); lines != len(contracts) {
		t.Errorf("%d canvases of %d modules:\n%s", lines, len(contracts), written)
	}
	if _, err := scaffold(t, "canvas", "--dir", folder, "--check"); err != nil {
		t.Error(err)
	}

	doc := filepath.Join(folder, "users", "doc.go")
	if err := os.WriteFile(doc, []byte("// Package users is.\n//\n// It owns more now.\npackage users\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := scaffold(t, "canvas", "--dir", folder, "--check"); err == nil || !strings.Contains(err.Error(), "users/README.md") {
		t.Errorf("a canvas that lags behind doc.go: %v", err)
	}
	if err := os.WriteFile(doc, []byte("// Package users is.\npackage users\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := scaffold(t, "canvas", "--dir", folder); err == nil {
		t.Error("a contract that says nothing of its context has a canvas")
	}
}

// scaffold runs the tool with these arguments and returns what it prints.
func scaffold(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newScaffold()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}
