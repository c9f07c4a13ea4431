package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const top = "../.."

func TestTheChecklistIsWhole(t *testing.T) {
	lines := mustDecode[line](t, checklistText)
	if len(lines) < 16 {
		t.Errorf("the checklist has %d lines and had 16", len(lines))
	}
	for _, line := range lines {
		for _, wrong := range line.check(top) {
			t.Error(wrong)
		}
		if line.ID != "" || line.Level != 0 {
			t.Errorf("%s: has an id or a level", line.Title)
		}
	}
}

// The table has exactly the requirements of the standard, in its order.
func TestASVSIsWhole(t *testing.T) {
	text, err := os.ReadFile("testdata/asvs-5.0.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			want = append(want, strings.TrimSpace(line))
		}
	}
	var got []string
	for _, line := range mustDecode[line](t, asvsText) {
		got = append(got, line.ID+" "+strconv.Itoa(line.Level))
		for _, wrong := range line.check(top) {
			t.Error(wrong)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the table has other requirements than the standard:\n%s\n\n%s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// The checks find what is wrong with a line.
func TestLinesAreChecked(t *testing.T) {
	root := t.TempDir()
	code := "package p\n\nfunc TestOne(t *testing.T) {}\n\nfunc FuzzOne(f *testing.F) {}\n\nfunc (helper) TestMethod() {}\n\nfunc help() {}\n"
	if err := os.WriteFile(filepath.Join(root, "p_test.go"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(folder string, names ...string) map[string][]string { return map[string][]string{folder: names} }
	for name, test := range map[string]struct {
		line line
		want string
	}{
		"tests":                   {line{Title: "x", Tests: in(".", "TestOne", "FuzzOne", "TestOne/with_a_subtest")}, ""},
		"a reason":                {line{Title: "x", NotApplicable: "no"}, ""},
		"work":                    {line{Title: "x", Open: "later"}, ""},
		"no title":                {line{Open: "later"}, "has no title"},
		"nothing":                 {line{Title: "x"}, "has to have tests"},
		"two things":              {line{Title: "x", Tests: in(".", "TestOne"), Open: "later"}, "has to have tests"},
		"a folder without tests":  {line{Title: "x", Tests: in(".")}, "names no test"},
		"a test that isn't there": {line{Title: "x", Tests: in(".", "TestGone")}, "there is no TestGone"},
		"a method":                {line{Title: "x", Tests: in(".", "TestMethod")}, "there is no TestMethod"},
		"a helper":                {line{Title: "x", Tests: in(".", "help")}, "there is no help"},
		"a folder that isn't":     {line{Title: "x", Tests: in("gone", "TestOne")}, "there is no TestOne"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := strings.Join(test.line.check(root), "\n")
			if test.want == "" && wrong != "" || !strings.Contains(wrong, test.want) {
				t.Errorf("got %q, want %q", wrong, test.want)
			}
		})
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	if _, err := decode[line]([]byte("- title: x\n  test: {}\n")); err == nil {
		t.Error("a key that is misspelt was read")
	}
}

func mustDecode[T any](t *testing.T, text []byte) []T {
	t.Helper()
	table, err := decode[T](text)
	if err != nil {
		t.Fatal(err)
	}
	return table
}
