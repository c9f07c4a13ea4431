// Package usersmod puts the users context together.
package usersmod

import (
	"time"

	"github.com/omnistack/omnistack/platform/config"
)

// Owner is the name under which the module's settings are listed.
const Owner = "users"

// Settings holds the settings of the users module.
type Settings struct {
	AdminEmails   []string      `env:"ADMIN_EMAILS" is:"email" help:"People who become administrators whenever they sign in with one of these addresses, verified by the provider, and who get the daily report."`
	DeletionGrace time.Duration `env:"ACCOUNT_DELETION_GRACE" default:"0s" max:"720h" help:"How long a deleted account is only closed, and can be brought back by an administrator, before it is erased; 0s erases at once."`
}

// Group returns s as a group for config.Load.
func (s *Settings) Group() config.Group { return config.Group{Owner: Owner, Struct: s} }
