package auth

// Role is what an account may do, from least to most.
type Role string

// The roles. Each includes the ones before it.
const (
	RoleUser       Role = "user"
	RoleAdmin      Role = "admin"
	RoleSuperadmin Role = "superadmin"
)

// ParseRole returns the role that name spells exactly, and whether there is one.
func ParseRole(name string) (Role, bool) {
	role := Role(name)
	return role, role.rank() > 0
}

// Includes tells whether whoever has r may do what other may. A role that isn't known includes nothing and is included
// in nothing.
func (r Role) Includes(other Role) bool { return other.rank() > 0 && r.rank() >= other.rank() }

func (r Role) rank() int {
	switch r {
	case RoleUser:
		return 1
	case RoleAdmin:
		return 2
	case RoleSuperadmin:
		return 3
	}
	return 0
}
