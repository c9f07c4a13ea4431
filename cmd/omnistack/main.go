// Command omnistack is the product: the API server and everything an operator does with it.
//
// It exits with 0, with 1 when something went wrong, and with 2 when it was called wrongly. Errors go to the standard
// error output, one line unless there are several to list.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/telemetry"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole program, with everything it takes from the outside as arguments.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	cli := &cli{environ: environ, stdout: stdout, stderr: stderr}
	root := cli.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case !cli.started || errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "%v\nRun '%s --help' for usage.\n", err, command.CommandPath())
		return exitUsage
	}
	fmt.Fprintln(stderr, err)
	return exitFailed
}

// usageError is a mistake in the arguments that only the running command can see.
type usageError struct{ error }

// cli is what every command works with.
type cli struct {
	environ        []string
	stdout, stderr io.Writer
	started        bool // the arguments were right and a command is running
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "omnistack",
		Short:             "A SaaS backend: the API server and everything an operator does with it",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(command *cobra.Command, _ []string) error {
			if err := command.ValidateRequiredFlags(); err != nil { // cobra would look after this function
				return err
			}
			c.started = true
			return nil
		},
	}
	return group(root,
		c.serveCommand(), c.workerCommand(), c.migrateCommand(), c.seedCommand(), c.tokenCommand(), c.adminCommand(),
		c.configCommand(), c.doctorCommand(), c.modulesCommand(), c.eventsCommand(), c.versionCommand(),
	)
}

// group returns the parent with these commands. Calling it without one of them, or with a misspelt one, is an error:
// cobra would print the help and succeed, and a deployment whose script says `migrate` for `migrate up` would go on.
func group(parent *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	parent.AddCommand(commands...)
	parent.SuggestionsMinimumDistance = 2
	parent.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s needs a command", parent.CommandPath())
		}
		err := fmt.Errorf("%s has no command %q", parent.CommandPath(), args[0])
		if similar := parent.SuggestionsFor(args[0]); len(similar) > 0 {
			err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(similar, " or "))
		}
		return err
	}
	parent.RunE = func(*cobra.Command, []string) error { return nil } // never runs, but makes cobra check the arguments
	return parent
}

// settings reads the settings of the process, from its environment and the working folder.
func (c *cli) settings() (*wiregen.Settings, *config.Report, error) {
	return wiregen.LoadSettings(config.Sources{Environ: c.environ})
}

// build puts the program together for a command that uses it without serving. The function it returns releases what was
// opened.
func (c *cli) build(ctx context.Context) (*wiregen.App, func(), error) {
	settings, log, err := c.prepare()
	if err != nil {
		return nil, nil, err
	}
	return wiregen.Build(ctx, settings, wiregen.Roles{Worker: true}, log)
}

// prepare reads the settings, makes the logger they ask for, and logs what is doubtful in them.
func (c *cli) prepare() (*wiregen.Settings, *zap.Logger, error) {
	settings, report, err := c.settings()
	if err != nil {
		return nil, nil, err
	}
	core := settings.Platform.Core
	options := telemetry.LogOptions{Level: core.LogLevel, Console: core.LogFormat == "console"}
	if core.Debug {
		options.Level = "DEBUG"
	}
	log := telemetry.NewLogger(options, c.stderr)
	for _, warning := range report.Warnings {
		log.Warn(warning.String())
	}
	return settings, log, nil
}
