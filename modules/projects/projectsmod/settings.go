package projectsmod

import (
	"net"
	"strings"

	"github.com/omnistack/omnistack/platform/config"
)

// Owner is the name under which the module's settings are listed.
const Owner = "projects"

// Settings holds the settings of the projects module.
type Settings struct {
	ClamAV string `env:"CLAMAV_ADDR" help:"Where ClamAV's clamd listens, which searches files for malware: host:port, or the path of its socket. Unset, nothing is searched."`
}

// Group returns s as a group for config.Load.
func (s *Settings) Group() config.Group { return config.Group{Owner: Owner, Struct: s} }

// Validate refuses what is no address.
func (s *Settings) Validate(check *config.Check) {
	if s.ClamAV == "" || strings.HasPrefix(s.ClamAV, "/") {
		return
	}
	if host, port, err := net.SplitHostPort(s.ClamAV); err != nil || host == "" || port == "" {
		check.Refuse("CLAMAV_ADDR", "must be host:port, or the absolute path of a socket")
	}
}
