package server

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// tells has a step tell its token in a way that is not hidden, and what else it finds of it.
const tells = `sed "s/./&~/g" "$ROADBED_OIDC_TOKEN_FILE"; echo
      [ "$ROADBED_OIDC_TOKEN" = "$(cat "$ROADBED_OIDC_TOKEN_FILE")" ] && [ "$SPACELIFT_OIDC_TOKEN" = "$ROADBED_OIDC_TOKEN" ] && echo all the same
      echo "in the clear $ROADBED_OIDC_TOKEN"`

var tellsToken = regexp.MustCompile(`(?m)^e~y~[A-Za-z0-9._~-]+$`)

// tokenOf gives the token that a step has told.
func (g *ground) tokenOf(id, step string) string {
	g.t.Helper()
	log := g.log(id, step)
	token := strings.ReplaceAll(tellsToken.FindString(log), "~", "")
	if token == "" || !strings.Contains(log, "all the same") || !strings.Contains(log, "in the clear ***") || strings.Contains(log, token) {
		g.t.Fatalf("step %s of run %s has the token %q, and says\n%s", step, id, token, log)
	}
	return token
}

// TestACloudTrustsARun has a verifier that knows nothing but the server's address look at what steps of runs are given.
func TestACloudTrustsARun(t *testing.T) {
	t.Parallel()
	const issuer = "http://roadbed.test"
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.BaseURL = database, issuer
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		cloud := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
		}}}
		defer cloud.CloseIdleConnections()
		ctx := gooidc.ClientContext(t.Context(), cloud)
		verify := func(token string, c gooidc.Config) (*gooidc.IDToken, error) {
			t.Helper()
			provider, err := gooidc.NewProvider(ctx, issuer)
			if err != nil {
				t.Fatal(err)
			}
			return provider.Verifier(&c).Verify(ctx, token)
		}
		says := func(token, subject, scope, run, commit string) {
			t.Helper()
			got, err := verify(token, gooidc.Config{ClientID: "sts.amazonaws.com"})
			if err != nil {
				t.Fatal(err)
			}
			claims := map[string]any{}
			if err := got.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if got.Subject != subject || got.Expiry.Sub(got.IssuedAt) != time.Hour || claims["scope"] != scope || claims["run"] != run || claims["commit"] != commit ||
				claims["space"] != "default" || claims["stack"] != "default/net" || claims["repository"] != "crew/net" {
				t.Errorf("the token says %v", claims)
			}
		}
		hooks := "  oidc: {audience: sts.amazonaws.com}\n  hooks:\n    beforePlan:\n    - |\n      " + tells + "\n    beforeApply:\n    - |\n      " + tells + "\n"
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		g.apply(stackDocument("net", hooks))
		id := g.stackRun("net", commit)
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		planned := g.tokenOf(id, "plan")
		says(planned, "space:default:stack:default/net:run_type:tracked:scope:read", "read", id, commit)
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
		applied := g.tokenOf(id, "apply")
		says(applied, "space:default:stack:default/net:run_type:tracked:scope:write", "write", id, commit)
		preview, err := client.Post[client.RunDetail](ctx, g.alice, "/stacks/default/net/runs", map[string]string{"type": "proposed"})
		if err != nil {
			t.Fatal(err)
		}
		g.rests(preview.ID)
		says(g.tokenOf(preview.ID, "plan"), "space:default:stack:default/net:run_type:proposed:scope:read", "read", preview.ID, commit)

		// Others do not take it, nor does anybody later.
		if _, err := verify(planned, gooidc.Config{ClientID: "vault.example.com"}); err == nil {
			t.Error("another audience takes the token")
		}
		if _, err := verify(planned, gooidc.Config{ClientID: "sts.amazonaws.com", Now: func() time.Time { return time.Now().Add(61 * time.Minute) }}); err == nil {
			t.Error("it is taken after its hour")
		}

		// After a rotation those that were given are still good, and new ones are of the new key.
		if _, err := client.Post[client.OIDCKey](ctx, g.bob, "/oidc/keys", nil); !fault.Is(err, fault.Denied) {
			t.Errorf("bob rotates: %v", err)
		}
		key, err := client.Post[client.OIDCKey](ctx, g.admin, "/oidc/keys", nil)
		if err != nil {
			t.Fatal(err)
		}
		says(applied, "space:default:stack:default/net:run_type:tracked:scope:write", "write", id, commit)
		second := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-two")})
		next := g.stackRun("net", second)
		g.rests(next)
		of := g.tokenOf(next, "plan")
		says(of, "space:default:stack:default/net:run_type:tracked:scope:read", "read", next, second)
		if keys, err := client.All[client.OIDCKey](ctx, g.admin, "/oidc/keys", nil); err != nil || len(keys) != 2 || keys[0].ID != key.ID || keys[1].Replaced == nil {
			t.Errorf("the keys are %+v, %v", keys, err)
		}

		// Nothing that is stored or shown has a token, but the ledger tells that there was one.
		for _, token := range []string{planned, applied, of} {
			g.hidesEverywhere(id, token)
		}
		g.wantNoted(id, "oidc.issued", 2)

		// A stack that asks for none has none.
		none := g.stack("plain", lightInfra, "  hooks:\n    beforePlan: ['echo \"token [${ROADBED_OIDC_TOKEN:-}${SPACELIFT_OIDC_TOKEN:-}${ROADBED_OIDC_TOKEN_FILE:-}]\"', 'ls /work/roadbed.oidc || echo no file']\n")
		g.rests(none)
		wantInOrder(t, g.log(none, "plan"), "token []", "no file")
		if err := g.try("alice", stackDocument("net", "  oidc: {audience: \"two words\"}\n")); err == nil || !strings.Contains(err.Error(), "audience") {
			t.Errorf("an audience of two words: %v", err)
		}
	})
}

// hidesEverywhere fails the test when a token can be read in what the API or the database has of a run.
func (g *ground) hidesEverywhere(id, token string) {
	g.t.Helper()
	var out json.RawMessage
	if err := g.admin.Do(g.t.Context(), "GET", "/runs/"+id, nil, nil, &out); err != nil {
		g.t.Fatal(err)
	}
	if strings.Contains(string(out), token) {
		g.t.Errorf("the API shows the token: %s", out)
	}
	r, err := client.Get[client.RunDetail](g.t.Context(), g.admin, "/runs/"+id, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, step := range r.Steps {
		if strings.Contains(g.log(id, step.Key), token) {
			g.t.Errorf("the log of step %s has the token", step.Key)
		}
	}
	for step, job := range g.jobs(id) {
		if text, err := json.Marshal(job); err != nil || strings.Contains(string(text), token) {
			g.t.Errorf("the job of step %s has the token (%v)", step, err)
		}
	}
}
