package identity

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Principal is someone who can act.
type Principal struct {
	ID          string // pri_…
	Kind        actor.Kind
	Ref         ref.Entity
	Name        string // for display
	Email       string
	Description string
	Space       string // of a machine; of a user, the space of the document's source
	Created     time.Time
	Deleted     time.Time // zero while it can act
}

// Display is what people are shown instead of an opaque id.
type Display struct {
	Ref     ref.Entity
	Name    string
	Deleted bool
}

// Names gives what stands behind opaque ids; unknown ids are left out, and those who were deleted have no reference. It asks for no right: whoever may see the id in
// its place may see the name.
func (s *Service) Names(ctx context.Context, tx *store.Tx, ids []string) (map[string]Display, error) {
	names := make(map[string]Display, len(ids))
	var ask []string
	for _, id := range ids {
		switch {
		case id == "system":
			names[id] = Display{Name: platformName}
		case ref.IsID(id, ref.Principal):
			ask = append(ask, id)
		case ref.IsID(id, ref.Step):
			names[id] = Display{Name: stepName}
		}
	}
	found, err := principalsByID(ctx, tx, ask)
	if err != nil {
		return nil, fault.Wrap(err, "read the names of principals")
	}
	for _, p := range found {
		switch {
		case p.Deleted.IsZero():
			names[p.ID] = Display{Ref: p.Ref, Name: p.Name}
		case p.Kind == actor.User:
			names[p.ID] = Display{Name: deletedUser, Deleted: true}
		default: // another may have its reference by now
			names[p.ID] = Display{Name: p.Name + wasDeleted, Deleted: true}
		}
	}
	return names, nil
}

// Find gives a user or machine that can act, by reference. It asks for no right.
func (s *Service) Find(ctx context.Context, tx *store.Tx, who ref.Entity) (Principal, error) {
	return store.One(tx.QueryRow(ctx, selectPrincipal+` WHERE ref = $1 AND deleted = 0`, who.String()), scanPrincipal, "%s", who)
}

// Principal gives a user or machine as it can act now, with the groups of today, for work that goes on in its name.
// NotFound when it was deleted. It asks for no right: only the platform acts for others.
func (s *Service) Principal(ctx context.Context, id string) (actor.Principal, error) {
	var who Principal
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		who, err = store.One(tx.QueryRow(ctx, selectPrincipal+` WHERE id = $1 AND deleted = 0`, id), scanPrincipal, "principal %s", id)
		return err
	})
	if err != nil {
		return actor.Principal{}, err
	}
	return s.principal(ctx, who)
}

// PersonID gives the id of a user who can act; "" when there is none, unless declare has the user be one from now on. It
// asks for no right: the catalog writes the ledger by it.
func (s *Service) PersonID(ctx context.Context, tx *store.Tx, user ref.Entity, declare bool) (string, error) {
	p, err := s.Find(ctx, tx, user)
	if !fault.Is(err, fault.NotFound) {
		return p.ID, err
	}
	if !declare {
		return "", nil
	}
	p, err = s.ensure(ctx, tx, Principal{Kind: actor.User, Ref: user, Name: user.Name})
	return p.ID, err
}

// userSpec is what a User document says about the person; Backstage allows more.
type userSpec struct {
	Profile struct {
		DisplayName string `json:"displayName"`
		Email       string `json:"email"`
	} `json:"profile"`
}

// userChanged keeps the principals of User documents.
func (s *Service) userChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		return s.remove(ctx, tx, c.Ref)
	}
	var spec userSpec
	if err := document.DecodeLoose(*c.New, &spec); err != nil {
		return err
	}
	p := Principal{Kind: actor.User, Ref: c.Ref, Space: c.Space, Email: spec.Profile.Email, Description: c.New.Metadata.Description}
	for _, name := range []string{spec.Profile.DisplayName, c.New.Metadata.Title, c.New.Metadata.Name} {
		if p.Name == "" {
			p.Name = name
		}
	}
	p, err := s.ensure(ctx, tx, p)
	if err != nil {
		return err
	}
	accounts := map[string]string{}
	for key, login := range c.New.Metadata.Annotations {
		if host, ok := strings.CutSuffix(key, accountKey); ok && login != "" {
			accounts[strings.ToLower(host)] = strings.ToLower(login)
		}
	}
	return setAccounts(ctx, tx, p.ID, accounts)
}

// accountKey ends the annotation by which a User document names the person's account at a forge: github.com/user-login.
const accountKey = "/user-login"

// Account gives the id of the user whose document names an account of a forge, such as alice at github.com; "" when no
// document does, or more than one, since then it is nobody's word whose it is. It asks for no right: forges tell who acted.
func (s *Service) Account(ctx context.Context, tx *store.Tx, host, login string) (string, error) {
	ids, err := accountOf(ctx, tx, strings.ToLower(host), strings.ToLower(login))
	if err != nil || len(ids) != 1 {
		return "", fault.Wrap(err, "find who %s of %s is", login, host)
	}
	return ids[0], nil
}

