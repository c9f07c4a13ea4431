//scaffold:needs ai billing notifications projects

// Package readme pastes what the README shows, as a new user would, and compares what comes back.
package readme

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/testkit"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

const root = "../.."

// step is one command of the session and what the README says it prints.
type step struct{ command, output string }

// session returns the steps of the README's console block.
func session(t *testing.T) []step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```console\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("the README has no console block")
	}
	var steps []step
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{command: command})
			continue
		}
		steps[len(steps)-1].output += line
	}
	return steps
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

var durations = regexp.MustCompile(`_ms":[0-9.]+`)

func same(text string) string {
	text = durations.ReplaceAllString(strings.ReplaceAll(text, "\r", ""), `_ms":0`)
	return strings.TrimSpace(times.ReplaceAllString(ids.ReplaceAllString(text, "ID"), "TIME"))
}

// build builds the program in a folder, and returns where it is.
func build(t *testing.T, folder string) string {
	t.Helper()
	binary := filepath.Join(folder, "bin", "omnistack")
	build := exec.Command("go", "build", "-o", binary, root+"/cmd/omnistack")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the Makefile does
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

func TestTheSessionIsTrue(t *testing.T) {
	folder := t.TempDir()
	address := serve(t, folder, build(t, folder))

	// One shell runs it all, as a terminal does: the session keeps tokens in variables.
	const end = "-- end of step --"
	var script strings.Builder
	for _, step := range session(t) {
		script.WriteString(strings.ReplaceAll(step.command, "localhost:8000", address))
		script.WriteString("echo; echo '" + end + "'\n")
	}
	shell := exec.Command("sh", "-c", script.String())
	shell.Dir = folder
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	outputs := strings.Split(string(out), end)
	for i, step := range session(t) {
		if got, want := same(outputs[i]), same(step.output); got != want {
			t.Errorf("$ %sgot  %s\nwant %s", step.command, got, want)
		}
	}
}

// serve starts the product in the folder, and returns its host and port once it answers.
func serve(t *testing.T, folder, binary string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	server := exec.CommandContext(ctx, binary, "serve")
	server.Dir = folder
	server.Env = append(os.Environ(), "PORT=0", "ENVIRONMENT=local")
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = server.Wait() // it was interrupted
	})
	banner := bufio.NewScanner(out)
	for banner.Scan() {
		if _, address, found := strings.Cut(banner.Text(), "http://"); found {
			address, _, _ = strings.Cut(address, "/")
			return address
		}
	}
	t.Fatal("the server ended without saying where it is")
	return ""
}

// Each identity provider, and each way to have models, is set up by the line that the README has for it.
func TestTheLinesOfSettingsAreTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "AUTH_PROVIDER=") && !strings.HasPrefix(line, "OPENAI_API_KEY=") {
			continue
		}
		lines++
		environ := append(strings.Fields(line), "ENVIRONMENT=test", "DATA_DIR="+t.TempDir())
		settings, report, err := wiregen.LoadSettings(config.Sources{Dir: t.TempDir(), Environ: environ})
		if err != nil || len(report.Warnings) > 0 {
			t.Errorf("%s%v, %v", line, err, report.Warnings)
			continue
		}
		if _, release, err := wiregen.Build(t.Context(), settings, wiregen.Roles{API: true}, zap.NewNop()); err != nil {
			t.Errorf("%s%v", line, err)
		} else {
			release()
		}
	}
	if lines != 5 {
		t.Errorf("there are %d lines", lines)
	}
}

// openAILibrary is the version of the npm package that the README's program is run with.
const openAILibrary = "openai@6.30.1"

// The program that the README shows for OpenAI's library prints an answer.
func TestTheProgramOfTheReadmeIsAnswered(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		testkit.SkipOrFail(t, "there is no npm on the PATH: apt-get install npm")
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(text), "```js\n")
	program, _, found := strings.Cut(program, "```")
	if !found {
		t.Fatal("the README has no program")
	}
	folder := t.TempDir()
	binary := build(t, folder)
	address := serve(t, folder, binary)
	token := exec.Command(binary, "token", "--sub", "alice")
	token.Dir = folder
	alice, err := token.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "program.mjs"), []byte(strings.ReplaceAll(program, "localhost:8000", address)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "sh", "-c", "npm install --silent --no-audit --no-fund "+openAILibrary+" && node program.mjs")
	run.Dir = folder
	run.Env = append(os.Environ(), "ALICE="+strings.TrimSpace(string(alice)))
	out, err := run.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "The steady question") {
		t.Errorf("%v\n%s", err, out)
	}
}
