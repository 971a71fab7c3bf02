package catalog_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const dataset = `---
apiVersion: roadbed.dev/v1
kind: Kind
metadata: {name: dataset}
spec:
  group: acme.example
  versions: [v1, v1beta1]
  names: {kind: Dataset, plural: datasets, icon: database}
  description: Data that teams publish.
  schema:
    type: object
    required: [owner, tier]
    properties:
      tier: {enum: [gold, silver]}
  relations:
    - {field: spec.owner, type: ownedBy, kind: Group}
    - {field: spec.inputs.from, type: derivedFrom, inverse: derivedTo, kind: Dataset}
`

func datasetOf(name, spec string) string {
	return "---\n{apiVersion: acme.example/v1, kind: Dataset, metadata: {name: " + name + "}, spec: {owner: team, " + spec + "}}\n"
}

func (b *bench) work() {
	b.t.Helper()
	for {
		n, err := b.queue.Work(context.Background())
		if err != nil {
			b.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func edges(e catalog.Entity) string {
	var all []string
	for _, r := range e.Relations {
		all = append(all, r.Type+" "+r.Target.String())
	}
	return strings.Join(all, ", ")
}

func TestADeclaredKindIsLikeAnyOther(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam, alice, olga := accesstest.As("adam"), accesstest.As("alice"), accesstest.As("olga")
		_, err := b.try(alice, "default", "", datasetOf("sales", "tier: gold"))
		refused(t, err, fault.Invalid, `unknown kind "Dataset"`)
		_, err = b.try(alice, "default", "", dataset)
		refused(t, err, fault.Denied, "administrator")
		_, err = b.try(olga, "ops", "", dataset)
		refused(t, err, fault.Denied, "root space")
		if _, err := b.Apply(adam, catalog.Apply{Documents: parse(t, dataset), DryRun: true}); err != nil {
			t.Fatal(err)
		}
		if _, known := b.kinds.ByName("dataset"); known {
			t.Fatal("a dry run declares a kind")
		}
		undone := errors.New("undone")
		_, err = b.Apply(store.Along(adam, func(*store.Tx) error {
			b.kinds.Refresh() // as whoever looks at a kind before the transaction has ended
			return undone
		}), catalog.Apply{Documents: parse(t, dataset)})
		if _, known := b.kinds.ByName("dataset"); known || !errors.Is(err, undone) {
			t.Fatalf("what was undone declares a kind: %v", err)
		}
		// Together with what is of it.
		if got := b.apply(adam, "default", "", datasetOf("raw", "tier: gold")+dataset); got != "created created" {
			t.Fatal(got)
		}
		b.work()
		if got := b.apply(alice, "default", "mine", datasetOf("sales", "tier: silver, inputs: [{from: raw}, {from: 'component:shop'}]")); got != "created" {
			t.Fatal(got)
		}
		for _, name := range []string{"Dataset", "datasets"} {
			if k, known := b.kinds.ByName(name); !known || k.Icon != "database" || k.APIVersions[0] != "acme.example/v1" {
				t.Errorf("%s: %+v", name, k)
			}
		}
		if got := edges(b.get("dataset:sales")); got != "derivedFrom component:default/shop, derivedFrom dataset:default/raw, ownedBy group:default/team" {
			t.Error(got)
		}
		if got := edges(b.get("dataset:raw")); got != "derivedTo dataset:default/sales, ownedBy group:default/team" {
			t.Error(got)
		}
		page, err := b.List(alice, catalog.Query{Kinds: []string{"dataset"}})
		if err != nil || names(page) != "raw sales" {
			t.Errorf("%q, %v", names(page), err)
		}
		_, err = b.try(alice, "default", "mine", "\napiVersion: acme.example/v1\nkind: Dataset\nmetadata: {name: bad}\nspec:\n  tier: golb\n  inputs:\n    - from: 5\n")
		refused(t, err, fault.Invalid, "test.yaml:6:3: spec.tier", "did you mean gold?", "spec.owner: is missing", "test.yaml:8:7: spec.inputs.0.from: must be text that names an entity")

		// It stays while something is of it.
		refused(t, b.Delete(adam, parseRef(t, "kind:dataset"), ""), fault.Conflict, "there are 2 entities of the kind dataset")
		for _, name := range []string{"dataset:raw", "dataset:sales"} {
			if err := b.Delete(adam, parseRef(t, name), ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Delete(adam, parseRef(t, "kind:dataset"), ""); err != nil {
			t.Fatal(err)
		}
		_, err = b.try(alice, "default", "", datasetOf("sales", "tier: gold"))
		refused(t, err, fault.Invalid, `unknown kind "Dataset"`)
	})
}

// Entities stay when their kind asks for more, and say what is wrong; what it says of relations holds at once.
func TestADeclaredKindThatChanges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam := accesstest.As("adam")
		b.repository(adam, "default", "team/data")
		b.push(adam, "team/data", map[string]string{"catalog-info.yaml": datasetOf("early", "tier: gold")})
		l := b.location(adam, "default", "team/data", "")
		if !strings.Contains(details(l), "unknown kind") {
			t.Fatal(details(l))
		}
		b.apply(adam, "default", "", dataset)
		b.work()
		b.get("dataset:early") // the location was read again
		if now := b.again(l); now.Error != "" {
			t.Errorf("the location: %s %s", now.Error, details(now))
		}
		b.apply(adam, "default", "", datasetOf("gold", "tier: gold, reader: ann")+datasetOf("silver", "tier: silver, reader: bob"))
		narrow := strings.Replace(dataset, "[gold, silver]", "[gold]", 1) + "    - {field: spec.reader, type: readBy, inverse: reads, kind: User}\n"
		b.apply(adam, "default", "", narrow)
		b.work()
		silver, gold := b.get("dataset:silver"), b.get("dataset:gold")
		if !strings.Contains(silver.Error, "its kind has changed") || !strings.Contains(silver.Error, "spec.tier") || silver.Version != 1 {
			t.Errorf("%q of version %d", silver.Error, silver.Version)
		}
		if got := edges(gold); gold.Error != "" || got != "ownedBy group:default/team, readBy user:default/ann" {
			t.Errorf("%q %q", gold.Error, got)
		}
		if items := catalog.StatusItems(silver); len(items) != 1 {
			t.Errorf("%+v", items)
		}
		_, err := b.try(adam, "default", "", datasetOf("silver", "tier: silver, reader: carol"))
		refused(t, err, fault.Invalid, "spec.tier")
		// What is wide again takes the error back.
		b.apply(adam, "default", "", dataset)
		b.work()
		if silver := b.get("dataset:silver"); silver.Error != "" || edges(silver) != "ownedBy group:default/team" {
			t.Errorf("%q %q", silver.Error, edges(silver))
		}
	})
}

func TestAKindThatIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam := accesstest.As("adam")
		b.apply(adam, "default", "", dataset)
		named := func(name string) string {
			return strings.NewReplacer("name: dataset", "name: "+strings.ToLower(name), "kind: Dataset, plural: datasets", "kind: "+name, "derivedFrom", "from"+name, "derivedTo", "to"+name).Replace(dataset)
		}
		b.apply(adam, "default", "other", named("Report"))
		for what, c := range map[string][2]string{
			"Backstage's name":     {named("Component"), "the name component belongs to the kind Component of backstage.io/v1alpha1"},
			"another group's name": {strings.Replace(named("Space"), "acme.example", "other.example", 1), "the name space belongs to the kind Space"},
			"a plural":             {strings.Replace(named("Thing"), "kind: Thing", "kind: Thing, plural: datasets", 1), "the name datasets belongs to the kind Dataset"},
			"a name of a plural":   {named("Reports"), "the name reports belongs to the kind Report"},
			"Roadbed's group":      {strings.Replace(named("Thing"), "acme.example", "roadbed.dev", 1), "roadbed.dev is for Roadbed's own kinds"},
			"no group":             {strings.Replace(named("Thing"), "acme.example", "acme", 1), "is not a group of an API"},
			"another name":         {strings.Replace(named("Thing"), "name: thing", "name: thin", 1), "it has another name than its kind"},
			"no version":           {strings.Replace(named("Thing"), "[v1, v1beta1]", "[]", 1), "1 to 10 versions"},
			"a wrong version":      {strings.Replace(named("Thing"), "v1beta1", "new", 1), `"new" is not a version`},
			"a schema from afar":   {strings.Replace(named("Thing"), "type: object", "$ref: 'https://example.com/x'", 1), "spec.schema.$ref: a $ref points within the schema"},
			"a relation one way":   {strings.Replace(named("Thing"), ", inverse: toThing", "", 1), "nobody knows what fromThing is from the other side"},
			"a way back of two":    {strings.Replace(named("Thing"), "inverse: toThing", "inverse: ownerOf", 1), "the relation ownerOf has the way back ownedBy already"},
			"another way back":     {strings.Replace(named("Thing"), "type: fromThing, inverse: toThing", "type: derivedFrom, inverse: other", 1), "the relation derivedFrom has the way back derivedTo already"},
			"a field elsewhere":    {strings.Replace(named("Thing"), "spec.owner", "metadata.name", 1), `"metadata.name" is not a field`},
			"an unknown field":     {strings.Replace(named("Thing"), "  group:", "  grope: x\n  group:", 1), "spec.grope: unknown field"},
		} {
			_, err := b.try(adam, "default", "more", c[0])
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c[1]) {
				t.Errorf("%s: %q is not in %v", what, c[1], err)
			}
		}
	})
}

