package catalog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/document/backstagetest"
)

// different lists where Roadbed takes less or more than Backstage on purpose.
var different = []struct {
	why  string
	less bool // than Backstage
	is   func(entity map[string]any) bool
}{
	{"a link that runs a script is refused: Backstage takes it, and only its pages leave it out", true, func(e map[string]any) bool {
		text, _ := json.Marshal(e["metadata"])
		return bytes.Contains(bytes.ToLower(text), []byte("script:"))
	}},
}

// Backstage's own validators take what Roadbed takes, refuse what it refuses, and make the same relations of it.
func TestBackstageAgrees(t *testing.T) {
	t.Parallel()
	whole := wholeEntities()
	var fromCorpus []map[string]any
	for _, e := range backstagetest.Corpus(t, "catalog") {
		filled, _ := fillPlaceholders(e).(map[string]any)
		fromCorpus = append(fromCorpus, filled)
	}
	entities := append(slices.Clone(whole), fromCorpus...)
	seed := uint64(20261127)
	random := rand.New(rand.NewPCG(seed, seed))
	for range 6000 {
		from := whole
		if len(fromCorpus) > 0 && random.IntN(3) == 0 {
			from = fromCorpus
		}
		e := backstagetest.Copy(from[random.IntN(len(from))])
		for range 1 + random.IntN(2) {
			mutate(random, e)
		}
		entities = append(entities, e)
	}
	theirs := backstagetest.Judge(t, entities)
	kinds := document.NewRegistry()
	for _, k := range append(catalog.Kinds(), access.Kinds(nil)...) {
		kinds.Register(k)
	}
	taken, excused := 0, 0
	for i, e := range entities {
		ours := judge(kinds, e)
		if ours.Why == "another room's" {
			continue
		}
		if ours.Taken != theirs[i].Taken {
			if excuse(e, ours.Taken) {
				excused++
				continue
			}
			text, _ := json.Marshal(e)
			t.Errorf("%s\nours: %t %s\nBackstage's: %t %s", text, ours.Taken, ours.Why, theirs[i].Taken, theirs[i].Why)
			continue
		}
		if !ours.Taken {
			continue
		}
		taken++
		if diff := cmp.Diff(unique(theirs[i].Relations), unique(ours.Relations)); diff != "" {
			text, _ := json.Marshal(e)
			t.Errorf("%s\nrelations (-Backstage's +ours): %s", text, diff)
		}
	}
	t.Logf("%d entities, %d of them from the corpus; both take %d, %d differ on purpose", len(entities), len(fromCorpus), taken, excused)
	if taken < 1000 || taken > len(entities)-2000 || excused > 60 {
		t.Errorf("of %d entities %d are taken and %d excused: the mutations say little", len(entities), taken, excused)
	}
}

func excuse(e map[string]any, taken bool) bool {
	for _, d := range different {
		if d.less != taken && d.is(e) {
			return true
		}
	}
	return false
}

// judge says what Roadbed does with an entity.
func judge(kinds *document.Registry, e map[string]any) backstagetest.Verdict {
	d, err := document.FromValue(e)
	if err != nil {
		return backstagetest.Verdict{Why: err.Error()}
	}
	kind, wrong := kinds.Check(d)
	if len(wrong) > 0 {
		if strings.Contains(wrong[0].Message, "unknown kind") && !strings.HasPrefix(d.APIVersion, "backstage.io/") {
			return backstagetest.Verdict{Why: "another room's"}
		}
		return backstagetest.Verdict{Why: fmt.Sprint(wrong)}
	}
	v := backstagetest.Verdict{Taken: true}
	if kind.Relations == nil {
		return v
	}
	self := d.Ref().String()
	for _, r := range kind.Relations(d) {
		v.Relations = append(v.Relations, [3]string{self, r.Type, r.Target.String()}, [3]string{r.Target.String(), kinds.Inverse(r.Type), self})
	}
	return v
}

