package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
)

// TestAMirrorAtAForge pushes a hosted repository on to a real forge with the credentials of an integration: what is pushed,
// rewritten and deleted here is so there, files of Git LFS too; what others pushed there, and what the forge refuses, is told
// and holds up nothing else.
func TestAMirrorAtAForge(t *testing.T) {
	t.Parallel()
	g := giteatest.Start(t, "\n[server]\nLFS_START_SERVER = true\n")
	ann := g.Person("ann", "write:repository", "write:organization", "read:user")
	g.Organization(ann, "acme", "developers")
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		name := "mirror-" + strings.ToLower(string(h.DB.Dialect()))
		g.Do(ann, http.MethodPost, "/orgs/acme/repos", map[string]any{"name": name, "private": true, "default_branch": "main"})
		a := abroad{ground: newGround(t, h, server), forge: g, token: g.Token("ann", "write:repository", "write:organization", "read:user"), name: "acme/" + name}
		a.secret(a.token)
		a.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: forge}, spec: {forge: gitea, url: " + g.URL + ", owners: [acme], token: {secretRef: default/forge}, webhook: {secretRef: default/made}}}")
		a.push("alice", "crew/shop", map[string]string{"x": "1"})
		a.mirrored()
	})
}

func (a abroad) mirrored() {
	t, ctx := a.t, a.t.Context()
	const at = "/repositories/crew/shop"
	dir := filepath.Join(a.dir, "alice", "crew/shop")
	here := func(args ...string) string {
		t.Helper()
		return a.do("alice", dir, args...)
	}
	mirror := func(what string, wished func(m client.Mirror) bool) client.Mirror {
		t.Helper()
		within, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		var m client.Mirror
		err := eventually(within, func() (bool, error) {
			list, err := client.Get[client.List[client.Mirror]](within, a.admin, at+"/mirrors", nil)
			if err != nil || len(list.Items) != 1 {
				return false, err
			}
			m = list.Items[0]
			return wished(m), nil
		})
		if err != nil {
			t.Fatalf("%s: %v; it is %+v", what, err, m)
		}
		return m
	}
	refs := func() map[string]string {
		t.Helper()
		found := map[string]string{}
		for line := range strings.Lines(a.git(t, "", "ls-remote", "--refs", a.address())) {
			if hash, name, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				found[strings.TrimPrefix(name, "refs/")] = hash
			}
		}
		return found
	}
	until := func(what string, want map[string]string) {
		t.Helper()
		within, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		var now map[string]string
		err := eventually(within, func() (bool, error) {
			now = refs()
			return fmt.Sprint(now) == fmt.Sprint(want), nil
		})
		if err != nil {
			t.Fatalf("%s: %v; there is %v, want %v", what, err, now, want)
		}
	}
	if err := a.admin.Do(ctx, http.MethodPatch, at, nil, map[string]any{"protected": false}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Post[client.Mirror](ctx, a.admin, at+"/mirrors", map[string]any{"url": "other/" + a.name, "integration": "default/forge"}); err == nil {
		t.Error("a repository of an owner that the integration is not for is mirrored to")
	}
	if _, err := client.Post[client.Mirror](ctx, a.admin, at+"/mirrors", map[string]any{"url": a.name, "integration": "default/forge"}); err != nil {
		t.Fatal(err)
	}
	first := here("rev-parse", "HEAD")
	until("what was here", map[string]string{"heads/main": first})

	large := random(200_000)
	sum := sha256.Sum256([]byte(large))
	oid := hex.EncodeToString(sum[:])
	a.sendLarge("crew/shop", oid, large)
	second := a.push("alice", "crew/shop", map[string]string{"model.bin": fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, len(large))})
	here("push", "--quiet", "origin", "HEAD:refs/heads/side", "HEAD:refs/heads/guarded", "HEAD:refs/tags/v1")
	until("what is pushed", map[string]string{"heads/main": second, "heads/side": second, "heads/guarded": second, "tags/v1": second})
	comesTrue(t, func() bool { return a.media("model.bin", large) }, "the forge shows model.bin, once it has seen that it is no longer empty")

	here("commit", "--quiet", "--amend", "--message", "rewritten")
	third := here("rev-parse", "HEAD")
	here("push", "--quiet", "--force", "origin", "HEAD:main", ":side")
	until("what is rewritten and deleted", map[string]string{"heads/main": third, "heads/guarded": second, "tags/v1": second})
	mirror("it is well", func(m client.Mirror) bool {
		return m.State == "ready" && m.Error == "" && m.Integration == "default/forge"
	})

	// Somebody pushes there: it stays, and is told, and the rest goes on.
	a.work = filepath.Join(a.dir, "work")
	a.git(t, "", "clone", "--quiet", a.address(), a.work)
	theirs := a.pushThere(map[string]string{"theirs": "1"})
	fourth := a.push("alice", "crew/shop", map[string]string{"x": "2"})
	here("push", "--quiet", "origin", "HEAD:more")
	failing := mirror("somebody else pushed", func(m client.Mirror) bool { return strings.Contains(m.Error, "refs/heads/main") })
	if !strings.Contains(failing.Error, "not from here") || failing.Failing == nil || strings.Contains(failing.Error, a.token) {
		t.Errorf("it says %q", failing.Error)
	}
	until("what others pushed", map[string]string{"heads/main": theirs, "heads/guarded": second, "heads/more": fourth, "tags/v1": second})
	a.git(t, a.work, "push", "--quiet", "--force", "origin", third+":main")
	if err := a.admin.Do(ctx, http.MethodPost, at+"/mirrors/"+failing.ID+"/push", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	mirror("it is taken back", func(m client.Mirror) bool { return m.Error == "" })
	until("it is taken back", map[string]string{"heads/main": fourth, "heads/guarded": second, "heads/more": fourth, "tags/v1": second})

	// The forge refuses a branch, in its own words.
	a.forge.Do(a.token, http.MethodPost, "/repos/"+a.name+"/branch_protections", map[string]any{"rule_name": "guarded", "enable_push": false})
	here("push", "--quiet", "origin", "+HEAD:guarded", ":more")
	refused := mirror("the forge refuses", func(m client.Mirror) bool { return strings.Contains(m.Error, "guarded") })
	if !strings.Contains(refused.Error, "protected") || strings.Contains(refused.Error, a.token) {
		t.Errorf("it says %q", refused.Error)
	}
	until("what the forge refuses", map[string]string{"heads/main": fourth, "heads/guarded": second, "tags/v1": second})

	kinds := ""
	all, err := client.All[client.Entry](ctx, a.admin, "/ledger", url.Values{"ref": {"repository:crew/shop"}})
	for _, e := range all {
		if strings.Contains(string(e.Data), a.token) {
			t.Errorf("the ledger tells %s", e.Data)
		}
		if strings.HasPrefix(e.Type, "mirror.") {
			kinds += " " + e.Type
		}
	}
	if err != nil || !strings.Contains(kinds, "mirror.added") {
		t.Errorf("the ledger has%s, %v", kinds, err)
	}
}

// sendLarge uploads a file of Git LFS as alice.
func (g *ground) sendLarge(name, oid, content string) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodPut, g.url+"/git/"+name+".git/info/lfs/objects/"+oid, strings.NewReader(content))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+g.alice.Token)
	if status, body := g.answered(r); status != http.StatusOK {
		g.t.Fatalf("upload %s: %d %.200s", oid, status, body)
	}
}

// answered gives what is answered to a request.
func (g *ground) answered(r *http.Request) (status int, text string) {
	g.t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// media tells whether the forge shows a file with its content in place of a pointer.
func (a abroad) media(path, content string) bool {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.forge.URL+"/api/v1/repos/"+a.name+"/media/"+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "token "+a.token)
	status, body := a.answered(r)
	return status == http.StatusOK && body == content
}
