package main

import (
	"bufio"
	"net"
	neturl "net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
)

// TestMain lets the test binary be the command itself.
func TestMain(m *testing.M) {
	if os.Getenv("SERVERS_TEST_COMMAND") == "1" {
		main()
	}
	os.Exit(m.Run())
}

func servers(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, arguments...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "SERVERS_TEST_COMMAND=1")
	return cmd
}

func TestExitCodes(t *testing.T) {
	testkit.NeedServers(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -KILL $$": 128 + 9} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			cmd := servers(t, "--", "sh", "-c", script)
			_ = cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != want {
				t.Errorf("exit code %d, want %d", got, want)
			}
		})
	}
}

func TestUsageAndMissingCommand(t *testing.T) {
	testkit.NeedServers(t)
	for _, test := range []struct {
		name      string
		arguments []string
		want      int
	}{
		{"no command", []string{"--"}, 2},
		{"no such command", []string{"--", "no-such-command"}, 127},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := servers(t, test.arguments...)
			cmd.Stderr = nil
			_ = cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

func TestCommandFindsServersAndStopsThem(t *testing.T) {
	testkit.NeedServers(t)
	cmd := servers(t, "--", "sh", "-c", `echo "$TEST_DATABASE_URL"; echo "$TEST_REDIS_URL"`)
	cmd.Env = append(cmd.Env, "TEST_DATABASE_URL=", "TEST_REDIS_URL=") // it must start its own
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	urls := strings.Fields(string(out))
	if len(urls) != 2 || !strings.HasPrefix(urls[0], "postgres://") || !strings.HasPrefix(urls[1], "redis://") {
		t.Fatalf("the command saw %q", urls)
	}
	for _, url := range urls {
		parsed, err := neturl.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		if conn, err := net.Dial("tcp", parsed.Host); err == nil {
			conn.Close()
			t.Errorf("%s still runs", parsed.Redacted())
		}
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	testkit.NeedServers(t)
	cmd := servers(t, "--", "sh", "-c", `trap 'exit 42' TERM; echo ready; while :; do sleep 0.1; done`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 42 {
		t.Errorf("exit code %d, want 42", got)
	}
}
