package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A stack that asks for more than any step gets is refused where it says so, with what there is.
func TestAStackAsksForNoMoreThanThereIs(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		document := func(limits string) string {
			return "apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: net}\nspec:\n  owner: group:default/crew\n  source: {repository: crew/net}\n  limits: " + limits + "\n"
		}
		for limits, want := range map[string]string{
			"{memory: 17179869185}": ":7:12 spec.limits.memory: 17179869185 bytes of memory are more than any step gets here (write at most 17179869184 (16384 MiB), or have",
			"{time: 12h1m}":         ":7:12 spec.limits.time: 12h1m is longer than any step runs here (write at most 12h0m0s, or have",
		} {
			if err := g.try("admin", document(limits)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", limits, err)
			}
		}
		g.apply(document("{memory: 17179869184, time: 12h}"))
	})
}
