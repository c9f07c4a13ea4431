package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
)

func (c *cli) adminCommand() *cobra.Command {
	const whom = "SUB is the subject that a user signs in with, the sub of the access token, or the id of a user.\n" +
		"The user has signed in at least once. Running processes know within seconds."
	return group(
		&cobra.Command{Use: "admin", Short: "Say who administers the product"},
		c.appointCommand(&cobra.Command{
			Use: "grant SUB", Short: "Make a user an administrator",
			Long: "Make a user an administrator. So the product gets its first superadmin, who then appoints others.\n" + whom,
		}, "the role to give", auth.RoleAdmin, auth.RoleSuperadmin),
		c.appointCommand(&cobra.Command{
			Use: "revoke SUB", Short: "Make an administrator a user like others",
			Long: "Make an administrator a user like others. The last superadmin stays.\n" + whom,
		}, "the role to leave", auth.RoleUser, auth.RoleAdmin),
	)
}

// appointCommand completes a command that gives a user one of two roles, the first if none is named.
func (c *cli) appointCommand(command *cobra.Command, about string, usual, other auth.Role) *cobra.Command {
	role, issuer := string(usual), ""
	command.Args = cobra.ExactArgs(1)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains([]auth.Role{usual, other}, auth.Role(role)) {
			return usageError{fmt.Errorf("--role must be %s or %s", usual, other)}
		}
		app, cleanup, err := c.build(cmd.Context())
		if err != nil {
			return err
		}
		defer cleanup()
		userID, err := app.Appoint(cmd.Context(), "admin "+command.Name(), issuer, args[0], auth.Role(role))
		switch {
		case errs.Is(err, errs.NotFound):
			return fmt.Errorf("nobody signs in as %q: that user has to sign in once before, or --issuer names another identity provider", args[0])
		case errs.Is(err, errs.Conflict):
			return errors.New(errs.From(err).Message)
		case err != nil:
			return err
		}
		fmt.Fprintf(c.stdout, "The user %s has the role %s now.\n", userID, role)
		return nil
	}
	command.Flags().StringVar(&role, "role", role, fmt.Sprintf("%s: %s or %s", about, usual, other))
	command.Flags().StringVar(&issuer, "issuer", "", "the iss of the user's access token; the one of AUTH_PROVIDER if not given")
	return command
}
