package backstage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

type location struct{ ID, Type, Target, EntityRef string }

type added struct {
	Location location
	Entities []*entity
	Exists   *bool
}

func at(target string) map[string]any { return map[string]any{"type": "url", "target": target} }

func TestALocationFromFirstToLast(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", people+"---\n"+team)
		b.push("team/shop", map[string]string{
			"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: all}, spec: {targets: [./parts/*.yaml, ./shop.yaml]}}\n",
			"shop.yaml":         component("shop", ""),
			"parts/one.yaml":    component("one", "subcomponentOf: shop"),
			"other.yaml":        component("other", ""),
			"teams.yaml":        "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: mine}, spec: {type: team, children: []}}",
			"wrong.yaml":        "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x}, spec: {}}",
		})
		address := b.base + "/git/team/shop/catalog-info.yaml"

		var dry added
		b.ask("alice", "POST /locations?dryRun=true", at(address)).is(201).read(&dry)
		if dry.Exists == nil || *dry.Exists || dry.Location.ID != "url:"+address || dry.Location.Target != address {
			t.Errorf("dry run: %+v", dry)
		}
		if got := names(dry.Entities); !strings.HasPrefix(got, "generated-") || !strings.HasSuffix(got, " all one shop") || dry.Entities[3].Metadata.UID != "" {
			t.Errorf("dry run: %s", got)
		}
		if got := dry.Entities[2].Metadata.Annotations["backstage.io/managed-by-location"]; got != "url:"+b.base+"/git/team/shop/parts/one.yaml" {
			t.Errorf("dry run: it would be managed by %s", got)
		}
		b.ask("alice", "GET /entities/by-name/component/default/shop").is(404)
		if a := b.ask("alice", "GET /locations").is(200); a.text != "[]" {
			t.Errorf("after the dry run: %s", a.text)
		}

		var first, again added
		b.ask("alice", "POST /locations", at(address)).is(201).read(&first)
		l := first.Location
		if l.ID == "" || l.Type != "url" || l.Target != address || len(first.Entities) != 0 || !strings.HasPrefix(l.EntityRef, "location:default/generated-") {
			t.Errorf("%+v", first)
		}
		for _, same := range []string{address, "/git/team/shop/catalog-info.yaml", b.base + "/git/team/shop.git", b.base + "/repositories/team/shop?path=catalog-info.yaml"} {
			b.ask("alice", "POST /locations", at(same)).fails(409, "ConflictError", "Location url:"+address+" already exists")
		}
		b.ask("alice", "POST /locations?onConflict=reject", at(address)).is(409)
		b.ask("alice", "POST /locations?onConflict=refresh", at(address)).is(201).read(&again)
		if again.Location != l {
			t.Errorf("again: %+v", again)
		}
		b.ask("alice", "POST /locations?dryRun=1", at(address)).is(201).read(&dry)
		if !*dry.Exists {
			t.Error("the dry run does not tell that it exists")
		}

		var ancestry struct {
			RootEntityRef string
			Items         []struct {
				Entity           entity
				ParentEntityRefs []string
			}
		}
		b.ask("rita", "GET /entities/by-name/component/default/one/ancestry").is(200).read(&ancestry)
		var told []string
		for _, item := range ancestry.Items {
			told = append(told, item.Entity.Metadata.Name+" of "+strings.Join(item.ParentEntityRefs, " "))
		}
		name := strings.TrimPrefix(l.EntityRef, "location:default/")
		want := []string{"one of location:default/all", "all of " + l.EntityRef, name + " of "}
		if ancestry.RootEntityRef != "component:default/one" || fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("ancestry of %s: %q", ancestry.RootEntityRef, told)
		}
		var generated entity
		b.ask("rita", "GET /entities/by-name/location/default/"+name).is(200).read(&generated)
		b.ask("rita", "GET /entities/by-name/location/default/"+name+"/ancestry").is(200)
		b.ask("rita", "GET /entities/by-name/location/default/generated-0000").fails(404, "NotFoundError")
		if generated.Kind != "Location" || generated.Metadata.Annotations["backstage.io/managed-by-origin-location"] != "url:"+address {
			t.Errorf("%+v", generated)
		}
		b.ask("alice", "POST /refresh", map[string]any{"entityRef": l.EntityRef}).is(200)

		var read location
		var list []struct{ Data location }
		b.ask("rita", "GET /locations").is(200).read(&list)
		b.ask("rita", "GET /locations/by-entity/component/default/one").is(200).read(&read)
		if len(list) != 1 || list[0].Data != l || read != l {
			t.Errorf("listed %+v, by entity %+v", list, read)
		}
		b.ask("rita", "GET /locations/"+l.ID).is(200).read(&read)
		b.ask("carol", "GET /locations/"+l.ID).fails(404, "NotFoundError", "Found no location with ID")
		if a := b.ask("carol", "GET /locations").is(200); a.text != "[]" || read != l {
			t.Errorf("carol sees %s; %+v", a.text, read)
		}
		b.ask("system", "GET /locations/by-entity/group/default/team").fails(404, "NotFoundError", "it was applied")

		// It reads another file from now on.
		other := b.base + "/git/team/shop/other.yaml"
		b.ask("rita", "PUT /locations/"+l.ID, at(other)).is(403)
		b.ask("alice", "PUT /locations/"+l.ID, at(other)).is(200).read(&read)
		if read.ID != l.ID || read.Target != other || read.EntityRef == l.EntityRef {
			t.Errorf("moved: %+v", read)
		}
		b.ask("rita", "GET /entities/by-name/location/default/"+name).is(404)
		b.ask("rita", "GET /entities/by-name/location/default/"+strings.TrimPrefix(read.EntityRef, "location:default/")).is(200)
		b.ask("carol", "GET /entities/by-name/location/default/"+strings.TrimPrefix(read.EntityRef, "location:default/")).is(404)
		b.ask("alice", "GET /entities/by-name/component/default/shop").is(404)
		b.ask("alice", "GET /entities/by-name/component/default/other").is(200)
		b.ask("alice", "POST /locations", at(address)).is(201).read(&first)
		b.ask("alice", "PUT /locations/"+l.ID, at(address)).fails(409, "ConflictError")
		b.ask("alice", "PUT /locations/none", at(address)).fails(404, "NotFoundError")

		b.ask("rita", "DELETE /locations/"+l.ID).fails(403, "NotAllowedError")
		b.ask("carol", "DELETE /locations/"+l.ID).fails(404, "NotFoundError")
		b.ask("alice", "DELETE /locations/"+l.ID).is(204)
		b.ask("alice", "DELETE /locations/"+l.ID).fails(404, "NotFoundError")
		b.ask("alice", "GET /entities/by-name/component/default/other").is(404)
	})
}

func TestALocationThatIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", people+"---\n"+team)
		b.push("team/shop", map[string]string{
			"teams.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: mine}, spec: {type: team, children: []}}",
			"wrong.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x}, spec: {}}",
			"good.yaml":  component("good", ""),
		})
		b.ask("alice", "POST /locations?dryRun=true", at(b.base+"/git/team/shop/teams.yaml")).fails(400, "InputError", "not trusted")
		b.ask("alice", "POST /locations?dryRun=true", at(b.base+"/git/team/shop/wrong.yaml")).fails(400, "InputError", "wrong.yaml:1", "spec.owner")
		b.ask("alice", "POST /locations?dryRun=true", at(b.base+"/git/team/shop/none.yaml")).fails(400, "InputError", "none.yaml")
		for _, who := range []string{"carol", "mallory"} { // who may not read it learns nothing of it
			for _, repository := range []string{"team/shop", "team/none"} {
				b.ask(who, "POST /locations", at(b.base+"/git/"+repository+"/good.yaml")).fails(400, "InputError", "there is no repository "+repository)
				b.ask(who, "POST /locations?dryRun=true", at(b.base+"/git/"+repository+"/good.yaml")).fails(400, "InputError", "there is no repository "+repository)
			}
		}
		b.ask("rita", "POST /locations", at(b.base+"/git/team/shop/good.yaml")).fails(403, "NotAllowedError", "location:write")
		b.ask("rita", "POST /locations?dryRun=true", at(b.base+"/git/team/shop/good.yaml")).fails(403, "NotAllowedError", "location:write")
		for target, why := range map[string]string{
			"nonsense": "not a file", "https://github.com/acme/shop/blob/main/catalog-info.yaml": "connect it first", "http://127.0.0.1:22/x": "connect it first",
			"file:///etc/passwd": "not a file", b.base + "/git/team/shop/../../x": "", "/git/team/shop/a%00b": "not the path", strings.Repeat("x", 5000): "not a file",
		} {
			b.ask("alice", "POST /locations", at(target)).fails(400, "InputError", why)
		}
		for _, body := range []string{`{}`, `{"type":"url"}`, `{"type":"file","target":"x"}`, `{"type":"url","target":"x","foo":1}`, `{"type":5,"target":"x"}`, `[]`, ``} {
			b.ask("alice", "POST /locations", body).fails(400, "InputError")
		}
		b.ask("alice", "POST /locations?onConflict=foo", at("x")).fails(400, "InputError", "refresh, reject")
		if a := b.ask("alice", "GET /locations"); a.text != "[]" {
			t.Errorf("something was registered: %s", a.text)
		}
	})
}

