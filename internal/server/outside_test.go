package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// abroad is a ground with a repository that lives at a real forge, and a clone of that, by which ann pushes there.
type abroad struct {
	*ground
	forge *giteatest.Server
	token string // ann's
	work  string
	name  string // at the forge
}

// TestARepositoryAtAForge goes from what a forge offers to a repository that is followed: a push there reads the catalog
// and starts a pipeline here, what the platform commits is there, a new name is followed, and trouble is seen.
func TestARepositoryAtAForge(t *testing.T) {
	t.Parallel()
	g := giteatest.Start(t)
	ann := g.Person("ann", "write:repository", "write:organization", "read:user")
	g.Organization(ann, "acme", "developers")
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		name := "shop-" + strings.ToLower(string(h.DB.Dialect()))
		g.Do(ann, http.MethodPost, "/orgs/acme/repos", map[string]any{"name": name, "private": true, "default_branch": "main"})
		a := abroad{ground: newGround(t, h, server), forge: g, token: g.Token("ann", "write:repository", "write:organization", "read:user"), name: "acme/" + name}
		a.work = filepath.Join(a.dir, "work")
		a.git(t, "", "clone", "--quiet", a.address(), a.work)
		a.git(t, a.work, "switch", "--quiet", "--create", "main")
		first := a.pushThere(map[string]string{"README.md": "# Shop"})
		a.secret(a.token)
		a.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: forge}, spec: {forge: gitea, url: " + g.URL + ", owners: [acme], token: {secretRef: default/forge}, webhook: {secretRef: default/made}}}")

		a.connected(first)
		second := a.followed()
		a.reachesTheForge(second)
		index := a.indexed()
		a.renamed()
		index.pushed("a name at the forge", "")
		a.troubled()
		index.pushed("a repository that was disconnected", "is a private address, from which nothing is read; connect the repository")
	})
}

// git runs git as ann does.
func (a abroad) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "git", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

func (a abroad) address() string {
	return strings.Replace(a.forge.URL, "://", "://ann:"+a.token+"@", 1) + "/" + a.name + ".git"
}

func (a abroad) pushThere(files map[string]string) string {
	a.t.Helper()
	for path, content := range files {
		write(a.t, filepath.Join(a.work, filepath.FromSlash(path)), content)
	}
	a.git(a.t, a.work, "add", "--all")
	a.git(a.t, a.work, "commit", "--quiet", "--message", "change")
	a.git(a.t, a.work, "push", "--quiet", "origin", "HEAD:main")
	return a.git(a.t, a.work, "rev-parse", "HEAD")
}

func (a abroad) secret(value string) {
	a.t.Helper()
	if err := a.admin.Do(a.t.Context(), http.MethodPut, "/secrets/default/forge", nil, map[string]any{"value": value}, nil); err != nil {
		a.t.Fatal(err)
	}
}

// until waits for the repository to be as it should.
func (a abroad) until(what string, fn func(r client.Repository) bool) client.Repository {
	a.t.Helper()
	ctx, stop := context.WithTimeout(a.t.Context(), time.Minute)
	defer stop()
	var r client.Repository
	err := eventually(ctx, func() (done bool, err error) {
		r, err = client.Get[client.Repository](ctx, a.admin, "/repositories/crew/shop", nil)
		return err == nil && fn(r), err
	})
	if err != nil {
		a.t.Fatalf("%s: %v; it is %+v %+v", what, err, r, r.Outside)
	}
	return r
}

func (a abroad) connected(first string) {
	t, ctx := a.t, a.t.Context()
	const offers = "/integrations/default/forge/repositories"
	connect := map[string]string{"remote": a.name, "namespace": "crew", "name": "shop"}
	if _, err := client.Get[client.List[client.Offer]](ctx, a.as["mallory"], offers, nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("mallory sees what is offered: %v", err)
	}
	if _, err := client.Post[client.Repository](ctx, a.alice, offers, connect); !fault.Is(err, fault.Denied) {
		t.Errorf("alice connects: %v", err)
	}
	a.apply(`{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: connector}, spec: {description: Connects, permissions: ["integration:use"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: alice-connects}, spec: {role: connector, space: default, subjects: ["user:default/alice"]}}`)
	offered := func() client.Offer {
		all, err := client.All[client.Offer](ctx, a.alice, offers, nil)
		for _, o := range all {
			if o.Remote == a.name {
				return o
			}
		}
		t.Fatalf("the offers are %+v, %v", all, err)
		return client.Offer{}
	}
	if o := offered(); o.Connected || !o.Private {
		t.Errorf("the offer is %+v", o)
	}
	if _, err := client.Post[client.Repository](ctx, a.alice, offers, connect); err != nil {
		t.Fatal(err)
	}
	r := a.until("it is fetched", func(r client.Repository) bool { return r.Head == first && r.Outside.Fetched != nil })
	if r.Outside.Remote != a.name || r.Outside.URL != a.forge.URL+"/"+a.name || !r.Outside.Private || r.Outside.Integration != "default/forge" {
		t.Errorf("it lives at %+v", r.Outside)
	}
	if o := offered(); !o.Connected || o.Repository != "crew/shop" {
		t.Errorf("the offer is %+v", o)
	}
}

