package notificationsmod

import "github.com/omnistack/omnistack/platform/module"

// Describe returns the table of contents.
func Describe(settings *Settings) module.Descriptor {
	return module.Descriptor{
		Name:     "notifications",
		Summary:  "Notifications: how mail leaves, and from whom. Only its settings yet.",
		Settings: settings.Group(),
	}
}