func unique(relations [][3]string) []string {
	lines := []string{}
	for _, r := range relations {
		lines = append(lines, strings.Join(r[:], " "))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// wholeEntities has one of each kind with all that Backstage knows of it.
func wholeEntities() []map[string]any {
	const yaml = `
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: c, namespace: shop, title: C, description: d, uid: u, etag: e, labels: {a: b, example.com/tier: one}, annotations: {backstage.io/techdocs-ref: 'dir:.', x: ''}, tags: [go, 'c++'], links: [{url: 'https://example.com/x', title: X, icon: web, type: site}]},
 spec: {type: service, lifecycle: production, owner: group:default/team, system: s, subcomponentOf: big, providesApis: [a, 'api:other/b'], consumesApis: [c], dependsOn: ['component:d', 'resource:shop/e'], dependencyOf: ['component:f']}}
---
{apiVersion: backstage.io/v1beta1, kind: API, metadata: {name: a}, spec: {type: openapi, lifecycle: production, owner: 'user:ann', system: s, definition: 'openapi: 3.1.0'}}
---
{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: m}, spec: {type: mcp-server, lifecycle: production, owner: team, system: s, remotes: [{type: streamable-http, url: 'https://example.com/mcp'}]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: r}, spec: {type: database, owner: team, system: s, dependsOn: ['resource:x'], dependencyOf: ['component:y']}}
---
{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: s}, spec: {owner: team, domain: d, type: product}}
---
{apiVersion: backstage.io/v1alpha1, kind: Domain, metadata: {name: d}, spec: {owner: team, subdomainOf: e, type: x}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: g}, spec: {type: team, profile: {displayName: G, email: g@example.com, picture: 'https://example.com/g'}, parent: p, children: [x, 'group:other/y'], members: [ann, 'user:other/bob']}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: u}, spec: {profile: {displayName: U, email: u@example.com, picture: p}, memberOf: [g, 'group:other/h']}}
---
{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: l}, spec: {type: url, target: 'https://example.com/x', targets: [./a.yaml, ./b/*.yaml], presence: optional}}
---
{apiVersion: backstage.io/v1alpha1, kind: AiResource, metadata: {name: s}, spec: {type: skill, lifecycle: production, owner: team, system: s, disciplines: [a], categories: [b], agents: [c], dependsOn: [other], allowedTools: x, license: y, compatibility: z}}
---
{apiVersion: backstage.io/v1alpha1, kind: AiResource, metadata: {name: r}, spec: {type: rule, lifecycle: production, owner: team, disciplines: [a], category: b, rationale: c}}
---
{apiVersion: backstage.io/v1alpha1, kind: AiResource, metadata: {name: p}, spec: {type: plugin, lifecycle: production, owner: team, skills: [a, 'airesource:other/b'], version: '1'}}
---
{apiVersion: backstage.io/v1alpha1, kind: AiResource, metadata: {name: m}, spec: {type: marketplace, lifecycle: production, owner: team, plugins: [a], version: '1'}}
---
{apiVersion: backstage.io/v1alpha1, kind: AiResource, metadata: {name: o}, spec: {type: other, lifecycle: production, owner: team, dependsOn: 5}}
`
	return backstagetest.Entities("whole.yaml", []byte(yaml))
}

func fillPlaceholders(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if len(v) == 1 && strings.HasPrefix(key, "$") {
				return "filled"
			}
			v[key] = fillPlaceholders(value)
		}
	case []any:
		for i := range v {
			v[i] = fillPlaceholders(v[i])
		}
	}
	return v
}

