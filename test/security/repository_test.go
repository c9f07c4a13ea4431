package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// secrets are what keys that open something look like.
var secrets = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----` +
	`|\bAKIA[0-9A-Z]{16}\b` + // AWS
	`|\b[rs]k_live_[0-9A-Za-z]{16}` + // Stripe
	`|\bsk-(ant|proj)-[0-9A-Za-z_-]{20}` + // Anthropic, OpenAI
	`|\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}` + // SendGrid
	`|\bgh[pousr]_[0-9A-Za-z]{36}` + // GitHub
	`|\bomni_[0-9A-Za-z]{40}`) // ours

// Tests make up the secrets that they need, and theirs are no secrets. gosec looks for passwords in Go files besides.
func TestTheRepositoryHoldsNoSecret(t *testing.T) {
	for _, secret := range []string{
		"-----BEGIN EC PRIVATE KEY-----", "AKIA" + strings.Repeat("A7", 8), "sk_live_" + strings.Repeat("a7", 8), "ghp_" + strings.Repeat("a7", 18),
	} {
		if !secrets.MatchString("key=" + secret) {
			t.Errorf("%s isn't seen as a secret", secret)
		}
	}
	files := 0
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		path, _ := filepath.Rel(top, name)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains([]string{".git", "bin", "data"}, path) || entry.Name() == "testdata"):
			return fs.SkipDir
		case !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") || path == ".git" || path == ".env":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files++
		if entry.Name() == "secret_key" { // which a program makes for itself, in its own folder
			t.Errorf("%s is a secret, which a test has left", path)
		}
		if found := secrets.FindIndex(text); found != nil {
			t.Errorf("%s holds what looks like a secret, at byte %d", path, found[0])
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("read %d files: %v", files, err)
	}
}

func TestWhatStaysAtHome(t *testing.T) {
	for file, want := range map[string][]string{
		".gitignore":    {"/.env", "/.env.*", "/data/", "/bin/"},
		".dockerignore": {".env", ".env.*", "data", "bin", ".git"},
	} {
		lines := strings.Fields(read(t, file))
		for _, path := range want {
			if !slices.Contains(lines, path) {
				t.Errorf("%s doesn't name %s", file, path)
			}
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "!") && line != "!/.env.example" {
				t.Errorf("%s lets %s in", file, line)
			}
		}
	}
}

// The image holds the binary and nothing else of ours, and runs it without rights, as production.
func TestTheImage(t *testing.T) {
	stages := strings.Split(read(t, "Dockerfile"), "\nFROM ")
	last := stages[len(stages)-1]
	var copied, users []string
	for line := range strings.Lines(last) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "COPY", "ADD":
			copied = append(copied, rest)
		case "USER":
			users = append(users, rest)
		}
	}
	if want := []string{"--from=build /omnistack /usr/local/bin/omnistack"}; !slices.Equal(copied, want) {
		t.Errorf("the image is given %q", copied)
	}
	if !slices.Equal(users, []string{"omnistack"}) || !strings.Contains(last, "adduser -D -H -u 10001 omnistack") {
		t.Errorf("the image runs as %q", users)
	}
	if !strings.Contains(last, "ENV ENVIRONMENT=production ") {
		t.Error("the image doesn't run as production")
	}
}

// workflow is what the checks below know of GitHub's workflows.
type workflow struct {
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Permissions map[string]string      `yaml:"permissions"`
		Container   struct{ Image string } `yaml:"container"`
		Steps       []struct {
			Uses string         `yaml:"uses"`
			Run  string         `yaml:"run"`
			With map[string]any `yaml:"with"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

// Workflows run what a contributor runs, may read and nothing else, have no secrets, and name other people's actions by
// commits, which nobody can move.
func TestWorkflows(t *testing.T) {
	pinned := regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40}$`)
	goMod := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	runs := map[string][]string{}
	files, err := filepath.Glob(top + "/.github/workflows/*")
	if err != nil || len(files) != 2 {
		t.Fatalf("there are the workflows %q: %v", files, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		text := read(t, ".github/workflows/"+name)
		var flow workflow
		if err := yaml.Unmarshal([]byte(text), &flow); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(flow.Permissions) != 1 || flow.Permissions["contents"] != "read" {
			t.Errorf("%s has the permissions %v", name, flow.Permissions)
		}
		if strings.Contains(text, "secrets.") || strings.Contains(text, "pull_request_target") {
			t.Errorf("%s gives strangers' changes something to take", name)
		}
		for _, job := range flow.Jobs {
			if job.Permissions != nil || job.Container.Image != "debian:12" {
				t.Errorf("%s has a job with the permissions %v in %q", name, job.Permissions, job.Container.Image)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && !pinned.MatchString(step.Uses) {
					t.Errorf("%s uses %s", name, step.Uses)
				}
				if version, ok := step.With["go-version"]; ok && version != goMod[1]+".x" {
					t.Errorf("%s takes Go %v, and go.mod %s", name, version, goMod[1])
				}
				runs[name] = append(runs[name], step.Run)
			}
		}
		for event, want := range map[string]string{"push": "ci.yml", "pull_request": "ci.yml", "schedule": "security.yml"} {
			if _, on := flow.On[event]; on != (name == want) {
				t.Errorf("%s runs on %v", name, flow.On)
			}
		}
	}
	if !slices.Contains(runs["ci.yml"], ".ci/run") || !slices.Contains(runs["security.yml"], "make security") {
		t.Errorf("the workflows run %q", runs)
	}
	if info, err := os.Stat(top + "/.ci/run"); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf(".ci/run can't be run: %v", err)
	}
	if !strings.Contains(read(t, "Makefile"), "\nsecurity: ## ") {
		t.Error("there is no make security")
	}
}

func TestThePolicySaysWhatBecomesOfDependencies(t *testing.T) {
	policy := read(t, ".github/SECURITY.md")
	for _, part := range []string{"## To report a weakness", "## Which versions are supported", "## What becomes of weak dependencies"} {
		if _, section, found := strings.Cut(policy, part+"\n\n"); !found || section == "" {
			t.Errorf("SECURITY.md lacks %q", part)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
