package billingmod

import "github.com/omnistack/omnistack/platform/module"

// Describe returns the table of contents.
func Describe(settings *Settings) module.Descriptor {
	return module.Descriptor{
		Name:     "billing",
		Summary:  "Billing: whether payments are taken, at which prices. Only its settings yet.",
		Settings: settings.Group(),
	}
}
