package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// addressesMost bounds how many addresses are moved by name at once; a module moves whole.
const addressesMost = 1000

// Moved is what went from the state of one stack to that of another.
type Moved struct {
	Addresses []string // of all instances
	From, To  StateVersion
}

// MoveResources takes resources out of the state of one stack into that of another, in one transaction that gives both a new
// version. An address names an instance, a resource with all its instances, or a module with all that is in it. Where
// the other stack has no state it gets one. What is built is not touched: the code must move likewise before the next
// plan. With try nothing is written.
// NotFound for an address that is not there; Conflict when the other has one of that address, when a state is locked, or
// when a run holds one of the stacks. Permission: stack:state in the spaces of both stacks.
func (s *Service) MoveResources(ctx context.Context, from, to ref.Entity, addresses []string, try bool) (Moved, error) {
	source, err := s.authorizeState(ctx, from, mayWriteState)
	if err != nil {
		return Moved{}, err
	}
	target, err := s.authorizeState(ctx, to, mayWriteState)
	if err != nil {
		return Moved{}, err
	}
	switch {
	case from == to:
		return Moved{}, fault.Errorf(fault.Invalid, "%s is both stacks; name another to move to", from)
	case len(addresses) == 0 || len(addresses) > addressesMost:
		return Moved{}, fault.Errorf(fault.Invalid, "name 1 to %d addresses to move", addressesMost)
	case target.Deleted:
		return Moved{}, fault.Errorf(fault.Conflict, "the document of %s is deleted; nothing would manage what is moved there", to)
	}
	left, right, err := s.both(ctx, from, to)
	if err != nil {
		return Moved{}, err
	}
	done, err := s.reading(ctx, left.Size+right.Size)
	if err != nil {
		return Moved{}, err
	}
	defer done()
	rest, grown, moved, err := s.carry(ctx, left, right, addresses)
	if err != nil {
		return Moved{}, err
	}
	m := Moved{moved, left, right}
	if try {
		return m, nil
	}
	if left, err = s.kept(ctx, from, left, rest); err != nil {
		return Moved{}, err
	}
	if right, err = s.kept(ctx, to, right, grown); err != nil {
		return Moved{}, err
	}
	ways := []moving{
		{source, m.From, left, rest, map[string]any{"to": to.String()}},
		{target, m.To, right, grown, map[string]any{"from": from.String()}},
	}
	err = s.DB.Write(long(long(ctx, left.delta), right.delta), func(tx *store.Tx) error { return s.move(ctx, tx, ways, &m) })
	return m, err
}

// moving is what a move does to one of the states.
type moving struct {
	stack      Stack
	seen, made StateVersion
	data       []byte
	about      map[string]any
}

// move writes both versions. The stacks are locked in the order of their references, so that two moves between them
// don't wait for one another.
func (s *Service) move(ctx context.Context, tx *store.Tx, ways []moving, m *Moved) error {
	order := slices.Clone(ways)
	slices.SortFunc(order, func(a, b moving) int { return strings.Compare(a.stack.Ref.String(), b.stack.Ref.String()) })
	var in func(rest []moving) error
	in = func(rest []moving) error {
		if len(rest) > 0 {
			return s.alone(ctx, tx, rest[0].stack, func(string) error { return in(rest[1:]) })
		}
		for _, w := range ways {
			last, err := currentState(ctx, tx, w.stack.Ref)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			if last.ID != w.seen.ID {
				return fault.Errorf(fault.Conflict, "somebody wrote serial %d of %s meanwhile; look at it first", last.Serial, w.stack.Ref)
			}
			w.about["moved"], w.about["addresses"] = len(m.Addresses), m.Addresses[:min(len(m.Addresses), 20)]
			written, err := s.insertState(ctx, tx, w.stack, last, w.made, w.data, "stack.state-moved", w.about)
			if err != nil {
				return err
			}
			if w.stack.Ref == ways[0].stack.Ref {
				m.From = written
			} else {
				m.To = written
			}
		}
		return nil
	}
	return in(order)
}

func (s *Service) both(ctx context.Context, from, to ref.Entity) (left, right StateVersion, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if left, err = currentState(ctx, tx, from); err != nil {
			return err
		}
		if right, err = currentState(ctx, tx, to); fault.Is(err, fault.NotFound) {
			right, err = StateVersion{}, nil
		}
		return err
	})
	return left, right, err
}

// kept stores a state that the caller made.
func (s *Service) kept(ctx context.Context, r ref.Entity, last StateVersion, data []byte) (StateVersion, error) {
	p := actor.From(ctx)
	v, err := s.store(ctx, r, last, data)
	v.Run, v.Actor = p.Run, p.ID
	return v, err
}

// carry gives both states as they are after a move, and the addresses of the instances that moved.
func (s *Service) carry(ctx context.Context, left, right StateVersion, addresses []string) (rest, grown []byte, moved []string, err error) {
	source, err := s.openState(ctx, left)
	if err != nil {
		return nil, nil, nil, err
	}
	var target []byte
	if right.ID != "" {
		if target, err = s.openState(ctx, right); err != nil {
			return nil, nil, nil, err
		}
	}
	from, err := openWhole(source)
	if err != nil {
		return nil, nil, nil, err
	}
	into, err := from.neighbour(target)
	if err != nil {
		return nil, nil, nil, err
	}
	if moved, err = from.carry(into, addresses); err != nil {
		return nil, nil, nil, err
	}
	if rest, err = from.bytes(left.next()); err != nil {
		return nil, nil, nil, err
	}
	grown, err = into.bytes(right.next())
	return rest, grown, moved, err
}

