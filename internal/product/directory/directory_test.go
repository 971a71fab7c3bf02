package directory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/directory"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func user(name string) directory.Sent {
	return directory.Sent{Label: name, ExternalID: "ext-" + name, Active: true, Attributes: map[string]any{"userName": name, "displayName": strings.ToUpper(name), "emails": []any{map[string]any{"value": name, "primary": true}}}}
}

func group(name string, members ...string) directory.Sent {
	return directory.Sent{Label: name, Attributes: map[string]any{"displayName": name}, Members: append([]string{}, members...)}
}

func (b *bench) create(kind string, in directory.Sent) directory.Resource {
	b.t.Helper()
	r, err := b.CreateResource(as("adam"), "default/okta", kind, in)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) replace(r directory.Resource, in directory.Sent) directory.Resource {
	b.t.Helper()
	now, err := b.ReplaceResource(as("adam"), "default/okta", r.Kind, r.ID, 0, in)
	if err != nil {
		b.t.Fatal(err)
	}
	return now
}

// TestWhoIsWrittenIsInTheCatalog follows people and groups from their first day to their last.
func TestWhoIsWrittenIsInTheCatalog(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.declare("okta", "{scim: {}}")
		if d := b.status("okta"); d.State != directory.Waiting || d.Protocol() != directory.BySCIM {
			t.Errorf("before anything has come it is %s by %s", d.State, d.Protocol())
		}
		ann := b.create(directory.User, user("ann@example.com"))
		bob := b.create(directory.User, user("Bob@example.com"))
		crew := b.create(directory.Group, group("Payments Crew", ann.ID, bob.ID))
		all := b.create(directory.Group, group("Everybody", crew.ID))
		want := func(name, wanted string) {
			t.Helper()
			if got := fmt.Sprint(b.entity(name)); got != wanted {
				t.Errorf("%s is %s, want %s", name, got, wanted)
			}
		}
		want("user:default/ann_example.com", "map[memberOf:[group:default/payments-crew] profile:map[displayName:ANN@EXAMPLE.COM email:ann@example.com]]")
		want("group:default/everybody", "map[children:[group:default/payments-crew] profile:map[displayName:Everybody] type:team]")
		if d := b.status("okta"); d.State != directory.Healthy || d.People != 2 || d.Groups != 2 || d.Wrong != 0 {
			t.Errorf("the status is %+v", d.Status)
		}

		b.replace(crew, group("Payments Crew", ann.ID))
		want("user:default/bob_example.com", "map[memberOf:[] profile:map[displayName:BOB@EXAMPLE.COM email:Bob@example.com]]")

		renamed := user("ann.lee@example.com")
		if now := b.replace(ann, renamed); now.Name != "ann_example.com" || now.Version != ann.Version+1 {
			t.Errorf("who is renamed is %s, version %d", now.Name, now.Version)
		}
		away := user("Bob@example.com")
		away.Active = false
		b.replace(bob, away)
		want("user:default/bob_example.com", "map[]")
		b.replace(bob, user("Bob@example.com"))
		if b.entity("user:default/bob_example.com") == nil {
			t.Error("who comes back has no entity")
		}
		if err := b.DeleteResource(as("adam"), "default/okta", directory.Group, crew.ID, 0); err != nil {
			t.Fatal(err)
		}
		want("group:default/payments-crew", "map[]")
		want("user:default/ann_example.com", "map[memberOf:[] profile:map[displayName:ANN.LEE@EXAMPLE.COM email:ann.lee@example.com]]")
		want("group:default/everybody", "map[children:[] profile:map[displayName:Everybody] type:team]")
		if got, err := b.Resource(as("adam"), "default/okta", directory.Group, all.ID); err != nil || len(got.Members) != 0 {
			t.Errorf("a group that is gone is still in another: %+v, %v", got, err)
		}
		if err := b.catalog.Delete(as("adam"), document.Document{Kind: "User", Metadata: document.Metadata{Name: "ann_example.com"}}.Ref(), ""); !fault.Is(err, fault.Conflict) {
			t.Errorf("somebody of a directory can be deleted: %v", err)
		}

		// The whole of it goes with the document.
		b.apply("test:okta", "")
		b.work()
		want("user:default/ann_example.com", "map[]")
		if n := b.count("directory_resources") + b.count("directory_members"); n != 0 {
			t.Errorf("%d rows are left of a directory that is gone", n)
		}
	})
}

