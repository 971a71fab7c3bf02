package access

import (
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

var (
	actionPattern     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}:[a-z][a-z0-9-]{0,40}$`)
	permissionPattern = regexp.MustCompile(`^(\*|[a-z][a-z0-9-]{0,40}:(\*|[a-z][a-z0-9-]{0,40})|\*:[a-z][a-z0-9-]{0,40})$`)
	objectPattern     = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,250}$`)
)

// ValidAction tells whether s is an action: noun:verb.
func ValidAction(s string) bool { return actionPattern.MatchString(s) }

// ValidPermission tells whether s may stand in a role: an action, noun:*, *:verb or *.
func ValidPermission(s string) bool { return permissionPattern.MatchString(s) }

// ValidScope tells whether s may narrow a token: a permission, or permission=object.
func ValidScope(s string) bool {
	permission, object, narrowed := strings.Cut(s, "=")
	return ValidPermission(permission) && (!narrowed || objectPattern.MatchString(object))
}

// CheckScopes fails with fault.Invalid when one of the scopes can't be understood or there are more than 64.
func CheckScopes(scopes []string) error {
	if len(scopes) > 64 {
		return fault.Errorf(fault.Invalid, "%d scopes are too many; at most 64 are taken", len(scopes))
	}
	for _, s := range scopes {
		if !ValidScope(s) {
			return fault.Errorf(fault.Invalid, "scope %q is not one; write an action such as run:confirm, noun:*, or action=object such as repository:write=team/shop", s)
		}
	}
	return nil
}

// covers tells whether a permission allows an action. Both are valid, and the action may itself be a permission:
// then it covers everything that the other one allows.
func covers(permission, action string) bool {
	if permission == "*" || permission == action {
		return true
	}
	noun, verb, _ := strings.Cut(permission, ":")
	otherNoun, otherVerb, paired := strings.Cut(action, ":")
	if !paired {
		return false
	}
	return (noun == "*" || noun == otherNoun) && (verb == "*" || verb == otherVerb)
}

func anyCovers(permissions []string, action string) bool {
	for _, p := range permissions {
		if covers(p, action) {
			return true
		}
	}
	return false
}

// scopesAllow tells whether a token's scopes let an action on an object through; an empty object stands for the whole
// space, so a scope that is held to one object does not suffice. Nil scopes narrow nothing.
func scopesAllow(scopes []string, action, object string) bool {
	if scopes == nil {
		return true
	}
	for _, s := range scopes {
		permission, only, narrowed := strings.Cut(s, "=")
		if covers(permission, action) && (!narrowed || object != "" && only == object) {
			return true
		}
	}
	return false
}

// ScopesWithin gives those of the scopes that reach further than the holder's own; nil own scopes contain everything,
// and nil scopes (everything) are only within nil.
func ScopesWithin(scopes, own []string) (beyond []string) {
	if own == nil {
		return nil
	}
	if scopes == nil {
		return []string{"*"}
	}
	for _, s := range scopes {
		permission, object, _ := strings.Cut(s, "=")
		if !scopesAllow(own, permission, object) {
			beyond = append(beyond, s)
		}
	}
	return beyond
}
