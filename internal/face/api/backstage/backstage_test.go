package backstage_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const team = "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: team}, spec: {type: team, children: []}}\n---\n"

func component(name, more string) string {
	return "---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: " + name + "}, spec: {type: service, lifecycle: production, owner: team, " + more + "}}\n"
}

// push commits files as Alice, in a repository that is made at first.
func (b *bench) push(name string, files map[string]string) {
	b.t.Helper()
	alice := accesstest.As("alice")
	parent, err := b.repositories.Platform().Head(alice, name, "")
	if fault.Is(err, fault.NotFound) {
		namespace, short, _ := strings.Cut(name, "/")
		_, err = b.repositories.Create(alice, repository.NewRepository{Space: "default", Namespace: namespace, Name: short})
		if fault.Is(err, fault.Conflict) {
			err = nil
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
	request := git.CommitRequest{Branch: "main", Parent: parent, Author: git.Signature{Name: "Alice", Email: "alice@example.com"}, Message: "change"}
	for path, text := range files {
		request.Changes = append(request.Changes, git.FileChange{Path: path, Content: []byte(text), Delete: text == ""})
	}
	if _, err := b.repositories.CommitFiles(alice, name, request); err != nil {
		b.t.Fatal(err)
	}
}

func TestNobodyIsAnswered(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for _, do := range []string{"GET /entities", "GET /nothing", "POST /refresh", "GET /entities/by-query?limit=x"} {
			a := b.ask("", do)
			a.fails(401, "AuthenticationError", "Missing credentials")
			if a.header.Get("WWW-Authenticate") == "" {
				t.Error("it is not said how to authenticate")
			}
		}
		for _, header := range []string{"Bearer nonsense", "Basic dG9rZW4tYWRhbTo=", "token-adam", "Bearer "} {
			a := b.askWith("GET /entities", header)
			a.fails(401, "AuthenticationError")
		}
		b.askWith("GET /entities", "bearer token-adam").is(200)
	})
}

func TestTheReaderSeesWhatTheyMay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", people+"---\n"+team)
		b.apply("default", "one", component("shop", "dependsOn: ['component:lab-tool']"))
		b.apply("lab", "two", component("lab-tool", ""))
		var shop entity
		b.ask("rita", "GET /entities/by-name/component/default/shop").is(200).read(&shop)

		b.ask("carol", "GET /entities/by-name/component/default/shop").fails(404, "NotFoundError", "No entity named 'shop' found")
		b.ask("carol", "GET /entities/by-uid/"+shop.Metadata.UID).fails(404, "NotFoundError", "No entity with uid")
		b.ask("carol", "DELETE /entities/by-uid/"+shop.Metadata.UID).is(204)
		b.ask("carol", "GET /entities/by-name/component/default/shop/ancestry").fails(404, "NotFoundError")
		b.ask("carol", "POST /refresh", map[string]any{"entityRef": "component:default/shop"}).fails(404, "NotFoundError")
		b.ask("carol", "GET /locations/by-entity/component/default/shop").fails(404, "NotFoundError")
		var list []*entity
		b.ask("carol", "GET /entities").is(200).read(&list)
		if got := names(list); got != "lab-tool" {
			t.Errorf("carol sees %s", got)
		}
		if len(list[0].Relations) != 1 {
			t.Errorf("carol sees who depends on it: %+v", list[0].Relations)
		}
		var page struct {
			Items      []*entity
			TotalItems int
		}
		b.ask("carol", "GET /entities/by-query?filter=kind=component").read(&page)
		if names(page.Items) != "lab-tool" || page.TotalItems != 1 {
			t.Errorf("carol's query: %s of %d", names(page.Items), page.TotalItems)
		}
		b.ask("carol", "POST /entities/by-refs", map[string]any{"entityRefs": []string{"component:default/shop", "component:default/lab-tool"}}).read(&page)
		if got := names(page.Items); got != "null lab-tool" {
			t.Errorf("carol's batch: %s", got)
		}
		if a := b.ask("carol", "GET /entity-facets?facet=metadata.name"); a.text != `{"facets":{"metadata.name":[{"value":"lab-tool","count":1}]}}` {
			t.Errorf("carol's facets: %s", a.text)
		}

		b.ask("rita", "DELETE /entities/by-uid/"+shop.Metadata.UID).fails(403, "NotAllowedError", "entity:delete")
		b.ask("alice", "DELETE /entities/by-uid/"+shop.Metadata.UID).is(204)
		b.ask("rita", "GET /entities/by-uid/"+shop.Metadata.UID).is(404)
		b.ask("alice", "DELETE /entities/by-uid/"+shop.Metadata.UID).is(204)
	})
}

