package actor

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Kind is what sort of principal acts.
type Kind string

const (
	Anonymous Kind = ""         // nobody has signed in
	User      Kind = "user"     // a person
	Machine   Kind = "machine"  // an account for scripts and outside systems
	Workload  Kind = "workload" // a step of a run, with no more rights than that step needs
	System    Kind = "system"   // the platform itself: reconcilers, sealers, the first set-up
)

// Principal is who acts, as far as a decision needs to know it.
type Principal struct {
	ID     string     // opaque, what the ledger names (pri_…); "system" for the platform
	Kind   Kind       //
	Ref    ref.Entity // user:default/alice; zero for the platform
	Name   string     // for display
	Groups []string   // entity references of groups, nested ones included
	// Scopes narrow what a token may do; nil means no narrowing. Each is an action ("run:confirm"),
	// a noun with all its actions ("run:*"), or an action on one object ("repository:write=default/shop").
	Scopes []string
	Token  string // id of the token or session that was presented
	Run    string // for a workload: its run
	Space  string // for a workload: the space it is held to
	Lent   []Lent // for a session: what the login policies gave it, beside what the person has
}

// Lent is what a login policy gives a session, for as long as that lasts: a role in a space, or a group that the person
// counts as a member of.
type Lent struct {
	Role   string `json:"role,omitempty"`
	Space  string `json:"space,omitempty"`
	Group  string `json:"group,omitempty"` // entity reference; then there is no role
	Policy string `json:"policy"`          // reference of the policy that gave it
	Within string `json:"within"`          // the space in which that policy holds: it gives nothing beyond it
}

type key struct{}

// With gives a context in which p acts.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, key{}, p)
}

// From gives who acts; the zero Principal is nobody.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(key{}).(Principal)
	return p
}

// AsSystem gives a context in which the platform itself acts. Only reconcilers and set-up use it;
// a face never does.
func AsSystem(ctx context.Context) context.Context {
	return With(ctx, Principal{ID: "system", Kind: System, Name: "Roadbed"})
}
