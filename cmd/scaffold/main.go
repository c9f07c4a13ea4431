// Command scaffold is the contributor's tool. It is never part of the product.
//
//	go run ./cmd/scaffold migrate diff NAME   write the next migration of both databases from the models
//	go run ./cmd/scaffold migrate hash        compute atlas.sum anew after a file was written by hand
//	go run ./cmd/scaffold module NAME         write a new module, and join it to the product
//	go run ./cmd/scaffold event NAME          write an event that a module publishes
//	go run ./cmd/scaffold consumer NAME       write what a module does when something happened
//	go run ./cmd/scaffold job NAME            write a kind of background work of a module
//	go run ./cmd/scaffold remove NAME         take a module out, but for its contract
//	go run ./cmd/scaffold rename              make the product one's own
//	go run ./cmd/scaffold wiring              write the list of modules from the folders
//	go run ./cmd/scaffold canvas              write the README.md of every module
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newScaffold().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "scaffold:", err)
		stop()
		os.Exit(1)
	}
}

// newScaffold returns the root command; each file of this package adds one sub-command.
func newScaffold() *cobra.Command {
	root := &cobra.Command{
		Use:           "scaffold",
		Short:         "The contributor's tool: writes what is tedious to write by hand",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newMigrate())
	root.AddCommand(newModule())
	root.AddCommand(newEvent())
	root.AddCommand(newConsumer())
	root.AddCommand(newJob())
	root.AddCommand(newRemove())
	root.AddCommand(newRename())
	root.AddCommand(newWiring())
	root.AddCommand(newCanvas())
	return root
}
