package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options say what to measure and for how long.
type options struct {
	endpoints   []endpoint
	rounds      int
	length      time.Duration // of one round of one server
	connections int
	starts      int
	idle        time.Duration // for how long nobody asks
	engines     []string
	product     string // the product's binary; built when empty
	profile     string // the folder for profiles; they are made instead of the comparison
	ai          bool   // calls of models are measured instead of the endpoints
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == profiledCommand {
		return serveProfiled(ctx)
	}
	if len(args) == 1 && (args[0] == guardedCommand || args[0] == bareCommand) {
		return serveForGuard(ctx, args[0])
	}
	opts, err := parse(args)
	if err != nil {
		return err
	}
	bench, err := prepare(ctx, opts)
	if err != nil {
		return err
	}
	defer bench.close()
	switch {
	case opts.ai && opts.profile != "":
		return bench.profileAI(ctx, opts)
	case opts.ai:
		return bench.compareAI(ctx, opts)
	case opts.profile != "":
		return bench.profile(ctx, opts)
	}
	return bench.compare(ctx, opts)
}

func parse(args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	names := flags.String("endpoints", endpointNames(endpoints), "which endpoints")
	engines := flags.String("engines", "postgres,sqlite", "which databases; the floor runs on postgres only")
	flags.IntVar(&opts.rounds, "rounds", 5, "how often each server is measured")
	flags.DurationVar(&opts.length, "length", 2*time.Second, "how long each round takes")
	flags.IntVar(&opts.connections, "connections", 16, "how many connections ask at once")
	flags.IntVar(&opts.starts, "starts", 10, "how often the product is started for the start-up time")
	flags.DurationVar(&opts.idle, "idle", 20*time.Second, "how long nobody asks, to see what the product uses then")
	flags.StringVar(&opts.product, "product", "", "the product's binary; it is built when there is none")
	flags.StringVar(&opts.profile, "profile", "", "write profiles of the product to this folder instead of comparing")
	flags.BoolVar(&opts.ai, "ai", false, "measure calls of models, beside the call itself and a naive gateway")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 || opts.rounds < 1 || opts.connections < 1 || opts.starts < 1 {
		return options{}, fmt.Errorf("there are no arguments, and every number is at least 1")
	}
	opts.engines = strings.Split(*engines, ",")
	for name := range strings.SplitSeq(*names, ",") {
		found := slices.IndexFunc(endpoints, func(e endpoint) bool { return e.name == name })
		if found < 0 {
			return options{}, fmt.Errorf("there is no endpoint %q: choose among %s", name, endpointNames(endpoints))
		}
		opts.endpoints = append(opts.endpoints, endpoints[found])
	}
	return opts, nil
}

// progress tells on the standard error output what is going on; the table is the standard output's.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
