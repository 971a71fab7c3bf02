package document

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Relation is one edge of the graph, seen from the entity that holds it.
type Relation struct {
	Type   string // ownedBy, dependsOn, …
	Target ref.Entity
}

// Change is what happened to one entity in a transaction.
type Change struct {
	Ref    ref.Entity
	Space  string
	Old    *Document // nil: created
	New    *Document // nil: deleted
	Entry  string    // id of the ledger entry that tells it
	Source string    // who brought it, as the catalog names sources
	Commit string    // at which a location's file says it; "" for other sources
}

// Kind is the contract of one kind of document. The room that owns the kind registers it.
type Kind struct {
	APIVersions []string // newest first
	Name        string   // Component
	Plural      string   // components
	Description string   // one sentence, for people
	Icon        string   // a word for the portal; may be ""
	// Declared tells the version of the document that declares a kind; "" for those of the platform.
	Declared string
	// Pairs are the relations that a kind brings along, each with its inverse.
	Pairs [][2]string
	// Restricted kinds say who may do what. They are taken only from sources that an administrator trusted
	// for them.
	Restricted bool
	// Right is what it takes in the space to change documents of a restricted kind; space:admin when "".
	Right string
	// Strict kinds are held to Backstage's own rules for the envelope.
	Strict bool
	// Validate gives what is wrong beyond the envelope; nil means that nothing is checked.
	Validate func(d Document) []fault.Detail
	// Complete gives what is stored for d: d with what its stored form would lose or lacks. It must not write to
	// what d refers to. May be nil.
	Complete func(d Document) Document
	// Relations gives the edges that d declares; the inverse ones are the catalog's work.
	Relations func(d Document) []Relation
	// Changed keeps a projection of the documents, in the transaction of the change. An error ends the
	// whole transaction. May be nil.
	Changed func(ctx context.Context, tx *store.Tx, c Change) error
}

// Takes gives the right that it takes to change documents of a kind beyond those for any; "" for none.
func (k Kind) Takes() string {
	if k.Restricted && k.Right == "" {
		return "space:admin"
	}
	return k.Right
}

// Registry holds the kinds and the pairs of relations: those of the platform, which are registered while the server is
// built, and those that documents declare, which may change at any time. It is safe for concurrent use once the server is
// built.
type Registry struct {
	built    []Kind
	tables   atomic.Pointer[tables]
	declared func(have int64) (kinds []Kind, generation int64, err error) // nil kinds: nothing is newer

	loading    sync.Mutex
	generation int64
	changes    atomic.Int64 // how often Changed was told
	read       atomic.Int64 // how many of them the tables hold
	readings   atomic.Int64 // how many have begun
}

type tables struct {
	kinds   map[string]Kind   // by name in lower case
	plurals map[string]string // to names in lower case
	inverse map[string]string
	forward map[string]bool
}

// NewRegistry gives a registry without kinds, which knows Backstage's pairs of relations.
func NewRegistry() *Registry {
	r := &Registry{}
	r.tables.Store(tablesOf(nil))
	return r
}

func tablesOf(kinds []Kind) *tables {
	t := &tables{kinds: map[string]Kind{}, plurals: map[string]string{}, inverse: map[string]string{}, forward: map[string]bool{}}
	for _, pair := range [][2]string{
		{"ownedBy", "ownerOf"}, {"partOf", "hasPart"}, {"dependsOn", "dependencyOf"},
		{"providesApi", "apiProvidedBy"}, {"consumesApi", "apiConsumedBy"},
		{"memberOf", "hasMember"}, {"childOf", "parentOf"},
	} {
		t.pair(pair)
	}
	for _, k := range kinds {
		key := strings.ToLower(k.Name)
		t.kinds[key] = k
		t.plurals[strings.ToLower(k.Plural)] = key
		for _, pair := range k.Pairs {
			t.pair(pair)
		}
	}
	return t
}

func (t *tables) pair(pair [2]string) {
	t.inverse[pair[0]], t.inverse[pair[1]] = pair[1], pair[0]
	t.forward[pair[0]] = true
}

// Register adds a kind of the platform. A second kind of the same name is a defect of the program, whatever its API group
// is, and panics.
func (r *Registry) Register(k Kind) {
	key := strings.ToLower(k.Name)
	if _, twice := r.tables.Load().kinds[key]; twice || key == "" || len(k.APIVersions) == 0 {
		panic(fmt.Sprintf("document: kind %q is registered twice, or without a name or API version", k.Name))
	}
	if k.Plural == "" {
		k.Plural = key + "s"
	}
	r.built = append(r.built, k)
	r.tables.Store(tablesOf(r.built))
}

// Declared says where the kinds are that documents declare: latest gives all of them with their generation, or nil where
// that is the one given. It comes once, while the server is built.
func (r *Registry) Declared(latest func(have int64) (kinds []Kind, generation int64, err error)) {
	r.declared = latest
	r.Changed()
}

// Changed has what documents declare read again before it is next asked for.
func (r *Registry) Changed() { r.changes.Add(1) }

// now gives the tables, read anew after Changed: who asks while that goes on waits for it.
func (r *Registry) now() *tables {
	if r.read.Load() != r.changes.Load() {
		r.Refresh()
	}
	return r.tables.Load()
}

