package server

import (
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// TestAPushPolicyNamesTheVersionsOfAModule makes them of tags that are none by themselves, and of no others.
func TestAPushPolicyNamesTheVersionsOfAModule(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.policy("stacks", "push", "track { input.push.branch == input.stack.branch }\nignore { not input.stack.branch }", "")
		g.policy("releases", "push", `
module_version := version { version := trim_prefix(input.push.tag, "release-"); startswith(input.push.tag, "release-") }
track { input.push.tag != ""; input.module.terraform_provider == "null0" }
propose { input.push.tag == "" }
ignore { input.push.tag == "release-9.9.9" }`, "  labels: ['autoattach:released']\n")
		g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain})
		g.apply(moduleDocument("net", "  labels: [released]\n"))
		g.tag("net", "release-1.2.0")
		v := g.version("net", "1.2.0")
		if v.State != "ready" || v.Tag != "release-1.2.0" || v.By.Name != "alice" || v.Moved != "" {
			t.Errorf("the version is %+v", v)
		}
		g.tag("net", "v1.3.0") // a version by itself; the policy names none
		g.version("net", "1.3.0")
		if v := g.version("net", "1.2.0"); v.Moved != "" {
			t.Errorf("after another look its tag %q", v.Moved)
		}
		g.tag("net", "release-9.9.9")
		g.tag("net", "release-next")
		g.push("alice", "crew/net", map[string]string{"README.md": "more"})
		g.decisions("push", func(all []client.Decision) bool {
			n := 0
			for _, d := range all {
				if d.Subject == "module:default/net" {
					n++
					if len(d.Policies) != 1 || d.Policies[0] != "policy:default/releases" {
						t.Errorf("asked %v", d.Policies)
					}
				}
			}
			return n >= 4
		})
		g.wantNoted("module:default/net", "module.push-decided", 2)
		entries, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", map[string][]string{"ref": {"module:default/net"}, "type": {"module.push-decided"}})
		if err != nil || len(entries) != 2 || !strings.Contains(string(entries[0].Data)+string(entries[1].Data), "which is no version") {
			t.Errorf("the ledger tells %+v, %v", entries, err)
		}
		list, err := client.All[client.ModuleVersion](t.Context(), g.admin, "/modules/default/net/versions", nil)
		if err != nil || len(list) != 2 {
			t.Errorf("the versions are %+v, %v at %s", list, err, time.Now())
		}
	})
}
