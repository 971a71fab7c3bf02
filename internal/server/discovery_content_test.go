package server

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestADiscoveredRepositoryIsReadByAPI follows repositories of a real forge for their files alone: by a webhook, by a look, with
// patterns and placeholders, and through trouble. None is cloned before somebody reads a history.
func TestADiscoveredRepositoryIsReadByAPI(t *testing.T) {
	t.Parallel()
	g := giteatest.Start(t)
	scopes := []string{"write:repository", "write:issue", "write:organization", "read:user"}
	ann := g.Person("ann", scopes...)
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		org := "apis-" + strings.ToLower(string(h.DB.Dialect()))
		g.Organization(ann, org, "developers")
		w := newGround(t, h, server)
		ctx := t.Context()
		write := func(name, file, text string) string {
			t.Helper()
			body, method := map[string]any{"branch": "main", "message": "change", "content": base64.StdEncoding.EncodeToString([]byte(text))}, http.MethodPost
			tree, _ := g.Do(ann, http.MethodGet, "/repos/"+org+"/"+name+"/git/trees/main?recursive=true", nil)["tree"].([]any)
			for _, e := range tree {
				if there, _ := e.(map[string]any); there["path"] == file {
					body["sha"], method = there["sha"], http.MethodPut
				}
			}
			made := g.Do(ann, method, "/repos/"+org+"/"+name+"/contents/"+file, body)
			commit, _ := made["commit"].(map[string]any)
			return fmt.Sprint(commit["sha"])
		}
		component := func(name, description string) string {
			return "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: " + name + ", description: " + description + "}, spec: {type: service, lifecycle: production, owner: developers}}\n"
		}
		for _, name := range []string{"shop", "mono"} {
			g.Do(ann, http.MethodPost, "/orgs/"+org+"/repos", map[string]any{"name": name, "private": true, "default_branch": "main", "auto_init": true})
		}
		write("shop", "about.md", "Sells things\n")
		write("shop", "catalog-info.yaml", component("shop", "{$text: ./about.md}"))
		write("mono", "services/cart/catalog-info.yaml", component("cart", "one"))
		write("mono", "services/till/catalog-info.yaml", component("till", "one"))
		set := func(token string) {
			t.Helper()
			if err := w.admin.Do(ctx, http.MethodPut, "/secrets/default/forge", nil, map[string]any{"value": token}, nil); err != nil {
				t.Fatal(err)
			}
		}
		token := g.Token("ann", scopes...)
		set(token)
		w.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: forge}, spec: {forge: gitea, url: " + g.URL + ", token: {secretRef: default/forge}, webhook: {secretRef: default/made}}}")
		w.apply("{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: files}, spec: {integration: forge, organization: " + org + ", repositories: {exclude: [mono]}}}")
		w.apply("{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: mono}, spec: {integration: forge, organization: " + org + ", repositories: {include: [mono], path: services/*/catalog-info.yaml}}}")

		until := func(what string, fn func() (bool, error)) {
			t.Helper()
			ctx, stop := context.WithTimeout(ctx, time.Minute)
			defer stop()
			if err := eventually(ctx, fn); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		said := func(name, want string) (e client.Entity) {
			t.Helper()
			until("what is said of "+name, func() (bool, error) {
				e = w.there("component/default/" + name)
				return e.Description == want, nil
			})
			return e
		}
		repository := func(name string) client.Repository {
			t.Helper()
			r, err := client.Get[client.Repository](ctx, w.admin, "/repositories/"+org+"/"+name, nil)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		uncloned := func(names ...string) {
			t.Helper()
			for _, name := range names {
				r := repository(name)
				_, err := os.Stat(h.path("repositories", r.ID+".git"))
				if err == nil || r.Outside.Content != "api" || r.Outside.Cloned {
					t.Errorf("%s is %+v, and its mirror %v", name, r.Outside, err)
				}
			}
		}
		pushes := func(name, commit string) (n int) {
			t.Helper()
			all, err := client.All[client.Entry](ctx, w.admin, "/ledger", url.Values{"ref": {"repository:" + org + "/" + name}, "type": {"repository.pushed"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				if strings.Contains(string(e.Data), `"new":"`+commit) {
					n++
				}
			}
			return n
		}
		said("shop", "Sells things\n")
		said("cart", "one")
		till := said("till", "one")
		uncloned("shop", "mono")

		// A webhook tells of a push, also of one to a file that a placeholder brings.
		h.Hooks.Address = w.url
		if _, err := client.Post[client.RegisteredWebhook](ctx, w.admin, "/integrations/default/forge/webhook", map[string]string{"repository": org + "/shop"}); err != nil {
			t.Fatal(err)
		}
		commit := write("shop", "about.md", "Sells everything\n")
		said("shop", "Sells everything\n")
		if n := pushes("shop", commit); n != 1 {
			t.Errorf("the push is told %d times", n)
		}
		// What is proposed there is known here, and how far it has come.
		g.Do(ann, http.MethodPost, "/repos/"+org+"/shop/contents/docs.md", map[string]any{
			"branch": "main", "new_branch": "idea", "message": "idea", "content": base64.StdEncoding.EncodeToString([]byte("idea\n")),
		})
		g.Do(ann, http.MethodPost, "/repos/"+org+"/shop/pulls", map[string]any{"base": "main", "head": "idea", "title": "An idea"})
		var proposed client.Proposal
		until("the proposal", func() (bool, error) {
			all, err := client.All[client.Proposal](ctx, w.admin, "/proposals", url.Values{"repository": {org + "/shop"}})
			if len(all) == 1 {
				proposed = all[0]
			}
			return len(all) == 1, err
		})
		if proposed.Title != "An idea" || proposed.Base != commit || proposed.Ahead != 1 || proposed.Behind != 0 {
			t.Errorf("the proposal is %+v", proposed)
		}
		uncloned("shop")
		// Without a webhook somebody asks.
		commit = write("mono", "services/till/catalog-info.yaml", component("till", "two"))
		write("mono", "services/desk/catalog-info.yaml", component("desk", "new"))
		if _, err := client.Post[client.Repository](ctx, w.admin, "/repositories/"+org+"/mono/fetch", nil); err != nil {
			t.Fatal(err)
		}
		said("till", "two")
		said("desk", "new")
		uncloned("shop", "mono")

		// While the forge does not let it read, what was good stays.
		head := repository("mono").Head
		set("no-token-of-anybody")
		refresh := func() error {
			_, err := client.Post[client.Location](ctx, w.admin, "/locations/"+till.Location+"/refresh", nil)
			return err
		}
		if err := refresh(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("read by credentials that have ended: %v", err)
		}
		until("trouble of the location", func() (bool, error) {
			l, err := client.Get[client.Location](ctx, w.admin, "/locations/"+till.Location, nil)
			return l.Error != "", err
		})
		for _, name := range []string{"till", "desk", "cart"} {
			if _, err := client.Get[client.Entity](ctx, w.admin, "/entities/component/default/"+name, nil); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		set(token)
		if err := refresh(); err != nil {
			t.Error(err)
		}
		until("end of the trouble", func() (bool, error) {
			l, err := client.Get[client.Location](ctx, w.admin, "/locations/"+till.Location, nil)
			return l.Error == "" && l.Commit == head, err
		})
		uncloned("shop", "mono")

		// Who reads a history has it cloned, and nothing is told twice.
		list, err := client.All[client.Commit](ctx, w.admin, "/repositories/"+org+"/mono/commits", nil)
		if err != nil || len(list) != 5 {
			t.Errorf("the history has %d commits, %v", len(list), err)
		}
		if r := repository("mono"); !r.Outside.Cloned || r.Head != head {
			t.Errorf("after its history was read it is %+v", r.Outside)
		}
		if n := pushes("mono", head); n != 1 || pushes("mono", commit) > 1 {
			t.Errorf("the head is told %d times", n)
		}
		uncloned("shop")
	})
}

// TestALocationConnectsItsRepository registers files at a forge whose repositories are not connected.
func TestALocationConnectsItsRepository(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		lab := gitlabtest.New(t)
		lab.User("ann", "token-of-ann", "api")
		lab.Group("acme", map[string]int{"ann": gitlabtest.Owner})
		w := newGround(t, h, server)
		ctx := t.Context()
		if err := w.admin.Do(ctx, http.MethodPut, "/secrets/default/lab", nil, map[string]any{"value": "token-of-ann"}, nil); err != nil {
			t.Fatal(err)
		}
		integration := func(name, owner string) {
			t.Helper()
			w.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: " + name + "}, spec: {forge: gitlab, url: " + lab.URL + ", owners: [" + owner + "], token: {secretRef: default/lab}}}")
		}
		integration("lab", "acme")
		integration("others", "others")
		f, err := h.Integrations.Forge(actor.AsSystem(ctx), "default/lab")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"shop", "till"} {
			if _, err := f.CreateRepository(ctx, forge.NewRepository{Name: "acme/" + name, Private: true}); err != nil {
				t.Fatal(err)
			}
			lab.Commit("acme/"+name, "ann", "main", "catalog-info.yaml", declares(name))
		}
		add := func(c *client.Client, what string, dryRun bool) error {
			_, err := client.Post[client.Location](ctx, c, "/locations", map[string]any{"target": lab.URL + "/acme/" + what, "dryRun": dryRun})
			return err
		}
		connected := func() (names []string) {
			t.Helper()
			all, err := client.All[client.Repository](ctx, w.admin, "/repositories", nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				if r.Outside != nil {
					names = append(names, r.Namespace+"/"+r.Name+" "+r.Outside.Content)
				}
			}
			return names
		}
		for who, err := range map[string]error{
			"a preview":            add(w.admin, "shop/-/blob/main/catalog-info.yaml", true),
			"alice":                add(w.alice, "shop/-/blob/main/catalog-info.yaml", false),
			"mallory":              add(w.as["mallory"], "shop", false),
			"what is not there":    add(w.admin, "none/-/blob/main/catalog-info.yaml", false),
			"an owner of no other": add(w.admin, "../elsewhere/shop", false),
		} {
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "connect it first") {
				t.Errorf("%s: %v", who, err)
			}
		}
		if names := connected(); len(names) > 0 {
			t.Errorf("connected are %v", names)
		}
		if err := add(w.admin, "shop/-/blob/main/catalog-info.yaml", false); err != nil {
			t.Fatal(err)
		}
		w.there("component/default/shop")
		if err := add(w.admin, "shop", false); err != nil {
			t.Errorf("again: %v", err)
		}
		// By two integrations there are two ways, of which nobody has chosen one.
		integration("again", "acme")
		if err := add(w.admin, "till", false); !fault.Is(err, fault.Invalid) {
			t.Errorf("by one of two integrations: %v", err)
		}
		if names := connected(); !slices.Equal(names, []string{"acme/shop api"}) {
			t.Errorf("connected are %v", names)
		}
	})
}
