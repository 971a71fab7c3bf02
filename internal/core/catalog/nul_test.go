package catalog_test

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A NUL, which PostgreSQL takes in no text, is refused with its place on both databases, whichever way a document comes and
// wherever in it the NUL is; the others are taken.
func TestANULIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("good", "")})
		l := b.location(alice, "default", "team/shop", "")
		for field, text := range map[string]string{
			"metadata.name":          component(`"a\0b"`, ""),
			"metadata.title":         strings.Replace(component("bad", ""), "tags: [go]", `title: "a\0b"`, 1),
			"metadata.description":   strings.Replace(component("bad", ""), "tags: [go]", `description: "a\0b"`, 1),
			"metadata.annotations.x": strings.Replace(component("bad", ""), "tags: [go]", `annotations: {x: "a\0b"}`, 1),
			"metadata.links.0.title": strings.Replace(component("bad", ""), "tags: [go]", `links: [{url: "https://x.test", title: "a\0b"}]`, 1),
			"metadata.note":          strings.Replace(component("bad", ""), "tags: [go]", `note: "a\0b"`, 1),
			"spec.type":              strings.Replace(component("bad", ""), "type: service", `type: "a\0b"`, 1),
			"spec.owner":             strings.Replace(component("bad", ""), "owner: team", `owner: "a\0b"`, 1),
			"spec.deep.1.x":          component("bad", `deep: [c, {x: "a\0b"}]`),
			`spec.a\0b`:              component("bad", `"a\0b": c`),
			"spec.w":                 widget("bad", `w: "a\0b"`),
			"kind":                   strings.Replace(component("bad", ""), "kind: Component", `kind: "a\0b"`, 1),
			"apiVersion":             strings.Replace(component("bad", ""), "apiVersion: backstage.io/v1alpha1", `apiVersion: "a\0b"`, 1),
		} {
			told := func(what, got string, places ...string) {
				t.Helper()
				for _, want := range append(places, field) {
					if !strings.Contains(got, want) || strings.Contains(got, "\x00") {
						t.Errorf("%s of %s: %q, want %s", what, field, got, want)
					}
				}
			}
			_, err := b.try(alice, "default", "apply", component("good2", "")+text)
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s is applied: %v", field, err)
				continue
			}
			told("an apply", err.Error(), "test.yaml:4")
			_, out, err := b.Push(accesstest.As("adam"), catalog.Push{Name: "cmdb", Whole: true, Documents: parse(t, component("pushed", "")+text)})
			if err != nil || out.Wrong != 1 || len(out.Details) == 0 {
				t.Errorf("%s is pushed: %+v, %v", field, out, err)
				continue
			}
			told("a push", out.Details[0].String())
			b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("good", "") + text})
			now, _, err := b.RefreshLocation(alice, l.ID)
			if err != nil || now.Error == "" {
				t.Errorf("%s is read: %+v, %v", field, now, err)
				continue
			}
			told("a location", details(now), "catalog-info.yaml:4")
			if e := b.get("pushed"); e.Source != "push:cmdb" {
				t.Errorf("what was pushed with it is %+v", e)
			}
		}
	})
}