// pages goes through a list by its cursors and back again.
func TestCursorsGoBothWays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", team)
		var text strings.Builder
		for i := range 25 {
			fmt.Fprintf(&text, "---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: c%02d, title: \"T%02d ü\"}, spec: {type: service, lifecycle: production, owner: team}}\n", i, i/3)
		}
		b.apply("default", "many", text.String())
		type page struct {
			Items      []*entity
			TotalItems int
			PageInfo   struct{ NextCursor, PrevCursor string }
		}
		for _, c := range []struct {
			first string
			body  any
			want  string // the first and the last
		}{
			{"GET /entities/by-query?filter=kind=component&limit=10&orderField=metadata.title,desc&orderField=kind", nil, "c24 c02"},
			{"GET /entities/by-query?filter=kind=component&limit=10&orderField=metadata.name", nil, "c00 c24"},
			{"GET /entities/by-query?limit=10&filter=kind=component", nil, "c00 c24"},
			{"GET /entities/by-query?limit=10&fullTextFilterTerm=t0&fullTextFilterFields=metadata.title,metadata.name", nil, "c00 c24"},
			{"POST /entities/by-query", map[string]any{"limit": 10, "query": map[string]any{"$any": []any{map[string]any{"kind": "component"}}}, "orderBy": []any{map[string]any{"field": "metadata.name", "order": "desc"}}}, "c24 c00"},
		} {
			var body []any
			if c.body != nil {
				body = append(body, c.body)
			}
			var p page
			b.ask("system", c.first, body...).is(200).read(&p)
			if p.TotalItems != 25 || p.PageInfo.PrevCursor != "" {
				t.Errorf("%s: the first page has %d in all, and before it %q", c.first, p.TotalItems, p.PageInfo.PrevCursor)
			}
			next := func(cursor string) (p page) {
				// As Backstage's client: a cursor with a query goes by POST.
				data, err := base64.StdEncoding.DecodeString(cursor)
				var inside map[string]any
				if err != nil || json.Unmarshal(data, &inside) != nil {
					t.Fatalf("the cursor %q can't be read", cursor)
				}
				if _, query := inside["query"]; query {
					b.ask("system", "POST /entities/by-query", map[string]any{"cursor": cursor, "limit": 10}).is(200).read(&p)
				} else {
					b.ask("system", "GET /entities/by-query?limit=10&cursor="+url.QueryEscape(cursor)).is(200).read(&p)
				}
				if p.TotalItems != 25 {
					t.Errorf("%s: %d in all on the next page", c.first, p.TotalItems)
				}
				return p
			}
			second := next(p.PageInfo.NextCursor)
			third := next(second.PageInfo.NextCursor)
			all := strings.Fields(names(p.Items) + " " + names(second.Items) + " " + names(third.Items))
			if len(all) != 25 || all[0]+" "+all[24] != c.want || third.PageInfo.NextCursor != "" || second.PageInfo.PrevCursor == "" {
				t.Errorf("%s: %v", c.first, all)
			}
			back := next(third.PageInfo.PrevCursor)
			if names(back.Items) != names(second.Items) || back.PageInfo.NextCursor == "" {
				t.Errorf("%s: back to %s, not %s", c.first, names(back.Items), names(second.Items))
			}
			first := next(back.PageInfo.PrevCursor)
			if names(first.Items) != names(p.Items) || first.PageInfo.PrevCursor != "" {
				t.Errorf("%s: back to %s, and before it %q", c.first, names(first.Items), first.PageInfo.PrevCursor)
			}
			if again := next(first.PageInfo.NextCursor); names(again.Items) != names(second.Items) {
				t.Errorf("%s: forward again to %s", c.first, names(again.Items))
			}
		}
		for _, inside := range []string{
			``, `{`, `[]`, `{"orderFields":[],"orderFieldValues":[],"isPrevious":false}`, `{"orderFields":[],"orderFieldValues":[null],"isPrevious":false}`,
			`{"orderFields":[{"field":"kind","order":"asc"}],"orderFieldValues":["x"],"isPrevious":false}`, `{"orderFields":[],"orderFieldValues":["x"],"query":{"$foo":1}}`,
			`{"orderFields":[],"orderFieldValues":["x"],"query":5}`, `{"orderFields":null,"orderFieldValues":["x"]}`,
		} {
			cursor := base64.StdEncoding.EncodeToString([]byte(inside))
			if cursor != "" {
				b.ask("system", "GET /entities/by-query?cursor="+url.QueryEscape(cursor)).fails(400, "InputError")
			}
			b.ask("system", "POST /entities/by-query", map[string]any{"cursor": cursor}).fails(400, "InputError")
		}
	})
}

