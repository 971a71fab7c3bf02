package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// usurped declares something harmless, then one of each kind that says who may do what, or what the platform trusts, and
// a policy in the place of the shipped one.
const usurped = `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: mine}, spec: {type: service, lifecycle: production, owner: "user:default/alice"}}
---
apiVersion: roadbed.dev/v1
kind: Policy
metadata: {name: usurped}
spec:
  point: approval
  rego: |
    package roadbed.approval
    approve if true
---
apiVersion: roadbed.dev/v1
kind: Policy
metadata: {name: four-eyes}
spec:
  point: approval
  rego: |
    package roadbed.approval
    approve if true
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: usurped}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: usurped}, spec: {permissions: ["*:*"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: usurped}, spec: {role: admin, space: default, subjects: ["user:default/alice"]}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: usurped}, spec: {memberOf: [crew]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: usurped}, spec: {type: team, children: [], members: [alice]}}
---
{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: usurped}, spec: {forge: gitea, url: http://127.0.0.1:1, token: {secretRef: default/usurped}}}
---
{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: usurped}, spec: {integration: usurped, organization: acme, repositories: {}}}
---
{apiVersion: roadbed.dev/v1, kind: Directory, metadata: {name: usurped}, spec: {scim: {}}}
---
{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: usurped}, spec: {url: "https://127.0.0.1:1"}}
---
{apiVersion: roadbed.dev/v1, kind: WorkerPool, metadata: {name: usurped}, spec: {shared: true}}
---
{apiVersion: roadbed.dev/v1, kind: Kind, metadata: {name: usurped}, spec: {group: acme.example, versions: [v1], names: {kind: Usurped}, schema: {type: object}}}
`

// TestARepositoryBringsNothingThatSaysWhoMayDoWhat declares one of each restricted kind in a repository that a developer
// pushes to. Trusted for policies, it brings those, and nothing else.
func TestARepositoryBringsNothingThatSaysWhoMayDoWhat(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		shipped, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/policy/default/four-eyes", nil)
		if err != nil {
			t.Fatal(err)
		}
		head := g.push("alice", "crew/evil", map[string]string{"catalog-info.yaml": usurped})
		made, err := client.Post[client.Location](t.Context(), g.alice, "/locations", map[string]string{"repository": "crew/evil", "space": "default"})
		if err != nil {
			t.Fatal(err)
		}
		// reads waits until the location has brought something of what it declares, and gives it.
		reads := func(kind, name string) (l client.Location) {
			t.Helper()
			comesTrue(t, func() bool {
				if l, err = client.Get[client.Location](t.Context(), g.admin, "/locations/"+made.ID, nil); err != nil || l.Commit != head {
					return false
				}
				_, err = client.Get[client.Entity](t.Context(), g.admin, "/entities/"+kind+"/default/"+name, nil)
				return err == nil
			}, "the "+kind+" "+name+" comes")
			return l
		}
		refused := func(l client.Location, kind string) bool {
			for _, p := range l.Problems {
				if strings.Contains(p.Message, "a "+kind+" is not taken from a repository that is not trusted for it") {
					return true
				}
			}
			return false
		}
		gone := func(kind string) {
			t.Helper()
			if e, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/"+strings.ToLower(kind)+"/default/usurped", nil); !fault.Is(err, fault.NotFound) {
				t.Errorf("the repository brought %s of %s: %v", e.Ref, e.Source, err)
			}
		}
		kept := func() {
			t.Helper()
			now, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/policy/default/four-eyes", nil)
			if err != nil || now.Etag != shipped.Etag || now.Source != shipped.Source || now.Error != "" {
				t.Errorf("the shipped policy is %+v, %v; it was %+v", now, err, shipped)
			}
		}
		first := reads("component", "mine")
		restricted := 0
		for _, kind := range g.house.Kinds.List() {
			if !kind.Restricted {
				continue
			}
			restricted++
			if !refused(first, kind.Name) {
				t.Errorf("a %s is not refused: %+v", kind.Name, first.Problems)
			}
			gone(kind.Name)
		}
		if restricted < 10 {
			t.Errorf("there are only %d restricted kinds", restricted)
		}
		kept()

		trust := map[string]any{"kinds": []string{"Policy"}}
		if err := g.alice.Do(t.Context(), "PUT", "/locations/"+made.ID+"/trust", nil, trust, nil); !fault.Is(err, fault.Denied) {
			t.Errorf("a developer trusts the repository: %v", err)
		}
		if err := g.admin.Do(t.Context(), "PUT", "/locations/"+made.ID+"/trust", nil, trust, nil); err != nil {
			t.Fatal(err)
		}
		if l := reads("policy", "usurped"); refused(l, "Policy") || !refused(l, "RoleBinding") {
			t.Errorf("trusted for policies, it has the problems %+v", l.Problems)
		}
		for _, kind := range g.house.Kinds.List() {
			if kind.Restricted && kind.Name != "Policy" {
				gone(kind.Name)
			}
		}
		kept()
	})
}
