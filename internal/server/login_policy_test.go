package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// browser is somebody's session in the portal.
type browser struct {
	g      *ground
	cookie *http.Cookie
	me     client.Me
}

// enter signs somebody in by a link that they make with their token.
func (g *ground) enter(who string) *browser {
	g.t.Helper()
	link, err := client.Post[client.SignInLink](g.t.Context(), g.as[who], "/signin-links", map[string]string{"user": "user:default/" + who})
	if err != nil {
		g.t.Fatal(err)
	}
	b := &browser{g: g}
	status, body, cookies := b.send("POST", "/session", map[string]string{"code": link.Code})
	if err := json.Unmarshal(body, &b.me); err != nil || status != http.StatusOK || len(cookies) != 1 {
		g.t.Fatalf("%s signs in: %d %s, %v", who, status, body, err)
	}
	b.cookie = cookies[0]
	return b
}

func (b *browser) send(method, path string, in any) (status int, body []byte, cookies []*http.Cookie) {
	b.g.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		b.g.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.g.t.Context(), method, b.g.url+"/api/v1"+path, bytes.NewReader(raw))
	if err != nil {
		b.g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if b.cookie != nil {
		r.AddCookie(b.cookie)
		r.Header.Set("X-CSRF-Token", b.me.CSRF)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.g.t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		b.g.t.Fatal(err)
	}
	return answer.StatusCode, body, answer.Cookies()
}

// whoami gives what the session is now; ok is false when it has ended.
func (b *browser) whoami() (me client.Me, ok bool) {
	b.g.t.Helper()
	status, body, _ := b.send("GET", "/whoami", nil)
	if status == http.StatusUnauthorized {
		return me, false
	}
	if err := json.Unmarshal(body, &me); err != nil || status != http.StatusOK {
		b.g.t.Fatalf("who am I: %d %s, %v", status, body, err)
	}
	return me, true
}

