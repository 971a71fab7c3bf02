package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	goodTill = "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: till}, spec: {type: service, lifecycle: production, owner: crew}}\n"
	newTeam  = "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: squad}, spec: {type: team, children: []}}\n"
	badTill  = "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: bad}, spec: {}}\n"
)

// TestAnAddressIsLookedAtThenRegistered looks at what files would bring, which writes nothing, and registers one of them.
func TestAnAddressIsLookedAtThenRegistered(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "crew/till", map[string]string{
			"catalog-info.yaml": goodTill, "org/catalog-info.yaml": goodTill + "---\n" + newTeam, "bad.yaml": badTill,
		})
		add := func(who, target string, dry bool) (client.Location, error) {
			return client.Post[client.Location](t.Context(), g.as[who], "/locations", map[string]any{"target": target, "dryRun": dry})
		}
		count := func() (n int) {
			t.Helper()
			all, err := client.All[client.Location](t.Context(), g.admin, "/locations", url.Values{"repository": {"crew/till"}})
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		here := "/git/crew/till"
		dry, err := add("alice", here, true)
		if err != nil || dry.ID != "" || dry.Existed || dry.Path != "catalog-info.yaml" || dry.Error != "" || dry.Total != 1 || !slices.Equal(dry.Entities, []string{"component:default/till"}) || len(dry.Can) != 0 {
			t.Errorf("a dry run gives %+v, %v", dry, err)
		}
		dry, err = add("alice", "/repositories/crew/till?path=org", true) // the portal's page of a folder
		if err != nil || dry.Path != "org/catalog-info.yaml" || !slices.Equal(dry.Entities, []string{"component:default/till"}) || len(dry.Problems) != 1 || !strings.Contains(dry.Problems[0].Message, "not trusted") {
			t.Errorf("of a folder it gives %+v, %v", dry, err)
		}
		dry, err = add("alice", here+"/bad.yaml", true)
		if err != nil || len(dry.Entities) != 0 || dry.Error == "" || len(dry.Problems) == 0 || dry.Problems[0].File != "bad.yaml" || dry.Problems[0].Line != 1 {
			t.Errorf("of a wrong file it gives %+v, %v", dry, err)
		}
		for _, c := range []struct {
			who, target string
			kind        fault.Kind
			says        string
		}{
			{"alice", here + "/none.yaml", fault.NotFound, "there is no file none.yaml"},
			{"alice", "https://forge.example.org/acme/shop/blob/main/catalog-info.yaml", fault.Invalid, "connect it first"},
			{"alice", "https://forge.example.org/acme/shop", fault.Invalid, "connect it first"},
			{"rita", here, fault.Denied, "location:write"},
			{"mallory", here, fault.NotFound, ""},
		} {
			if _, err := add(c.who, c.target, true); !fault.Is(err, c.kind) || !strings.Contains(fault.Message(err), c.says) {
				t.Errorf("%s looks at %s: %v", c.who, c.target, err)
			}
		}
		for body, says := range map[string]string{`{"target":"` + here + `","repository":"crew/till"}`: "leave repository", `{}`: "name a repository"} {
			if err := g.alice.Do(t.Context(), http.MethodPost, "/locations", nil, json.RawMessage(body), nil); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Message(err), says) {
				t.Errorf("%s gives %v", body, err)
			}
		}
		if n := count(); n != 0 {
			t.Errorf("looking has left %d locations", n)
		}
		if _, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/component/default/till", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("looking has left the component: %v", err)
		}

		made, err := add("alice", here, false)
		if err != nil || made.ID == "" || made.Existed || made.Total != 1 || made.Etag == "" || !slices.Equal(made.Can, []string{"refresh"}) {
			t.Fatalf("it is registered as %+v, %v", made, err)
		}
		if dry, err = add("alice", here, true); err != nil || dry.ID != made.ID || !dry.Existed || len(dry.Problems) != 0 {
			t.Errorf("of one that is registered a dry run gives %+v, %v", dry, err)
		}
		dry, err = add("alice", here+"/org/catalog-info.yaml", true)
		if err != nil || !slices.ContainsFunc(dry.Problems, func(p client.FileProblem) bool {
			return strings.Contains(p.Message, "component:default/till: it belongs to crew/till:catalog-info.yaml")
		}) {
			t.Errorf("of a name that is another's it gives %+v, %v", dry, err)
		}
		if n := count(); n != 1 {
			t.Errorf("there are %d locations", n)
		}
	})
}

