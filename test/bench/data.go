package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/testkit"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// How much there is to ask for.
const (
	users           = 200
	projectsPerUser = 50
)

// bench is what every measurement stands on: the two programs, a database server and a folder that goes away.
type bench struct {
	folder  string
	product string   // the product's binary
	floor   string   // the floor's
	naive   string   // the naive gateway's
	tokens  []string // of every user
	environ []string // of every server, without its database
	closing []func()

	postgres *url.URL
	redis    string
}

// close undoes what prepare did.
func (b *bench) close() {
	for _, undo := range slices.Backward(b.closing) {
		undo()
	}
}

func prepare(ctx context.Context, opts options) (*bench, error) {
	b := &bench{product: opts.product}
	if err := b.open(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) open(ctx context.Context) (err error) {
	if b.folder, err = os.MkdirTemp("", "omnistack-bench-"); err != nil {
		return err
	}
	b.closing = append(b.closing, func() { _ = os.RemoveAll(b.folder) })

	progress("building")
	if err := b.build(ctx); err != nil {
		return err
	}
	progress("starting PostgreSQL and Redis")
	server, stop, err := testkit.StartPostgres(ctx)
	if err != nil {
		return err
	}
	b.closing = append(b.closing, stop)
	if b.postgres, err = url.Parse(server); err != nil {
		return errors.New("TEST_DATABASE_URL must be a URL")
	}
	if b.redis, stop, err = testkit.StartRedis(ctx); err != nil {
		return err
	}
	b.closing = append(b.closing, stop)

	data, plans := filepath.Join(b.folder, "data"), filepath.Join(b.folder, "plans.yaml")
	const ample = "plans:\n  - {name: free, projects: 1000000, rate_factor: 1, ai: {budget: 100000000, routes: [\"*\"]}}\n"
	if err := os.WriteFile(plans, []byte(ample), 0o600); err != nil {
		return err
	}
	b.environ = []string{
		"ENVIRONMENT=local", "HOST=127.0.0.1", "PORT=0", "METRICS_ADDR=off", "LOG_FORMAT=json", "LOG_LEVEL=INFO",
		"DATA_DIR=" + data, "SECRET_KEY=" + rand.Text() + rand.Text(), "DB_POOL_SIZE=10",
		"RATE_LIMIT_DEFAULT=1000000/second", "RATE_LIMIT_AI=1000000/second", // counted as in real life, and never reached
		"BILLING_CATALOG_FILE=" + plans, // the same of projects, and of what AI costs
	}
	settings, err := b.settings("sqlite:///" + filepath.Join(data, "unused.db"))
	if err != nil {
		return err
	}
	issuer, err := wiregen.OpenDevIssuer(settings, clock.System{})
	if err != nil {
		return err
	}
	b.environ = append(b.environ, "FLOOR_ISSUER="+issuer.Provider().Issuer)
	for number := range users {
		token, _, err := issuer.Mint(auth.DevClaims{Subject: userName(number), TTL: 24 * time.Hour})
		if err != nil {
			return err
		}
		b.tokens = append(b.tokens, token)
	}
	return nil
}

func userName(number int) string { return fmt.Sprintf("user-%d", number+1) }

// with returns the environment of a server over a database.
func (b *bench) with(databaseURL string) []string {
	return append(slices.Clone(b.environ), "DATABASE_URL="+databaseURL)
}

func (b *bench) settings(databaseURL string) (*wiregen.Settings, error) {
	settings, _, err := wiregen.LoadSettings(config.Sources{Dir: b.folder, Environ: b.with(databaseURL)})
	return settings, err
}

// fill migrates a database and fills it with the product's own examples, so that the rows are what they are in real
// life.
func (b *bench) fill(ctx context.Context, databaseURL string) error {
	settings, err := b.settings(databaseURL)
	if err != nil {
		return err
	}
	app, cleanup, err := wiregen.Build(ctx, settings, wiregen.Roles{Worker: true}, zap.NewNop())
	if err != nil {
		return err
	}
	defer cleanup()
	for _, described := range app.Modules.Describe() {
		if described.Seeder == nil {
			continue
		}
		const writers = 8
		var writing sync.WaitGroup
		failed := make([]error, writers)
		for writer := range writers {
			var owners []id.Scope
			for number := writer; number < users; number += writers {
				owners = append(owners, id.Of(userName(number)))
			}
			writing.Go(func() { failed[writer] = described.Seeder.Seed(ctx, owners, projectsPerUser) })
		}
		writing.Wait()
		if err := errors.Join(failed...); err != nil {
			return err
		}
	}
	return nil
}

// databases makes two PostgreSQL databases with the same rows and returns their URLs.
func (b *bench) databases(ctx context.Context) (product, floor string, err error) {
	name, product, err := b.database(ctx, "product", "")
	if err != nil {
		return "", "", err
	}
	progress("filling PostgreSQL with %d projects of %d users", users*projectsPerUser, users)
	if err := b.fill(ctx, product); err != nil {
		return "", "", err
	}
	// What autovacuum would have done after a while; the test server has none.
	if err := execute(ctx, product, "VACUUM ANALYZE"); err != nil {
		return "", "", err
	}
	_, floor, err = b.database(ctx, "floor", " TEMPLATE "+name)
	return product, floor, err
}

// database makes a PostgreSQL database, of which other words of the statement may follow, and returns its name and URL.
func (b *bench) database(ctx context.Context, what, words string) (name, address string, err error) {
	name = "omnistack_bench_" + what + "_" + strings.ToLower(rand.Text())
	if err := b.administer(ctx, "CREATE DATABASE "+name+words); err != nil {
		return "", "", err
	}
	b.closing = append(b.closing, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.administer(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			progress("%v", err)
		}
	})
	u := *b.postgres
	u.Path = "/" + name
	return name, u.String(), nil
}

func (b *bench) administer(ctx context.Context, statement string) error {
	return execute(ctx, b.postgres.String(), statement)
}

func execute(ctx context.Context, databaseURL, statement string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
