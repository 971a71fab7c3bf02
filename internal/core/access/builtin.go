package access

// Root is the space that contains every other.
const Root = "default"

// The roles that every installation has. No document may redefine them.
const (
	Admin     = "admin"
	Developer = "developer"
	Reader    = "reader"
)

// builtin gives the permissions of the built-in roles. A developer works with everything that serves a service's life,
// and changes nothing about rights, trust, policies, pools or clusters. It lacks
// stack:state too: states hold sensitive values in the clear, and runs reach theirs without it.
func builtin() map[string]Role {
	read := []string{"*:read", "run:log"}
	return map[string]Role{
		Admin:  {Name: Admin, Space: Root, Description: "May do everything in the space and below.", Permissions: []string{"*"}, Builtin: true},
		Reader: {Name: Reader, Space: Root, Description: "May see everything in the space and below; secrets stay unreadable for everyone.", Permissions: read, Builtin: true},
		Developer: {Name: Developer, Space: Root, Description: "May make, change, run and deliver services in the space and below.", Builtin: true,
			Permissions: append([]string{
				"entity:write", "entity:delete", "location:write", "source:push", "template:use",
				"repository:create", "repository:write",
				"run:confirm", "run:cancel", "run:retry", "run:prioritize",
				"stack:plan", "stack:apply", "stack:destroy", "workflow:create", "application:sync",
				"artifact:write", "secret:write",
				"metric:write", "finding:write",
				"module:write", "provider:write",
			}, read...)},
	}
}

// Role is a named set of permissions.
type Role struct {
	Name        string
	Space       string // where it was declared: it may be bound there and below
	Description string
	Permissions []string
	Builtin     bool
}
