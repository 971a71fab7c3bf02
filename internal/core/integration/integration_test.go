package integration_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/github/githubtest"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func TestARealGiteaIsJoined(t *testing.T) {
	s := giteatest.Start(t)
	ann := s.Person("ann", "write:repository", "write:issue", "write:organization", "read:user")
	s.Organization(ann, "shop", "developers")
	s.Do(ann, http.MethodPost, "/orgs/shop/repos", map[string]any{"name": "till", "private": true})
	few := s.Token("ann", "write:repository", "read:user")
	each(t, func(t *testing.T, b *bench) {
		b.secret("default", "gitea", ann+"\n")
		b.declare("default", "default/git", "{forge: gitea, url: "+s.URL+"/, token: {secretRef: default/gitea}, owners: [shop]}")
		b.work()
		i := b.get("default/git")
		if i.State != integration.Healthy || i.Health.Login != "ann" || i.Health.Version != giteatest.Version || i.Health.Clone != "shop/till" || i.Looked.IsZero() {
			t.Errorf("%s, %q: %+v", i.State, i.Reason, i.Health)
		}

		b.declare("default", "default/git", "{forge: gitea, url: "+s.URL+", token: {secretRef: default/gitea}, owners: [shop, nobody-there]}")
		b.work()
		if i = b.get("default/git"); i.State != integration.Refused || !strings.Contains(i.Reason, "do not see the organization nobody-there") {
			t.Errorf("with an organization that is not there: %s, %q", i.State, i.Reason)
		}

		b.secret("default", "gitea", few) // it lost a scope
		b.later(time.Hour)
		if err := b.Sweep(system()); err != nil {
			t.Fatal(err)
		}
		i = b.get("default/git")
		if i.State != integration.Lacking || !strings.Contains(i.Reason, "write:issue") || !slices.Equal(i.Health.Missing, []string{"write:issue", "write:organization"}) {
			t.Errorf("without scopes: %s, %q: %+v", i.State, i.Reason, i.Health)
		}
		if told := b.told("default/git"); !slices.Equal(told, []string{"integration.healthy", "integration.failed refused", "integration.failed lacking"}) {
			t.Errorf("the ledger tells %q", told)
		}
	})
}

func TestGitHubIsJoinedByTokenAndAsAnApp(t *testing.T) {
	s := githubtest.Start(t)
	each(t, func(t *testing.T, b *bench) {
		b.secret("default", "token", s.Token(githubtest.Ann))
		b.secret("default", "key", string(s.AppKey()))
		b.declare("default", "default/token", "{forge: github, url: "+s.URL+", token: {secretRef: default/token}}")
		b.declare("default", "default/app", "{forge: github, url: "+s.URL+", app: {id: 4711, account: Acme, privateKey: {secretRef: default/key}}}")
		b.declare("default", "default/else", "{forge: github, url: "+s.URL+", app: {id: 4711, account: nobody, privateKey: {secretRef: default/key}}}")
		b.declare("default", "default/away", "{forge: github, url: https://github.invalid, api: "+s.URL+"/api/v3, token: {secretRef: default/token}}")
		b.work()
		if i := b.get("default/token"); i.State != integration.Healthy || i.Health.Login != githubtest.Ann || i.Health.Rate.Limit == 0 {
			t.Errorf("by token: %s, %q: %+v", i.State, i.Reason, i.Health)
		}
		if i := b.get("default/app"); i.State != integration.Healthy || i.Health.Login != githubtest.AppSlug+"[bot]" {
			t.Errorf("as an app: %s, %q: %+v", i.State, i.Reason, i.Health)
		}
		if i := b.get("default/else"); i.State != integration.Broken || !strings.Contains(i.Reason, "not installed on nobody") {
			t.Errorf("where the app is not installed: %s, %q", i.State, i.Reason)
		}
		if i := b.get("default/away"); i.State != integration.Healthy {
			t.Errorf("with an API elsewhere: %s, %q", i.State, i.Reason)
		}
	})
}

