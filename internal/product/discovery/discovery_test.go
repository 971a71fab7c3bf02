package discovery_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/product/discovery"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// bench is the room on those that it stands on, beside a GitLab with the group acme and what lies below it.
type bench struct {
	*discovery.Service
	t      *testing.T
	db     *store.DB
	ledger *ledger.Ledger
	all    discovery.Deps
	lab    *gitlabtest.Server
	clock  atomic.Int64
}

// joined are the integrations as repositories reach them.
type joined struct{ *integration.Service }

func (j joined) Terms(context.Context, string) (repository.Terms, error) {
	return repository.Terms{Forge: "gitlab"}, nil
}
func (j joined) Use(context.Context, string) error { return nil }

const people = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: readers}, spec: {role: reader, subjects: ['user:default/rita']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: admins}, spec: {role: admin, subjects: ['user:default/adam']}}
`

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, on(t, db)) }, ledger.Migrations(), queue.Migrations(), access.Migrations(),
		secret.Migrations(), identity.Migrations(), catalog.Migrations(), integration.Migrations(), repository.Migrations(), discovery.Migrations())
}

func on(t *testing.T, db *store.DB) *bench {
	t.Helper()
	b := &bench{t: t, db: db, lab: gitlabtest.New(t)}
	b.lab.User("ann", "token-of-ann", "api")
	b.lab.User("bob", "token-of-bob", "api")
	b.lab.User("cy", "token-of-cy", "api")
	b.lab.Group("acme", map[string]int{"ann": gitlabtest.Owner, "cy": gitlabtest.Developer})
	b.lab.Group("acme/platform", map[string]int{"bob": gitlabtest.Developer})
	b.clock.Store(time.Now().Add(3 * time.Hour).UnixMicro()) // what was changed at the forge has settled
	log := storetest.Log(t)
	b.ledger = ledger.New(db, b.now, log)
	work, kinds := queue.NewAt(db, b.now, log), document.NewRegistry()
	rights := access.New(db, b.ledger, b.now, log)
	known := identity.New(db, rights, b.ledger, b.now, log)
	keeper, err := secret.OpenKeeper(t.TempDir())
	b.good(err)
	secrets := secret.New(db, rights, b.ledger, keeper, b.now)
	cat := catalog.New(db, kinds, rights, b.ledger, work, b.now, log)
	forges := integration.New(integration.Deps{DB: db, Access: rights, Secrets: secrets, Ledger: b.ledger, Queue: work, Now: b.now, Pause: time.Millisecond, Log: log})
	program, err := git.New("", log)
	b.good(err)
	repos, err := repository.New(db, rights, b.ledger, program, t.TempDir(), b.now, log)
	b.good(err)
	repos.Join(repository.OutsideOptions{Forges: joined{forges}, Accounts: known})
	cat.Read(repos.Platform())
	cat.Know(known)
	b.all = discovery.Deps{DB: db, Ledger: b.ledger, Access: rights, Catalog: cat, Integrations: forges, Repositories: repos, Now: b.now, Log: log}
	b.Service = discovery.New(b.all)
	for _, k := range slices.Concat(access.Kinds(rights), integration.Kinds(forges), []document.Kind{discovery.DocumentKind(b.Service)}) {
		kinds.Register(k)
	}
	b.good(secrets.Put(system(), "default", "gitlab", secret.Change{Value: []byte("token-of-ann")}))
	b.apply("default", people)
	b.apply("default", "{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: lab}, spec: {forge: gitlab, url: "+b.lab.URL+", token: {secretRef: default/gitlab}}}")
	return b
}

func system() context.Context { return actor.AsSystem(context.Background()) }

func (b *bench) now() time.Time { return time.UnixMicro(b.clock.Load()).UTC() }

func (b *bench) good(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) apply(space, text string) {
	b.t.Helper()
	docs, err := document.Parse("test", []byte(text), document.Limits{})
	b.good(err)
	_, err = b.all.Catalog.Apply(system(), catalog.Apply{Space: space, Source: "test", Documents: docs})
	b.good(err)
}

// declare applies the Discovery default/acme.
func (b *bench) declare(spec string) {
	b.t.Helper()
	b.apply("default", "{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: acme}, spec: {integration: lab, organization: acme, "+spec+"}}")
}

// look looks when it is time for that.
func (b *bench) look() discovery.Discovery {
	b.t.Helper()
	b.clock.Add((2 * time.Hour).Microseconds())
	b.good(b.Sweep(context.Background()))
	d, err := b.Get(system(), "default/acme")
	b.good(err)
	return d
}

// project makes a project; with a file it has the one that the catalog reads.
func (b *bench) project(path string, file bool) {
	b.t.Helper()
	f, err := b.all.Integrations.Forge(system(), "default/lab")
	b.good(err)
	_, err = f.CreateRepository(system(), forge.NewRepository{Name: path, Private: true})
	b.good(err)
	name := "README.md"
	if file {
		name = "catalog-info.yaml"
	}
	b.lab.Commit(path, "ann", "main", name, "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x}, spec: {type: a, lifecycle: b, owner: c}}")
}

func (b *bench) found() map[string]discovery.Found {
	b.t.Helper()
	list, err := b.Found(system(), "default/acme", "", page.Request{Limit: page.Most})
	b.good(err)
	out := map[string]discovery.Found{}
	for _, f := range list.Items {
		out[f.Name] = f
	}
	return out
}

// states gives what was found, as "name state".
func (b *bench) states() string {
	b.t.Helper()
	var out []string
	for name, f := range b.found() {
		out = append(out, strings.TrimPrefix(name, "acme/")+" "+f.State)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (b *bench) locations() int {
	b.t.Helper()
	list, err := b.all.Catalog.Locations(system(), catalog.LocationQuery{}, page.Request{Limit: page.Most})
	b.good(err)
	return len(list.Items)
}

func (b *bench) entity(name string) (catalog.Entity, error) {
	r, err := ref.Parse(name, "", ref.DefaultNamespace)
	b.good(err)
	return b.all.Catalog.Get(system(), r)
}

// entries counts what the ledger has.
func (b *bench) entries() (n int) {
	b.t.Helper()
	_, err := b.ledger.Seal(system())
	b.good(err)
	b.good(b.db.Read(system(), func(tx *store.Tx) error { return tx.QueryRow(system(), `SELECT COUNT(*) FROM ledger_entries`).Scan(&n) }))
	return n
}

func TestAGroupIsDiscovered(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for path, file := range map[string]bool{"acme/shop": true, "acme/till": false, "acme/platform/runner": true, "acme/legacy": true, "acme/sandbox-1": true} {
			b.project(path, file)
		}
		f, err := b.all.Integrations.Forge(system(), "default/lab")
		b.good(err)
		b.good(f.ArchiveRepository(system(), "acme/legacy", true))
		b.declare("repositories: {exclude: [sandbox-*]}, people: {users: true, teams: true}")
		d := b.look()
		want := "legacy excluded, platform/runner registered, sandbox-1 excluded, shop registered, till without"
		if got := b.states(); got != want || d.State != discovery.Healthy {
			t.Fatalf("%s: %s (%s)", got, d.State, d.Reason)
		}
		if n := (discovery.Counts{Repositories: 5, Registered: 2, Without: 1, Excluded: 2, Users: 3, Groups: 2}); d.Counts != n {
			t.Errorf("the counts are %+v", d.Counts)
		}
		if all := b.found(); all["acme/platform/runner"].Repository != "acme/platform-runner" || all["acme/legacy"].Reason != "it is archived" || all["acme/sandbox-1"].Reason != "exclude names it: sandbox-*" {
			t.Errorf("found %+v", all)
		}
		team, err := b.entity("group:default/platform")
		if err != nil || team.Document.Spec["parent"] != "acme" {
			t.Errorf("the team is %+v, %v", team.Document.Spec, err)
		}
		bob, err := b.entity("user:default/bob")
		if err != nil || fmt.Sprint(bob.Document.Spec["memberOf"]) != "[platform]" || bob.Document.Metadata.Annotations["127.0.0.1/user-login"] != "bob" {
			t.Errorf("bob is %+v %v, %v", bob.Document.Spec, bob.Document.Metadata.Annotations, err)
		}
		if cy, err := b.entity("user:default/cy"); err != nil || fmt.Sprint(cy.Document.Spec["memberOf"]) != "[acme]" {
			t.Errorf("who is in no team is %+v, %v", cy.Document.Spec, err)
		}

		// As it was, it is asked once for each list, and nothing is written but the time.
		entries, requests := b.entries(), b.lab.Requests()
		again := b.look()
		if n := b.lab.Requests() - requests; b.entries() != entries || n != 4 { // projects, groups, members, members of the team
			t.Errorf("an organization as it was takes %d requests and %d entries", n, b.entries()-entries)
		}
		if !again.Looked.After(d.Looked) || again.Counts != d.Counts || !again.Since.Equal(d.Since) {
			t.Errorf("it is %+v", again)
		}

		// What is archived goes, what gets a file comes, and what is deleted is not there any more.
		b.good(f.ArchiveRepository(system(), "acme/legacy", false))
		b.good(f.ArchiveRepository(system(), "acme/shop", true))
		b.good(f.DeleteRepository(system(), "acme/platform/runner"))
		b.lab.Commit("acme/till", "ann", "main", "catalog-info.yaml", "{}")
		d = b.look()
		if got := b.states(); got != "legacy registered, sandbox-1 excluded, shop excluded, till registered" || b.locations() != 2 {
			t.Errorf("%s, %d locations; %s: %s", got, b.locations(), d.State, d.Reason)
		}
		if _, err := b.all.Repositories.Get(system(), "acme/shop"); !fault.Is(err, fault.NotFound) {
			t.Errorf("what was taken away is still connected: %v", err)
		}

		// With the document all goes.
		r, err := ref.Parse("discovery:default/acme", "", "")
		b.good(err)
		b.good(b.all.Catalog.Delete(system(), r, ""))
		b.good(b.Sweep(context.Background()))
		if _, err := b.entity("user:default/bob"); !fault.Is(err, fault.NotFound) || b.locations() != 0 {
			t.Errorf("after the end there are %d locations, and bob: %v", b.locations(), err)
		}
		if list, err := b.List(system(), "", page.Request{}); err != nil || len(list.Items) != 0 {
			t.Errorf("after the end there is %+v, %v", list, err)
		}
	})
}

// A look that fails takes nothing away, and what would go as a whole is held.
func TestALookThatFailsTakesNothingAway(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var names []string
		for i := range 8 {
			names = append(names, fmt.Sprintf("acme/p%d", i))
			b.project(names[i], true)
		}
		b.declare("repositories: {}, people: {teams: true}")
		if d := b.look(); d.Counts.Registered != 8 || d.Counts.Groups != 2 {
			t.Fatalf("%+v", d)
		}
		b.lab.Left(0)
		d := b.look()
		if d.State != discovery.Limited || d.Counts.Registered != 8 || d.Counts.Groups != 2 || b.locations() != 8 {
			t.Errorf("at the limit it is %+v, with %d locations", d, b.locations())
		}
		b.lab.Left(1000)
		b.clock.Add((2 * time.Hour).Microseconds())
		f, err := b.all.Integrations.Forge(system(), "default/lab")
		b.good(err)
		for _, name := range names[:7] {
			b.good(f.DeleteRepository(system(), name))
		}
		if d = b.look(); d.State != discovery.Held || d.Counts.Held != 7 || b.locations() != 8 {
			t.Errorf("when much is gone it is %+v, with %d locations", d, b.locations())
		}
		b.declare("mostGone: 100, repositories: {}, people: {teams: true}")
		if d = b.look(); d.State != discovery.Healthy || d.Counts.Registered != 1 || b.locations() != 1 {
			t.Errorf("allowed, it is %+v, with %d locations", d, b.locations())
		}
		b.apply("default", "{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: acme}, spec: {integration: none, organization: acme, repositories: {}}}")
		if d = b.look(); d.State != discovery.Broken || !strings.Contains(d.Reason, "no integration default/none") || b.locations() != 1 {
			t.Errorf("without its integration it is %+v", d)
		}
	})
}

// What was found by an integration that is not the Discovery's any more goes, as far as it may at once.
func TestAnotherIntegrationTakesOver(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const many = 7
		for i := range many {
			b.project(fmt.Sprintf("acme/p%d", i), true)
		}
		b.declare("repositories: {}")
		if d := b.look(); d.Counts.Registered != many {
			t.Fatalf("%+v", d)
		}
		first := b.found()["acme/p0"]
		b.apply("default", "{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: other}, spec: {forge: gitlab, url: "+b.lab.URL+", token: {secretRef: default/gitlab}}}")
		of := func(more string) discovery.Discovery {
			t.Helper()
			b.apply("default", "{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: acme}, spec: {integration: other, organization: acme, repositories: {}"+more+"}}")
			return b.look()
		}
		if d := of(""); d.State != discovery.Held || d.Counts.Held != many || b.locations() != 2*many {
			t.Errorf("by another integration it is %+v, with %d locations", d, b.locations())
		}
		if d := b.look(); d.State != discovery.Held || d.Counts.Registered != 2*many || b.locations() != 2*many {
			t.Errorf("at the next look it is %+v, with %d locations", d, b.locations())
		}
		d := of(", mostGone: 100")
		if d.State != discovery.Healthy || d.Counts.Registered != many || b.locations() != many {
			t.Errorf("when they may go it is %+v, with %d locations", d, b.locations())
		}
		if now := b.found()["acme/p0"]; now.ID != first.ID || now.Location == first.Location || now.State != discovery.Registered {
			t.Errorf("it has %+v, after %+v", now, first)
		}
		if _, err := b.all.Repositories.Get(system(), first.Repository); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s, which was connected by the old integration, is still there: %v", first.Repository, err)
		}
	})
}

// Another space's integration is not lent, rights are asked for, and a preview writes nothing.
func TestRightsToDiscover(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.project("acme/shop", true)
		b.apply("lab", "{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: acme}, spec: {integration: lab, organization: acme, repositories: {}}}")
		if d := b.look(); d.State != discovery.Broken || !strings.Contains(d.Reason, "of another space") || d.Counts.Repositories != 0 {
			t.Errorf("from below it is %+v", d)
		}
		rita, adam, carol := accesstest.As("rita"), accesstest.As("adam"), accesstest.As("carol")
		if _, err := b.Get(carol, "default/acme"); !fault.Is(err, fault.NotFound) {
			t.Errorf("carol sees it: %v", err)
		}
		if _, err := b.Get(rita, "default/acme"); err != nil {
			t.Errorf("rita does not: %v", err)
		}
		if _, err := b.Found(rita, "default/acme", "", page.Request{}); !fault.Is(err, fault.Denied) {
			t.Errorf("rita sees what was found: %v", err)
		}
		if _, err := b.Look(rita, "default/acme"); !fault.Is(err, fault.Denied) {
			t.Errorf("rita looks: %v", err)
		}
		docs, err := document.Parse("test", []byte("{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: all}, spec: {integration: lab, organization: acme, repositories: {}, people: {users: true}}}"), document.Limits{})
		b.good(err)
		if _, _, err := b.Preview(rita, "", docs[0]); !fault.Is(err, fault.Denied) {
			t.Errorf("rita previews: %v", err)
		}
		entries := b.entries()
		counts, found, err := b.Preview(adam, "", docs[0])
		if err != nil || counts.Registered != 1 || counts.Users != 3 || len(found) != 1 || found[0].Name != "acme/shop" || b.entries() != entries || b.locations() != 0 {
			t.Errorf("the preview is %+v %+v, %v", counts, found, err)
		}
		if _, err := b.all.Catalog.Apply(rita, catalog.Apply{Space: "default", Source: "test", Documents: docs}); !fault.Is(err, fault.Denied) {
			t.Errorf("rita applies: %v", err)
		}
	})
}

// A webhook brings the next look forward, where it may change what is registered.
func TestWebhooksBringTheLookForward(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.project("acme/till", false)
		b.declare("repositories: {}")
		b.look()
		till := b.found()["acme/till"]
		for _, c := range []struct {
			e    forge.Event
			soon bool
		}{
			{forge.Event{Kind: forge.KindRepository, Repository: forge.Repository{Name: "other/shop"}, Change: &forge.RepositoryEvent{Action: forge.RepositoryCreated}}, false},
			{forge.Event{Kind: forge.KindPush, Repository: forge.Repository{ID: till.ID, Name: "acme/till", DefaultBranch: "main"}, Push: &forge.Push{Ref: "refs/heads/feature"}}, false},
			{forge.Event{Kind: forge.KindPush, Repository: forge.Repository{ID: till.ID, Name: "acme/till", DefaultBranch: "main"}, Push: &forge.Push{Ref: "refs/heads/main", Paths: []string{"a.go"}}}, false},
			{forge.Event{Kind: forge.KindPush, Repository: forge.Repository{ID: till.ID, Name: "acme/till", DefaultBranch: "main"}, Push: &forge.Push{Ref: "refs/heads/main", Paths: []string{"catalog-info.yaml"}}}, true},
			{forge.Event{Kind: forge.KindRepository, Repository: forge.Repository{Name: "acme/new"}, Change: &forge.RepositoryEvent{Action: forge.RepositoryCreated}}, true},
		} {
			d := b.look()
			outcome, err := b.Handle(system(), "default/lab", c.e)
			b.good(err)
			now, err := b.Get(system(), "default/acme")
			b.good(err)
			if now.Next.Before(d.Next) != c.soon || (outcome != "") != c.soon {
				t.Errorf("%s of %s: next at %s instead of %s, %q", c.e.Kind, c.e.Repository.Name, now.Next, d.Next, outcome)
			}
		}
	})
}

// What is connected is read by API, unless the document has it cloned; that holds for what comes from then on.
func TestHowRepositoriesAreRead(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ways := func() (all []string) {
			t.Helper()
			for name, f := range b.found() {
				r, err := b.all.Repositories.Platform().Get(system(), f.Repository)
				b.good(err)
				if f.State != discovery.Registered || b.all.Repositories.Following(r).Cached {
					t.Errorf("%s is %s, and a clone of it is here", name, f.State)
				}
				all = append(all, r.Name+" "+r.Outside.Content)
			}
			slices.Sort(all)
			return all
		}
		b.project("acme/shop", true)
		b.declare("repositories: {}")
		b.look()
		if got := ways(); !slices.Equal(got, []string{"shop api"}) {
			t.Errorf("connected are %v", got)
		}
		b.declare("repositories: {}, content: clone")
		b.project("acme/till", true)
		b.look()
		if got := ways(); !slices.Equal(got, []string{"shop api", "till clone"}) {
			t.Errorf("connected are %v", got)
		}
	})
}

func TestBadDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"{}":                                   "spec.integration",
		"{integration: a, organization: acme}": "spec.repositories",
		"{integration: a, organization: 'a b', repositories: {}}":                                              "spec.organization",
		"{integration: a, organization: acme, repositories: {}, interval: 1s}":                                 "spec.interval",
		"{integration: a, organization: acme, repositories: {include: ['[']}}":                                 "spec.repositories.include.0",
		"{integration: a, organization: acme, repositories: {path: ../x}}":                                     "spec.repositories.path",
		"{integration: a, organization: acme, repositories: {branch: '-x'}}":                                   "spec.repositories.branch",
		"{integration: a, organization: acme, repositories: {visibility: secret}}":                             "spec.repositories.visibility",
		"{integration: a, organization: acme, people: {}}":                                                     "spec.people",
		"{integration: a, organization: acme, repositories: {}, mostGone: 101}":                                "spec.mostGone",
		"{integration: a, organization: acme, repositories: {}, content: ftp}":                                 "spec.content",
		"{integration: a, organization: acme, repositories: {owner: x}}":                                       "spec.repositories.owner",
		"{integration: a, organization: acme, repositories: {namespace: Big}, people: {users: true}}":          "spec.repositories.namespace",
		"{integration: a, organization: acme, repositories: {}, people: {users: true, namespace: 'not good'}}": "spec.people.namespace",
	} {
		docs, err := document.Parse("x", []byte("{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: x}, spec: "+spec+"}"), document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		wrong := discovery.DocumentKind(discovery.New(discovery.Deps{})).Validate(docs[0])
		if !slices.ContainsFunc(wrong, func(d fault.Detail) bool { return d.Field == want }) {
			t.Errorf("%s: %+v", spec, wrong)
		}
	}
}
