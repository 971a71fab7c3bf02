package stack

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Latest names the newest version of a state.
const Latest = "latest"

// findState gives a version by its id, by its serial (the newest with that), or the newest one for "latest".
func findState(ctx context.Context, tx *store.Tx, stack ref.Entity, want string) (StateVersion, error) {
	if want == Latest {
		return currentState(ctx, tx, stack)
	}
	serial, err := strconv.ParseInt(want, 10, 64)
	if err != nil {
		return getState(ctx, tx, stack, clean(want))
	}
	return store.One(tx.QueryRow(ctx, "SELECT "+stateColumns+" FROM stack_states WHERE stack = $1 AND serial = $2 ORDER BY id DESC LIMIT 1",
		stack.String(), serial), scanState, "serial %s of the state of %s", want, stack)
}

// Version gives one version of a stack's state, by its id, its serial, or "latest".
// Permission: stack:read in the stack's space; otherwise NotFound.
func (s *Service) Version(ctx context.Context, r ref.Entity, want string) (v StateVersion, err error) {
	if _, err := s.read(ctx, r); err != nil {
		return v, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = findState(ctx, tx, r, want)
		return err
	})
	return v, err
}

// mayDownload tells whether the caller may read the state itself, and so the attributes in it.
func (s *Service) mayDownload(ctx context.Context, stack Stack) bool {
	name := stackName(stack.Ref.String())
	return s.Access.AuthorizeObject(ctx, mayWriteState, stack.Space, name) == nil ||
		s.Access.AuthorizeObject(ctx, mayReadState, stack.Space, name) == nil
}

// StateResource is one instance of a resource in a version of a state.
type StateResource struct {
	Address  string
	Mode     string // managed or data
	Type     string
	Name     string
	Module   string
	Provider string
	Key      string // of the instance: 0 or "blue"; "" for the only one
	Status   string // tainted, deposed, or ""
	Identity string // the value by which people know it

	// Attributes with sensitive values taken out; nil in lists, and for whoever may not read the state.
	Attributes map[string]any
}

func (x item) resource() StateResource {
	r := StateResource{
		Address: x.Address, Mode: x.Mode, Type: x.Type, Name: x.Name, Module: x.Module, Provider: x.source(), Status: x.Status,
		Key: strings.Trim(x.suffix(), "[]"),
	}
	if x.Deposed != "" {
		r.Status = "deposed"
	}
	r.Identity, _ = x.identity()
	return r
}

// version gives a version with what it holds.
func (s *Service) version(ctx context.Context, r ref.Entity, want string) (Stack, StateVersion, stateFile, error) {
	stack, err := s.read(ctx, r)
	if err != nil {
		return stack, StateVersion{}, stateFile{}, err
	}
	v, err := s.Version(ctx, r, want)
	if err != nil {
		return stack, v, stateFile{}, err
	}
	done, err := s.reading(ctx, v.Size)
	if err != nil {
		return stack, v, stateFile{}, err
	}
	defer done()
	f, err := s.contentOf(ctx, v)
	return stack, v, f, err
}

// StateResources gives what a version of a state holds, by address, without attributes; text narrows it to addresses and
// identifying values that contain it. Permission: stack:read in the stack's space; otherwise NotFound.
func (s *Service) StateResources(ctx context.Context, r ref.Entity, want, text string, part page.Request) (list page.Of[StateResource], err error) {
	_, _, f, err := s.version(ctx, r, want)
	if err != nil {
		return list, err
	}
	text = strings.ToLower(strings.TrimSpace(text))
	var found []item
	for _, x := range f.items() {
		if part.Cursor != "" && x.key <= part.Cursor {
			continue
		}
		if text != "" && !strings.Contains(strings.ToLower(x.Address), text) {
			if _, all := x.identity(); !strings.Contains(strings.ToLower(strings.Join(all, "\n")), text) {
				continue
			}
		}
		if found = append(found, x); len(found) == part.Window() {
			break
		}
	}
	seen := page.Cut(found, part, func(x item) string { return x.key })
	list.Next = seen.Next
	for _, x := range seen.Items {
		list.Items = append(list.Items, x.resource())
	}
	return list, nil
}