// mutate changes one thing of an entity.
func mutate(random *rand.Rand, e map[string]any) {
	pick := func(of []string) string { return of[random.IntN(len(of))] }
	metadata, _ := e["metadata"].(map[string]any)
	spec, _ := e["spec"].(map[string]any)
	if metadata == nil || spec == nil {
		return
	}
	mapping := func(of map[string]any, key string) map[string]any {
		m, _ := of[key].(map[string]any)
		if m == nil {
			m = map[string]any{}
			of[key] = m
		}
		return m
	}
	names := []string{"a", "A.b", "a_b", "a-b", "-a", "a-", ".a", "a..b", "a--b", "a b", "é", "a/b", "a:b", strings.Repeat("n", 63), strings.Repeat("n", 64), "1", "a.B_c-d", "a\n"}
	keys := []string{"a", "a/b", "a.b/c", "A.b/c", "a/b/c", "/a", "a/", "-a/b", "a..b/c", strings.Repeat("p.", 126) + "p/n", strings.Repeat("p.", 127) + "p/n", strings.Repeat("p", 64) + "/n",
		"a/" + strings.Repeat("n", 63), "a/" + strings.Repeat("n", 64), "a_b/c", "a b", "example.com/view-url", "é/b", "a--b/c", ""}
	tags := []string{"a", "A", "a-b", "a--b", "c++", "c#", "a:b", "-a", "a_b", "a.b", strings.Repeat("t", 63), strings.Repeat("t", 64), "", "é"}
	urls := []string{"https://example.com", "http://a:8080/x?y#z", "example.com", "//example.com", "mailto:a@b", "https://", "http:example.com", "javascript:alert(1)", " https://a ", "https://a b/", "https://a/b c",
		"https://a:99999", "https://a:b", "https://[::1]/", "https://[x]", "ftp://x", "x:", "1x:y", "https://user:pass@host/", "https:///a", "/relative", "slack://channel?id=1", "file:///x", "https://exa%20mple.com", "https://a/%zz", "", "https://a|b", "tel:+1"}
	refs := []string{"a", "group:a", "group:b/a", "user:a", "b/a", "a@b.c", ":a", "a:", "/a", "a/", "a:/b", "a:b/", "a/b/c", "a/b:c", "A:B/C", " ", "group:default/a b", "x:y:z"}
	switch random.IntN(12) {
	case 0:
		metadata["name"] = pick(names)
	case 1:
		metadata["namespace"] = pick(names)
	case 2:
		mapping(metadata, "labels")[pick(keys)] = pick(append(names, ""))
	case 3:
		mapping(metadata, "annotations")[pick(keys)] = pick([]string{"", "x", "any text\n at all", "https://example.com", "javascript:alert(1)"})
	case 4:
		metadata["tags"] = []any{pick(tags), pick(tags)}
	case 5:
		metadata["links"] = []any{map[string]any{"url": pick(urls), pick([]string{"title", "icon", "type", "other"}): pick([]string{"x", "", " "})}}
	case 6:
		e["apiVersion"] = pick([]string{"backstage.io/v1alpha1", "backstage.io/v1beta1", "backstage.io/v1", "backstage.io", ""})
	case 7:
		e["kind"] = pick([]string{"Component", "API", "Resource", "System", "Domain", "Group", "User", "Location", "AiResource", "component", "Api", "Nothing", ""})
	case 8:
		e[pick([]string{"status", "relations", "data", "Spec", "x"})] = map[string]any{}
	case 9:
		field := pick([]string{"owner", "system", "domain", "subdomainOf", "subcomponentOf", "parent"})
		spec[field] = pick(refs)
	case 10:
		field := pick([]string{"providesApis", "consumesApis", "dependsOn", "dependencyOf", "memberOf", "children", "members", "skills", "plugins", "targets"})
		spec[field] = []any{pick(refs), pick(refs)}
	case 11:
		anywhere(random, e)
	}
}

// anywhere drops a field at any place, or puts another value there.
func anywhere(random *rand.Rand, e map[string]any) {
	type place struct {
		in  map[string]any
		key string
	}
	var places []place
	var walk func(m map[string]any)
	walk = func(m map[string]any) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			places = append(places, place{m, key})
			switch v := m[key].(type) {
			case map[string]any:
				walk(v)
			case []any:
				for _, item := range v {
					if inner, ok := item.(map[string]any); ok {
						walk(inner)
					}
				}
			}
		}
	}
	walk(e)
	at := places[random.IntN(len(places))]
	values := []any{nil, "", " ", "x", "group:default/x", float64(0), float64(1), 1.5, true, false, []any{}, []any{"x"}, []any{""}, []any{float64(1)}, []any{nil}, []any{[]any{}}, map[string]any{},
		map[string]any{"a": "b"}, map[string]any{"a": float64(1)}, []any{map[string]any{"url": "https://a"}}, []any{map[string]any{"type": "a", "url": "b"}}}
	if i := random.IntN(len(values) + 6); i < len(values) {
		at.in[at.key] = values[i]
	} else {
		delete(at.in, at.key)
	}
}
