package aimod

import "github.com/omnistack/omnistack/platform/module"

// Describe returns the table of contents.
func Describe(settings *Settings) module.Descriptor {
	return module.Descriptor{
		Name:     "ai",
		Summary:  "AI: which providers can be called, and which model answers. Only its settings yet.",
		Settings: settings.Group(),
	}
}
