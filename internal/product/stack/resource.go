package stack

import (
	"context"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Resource is one thing under management: an instance in the newest state of a stack.
type Resource struct {
	Stack    ref.Entity
	Space    string
	Owner    string // of the stack, as a reference
	Orphan   bool   // the stack's document is deleted
	Address  string
	Type     string
	Name     string
	Provider string
	Module   string
	Identity string // the value by which people know it, such as an ARN
	Seen     time.Time
	Changed  time.Time
	Run      string // that changed it last; "" when a person did
	Actor    string
	Drift    string    // what a plan would do to mend it, as the newest look found; "" for nothing
	Looked   time.Time // for drift of the stack; zero for never

	key string
}

// ResourceQuery narrows a list of resources; its zero value gives all.
type ResourceQuery struct {
	Text     string // each of its words is in the address, or an identifying value
	Stack    string // reference, or NAMESPACE/NAME
	Type     string
	Provider string // hashicorp/aws, or its last part
	Owner    string // of the stack, as a reference
	Space    string
	Orphan   bool // only of stacks whose document is deleted
	Drifted  bool // only what the newest look found to differ from what was applied
}

// Resources gives what is under management in the newest states of the stacks that the caller may read, by stack and address.
// What a run that is under way has written is there. Permission: stack:read; others are left out.
func (s *Service) Resources(ctx context.Context, q ResourceQuery, part page.Request) (list page.Of[Resource], err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || readable.Empty() {
		return list, err
	}
	w := &store.Where{}
	if !readable.All {
		w.Add(w.In("s.space", readable.List()))
	}
	if err := q.narrow(w); err != nil {
		return list, err
	}
	if part.Cursor != "" {
		stack, key, ok := strings.Cut(part.Cursor, " ")
		if !ok {
			return list, fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", cut(part.Cursor, 100))
		}
		at := w.Arg(clean(stack))
		w.Add("(r.stack > " + at + " OR r.stack = " + at + " AND r.key > " + w.Arg(clean(key)) + ")")
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+resourceColumns+" FROM "+resources+w.String()+"ORDER BY r.stack, r.key LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanResource)
		list = page.Cut(all, part, func(r Resource) string { return r.Stack.String() + " " + r.key })
		return fault.Wrap(err, "list resources")
	})
	return list, err
}

const (
	resourceColumns = "r.stack, r.key, r.address, r.type, r.name, r.provider, r.module, r.identity, r.first_seen, r.changed, r.run, r.actor, r.drift, s.space, s.deleted, s.owner, s.drift_checked"
	resources       = "stack_resources r JOIN stacks s ON s.ref = r.stack"
)

// wordsMost bounds the words of a search.
const wordsMost = 10

func (q ResourceQuery) narrow(w *store.Where) error {
	words := strings.Fields(strings.ToLower(clean(q.Text)))
	if len(words) > wordsMost {
		return fault.Errorf(fault.Invalid, "%d words are too many; search for at most %d", len(words), wordsMost)
	}
	for _, word := range words {
		w.Add(w.Has("r.words", word))
	}
	if q.Stack != "" {
		stack, err := ref.Parse(q.Stack, "stack", ref.DefaultNamespace)
		if err != nil {
			return fault.Errorf(fault.Invalid, "%q is not a stack; write NAMESPACE/NAME", cut(q.Stack, 200))
		}
		w.Equal("r.stack", stack.String())
	}
	w.Equal("r.type", clean(q.Type))
	if p := strings.ToLower(clean(q.Provider)); p != "" { // engines write them so
		w.Add("(r.provider = " + w.Arg(p) + " OR " + w.Ends("r.provider", "/"+p) + ")")
	}
	w.Equal("s.space", clean(q.Space))
	if q.Owner != "" {
		owner, err := ref.Parse(q.Owner, "group", ref.DefaultNamespace)
		if err != nil {
			return fault.Errorf(fault.Invalid, "%q is not an owner; write it like group:default/payments", cut(q.Owner, 200))
		}
		w.Equal("s.owner", clean(owner.String()))
	}
	if q.Drifted {
		w.Add("r.drift <> ''")
	}
	if q.Orphan {
		w.Add("s.deleted = 1")
	}
	return nil
}

// owner gives the owner of a stack as a reference; as it is written where that is none.
func (s Stack) owner() string {
	if r, err := ref.Parse(s.Spec.Owner, "group", s.Ref.Namespace); err == nil {
		return r.String()
	}
	return s.Spec.Owner
}

func scanResource(row store.Row) (Resource, error) {
	var r Resource
	var name string
	var deleted int
	var looked int64
	err := row.Scan(&name, &r.key, &r.Address, &r.Type, &r.Name, &r.Provider, &r.Module, &r.Identity, &r.Seen, &r.Changed, &r.Run, &r.Actor, &r.Drift, &r.Space, &deleted, &r.Owner, &looked)
	if err != nil {
		return r, err
	}
	if looked > 0 {
		r.Looked = store.FromMicros(looked)
	}
	r.Orphan = deleted == 1
	r.Stack, err = ref.Parse(name, "stack", ref.DefaultNamespace)
	return r, err
}
