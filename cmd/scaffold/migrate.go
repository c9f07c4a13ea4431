package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/schema/diff"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

func newMigrate() *cobra.Command {
	var folder string
	migrate := &cobra.Command{Use: "migrate", Short: "Write migrations", Args: cobra.NoArgs}
	migrate.PersistentFlags().StringVar(&folder, "dir", "schema/migrations", "the folder of the migrations")
	migrate.AddCommand(&cobra.Command{
		Use:   "diff NAME",
		Short: "Write the next migration of both databases from the models",
		Long: "Compares the models of every module with the migrations, on throwaway databases of both engines, and\n" +
			"writes what is missing. Needs a PostgreSQL server; TEST_DATABASE_URL names one, else one is started.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			written, err := writeDiff(cmd.Context(), folder, args[0])
			for _, path := range written {
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			if err == nil && len(written) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "The migrations and the models agree: nothing to write.")
			}
			return err
		},
	})
	migrate.AddCommand(&cobra.Command{
		Use:   "hash",
		Short: "Compute atlas.sum anew after a file was written by hand",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return diff.Hash(folder) },
	})
	return migrate
}

func writeDiff(ctx context.Context, folder, name string) ([]string, error) {
	server, stop, err := testkit.StartPostgres(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	return diff.Write(ctx, diff.Options{Models: wiregen.Models(), Folder: folder, PostgresURL: server}, name)
}
