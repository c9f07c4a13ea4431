package wiregen

import (
	"io"

	"github.com/omnistack/omnistack/platform/config"
)

// Settings is the whole settings contract, grouped by who reads what.
type Settings struct {
	Platform config.Platform
	ModuleSettings

	Output io.Writer // where mail is shown that EMAIL_PROVIDER=console doesn't send; nil for nowhere but /dev/mail
}

// Groups returns every group, the platform's first.
func (s *Settings) Groups() []config.Group {
	return append([]config.Group{s.Platform.Group()}, s.groups()...)
}

// LoadSettings reads the settings. The report is there even with an error, which then is a *config.InvalidError that
// lists everything that is wrong.
func LoadSettings(src config.Sources) (*Settings, *config.Report, error) {
	settings := &Settings{}
	report, err := config.Load(src, settings.Groups()...)
	return settings, report, err
}
