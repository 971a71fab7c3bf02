package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Dependency is another stack on which one is built: its runs go first, and what it gives is known to those of this one.
type Dependency struct {
	Stack   string      `json:"stack"` // its reference; stack: and the namespace may be left out
	Outputs []OutputUse `json:"outputs,omitempty"`
	Always  bool        `json:"always,omitempty"` // a run of it is followed by one of this stack, also where none of the outputs has changed
}

// OutputUse gives an output of another stack to the runs of this one.
type OutputUse struct {
	Output    string `json:"output"`
	As        string `json:"as"`                  // the variable of the environment, such as TF_VAR_vpc_id
	Sensitive bool   `json:"sensitive,omitempty"` // it may be one that is sensitive
}

// Bounds of what a stack depends on.
const (
	maxDependencies = 50
	maxOutputUses   = 100
	maxGraph        = 10_000 // stacks that one can reach
)

// checkDependencies holds a stack's dependencies to their form, and writes references in full.
func (spec *Spec) checkDependencies(d document.Document, bad func(message, hint string, at ...string)) {
	if len(spec.DependsOn) > maxDependencies {
		bad(fmt.Sprintf("has %d dependencies", len(spec.DependsOn)), fmt.Sprintf("write at most %d", maxDependencies), "spec", "dependsOn")
	}
	known, given := map[string]bool{}, map[string]bool{}
	for i := range spec.DependsOn {
		dependency := &spec.DependsOn[i]
		at := []string{"spec", "dependsOn", fmt.Sprint(i)}
		on, err := ref.Parse(dependency.Stack, "stack", d.Ref().Namespace)
		switch {
		case err != nil || on.Kind != "stack":
			bad(fmt.Sprintf("%q is not a stack", dependency.Stack), "write its name, or NAMESPACE/NAME", append(at, "stack")...)
			continue
		case on == d.Ref():
			bad("is the stack itself", "name another one", append(at, "stack")...)
		case known[on.String()]:
			bad(fmt.Sprintf("%s is there twice", on), "put its outputs together", append(at, "stack")...)
		}
		dependency.Stack, known[on.String()] = on.String(), true
		if len(dependency.Outputs) > maxOutputUses {
			bad(fmt.Sprintf("uses %d outputs", len(dependency.Outputs)), fmt.Sprintf("use at most %d", maxOutputUses), append(at, "outputs")...)
		}
		for k, use := range dependency.Outputs {
			in := append(slices.Clone(at), "outputs", fmt.Sprint(k))
			switch {
			case !outputName.MatchString(use.Output):
				bad(fmt.Sprintf("%q is not the name of an output", use.Output), "letters, digits, _ and -", append(in, "output")...)
			case !variableName.MatchString(use.As):
				bad(fmt.Sprintf("%q is not the name of a variable", use.As), "write it as TF_VAR_name", append(in, "as")...)
			case isReserved(bare(use.As)):
				bad(fmt.Sprintf("%s is set by the platform", use.As), "choose another name", append(in, "as")...)
			case choosesPrices(use.As):
				wrong, hint := pricesByContext(use.As)
				bad(wrong, hint, append(in, "as")...)
			case given[use.As]:
				bad(fmt.Sprintf("%s is given twice", use.As), "choose another name for one of them", append(in, "as")...)
			}
			given[use.As] = true
		}
	}
	for i, space := range spec.ShareWith {
		if !ref.ValidName(space) {
			bad(fmt.Sprintf("%q is not a space", space), "write the name of one", "spec", "shareWith", fmt.Sprint(i))
		}
	}
}

