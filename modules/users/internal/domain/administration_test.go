package domain_test

import (
	"reflect"
	"testing"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
)

const (
	plain = domain.RoleUser
	admin = domain.RoleAdmin
	super = domain.RoleSuperadmin
)

func TestAdminister(t *testing.T) {
	to := func(role domain.Role) domain.Administration { return domain.Administration{Role: &role} }
	suspend, reactivate := domain.Administration{Active: new(false)}, domain.Administration{Active: new(true)}
	type who struct {
		role      domain.Role
		suspended bool
	}
	changed, stays := errstest.Success, errstest.Success
	forbidden, invalid, conflict := errstest.Kind(errs.Forbidden), errstest.Kind(errs.Invalid), errstest.Kind(errs.Conflict)
	two := []string{"another", "u1"}

	for name, test := range map[string]struct {
		user        who
		by          domain.Administrator
		change      domain.Administration
		superadmins []string
		is          func(error) bool
		changed     bool
		want        who
	}{
		"nothing":                          {who{role: plain}, by("a", admin), domain.Administration{}, nil, stays, false, who{role: plain}},
		"what is":                          {who{role: plain}, by("a", admin), domain.Administration{Role: new(plain), Active: new(true)}, nil, stays, false, who{role: plain}},
		"what is, of a superadmin":         {who{role: super}, by("a", admin), domain.Administration{Role: new(super), Active: new(true)}, []string{"u1"}, stays, false, who{role: super}},
		"an admin suspends":                {who{role: plain}, by("a", admin), suspend, nil, changed, true, who{plain, true}},
		"an admin reactivates":             {who{plain, true}, by("a", admin), reactivate, nil, changed, true, who{role: plain}},
		"an admin suspends an admin":       {who{role: admin}, by("a", admin), suspend, nil, changed, true, who{admin, true}},
		"an admin suspends a superadmin":   {who{role: super}, by("a", admin), suspend, two, forbidden, false, who{role: super}},
		"an admin reactivates one":         {who{super, true}, by("a", admin), reactivate, two, forbidden, false, who{super, true}},
		"an admin grants admin":            {who{role: plain}, by("a", admin), to(admin), nil, forbidden, false, who{role: plain}},
		"an admin grants superadmin":       {who{role: plain}, by("a", admin), to(super), nil, forbidden, false, who{role: plain}},
		"an admin takes admin":             {who{role: admin}, by("a", admin), to(plain), nil, forbidden, false, who{role: admin}},
		"an admin takes superadmin":        {who{role: super}, by("a", admin), to(plain), two, forbidden, false, who{role: super}},
		"a user suspends an admin's role":  {who{role: admin}, by("a", plain), to(plain), nil, forbidden, false, who{role: admin}},
		"a superadmin grants admin":        {who{role: plain}, by("s", super), to(admin), nil, changed, true, who{role: admin}},
		"a superadmin grants superadmin":   {who{role: plain}, by("s", super), to(super), []string{"s"}, changed, true, who{role: super}},
		"a superadmin takes admin":         {who{role: admin}, by("s", super), to(plain), nil, changed, true, who{role: plain}},
		"a superadmin takes superadmin":    {who{role: super}, by("s", super), to(admin), two, changed, true, who{role: admin}},
		"a superadmin suspends another":    {who{role: super}, by("s", super), suspend, two, changed, true, who{super, true}},
		"the last one is demoted":          {who{role: super}, by("s", super), to(admin), []string{"u1"}, conflict, false, who{role: super}},
		"the last one is suspended":        {who{role: super}, by("s", super), suspend, []string{"u1"}, conflict, false, who{role: super}},
		"a suspended one is demoted":       {who{super, true}, by("s", super), to(plain), []string{"s"}, changed, true, who{plain, true}},
		"a suspended one comes back":       {who{super, true}, by("s", super), reactivate, nil, changed, true, who{role: super}},
		"both at once":                     {who{role: admin}, by("s", super), domain.Administration{Role: new(plain), Active: new(false)}, nil, changed, true, who{plain, true}},
		"both at once, one not allowed":    {who{role: admin}, by("a", admin), domain.Administration{Role: new(plain), Active: new(false)}, nil, forbidden, false, who{role: admin}},
		"one's own role":                   {who{role: admin}, by("u1", super), to(super), nil, forbidden, false, who{role: admin}},
		"one's own role, downwards":        {who{role: super}, by("u1", super), to(plain), two, forbidden, false, who{role: super}},
		"oneself":                          {who{role: super}, by("u1", super), suspend, two, forbidden, false, who{role: super}},
		"oneself, to what is":              {who{role: super}, by("u1", super), domain.Administration{Role: new(super), Active: new(true)}, []string{"u1"}, stays, false, who{role: super}},
		"a role that doesn't exist":        {who{role: plain}, by("s", super), to("king"), nil, invalid, false, who{role: plain}},
		"no role at all":                   {who{role: plain}, by("s", super), to(""), nil, invalid, false, who{role: plain}},
		"an old role that no longer is":    {who{role: "king"}, by("s", super), to(plain), nil, changed, true, who{role: plain}},
		"suspending somebody of that role": {who{role: "king"}, by("a", admin), suspend, nil, changed, true, who{"king", true}},
	} {
		got, want := user(new("Sam"), nil, 1, birth), user(new("Sam"), nil, 1, birth)
		got.Role, got.Active = test.user.role, !test.user.suspended
		want.Role, want.Active = test.want.role, !test.want.suspended
		if test.changed {
			want.Version, want.UpdatedAt = 2, later
		}
		changed, err := got.Administer(test.by, test.change, test.superadmins, later)
		if !test.is(err) || changed != test.changed || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: changed is %t with %v, and the user %+v, want %+v", name, changed, err, got, want)
		}
	}
}

