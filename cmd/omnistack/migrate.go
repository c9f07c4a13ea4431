package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/schema"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

func (c *cli) migrateCommand() *cobra.Command {
	return group(
		&cobra.Command{Use: "migrate", Short: "Bring the database's schema up to date"},
		&cobra.Command{
			Use: "up", Short: "Apply what is pending; any number of copies may do it at once", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.withDatabase(cmd.Context(), c.migrateUp) },
		},
		&cobra.Command{
			Use: "status", Short: "List the migrations, and which are applied", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.withDatabase(cmd.Context(), c.migrateStatus) },
		},
		&cobra.Command{
			Use: "validate", Short: "Check that no migration file was changed since it was written", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				if err := schema.Validate(); err != nil {
					return err
				}
				fmt.Fprintln(c.stdout, "The migrations are as they were written.")
				return nil
			},
		},
	)
}

// withDatabase runs fn with the database that the settings name, as it is.
func (c *cli) withDatabase(ctx context.Context, fn func(context.Context, *database.DB, *zap.Logger) error) error {
	settings, log, err := c.prepare()
	if err != nil {
		return err
	}
	db, err := wiregen.OpenDatabase(ctx, settings, wiregen.Patience, log)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // nothing is left to lose: transactions have ended
	return fn(ctx, db, log)
}

func (c *cli) migrateUp(ctx context.Context, db *database.DB, log *zap.Logger) error {
	applied, err := schema.Up(ctx, db, log)
	for _, name := range applied {
		fmt.Fprintln(c.stdout, "applied", name)
	}
	if err == nil && len(applied) == 0 {
		fmt.Fprintln(c.stdout, "The schema is up to date.")
	}
	return err
}

func (c *cli) migrateStatus(ctx context.Context, db *database.DB, _ *zap.Logger) error {
	migrations, err := schema.Status(ctx, db)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "VERSION\tNAME\tAPPLIED")
	for _, migration := range migrations {
		applied := "pending"
		if !migration.Applied.IsZero() {
			applied = migration.Applied.Format(time.RFC3339)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", migration.Version, migration.Name, applied)
	}
	return out.Flush()
}
