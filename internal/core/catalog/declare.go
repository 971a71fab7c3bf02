package catalog

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// kindSpec is what a document of the kind Kind says.
type kindSpec struct {
	Owner       string         `json:"owner"`
	Group       string         `json:"group"`    // acme.example
	Versions    []string       `json:"versions"` // newest first
	Names       kindNames      `json:"names"`
	Description string         `json:"description"`
	Schema      map[string]any `json:"schema"` // of spec
	Relations   []kindRelation `json:"relations"`
}

type kindNames struct {
	Kind   string `json:"kind"`
	Plural string `json:"plural"`
	Icon   string `json:"icon"`
}

// kindRelation says which field of a document names other entities, and as what.
type kindRelation struct {
	Field   string `json:"field"` // spec.inputs.dataset; lists on the way are gone through
	Type    string `json:"type"`
	Inverse string `json:"inverse"` // may be left out of a type that is known
	Kind    string `json:"kind"`    // of a reference that names none
}

// Bounds of declared kinds.
const (
	maxKinds         = 200
	maxKindVersions  = 10
	maxKindRelations = 50
)

const kindKind = "Kind"

var (
	groupPattern    = regexp.MustCompile(`^[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)+$`)
	versionPattern  = regexp.MustCompile(`^v[0-9]{1,3}((alpha|beta)[0-9]{1,3})?$`)
	kindPattern     = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)
	pluralPattern   = regexp.MustCompile(`^[a-z][a-z0-9]{0,62}$`)
	relationPattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]{0,62}$`)
	fieldPattern    = regexp.MustCompile(`^spec(\.[a-zA-Z0-9_-]{1,63}){1,10}$`)
)

// declaration gives the kind that documents of the kind Kind declare kinds by.
func (s *Service) declaration() document.Kind {
	return document.Kind{
		APIVersions: []string{"roadbed.dev/v1"}, Name: kindKind, Plural: "kinds", Restricted: true,
		Description: "Declares a kind of documents: its names, its schema and its relations.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := s.declaredBy(d, "")
			return wrong
		},
		Relations: func(d document.Document) []document.Relation {
			return document.Related(d, []document.Field{{Name: "owner", Relation: "ownedBy", Kind: "group"}})
		},
		Changed: s.kindChanged,
	}
}

// declaredBy gives the kind that a document declares; version tells it from others of the same name.
func (s *Service) declaredBy(d document.Document, version string) (document.Kind, []fault.Detail) {
	var spec kindSpec
	if err := document.Decode(d, &spec); err != nil {
		return document.Kind{}, fault.Details(err)
	}
	var wrong []fault.Detail
	add := func(message, hint string, path ...string) {
		wrong = append(wrong, d.At(message, hint, append([]string{"spec"}, path...)...))
	}
	names := spec.Names
	switch {
	case !kindPattern.MatchString(names.Kind):
		add(fmt.Sprintf("%q can't name a kind", names.Kind), "begin with a capital, and use letters and digits", "names", "kind")
	case d.Metadata.Name != strings.ToLower(names.Kind) || d.Ref().Namespace != ref.DefaultNamespace:
		wrong = append(wrong, d.At("it has another name than its kind", "write name: "+strings.ToLower(names.Kind)+", without a namespace", "metadata", "name"))
	}
	if names.Plural == "" {
		names.Plural = strings.ToLower(names.Kind) + "s"
	}
	if !pluralPattern.MatchString(names.Plural) {
		add(fmt.Sprintf("%q can't name a kind", names.Plural), "use lower-case letters and digits", "names", "plural")
	}
	if !groupPattern.MatchString(spec.Group) || len(spec.Group) > 200 {
		add(fmt.Sprintf("%q is not a group of an API", spec.Group), "write a domain of yours, such as acme.example", "group")
	} else if spec.Group == "roadbed.dev" || strings.HasSuffix(spec.Group, ".roadbed.dev") {
		add("roadbed.dev is for Roadbed's own kinds", "write a domain of yours, such as acme.example", "group")
	}
	if len(spec.Versions) == 0 || len(spec.Versions) > maxKindVersions {
		add(fmt.Sprintf("a kind has 1 to %d versions", maxKindVersions), "write versions: [v1]", "versions")
	}
	k := document.Kind{Name: names.Kind, Plural: names.Plural, Icon: names.Icon, Description: spec.Description, Declared: version, Strict: true}
	for i, v := range spec.Versions[:min(len(spec.Versions), maxKindVersions)] {
		if !versionPattern.MatchString(v) || slices.Contains(spec.Versions[:i], v) {
			add(fmt.Sprintf("%q is not a version", v), "such as v1, v1beta1 or v1alpha1, each once", "versions", fmt.Sprint(i))
		}
		k.APIVersions = append(k.APIVersions, spec.Group+"/"+v)
	}
	if len(names.Icon) > 63 || len(spec.Description) > 500 {
		add("the description has at most 500 characters, and the icon 63", "")
	}
	var schema *document.Schema
	if spec.Schema != nil {
		var more []fault.Detail
		schema, more = document.CompileSchema(d, spec.Schema, "spec", "schema")
		wrong = append(wrong, more...)
	}
	fields, pairs, more := fieldsOf(d, spec.Relations)
	wrong = append(wrong, more...)
	if len(wrong) > 0 {
		return k, wrong
	}
	k.Pairs = pairs
	if clash := s.registry.Clash(k); clash != "" {
		return k, []fault.Detail{d.At(clash, "choose another name", "spec")}
	}
	k.Validate = func(d document.Document) (wrong []fault.Detail) {
		if schema != nil {
			spec := d.Spec
			if spec == nil {
				spec = map[string]any{}
			}
			wrong = schema.Check(d, spec, "spec")
		}
		for _, f := range fields {
			wrong = append(wrong, f.check(d)...)
		}
		return wrong
	}
	k.Relations = func(d document.Document) (all []document.Relation) {
		for _, f := range fields {
			all = append(all, f.relations(d)...)
		}
		return all
	}
	k.Changed = s.ofDeclared(k)
	return k, nil
}

// knowing gives a registry that knows the kinds which documents declare that are to be applied together.
func (s *Service) knowing(documents []document.Document) *document.Registry {
	var kinds []document.Kind
	for _, d := range documents {
		if d.Kind != kindKind {
			continue
		}
		if k, wrong := s.declaredBy(d, ""); len(wrong) == 0 {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return s.registry
	}
	return s.registry.With(kinds...)
}

// namingField is a field whose texts name entities.
type namingField struct {
	path []string // below the document
	kindRelation
}

func fieldsOf(d document.Document, relations []kindRelation) (fields []namingField, pairs [][2]string, wrong []fault.Detail) {
	if len(relations) > maxKindRelations {
		return nil, nil, []fault.Detail{d.At(fmt.Sprintf("at most %d relations are taken", maxKindRelations), "", "spec", "relations")}
	}
	wellKnown := document.NewRegistry() // not s.registry, which may be asking for what is declared
	for i, r := range relations {
		add := func(message, hint, field string) {
			wrong = append(wrong, d.At(message, hint, "spec", "relations", fmt.Sprint(i), field))
		}
		if !fieldPattern.MatchString(r.Field) {
			add(fmt.Sprintf("%q is not a field", r.Field), "write it from spec down, such as spec.inputs.dataset; lists on the way are gone through", "field")
		}
		if !relationPattern.MatchString(r.Type) {
			add(fmt.Sprintf("%q is not a type of relation", r.Type), "write a word such as dependsOn", "type")
		}
		if r.Kind != "" {
			if _, ok := ref.Loose("x", r.Kind, ref.DefaultNamespace); !ok || strings.ContainsAny(r.Kind, ":/") {
				add(fmt.Sprintf("%q is not a kind", r.Kind), "", "kind")
			}
		}
		known := wellKnown.Inverse(r.Type)
		switch {
		case r.Inverse == "" && known == "" && !slices.ContainsFunc(pairs, func(p [2]string) bool { return p[0] == r.Type }):
			add(fmt.Sprintf("nobody knows what %s is from the other side", r.Type), "write inverse, such as "+r.Type+"By", "inverse")
		case r.Inverse == "":
		case !relationPattern.MatchString(r.Inverse) || r.Inverse == r.Type:
			add(fmt.Sprintf("%q is not a type of relation from the other side", r.Inverse), "write another word", "inverse")
		case known == "":
			pairs = append(pairs, [2]string{r.Type, r.Inverse})
		case known != r.Inverse:
			add(fmt.Sprintf("the way back of %s is %s", r.Type, known), "leave it out", "inverse")
		}
		fields = append(fields, namingField{strings.Split(r.Field, "."), r})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1]) })
	pairs = slices.Compact(pairs)
	for i := range pairs[:max(0, len(pairs)-1)] {
		if pairs[i][0] == pairs[i+1][0] {
			wrong = append(wrong, d.At(fmt.Sprintf("%s has two ways back", pairs[i][0]), "write one", "spec", "relations"))
		}
	}
	return fields, pairs, wrong
}

// each goes to the texts of a field, wherever lists lead.
func (f namingField) each(d document.Document, fn func(v any, path []string)) {
	count := 0
	var walk func(v any, at, left []string)
	walk = func(v any, at, left []string) {
		if count++; count > 10*maxRelations {
			return
		}
		switch v := v.(type) {
		case nil:
		case []any:
			for i, item := range v {
				walk(item, append(at[:len(at):len(at)], fmt.Sprint(i)), left)
			}
		case map[string]any:
			if len(left) == 0 {
				fn(v, at)
			} else {
				walk(v[left[0]], append(at[:len(at):len(at)], left[0]), left[1:])
			}
		default:
			if len(left) == 0 {
				fn(v, at)
			}
		}
	}
	if d.Spec != nil {
		walk(d.Spec, f.path[:1], f.path[1:])
	}
}

func (f namingField) check(d document.Document) (wrong []fault.Detail) {
	f.each(d, func(v any, path []string) {
		if len(wrong) > 20 {
			return
		}
		text, ok := v.(string)
		switch {
		case !ok:
			wrong = append(wrong, d.At("must be text that names an entity", "write kind:namespace/name", path...))
		case !f.names(text, ref.DefaultNamespace, nil) && f.Kind == "":
			wrong = append(wrong, d.At(fmt.Sprintf("%q does not say of which kind it is", clip(text)), "write kind:namespace/name, such as component:default/shop", path...))
		case !f.names(text, ref.DefaultNamespace, nil):
			wrong = append(wrong, d.At(fmt.Sprintf("%q names no entity", clip(text)), "write kind:namespace/name, where kind and namespace may be left out", path...))
		}
	})
	return wrong
}

func (f namingField) names(text, namespace string, target *ref.Entity) bool {
	e, ok := ref.Loose(text, f.Kind, namespace)
	if ok && target != nil {
		*target = e
	}
	return ok
}

func (f namingField) relations(d document.Document) (all []document.Relation) {
	namespace := d.Ref().Namespace
	f.each(d, func(v any, _ []string) {
		var target ref.Entity
		if text, ok := v.(string); ok && f.names(text, namespace, &target) {
			all = append(all, document.Relation{Type: f.Type, Target: target})
		}
	})
	return all
}

const kindsChannel = "catalog.kinds"

// kindChanged keeps the declared kinds.
func (s *Service) kindChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.Space != access.Root {
		return fault.Errorf(fault.Denied, "a kind holds everywhere, so it is declared in the root space, by an administrator of it")
	}
	// All changes of kinds wait for each other, since names and relations are for one alone.
	if _, err := tx.Exec(ctx, `UPDATE catalog_kinds_generation SET generation = generation + 1`); err != nil {
		return fault.Wrap(err, "count the changes of kinds")
	}
	name := c.Ref.Name
	tx.OnCommit(s.registry.Changed)
	s.db.Notify(tx, kindsChannel)
	if c.New == nil {
		return s.kindGone(ctx, tx, name)
	}
	k, wrong := s.declaredBy(*c.New, "")
	if len(wrong) > 0 {
		return fault.At("the kind is wrong", wrong...)
	}
	others, err := s.declaredKinds(ctx, tx)
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(others, func(other document.Kind) bool { return strings.EqualFold(other.Name, k.Name) })
	if len(others) >= maxKinds {
		return fault.Errorf(fault.TooLarge, "there are %d kinds; no more are taken", maxKinds)
	}
	for _, other := range others {
		if clash := document.ClashOf(k, other); clash != "" {
			return fault.At("the kind is wrong", c.New.At(clash, "choose another name", "spec"))
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO catalog_kinds (name, document, version) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET document = excluded.document, version = excluded.version`, name, string(c.New.JSON()), c.Entry)
	if err != nil {
		return fault.Wrap(err, "keep the kind %s", k.Name)
	}
	return s.queue.Insert(ctx, tx, jobKind, kindArgs{Kind: name, Entry: c.Entry}, queue.InsertOptions{Unique: name + " " + c.Entry})
}