// What a forge can answer instead has a state and a reason that says what to do, and one entry in the ledger.
func TestAForgeThatFails(t *testing.T) {
	s := gitlabtest.New(t)
	s.User("ann", "token-of-ann", "api")
	s.Group("acme", map[string]int{"ann": gitlabtest.Owner})
	refuse := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"message":"no"}`))
		}
	}
	each(t, func(t *testing.T, b *bench) {
		g := before(t, s.URL)
		b.secret("default", "gitlab", "token-of-ann")
		b.declare("default", "default/gl", "{forge: gitlab, url: "+g.URL+", token: {secretRef: default/gitlab}}")
		b.work()
		told := []string{"integration.healthy"}
		for _, c := range []struct {
			name   string
			answer http.HandlerFunc
			state  integration.State
			says   string
		}{
			{"the token has ended", refuse(http.StatusUnauthorized), integration.Refused, "wrong or have ended"},
			{"it may not", refuse(http.StatusForbidden), integration.Refused, "403"},
			{"an error inside", refuse(http.StatusInternalServerError), integration.Away, "500"},
			{"half a page", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte(`{"id": 1, "na`))
			}, integration.Away, "in the middle"},
			{"no JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>sign in")) }, integration.Away, "a form that is not known"},
			{"nobody there", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, integration.Away, "does not answer"},
			{"too many requests", refuse(http.StatusTooManyRequests, "Retry-After", "300"), integration.Limited, "the limit ends at"},
		} {
			g.answer(c.answer)
			i, err := b.Test(system(), "default/gl")
			if err != nil || i.State != c.state || !strings.Contains(i.Reason, c.says) || i.Health.Login != "ann" {
				t.Errorf("%s: %s, %q, %+v, %v", c.name, i.State, i.Reason, i.Health, err)
			}
			if told[len(told)-1] != "integration.failed "+string(c.state) || c.state == integration.Refused {
				told = append(told, "integration.failed "+string(c.state))
			}
			b.later(time.Minute)
			if i, err = b.Test(system(), "default/gl"); err != nil || i.State != c.state { // once more is no news
				t.Errorf("%s, once more: %s, %v", c.name, i.State, err)
			}
		}
		asked := g.asks.Load()
		g.answer(nil)
		if i, err := b.Test(system(), "default/gl"); err != nil || i.State != integration.Limited || g.asks.Load() != asked {
			t.Errorf("while the limit holds the forge was asked %d times: %s, %v", g.asks.Load()-asked, i.State, err)
		}
		b.later(10 * time.Minute)
		if err := b.Sweep(system()); err != nil {
			t.Fatal(err)
		}
		told = append(told, "integration.healthy")
		if got := b.told("default/gl"); !slices.Equal(got, told) {
			t.Errorf("the ledger tells %q, want %q", got, told)
		}
	})
}