// TestWhatIsTakenAlready goes from somebody whose name another source has to the day when it is free.
func TestWhatIsTakenAlready(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.declare("okta", "{scim: {}, names: local}")
		b.apply("test:people", "{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: ann}, spec: {memberOf: []}}")
		ann := b.create(directory.User, user("ann@example.com"))
		if d := b.status("okta"); d.Wrong != 1 || len(d.Problems) != 1 || !strings.Contains(d.Problems[0].Message, "test:people") {
			t.Errorf("the conflict is told as %+v", d.Found)
		}
		if _, err := b.CreateResource(as("adam"), "default/okta", directory.User, user("ANN@example.com")); !fault.Is(err, fault.Conflict) {
			t.Errorf("a userName is taken twice: %v", err)
		}
		if other := b.create(directory.User, user("ann@example.org")); other.Name != "ann-2" {
			t.Errorf("another ann is %s", other.Name)
		}
		if _, err := b.ReplaceResource(as("adam"), "default/okta", directory.User, ann.ID, ann.Version+5, user("ann@example.com")); !fault.Is(err, fault.Stale) {
			t.Errorf("an older version is replaced: %v", err)
		}
		b.apply("test:people", "")
		if _, err := b.Look(as("adam"), "default/okta"); err != nil {
			t.Fatal(err)
		}
		if d := b.status("okta"); d.Wrong != 0 || b.entity("user:default/ann") == nil {
			t.Errorf("the name is free, and the directory still tells %+v", d.Found)
		}
	})
}

// TestANameIsGivenAgain has somebody written whose userName another one had until now.
func TestANameIsGivenAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.declare("okta", "{scim: {}}")
		first := b.create(directory.User, user("ann@example.com"))
		gone := func(r directory.Resource) {
			t.Helper()
			if err := b.DeleteResource(as("adam"), "default/okta", directory.User, r.ID, 0); err != nil {
				t.Fatal(err)
			}
		}
		of := func(name string) string {
			t.Helper()
			r := document.Document{Kind: "User", Metadata: document.Metadata{Name: name}}.Ref()
			e, err := b.catalog.Get(system(), r)
			if err != nil {
				return ""
			}
			return e.Document.Metadata.Annotations["roadbed.dev/directory-id"]
		}
		gone(first)
		second := b.create(directory.User, user("ann@example.com"))
		if second.Name != first.Name || of(first.Name) != second.ID {
			t.Errorf("the second one is %s, and the entity is of %q", second.Name, of(first.Name))
		}

		// The entity of the second one can't go for the moment, so the third one does not get its name.
		b.declare("okta", "{scim: {}, space: elsewhere}")
		gone(second)
		third := b.create(directory.User, user("ann@example.com"))
		if third.Name == second.Name {
			t.Errorf("the third one is %s while the second one's is still to go", third.Name)
		}
		b.declare("okta", "{scim: {}}")
		if of(second.Name) != "" || of(third.Name) != third.ID {
			t.Errorf("in the end there are the entities of %q and %q, want that of %s", of(second.Name), of(third.Name), third.ID)
		}
		if d := b.status("okta"); d.State != directory.Healthy || d.People != 1 || d.Wrong != 0 {
			t.Errorf("the directory is %+v", d.Status)
		}
	})
}

// TestWhoMayWrite asks for the right, and holds a token to its directory.
func TestWhoMayWrite(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.declare("okta", "{scim: {}}")
		for _, c := range []struct {
			who  context.Context
			kind fault.Kind
		}{
			{as("alice"), fault.Denied}, {context.Background(), fault.Unauthenticated}, {as("nobody"), fault.NotFound},
			{as("adam", "directory:write=default/other"), fault.NotFound}, {as("adam", "directory:write=default/other", "directory:read"), fault.Denied},
		} {
			if _, err := b.CreateResource(c.who, "default/okta", directory.User, user("ann@example.com")); !fault.Is(err, c.kind) {
				t.Errorf("somebody writes, or is told %v, want %v", err, c.kind)
			}
		}
		if _, err := b.CreateResource(as("adam", "directory:write=default/okta"), "default/okta", directory.User, user("ann@example.com")); err != nil {
			t.Errorf("a token for this directory: %v", err)
		}
		if _, err := b.Look(as("alice"), "default/okta"); !fault.Is(err, fault.Denied) {
			t.Errorf("alice looks: %v", err)
		}
		if list, err := b.List(as("alice"), "", page.Request{}); err != nil || len(list.Items) != 1 {
			t.Errorf("alice lists %+v, %v", list, err)
		}
		if list, err := b.List(as("nobody"), "", page.Request{}); err != nil || len(list.Items) != 0 {
			t.Errorf("nobody lists %+v, %v", list, err)
		}
	})
}

