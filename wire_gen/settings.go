package wiregen

import (
	"io"

	"github.com/omnistack/omnistack/modules/ai/aimod"
	"github.com/omnistack/omnistack/modules/billing/billingmod"
	"github.com/omnistack/omnistack/modules/notifications/notificationsmod"
	"github.com/omnistack/omnistack/modules/users/usersmod"
	"github.com/omnistack/omnistack/platform/config"
)

// Settings is the whole settings contract, grouped by who reads what.
type Settings struct {
	Platform      config.Platform
	Users         usersmod.Settings
	Billing       billingmod.Settings
	AI            aimod.Settings
	Notifications notificationsmod.Settings

	Output io.Writer // where mail is shown that EMAIL_PROVIDER=console doesn't send; nil for nowhere but /dev/mail
}

// Groups returns every group, the platform's first.
func (s *Settings) Groups() []config.Group {
	return []config.Group{
		s.Platform.Group(), s.Users.Group(), s.Billing.Group(), s.AI.Group(), s.Notifications.Group(),
	}
}

// LoadSettings reads the settings. The report is there even with an error, which then is a *config.InvalidError that
// lists everything that is wrong.
func LoadSettings(src config.Sources) (*Settings, *config.Report, error) {
	settings := &Settings{}
	report, err := config.Load(src, settings.Groups()...)
	return settings, report, err
}
