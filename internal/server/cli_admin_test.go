package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestTheCommandLineOfAdministrators makes and ends machines, signs people out, and looks at decisions and at what a
// location could not take.
func TestTheCommandLineOfAdministrators(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	atTerminal(t, server.URL, "")
	say := func(token, line string) (int, string) {
		t.Setenv("ROADBED_TOKEN", token)
		code, out, problem := say(line)
		return code, out + problem
	}
	token := func(name, owner string, scopes ...string) string {
		in := map[string]any{"name": name, "owner": owner}
		if scopes != nil {
			in["scopes"] = scopes
		}
		made, err := client.Post[client.NewToken](t.Context(), g.admin, "/tokens", in)
		if err != nil {
			t.Fatal(err)
		}
		return made.Secret
	}
	admin, alice, mallory := h.Options.AdminToken, token("a", "user:default/alice"), token("m", "user:default/mallory")
	want := func(as, line string, code int, says string) {
		t.Helper()
		if got, out := say(as, line); got != code || !strings.Contains(out, says) {
			t.Errorf("roadbed %s = %d, want %d with %q:\n%s", line, got, code, says, out)
		}
	}

	want(alice, "machine create robot", 3, "space:admin")
	want(admin, "machine create default/robot --description nightly", 0, "machine:default/robot")
	want(admin, "machine create robot", 5, "already")
	want(alice, "machine list", 0, "nightly")
	if _, out := say(mallory, "machine list"); strings.Contains(out, "robot") {
		t.Errorf("a person without rights sees machines:\n%s", out)
	}
	robot := token("r", "machine:default/robot")
	want(robot, "whoami", 0, "machine:default/robot")
	want(mallory, "machine delete robot", 4, "")
	want(alice, "machine delete robot", 3, "space:admin")
	want(admin, "machine delete robot", 0, "")
	want(robot, "whoami", 3, "")

	want(alice, "oidc rotate", 3, "space:admin")
	want(alice, "oidc keys", 3, "space:admin")
	want(admin, "oidc keys", 0, "roadbed oidc rotate")
	want(admin, "oidc rotate", 0, "")
	want(admin, "oidc rotate", 0, "")
	want(admin, "oidc keys", 0, "signs")
	want(admin, "oidc keys", 0, "shown until")

	link := func() string {
		made, err := client.Post[client.SignInLink](t.Context(), client.New(server.URL, alice), "/signin-links", map[string]string{"user": "user:default/alice"})
		if err != nil {
			t.Fatal(err)
		}
		return made.Code
	}
	for _, c := range []struct {
		as, line string
		code     int
	}{
		{mallory, "session end user:default/alice", 3}, {token("narrow", "user:default/alice", "run:read"), "session end", 3},
		{alice, "session end", 0}, {admin, "session end alice", 0},
	} {
		before := link()
		want(c.as, c.line, c.code, "")
		if got, answer := do(t, server, "POST", "/api/v1/session", "", `{"code":"`+before+`"}`); (got == 200) == (c.code == 0) {
			t.Errorf("after %s a link answers %d %s", c.line, got, answer)
		}
	}

	want(admin, "policy decision dec_00000000000000000000000000", 4, "")
	want(mallory, "policy decisions", 0, "no decisions")

	// What the ledger calls by an opaque id is asked for, and shown, by the name that people know.
	entries, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", map[string][]string{"ref": {"user:default/rita"}, "type": {"entity."}})
	if err != nil || len(entries) == 0 || entries[0].Subject != "user:default/rita" {
		t.Errorf("the ledger tells of rita: %+v, %v", entries, err)
	}

	g.push("alice", "crew/shop", map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: shop}\nspec: {type: service, lifecycle: production, owner: {a: b}}\n"})
	want(alice, "location add crew/shop", 0, "catalog-info.yaml:4: spec.owner: ")
	_, out := say(alice, "location list -o json")
	var all []client.Location // the demo's golden path is the other
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 2 || len(all[0].Problems) != 0 || all[0].Error == "" {
		t.Fatalf("location list -o json gives %s (%v)", out, err)
	}
	want(alice, "location show "+all[0].ID, 0, "catalog-info.yaml:4: spec.owner: ")
	want(mallory, "location show "+all[0].ID, 4, "")
	g.push("alice", "crew/shop", map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: more}\nspec: {target: ../" + strings.Repeat("x", 100_000) + "}\n"})
	if code, out := say(alice, "location refresh "+all[0].ID); code != 0 || !strings.Contains(out, "xxx…") || len(out) > 5000 {
		t.Errorf("a long name gives %d and %d bytes: %.900s", code, len(out), out)
	}
	g.push("alice", "crew/shop", map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: shop}\nspec: {type: service, lifecycle: production, owner: crew}\n"})
	want(alice, "location refresh "+all[0].ID+" loc_none", 4, "component:default/shop")
	want(alice, "get component --location "+all[0].ID, 0, "component:default/shop")
	want(mallory, "location remove "+all[0].ID, 4, "")
	want(alice, "location remove loc_none "+all[0].ID, 4, "removed the location "+all[0].ID)
	want(alice, "get component shop", 4, "")
}
