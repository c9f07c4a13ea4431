package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// outcome is what the rounds of one endpoint saw.
type outcome struct {
	endpoint       endpoint
	product, floor []sample // round by round; the floor's are empty on SQLite
}

// figures are what was measured on one database.
type figures struct {
	engine   string
	outcomes []outcome
	guard    guard
	starts   []float64 // milliseconds
	memory   memory    // of the product, after the load
	idle     float64   // the percentage of a core that the product uses when nobody asks
}

// compare measures what the options ask for and prints it.
func (b *bench) compare(ctx context.Context, opts options) error {
	printHead(os.Stdout, opts)
	for _, engine := range opts.engines {
		measure := map[string]func(context.Context, options) (figures, error){"postgres": b.onPostgres, "sqlite": b.onSQLite}[engine]
		if measure == nil {
			return fmt.Errorf("there is no database %q", engine)
		}
		found, err := measure(ctx, opts)
		if err != nil {
			return err
		}
		found.print(os.Stdout)
	}
	return nil
}

func (b *bench) onPostgres(ctx context.Context, opts options) (figures, error) {
	productDB, floorDB, err := b.databases(ctx)
	if err != nil {
		return figures{}, err
	}
	floor, err := start(ctx, b.folder, b.with(floorDB), b.floor)
	if err != nil {
		return figures{}, err
	}
	defer floor.stop()
	return b.measure(ctx, opts, "PostgreSQL", productDB, floor)
}

func (b *bench) onSQLite(ctx context.Context, opts options) (figures, error) {
	database := "sqlite:///" + filepath.Join(b.folder, "data", "bench.db")
	progress("filling SQLite with %d projects of %d users", users*projectsPerUser, users)
	if err := b.fill(ctx, database); err != nil {
		return figures{}, err
	}
	return b.measure(ctx, opts, "SQLite", database, nil)
}

// measure runs the product over the database, beside the floor if there is one.
func (b *bench) measure(ctx context.Context, opts options, engine, database string, floor *server) (figures, error) {
	found := figures{engine: engine}
	product, err := b.startProduct(ctx, database)
	if err != nil {
		return figures{}, err
	}
	defer product.stop()
	people, err := meet(ctx, product.address, b.tokens)
	if err != nil {
		return figures{}, err
	}
	for _, e := range opts.endpoints {
		seen, err := measureEndpoint(ctx, opts, e, people, product, floor)
		if err != nil {
			return figures{}, fmt.Errorf("%s: %w", e.name, err)
		}
		found.outcomes = append(found.outcomes, seen)
	}
	found.memory = product.memory()
	if found.guard, err = b.measureGuard(ctx, opts, database, people); err != nil {
		return figures{}, err
	}
	if found.idle, err = product.idle(ctx, opts.idle); err != nil {
		return figures{}, err
	}

	progress("starting the product %d times", opts.starts)
	for range opts.starts {
		again, err := b.startProduct(ctx, database)
		if err != nil {
			return figures{}, err
		}
		again.stop()
		found.starts = append(found.starts, millis(again.startup))
	}
	return found, nil
}

func (b *bench) startProduct(ctx context.Context, database string) (*server, error) {
	return start(ctx, b.folder, b.with(database), b.product, "serve")
}

// measureEndpoint proves that both servers answer alike, warms them up, and measures them in turns.
func measureEndpoint(ctx context.Context, opts options, e endpoint, people []person, product, floor *server) (outcome, error) {
	seen := outcome{endpoint: e}
	type contender struct {
		*server
		samples *[]sample
	}
	contenders := []contender{{product, &seen.product}}
	if floor != nil {
		if err := alike(ctx, e, product.address, floor.address, people); err != nil {
			return outcome{}, err
		}
		contenders = append(contenders, contender{floor, &seen.floor})
	}

	requests := e.requests(people)
	for round := range opts.rounds + 1 {
		length := opts.length
		if round == 0 {
			length /= 4 // it only warms up
		}
		for _, c := range contenders {
			got, err := load(ctx, c.address, requests, e.status, opts.connections, length, c.cpu)
			if err != nil {
				return outcome{}, err
			}
			c.emptyLog()
			if round > 0 {
				*c.samples = append(*c.samples, got)
			}
		}
		if round > 0 {
			progress("%s", seen.line(opts.rounds))
		}
		slices.Reverse(contenders) // so that neither always comes after the other
	}
	return seen, nil
}

// line tells of the last round.
func (o outcome) line(rounds int) string {
	last := len(o.product) - 1
	line := fmt.Sprintf("%-6s round %d of %d: %6.0f/s", o.endpoint.name, last+1, rounds, o.product[last].perSecond)
	if len(o.floor) > 0 {
		line += fmt.Sprintf(", floor %6.0f/s", o.floor[last].perSecond)
	}
	return line
}
