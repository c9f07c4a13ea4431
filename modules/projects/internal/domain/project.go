// Package domain holds what a project is and the rules it keeps. It does no I/O and knows no clock.
package domain

import (
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// The bounds of a project's texts, in characters (Unicode code points).
const (
	MaxName        = 100
	MaxDescription = 2000
)

// Project is something a user works on.
type Project struct {
	ID          string
	Owner       id.Scope
	Name        string
	Description *string
	Version     int64 // 1 at birth, one more with every change
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Draft is what an owner says of a project to come.
type Draft struct {
	Name        string
	Description *string
}

// New returns a project as it is born, or errs.Invalid with every rule that the draft breaks.
func New(projectID string, owner id.Scope, draft Draft, now time.Time) (Project, error) {
	broken := append(checkName(draft.Name), checkDescription(draft.Description)...)
	if len(broken) > 0 {
		return Project{}, errs.InvalidFields(broken...)
	}
	return Project{
		ID: projectID, Owner: owner, Name: draft.Name, Description: draft.Description,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}, nil
}

// Change is what an owner may change. A nil Name stays; Description changes when SetDescription is, to nil too.
type Change struct {
	Name           *string
	SetDescription bool
	Description    *string
}

// Apply changes the project and tells whether anything is different now. A change that breaks a rule is errs.Invalid
// and leaves the project as it was.
func (p *Project) Apply(change Change, now time.Time) (changed bool, err error) {
	next := *p
	var broken []errs.Field // of what is set only: what an older rule let in doesn't stand in the way of other changes
	if change.Name != nil {
		next.Name = *change.Name
		broken = append(broken, checkName(next.Name)...)
	}
	if change.SetDescription {
		next.Description = change.Description
		broken = append(broken, checkDescription(next.Description)...)
	}
	if len(broken) > 0 {
		return false, errs.InvalidFields(broken...)
	}
	if next.Name == p.Name && same(next.Description, p.Description) {
		return false, nil
	}
	next.Version++
	next.UpdatedAt = now
	*p = next
	return true, nil
}

func checkName(name string) []errs.Field { return errs.Line("name", name, MaxName) }

func checkDescription(description *string) []errs.Field {
	return errs.Text("description", description, MaxDescription)
}

func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// Expect returns errs.Precondition unless version is the current one, or 0 for any.
func (p Project) Expect(version int64) error {
	if version != 0 && version != p.Version {
		return errs.Stale()
	}
	return nil
}

// MayAdd returns nil for an owner who has that many projects and may have one more by the limit, else errs.PaymentRequired.
func MayAdd(count, limit int64) error {
	if count < limit {
		return nil
	}
	return errs.New(errs.PaymentRequired, "Your plan doesn't include more projects").With("limit", limit).With("resource", "Project")
}