// StateResource gives one instance of a resource in a version of a state, with its attributes for whoever may read the
// state (stack:state or stack:state-read). Sensitive values are taken out.
// Permission: stack:read in the stack's space; otherwise NotFound.
func (s *Service) StateResource(ctx context.Context, r ref.Entity, want, address string) (StateResource, error) {
	stack, v, f, err := s.version(ctx, r, want)
	if err != nil {
		return StateResource{}, err
	}
	for _, x := range f.items() {
		if x.Address != address {
			continue
		}
		found := x.resource()
		if s.mayDownload(ctx, stack) {
			found.Attributes = x.attributes()
			for name, v := range found.Attributes {
				found.Attributes[name] = bounded(v)
			}
		}
		return found, nil
	}
	return StateResource{}, fault.Errorf(fault.NotFound, "the state with serial %d of %s has no %s", v.Serial, r, cut(address, 200))
}

// StateChange is what differs in one resource, or one output, between two versions of a state.
type StateChange struct {
	Address  string
	Mode     string
	Type     string
	Name     string
	Module   string
	Provider string
	Action   string   // create, update or delete
	Changed  []string // names of attributes, of an update

	// Before and After hold the attributes that differ, with sensitive values taken out; of what was added or removed,
	// all. They are nil for whoever may not read the state.
	Before, After any
	Sensitive     bool // some value was taken out
}

// StateDiff is what differs between two versions of a state.
type StateDiff struct {
	From, To StateVersion // From is zero for the first version beside nothing
	Created  int
	Updated  int
	Deleted  int
	Outputs  []StateChange // all of them, with each part
	Values   bool          // the caller may see values
	Changes  page.Of[StateChange]
}

// outputsMost bounds the outputs that a diff tells.
const outputsMost = 500

// DiffOptions narrow a diff; their zero value is all of it.
type DiffOptions struct {
	Action string // create, update or delete
	Text   string // in the address
}

// DiffStates compares two versions of a stack's state; from is the version before to when it is "". The counts are of
// all that differs, whatever the options are. Values are shown to whoever may read the state (stack:state or
// stack:state-read); names of what differs to all. Permission: stack:read in the stack's space; otherwise NotFound.
func (s *Service) DiffStates(ctx context.Context, r ref.Entity, from, to string, o DiffOptions, part page.Request) (d StateDiff, err error) {
	stack, err := s.read(ctx, r)
	if err != nil {
		return d, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if d.To, err = findState(ctx, tx, r, to); err != nil {
			return err
		}
		if from != "" {
			d.From, err = findState(ctx, tx, r, from)
			return err
		}
		d.From, err = store.One(tx.QueryRow(ctx, "SELECT "+stateColumns+" FROM stack_states WHERE stack = $1 AND id < $2 ORDER BY id DESC LIMIT 1",
			r.String(), d.To.ID), scanState, "state before %s", d.To.ID)
		if fault.Is(err, fault.NotFound) {
			d.From, err = StateVersion{}, nil
		}
		return err
	})
	if err != nil {
		return d, err
	}
	d.Values = s.mayDownload(ctx, stack)
	done, err := s.reading(ctx, d.From.Size+d.To.Size)
	if err != nil {
		return d, err
	}
	defer done()
	var before, after stateFile
	if d.From.ID != "" {
		if before, err = s.contentOf(ctx, d.From); err != nil {
			return d, err
		}
	}
	if after, err = s.contentOf(ctx, d.To); err != nil {
		return d, err
	}
	d.Outputs = diffOutputs(before.Outputs, after.Outputs)
	d.resources(before.items(), after.items(), o, part)
	return d, nil
}

// pair is one instance before and after; nil where there is none.
type pair struct{ before, after *item }

func (p pair) one() item {
	if p.after != nil {
		return *p.after
	}
	return *p.before
}

func (p pair) action() string {
	switch {
	case p.before == nil:
		return "create"
	case p.after == nil:
		return "delete"
	}
	return "update"
}