func TestTheHeaderLinkLeadsThroughAll(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", team+strings.ReplaceAll(component("a", "")+component("b", "")+component("c", "")+component("d", "")+component("e", ""), "\n\n", "\n"))
		for path, want := range map[string]string{
			"/entities?filter=kind=component&limit=2":                          "a b c d e",
			"/entities?filter=kind=component&limit=2&offset=1":                 "b c d e",
			"/entities?filter=kind=component&limit=2&order=desc:metadata.name": "e d c b a",
		} {
			var all []string
			for next := path; next != ""; {
				var list []*entity
				a := b.ask("system", "GET "+next).is(200)
				a.read(&list)
				all = append(all, names(list))
				link := a.header.Get("Link")
				next, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), `>; rel="next"`)
				if len(all) > 9 {
					t.Fatal("it does not end")
				}
			}
			if got := strings.Join(all, " "); got != want {
				t.Errorf("%s: %s", path, got)
			}
		}
	})
}

func TestEverythingIsBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		many := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
		b.ask("system", "GET /entities?"+strings.Repeat("filter=a&", 101)).fails(400, "InputError", "at most 100")
		b.ask("system", "GET /entities?filter="+many(1001, "a=b")).is(200) // one key
		var keys []string
		for i := range 1001 {
			keys = append(keys, fmt.Sprint("k", i))
		}
		b.ask("system", "GET /entities?filter="+strings.Join(keys, ",")).fails(400, "InputError", "at most 1000")
		b.ask("system", "GET /entities?filter=kind="+strings.Repeat("x", 32_000)).fails(400, "InputError", "POST")
		b.ask("system", "GET /entities?fields="+many(201, "a")).is(200) // the same one
		b.ask("system", "GET /entities?fields="+strings.Join(keys[:201], ",")).fails(400, "InputError", "at most 200")
		b.ask("system", "GET /entities?fields="+strings.Repeat("a.", 41)+"a").fails(400, "InputError", "40 parts")
		b.ask("system", "GET /entity-facets?facet="+strings.Join(keys[:101], "&facet=")).fails(400, "InputError", "at most 100")
		deep := `{"kind":"x"}`
		for range 21 {
			deep = `{"$not":` + deep + `}`
		}
		b.ask("system", "POST /entities/by-query", `{"query":`+deep+`}`).fails(400, "InputError", "at most 20 levels")
		b.ask("system", "POST /entities/by-query", `{"query":{"$any":[`+many(1001, `{"kind":"x"}`)+`]}}`).fails(400, "InputError", "too large")
		b.ask("system", "POST /entities/by-query", `{"query":{"kind":{"$in":[`+many(5001, `"x"`)+`]}}}`).fails(400, "InputError", "too large")
		b.ask("system", "POST /entities/by-query", `{"query":`+strings.Repeat(`{"$not":`, 200_000)).fails(413, "PayloadTooLargeError")
		b.ask("system", "POST /entities/by-query", strings.Repeat("[", 100_000)).fails(400, "InputError")
		b.ask("system", "POST /entities/by-query", `{"query":`+strings.Repeat("[", 100_000)).fails(400, "InputError")
		b.ask("system", "POST /entities/by-refs", `{"entityRefs":[`+many(5001, `"component:default/x"`)+`]}`).fails(413, "PayloadTooLargeError", "at most 5000")
		b.ask("system", "GET /entities?filer=kind=component").fails(400, "InputError", "Unknown query parameter 'filer'")
		b.ask("system", "GET /entities/by-query?limit=99999999999999999999").fails(400, "InputError")
		b.ask("system", "GET /entities/by-query?limit=9999999999&offset=9999999999").is(200)
		b.ask("system", "GET /entities/by-query?fullTextFilterTerm="+strings.Repeat("x", 501)).fails(400, "InputError", "too long")
		after := func(text string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(text))) }
		for _, text := range []string{`{"limit":-1}`, `{"offset":-1}`, `{"offset":1e30}`, `{"limit":"a"}`, `[]`, `{`} {
			b.ask("system", "GET /entities?after="+after(text)).fails(400, "InputError")
		}
	})
}