// Another server knows a kind as soon as it is asked for it, and takes nothing in by an older one.
func TestADeclaredKindReachesOtherServers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam := accesstest.As("adam")
		other := b.beside()
		if got := b.apply(adam, "default", "", dataset); got != "created" {
			t.Fatal(got)
		}
		if got := other.apply(adam, "default", "", datasetOf("one", "tier: silver")); got != "created" {
			t.Fatal(got)
		}
		b.apply(adam, "default", "", strings.Replace(dataset, "[gold, silver]", "[gold]", 1))
		_, err := other.try(adam, "default", "", datasetOf("two", "tier: silver"))
		refused(t, err, fault.Invalid, "spec.tier")
		b.gone(adam, "dataset:two")
		b.apply(adam, "default", "", strings.Replace(dataset, "[gold, silver]", "[gold, silver, bronze]", 1))
		ctx, cancel := context.WithCancel(system())
		done := make(chan error, 1)
		go func() { done <- other.Run(ctx) }()
		limit, again := time.After(time.Minute), time.NewTicker(time.Millisecond)
		defer again.Stop()
		for known := false; !known; {
			select {
			case <-again.C:
				k, _ := other.kinds.ByName("dataset")
				known = len(k.Validate(parse(t, datasetOf("three", "tier: bronze"))[0])) == 0
			case <-limit:
				t.Fatal("the other server does not follow")
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// beside gives another server at the same database.
func (b *bench) beside() *bench {
	b.t.Helper()
	log := storetest.Log(b.t)
	o := &bench{t: b.t, db: b.db, ledger: ledger.New(b.db, time.Now, log), queue: queue.New(b.db, log), kinds: document.NewRegistry(), repositories: b.repositories}
	rights := access.New(b.db, o.ledger, time.Now, log)
	for _, k := range access.Kinds(rights) {
		o.kinds.Register(k)
	}
	o.Service = catalog.New(b.db, o.kinds, rights, o.ledger, o.queue, time.Now, log)
	o.Service.Read(b.repositories.Platform())
	o.Know(identity.New(b.db, rights, o.ledger, time.Now, log))
	return o
}

// A location that has brought a kind of which others have something is removed, and the kind stays until nothing is of it.
func TestALocationWhoseKindIsInUseIsRemoved(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam, alice := accesstest.As("adam"), accesstest.As("alice")
		var many strings.Builder
		for i := range 60 { // which are deleted in chunks
			many.WriteString(component("c"+strconv.Itoa(i), ""))
		}
		b.repository(alice, "default", "team/kinds")
		b.push(alice, "team/kinds", map[string]string{"catalog-info.yaml": dataset + many.String()})
		l := b.location(alice, "default", "team/kinds", "")
		if err := b.TrustLocation(adam, l.ID, []string{"Kind"}, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		b.apply(alice, "default", "", datasetOf("raw", "tier: gold"))
		if err := b.RemoveLocation(adam, l.ID, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		b.gone(system(), "c0")
		b.gone(system(), "c59")
		if e := b.get("kind:dataset"); !e.Orphan || !strings.Contains(e.Error, "there are 1 entity of the kind dataset") {
			t.Errorf("the kind is %+v", e)
		}
		for _, name := range []string{"dataset:raw", "kind:dataset"} {
			if err := b.Delete(adam, parseRef(t, name), ""); err != nil {
				t.Error(err)
			}
		}
	})
}
