package document

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	Ref   ref.Entity
	Space string
	Old   *Document // nil: created
	New   *Document // nil: deleted
	Entry string    // id of the ledger entry that tells it
}

// Kind is the contract of one kind of document. The room that owns the kind registers it.
type Kind struct {
	APIVersions []string // newest first
	Name        string   // Component
	Plural      string   // components
	Description string   // one sentence, for people
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

// Registry holds the kinds and the pairs of relations. It is filled while the server is built and only read
// afterwards.
type Registry struct {
	kinds   map[string]Kind // by name in lower case
	inverse map[string]string
	forward map[string]bool
}

// NewRegistry gives a registry without kinds, which knows Backstage's pairs of relations.
func NewRegistry() *Registry {
	r := &Registry{kinds: map[string]Kind{}, inverse: map[string]string{}, forward: map[string]bool{}}
	for _, pair := range [][2]string{
		{"ownedBy", "ownerOf"}, {"partOf", "hasPart"}, {"dependsOn", "dependencyOf"},
		{"providesApi", "apiProvidedBy"}, {"consumesApi", "apiConsumedBy"},
		{"memberOf", "hasMember"}, {"childOf", "parentOf"},
	} {
		r.Pair(pair[0], pair[1])
	}
	return r
}

// Register adds a kind. A second kind of the same name is a defect of the program, whatever its API group is,
// and panics.
func (r *Registry) Register(k Kind) {
	key := strings.ToLower(k.Name)
	if _, twice := r.kinds[key]; twice || key == "" || len(k.APIVersions) == 0 {
		panic(fmt.Sprintf("document: kind %q is registered twice, or without a name or API version", k.Name))
	}
	if k.Plural == "" {
		k.Plural = key + "s"
	}
	r.kinds[key] = k
}

// Pair says that two types of relation are each other's inverse. The pair goes by the name of the forward one.
func (r *Registry) Pair(forward, inverse string) {
	r.forward[forward] = true
	r.inverse[forward], r.inverse[inverse] = inverse, forward
}

// Inverse gives the type of the edge back, or "" when the relation has none.
func (r *Registry) Inverse(relation string) string { return r.inverse[relation] }

// Forward tells whether a relation is the forward one of its pair.
func (r *Registry) Forward(relation string) bool { return r.forward[relation] }

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
	key := strings.ToLower(kind)
	if k, ok := r.kinds[key]; ok {
		return k, true
	}
	for _, k := range r.kinds {
		if strings.ToLower(k.Plural) == key {
			return k, true
		}
	}
	return Kind{}, false
}

// List gives the kinds in the order of their names.
func (r *Registry) List() []Kind {
	kinds := make([]Kind, 0, len(r.kinds))
	for _, key := range sortedKeys(r.kinds) {
		kinds = append(kinds, r.kinds[key])
	}
	return kinds
}

// Check holds a document to its envelope and its kind. Details are what is wrong; without any, the kind is
// valid for d.
func (r *Registry) Check(d Document) (Kind, []fault.Detail) {
	k, ok := r.Lookup(d.APIVersion, d.Kind)
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
	names := make([]string, 0, len(r.kinds))
	for _, k := range r.List() {
		names = append(names, k.Name)
	}
	return d.At(fmt.Sprintf("unknown kind %q", d.Kind), didYouMean(d.Kind, names), "kind")
}
