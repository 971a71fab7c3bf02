package server

import (
	"context"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func gitlabWithAnn(t *testing.T) *gitlabtest.Server {
	t.Helper()
	s := gitlabtest.New(t)
	s.User("ann", "token-of-ann", "api")
	return s
}

func (g *ground) putSecret(name, value string) {
	g.t.Helper()
	if err := g.admin.Do(g.t.Context(), "PUT", "/secrets/default/"+name, nil, map[string]string{"value": value}, nil); err != nil {
		g.t.Fatal(err)
	}
}

const shopOfCrew = `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: till}, spec: {type: service, lifecycle: production, owner: "user:default/alice"}}
`

const connector = `{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: connector}, spec: {description: Joins forges, permissions: ["*:read", "entity:write", "integration:admin"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: otto-joins}, spec: {role: connector, space: default, subjects: ["user:default/otto"]}}
`

// TestAnIntegrationIsDeclaredByWhoMay and tried at once; nobody else declares one, and no repository does that is not
// trusted for it.
func TestAnIntegrationIsDeclaredByWhoMay(t *testing.T) {
	forge := gitlabWithAnn(t)
	document := "{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: lab}, spec: {forge: gitlab, url: " + forge.URL + ", token: {secretRef: default/lab}, webhook: {secretRef: default/hook}}}"
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		g.push("alice", "crew/trusted", map[string]string{"catalog-info.yaml": strings.Replace(document, "name: lab", "name: trusted", 1), "other.yaml": shopOfCrew})
		other, err := client.Post[client.Location](ctx, g.admin, "/locations", map[string]string{"repository": "crew/trusted", "path": "*.yaml", "space": "default"})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.admin.Do(ctx, "PUT", "/locations/"+other.ID+"/trust", nil, map[string]any{"kinds": []string{"Integration"}}, nil); err != nil {
			t.Fatal(err)
		}
		comesTrue(t, func() bool {
			i, err := client.Get[client.Integration](ctx, g.as["rita"], "/integrations/default/trusted", nil)
			return err == nil && i.State == "broken" // its secret is not there
		}, "a repository that is trusted for it declares one")
		if err := g.admin.Do(ctx, "DELETE", "/locations/"+other.ID, nil, nil, nil); err != nil {
			t.Fatal(err)
		}

		g.putSecret("lab", "token-of-ann")
		g.putSecret("hook", "a-key")
		for _, who := range []string{"alice", "rita", "otto"} {
			if err := g.try(who, document); !fault.Is(err, fault.Denied) {
				t.Errorf("%s declares one: %v", who, err)
			}
		}
		g.push("alice", "crew/forges", map[string]string{"catalog-info.yaml": document})
		l, err := client.Post[client.Location](ctx, g.alice, "/locations", map[string]string{"repository": "crew/forges", "space": "default"})
		if err == nil {
			l, err = client.Get[client.Location](ctx, g.admin, "/locations/"+l.ID, nil)
		}
		if err == nil && len(l.Entities) > 0 || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("a repository declares one: %+v, %v", l, err)
		}

		g.apply(connector)
		if err := g.try("otto", document); err != nil {
			t.Fatalf("with integration:admin: %v", err)
		}
		comesTrue(t, func() bool {
			i, err := client.Get[client.Integration](ctx, g.as["rita"], "/integrations/default/lab", nil)
			return err == nil && i.State == "healthy" && i.Login == "ann" && i.Looked != nil && len(i.Can) == 0 &&
				i.Hooked && i.Hook == g.url+"/hooks/default/lab"
		}, "it is tried")
		comesTrue(t, func() bool {
			all, err := client.All[client.Entry](ctx, g.admin, "/ledger", url.Values{"ref": {"integration:default/lab"}})
			return err == nil && strings.Contains(strings.Join(types(all), " "), "integration.healthy")
		}, "the ledger tells it")
		if _, err := client.Get[client.Integration](ctx, g.as["mallory"], "/integrations/default/lab", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory sees it: %v", err)
		}
		if _, err := client.Post[client.Integration](ctx, g.alice, "/integrations/default/lab/test", nil); !fault.Is(err, fault.Denied) {
			t.Errorf("alice tries it: %v", err)
		}
		forge.User("rob", "token-of-rob", "read_api")
		g.putSecret("lab", "token-of-rob")
		i, err := client.Post[client.Integration](ctx, g.as["otto"], "/integrations/default/lab/test", nil)
		if err != nil || i.State != "lacking" || strings.Join(i.Scopes, " ") != "read_api" || strings.Join(i.Missing, " ") != "api" || strings.Join(i.Can, " ") != "test" {
			t.Errorf("with another token: %+v, %v", i, err)
		}
		if err := g.as["otto"].Do(ctx, "DELETE", "/entities/integration/default/lab", nil, nil, nil); !fault.Is(err, fault.Denied) {
			t.Errorf("otto, who may delete nothing, deletes it: %v", err)
		}
		if err := g.admin.Do(ctx, "DELETE", "/entities/integration/default/lab", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if list, err := client.All[client.Integration](ctx, g.admin, "/integrations", nil); err != nil || len(list) > 0 {
			t.Errorf("after its end: %+v, %v", list, err)
		}
	})
}