// ensure makes a principal, or brings what is known about it up to date.
func (s *Service) ensure(ctx context.Context, tx *store.Tx, p Principal) (Principal, error) {
	known, err := s.Find(ctx, tx, p.Ref)
	switch {
	case fault.Is(err, fault.NotFound):
		p.ID, p.Created = ref.NewID(ref.Principal, s.now()), s.now()
		return p, insertPrincipal(ctx, tx, p)
	case err != nil:
		return p, err
	}
	p.ID, p.Created = known.ID, known.Created
	return p, updatePrincipal(ctx, tx, p)
}

// remove ends a principal with every proof of it. A later one of the same name is another principal.
func (s *Service) remove(ctx context.Context, tx *store.Tx, who ref.Entity) error {
	p, err := s.Find(ctx, tx, who)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.endPrincipal(ctx, tx, p, "the person is declared no more")
}

// NewMachine describes an account for scripts and outside systems.
type NewMachine struct {
	Space       string
	Name        string
	Description string
}

// CreateMachine makes a machine:SPACE/NAME, which may do nothing until a RoleBinding names it. It needs space:admin in
// the space; a name that is taken there is a fault.Conflict.
func (s *Service) CreateMachine(ctx context.Context, m NewMachine) (Principal, error) {
	if m.Space == "" {
		m.Space = access.Root
	}
	if err := s.access.Authorize(ctx, "space:admin", m.Space); err != nil {
		return Principal{}, err
	}
	if !ref.ValidName(m.Name) || len(m.Description) > 1000 {
		return Principal{}, fault.Errorf(fault.Invalid, "%q can't name a machine; use letters, digits, '-', '_' and '.', and a description under 1,000 characters", m.Name)
	}
	p := Principal{Kind: actor.Machine, Ref: ref.New("machine", m.Space, m.Name), Name: m.Name, Space: m.Space, Description: m.Description}
	p.ID, p.Created = ref.NewID(ref.Principal, s.now()), s.now()
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := s.Find(ctx, tx, p.Ref); err == nil {
			return fault.Errorf(fault.Conflict, "there is a %s already", p.Ref)
		}
		if err := insertPrincipal(ctx, tx, p); err != nil {
			return err
		}
		return s.tell(ctx, tx, ledger.Entry{Type: "machine.created", Space: p.Space, Subject: p.Ref.String(), Refs: []string{p.ID}}, nil)
	})
	return p, fault.Wrap(err, "create machine %s", m.Name)
}

// DeleteMachine ends a machine with its tokens. It needs space:admin in its space.
func (s *Service) DeleteMachine(ctx context.Context, who ref.Entity) error {
	if err := s.access.ReadOrNotFound(ctx, "space:read", who.Namespace, who.String()); err != nil {
		return err
	}
	if err := s.access.Authorize(ctx, "space:admin", who.Namespace); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		p, err := s.Find(ctx, tx, who)
		if err != nil {
			return err
		}
		if p.Kind != actor.Machine {
			return fault.Errorf(fault.Invalid, "%s is not a machine; delete its document", who)
		}
		if err := s.endPrincipal(ctx, tx, p, "the machine was deleted"); err != nil {
			return err
		}
		return s.tell(ctx, tx, ledger.Entry{Type: "machine.deleted", Space: p.Space, Subject: p.Ref.String(), Refs: []string{p.ID}}, nil)
	})
	return fault.Wrap(err, "delete %s", who)
}

// ListMachines gives the machines of the spaces in which the caller has space:read, by reference.
func (s *Service) ListMachines(ctx context.Context, part page.Request) (machines page.Of[Principal], err error) {
	visible, err := s.access.Spaces(ctx, "space:read")
	if err != nil || visible.Empty() {
		return machines, err
	}
	w := &store.Where{}
	w.Equal("kind", string(actor.Machine))
	w.Add("deleted = 0")
	if !visible.All {
		w.Add(w.In("space", visible.List()))
	}
	w.After("ref", part.Cursor)
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, selectPrincipal+w.String()+` ORDER BY ref LIMIT `+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanPrincipal)
		machines = page.Cut(all, part, func(p Principal) string { return p.Ref.String() })
		return err
	})
	return machines, fault.Wrap(err, "list machines")
}

// tell appends to the ledger; data must hold neither secrets nor names.
func (s *Service) tell(ctx context.Context, tx *store.Tx, e ledger.Entry, data any) error {
	if data != nil {
		raw, err := json.Marshal(data)
		if err != nil {
			return err
		}
		e.Data = raw
	}
	_, err := s.ledger.Append(ctx, tx, e)
	return err
}