func TestOneForgeForEachVersionOfDocumentAndSecret(t *testing.T) {
	s := gitlabtest.New(t)
	s.User("ann", "token-of-ann", "api")
	s.User("rob", "token-of-rob", "api")
	each(t, func(t *testing.T, b *bench) {
		b.secret("default", "gitlab", "token-of-ann")
		b.secret("default", "old", "old-key")
		b.secret("default", "new", "new-key")
		spec := "{forge: gitlab, url: " + s.URL + ", token: {secretRef: default/gitlab}, webhook: {secretRef: default/new, previousSecretRef: default/old}}"
		b.declare("default", "team/gl", spec)
		forge := func() any {
			f, err := b.Forge(system(), "team/gl")
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		login := func() string {
			f, err := b.Forge(system(), "team/gl")
			if err != nil {
				t.Fatal(err)
			}
			h, err := f.Health(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return h.Login
		}
		first := forge()
		if forge() != first || login() != "ann" {
			t.Error("the same version has another forge")
		}
		b.secret("default", "gitlab", "token-of-rob")
		second := forge()
		if second == first || login() != "rob" {
			t.Error("with another secret it is the same forge")
		}
		_, keys, err := b.Hooks(system(), "team/gl")
		if err != nil || !slices.Equal(keys, []string{"new-key", "old-key"}) {
			t.Errorf("webhooks are signed with %d keys, %v", len(keys), err)
		}
		b.declare("default", "team/gl", "{forge: gitlab, url: "+s.URL+", token: {secretRef: default/gitlab}}")
		if forge() == second {
			t.Error("with another document it is the same forge")
		}
		if _, _, err := b.Hooks(system(), "team/gl"); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "spec.webhook") {
			t.Errorf("without a secret for webhooks: %v", err)
		}
		if err := b.secrets.Delete(system(), "default", "gitlab", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Forge(system(), "team/gl"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "secret default/gitlab") {
			t.Errorf("without its secret: %v", err)
		}
		b.declare("default", "team/gl", "")
		for _, name := range []string{"team/gl", "team/none"} {
			if _, err := b.Forge(system(), name); !fault.Is(err, fault.NotFound) {
				t.Errorf("forge %s: %v", name, err)
			}
			if _, _, err := b.Hooks(system(), name); !fault.Is(err, fault.NotFound) {
				t.Errorf("hooks %s: %v", name, err)
			}
		}
		if _, err := b.Forge(system(), "gl"); !fault.Is(err, fault.Invalid) {
			t.Errorf("half a name: %v", err)
		}
	})
}

// A secret of another space is out of reach, and so is an integration for whoever may not see its space.
func TestSpacesHoldIntegrationsApart(t *testing.T) {
	s := gitlabtest.New(t)
	s.User("ann", "token-of-ann", "api")
	each(t, func(t *testing.T, b *bench) {
		b.world.Space("payments", "default")
		b.world.Space("search", "default")
		b.world.User("carol")
		b.world.User("dave")
		b.world.Bind("developer", "payments", "user:default/carol")
		b.world.Bind("admin", "payments", "user:default/dave")
		b.secret("search", "gitlab", "token-of-ann")
		b.secret("payments", "gitlab", "token-of-ann")
		b.declare("payments", "default/foreign", "{forge: gitlab, url: "+s.URL+", token: {secretRef: search/gitlab}}")
		b.declare("payments", "default/own", "{forge: gitlab, url: "+s.URL+", token: {secretRef: payments/gitlab}}")
		b.declare("search", "default/theirs", "{forge: gitlab, url: "+s.URL+", token: {secretRef: search/gitlab}}")
		b.work()
		if i := b.get("default/foreign"); i.State != integration.Broken || !strings.Contains(i.Reason, "secret search/gitlab is not in space payments") {
			t.Errorf("with a secret of another space: %s, %q", i.State, i.Reason)
		}
		carol, dave := accesstest.As("carol"), accesstest.As("dave")
		list, err := b.List(carol, "", page.Request{Limit: 1})
		if err != nil || len(list.Items) != 1 || list.Items[0].Name != "default/foreign" || list.Next == "" {
			t.Fatalf("the first part: %+v, %v", list, err)
		}
		list, err = b.List(carol, "", page.Request{Limit: 1, Cursor: list.Next})
		if err != nil || len(list.Items) != 1 || list.Items[0].Name != "default/own" || list.Next != "" {
			t.Fatalf("the last part: %+v, %v", list, err)
		}
		if _, err := b.Get(carol, "default/theirs"); !fault.Is(err, fault.NotFound) {
			t.Errorf("get one of another space: %v", err)
		}
		if _, err := b.Test(dave, "default/theirs"); !fault.Is(err, fault.NotFound) {
			t.Errorf("test one of another space: %v", err)
		}
		if _, err := b.Test(carol, "default/own"); !fault.Is(err, fault.Denied) {
			t.Errorf("test without the right: %v", err)
		}
		if i, err := b.Test(dave, "default/own"); err != nil || i.State != integration.Healthy {
			t.Errorf("test: %s, %v", i.State, err)
		}
	})
}

// A forge that repeats what it was sent does not have the platform tell it to others.
func TestAForgeThatTellsTheSecret(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		g := before(t, "http://127.0.0.1")
		g.answer(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"message":"no access for ` + r.Header.Get("Authorization") + `"}`))
		})
		b.secret("default", "gitlab", "a-token-of-ann\n")
		b.declare("default", "default/gl", "{forge: gitlab, url: "+g.URL+", token: {secretRef: default/gitlab}}")
		b.work()
		if i := b.get("default/gl"); i.State != integration.Refused || !strings.Contains(i.Reason, "no access for Bearer …") || strings.Contains(i.Reason, "a-token-of-ann") {
			t.Errorf("%s, %q", i.State, i.Reason)
		}
	})
}

// An integration that fails is looked at sooner than one that does well, and one that was looked at is left alone.
func TestEachIsTriedNowAndThen(t *testing.T) {
	s := gitlabtest.New(t)
	s.User("ann", "token-of-ann", "api")
	each(t, func(t *testing.T, b *bench) {
		g := before(t, s.URL)
		b.secret("default", "gitlab", "token-of-ann")
		b.declare("default", "default/gl", "{forge: gitlab, url: "+g.URL+", token: {secretRef: default/gitlab}}")
		b.work()
		looked := func(after time.Duration, want bool) {
			t.Helper()
			b.later(after)
			had := g.asks.Load()
			if err := b.Sweep(system()); err != nil {
				t.Fatal(err)
			}
			if got := g.asks.Load() > had; got != want {
				t.Errorf("after %s it was tried: %v", after, got)
			}
		}
		since := b.get("default/gl").Since
		looked(7*time.Minute, false)
		looked(6*time.Minute, true)
		if i := b.get("default/gl"); !i.Looked.Equal(b.now()) || !i.Since.Equal(since) {
			t.Errorf("looked at %s, healthy since %s", i.Looked, i.Since)
		}
		if told := b.told("default/gl"); len(told) != 1 {
			t.Errorf("the ledger tells %q", told)
		}
		g.answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		looked(13*time.Minute, true)
		looked(time.Minute, false)
		looked(2*time.Minute, true)
		if i := b.get("default/gl"); i.State != integration.Away || !i.Since.Before(i.Looked) {
			t.Errorf("%s since %s, looked at %s", i.State, i.Since, i.Looked)
		}
	})
}

// What a test finds of a document that has changed meanwhile is thrown away: its own test is waiting.
func TestATestOfAnOlderDocumentIsNotKept(t *testing.T) {
	s := gitlabtest.New(t)
	s.User("ann", "token-of-ann", "api")
	each(t, func(t *testing.T, b *bench) {
		g := before(t, s.URL)
		b.secret("default", "gitlab", "token-of-ann")
		b.declare("default", "default/gl", "{forge: gitlab, url: "+g.URL+", token: {secretRef: default/gitlab}}")
		g.answer(func(w http.ResponseWriter, _ *http.Request) {
			g.answer(nil)
			b.declare("default", "default/gl", "{forge: gitlab, url: "+s.URL+", token: {secretRef: default/gitlab}}")
			w.WriteHeader(http.StatusUnauthorized)
		})
		if i, err := b.Test(system(), "default/gl"); err != nil || i.State != integration.Unknown {
			t.Errorf("%s, %v", i.State, err)
		}
		b.work()
		if i := b.get("default/gl"); i.State != integration.Healthy {
			t.Errorf("%s, %q", i.State, i.Reason)
		}
	})
}