func TestAnErrorOfTheSourceIsInTheStatus(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", people+"---\n"+team)
		b.push("team/shop", map[string]string{"catalog-info.yaml": component("shop", "")})
		at := map[string]any{"type": "url", "target": b.base + "/git/team/shop/catalog-info.yaml"}
		b.ask("alice", "POST /locations", at).is(201)
		var before, after entity
		b.ask("rita", "GET /entities/by-name/component/default/shop").is(200).read(&before)
		if len(before.Status.Items) != 0 || before.Metadata.Annotations["backstage.io/managed-by-origin-location"] != "url:"+at["target"].(string) {
			t.Errorf("before: %+v", before)
		}
		b.push("team/shop", map[string]string{"catalog-info.yaml": strings.Replace(component("shop", ""), "owner: team", "owner: [x]", 1)})
		b.ask("alice", "POST /refresh", map[string]any{"entityRef": "component:default/shop"}).is(200)
		b.ask("rita", "GET /entities/by-name/component/default/shop").is(200).read(&after)
		if len(after.Status.Items) != 1 || after.Metadata.UID != before.Metadata.UID || after.Metadata.Etag != before.Metadata.Etag {
			t.Fatalf("after: %+v", after)
		}
		item := after.Status.Items[0]
		if item.Type != "backstage.io/catalog-processing" || item.Level != "error" || item.Error.Name != "InputError" || !strings.Contains(item.Error.Message, "spec.owner") || item.Message != "InputError: "+item.Error.Message {
			t.Errorf("%+v", item)
		}
		b.ask("rita", "POST /refresh", map[string]any{"entityRef": "component:default/shop"}).fails(403, "NotAllowedError")
		b.ask("rita", "POST /refresh", map[string]any{"entityRef": "component:default/shop", "authorizationToken": "token-alice"}).is(200)
		b.ask("alice", "POST /refresh", map[string]any{"entityRef": "component:default/shop", "authorizationToken": "nonsense"}).fails(401, "AuthenticationError")
		b.ask("alice", "DELETE /entities/by-uid/"+after.Metadata.UID).fails(409, "ConflictError", "remove it there")
	})
}
