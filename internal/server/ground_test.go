package server

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// ground is a house with people, as they reach it: Alice and Bob develop, Rita reads, Otto may work with states, and
// Mallory has no right at all.
type ground struct {
	*town
	t     *testing.T
	house *House
	url   string
	as    map[string]*client.Client
}

const groundPeople = townPeople + `---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: rita}, spec: {memberOf: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: otto}, spec: {memberOf: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: mallory}, spec: {memberOf: []}}
---
{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: operator}, spec: {description: Works with states, permissions: ["*:read", "stack:state", "stack:unlock"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: rita-reads}, spec: {role: reader, space: default, subjects: ["user:default/rita"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: otto-operates}, spec: {role: operator, space: default, subjects: ["user:default/otto"]}}
`

func newGround(t *testing.T, h *House, server *httptest.Server) *ground {
	t.Helper()
	g := groundAt(t, server.URL, h.Options.AdminToken)
	g.house = h
	return g
}

// groundAt is a ground whose house is elsewhere, such as in a process of its own.
func groundAt(t *testing.T, url, token string) *ground {
	t.Helper()
	g := &ground{t: t, url: url, as: map[string]*client.Client{"admin": client.New(url, token)}}
	g.apply(groundPeople)
	for _, name := range []string{"alice", "bob", "rita", "otto", "mallory"} {
		g.as[name] = client.New(url, g.token("user:default/"+name))
	}
	g.town = &town{address: strings.TrimPrefix(url, "http://"), dir: t.TempDir(), admin: g.as["admin"], alice: g.as["alice"], bob: g.as["bob"], tell: t.Logf}
	return g
}

// token gives a token of somebody.
func (g *ground) token(owner string) string {
	g.t.Helper()
	token, err := client.Post[client.NewToken](g.t.Context(), g.as["admin"], "/tokens", map[string]any{"name": "test", "owner": owner})
	if err != nil {
		g.t.Fatal(err)
	}
	return token.Secret
}

// eachGround tells a story on each kind of database; where an engine is needed and there is none, it is skipped.
func eachGround(t *testing.T, engine bool, story func(t *testing.T, g *ground)) {
	t.Helper()
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		if engine {
			needs(t, h.engine.path())
		}
		story(t, newGround(t, h, server))
	})
}

// needs leaves a test out where there is no engine, save in CI, where nothing is.
func needs(t *testing.T, engine string) {
	t.Helper()
	if engine == "" {
		lacktest.Skip(t, "there is neither OpenTofu nor Terraform; run make tools")
	}
}

// realEngine finds the engine as a server does.
func realEngine(t *testing.T) string {
	t.Helper()
	engine, err := stack.FindEngine("", stack.BuiltEngine())
	if err != nil {
		t.Fatal(err)
	}
	needs(t, engine)
	return engine
}

// apply applies documents as the administrator.
func (g *ground) apply(documents string) {
	g.t.Helper()
	if err := g.try("admin", documents); err != nil {
		g.t.Fatalf("apply: %v", err)
	}
}

func (g *ground) try(who, documents string) error {
	_, err := client.Post[client.List[client.Applied]](g.t.Context(), g.as[who], "/apply", map[string]any{"documents": documents, "source": "test"})
	return err
}

// push writes files to a repository, which is made at first, as somebody, and gives the commit.
func (g *ground) push(who, repository string, files map[string]string) string {
	g.t.Helper()
	namespace, name, _ := strings.Cut(repository, "/")
	dir := filepath.Join(g.dir, who, repository)
	if _, err := os.Stat(dir); err != nil {
		if _, err := client.Get[client.Repository](g.t.Context(), g.admin, "/repositories/"+repository, nil); err != nil {
			if _, err := client.Post[client.Repository](g.t.Context(), g.admin, "/repositories", map[string]string{"namespace": namespace, "name": name}); err != nil {
				g.t.Fatal(err)
			}
		}
		g.do(who, "", "clone", "--quiet", g.url+"/git/"+repository+".git", dir)
		g.do(who, dir, "switch", "--quiet", "--create", "main")
	}
	for path, content := range files {
		write(g.t, filepath.Join(dir, filepath.FromSlash(path)), content)
	}
	g.do(who, dir, "add", "--all")
	g.do(who, dir, "commit", "--quiet", "--message", "change")
	g.do(who, dir, "push", "--quiet", "origin", "main")
	return g.do(who, dir, "rev-parse", "HEAD")
}

func (g *ground) do(who, dir string, args ...string) string {
	g.t.Helper()
	out, err := g.git(g.t.Context(), g.as[who], dir, args...)
	if err != nil {
		g.t.Fatal(err)
	}
	return out
}

// act does something with a run as somebody.
func (g *ground) act(who, id, verb string) (client.RunDetail, error) {
	return client.Post[client.RunDetail](g.t.Context(), g.as[who], "/runs/"+id+"/"+verb, map[string]string{"note": "said by " + who})
}

// rests follows a run until it waits for a person or has ended.
func (g *ground) rests(id string) client.RunDetail {
	g.t.Helper()
	return until(g.t, g.admin, id, func(r client.RunDetail) bool { return r.Waiting || r.Terminal })
}

// log gives the log of a step of a run.
func (g *ground) log(id, step string) string {
	g.t.Helper()
	var out []byte
	if err := g.admin.Do(g.t.Context(), "GET", "/runs/"+id+"/steps/"+step+"/log", nil, nil, &out); err != nil {
		g.t.Fatal(err)
	}
	return string(out)
}

// wantRun fails the test unless a run is in a state and says so.
func (g *ground) wantRun(r client.RunDetail, state, reason string) {
	g.t.Helper()
	if r.State != state || !strings.Contains(r.Reason, reason) {
		for _, s := range r.Steps {
			g.t.Logf("step %s %s: %s\n%s", s.Key, s.State, s.Reason, g.log(r.ID, s.Key))
		}
		g.t.Fatalf("run %s is %s: %s\nwant %s: %s", r.Title, r.State, r.Reason, state, reason)
	}
}

// followed waits until a subscriber of the ledger has taken what it is told of a run, if one is named, with some words in it.
func (g *ground) followed(subscriber, kind, run, words string) {
	g.t.Helper()
	told, last, noticed := 0, 0, 0
	ctx, stop := context.WithTimeout(g.t.Context(), time.Minute)
	defer stop()
	err := eventually(ctx, func() (bool, error) {
		err := g.house.DB.Read(g.t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(g.t.Context(), `SELECT COUNT(*), COALESCE(MAX(position), 0), (SELECT COALESCE(MAX(position), 0) FROM ledger_cursors WHERE name = $1)
 FROM ledger_entries WHERE type = $2 AND (run = $3 OR $3 = '') AND data LIKE $4`, subscriber, kind, run, "%"+words+"%").Scan(&told, &last, &noticed)
		})
		return told > 0 && noticed >= last, err
	})
	if err != nil {
		g.t.Fatalf("%s is told of %s of %s %d times, at %d at last, and is at %d: %v", subscriber, kind, run, told, last, noticed, err)
	}
}
