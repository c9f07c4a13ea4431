package testkit

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// postgresSettings trade what a crash of the machine would lose, which no test notices, for speed. A crash of the server
// loses nothing: synchronous_commit stays on, or a test that kills the server would miss its last commits. Two hundred
// connections carry a few test processes with their pools.
var postgresSettings = []string{
	"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off",
	"-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "max_wal_size=128MB", "-c", "timezone=UTC",
}

var postgres = product{
	name:     "PostgreSQL",
	variable: "TEST_DATABASE_URL",
	manual:   "PostgreSQL 13 or later (macOS: brew install postgresql@16; Debian, Ubuntu: apt install postgresql)",
	packages: "postgresql",
	find:     findPostgres,
	url: func(port int, password string) string {
		return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port)
	},
	ping: func(ctx context.Context, url string) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	},
	native: func(ctx context.Context, program string, at site) (recipe, error) {
		secret := filepath.Join(at.folder, "password")
		if err := writeFor(at.as, secret, at.password); err != nil {
			return recipe{}, err
		}
		data := filepath.Join(at.folder, "data")
		initdb := exec.CommandContext(ctx, filepath.Join(filepath.Dir(program), "initdb"), "-D", data, "-U", "postgres",
			"--auth=password", "--pwfile="+secret, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
		initdb.Dir = at.folder
		initdb.Env = append(os.Environ(), "LC_ALL=C")
		initdb.SysProcAttr = &syscall.SysProcAttr{Credential: at.as}
		if out, err := initdb.CombinedOutput(); err != nil {
			return recipe{}, fmt.Errorf("%s: %w\n%s", initdb, err, out)
		}
		// No Unix socket: its path is limited to about a hundred bytes, and nobody needs one.
		run := append([]string{program, "-D", data, "-p", strconv.Itoa(at.port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}, postgresSettings...)
		// QUIT is PostgreSQL's immediate shutdown: a crash, but one that takes all of its processes along.
		return recipe{start: run, restart: run, signal: "QUIT", folder: at.folder, clean: "rm -rf " + at.folder, as: at.as}, nil
	},
	docker: func(at site) recipe {
		return dockerRecipe(at, "QUIT", 5432, "postgres:16-alpine",
			[]string{"-e", "POSTGRES_PASSWORD=" + at.password, "-e", "POSTGRES_INITDB_ARGS=-E UTF8 --locale=C"}, postgresSettings)
	},
}

// redisDatabases is how many numbered databases a Redis server of ours has, which Redis(t) lends to tests.
const redisDatabases = 512

var redisServer = product{
	name:     "Redis",
	variable: "TEST_REDIS_URL",
	manual:   "Redis 6.2 or later (macOS: brew install redis; Debian, Ubuntu: apt install redis-server)",
	packages: "redis-server",
	find:     findRedis,
	url: func(port int, password string) string {
		return fmt.Sprintf("redis://:%s@127.0.0.1:%d/0", password, port)
	},
	ping: func(ctx context.Context, url string) error {
		options, err := redis.ParseURL(url)
		if err != nil {
			return err
		}
		// go-redis prints a line for every connection that fails, so it's asked only when someone listens.
		conn, err := net.DialTimeout("tcp", options.Addr, 2*time.Second)
		if err != nil {
			return err
		}
		conn.Close()
		options.MaxRetries = -1
		client := redis.NewClient(options)
		defer client.Close()
		return client.Ping(ctx).Err()
	},
	native: func(_ context.Context, program string, at site) (recipe, error) {
		conf := filepath.Join(at.folder, "redis.conf")
		text := fmt.Sprintf("bind 127.0.0.1\nport %d\nrequirepass %s\ndir %s\ndatabases %d\nsave \"\"\nappendonly no\n",
			at.port, at.password, at.folder, redisDatabases)
		run := []string{program, conf}
		return recipe{
			start: run, restart: run, signal: "KILL", folder: at.folder, clean: "rm -rf " + at.folder, as: at.as,
			freeze: "kill -s STOP $!", thaw: "kill -s CONT $!",
		}, writeFor(at.as, conf, text)
	},
	docker: func(at site) recipe {
		// The docker command passes every signal on to the server but KILL.
		return dockerRecipe(at, "TERM", 6379, "redis:7-alpine", nil, []string{"redis-server", "--requirepass", at.password,
			"--databases", strconv.Itoa(redisDatabases), "--save", "", "--appendonly", "no"})
	},
}

// dockerRecipe runs an image in the foreground. Its container keeps the data until it is removed.
func dockerRecipe(at site, signal string, port int, image string, options, arguments []string) recipe {
	name := filepath.Base(at.folder)
	run := []string{"docker", "run", "--name", name, "-p", fmt.Sprintf("127.0.0.1:%d:%d", at.port, port)}
	return recipe{
		start:   slices.Concat(run, options, []string{image}, arguments),
		restart: []string{"docker", "start", "--attach", name},
		signal:  signal,
		folder:  at.folder,
		clean:   fmt.Sprintf("docker rm -f -v %s; rm -rf %s", name, at.folder),
		freeze:  "docker pause " + name,
		thaw:    "docker unpause " + name,
	}
}

// sweep removes the data of a server that doesn't run.
func sweep(r recipe) { _ = exec.Command("/bin/sh", "-c", r.clean).Run() }

// writeFor writes a file that only the server's user can read.
func writeFor(as *syscall.Credential, name, text string) error {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil || as == nil {
		return err
	}
	return os.Chown(name, int(as.Uid), int(as.Gid))
}

// findPostgres returns the path of the PostgreSQL server: the one in PATH, else the newest of the versioned folders.
// Links are followed, and it counts only with initdb beside it.
func findPostgres() string {
	var folders []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin", "/opt/local/lib/postgresql*/bin",
	} {
		found, _ := filepath.Glob(pattern)
		slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
		folders = append(folders, found...)
	}
	for _, program := range programs("postgres", folders...) {
		program, err := filepath.EvalSymlinks(program)
		if err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(program), "initdb")); err == nil {
			return program
		}
	}
	return ""
}

// findRedis returns the path of the Redis server. Links are kept: on Debian it is one, and the name says what it does.
func findRedis() string {
	for _, program := range programs("redis-server", "/opt/homebrew/bin", "/usr/local/bin", "/opt/local/bin", "/usr/bin") {
		return program
	}
	return ""
}

// version returns the number in a path such as /usr/lib/postgresql/16/bin.
func version(path string) int {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, path)
	number, _ := strconv.Atoi(digits)
	return number
}

// programs returns where the program is: in PATH, then in the folders.
func programs(name string, folders ...string) []string {
	candidates := []string{name}
	for _, folder := range folders {
		candidates = append(candidates, filepath.Join(folder, name))
	}
	var found []string
	for _, candidate := range candidates {
		if path, err := exec.LookPath(candidate); err == nil {
			found = append(found, path)
		}
	}
	return found
}
