package access

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Projection lets another room keep rows of its own about a kind of this room, in the transaction of the change.
type Projection func(ctx context.Context, tx *store.Tx, c document.Change) error

// Service answers who may do what where. It is safe for concurrent use.
type Service struct {
	db  *store.DB
	log *slog.Logger

	projections map[string][]Projection // by kind; complete before the first change

	wanted  atomic.Int64 // raised by every change; a snapshot of a lower mark is stale
	loading sync.Mutex
	current atomic.Pointer[snapshot]
}

// snapshot is one state of the graph, with what was asked about it so far.
type snapshot struct {
	*graph
	mark       int64 // Service.wanted before it was read
	generation int64 // as in the database
	principals sync.Map
	sessions   sync.Map // of those that are lent something, by id
}

type known struct {
	groups []string
	rights rights
}

// New gives the service. It needs the tables of Migrations, and Run when other servers use the same database. Changes
// of documents are the catalog's entries in the ledger, so this room writes none and asks no clock.
func New(db *store.DB, _ *ledger.Ledger, _ func() time.Time, log *slog.Logger) *Service {
	return &Service{db: db, log: log, projections: map[string][]Projection{}}
}

// Project adds a projection of a kind ("User"). Call it from a constructor, before the first document changes.
func (s *Service) Project(kind string, p Projection) {
	s.projections[kind] = append(s.projections[kind], p)
}

// Authorize says whether the principal of ctx may do an action in a space; "" is the whole installation, which is the
// root's. It fails with fault.Unauthenticated when nobody is signed in, with fault.Denied naming what is missing, and
// with fault.NotFound for a space that does not exist when the principal may know that.
func (s *Service) Authorize(ctx context.Context, action, space string) error {
	return s.AuthorizeObject(ctx, action, space, "")
}

// AuthorizeObject is Authorize for one object of the space: a token that is held to objects by its scopes
// ("repository:write=team/shop") passes for those and no others.
func (s *Service) AuthorizeObject(ctx context.Context, action, space, object string) error {
	if !ValidAction(action) {
		return fault.Errorf(fault.Internal, "authorize: %q is not an action", action)
	}
	if space == "" {
		space = Root
	}
	p := actor.From(ctx)
	switch p.Kind {
	case actor.System:
		return nil
	case actor.Workload:
		return workloadMay(p, action, space, object)
	case actor.User, actor.Machine:
	default:
		return fault.Errorf(fault.Unauthenticated, "nobody is signed in; sign in, or send a token as Authorization: Bearer")
	}
	snap, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	who, err := s.holding(ctx, snap, p)
	if err != nil {
		return err
	}
	if !snap.allows(who.rights, action, space) {
		if _, exists := snap.spaces[space]; !exists && snap.allows(who.rights, action, Root) {
			return fault.Errorf(fault.NotFound, "there is no space %s", space)
		}
		return fault.Errorf(fault.Denied, "%s in space %s is missing; ask an administrator of that space for a role that has it", action, space)
	}
	if !scopesAllow(p.Scopes, action, object) {
		if ref.IsID(p.Token, ref.Session) {
			return fault.Errorf(fault.Denied, "%s in space %s takes more than a developer may, and a login policy holds this session to that (deny_admin)", action, space)
		}
		return fault.Errorf(fault.Denied, "the token's scopes lack %s in space %s; use a token that has that scope", action, space)
	}
	return nil
}

// workloadMay holds a step to its scopes and its space; for a workload no scopes mean no rights.
func workloadMay(p actor.Principal, action, space, object string) error {
	if len(p.Scopes) > 0 && scopesAllow(p.Scopes, action, object) && space == p.Space {
		return nil
	}
	return fault.Errorf(fault.Denied, "%s in space %s is missing: a step may do only what its job's scopes list (%s), in its own space %s",
		action, space, strings.Join(p.Scopes, ", "), p.Space)
}

// May is Authorize as a yes or no, for showing what a principal could do; every failure is a no.
func (s *Service) May(ctx context.Context, action, space string) bool {
	return s.Authorize(ctx, action, space) == nil
}

// ReadOrNotFound is Authorize for reading: whoever lacks the right learns only that there is nothing. What names the
// thing in the message, such as "stack shop".
func (s *Service) ReadOrNotFound(ctx context.Context, action, space, what string) error {
	err := s.Authorize(ctx, action, space)
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.NotFound) {
		return NotFound(what)
	}
	return err
}

// NotFound is the one message for what isn't there and what may not be seen, so that the two can't be told apart.
func NotFound(what string) error {
	return fault.Errorf(fault.NotFound, "there is no %s, or you may not see it", what)
}

