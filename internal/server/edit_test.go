package server

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const declaredShop = `# Who looks after the shop is asked in #shop.
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: counter
  tags: [java] # the languages
spec:
  type: service
  lifecycle: production
  owner: crew # who is called
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: shelf}
spec: {type: service, lifecycle: production, owner: crew}
`

// TestEntitiesAreEditedWhereTheyAreDeclared has somebody change what files declare, by commits and by proposals, and what was
// applied, each with the rights that it takes.
func TestEntitiesAreEditedWhereTheyAreDeclared(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		d.branch("alice", "main", map[string]string{"catalog-info.yaml": declaredShop})
		if _, err := client.Post[client.Location](ctx, d.alice, "/locations", map[string]any{"repository": d.repo, "path": "catalog-info.yaml"}); err != nil {
			t.Fatal(err)
		}
		entity := func(name string, ok func(e client.Entity) bool) client.Entity {
			t.Helper()
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				e, err := client.Get[client.Entity](ctx, d.admin, "/entities/component/default/"+name, nil)
				if err == nil && ok(e) {
					return e
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s is still %+v, %v", name, e, err)
				}
			}
		}
		there := func(client.Entity) bool { return true }
		counter := entity("counter", there)
		edit := func(who string, in map[string]any) (client.Edited, error) {
			return client.Post[client.Edited](ctx, d.as[who], "/edits", in)
		}
		file := func() string {
			t.Helper()
			f, err := client.Get[client.File](ctx, d.admin, "/repositories/"+d.repo+"/file", map[string][]string{"path": {"catalog-info.yaml"}})
			if err != nil {
				t.Fatal(err)
			}
			return f.Text
		}
		one := []string{"component:default/counter"}
		set := map[string]any{"title": "The Counter", "addTags": []string{"pci"}}

		tried, err := edit("alice", map[string]any{"refs": one, "set": set, "dryRun": true})
		if err != nil || len(tried.Deeds) != 1 || tried.Deeds[0].Way != "commit" || tried.Deeds[0].Branch != "main" || tried.Deeds[0].Commit != "" ||
			!strings.Contains(tried.Deeds[0].Changes[0].Diff, "The Counter") || file() != declaredShop {
			t.Fatalf("a dry run gives %+v, %v", tried, err)
		}
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound} {
			if _, err := edit(who, map[string]any{"refs": one, "set": set}); !fault.Is(err, kind) {
				t.Errorf("%s: %v", who, err)
			}
		}
		for what, in := range map[string]map[string]any{
			"nobody":          {"refs": []string{}, "set": set},
			"an owner less":   {"refs": one, "set": map[string]any{"owner": ""}},
			"a bad tag":       {"refs": one, "set": map[string]any{"addTags": []string{"No Tag!"}}},
			"another's text":  {"refs": one, "document": "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: shelf}, spec: {}}"},
			"a text of two":   {"refs": append(one, "component:default/shelf"), "document": "x"},
			"a bare name":     {"refs": one, "set": map[string]any{"relations": map[string]any{"dependsOn": []string{"shelf"}}}},
			"no relation":     {"refs": one, "set": map[string]any{"relations": map[string]any{"memberOf": []string{"crew"}}}},
			"a bad reference": {"refs": []string{":"}, "set": set},
		} {
			if got, err := edit("alice", in); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
		}
		done, err := edit("alice", map[string]any{"refs": one, "set": set, "message": "Name the counter"})
		if err != nil || len(done.Deeds) != 1 || done.Deeds[0].Commit == "" {
			t.Fatalf("an edit gives %+v, %v", done, err)
		}
		want := strings.Replace(declaredShop, "  tags: [java] # the languages\n", "  tags: [java, pci] # the languages\n  title: The Counter\n", 1)
		if got := file(); got != want {
			t.Errorf("the file is\n%s\nwant\n%s", got, want)
		}
		now := entity("counter", func(e client.Entity) bool { return e.Title == "The Counter" })
		if now.Version != counter.Version+1 || now.Commit != done.Deeds[0].Commit {
			t.Errorf("it is version %d of %s", now.Version, now.Commit)
		}
		wrote := func(commit string) string {
			c, err := client.Get[client.CommitDetail](ctx, d.admin, "/repositories/"+d.repo+"/commit", map[string][]string{"ref": {commit}})
			if err != nil {
				t.Fatal(err)
			}
			return c.Author
		}
		last, first := wrote(now.Commit), wrote(counter.Commit)
		versions, err := client.Get[client.List[client.EntityVersion]](ctx, d.admin, "/entities/component/default/counter/history", nil)
		if err != nil || len(versions.Items) != 2 || versions.Items[0].Author != last || versions.Items[1].Author != first || first == last {
			t.Errorf("its history is %+v, %v; %s wrote the commit, and %s the one before", versions.Items, err, last, first)
		}
		if _, err := client.Post[client.Edited](ctx, d.alice.When(counter.Etag), "/edits", map[string]any{"refs": one, "set": map[string]any{"title": "Late"}}); !fault.Is(err, fault.Stale) {
			t.Errorf("an edit of what was: %v", err)
		}
		if again, err := edit("alice", map[string]any{"refs": one, "set": set}); err != nil || len(again.Deeds)+len(again.Refused) != 0 {
			t.Errorf("the same again gives %+v, %v", again, err)
		}

		related, err := edit("alice", map[string]any{"refs": one, "set": map[string]any{"relations": map[string]any{"dependsOn": []string{"component:shelf"}, "subcomponentOf": []string{}}}})
		if err != nil || len(related.Deeds) != 1 {
			t.Fatalf("an edit of relations gives %+v, %v", related, err)
		}
		want = strings.Replace(want, "  owner: crew # who is called\n", "  owner: crew # who is called\n  dependsOn:\n    - component:shelf\n", 1)
		if got := file(); got != want {
			t.Errorf("the file is\n%s\nwant\n%s", got, want)
		}
		entity("counter", func(e client.Entity) bool {
			return slices.ContainsFunc(e.Relations, func(r client.Relation) bool {
				return r.Type == "dependsOn" && r.Target == "component:default/shelf"
			})
		})

		// Where rules let nobody push, it is proposed; what was applied is applied; the rest is told.
		d.apply("{apiVersion: roadbed.dev/v1, kind: BranchRule, metadata: {name: held}, spec: {push: proposals, branches: [main]}}")
		if err := d.try("alice", "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: loose}, spec: {type: service, lifecycle: production, owner: crew}}"); err != nil {
			t.Fatal(err)
		}
		many, err := edit("alice", map[string]any{
			"refs": []string{"counter", "shelf", "loose", "none", "group:default/crew"}, "set": map[string]any{"owner": "group:default/others"},
		})
		if err != nil || len(many.Deeds) != 2 || len(many.Refused) != 2 {
			t.Fatalf("an edit of many gives %+v, %v", many, err)
		}
		applied, proposed := many.Deeds[0], many.Deeds[1]
		if applied.Way != "apply" || len(applied.Changes) != 1 || proposed.Way != "proposal" || proposed.Proposal != 1 || len(proposed.Changes) != 2 || file() != want {
			t.Errorf("it did %+v", many.Deeds)
		}
		if loose := entity("loose", there); loose.Owner != "group:default/others" {
			t.Errorf("what was applied is owned by %s", loose.Owner)
		}
		diff, err := client.Get[client.Diff](ctx, d.admin, d.at(1, "diff"), nil)
		if err != nil || len(diff.Files) != 1 || !strings.Contains(diff.Files[0].Patch, "+  owner: group:default/others # who is called\n") ||
			strings.Count(diff.Files[0].Patch, "\n+") != 2 {
			t.Errorf("what is proposed is %+v, %v", diff, err)
		}
	})
}
