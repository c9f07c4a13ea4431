package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

func (c *cli) tokenCommand() *cobra.Command {
	var claims auth.DevClaims
	command := &cobra.Command{
		Use: "token", Short: "Print an access token to develop with", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			settings, _, err := c.settings()
			if err != nil {
				return err
			}
			issuer, err := wiregen.OpenDevIssuer(settings, clock.System{})
			if err != nil {
				return err
			}
			if issuer == nil {
				return errors.New("tokens are made here only where AUTH_PROVIDER is dev, on a developer's machine")
			}
			token, _, err := issuer.Mint(claims)
			if err != nil {
				return flagsError(err)
			}
			fmt.Fprintln(c.stdout, token)
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&claims.Subject, "sub", "", "who to be")
	flags.StringVar(&claims.Email, "email", "", "the e-mail address in the token")
	flags.StringVar(&claims.Name, "name", "", "the name in the token")
	flags.StringVar(&claims.Role, "role", "", "the role in the token: user, admin or superadmin")
	flags.DurationVar(&claims.TTL, "ttl", time.Hour, "how long the token is good for")
	_ = command.MarkFlagRequired("sub") // fails only for a flag that doesn't exist
	return command
}

// flagsError says which flags hold what breaks a rule, when err is about fields of their names.
func flagsError(err error) error {
	fields, _ := errs.From(err).Details["errors"].([]errs.Field)
	if len(fields) == 0 {
		return err
	}
	lines := make([]string, len(fields))
	for i, field := range fields {
		lines[i] = "--" + field.Name + " " + field.Message
	}
	return usageError{errors.New(strings.Join(lines, "\n"))}
}

func (c *cli) seedCommand() *cobra.Command {
	var people, projects uint
	command := &cobra.Command{
		Use: "seed", Short: "Fill the database with examples to develop with", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, log, err := c.prepare()
			if err != nil {
				return err
			}
			if !settings.Platform.Core.Environment.OnDesk() {
				return errors.New("examples are for a developer's machine: ENVIRONMENT must be local or test")
			}
			app, cleanup, err := wiregen.Build(cmd.Context(), settings, wiregen.Roles{Worker: true}, log)
			if err != nil {
				return err
			}
			defer cleanup()
			owners := make([]id.Scope, people)
			for i := range owners {
				owners[i] = id.Of(fmt.Sprintf("user-%d", i+1))
			}
			for _, described := range app.Modules.Describe() {
				if described.Seeder == nil {
					continue
				}
				if err := described.Seeder.Seed(cmd.Context(), owners, int(projects)); err != nil {
					return err
				}
				fmt.Fprintf(c.stdout, "seeded %s\n", described.Name)
			}
			fmt.Fprintf(c.stdout, "\nSign in as one of them: %s\n", c.command("token --sub user-1"))
			return nil
		},
	}
	command.Flags().UintVar(&people, "users", 3, "how many users")
	command.Flags().UintVar(&projects, "projects", 10, "how many projects each")
	return command
}