// followed pushes there what makes a component and a pipeline here.
func (a abroad) followed() string {
	t, ctx := a.t, a.t.Context()
	a.apply(strings.Replace(onPush(""), "component: component:default/shop", "component: component:default/till", 1))
	l, err := client.Post[client.Location](ctx, a.admin, "/locations", map[string]string{"target": a.forge.URL + "/" + a.name + "/src/branch/main"})
	if err != nil || l.Repository != "crew/shop" || l.Path != "catalog-info.yaml" || l.Ref != "" {
		t.Fatalf("its page at the forge is %+v, %v", l, err)
	}
	a.house.Hooks.Address = a.url
	if _, err := client.Post[client.RegisteredWebhook](ctx, a.admin, "/integrations/default/forge/webhook", map[string]string{"repository": a.name}); err != nil {
		t.Fatal(err)
	}
	second := a.pushThere(map[string]string{
		"ci/pipeline.yaml":  echo("abroad"),
		"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: till}, spec: {type: service, lifecycle: production, owner: group:default/crew}}",
	})
	a.event(second) // by the webhook: nobody asks the forge so soon
	// The webhook comes again, twice.
	event := forge.Event{
		Kind: forge.KindPush, Repository: forge.Repository{Name: a.name}, Sender: forge.Person{Login: "ann"},
		Push: &forge.Push{Ref: "refs/heads/main", New: second},
	}
	for range 2 {
		if outcome, err := a.house.Repositories.Handle(ctx, "default/forge", event); err != nil {
			t.Fatal(outcome, err)
		}
	}
	a.wantRun(a.rests(a.event(second).Run), "succeeded", "")
	found, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	err = eventually(found, func() (bool, error) {
		_, err := client.Get[client.Entity](ctx, a.admin, "/entities/component/default/till", nil)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		t.Errorf("the component was not read: %v", err)
	}
	pushes := 0
	all, err := client.All[client.Entry](ctx, a.admin, "/ledger", url.Values{"ref": {"repository:crew/shop"}, "type": {"repository.pushed"}})
	for _, e := range all {
		if strings.Contains(string(e.Data), second) {
			pushes++
		}
	}
	if err != nil || pushes != 1 {
		t.Errorf("the ledger has %d pushes of %s in %d entries, %v", pushes, second, len(all), err)
	}
	// Somebody asks.
	third := a.pushThere(map[string]string{"more": "more"})
	if _, err := client.Post[client.Repository](ctx, a.as["rita"], "/repositories/crew/shop/fetch", nil); err != nil {
		t.Fatal(err)
	}
	a.until("it is asked for", func(r client.Repository) bool { return r.Head == third })
	a.event(third)
	return third
}

func (a abroad) reachesTheForge(head string) {
	t, ctx := a.t, a.t.Context()
	commit, err := a.house.Repositories.Platform().Commit(ctx, "crew/shop", git.CommitRequest{
		Branch: "main", Parent: head, Message: "digest", Changes: []git.FileChange{{Path: "deploy/digest", Content: []byte("sha256:1")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.git(t, a.work, "pull", "--quiet", "--ff-only", "origin", "main")
	if at := a.git(t, a.work, "rev-parse", "HEAD"); at != commit {
		t.Errorf("the forge is at %s, want %s", at, commit)
	}
	if is, err := a.house.Repositories.Platform().IsPlatformCommit(ctx, "crew/shop", commit); err != nil || !is {
		t.Errorf("the commit is the platform's: %v, %v", is, err)
	}
	// The forge's own word of it changes nothing.
	event := forge.Event{Kind: forge.KindPush, Repository: forge.Repository{Name: a.name}, Push: &forge.Push{Ref: "refs/heads/main", Old: head, New: commit}}
	if _, err := a.house.Repositories.Handle(ctx, "default/forge", event); err != nil {
		t.Error(err)
	}
	next := a.pushThere(map[string]string{"last": "last"})
	event.Push.Old, event.Push.New = commit, next
	if _, err := a.house.Repositories.Handle(ctx, "default/forge", event); err != nil {
		t.Error(err)
	}
	a.event(next)
	if runs := a.events(commit); len(runs) > 1 || len(runs) == 1 && runs[0].Run != "" {
		t.Errorf("the platform's commit started %+v", runs)
	}
	// Git reads it here, and pushes there.
	clone := filepath.Join(a.dir, "here")
	a.do("alice", "", "clone", "--quiet", a.url+"/git/crew/shop.git", clone)
	write(t, filepath.Join(clone, "x"), "x")
	a.do("alice", clone, "add", "--all")
	a.do("alice", clone, "commit", "--quiet", "--message", "x")
	if out, err := a.town.git(ctx, a.alice, clone, "push", "origin", "HEAD:main"); err == nil || !strings.Contains(err.Error()+out, a.forge.URL+"/"+a.name) {
		t.Errorf("a push here: %s, %v", out, err)
	}
	if err := a.admin.Do(ctx, http.MethodPatch, "/repositories/crew/shop", nil, map[string]any{"protected": true}, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("a setting of the forge's: %v", err)
	}
}

// indexed is a location of a hosted repository that names a file at the forge.
type indexed struct {
	abroad
	location client.Location
}

// indexed has an entity read from the forge that another repository names.
func (a abroad) indexed() indexed {
	a.git(a.t, a.work, "pull", "--quiet", "--ff-only", "origin", "main")
	a.pushThere(map[string]string{"book.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: book}, spec: {type: service, lifecycle: production, owner: group:default/crew}}"})
	if _, err := client.Post[client.Repository](a.t.Context(), a.admin, "/repositories/crew/shop/fetch", nil); err != nil {
		a.t.Fatal(err)
	}
	a.push("alice", "crew/index", map[string]string{"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: index}, spec: {target: " + a.forge.URL + "/" + a.name + "/src/branch/main/book.yaml}}\n"})
	l, err := client.Post[client.Location](a.t.Context(), a.admin, "/locations", map[string]string{"repository": "crew/index"})
	if err != nil || l.Error != "" {
		a.t.Fatalf("the index is %+v, %v", l, err)
	}
	ctx, stop := context.WithTimeout(a.t.Context(), time.Minute)
	defer stop()
	err = eventually(ctx, func() (bool, error) {
		_, err := client.Get[client.Entity](ctx, a.admin, "/entities/component/default/book", nil)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		a.t.Fatalf("the book was not read: %v", err)
	}
	return indexed{a, l}
}

// pushed changes another file of the index after something, which leaves what it names.
func (i indexed) pushed(after, wrong string) {
	i.t.Helper()
	ctx := i.t.Context()
	commit := i.push("alice", "crew/index", map[string]string{"README.md": "After " + after})
	l, err := client.Post[client.Location](ctx, i.admin, "/locations/"+i.location.ID+"/refresh", nil)
	if err != nil || l.Commit != commit || wrong == "" && l.Error != "" || wrong != "" && (len(l.Problems) != 1 || !strings.Contains(l.Problems[0].Message, wrong)) {
		i.t.Errorf("after %s the index is %+v, %v", after, l, err)
	}
	if e, err := client.Get[client.Entity](ctx, i.admin, "/entities/component/default/book", nil); err != nil || e.Version != 1 {
		i.t.Errorf("after %s the book is version %d, %v", after, e.Version, err)
	}
}

func (a *abroad) renamed() {
	_, name, _ := strings.Cut(a.name, "/")
	a.forge.Do(a.token, http.MethodPatch, "/repos/"+a.name, map[string]any{"name": name + "-new"})
	a.name += "-new"
	if _, err := client.Post[client.Repository](a.t.Context(), a.admin, "/repositories/crew/shop/fetch", nil); err != nil {
		a.t.Fatal(err)
	}
	a.until("its new name is followed", func(r client.Repository) bool { return r.Outside.Remote == a.name && r.Outside.Trouble == "" })
}

func (a abroad) troubled() {
	t, ctx := a.t, a.t.Context()
	fetch := func() {
		if _, err := client.Post[client.Repository](ctx, a.admin, "/repositories/crew/shop/fetch", nil); err != nil {
			t.Fatal(err)
		}
	}
	a.secret("revoked-by-somebody-at-the-forge")
	fetch()
	r := a.until("a revoked token is seen", func(r client.Repository) bool { return r.Outside.TroubleKind == "unauthenticated" })
	if r.Outside.Trouble == "" || r.Outside.TroubleSince == nil || r.Outside.Next == nil || strings.Contains(r.Outside.Trouble, "revoked-by") {
		t.Errorf("the trouble is %+v", r.Outside)
	}
	if _, err := a.house.Repositories.Platform().ReadFile(ctx, "crew/shop", "", "README.md", 100); err != nil {
		t.Errorf("what is here: %v", err)
	}
	// The caller's own sign-in is fine: 424, not 401.
	if _, err := client.Get[client.List[client.Offer]](ctx, a.admin, "/integrations/default/forge/repositories", nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("what a forge offers that does not take the token: %v", err)
	}
	a.secret(a.token)
	fetch()
	a.until("a new token helps", func(r client.Repository) bool { return r.Outside.Trouble == "" })
	if err := a.admin.Do(ctx, http.MethodDelete, "/repositories/crew/shop", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.house.Repositories.Get(ctx, "crew/shop"); err == nil {
		t.Error("it is there after it was disconnected")
	}
	a.forge.Do(a.token, http.MethodGet, "/repos/"+a.name, nil)
}