// Who is brought back isn't to be erased any more.
func TestAClosedAccountIsBroughtBack(t *testing.T) {
	person := user(new("Sam"), nil, 1, birth)
	person.Close(later, birth)
	if err := person.MayAct(); !errs.Is(err, errs.Forbidden) || person.Active || person.Version != 2 || !person.EraseAt.Equal(later) {
		t.Errorf("closed it is %+v, %v", person, err)
	}
	if changed, err := person.Administer(by("a", admin), domain.Administration{Active: new(false)}, nil, later); changed || err != nil || person.EraseAt == nil {
		t.Errorf("suspended, too, it is %+v, %v", person, err)
	}
	if changed, err := person.Administer(by("a", admin), domain.Administration{Active: new(true)}, nil, later); !changed || err != nil || person.EraseAt != nil || person.MayAct() != nil {
		t.Errorf("brought back it is %+v, %v", person, err)
	}
}

func TestMayBeErased(t *testing.T) {
	for name, test := range map[string]struct {
		role        domain.Role
		superadmins []string
		is          func(error) bool
	}{
		"a user": {plain, nil, errstest.Success}, "an admin": {admin, nil, errstest.Success},
		"a superadmin beside another": {super, []string{"another"}, errstest.Success}, "the last superadmin": {super, nil, errstest.Kind(errs.Conflict)},
	} {
		if err := (domain.User{ID: "u1", Role: test.role}).MayBeErased(test.superadmins); !test.is(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestMayBeDeleted(t *testing.T) {
	allowed, forbidden, conflict := errstest.Success, errstest.Kind(errs.Forbidden), errstest.Kind(errs.Conflict)
	for name, test := range map[string]struct {
		role        domain.Role
		by          domain.Administrator
		superadmins []string
		is          func(error) bool
	}{
		"oneself":                            {plain, by("u1", plain), nil, allowed},
		"oneself, an admin":                  {admin, by("u1", admin), nil, allowed},
		"oneself, one of two superadmins":    {super, by("u1", super), []string{"another", "u1"}, allowed},
		"oneself, the last superadmin":       {super, by("u1", super), []string{"u1"}, conflict},
		"oneself, beside the last one":       {plain, by("u1", plain), []string{"another"}, allowed},
		"a user by an admin":                 {plain, by("a", admin), nil, allowed},
		"an admin by an admin":               {admin, by("a", admin), nil, forbidden},
		"a superadmin by an admin":           {super, by("a", admin), []string{"another", "u1"}, forbidden},
		"an admin by a superadmin":           {admin, by("s", super), nil, allowed},
		"a superadmin by another":            {super, by("s", super), []string{"s", "u1"}, allowed},
		"the last one by a role of a token":  {super, by("s", super), []string{"u1"}, conflict},
		"the last one by one who may not":    {super, by("a", admin), []string{"u1"}, forbidden},
		"somebody of a role that is no more": {"king", by("a", admin), nil, forbidden},
	} {
		if err := (domain.User{ID: "u1", Role: test.role, Active: true}).MayBeDeleted(test.by, test.superadmins); !test.is(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func by(userID string, role domain.Role) domain.Administrator {
	return domain.Administrator{ID: userID, Role: role}
}

// Who has a role from the identity provider is as safe from those below as who has it here.
func TestARoleOfTheTokenProtects(t *testing.T) {
	for _, test := range []struct {
		named              domain.Role
		by                 domain.Role
		suspended, deleted func(error) bool
	}{
		{super, admin, errstest.Kind(errs.Forbidden), errstest.Kind(errs.Forbidden)},
		{super, super, errstest.Success, errstest.Success},
		{admin, admin, errstest.Success, errstest.Kind(errs.Forbidden)},
		{"", admin, errstest.Success, errstest.Success},
	} {
		person := user(new("Sam"), nil, 1, birth)
		person.TokenRole = test.named
		if err := person.MayBeDeleted(by("a", test.by), nil); !test.deleted(err) {
			t.Errorf("a token's %q is deleted by %s: %v", test.named, test.by, err)
		}
		if _, err := person.Administer(by("a", test.by), domain.Administration{Active: new(false)}, nil, later); !test.suspended(err) {
			t.Errorf("a token's %q is suspended by %s: %v", test.named, test.by, err)
		}
	}
}
