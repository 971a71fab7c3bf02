package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document/backstagetest"
)

// Backstage's own client works against a server, every method of it; test/backstage/client.mjs tells the story.
func TestBackstagesOwnClient(t *testing.T) {
	node := backstagetest.Node(t)
	const component = "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: %s%s}, spec: {type: %s, lifecycle: production, owner: team%s}}\n---\n"
	file := "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: all}, spec: {targets: [./more.yaml]}}\n---\n" +
		fmt.Sprintf(component, "shop", ", tags: [go, java], annotations: {example.org/note: 'a, b & c'}", "service", "")
	for i := range 20 {
		more := ""
		if i == 0 {
			more = ", dependsOn: ['component:shop']"
		}
		file += fmt.Sprintf(component, fmt.Sprintf("c%02d", i), fmt.Sprintf(", title: Title %d", i/4), "library", more)
	}
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply("{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: team}, spec: {type: team, children: []}}\n---\n" +
			"{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: applied}, spec: {type: database, owner: team}}\n")
		g.push("alice", "team/shop", map[string]string{
			"catalog-info.yaml": strings.TrimSuffix(file, "---\n"), "more.yaml": strings.TrimSuffix(fmt.Sprintf(component, "part", "", "service", ", subcomponentOf: shop"), "---\n"),
			"wrong.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x}, spec: {}}\n",
		})
		run := node("client.mjs", g.url, g.token("user:default/alice"), strings.TrimSuffix(g.house.baseURL(), "/"))
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