func (d *StateDiff) resources(before, after []item, o DiffOptions, part page.Request) {
	text := strings.ToLower(strings.TrimSpace(o.Text))
	var shown []pair
	for len(before)+len(after) > 0 {
		var p pair
		switch order := next(before, after); {
		case order < 0:
			p.before, before = &before[0], before[1:]
			d.Deleted++
		case order > 0:
			p.after, after = &after[0], after[1:]
			d.Created++
		default:
			p.before, p.after, before, after = &before[0], &after[0], before[1:], after[1:]
			if same(*p.before, *p.after) {
				continue
			}
			d.Updated++
		}
		x := p.one()
		wanted := (o.Action == "" || o.Action == p.action()) && (text == "" || strings.Contains(strings.ToLower(x.Address), text))
		if wanted && (part.Cursor == "" || x.key > part.Cursor) && len(shown) < part.Window() {
			shown = append(shown, p)
		}
	}
	seen := page.Cut(shown, part, func(p pair) string { return p.one().key })
	d.Changes.Next = seen.Next
	for _, p := range seen.Items {
		d.Changes.Items = append(d.Changes.Items, p.change(d.Values))
	}
}

func (p pair) change(values bool) StateChange {
	x := p.one()
	c := StateChange{Address: x.Address, Mode: x.Mode, Type: x.Type, Name: x.Name, Module: x.Module, Provider: x.source(), Action: p.action()}
	var before, after map[string]any
	switch {
	case p.before == nil:
		after = p.after.attributes()
	case p.after == nil:
		before = p.before.attributes()
	default:
		// What is sensitive on one side is on the other.
		before, after = p.before.attributes(p.after.Sensitive...), p.after.attributes(p.before.Sensitive...)
		c.Changed = changedNames(p)
		only := func(all map[string]any) {
			maps.DeleteFunc(all, func(name string, _ any) bool { return !slices.Contains(c.Changed, name) })
		}
		only(before)
		only(after)
		if p.before.Status != p.after.Status {
			c.Changed = append(c.Changed, "(status)")
			before["(status)"], after["(status)"] = p.before.Status, p.after.Status
		}
		if p.before.Provider != p.after.Provider {
			c.Changed = append(c.Changed, "(provider)")
			before["(provider)"], after["(provider)"] = p.before.Provider, p.after.Provider
		}
	}
	for _, side := range []map[string]any{before, after} {
		for name, v := range side {
			c.Sensitive = c.Sensitive || holdsMask(v)
			side[name] = bounded(v)
		}
	}
	if values && before != nil {
		c.Before = before
	}
	if values && after != nil {
		c.After = after
	}
	return c
}

// changedNames gives the attributes whose values differ, sensitive ones too, by name.
func changedNames(p pair) []string {
	a, b := p.before.raw(), p.after.raw()
	var names []string
	for name, v := range a {
		if other, ok := b[name]; !ok || !sameJSON(v, other) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// raw gives the attributes as they stand in the state.
func (x item) raw() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, text := range x.Flat {
		out[name] = json.RawMessage(quote(text))
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(x.Attributes, &object) == nil {
		maps.Copy(out, object)
	}
	return out
}

func holdsMask(v any) bool {
	switch v := v.(type) {
	case string:
		return v == maskedValue
	case map[string]any:
		for _, inner := range v {
			if holdsMask(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, holdsMask)
	}
	return false
}

// diffOutputs compares outputs; a sensitive one tells that it differs, and not how.
func diffOutputs(before, after map[string]Value) (out []StateChange) {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, had := before[name]
		b, has := after[name]
		c := StateChange{Address: name, Name: name, Action: "update", Sensitive: a.Sensitive || b.Sensitive}
		switch {
		case !had:
			c.Action = "create"
		case !has:
			c.Action = "delete"
		case a.Sensitive == b.Sensitive && sameJSON(a.Value, b.Value) && reflect.DeepEqual(a.Type, b.Type):
			continue
		}
		show := func(v Value, there bool) any {
			switch {
			case !there:
				return nil
			case c.Sensitive:
				return maskedValue
			}
			read, err := value(v.Value)
			if err != nil {
				return nil
			}
			return bounded(read)
		}
		c.Before, c.After = show(a, had), show(b, has)
		if out = append(out, c); len(out) == outputsMost {
			break
		}
	}
	return out
}
