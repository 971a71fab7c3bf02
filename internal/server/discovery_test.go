package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/github/githubtest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func declares(name string) string {
	return "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: " + name + "}, spec: {type: service, lifecycle: production, owner: developers}}\n"
}

// TestAnOrganizationIsDiscovered goes from a document to the components, teams and people of a real forge, and follows what
// changes there, by a webhook too.
func TestAnOrganizationIsDiscovered(t *testing.T) {
	t.Parallel()
	g := giteatest.Start(t)
	scopes := []string{"write:repository", "write:organization", "read:user"}
	ann := g.Person("ann", scopes...)
	g.Person("bob", scopes...)
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		org := "acme-" + strings.ToLower(string(h.DB.Dialect()))
		g.Organization(ann, org, "developers", "bob")
		project := func(name, file, text string) {
			g.Do(ann, http.MethodPost, "/orgs/"+org+"/repos", map[string]any{"name": name, "private": true, "default_branch": "main"})
			g.Do(ann, http.MethodPost, "/repos/"+org+"/"+name+"/contents/"+file, map[string]any{"branch": "main", "message": "first", "content": base64.StdEncoding.EncodeToString([]byte(text))})
		}
		project("shop", "catalog-info.yaml", declares("shop"))
		project("notes", "README.md", "# Notes")
		project("old", "catalog-info.yaml", declares("old"))
		w := newGround(t, h, server)
		ctx := t.Context()
		for name, value := range map[string]string{"forge": g.Token("ann", scopes...), "hook": "a-secret-for-hooks"} {
			if err := w.admin.Do(ctx, http.MethodPut, "/secrets/default/"+name, nil, map[string]any{"value": value}, nil); err != nil {
				t.Fatal(err)
			}
		}
		w.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: forge}, spec: {forge: gitea, url: " + g.URL + ", token: {secretRef: default/forge}, webhook: {secretRef: default/hook}}}")
		doc := "{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: acme}, spec: {integration: forge, organization: " + org + ", repositories: {exclude: [old]}, people: {users: true, teams: true, namespace: forge}}}"
		preview, err := client.Post[client.DiscoveryPreview](ctx, w.admin, "/discoveries/preview", map[string]string{"document": doc})
		if err != nil || preview.Found.Registered != 1 || preview.Found.Without != 1 || preview.Found.Excluded != 1 || len(preview.Repositories) != 3 {
			t.Errorf("the preview is %+v, %v", preview, err)
		}
		if list, err := client.Get[client.List[client.Discovery]](ctx, w.admin, "/discoveries", nil); err != nil || len(list.Items) != 0 {
			t.Errorf("after a preview there is %+v, %v", list, err)
		}
		w.apply(doc)
		d := w.discovered("default/acme", func(d client.Discovery) bool { return d.Looked != nil && !d.Busy && d.State == "healthy" })
		if n := d.Found; n.Repositories != 3 || n.Registered != 1 || n.Without != 1 || n.Excluded != 1 || n.Users != 2 || n.Groups < 2 {
			t.Errorf("found %+v", n)
		}
		w.there("component/default/shop")
		w.there("user/forge/bob")
		team := w.there("group/forge/developers")
		if !strings.Contains(fmt.Sprint(team.Relations), "group:forge/"+org) {
			t.Errorf("the team is %+v", team.Relations)
		}
		found, err := client.All[client.FoundRepository](ctx, w.admin, "/discoveries/default/acme/repositories", nil)
		if err != nil || len(found) != 3 || found[2].Repository != org+"/shop" || found[1].Reason != "exclude names it: old" {
			t.Errorf("found %+v, %v", found, err)
		}
		if _, err := client.All[client.FoundRepository](ctx, w.as["mallory"], "/discoveries/default/acme/repositories", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory sees what was found: %v", err)
		}

		// A repository that is new is told by a webhook.
		project("till", "catalog-info.yaml", declares("till"))
		event := forge.Event{Kind: forge.KindRepository, Repository: forge.Repository{Name: org + "/till"}, Change: &forge.RepositoryEvent{Action: forge.RepositoryCreated}}
		if outcome, err := h.Discovery.Handle(ctx, "default/forge", event); err != nil || !strings.Contains(outcome, "default/acme") {
			t.Errorf("the event: %q, %v", outcome, err)
		}
		w.there("component/default/till")

		// A new name changes nothing here, and what is deleted there goes.
		g.Do(ann, http.MethodPatch, "/repos/"+org+"/shop", map[string]any{"name": "store"})
		g.Do(ann, http.MethodDelete, "/repos/"+org+"/till", nil)
		if _, err := client.Post[client.Discovery](ctx, w.admin, "/discoveries/default/acme/look", nil); err != nil {
			t.Fatal(err)
		}
		d = w.discovered("default/acme", func(d client.Discovery) bool { return !d.Busy && d.Found.Repositories == 3 && d.Found.Registered == 1 })
		if d.State != "healthy" {
			t.Errorf("it is %+v", d)
		}
		w.there("component/default/shop")
		if _, err := client.Get[client.Entity](ctx, w.admin, "/entities/component/default/till", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("what was deleted at the forge is here: %v", err)
		}

		// The end of the document is the end of all that it brought.
		if err := w.admin.Do(ctx, http.MethodDelete, "/entities/discovery/default/acme", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		w.gone("component/default/shop")
		w.gone("user/forge/bob")
	})
}