// kindGone takes a kind away that nothing is of any more.
func (s *Service) kindGone(ctx context.Context, tx *store.Tx, name string) error {
	// Whoever makes an entity of the kind holds its row.
	var version string
	err := tx.QueryRow(ctx, `SELECT version FROM catalog_kinds WHERE name = $1`+tx.ForUpdate(), name).Scan(&version)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return fault.Wrap(err, "find the kind %s", name)
	}
	var n int
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM entities WHERE kind = $1`, name).Scan(&n); err != nil {
		return fault.Wrap(err, "count the entities of kind %s", name)
	}
	if n > 0 {
		return fault.Errorf(fault.Conflict, "there are %s of the kind %s; delete them first", pluralOf(n, "entity", "entities"), name)
	}
	_, err = tx.Exec(ctx, `DELETE FROM catalog_kinds WHERE name = $1`, name)
	return fault.Wrap(err, "forget the kind %s", name)
}

func pluralOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// errKindMoved ends what was checked against a kind that has changed since.
var errKindMoved = fault.Errorf(fault.Unavailable, "its kind has just changed; try again")

// ofDeclared has the entities of a declared kind follow it: what was checked by another version of it is not taken in.
func (s *Service) ofDeclared(k document.Kind) func(context.Context, *store.Tx, document.Change) error {
	name := strings.ToLower(k.Name)
	return func(ctx context.Context, tx *store.Tx, c document.Change) error {
		if c.New == nil {
			return nil
		}
		var version string
		err := tx.QueryRow(ctx, `SELECT version FROM catalog_kinds WHERE name = $1`+tx.ForUpdate(), name).Scan(&version)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return fault.Wrap(err, "find the kind %s", k.Name)
		}
		if k.Declared == "" && err == nil { // of an apply that brings the kind too
			return nil
		}
		if version != k.Declared || err != nil {
			s.registry.Changed()
			return errKindMoved
		}
		return nil
	}
}

// declaredKinds reads all that are declared.
func (s *Service) declaredKinds(ctx context.Context, tx *store.Tx) ([]document.Kind, error) {
	type stored struct{ text, version string }
	rows, err := tx.Query(ctx, `SELECT document, version FROM catalog_kinds ORDER BY name`)
	list, err := store.Collect(rows, err, func(r store.Row) (k stored, err error) {
		err = r.Scan(&k.text, &k.version)
		return k, err
	})
	if err != nil {
		return nil, fault.Wrap(err, "read the declared kinds")
	}
	kinds := make([]document.Kind, 0, len(list))
	for _, one := range list {
		d, err := document.FromJSON([]byte(one.text))
		if err != nil {
			return nil, err
		}
		k, wrong := s.declaredBy(d, one.version)
		if len(wrong) > 0 { // a later server has taken the name for a kind of its own
			s.log.Warn("a declared kind is passed over", "kind", d.Metadata.Name, "why", wrong[0].String())
			continue
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// latestKinds is the registry's view of what is declared.
func (s *Service) latestKinds(have int64) (kinds []document.Kind, generation int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// What the transaction sees that the caller may be in must not be kept.
	err = s.db.ReadCommitted(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `SELECT generation FROM catalog_kinds_generation`).Scan(&generation)
		if err != nil || generation == have {
			return fault.Wrap(err, "read the changes of kinds")
		}
		kinds, err = s.declaredKinds(ctx, tx)
		return err
	})
	if err != nil {
		s.log.Error("read the declared kinds; it is tried again", "error", err)
	}
	return kinds, generation, err
}

// followKinds has the registry know what other servers take, until ctx ends.
func (s *Service) followKinds(ctx context.Context) {
	woken, stop := s.db.Listen(kindsChannel)
	defer stop()
	tick := time.NewTicker(followKindsEvery) // under lost wakes
	defer tick.Stop()
	for {
		s.registry.Refresh()
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-tick.C:
		}
	}
}

const followKindsEvery = 10 * time.Second
