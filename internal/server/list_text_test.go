package server

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestListsAreSearchedInAnyCase, with letters beyond A to Z, and with what other databases take for wildcards, on each database alike.
func TestListsAreSearchedInAnyCase(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		for name, description := range map[string]string{"one": "Über 100% Wasser", "two": "ÜBER_ALLES", "three": `C:\temp ^caret`, "four": "1000 waters"} {
			if _, err := client.Post[client.Repository](ctx, g.admin, "/repositories", map[string]string{"namespace": "crew", "name": name, "description": description}); err != nil {
				t.Fatal(err)
			}
		}
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Stack, metadata: {name: net_1}, spec: {owner: group:default/crew, source: {repository: crew/one, path: Deploy/Prod}}}
---
{apiVersion: roadbed.dev/v1, kind: Stack, metadata: {name: net-1}, spec: {owner: group:default/crew, source: {repository: crew/two, path: ärger}}}
`)
		names := func(path, text string) string {
			t.Helper()
			var found []string
			query := url.Values{"text": {text}}
			switch path {
			case "/repositories":
				all, err := client.All[client.Repository](ctx, g.admin, path, query)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range all {
					found = append(found, r.Name)
				}
			case "/stacks":
				all, err := client.All[client.Stack](ctx, g.admin, path, query)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range all {
					found = append(found, s.Name)
				}
			}
			slices.Sort(found)
			return strings.Join(found, " ")
		}
		for _, c := range []struct{ path, text, want string }{
			{"/repositories", "über", "one two"}, {"/repositories", "ÜBER", "one two"}, {"/repositories", "wAsSeR", "one"}, {"/repositories", "100%", "one"}, {"/repositories", "%", "one"},
			{"/repositories", "_", "two"}, {"/repositories", "^", "three"}, {"/repositories", `\`, "three"}, {"/repositories", `\TEMP`, "three"}, {"/repositories", "CREW/T", "three two"}, {"/repositories", "w_ew/", ""},
			{"/stacks", "NET_", "net_1"}, {"/stacks", "net", "net-1 net_1"}, {"/stacks", "deploy/prod", "net_1"}, {"/stacks", "DEPLOY", "net_1"}, {"/stacks", "ÄRGER", "net-1"}, {"/stacks", "Ärger crew/TWO", "net-1"},
			{"/stacks", "%", ""}, {"/stacks", "net ^", ""},
		} {
			if got := names(c.path, c.text); got != c.want {
				t.Errorf("%s searched for %q gives %q, want %q", c.path, c.text, got, c.want)
			}
		}
	})
}