// TestALoginPolicyGivesASessionItsRoles follows Mallory, who has no rights, through what policies give her: for the session,
// within it alone, until the policy changes, and not by a repository that may bring policies and no bindings.
func TestALoginPolicyGivesASessionItsRoles(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: payments}}\n---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: till}, spec: {type: service, lifecycle: production, owner: \"group:default/crew\"}}\n")
		g.policy("doors", "login", `
allow { input.session.member }
roles["default"]["reader"] { guest }
space_admin["payments"] { guest }
team["crew"] { guest }
guest { count(input.session.teams) == 0 }`, "")
		if _, err := client.Get[client.Entity](t.Context(), g.as["mallory"], "/entities/component/default/till", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("a token has what sessions are given: %v", err)
		}
		m := g.enter("mallory")
		if status, body, _ := m.send("GET", "/entities/component/default/till", nil); status != http.StatusOK {
			t.Errorf("the session reads nothing: %d %s", status, body)
		}
		me, _ := m.whoami()
		lent := map[string]bool{}
		for _, l := range me.Lent {
			lent[l.Role+"@"+l.Space+l.Group+" of "+l.Policy] = true
		}
		for _, want := range []string{"reader@default of policy:default/doors", "admin@payments of policy:default/doors", "@group:default/crew of policy:default/doors"} {
			if !lent[want] {
				t.Errorf("whoami tells of %v, and not of %s", me.Lent, want)
			}
		}
		if me.Admin || !slices.Contains(me.Groups, "group:default/crew") || !slices.Contains(me.Spaces, "payments") {
			t.Errorf("she is %+v", me)
		}

		// What lasts longer than the session can't be had beyond the policy's own spaces, and what is made in it ends with it.
		binding := map[string]any{"source": "mine", "space": "default", "documents": "{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mine}, spec: {role: admin, space: default, subjects: ['user:default/mallory']}}"}
		if status, body, _ := m.send("POST", "/apply", binding); status != http.StatusForbidden {
			t.Errorf("she makes herself the administrator: %d %s", status, body)
		}
		status, body, _ := m.send("POST", "/tokens", map[string]any{"name": "mine"})
		var token client.NewToken
		if err := json.Unmarshal(body, &token); err != nil || status >= 300 || token.Expires == nil || token.Expires.Sub(token.Created).Hours() > 7*24 {
			t.Errorf("her token is %d %s, %v", status, body, err)
		}
		if _, err := client.Get[client.Entity](t.Context(), client.New(g.url, token.Secret), "/entities/component/default/till", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("a token of the session has what that is given: %v", err)
		}
		g.wantNoted("policy:default/doors", "session.created", 0) // it is told of the person, by an opaque id
		entries, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", map[string][]string{"ref": {m.me.ID}, "type": {"session.created"}})
		if err != nil || len(entries) != 1 || !strings.Contains(string(entries[0].Data), "policy:default/doors") || !strings.Contains(string(entries[0].Data), `"decision":"dec_`) {
			t.Errorf("the ledger tells %+v, %v", entries, err)
		}

		// Nobody is an administrator where one policy says so and another denies it, not even the administrator.
		g.policy("office", "login", "deny_admin { true }", "")
		if _, ok := m.whoami(); ok {
			t.Error("a login policy came, and the session has what it was given before")
		}
		g.policy("doors", "login", "allow { true }\nadmin { true }", "")
		a := g.enter("admin")
		if me, _ := a.whoami(); me.Admin || len(me.Lent) != 0 || !slices.Contains(me.Scopes, "stack:apply") {
			t.Errorf("the administrator is %+v", me)
		}
		if status, body, _ := a.send("POST", "/apply", binding); status != http.StatusForbidden || !strings.Contains(string(body), "deny_admin") {
			t.Errorf("a session that is held: %d %s", status, body)
		}

		// A repository that is trusted for policies is not trusted to give rights.
		for _, name := range []string{"doors", "office"} {
			if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/"+name, nil, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		g.push("alice", "crew/rules", map[string]string{"catalog-info.yaml": "apiVersion: roadbed.dev/v1\nkind: Policy\nmetadata: {name: brought}\nspec:\n  point: login\n  rego: |\n    package spacelift\n    allow { true }\n    admin { true }\n"})
		l, err := client.Post[client.Location](t.Context(), g.admin, "/locations", map[string]string{"repository": "crew/rules", "space": "default"})
		if err != nil {
			t.Fatal(err)
		}
		trust := func(kinds ...string) {
			t.Helper()
			if err := g.admin.Do(t.Context(), "PUT", "/locations/"+l.ID+"/trust", nil, map[string]any{"kinds": kinds}, nil); err != nil {
				t.Fatal(err)
			}
			comesTrue(t, func() bool {
				_, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/policy/default/brought", nil)
				return err == nil
			}, "the policy comes")
		}
		trust("Policy")
		if me := g.enter("mallory").me; me.Admin || len(me.Lent) != 0 {
			t.Errorf("by a repository that is trusted for policies she is %+v", me)
		}
		trust("Policy", "RoleBinding")
		ended := func(m *browser, why string) {
			t.Helper()
			if _, ok := m.whoami(); ok {
				t.Errorf("%s, and the session has what its policy gave", why)
			}
			if m = g.enter("mallory"); m.me.Admin || len(m.me.Lent) != 0 {
				t.Errorf("%s, and she is %+v", why, m.me)
			}
		}
		m = g.enter("mallory")
		if !m.me.Admin {
			t.Errorf("by one that is trusted for bindings, too, she is %+v", m.me)
		}
		trust("Policy", "Group", "RoleBinding")
		if _, ok := m.whoami(); !ok {
			t.Error("more trust ends her session")
		}
		trust("Policy", "Group")
		ended(m, "the trust for bindings was taken back")

		// What such a session made for others ends with it.
		trust("Policy", "RoleBinding")
		m = g.enter("mallory")
		status, body, _ = m.send("POST", "/tokens", map[string]any{"name": "theirs", "owner": "user:default/admin"})
		if err := json.Unmarshal(body, &token); err != nil || status >= 300 {
			t.Fatalf("a token for the administrator: %d %s, %v", status, body, err)
		}
		theirs := client.New(g.url, token.Secret)
		if me, err := client.Get[client.Me](t.Context(), theirs, "/whoami", nil); err != nil || !me.Admin {
			t.Errorf("it is %+v, %v", me, err)
		}
		if err := g.admin.Do(t.Context(), "DELETE", "/locations/"+l.ID, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get[client.Me](t.Context(), theirs, "/whoami", nil); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the location is gone, and the token that its policy made possible: %v", err)
		}
		ended(m, "the location is gone")
	})
}
