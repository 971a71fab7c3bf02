package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// ContextSpec is what a Context document says: variables, files and hooks that many stacks share.
type ContextSpec struct {
	Owner       string     `json:"owner,omitempty"`
	Description string     `json:"description,omitempty"`
	Labels      []string   `json:"labels,omitempty"`
	Priority    int        `json:"priority,omitempty"` // of two contexts that set the same, that with the greater number wins
	Attach      []string   `json:"attach,omitempty"`   // stacks
	Variables   []Variable `json:"variables,omitempty"`
	Files       []File     `json:"files,omitempty"`
	Hooks       Hooks      `json:"hooks,omitzero"`
}

// Context is the projection of a Context document. It counts for stacks of its space and of those below.
type Context struct {
	Ref     ref.Entity
	Space   string
	Title   string // of the document; its name where it has none
	Spec    ContextSpec
	Updated time.Time
	Deleted bool
	Edit    int64 // how often what the document says was changed
	Editors Editors
}

// Autoattach is the beginning of a context's label that attaches it to the stacks with the label that follows, or with *
// to all.
const Autoattach = "autoattach:"

const (
	mostLabels   = 50
	mostAttached = 500 // stacks that a document names
	mostContexts = 50  // contexts that a document names, and that one stack has
)

var label = regexp.MustCompile(`^[^\s,"'\\\x00-\x1f][^,"'\\\x00-\x1f]{0,99}$`)

// checkLabels tells what is wrong with labels, by their number.
func checkLabels(labels []string, bad func(message, hint string, at ...string)) {
	if len(labels) > mostLabels {
		bad(fmt.Sprintf("%d labels are too many", len(labels)), fmt.Sprintf("write at most %d", mostLabels))
		return
	}
	for i, l := range labels {
		if !label.MatchString(l) {
			bad(fmt.Sprintf("%q is not a label", l), "write text without commas, quotes and \\, at most 100 characters", fmt.Sprint(i))
		}
	}
}

// named gives the full references that a list of a document names, and tells what is wrong with them.
func named(d document.Document, list []string, kind string, most int, bad func(message, hint string, at ...string)) []string {
	if len(list) > most {
		bad(fmt.Sprintf("%d of them are too many", len(list)), fmt.Sprintf("name at most %d, or attach by a label", most))
		return nil
	}
	var out []string
	for i, text := range list {
		r, err := ref.Parse(text, kind, d.Ref().Namespace)
		if err != nil || r.Kind != kind {
			bad(fmt.Sprintf("%q is not a %s", text, kind), fmt.Sprintf("write %s:NAMESPACE/NAME", kind), fmt.Sprint(i))
			continue
		}
		if !slices.Contains(out, r.String()) {
			out = append(out, r.String())
		}
	}
	return out
}

// ContextKind gives the kind Context, kept by s.
func ContextKind(s *Service) document.Kind {
	return document.Kind{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Context", Plural: "contexts",
		Description: "Variables, files and hooks that runs of many stacks are given.",
		Pairs:       [][2]string{{"attachedTo", "attachmentOf"}},
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := readContext(d)
			return wrong
		},
		Relations: contextRelations,
		Changed:   s.contextChanged,
	}
}

func readContext(d document.Document) (ContextSpec, []fault.Detail) {
	var spec ContextSpec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	under := func(path ...string) func(message, hint string, at ...string) {
		return func(message, hint string, at ...string) {
			wrong = append(wrong, d.At(message, hint, slices.Concat([]string{"spec"}, path, at)...))
		}
	}
	if p := spec.Priority; p < 0 || p > 1000 {
		under("priority")(fmt.Sprintf("%d is not between 0 and 1000", p), "the greater number wins")
	}
	checkLabels(spec.Labels, under("labels"))
	for i, l := range spec.Labels {
		if l == strings.TrimSuffix(Autoattach, ":") || l == Autoattach {
			under("labels")("names no label", "write autoattach:LABEL, or autoattach:* for all stacks", fmt.Sprint(i))
		}
	}
	checkVariables(spec.Variables, under("variables"))
	checkFiles(spec.Files, under("files"))
	spec.Hooks.check(under("hooks"))
	spec.Attach = named(d, spec.Attach, "stack", mostAttached, under("attach"))
	return spec, wrong
}