// TestAFailedLocationIsFound among others, by what is wrong and by a part of its name.
func TestAFailedLocationIsFound(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "crew/till", map[string]string{"a_b.yaml": goodTill, "Axb.yaml": badTill, "c%d.yaml": newTeam})
		for _, path := range []string{"a_b.yaml", "Axb.yaml", "c%d.yaml"} {
			if _, err := client.Post[client.Location](t.Context(), g.alice, "/locations", map[string]string{"repository": "crew/till", "path": path}); err != nil {
				t.Fatal(err)
			}
		}
		for query, want := range map[string]string{
			"repository=crew/till":              "c%d.yaml Axb.yaml a_b.yaml",
			"repository=crew/till&failed=true":  "c%d.yaml Axb.yaml",
			"text=CREW/till:axb":                "Axb.yaml",
			"text=a_b":                          "a_b.yaml",
			"text=%25":                          "c%d.yaml",
			"text=till&failed=true&limit=1":     "c%d.yaml Axb.yaml",
			"text=nowhere":                      "",
			"text=a_b&failed=true":              "",
			"text=till&failed=true&space=other": "",
		} {
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			all, err := client.All[client.Location](t.Context(), g.as["rita"], "/locations", values)
			paths := make([]string, len(all))
			for i, l := range all {
				paths[i] = l.Path
			}
			if got := strings.Join(paths, " "); err != nil || got != want {
				t.Errorf("%s gives %q, %v; want %q", query, got, err, want)
			}
		}
		if all, err := client.All[client.Location](t.Context(), g.as["mallory"], "/locations", url.Values{"failed": {"true"}}); err != nil || len(all) != 0 {
			t.Errorf("mallory sees %+v, %v", all, err)
		}
	})
}

// TestTrustAndRulesAreWrittenOfWhatWasRead tells who may, and refuses what was read before somebody else wrote.
func TestTrustAndRulesAreWrittenOfWhatWasRead(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "crew/till", map[string]string{"catalog-info.yaml": goodTill + "---\n" + newTeam})
		made, err := client.Post[client.Location](t.Context(), g.alice, "/locations", map[string]string{"repository": "crew/till"})
		if err != nil {
			t.Fatal(err)
		}
		at := "/locations/" + made.ID
		seen, err := client.Get[client.Location](t.Context(), g.admin, at, nil)
		if err != nil || !slices.Equal(seen.Can, []string{"refresh", "trust", "rule"}) || seen.Etag == "" {
			t.Fatalf("the administrator sees %+v, %v", seen, err)
		}
		if l, err := client.Get[client.Location](t.Context(), g.as["rita"], at, nil); err != nil || len(l.Can) != 0 {
			t.Errorf("rita sees %+v, %v", l, err)
		}
		trust := map[string][]string{"kinds": {"Group"}}
		if err := g.alice.Do(t.Context(), http.MethodPut, at+"/trust", nil, trust, nil); !fault.Is(err, fault.Denied) {
			t.Errorf("alice trusts it: %v", err)
		}
		if err := g.admin.When(seen.Etag).Do(t.Context(), http.MethodPut, at+"/trust", nil, trust, nil); err != nil {
			t.Fatal(err)
		}
		if err := g.admin.When(seen.Etag).Do(t.Context(), http.MethodPut, at+"/rules", nil, client.LocationRules{Orphans: "keep"}, nil); !fault.Is(err, fault.Stale) {
			t.Errorf("rules of before the trust: %v", err)
		}
		comesTrue(t, func() bool {
			seen, err = client.Get[client.Location](t.Context(), g.admin, at, nil)
			return err == nil && slices.Contains(seen.Entities, "group:default/squad") && len(seen.Problems) == 0
		}, "the group comes")
		if seen.Total != 2 || seen.Error != "" {
			t.Errorf("trusted, it is %+v", seen)
		}
		if err := g.admin.When(seen.Etag).Do(t.Context(), http.MethodPut, at+"/rules", nil, client.LocationRules{Kinds: []string{"API"}, Orphans: "keep"}, nil); err != nil {
			t.Fatal(err)
		}
		comesTrue(t, func() bool {
			seen, err = client.Get[client.Location](t.Context(), g.admin, at, nil)
			return err == nil && seen.Error != ""
		}, "the component is refused")
		if !slices.Equal(seen.InForce.Kinds, []string{"API"}) || seen.InForce.Orphans != "keep" || !slices.Equal(seen.Trusted, []string{"Group"}) {
			t.Errorf("ruled, it is %+v", seen)
		}
	})
}

// TestALargeLocationSaysHowMuchItIs tells the first 500 of what it brings, and how many there are.
func TestALargeLocationSaysHowMuchItIs(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		var all strings.Builder
		for i := range 510 {
			all.WriteString(strings.ReplaceAll(goodTill, "till", fmt.Sprintf("till-%03d", i)) + "---\n")
		}
		g.push("alice", "crew/till", map[string]string{"catalog-info.yaml": all.String()})
		for _, dry := range []bool{true, false} {
			l, err := client.Post[client.Location](t.Context(), g.alice, "/locations", map[string]any{"repository": "crew/till", "dryRun": dry})
			if err != nil || l.Total != 510 || len(l.Entities) != 500 {
				t.Errorf("dry run %t: %d of %d, %v", dry, len(l.Entities), l.Total, err)
			}
		}
	})
}