// TestAGroupOfGitLabIsDiscovered brings a group with those below it, and goes on by itself after the limit of the forge.
func TestAGroupOfGitLabIsDiscovered(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		lab := gitlabtest.New(t)
		lab.User("ann", "token-of-ann", "api")
		lab.User("bob", "token-of-bob", "api")
		lab.Group("acme", map[string]int{"ann": gitlabtest.Owner})
		lab.Group("acme/platform", map[string]int{"bob": gitlabtest.Developer})
		w := newGround(t, h, server)
		ctx := t.Context()
		if err := w.admin.Do(ctx, http.MethodPut, "/secrets/default/lab", nil, map[string]any{"value": "token-of-ann"}, nil); err != nil {
			t.Fatal(err)
		}
		w.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: lab}, spec: {forge: gitlab, url: " + lab.URL + ", token: {secretRef: default/lab}}}")
		f, err := h.Integrations.Forge(actor.AsSystem(ctx), "default/lab")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"acme/shop", "acme/platform/runner"} {
			if _, err := f.CreateRepository(ctx, forge.NewRepository{Name: path, Private: true}); err != nil {
				t.Fatal(err)
			}
			lab.Commit(path, "ann", "main", "catalog-info.yaml", declares(path[strings.LastIndex(path, "/")+1:]))
		}
		w.apply("{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: lab}, spec: {integration: lab, organization: acme, repositories: {}, people: {users: true, teams: true, namespace: forge}}}")
		d := w.discovered("default/lab", func(d client.Discovery) bool { return !d.Busy && d.State == "healthy" })
		if d.Found.Registered != 2 || d.Found.Users != 2 || d.Found.Groups != 2 {
			t.Errorf("found %+v", d.Found)
		}
		w.there("component/default/runner")
		w.there("group/forge/platform")
		lab.Left(0)
		d, err = client.Post[client.Discovery](ctx, w.admin, "/discoveries/default/lab/look", nil)
		if err != nil || d.State != "limited" || d.Found.Registered != 2 || d.Next == nil || d.Next.Before(*d.Looked) {
			t.Errorf("at the limit it is %+v, %v", d, err)
		}
		w.there("component/default/runner")
	})
}