func TestLocationsAreQueried(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", people+"---\n"+team)
		files := map[string]string{}
		for i := range 5 {
			files[fmt.Sprintf("c%d.yaml", i)] = component(fmt.Sprint("c", i), "")
		}
		b.push("team/shop", files)
		for i := range 5 {
			b.ask("alice", "POST /locations", at(fmt.Sprintf("%s/git/team/shop/c%d.yaml", b.base, i))).is(201)
		}
		type page struct {
			Items      []location
			TotalItems int
			PageInfo   struct{ NextCursor string }
		}
		var all []location
		for cursor, limit := "", 2; len(all) < 10; {
			var p page
			body := map[string]any{"limit": limit, "query": map[string]any{"target": map[string]any{"$hasPrefix": b.base + "/GIT/team"}}}
			if cursor != "" {
				body = map[string]any{"cursor": cursor}
			}
			b.ask("rita", "POST /locations/by-query", body).is(200).read(&p)
			if p.TotalItems != 5 || len(p.Items) > 2 {
				t.Fatalf("%+v", p)
			}
			all = append(all, p.Items...)
			if cursor = p.PageInfo.NextCursor; cursor == "" {
				break
			}
		}
		seen := map[string]bool{}
		for _, l := range all {
			seen[l.Target] = true
		}
		if len(all) != 5 || len(seen) != 5 {
			t.Errorf("%+v", all)
		}
		for query, want := range map[string]int{
			`{"id":"` + all[0].ID + `"}`: 1, `{"entityRef":"` + all[1].EntityRef + `"}`: 1, `{"type":"url"}`: 5, `{"type":"file"}`: 0, `{"id":{"$exists":false}}`: 0,
			`{"$not":{"id":"` + all[0].ID + `"}}`: 4, `{"$any":[{"id":"` + all[0].ID + `"},{"id":"` + all[1].ID + `"}]}`: 2, `{"$all":[]}`: 5, `{"id":{"$in":[]}}`: 0,
		} {
			var p page
			b.ask("rita", "POST /locations/by-query", map[string]any{"query": json.RawMessage(query)}).is(200).read(&p)
			if p.TotalItems != want || len(p.Items) != want || p.PageInfo.NextCursor != "" {
				t.Errorf("%s: %+v", query, p)
			}
		}
		b.ask("rita", "POST /locations/by-query").is(200)
		for _, body := range []string{`{"limit":0}`, `{"limit":1.5}`, `{"limit":"x"}`, `{"query":{"nosuch":"x"}}`, `{"query":5}`, `{"cursor":""}`, `{"cursor":"x"}`, `{"cursor":"e30="}`, `null`, `[]`} {
			b.ask("rita", "POST /locations/by-query", body).fails(400, "InputError")
		}
	})
}