// TestADirectoryMoves to another namespace, and to another space, with its people.
func TestADirectoryMoves(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.declare("okta", "{scim: {}}")
		b.create(directory.User, user("ann@example.com"))
		b.declare("okta", "{scim: {}, namespace: corp}")
		if b.entity("user:default/ann_example.com") != nil || b.entity("user:corp/ann_example.com") == nil {
			t.Error("the people are not in the new namespace alone")
		}
		b.declare("okta", "{scim: {}, namespace: corp, space: lab}")
		r := document.Document{Kind: "User", Metadata: document.Metadata{Name: "ann_example.com", Namespace: "corp"}}.Ref()
		if e, err := b.catalog.Get(system(), r); err != nil || e.Space != "lab" || e.Source != "directory:default/okta" {
			t.Errorf("the people are in %q of %q, %v", e.Space, e.Source, err)
		}
		b.declare("okta", "{scim: {}, space: elsewhere}")
		if d := b.status("okta"); d.State != directory.Failing || !strings.Contains(d.Reason, "elsewhere") {
			t.Errorf("a space that is not there is %s: %s", d.State, d.Reason)
		}
	})
}

func TestResourcesAreFound(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.declare("okta", "{scim: {}}")
		var ids []string
		for i := range 7 {
			ids = append(ids, b.create(directory.User, user(fmt.Sprintf("u%d@example.com", i))).ID)
		}
		b.create(directory.Group, group("Odd", ids[1], ids[3]))
		for _, c := range []struct {
			query directory.Query
			total int
			given int
		}{
			{directory.Query{Kind: directory.User, Count: 3}, 7, 3},
			{directory.Query{Kind: directory.User, Start: 6, Count: 10}, 7, 2},
			{directory.Query{Kind: directory.User}, 7, 0},
			{directory.Query{Kind: directory.User, Label: "U3@EXAMPLE.COM", Count: 10}, 1, 1},
			{directory.Query{Kind: directory.User, ExternalID: "ext-u4@example.com", Count: 10}, 1, 1},
			{directory.Query{Kind: directory.Group, Member: ids[3], Count: 10}, 1, 1},
			{directory.Query{Kind: directory.Group, Member: ids[2], Count: 10}, 0, 0},
			{directory.Query{Kind: directory.User, Start: 2, Count: 10, Whole: true, Match: func(r directory.Resource) bool { return len(r.Groups) == 1 }}, 2, 1},
		} {
			part, total, err := b.Resources(as("adam"), "default/okta", c.query)
			if err != nil || total != c.total || len(part) != c.given {
				t.Errorf("%+v gives %d of %d, %v", c.query, len(part), total, err)
			}
		}
	})
}

func TestADocumentThatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for spec, want := range map[string]string{
			"{}": "scim: {}",
			"{scim: {}, ldap: {url: 'ldaps://x', users: {base: 'dc=x'}}}":                                       "scim: {}",
			"{scim: {}, names: short}":                                                                          "full",
			"{scim: {}, space: 'A B'}":                                                                          "dashes",
			"{scim: {}, mostGone: 101}":                                                                         "percent",
			"{scim: {}, more: 1}":                                                                               "more",
			"{ldap: {url: 'ldap://x', users: {base: 'dc=x'}}}":                                                  "startTLS",
			"{ldap: {url: 'http://x', users: {base: 'dc=x'}}}":                                                  "ldaps://",
			"{ldap: {url: 'ldaps://x', users: {base: 'x'}}}":                                                    "DN",
			"{ldap: {url: 'ldaps://x', users: {base: 'dc=x', filter: '(a'}}}":                                   "filter",
			"{ldap: {url: 'ldaps://x', users: {base: 'dc=x'}, bindDN: 'cn=x'}}":                                 "go together",
			"{ldap: {url: 'ldaps://x', users: {base: 'dc=x'}, ca: x}}":                                          "PEM",
			"{ldap: {url: 'ldaps://x', users: {base: 'dc=x'}, interval: 1s}}":                                   "24h",
			"{ldap: {url: 'ldaps://x', users: {base: 'dc=x', name: 'a b'}}}":                                    "attribute",
			"{ldap: {url: 'ldaps://x', users: {base: 'dc=x'}, bindDN: 'cn=x', password: {secretRef: hunter2}}}": "SPACE/NAME",
		} {
			err := b.try("test:wrong", "{apiVersion: roadbed.dev/v1, kind: Directory, metadata: {name: wrong}, spec: "+spec+"}")
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s is answered with %v, want %s", spec, err, want)
			}
		}
	})
}
