package testkit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// TestMain lets the test binary be a process that starts servers and waits to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("TESTKIT_TEST_VICTIM") == "1" {
		victim()
	}
	os.Exit(m.Run())
}

func victim() {
	for _, p := range []product{postgres, redisServer} {
		s, err := start(context.Background(), p)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.URL, s.recipe.folder)
	}
	select {}
}

func TestKilledPostgresKeepsItsData(t *testing.T) {
	t.Parallel()
	server := NewPostgresServer(t)
	run := func(statement string) error {
		conn, err := pgx.Connect(t.Context(), server.URL)
		if err != nil {
			return err
		}
		defer conn.Close(t.Context())
		_, err = conn.Exec(t.Context(), statement)
		return err
	}
	if err := run("CREATE TABLE kept (id int)"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		server.Kill()
		if err := run("SELECT 1"); err == nil {
			t.Fatal("a killed server answers")
		}
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := run("INSERT INTO kept VALUES (1)"); err != nil {
			t.Fatalf("after the restart: %v", err)
		}
	}
}

func TestKilledRedisForgets(t *testing.T) {
	t.Parallel()
	server := NewRedisServer(t)
	options, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := client.Get(t.Context(), "key").Err(); !errors.Is(err, redis.Nil) {
		t.Fatalf("after the restart: %v", err)
	}
}

func TestServersNeverRunAsRoot(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *Server{"postgres": NewPostgresServer, "redis": NewRedisServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			info, err := os.Stat(server.recipe.folder)
			if err != nil {
				t.Fatal(err)
			}
			owner := info.Sys().(*syscall.Stat_t).Uid
			if runs := server.running.cmd.SysProcAttr.Credential; os.Geteuid() == 0 && (owner == 0 || runs == nil || runs.Uid != owner) {
				t.Fatalf("it runs as %+v, and its folder belongs to user %d", runs, owner)
			}
		})
	}
}

func TestStopRemovesTheData(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*Server){"running": func(*Server) {}, "killed": (*Server).Kill} {
		t.Run(name, func(t *testing.T) {
			server := NewRedisServer(t)
			prepare(server)
			server.Stop()
			if _, err := os.Stat(server.recipe.folder); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("%s is still there: %v", server.recipe.folder, err)
			}
		})
	}
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	server := NewRedisServer(t)
	server.Kill()
	conf := filepath.Join(server.recipe.folder, "redis.conf")
	if err := os.WriteFile(conf, []byte("port nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Fatalf("the error doesn't repeat what the server said: %v", err)
	}
}

// Neither servers nor their data outlive a process that had no chance to stop them.
func TestNothingOutlivesAKilledProcess(t *testing.T) {
	t.Parallel()
	NeedServers(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "TESTKIT_TEST_VICTIM=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var hosts, folders []string
	for len(hosts) < 2 && lines.Scan() {
		target, folder, _ := strings.Cut(lines.Text(), " ")
		parsed, err := url.Parse(target)
		if err != nil {
			t.Fatal(lines.Text())
		}
		if !listening(parsed.Host) {
			t.Fatalf("%s doesn't run", parsed.Host)
		}
		hosts, folders = append(hosts, parsed.Host), append(folders, folder)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	deadline := time.After(10 * time.Second)
	look := time.Tick(5 * time.Millisecond)
	for i := range 2 {
		for {
			_, err := os.Stat(folders[i])
			if errors.Is(err, fs.ErrNotExist) && !listening(hosts[i]) {
				break
			}
			select {
			case <-look:
			case <-deadline:
				t.Fatalf("%s listens: %t, %s: %v", hosts[i], listening(hosts[i]), folders[i], err)
			}
		}
	}
}

func listening(host string) bool {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func TestReplaceFilePutsTheFormerBack(t *testing.T) {
	t.Parallel()
	content := func(name string) string {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return "none"
		}
		return string(text)
	}
	for name, former := range map[string]string{"there was one": "theirs", "there was none": "none"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "folder", "file")
			if former != "none" {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(former), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			restore, err := replaceFile(file, "ours\n", 0o755)
			if err != nil {
				t.Fatal(err)
			}
			if got := content(file); !strings.HasPrefix(got, "ours\n") {
				t.Errorf("it holds %q", got)
			}
			restore()
			if got := content(file); got != former {
				t.Errorf("afterwards it holds %q, want %q", got, former)
			}

			// A process that was killed in between leaves ours, which must not come back for ever.
			if _, err := replaceFile(file, "ours\n", 0o755); err != nil {
				t.Fatal(err)
			}
			if restore, err = replaceFile(file, "ours\n", 0o755); err != nil {
				t.Fatal(err)
			}
			restore()
			if got := content(file); got != "none" {
				t.Errorf("after a killed process it holds %q, want none", got)
			}
		})
	}
}