// Refresh reads what documents declare where it is newer than what is known. What can't be read stays as it was, and is tried
// again; who waits for another's reading that has begun since does not read once more.
func (r *Registry) Refresh() {
	if r.declared == nil {
		return
	}
	asked := r.readings.Load()
	r.loading.Lock()
	defer r.loading.Unlock()
	if r.readings.Load() != asked {
		return
	}
	r.readings.Add(1)
	changes := r.changes.Load()
	kinds, generation, err := r.declared(r.generation)
	if err != nil {
		return
	}
	defer r.read.Store(changes)
	if generation <= r.generation { // less: who asks is in a snapshot of before
		return
	}
	r.generation = generation
	r.tables.Store(tablesOf(append(slices.Clip(r.built), kinds...)))
}

// With gives a registry that knows more kinds, or others of the same names.
func (r *Registry) With(kinds ...Kind) *Registry {
	t := r.now()
	all := make([]Kind, 0, len(t.kinds)+len(kinds))
	for _, k := range t.kinds {
		if !slices.ContainsFunc(kinds, func(other Kind) bool { return strings.EqualFold(other.Name, k.Name) }) {
			all = append(all, k)
		}
	}
	with := &Registry{}
	with.tables.Store(tablesOf(append(all, kinds...)))
	return with
}

// Clash says why a kind can't be declared beside those of the platform; "" when it can.
func (r *Registry) Clash(k Kind) string {
	t := tablesOf(r.built)
	for _, name := range []string{strings.ToLower(k.Name), strings.ToLower(k.Plural)} {
		other, taken := t.kinds[name]
		if key, plural := t.plurals[name]; plural && !taken {
			other, taken = t.kinds[key], true
		}
		if taken {
			return fmt.Sprintf("the name %s belongs to the kind %s of %s", name, other.Name, other.APIVersions[0])
		}
	}
	return t.clash(k.Pairs)
}

// ClashOf says why two declared kinds can't be beside each other; "" when they can.
func ClashOf(a, b Kind) string {
	t := tablesOf([]Kind{b})
	for _, name := range []string{strings.ToLower(a.Name), strings.ToLower(a.Plural)} {
		if _, taken := t.kinds[name]; taken || t.plurals[name] != "" {
			return fmt.Sprintf("the name %s belongs to the kind %s of %s", name, b.Name, b.APIVersions[0])
		}
	}
	return t.clash(a.Pairs)
}

func (t *tables) clash(pairs [][2]string) string {
	for _, pair := range pairs {
		for i, one := range pair {
			if other := t.inverse[one]; other != "" && other != pair[1-i] {
				return fmt.Sprintf("the relation %s has the way back %s already", one, other)
			}
		}
		if t.inverse[pair[1]] == pair[0] && !t.forward[pair[0]] {
			return fmt.Sprintf("%s is the way back of %s; declare it from there", pair[0], pair[1])
		}
	}
	return ""
}

// Inverse gives the type of the edge back, or "" when the relation has none.
func (r *Registry) Inverse(relation string) string { return r.now().inverse[relation] }

// Forward tells whether a relation is the forward one of its pair.
func (r *Registry) Forward(relation string) bool { return r.now().forward[relation] }

// Lookup gives the kind of a document.
func (r *Registry) Lookup(apiVersion, kind string) (Kind, bool) {
	k, ok := r.ByName(kind)
	if !ok || k.Name != kind || !slices.Contains(k.APIVersions, apiVersion) {
		return Kind{}, false
	}
	return k, true
}

// ByName gives a kind by its name, without case, or by its plural.
func (r *Registry) ByName(kind string) (Kind, bool) {
	key, t := strings.ToLower(kind), r.now()
	if k, ok := t.kinds[key]; ok {
		return k, true
	}
	k, ok := t.kinds[t.plurals[key]]
	return k, ok
}

// List gives the kinds in the order of their names.
func (r *Registry) List() []Kind {
	t := r.now()
	kinds := make([]Kind, 0, len(t.kinds))
	for _, key := range sortedKeys(t.kinds) {
		kinds = append(kinds, t.kinds[key])
	}
	return kinds
}

// Check holds a document to its envelope and its kind. Details are what is wrong; without any, the kind is
// valid for d.
func (r *Registry) Check(d Document) (Kind, []fault.Detail) {
	k, ok := r.Lookup(d.APIVersion, d.Kind)
	if !ok { // another server may have taken its declaration
		r.Refresh()
		k, ok = r.Lookup(d.APIVersion, d.Kind)
	}
	if !ok {
		return Kind{}, []fault.Detail{r.unknown(d)}
	}
	wrong := d.Check()
	if k.Strict {
		wrong = append(wrong, d.checkStrict()...)
	}
	if k.Validate != nil {
		wrong = append(wrong, k.Validate(d)...)
	}
	return k, wrong
}

func (r *Registry) unknown(d Document) fault.Detail {
	if k, ok := r.ByName(d.Kind); ok {
		if k.Name != d.Kind {
			return d.At(fmt.Sprintf("unknown kind %q", d.Kind), "did you mean "+k.Name+"?", "kind")
		}
		return d.At(fmt.Sprintf("%s has no version %q", k.Name, d.APIVersion), "known: "+strings.Join(k.APIVersions, ", "), "apiVersion")
	}
	var names []string
	for _, k := range r.List() {
		names = append(names, k.Name)
	}
	return d.At(fmt.Sprintf("unknown kind %q", d.Kind), didYouMean(d.Kind, names), "kind")
}