// Spaces gives the spaces in which the principal of ctx may do an action; lists filter by it before they count.
// It fails with fault.Unauthenticated when nobody is signed in.
func (s *Service) Spaces(ctx context.Context, action string) (Set, error) {
	p := actor.From(ctx)
	switch p.Kind {
	case actor.System:
		return Set{All: true}, nil
	case actor.Workload:
		set := Set{Names: map[string]bool{}}
		if len(p.Scopes) > 0 && scopesAllow(p.Scopes, action, "") {
			set.Names[p.Space] = true
		}
		return set, nil
	case actor.User, actor.Machine:
	default:
		return Set{}, fault.Errorf(fault.Unauthenticated, "nobody is signed in; sign in, or send a token as Authorization: Bearer")
	}
	if !scopesAllow(p.Scopes, action, "") {
		return Set{Names: map[string]bool{}}, nil
	}
	snap, err := s.snapshot(ctx)
	if err != nil {
		return Set{}, err
	}
	who, err := s.holding(ctx, snap, p)
	if err != nil {
		return Set{}, err
	}
	return snap.spacesWith(who.rights, action), nil
}

// Ancestors gives a space and those above it, itself first, up to "default". It asks for no right and fails with
// fault.NotFound for an unknown space.
func (s *Service) Ancestors(ctx context.Context, space string) ([]string, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if space == "" {
		space = Root
	}
	up := snap.ancestors(space)
	if up == nil {
		return nil, fault.Errorf(fault.NotFound, "there is no space %s", space)
	}
	return up, nil
}

// Inherited gives a space and those above it whose contexts, pools and the like may be used in it, itself first: up to
// "default", or to the first that does not inherit. Rights and what governs a space flow down regardless. It asks for no
// right and fails with fault.NotFound for an unknown space.
func (s *Service) Inherited(ctx context.Context, space string) ([]string, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	up := snap.inherited(cmp.Or(space, Root))
	if up == nil {
		return nil, fault.Errorf(fault.NotFound, "there is no space %s", space)
	}
	return up, nil
}

// MayUse tells whether what is in another space may be used in a space: in the same, or in one below that inherits.
func (s *Service) MayUse(ctx context.Context, space, of string) (bool, error) {
	up, err := s.Inherited(ctx, space)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return slices.Contains(up, of), err
}

// Within tells whether a space is root or below it.
func (s *Service) Within(ctx context.Context, space, root string) (bool, error) {
	up, err := s.Ancestors(ctx, space)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return slices.Contains(up, root), err
}

// Below gives a space and those below it; none for one that there is not.
func (s *Service) Below(ctx context.Context, space string) (Set, error) {
	if space == Root {
		return Set{All: true}, nil
	}
	snap, err := s.snapshot(ctx)
	if err != nil {
		return Set{}, err
	}
	set := Set{Names: map[string]bool{}}
	for name := range snap.spaces {
		if snap.within(name, space) {
			set.Names[name] = true
		}
	}
	return set, nil
}

// GroupsOf gives the groups of a user or machine as references, nested ones included, sorted.
func (s *Service) GroupsOf(ctx context.Context, tx *store.Tx, user ref.Entity) ([]string, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	direct, err := membershipsOf(ctx, tx, user.String())
	if err != nil {
		return nil, err
	}
	return snap.closure(direct), nil
}

// Groups is GroupsOf outside a transaction; it answers from memory after the first time.
func (s *Service) Groups(ctx context.Context, user ref.Entity) ([]string, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	who, err := s.known(ctx, snap, user)
	if err != nil {
		return nil, err
	}
	return slices.Clone(who.groups), nil
}

// known gives the groups and rights of a user or machine, read once for each snapshot.
func (s *Service) known(ctx context.Context, snap *snapshot, who ref.Entity) (*known, error) {
	subject := who.String()
	if subject == "" {
		return nil, fault.Errorf(fault.Unauthenticated, "nobody is signed in; sign in, or send a token as Authorization: Bearer")
	}
	if k, ok := snap.principals.Load(subject); ok {
		return k.(*known), nil
	}
	var direct []membership
	err := s.fresh(ctx, func(tx *store.Tx) (err error) {
		direct, err = membershipsOf(ctx, tx, subject)
		return err
	})
	if err != nil {
		return nil, fault.Wrap(err, "read the groups of %s", subject)
	}
	groups := snap.closure(direct)
	k := &known{groups: groups, rights: snap.rights(who, groups)}
	snap.principals.Store(subject, k)
	return k, nil
}
