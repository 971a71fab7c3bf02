package ref

import (
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// DefaultNamespace is the catalog namespace of a name that gives none.
const DefaultNamespace = "default"

// Entity names one entity of the catalog: kind:namespace/name, compared without case.
// All three parts are kept in lower case.
type Entity struct {
	Kind, Namespace, Name string
}

// New gives a reference; an empty namespace is "default".
func New(kind, namespace, name string) Entity {
	if namespace == "" {
		namespace = DefaultNamespace
	}
	return Entity{strings.ToLower(kind), strings.ToLower(namespace), strings.ToLower(name)}
}

// Parse reads [kind:][namespace/]name; what is missing comes from the defaults.
// It fails with fault.Invalid when a part is missing or not a legal name.
func Parse(text, defaultKind, defaultNamespace string) (Entity, error) {
	kind, rest, found := strings.Cut(text, ":")
	if !found {
		kind, rest = defaultKind, text
	}
	namespace, name, found := strings.Cut(rest, "/")
	if !found {
		namespace, name = defaultNamespace, rest
	}
	e := New(kind, namespace, name)
	if !kindPattern.MatchString(e.Kind) || !ValidName(e.Namespace) || !ValidName(e.Name) {
		return Entity{}, fault.Errorf(fault.Invalid, "%q is not an entity reference; write kind:namespace/name, such as component:default/shop", text)
	}
	return e, nil
}

// Loose reads a reference as Backstage does: the parts must be there, and may hold what can name no entity, such as a mail
// address. ok is false when one is missing, or when the text is too long to be a reference.
func Loose(text, defaultKind, defaultNamespace string) (e Entity, ok bool) {
	colon, slash := strings.IndexByte(text, ':'), strings.IndexByte(text, '/')
	if slash >= 0 && slash < colon {
		colon = -1
	}
	kind, namespace := defaultKind, defaultNamespace
	if colon >= 0 {
		kind = text[:colon]
	}
	if slash >= 0 {
		namespace = text[colon+1 : slash]
	}
	name := text[max(colon, slash)+1:]
	if kind == "" || namespace == "" || name == "" || len(text) > maxLoose || strings.ContainsRune(text, 0) {
		return Entity{}, false
	}
	return New(kind, namespace, name), true
}

// maxLoose is that of three names and more.
const maxLoose = 500

// String gives kind:namespace/name, or "" for the zero value.
func (e Entity) String() string {
	if e.IsZero() {
		return ""
	}
	return e.Kind + ":" + e.Namespace + "/" + e.Name
}

// IsZero tells whether e names nothing.
func (e Entity) IsZero() bool { return e == Entity{} }

var (
	kindPattern = regexp.MustCompile(`^[a-z][a-z0-9]{0,62}$`)
	// Backstage: runs of letters and digits joined by '-', '_' or '.', at most 63 characters.
	namePattern = regexp.MustCompile(`^[a-zA-Z0-9]+([-_.]+[a-zA-Z0-9]+)*$`)
)

// ValidName tells whether s may be the name or namespace of an entity.
func ValidName(s string) bool { return len(s) <= 63 && namePattern.MatchString(s) }
