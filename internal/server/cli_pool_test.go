package server

import (
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestPoolsFromTheTerminal lists, shows, drains and resumes pools, and makes and revokes their tokens.
func TestPoolsFromTheTerminal(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	atTerminal(t, server.URL, h.Options.AdminToken)
	sayAll(t, []said{
		{"pool list", 0, "docs/agents.md"},
		{"pool show eu", 4, "worker pool default/eu"},
	})
	g.apply(poolDocument("eu", "shared: true"))
	token := g.poolToken("eu")
	sayAll(t, []said{
		{"pool list", 0, "default/eu"},
		{"pool list", 0, "no agent"},
		{"pool list --space elsewhere", 0, "fewer flags"},
		{"pool token create eu another --life 30d", 0, "rba_"},
		{"pool token list eu", 0, token.ID},
		{"pool token revoke eu " + token.ID, 0, "revoked " + token.ID},
		{"pool token list eu", 0, "revoked"},
		{"pool token revoke eu ptk_00000000000000000000000000", 4, "there is no token"},
	})
	second, err := client.Post[client.NewPoolToken](t.Context(), g.admin, "/pools/default/eu/tokens", map[string]string{"name": "second"})
	if err != nil {
		t.Fatal(err)
	}
	g.asAgent("rack-1", second.Secret)
	sayAll(t, []said{
		{"pool show eu", 0, "rack-1"},
		{"pool show eu", 0, "connected"},
		{"pool drain eu rack-1", 0, "agent rack-1 takes nothing more"},
		{"pool show eu", 0, "draining"},
		{"pool resume eu rack-1", 0, "agent rack-1 takes steps again"},
		{"pool drain eu rack-2", 4, "rack-2"},
		{"pool drain eu", 0, "worker pool default/eu takes nothing more"},
		{"pool list", 0, "drained"},
		{"pool resume eu", 0, "takes steps again"},
		{"pool list", 0, "ready"},
		{"pool show eu -o json", 0, "\"agentList\""},
	})
}