func contextRelations(d document.Document) []document.Relation {
	spec, wrong := readContext(d)
	if len(wrong) > 0 {
		return nil
	}
	var out []document.Relation
	add := func(kind, text, defaultKind string) {
		if target, err := ref.Parse(text, defaultKind, d.Ref().Namespace); text != "" && err == nil {
			out = append(out, document.Relation{Type: kind, Target: target})
		}
	}
	add("ownedBy", spec.Owner, "group")
	for _, stack := range spec.Attach {
		add("attachedTo", stack, "stack")
	}
	return out
}

// readAttached reads what a Stack document says of contexts, labels, files and hooks.
func (spec *Spec) readAttached(d document.Document) (wrong []fault.Detail) {
	under := func(path string) func(message, hint string, at ...string) {
		return func(message, hint string, at ...string) {
			wrong = append(wrong, d.At(message, hint, slices.Concat([]string{"spec", path}, at)...))
		}
	}
	checkLabels(spec.Labels, under("labels"))
	checkVariables(spec.Environment, under("environment"))
	checkOwn(spec.Environment, under("environment"))
	checkFiles(spec.Files, under("files"))
	spec.Hooks.check(under("hooks"))
	spec.Contexts = named(d, spec.Contexts, "context", mostContexts, under("contexts"))
	return wrong
}

// contextChanged keeps the row of a context, in the transaction of its document. Runs that are there stay as they are.
func (s *Service) contextChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	before, err := getContext(ctx, tx, c.Ref, tx.ForUpdate())
	there := err == nil
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	next := Context{Ref: c.Ref, Space: c.Space, Deleted: c.New == nil, Edit: before.Edit, Editors: before.Editors, Spec: before.Spec, Title: before.Title}
	if c.New == nil {
		if err := forgetNotes(ctx, tx, c.Ref); err != nil {
			return err
		}
	} else {
		spec, wrong := readContext(*c.New)
		if len(wrong) > 0 {
			return fault.At(fmt.Sprintf("Context %s is not valid", c.New.Metadata.Name), wrong...)
		}
		spec.Description = cmp.Or(spec.Description, c.New.Metadata.Description)
		next.Spec, next.Title = spec, cmp.Or(c.New.Metadata.Title, c.Ref.Name)
	}
	was, err := json.Marshal(before.Spec)
	if err != nil {
		return err
	}
	is, err := json.Marshal(next.Spec)
	if err != nil {
		return fault.Wrap(err, "encode context %s", c.Ref)
	}
	if !there || before.Deleted != next.Deleted || before.Space != next.Space || string(was) != string(is) {
		who, err := s.editor(ctx, tx, c)
		if err != nil {
			return err
		}
		next.Edit++
		next.Editors = next.Editors.with(who, next.Edit)
	}
	return putContext(ctx, tx, next, s.Now())
}

// attachment is a context and why a stack has it.
type attachment struct {
	Context
	Why string // in words; by hand, unless it is a label
}

func (a attachment) byLabel() bool { return strings.HasPrefix(a.Why, Autoattach) }

// Words of why a context is attached; a label is told as it stands.
const (
	NamedByStack   = "the stack names it"
	NamedByContext = "the context names the stack"
)

// attaches tells why a context belongs to a stack, if they are where they may meet; "" when it does not.
func (c ContextSpec) attaches(r, stack ref.Entity, spec Spec) string {
	switch {
	case slices.Contains(spec.Contexts, r.String()):
		return NamedByStack
	case slices.Contains(c.Attach, stack.String()):
		return NamedByContext
	}
	for _, l := range c.Labels {
		if want, ok := strings.CutPrefix(l, Autoattach); ok && (want == "*" || slices.Contains(spec.Labels, want)) {
			return l
		}
	}
	return ""
}

// inOrder puts attachments in the order in which they are laid over one another, the last one winning: by priority, what a
// label attaches before what somebody attached by hand, and of equals the first of the alphabet last.
func inOrder(all []attachment) {
	slices.SortFunc(all, func(a, b attachment) int {
		hand := func(x attachment) int {
			if x.byLabel() {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Spec.Priority, b.Spec.Priority), cmp.Compare(hand(a), hand(b)), cmp.Compare(b.Ref.String(), a.Ref.String()))
	})
}
