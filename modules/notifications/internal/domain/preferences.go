package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Choice is one channel of one kind.
type Choice struct {
	Kind    string
	Channel Channel
}

// Compare orders choices by kind and channel.
func (c Choice) Compare(other Choice) int {
	return cmp.Or(strings.Compare(c.Kind, other.Kind), strings.Compare(string(c.Channel), string(other.Channel)))
}

// Preferences are what a user doesn't want to get. Who never chose gets everything.
type Preferences struct {
	Owner     id.Scope
	Off       []Choice // sorted
	Version   int64    // 1 before the first change, one more with every change
	UpdatedAt time.Time
}

// Wants tells whether a notification of the kind goes to the user by the channel. What isn't optional always does.
func (p Preferences) Wants(kind Kind, channel Channel) bool {
	return kind.Has(channel) && (!kind.Optional || !slices.Contains(p.Off, Choice{kind.Name, channel}))
}

// Switch is a change of one choice.
type Switch struct {
	Choice

	On bool
}

// Apply changes the preferences and tells whether anything is different now. A kind or a channel that doesn't exist, and
// switching off what isn't optional, is errs.Invalid and leaves the preferences as they were.
func (p *Preferences) Apply(switches []Switch, now time.Time) (changed bool, err error) {
	off := slices.Clone(p.Off)
	var broken []errs.Field
	for _, change := range switches {
		if message := change.check(); message != "" {
			name := "kinds." + change.Kind + "." + string(change.Channel)
			broken = append(broken, errs.Field{Name: name, Message: message})
			continue
		}
		off = slices.DeleteFunc(off, func(choice Choice) bool { return choice == change.Choice })
		if !change.On {
			off = append(off, change.Choice)
		}
	}
	if len(broken) > 0 {
		return false, errs.InvalidFields(broken...)
	}
	slices.SortFunc(off, Choice.Compare)
	if slices.Equal(off, p.Off) {
		return false, nil
	}
	p.Off, p.UpdatedAt = off, now
	p.Version++
	return true, nil
}

// check returns what is wrong with the change, empty when nothing is.
func (s Switch) check() string {
	kind, found := KindOf(s.Kind)
	switch {
	case !found || kind.Audience == Anybody:
		return "there is no such kind"
	case !kind.Has(s.Channel):
		return "there is no such channel"
	case !s.On && !kind.Optional:
		return "can't be switched off"
	}
	return ""
}

// Expect returns errs.Precondition unless version is the current one, or 0 for any.
func (p Preferences) Expect(version int64) error {
	if version != 0 && version != p.Version {
		return errs.Stale()
	}
	return nil
}