// comesTrue waits until something is so.
func comesTrue(t *testing.T, is func() bool, what string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := eventually(ctx, func() (bool, error) { return is(), nil }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func types(entries []client.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, e.Type)
	}
	return all
}

// TestAServersOwnAddressesAreNoForge unless its operator says so.
func TestAServersOwnAddressesAreNoForge(t *testing.T) {
	t.Parallel()
	forge := gitlabWithAnn(t)
	o := options(t)
	o.Private = ""
	h, server := openWith(t, o)
	g := newGround(t, h, server)
	g.putSecret("lab", "token-of-ann")
	inside := httptest.NewServer(nil) // something else of this machine
	t.Cleanup(inside.Close)
	for name, address := range map[string]string{"forge": forge.URL, "inside": inside.URL, "itself": server.URL, "metadata": "http://169.254.169.254", "named": strings.Replace(inside.URL, "127.0.0.1", "localhost", 1)} {
		g.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: " + name + "}, spec: {forge: gitlab, url: '" + address + "', token: {secretRef: default/lab}}}")
		i, err := client.Post[client.Integration](t.Context(), g.admin, "/integrations/default/"+name+"/test", nil)
		if err != nil || i.State != "broken" || !strings.Contains(i.Reason, "does not reach") || !strings.Contains(i.Reason, "--allow-private") {
			t.Errorf("%s: %s, %q, %v", address, i.State, i.Reason, err)
		}
	}
}

func TestIntegrationsAtTheTerminal(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	forge := gitlabWithAnn(t)
	g := newGround(t, h, server)
	file := filepath.Join(t.TempDir(), "forge.yaml")
	write(t, file, "apiVersion: roadbed.dev/v1\nkind: Integration\nmetadata: {name: lab}\nspec:\n  forge: gitlab\n  url: "+forge.URL+"\n  token: {secretRef: default/lab}\n")
	sayAll(t, []said{{"integration list", 0, "no integrations"}, {"apply -f " + file, 0, "integration:default/lab"}})
	comesTrue(t, func() bool { _, out, _ := say("integration list"); return strings.Contains(out, "broken") }, "it is tried without its secret")
	sayAll(t, []said{
		{"integration test lab", 1, "set it with `roadbed secret put`"},
		{"integration test none", 4, "no integration"},
		{"integration get default/lab", 0, "secret default/lab is not in space default"},
	})
	g.putSecret("lab", "token-of-ann")
	sayAll(t, []said{
		{"integration test lab", 0, "healthy"},
		{"integration get lab", 0, "ann"},
		{"integration list --space default", 0, "default/lab"},
		{"integration list --space elsewhere", 0, "no integrations"},
		{"delete -f " + file, 0, "integration:default/lab"},
		{"integration get lab", 4, "no integration"},
	})
}
