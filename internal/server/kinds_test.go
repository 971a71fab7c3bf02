package server

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// ownKinds are the product's own kinds beside Backstage's, each with the line of its spec that breaks its schema.
func ownKinds() map[string]string {
	return map[string]string{
		"Application":      "source: [deploy]",
		"BranchRule":       "approvals: many",
		"Context":          "variables: none",
		"Directory":        "ldap: [ldap.example.com]",
		"Discovery":        "repositories: [shop]",
		"Integration":      "token: not-a-reference",
		"Kind":             "versions: v1",
		"Module":           "source: [modules]",
		"Policy":           "rego: [allow]",
		"PriceList":        "prices: free",
		"Provider":         "signingKeys: none",
		"Role":             "permissions: all",
		"RoleBinding":      "subjects: everybody",
		"Scorecard":        "levels: gold",
		"Space":            "parent: [default]",
		"Stack":            "source: [infra]",
		"StackSet":         "folders: all",
		"TechRadar":        "rings: adopt",
		"Template":         "steps: none",
		"Trigger":          "run: always",
		"Webhook":          "labels: many",
		"WorkerPool":       "shared: perhaps",
		"WorkflowTemplate": "templates: none",
	}
}

// TestTheProductsOwnKindsAreKindsLikeAllOthers holds each of them to what a kind is: it is in the registry with Backstage's and
// declared ones, the list of kinds tells of it, and a document that breaks its schema is refused with its place, whether
// somebody applies it or a repository brings it.
func TestTheProductsOwnKindsAreKindsLikeAllOthers(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(declaredKind)
		listed, err := client.All[client.KindInfo](t.Context(), g.as["mallory"], "/kinds", nil)
		if err != nil {
			t.Fatal(err)
		}
		var own []string
		files := map[string]string{}
		for _, k := range g.house.Kinds.List() {
			want := client.KindInfo{Name: k.Name, Plural: k.Plural, APIVersions: k.APIVersions, Description: k.Description, Icon: k.Icon, Restricted: k.Restricted, Declared: k.Name == "Dataset"}
			if !slices.ContainsFunc(listed, func(k client.KindInfo) bool { return reflect.DeepEqual(k, want) }) || k.Description == "" || k.Validate == nil {
				t.Errorf("the kind %s is listed otherwise, or has no schema: %+v", k.Name, listed)
			}
			if by, ok := g.house.Kinds.ByName(k.Plural); !ok || by.Name != k.Name {
				t.Errorf("%s leads to the kind %s", k.Plural, by.Name)
			}
			if !k.Strict { // which Backstage's are, and declared ones
				own = append(own, k.Name)
				files["kinds/"+strings.ToLower(k.Name)+".yaml"] = "apiVersion: " + k.APIVersions[0] + "\nkind: " + k.Name + "\nmetadata: {name: odd}\nspec:\n  " + ownKinds()[k.Name] + "\n"
			}
		}
		if want := slices.Sorted(maps.Keys(ownKinds())); !slices.Equal(own, want) || len(listed) != len(g.house.Kinds.List()) {
			t.Fatalf("the product's own kinds are %v, want %v, among %d that are listed", own, want, len(listed))
		}

		g.push("alice", "default/kinds", files)
		l, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/kinds", "path": "kinds/*.yaml"})
		if err != nil || len(l.Entities) > 0 {
			t.Errorf("a location of documents that are wrong brings %v, %v", l.Entities, err)
		}
		for path, text := range files {
			d, err := document.Parse(path, []byte(text), document.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			field := slices.Collect(maps.Keys(d[0].Spec))[0]
			if !slices.ContainsFunc(l.Problems, func(p client.FileProblem) bool {
				return p.File == path && p.Line == 5 && p.Column > 0 && strings.HasPrefix(p.Field, "spec."+field) && p.Message != ""
			}) {
				t.Errorf("of %s the location tells %+v", path, l.Problems)
			}
			if err := g.try("admin", text); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "documents:5:") || !strings.Contains(err.Error(), "spec."+field) {
				t.Errorf("%s is applied: %v", path, err)
			}
			entity := "/entities/" + strings.ToLower(d[0].Kind) + "/default/odd"
			if _, err := client.Get[client.Entity](t.Context(), g.admin, entity, nil); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s is there: %v", entity, err)
			}
		}
	})
}
