package server

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestListsAreReadByPages reads every list that grows one by one, and wants what it gives at once, in the same order.
func TestListsAreReadByPages(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		for i := range 3 {
			g.push("alice", "crew/shop", map[string]string{"catalog-info.yaml": fmt.Sprintf(shopComponent, i), "other.yaml": ""})
			if err := g.admin.Do(ctx, "PUT", fmt.Sprintf("/secrets/default/key%d", i), nil, map[string]string{"value": "hidden"}, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Post[client.Machine](ctx, g.admin, "/machines", map[string]string{"name": fmt.Sprint("robot", i)}); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Post[client.NewToken](ctx, g.admin, "/tokens", map[string]string{"name": fmt.Sprint("token", i)}); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Post[client.RunDetail](ctx, g.alice, "/workflows/runs", map[string]string{"document": waiting}); err != nil {
				t.Fatal(err)
			}
			g.apply(fmt.Sprintf("{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: tills}, spec: {owner: alice, domain: d%d}}", i))
			g.apply(fmt.Sprintf("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: part%d}, spec: {}}", i))
			g.apply(poolDocument(fmt.Sprint("pool", i), ""))
			g.asAgent(fmt.Sprint("agent", i), g.poolToken("pool0").Secret)
		}
		for _, path := range []string{"catalog-info.yaml", "other.yaml"} {
			if _, err := client.Post[client.Location](ctx, g.admin, "/locations", map[string]string{"repository": "crew/shop", "path": path}); err != nil {
				t.Fatal(err)
			}
		}
		for path, least := range map[string]int{
			"/spaces": 4, "/kinds": 10, "/tokens": 3, "/machines": 3, "/secrets/default": 3, "/locations": 2, "/repositories/crew/shop/commits": 3,
			"/entities/system/default/tills/history": 3, "/entities": 5, "/runs": 3, "/ledger": 20,
			"/pools": 3, "/pools/default/pool0/agents": 3, "/pools/default/pool0/tokens": 3,
		} {
			whole := read(t, g.admin, path, 200)
			if len(whole) < least {
				t.Errorf("%s gives only %d items", path, len(whole))
			}
			whole = whole[:min(len(whole), mostOneByOne)] // the ledger grows between the two
			if parts := read(t, g.admin, path, 1); !slices.Equal(parts[:min(len(parts), len(whole))], whole) {
				t.Errorf("%s, one by one:\n%s\nat once:\n%s", path, strings.Join(parts, "\n"), strings.Join(whole, "\n"))
			}
		}
		// What is pushed between two pages moves nothing.
		first, err := client.Get[client.List[client.Commit]](ctx, g.admin, "/repositories/crew/shop/commits", url.Values{"limit": {"1"}})
		if err != nil {
			t.Fatal(err)
		}
		g.push("alice", "crew/shop", map[string]string{"new": "1"})
		second, err := client.Get[client.List[client.Commit]](ctx, g.admin, "/repositories/crew/shop/commits", url.Values{"limit": {"1"}, "cursor": {first.Next}})
		if err != nil || first.Items[0].Parents[0] != second.Items[0].Hash {
			t.Errorf("after %v comes %v, %v", first, second, err)
		}
		for _, cursor := range []string{"x", "main+1", first.Items[0].Hash + "+0", first.Items[0].Hash + "+-1", "--all+1"} {
			if _, err := client.Get[client.List[client.Commit]](ctx, g.admin, "/repositories/crew/shop/commits", url.Values{"cursor": {cursor}}); !fault.Is(err, fault.Invalid) {
				t.Errorf("cursor %q: %v", cursor, err)
			}
		}
	})
}

// shopComponent is a component whose lifecycle is a number.
const shopComponent = `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: shop}, spec: {type: service, lifecycle: "%d", owner: alice}}
`

// mostOneByOne is how many items of a list are read one by one.
const mostOneByOne = 20

// read gives a list, part by part, each item as its text.
func read(t *testing.T, api *client.Client, path string, size int) (all []string) {
	t.Helper()
	query := url.Values{"limit": {fmt.Sprint(size)}}
	for len(all) < mostOneByOne || size > 1 {
		part, err := client.Get[client.List[map[string]any]](t.Context(), api, path, query)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(part.Items) > size {
			t.Fatalf("%s gives %d items where %d are the most", path, len(part.Items), size)
		}
		for _, item := range part.Items {
			delete(item, "used")
			all = append(all, fmt.Sprint(item))
		}
		if part.Next == "" || size > 1 {
			return all
		}
		query.Set("cursor", part.Next)
	}
	return all
}