// TestAnOrganizationOfGitHubIsDiscovered brings an organization that an app is installed on, follows what is new and what goes
// there, and goes on with a person's token in place of the app.
func TestAnOrganizationOfGitHubIsDiscovered(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		hub := githubtest.Start(t)
		w := newGround(t, h, server)
		ctx := t.Context()
		for name, value := range map[string]string{"key": string(hub.AppKey()), "token": hub.Token(githubtest.Ann)} {
			if err := w.admin.Do(ctx, http.MethodPut, "/secrets/default/"+name, nil, map[string]any{"value": value}, nil); err != nil {
				t.Fatal(err)
			}
		}
		integration := func(credentials string) {
			t.Helper()
			w.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: hub}, spec: {forge: github, url: " + hub.URL + ", " + credentials + "}}")
		}
		integration("app: {id: " + githubtest.AppID + ", account: " + githubtest.Organization + ", privateKey: {secretRef: default/key}}")
		f, err := h.Integrations.Forge(actor.AsSystem(ctx), "default/hub")
		if err != nil {
			t.Fatal(err)
		}
		project := func(name, file, text string) {
			t.Helper()
			if _, err := f.CreateRepository(ctx, forge.NewRepository{Name: "acme/" + name, Private: true}); err != nil {
				t.Fatal(err)
			}
			if file != "" {
				hub.Commit("acme/"+name, githubtest.Ann, file, text)
			}
		}
		project("shop", "catalog-info.yaml", declares("shop"))
		project("till", "catalog-info.yaml", declares("till"))
		project("notes", "README.md", "# Notes")
		project("nothing", "", "")
		w.apply("{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: hub}, spec: {integration: hub, organization: acme, repositories: {}, people: {users: true, teams: true, namespace: forge}}}")
		d := w.discovered("default/hub", func(d client.Discovery) bool { return !d.Busy && d.State == "healthy" })
		if n := d.Found; n.Repositories != 4 || n.Registered != 2 || n.Without != 2 || n.Users != 2 || n.Groups != 2 || n.Wrong+n.Failed != 0 {
			t.Errorf("found %+v", n)
		}
		shop := w.there("component/default/shop")
		w.there("component/default/till")
		comesTrue(t, func() bool { // its entities come before its commit
			l, err := client.Get[client.Location](ctx, w.admin, "/locations/"+shop.Location, nil)
			return err == nil && l.Repository == "acme/shop" && l.Path == "catalog-info.yaml" && l.Commit != "" && l.Error == ""
		}, "the location is read")
		for path, within := range map[string]client.Relation{
			"group/forge/" + githubtest.Team: {Type: "childOf", Target: "group:forge/acme"},
			"user/forge/" + githubtest.Bob:   {Type: "memberOf", Target: "group:forge/" + githubtest.Team},
			"user/forge/" + githubtest.Ann:   {Type: "memberOf", Target: "group:forge/acme"}, // who is in no team
		} {
			if e := w.there(path); !slices.Contains(e.Relations, within) {
				t.Errorf("%s has %+v, and not %+v", path, e.Relations, within)
			}
		}
		if _, err := client.All[client.FoundRepository](ctx, w.as["mallory"], "/discoveries/default/hub/repositories", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory sees what was found: %v", err)
		}

		// What is new comes, what is deleted there goes, and so does what a repository declares no more.
		project("cart", "catalog-info.yaml", declares("cart"))
		hub.Commit("acme/shop", githubtest.Bob, "catalog-info.yaml", declares("store"))
		if err := f.DeleteRepository(ctx, "acme/till"); err != nil {
			t.Fatal(err)
		}
		look := func() client.Discovery {
			t.Helper()
			d, err := client.Post[client.Discovery](ctx, w.admin, "/discoveries/default/hub/look", nil)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		look()
		w.discovered("default/hub", func(d client.Discovery) bool { return !d.Busy && d.State == "healthy" && d.Found.Repositories == 4 })
		w.there("component/default/cart")
		w.gone("component/default/till")
		if _, err := client.Post[client.Repository](ctx, w.admin, "/repositories/acme/shop/fetch", nil); err != nil {
			t.Fatal(err)
		}
		w.there("component/default/store")
		w.gone("component/default/shop")

		// Seen by somebody's token it is the same, and at the limit it stays as it is.
		integration("token: {secretRef: default/token}")
		if d = look(); d.State != "healthy" || d.Found.Registered != 2 || d.Found.Users != 2 || d.Found.Groups != 2 {
			t.Errorf("by a token it is %+v", d)
		}
		hub.Busy(1000)
		if d = look(); d.State != "limited" || d.Found.Registered != 2 || d.Found.Users != 2 || d.Next == nil || d.Next.Before(*d.Looked) {
			t.Errorf("at the limit it is %+v", d)
		}
		hub.Busy(0)
		w.there("component/default/store")
		w.there("user/forge/" + githubtest.Bob)

		// The end of the document is the end of all that it brought.
		if err := w.admin.Do(ctx, http.MethodDelete, "/entities/discovery/default/hub", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		w.gone("component/default/store")
		w.gone("user/forge/" + githubtest.Bob)
		w.gone("group/forge/acme")
	})
}

// discovered waits for a Discovery to be as it should.
func (g *ground) discovered(name string, ok func(client.Discovery) bool) (d client.Discovery) {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), time.Minute)
	defer stop()
	err := eventually(ctx, func() (done bool, err error) {
		d, err = client.Get[client.Discovery](ctx, g.admin, "/discoveries/"+name, nil)
		return err == nil && ok(d), err
	})
	if err != nil {
		g.t.Fatalf("%s is %+v, %v", name, d, err)
	}
	return d
}

// there waits for an entity.
func (g *ground) there(path string) (e client.Entity) {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), time.Minute)
	defer stop()
	err := eventually(ctx, func() (bool, error) {
		var err error
		e, err = client.Get[client.Entity](ctx, g.admin, "/entities/"+path, nil)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		g.t.Fatalf("%s is not there: %v", path, err)
	}
	return e
}

// gone waits for the end of an entity.
func (g *ground) gone(path string) {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), time.Minute)
	defer stop()
	err := eventually(ctx, func() (bool, error) {
		_, err := client.Get[client.Entity](ctx, g.admin, "/entities/"+path, nil)
		if fault.Is(err, fault.NotFound) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		g.t.Fatalf("%s is still there: %v", path, err)
	}
}