func TestARepositoryIsAnalyzed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", people+"---\n"+team)
		b.push("team/shop", map[string]string{
			"catalog-info.yaml": component("shop", ""), "svc/catalog-info.yaml": component("svc", "") + component("more", ""), "bad/catalog-info.yaml": "{", "svc/info.yml": component("odd", ""),
		})
		b.ask("alice", "POST /locations", at(b.base+"/git/team/shop/catalog-info.yaml")).is(201)
		type analysis struct {
			ExistingEntityFiles []struct {
				Location     location
				IsRegistered bool
				Entity       entity
			}
			GenerateEntities []struct {
				Entity entity
				Fields []any
			}
		}
		look := func(who, target string, more ...string) string {
			body := map[string]any{"location": at(target)}
			for _, name := range more {
				body["catalogFilename"] = name
			}
			var a analysis
			b.ask(who, "POST /analyze-location", body).is(200).read(&a)
			var told []string
			for _, e := range a.ExistingEntityFiles {
				told = append(told, fmt.Sprint(e.Entity.Metadata.Name, " ", strings.TrimPrefix(e.Location.Target, b.base), " ", e.IsRegistered))
			}
			for _, g := range a.GenerateEntities {
				told = append(told, "new "+g.Entity.Metadata.Name)
			}
			return strings.Join(told, ", ")
		}
		whole := "shop /git/team/shop/catalog-info.yaml true, svc /git/team/shop/svc/catalog-info.yaml false, more /git/team/shop/svc/catalog-info.yaml false"
		for _, target := range []string{b.base + "/git/team/shop", b.base + "/git/team/shop.git", b.base + "/git/team/shop/README.md", b.base + "/repositories/team/shop"} {
			if got := look("rita", target); got != whole {
				t.Errorf("%s: %s", target, got)
			}
		}
		if got := look("rita", b.base+"/git/team/shop", "info.yml"); got != "odd /git/team/shop/svc/info.yml false" {
			t.Error(got)
		}
		if got := look("carol", b.base+"/git/team/shop"); got != "new shop" {
			t.Errorf("carol learns %s", got)
		}
		for target, want := range map[string]string{
			"https://github.com/acme/web-shop/blob/main/x.yaml": "new web-shop", "https://gitlab.com/a/b/c/-/blob/main/x.yaml": "new c", "https://example.org/acme/shop.git": "new shop",
		} {
			if got := look("rita", target); got != want {
				t.Errorf("%s: %s", target, got)
			}
		}
		for _, body := range []any{map[string]any{}, map[string]any{"location": map[string]any{"type": "url"}}, map[string]any{"location": at("nonsense")}, map[string]any{"location": at("file:///x")},
			map[string]any{"location": at(b.base + "/git/team/shop"), "catalogFilename": "**/*"}} {
			b.ask("rita", "POST /analyze-location", body).fails(400, "InputError")
		}
	})
}

// A list of any length is one answer, in parts that are read one after the other.
func TestALongListIsWhole(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", people+"---\n"+team)
		var text strings.Builder
		const n = 1010
		for i := range n {
			text.WriteString(component(fmt.Sprintf("c%04d", i), ""))
		}
		b.apply("lab", "many", text.String())
		for _, path := range []string{"/entities?fields=metadata.name", "/entities?order=asc:metadata.name", "/entities?limit=980&offset=50"} {
			var list []*entity
			b.ask("carol", "GET "+path).is(200).read(&list)
			seen := map[string]bool{}
			for _, e := range list {
				seen[e.Metadata.Name] = true
			}
			if want := n - 50*strings.Count(path, "offset"); len(list) != want || len(seen) != want {
				t.Errorf("%s: %d entities, %d names", path, len(list), len(seen))
			}
		}
		var page struct {
			Items      []*entity
			TotalItems int
			PageInfo   struct{ NextCursor string }
		}
		b.ask("carol", "GET /entities/by-query?limit=1000&orderField=metadata.name,desc").is(200).read(&page)
		if len(page.Items) != 1000 || page.TotalItems != n || page.PageInfo.NextCursor == "" || page.Items[999].Metadata.Name != "c0010" {
			t.Errorf("%d of %d", len(page.Items), page.TotalItems)
		}
		b.ask("carol", "POST /entities/by-query", map[string]any{"cursor": page.PageInfo.NextCursor, "limit": 1000}).is(200).read(&page)
		if len(page.Items) != 10 {
			t.Errorf("then %d", len(page.Items))
		}
	})
}
