package server

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestModulesAndProvidersFromACommandLine publishes, shows, and takes back.
func TestModulesAndProvidersFromACommandLine(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	atTerminal(t, server.URL, g.as["alice"].Token)
	sayAll(t, []said{
		{"module list", 0, "no modules that you may see; apply a document of the kind Module"},
		{"provider list", 0, "no providers that you may see; apply a document of the kind Provider"},
		{"module show net", 4, "there is no module default/net"},
	})
	g.push("alice", "crew/net", map[string]string{"main.tf": moduleMain})
	g.apply(moduleDocument("net", ""))
	sayAll(t, []said{{"module show net", 0, "latest      -"}, {"module versions net", 0, "no versions that you may see; push a tag"}})
	g.tag("net", "v1.0.0")
	g.version("net", "1.0.0")
	sayAll(t, []said{
		{"module list", 0, "default/net"},
		{"module list --search elsewhere", 0, "fewer flags show more"},
		{"module show net v1.0.0", 0, "input       name"},
		{"module versions net", 0, "1.0.0"},
		{"module yank net 1.0.0", 2, "reason"},
		{"module yank net 1.0.0 --reason open", 0, "yanked"},
		{"module versions net", 0, "yanked: open"},
		{"module test net 1.0.0", 5, "only one whose tests failed"},
		{"module restore net 1.0.0", 0, "ready"},
	})
	key := newReleaseKey(t)
	dir := key.release(t, "1.0.0")
	g.apply(providerDocument("cloud", key.public))
	sayAll(t, []said{
		{"provider show cloud", 0, "`roadbed provider publish` sends one"},
		{"provider publish cloud " + t.TempDir(), 2, "has no terraform-provider-TYPE_VERSION_SHA256SUMS"},
		{"provider publish cloud " + newReleaseKey(t).release(t, "1.0.0"), 3, "no key that the provider's document lists"},
		{"provider publish cloud " + dir, 0, "plan9_arm"},
		{"provider publish default/cloud " + dir, 0, "plan9_arm"},
		{"provider show cloud", 0, "6.0"},
		{"provider yank cloud v1.0.0 --reason crashes", 0, "yanked: crashes"},
		{"provider restore cloud 1.0.0", 0, "version"},
		{"provider list", 0, "default/cloud"},
	})
	write(t, filepath.Join(dir, "terraform-provider-cloud_1.0.1_SHA256SUMS"), "")
	sayAll(t, []said{{"provider publish cloud " + dir, 2, "more than one version"}})
	if v, err := client.Get[client.List[client.ProviderVersion]](t.Context(), g.admin, "/providers/default/cloud/versions", nil); err != nil || len(v.Items) != 1 || !strings.Contains(v.Items[0].Protocols[0], "6.0") {
		t.Errorf("published is %+v, %v", v, err)
	}
}