// wholeState is a state of which everything is kept, also what the platform does not know.
type wholeState struct {
	top       map[string]json.RawMessage
	resources []*wholeResource
}

type wholeResource struct {
	fields    map[string]json.RawMessage
	known     stateResource
	instances []json.RawMessage
}

func openWhole(data []byte) (*wholeState, error) {
	if _, err := readState(data); err != nil {
		return nil, err
	}
	w := &wholeState{}
	if err := json.Unmarshal(data, &w.top); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the state is not JSON: %w", err)
	}
	var raw []json.RawMessage
	if len(w.top["resources"]) > 0 {
		if err := json.Unmarshal(w.top["resources"], &raw); err != nil {
			return nil, fault.Errorf(fault.Invalid, "read the resources of the state: %w", err)
		}
	}
	for _, one := range raw {
		r := &wholeResource{}
		if err := json.Unmarshal(one, &r.fields); err != nil {
			return nil, fault.Errorf(fault.Invalid, "read a resource of the state: %w", err)
		}
		if err := json.Unmarshal(one, &r.known); err != nil {
			return nil, fault.Errorf(fault.Invalid, "read a resource of the state: %w", err)
		}
		if len(r.fields["instances"]) > 0 {
			if err := json.Unmarshal(r.fields["instances"], &r.instances); err != nil {
				return nil, fault.Errorf(fault.Invalid, "read the instances of %s: %w", r.known.address(), err)
			}
		}
		w.resources = append(w.resources, r)
	}
	return w, nil
}

// neighbour gives the state to which something is moved; an empty one of the same engine where there is none.
func (w *wholeState) neighbour(data []byte) (*wholeState, error) {
	if len(data) > 0 {
		return openWhole(data)
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	lineage := fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	return &wholeState{top: map[string]json.RawMessage{
		"version": json.RawMessage("4"), "terraform_version": w.top["terraform_version"], "lineage": json.RawMessage(quote(lineage)),
		"outputs": json.RawMessage("{}"), "check_results": json.RawMessage("null"),
	}}, nil
}

func (w *wholeState) bytes(serial int64) ([]byte, error) {
	all := make([]map[string]json.RawMessage, 0, len(w.resources))
	for _, r := range w.resources {
		instances, err := encode(r.instances)
		if err != nil {
			return nil, err
		}
		r.fields["instances"] = instances
		all = append(all, r.fields)
	}
	resources, err := encode(all)
	if err != nil {
		return nil, err
	}
	w.top["resources"], w.top["serial"] = resources, json.RawMessage(fmt.Sprint(serial))
	if len(w.top["terraform_version"]) == 0 {
		delete(w.top, "terraform_version")
	}
	return encode(w.top)
}

// meant tells whether an address names an instance of a resource.
func meant(address string, r *stateResource, instance string) bool {
	base := r.address()
	if address == base+instance || address == base {
		return true
	}
	return r.Module == address || strings.HasPrefix(r.Module, address+".") || strings.HasPrefix(r.Module, address+"[")
}

// carry moves instances, and gives their addresses.
func (w *wholeState) carry(into *wholeState, addresses []string) (moved []string, err error) {
	there := map[string]bool{}
	for _, r := range into.resources {
		for i := range r.known.Instances {
			there[r.known.address()+r.known.Instances[i].suffix()] = true
		}
	}
	found := map[string]bool{}
	var collide []string
	var stay []*wholeResource
	for _, r := range w.resources {
		var goes, remains []json.RawMessage
		var known []stateInstance
		for i, raw := range r.instances {
			instance := &r.known.Instances[i]
			hit := false
			for _, address := range addresses {
				if meant(address, &r.known, instance.suffix()) {
					hit, found[address] = true, true
				}
			}
			if !hit {
				remains, known = append(remains, raw), append(known, *instance)
				continue
			}
			at := r.known.address() + instance.suffix()
			if there[at] {
				collide = append(collide, at)
			}
			goes, moved = append(goes, raw), append(moved, at)
		}
		if len(goes) > 0 {
			if err := into.take(r, goes); err != nil {
				return nil, err
			}
		}
		if len(remains) > 0 || len(r.instances) == 0 {
			r.instances, r.known.Instances = remains, known
			stay = append(stay, r)
		}
	}
	var missing []string
	for _, address := range addresses {
		if !found[address] {
			missing = append(missing, cut(address, 200))
		}
	}
	switch {
	case len(missing) > 0:
		return nil, fault.Errorf(fault.NotFound, "the state has no %s; `roadbed state show` tells what it has", some(missing))
	case len(collide) > 0:
		return nil, fault.Errorf(fault.Conflict, "the other state has %s already; nothing was moved", some(collide))
	}
	w.resources = stay
	return moved, nil
}

// take adds instances of a resource.
func (w *wholeState) take(r *wholeResource, instances []json.RawMessage) error {
	for _, mine := range w.resources {
		if mine.known.address() != r.known.address() {
			continue
		}
		if mine.known.Provider != r.known.Provider {
			return fault.Errorf(fault.Conflict, "%s is of provider %s in the other state, and of %s here; nothing was moved", r.known.address(), mine.known.Provider, r.known.Provider)
		}
		mine.instances = append(mine.instances, instances...)
		return nil
	}
	fields := map[string]json.RawMessage{}
	for name, raw := range r.fields {
		fields[name] = raw
	}
	w.resources = append(w.resources, &wholeResource{fields: fields, known: r.known, instances: instances})
	return nil
}

// some names the first of many.
func some(all []string) string {
	if len(all) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:5], ", "), len(all)-5)
	}
	return strings.Join(all, ", ")
}