// keepDependencies keeps on what a stack depends, in the transaction of its document. What would lead back to the stack is
// refused.
func (s *Service) keepDependencies(ctx context.Context, tx *store.Tx, stack ref.Entity, spec Spec) error {
	had, err := edgesOf(ctx, tx, "stack", stack)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, d := range spec.DependsOn {
		wanted[d.Stack] = true
	}
	for _, e := range had {
		if wanted[e.Upstream] {
			delete(wanted, e.Upstream)
			continue
		}
		if _, err := tx.Exec(ctx, "DELETE FROM stack_dependencies WHERE stack = $1 AND upstream = $2", stack.String(), e.Upstream); err != nil {
			return fault.Wrap(err, "forget a dependency of %s", stack)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	// Two documents could close a circle at the same moment: one after the other.
	if _, err := tx.Exec(ctx, "UPDATE stack_graph SET edit = edit + 1"); err != nil {
		return fault.Wrap(err, "take the graph of stacks")
	}
	for _, d := range spec.DependsOn {
		if !wanted[d.Stack] {
			continue
		}
		way, err := wayTo(ctx, tx, d.Stack, stack.String())
		if err != nil {
			return err
		}
		if way != nil {
			return fault.Errorf(fault.Invalid, "the stacks would depend on each other: %s; take one of these out of its dependsOn",
				strings.Join(append([]string{stack.String()}, way...), " → "))
		}
		if _, err := tx.Exec(ctx, "INSERT INTO stack_dependencies (stack, upstream, used, created) VALUES ($1, $2, '', $3)", stack.String(), d.Stack, store.Micros(s.Now())); err != nil {
			return fault.Wrap(err, "keep a dependency of %s", stack)
		}
	}
	return nil
}

// edge is a dependency as it is kept.
type edge struct {
	Stack, Upstream string
	Used            string // version of the upstream's state that the newest run that finished was given; "" for none
}

// edgesOf gives the edges of which one end is some stacks: "stack" for on what they depend, "upstream" for what depends on them.
func edgesOf(ctx context.Context, tx *store.Tx, end string, stacks ...ref.Entity) ([]edge, error) {
	names := make([]string, len(stacks))
	for i, r := range stacks {
		names[i] = r.String()
	}
	return edges(ctx, tx, end, names)
}

func edges(ctx context.Context, tx *store.Tx, end string, names []string) ([]edge, error) {
	w := &store.Where{}
	w.Add(w.In(end, names))
	rows, err := tx.Query(ctx, "SELECT stack, upstream, used FROM stack_dependencies"+w.String()+" ORDER BY stack, upstream", w.Args...)
	all, err := store.Collect(rows, err, func(r store.Row) (e edge, err error) { return e, r.Scan(&e.Stack, &e.Upstream, &e.Used) })
	return all, fault.Wrap(err, "read the graph of stacks")
}

// wayTo gives a way along dependencies from one stack to another, both included; nil where there is none.
func wayTo(ctx context.Context, tx *store.Tx, from, to string) ([]string, error) {
	before := map[string]string{from: ""}
	for level := []string{from}; len(level) > 0; {
		if slices.Contains(level, to) {
			way := []string{to}
			for at := to; before[at] != ""; at = before[at] {
				way = append([]string{before[at]}, way...)
			}
			return way, nil
		}
		if len(before) > maxGraph {
			return nil, fault.Errorf(fault.TooLarge, "more than %d stacks hang together", maxGraph)
		}
		next, err := edges(ctx, tx, "stack", level)
		if err != nil {
			return nil, err
		}
		level = nil
		for _, e := range next {
			if _, seen := before[e.Upstream]; !seen {
				before[e.Upstream] = e.Stack
				level = append(level, e.Upstream)
			}
		}
	}
	return nil, nil
}

// reached gives what a stack reaches along dependencies, nearest first and without itself: with "stack" what it stands on, with
// "upstream" what stands on it.
func reached(ctx context.Context, tx *store.Tx, end, stack string) (all []string, err error) {
	seen := map[string]bool{stack: true}
	for level := []string{stack}; len(level) > 0; {
		next, err := edges(ctx, tx, end, level)
		if err != nil {
			return nil, err
		}
		level = nil
		for _, e := range next {
			other := e.Upstream
			if end == "upstream" {
				other = e.Stack
			}
			if !seen[other] {
				seen[other] = true
				level, all = append(level, other), append(all, other)
			}
		}
		if len(all) > maxGraph {
			return nil, fault.Errorf(fault.TooLarge, "more than %d stacks hang together", maxGraph)
		}
	}
	return all, nil
}

// mayUse holds a stack to the outputs of its own space, those of spaces below, and those that are shared with its space: its
// runs show them to readers who could not see them otherwise.
func (s *Service) mayUse(ctx context.Context, stack, upstream Stack) error {
	for _, pair := range append([][2]string{{upstream.Space, stack.Space}}, shared(stack, upstream)...) {
		within, err := s.Access.Within(ctx, pair[0], pair[1])
		if err != nil || within {
			return err
		}
	}
	return fault.Errorf(fault.Denied, "%s is in space %s and may not use the outputs of %s, which is in space %s; name %s in the shareWith of %s",
		stack.Ref, stack.Space, upstream.Ref, upstream.Space, stack.Space, upstream.Ref)
}

func shared(stack, upstream Stack) (pairs [][2]string) {
	for _, space := range upstream.Spec.ShareWith {
		pairs = append(pairs, [2]string{stack.Space, space})
	}
	return pairs
}

// Neighbour is a stack that another one depends on, or the other way round.
type Neighbour struct {
	Ref     ref.Entity
	Outputs []OutputUse // that are used of it, or by it
	Always  bool
	Unused  bool // no run that finished was given what is there now
}

// Neighbours gives on what a stack depends, and what depends on it, by reference, as far as the caller may read these.
// Permission: stack:read in its space; otherwise NotFound.
func (s *Service) Neighbours(ctx context.Context, r ref.Entity) (upstream, downstream []Neighbour, err error) {
	stack, err := s.read(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		above, err := edgesOf(ctx, tx, "stack", r)
		if err != nil {
			return err
		}
		for _, e := range above {
			n, err := s.neighbour(ctx, tx, e.Upstream, e, stack)
			if err != nil {
				return err
			}
			if n != nil {
				upstream = append(upstream, *n)
			}
		}
		below, err := edgesOf(ctx, tx, "upstream", r)
		if err != nil {
			return err
		}
		for _, e := range below {
			n, err := s.neighbour(ctx, tx, e.Stack, e, Stack{})
			if err != nil {
				return err
			}
			if n != nil {
				downstream = append(downstream, *n)
			}
		}
		return nil
	})
	return upstream, downstream, err
}

// neighbour gives one end of an edge; nil where the caller may not see it. by is the stack whose document has the edge, when
// that is not the end itself.
func (s *Service) neighbour(ctx context.Context, tx *store.Tx, end string, e edge, by Stack) (*Neighbour, error) {
	r, err := ref.Parse(end, "stack", ref.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	other, err := getStack(ctx, tx, r, "")
	if fault.Is(err, fault.NotFound) {
		if by.Ref == r {
			return nil, nil
		}
		return &Neighbour{Ref: r, Unused: true}, nil // its document says so, and there is none of that name
	}
	if err != nil || other.Deleted || !s.Access.May(ctx, "stack:read", other.Space) {
		return nil, err
	}
	if by.Ref.IsZero() {
		by = other
	}
	n := &Neighbour{Ref: r}
	for _, d := range by.Spec.DependsOn {
		if d.Stack == e.Upstream {
			n.Outputs, n.Always = d.Outputs, d.Always
		}
	}
	on, err := ref.Parse(e.Upstream, "stack", ref.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	now, err := settled(ctx, tx, on)
	n.Unused = now.ID != e.Used
	return n, err
}
