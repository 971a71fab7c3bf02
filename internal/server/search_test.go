package server

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/search"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const searched = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: stores}, spec: {}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-reads}, spec: {role: reader, space: stores, subjects: ["user:default/mallory"]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: payment-gateway, title: Payment Gateway, description: Takes money from cards, tags: [money]}, spec: {type: service, lifecycle: production, owner: crew}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: ledger-books, description: Books every payment twice}, spec: {type: library, lifecycle: experimental, owner: other}}
---
{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: payments}, spec: {type: openapi, lifecycle: production, owner: crew, definition: "openapi: 3.0.0\ninfo: {title: Payments, version: '1'}\npaths:\n  /refunds:\n    post: {operationId: giveBackMoney, responses: {}}\n"}}
`

// find searches as somebody and waits until it is as wanted, since the index follows what is written.
func (g *ground) searches(who, q string, want func(client.SearchResult) bool, more ...string) (found client.SearchResult) {
	g.t.Helper()
	query := url.Values{"q": {q}}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	err := eventually(ctx, func() (bool, error) {
		var err error
		found, err = client.Get[client.SearchResult](ctx, g.as[who], "/search", query)
		return err == nil && !found.Building && want(found), err
	})
	if err != nil {
		g.t.Errorf("%s looks for %s %v: %v; last %s of %d, %+v", who, q, more, err, told(found), found.Total, found.Facets)
	}
	return found
}

// told names what was found.
func told(found client.SearchResult) string {
	var all []string
	for _, h := range found.Items {
		switch h.In {
		case "runs":
			all = append(all, "run of "+h.Ref)
		case "docs":
			all = append(all, h.Address)
		default:
			all = append(all, h.Ref)
		}
	}
	return strings.Join(all, " ")
}

func finds(want string) func(client.SearchResult) bool {
	return func(found client.SearchResult) bool { return told(found) == want }
}

func marked(pieces []client.TextPiece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Match {
			b.WriteString("[" + p.Text + "]")
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// TestSearch is the story of what is found: by whom, in which order, and how that follows what changes.
func TestSearch(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(searched)
		const gateway, books, payments = "component:default/payment-gateway", "component:default/ledger-books", "api:default/payments"
		found := g.searches("rita", "payment", finds(strings.Join([]string{gateway, payments, books}, " ")), "facets", "kind,lifecycle,space")
		if len(found.Items) == 3 {
			if got := marked(found.Items[0].Title) + "|" + marked(found.Items[0].Text) + "|" + marked(found.Items[2].Text); got != "[Payment] Gateway|Takes money from cards|Books every [payment] twice" {
				t.Errorf("it is marked %s", got)
			}
		}
		if !slices.Equal(found.Facets["kind"], []client.Facet{{Field: "kind", Value: "component", Count: 2}, {Field: "kind", Value: "api", Count: 1}}) || !slices.Equal(found.In, []client.Facet{{Field: "in", Value: "entities", Count: 2}, {Field: "in", Value: "apis", Count: 1}}) || found.Facets["owner"] != nil {
			t.Errorf("it is counted %+v, %+v", found.Facets, found.In)
		}
		g.searches("rita", "paymnet gatway", func(r client.SearchResult) bool { return told(r) == gateway && r.Typos })
		g.searches("rita", "payment", finds(books), "lifecycle", "experimental")
		g.searches("rita", "payment owner:crew kind:Component", finds(gateway))
		g.searches("rita", "payment", finds(payments), "in", "apis")
		refunds := g.searches("rita", "refunds", finds(payments))
		if len(refunds.Items) == 1 && !strings.Contains(marked(refunds.Items[0].Text), "/[refunds]") {
			t.Errorf("the definition is marked %s", marked(refunds.Items[0].Text))
		}
		g.searches("rita", "giveBackMoney", finds(payments))

		g.apply(`{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: u-17}, spec: {profile: {displayName: Ada, email: countess@lovelace.example}, memberOf: []}}`)
		for _, q := range []string{"countess@lovelace.example", "Lovelace", "countess kind:user"} {
			g.searches("rita", q, finds("user:default/u-17"))
		}

		// A page leads to the next, and to none of another search.
		first := g.searches("rita", "payment", finds(gateway), "limit", "1")
		g.searches("rita", "payment", finds(payments+" "+books), "limit", "2", "cursor", first.Next)
		if _, err := client.Get[client.SearchResult](t.Context(), g.as["rita"], "/search", url.Values{"q": {"payments"}, "cursor": {first.Next}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a cursor of another search: %v", err)
		}

		// Who may not see a thing finds nothing, and no count of it; not even by a facet.
		none := g.searches("mallory", "payment", finds(""), "facets", "kind,owner,space")
		if none.Total != 0 || len(none.In)+len(none.Facets["kind"])+len(none.Facets["owner"])+len(none.Facets["space"]) != 0 {
			t.Errorf("mallory learns %+v", none)
		}
		hidden := `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: payment-store}, spec: {type: service, lifecycle: production, owner: crew}}`
		if _, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{"source": "stores", "space": "stores", "documents": hidden}); err != nil {
			t.Fatal(err)
		}
		g.searches("mallory", "payment", func(r client.SearchResult) bool { return told(r) == "component:default/payment-store" && r.Total == 1 })

		// It follows: another title, and no more.
		g.apply(strings.Replace(searched, "title: Payment Gateway", "title: Toll Booth", 1))
		g.searches("rita", "toll", finds(gateway))
		if err := g.admin.Do(t.Context(), http.MethodDelete, "/entities/component/default/ledger-books", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.searches("rita", "books", finds(""))
		if _, err := client.Get[client.SearchResult](t.Context(), g.as["rita"], "/search", url.Values{"q": {"x"}, "in": {"everything"}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("in what there is not: %v", err)
		}
		// An index that is made when everything is there finds the same.
		if hits := g.anew(search.Query{Text: "toll"}); len(hits) != 1 || hits[0].Ref != gateway {
			t.Errorf("made anew it finds %+v", hits)
		}
	})
}

// anew gives what an index finds that is made now, of what there is.
func (g *ground) anew(q search.Query) []search.Hit {
	g.t.Helper()
	again := g.house.wireSearch()
	ctx, stop := context.WithCancel(actor.AsSystem(g.t.Context()))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- again.Run(ctx) }()
	var answer search.Answer
	err := eventually(ctx, func() (bool, error) {
		var err error
		answer, err = again.Search(ctx, q)
		return err == nil && !answer.Building, err
	})
	if err != nil {
		g.t.Errorf("an index that is made anew: %v", err)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		g.t.Errorf("it ended with %v", err)
	}
	return answer.Hits
}

const searchedRuns = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: stores}, spec: {}}
---
{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: looks}, spec: {description: Sees entities, permissions: ["entity:read"]}}
---
{apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: nightly-audit}, spec: {entrypoint: main, templates: [{name: main, suspend: {}}]}}
`

// TestSearchRuns is about runs, which are found by their title, their kind and what they are about, by those who may see them.
func TestSearchRuns(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(searchedRuns)
		const template = "workflowtemplate:default/nightly-audit"
		submit := func(as *client.Client, what map[string]string) string {
			t.Helper()
			r, err := client.Post[client.RunDetail](t.Context(), as, "/workflows/runs", what)
			if err != nil {
				t.Fatal(err)
			}
			g.wantRun(g.rests(r.ID), "waiting", "")
			return r.ID
		}
		named := submit(g.alice, map[string]string{"template": "nightly-audit"})
		found := g.searches("rita", "nightly audit", finds("run of "+template), "in", "runs", "facets", "type,space")
		if len(found.Items) == 1 {
			if h := found.Items[0]; h.Run != named || h.In != "runs" || h.Type != "workflow" || h.Space != "default" || h.State != "waiting" || h.Address != "/runs/"+named || marked(h.Title) != "[nightly]-[audit]" {
				t.Errorf("the run is told as %+v", h)
			}
		}
		if !slices.Equal(found.Facets["type"], []client.Facet{{Field: "type", Value: "workflow", Count: 1}}) || !slices.Equal(found.Facets["space"], []client.Facet{{Field: "space", Value: "default", Count: 1}}) {
			t.Errorf("it is counted %+v", found.Facets)
		}
		_, id, _ := strings.Cut(named, "_")
		for _, q := range []string{id, "workflow type:workflow in:runs", "nightly space:default in:runs"} {
			g.searches("rita", q, finds("run of "+template))
		}

		// One that is called otherwise is found by what it is about; who is called so comes first.
		other := submit(g.alice, map[string]string{"document": "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: stray-walrus}, spec: {workflowTemplateRef: {name: nightly-audit}}}"})
		g.searches("rita", "stray walrus", func(r client.SearchResult) bool { return told(r) == "run of "+template && r.Items[0].Run == other })
		g.searches("rita", "nightly audit", func(r client.SearchResult) bool {
			return len(r.Items) == 2 && r.Items[0].Run == named && r.Items[1].Run == other
		}, "in", "runs")

		// Who may not see them finds none, and no count of them; not even who sees what they are about.
		for _, q := range []string{"nightly audit", "stray walrus", id, "type:workflow"} {
			none := g.searches("mallory", q, finds(""), "facets", "type,space")
			if none.Total != 0 || len(none.In)+len(none.Facets["type"])+len(none.Facets["space"]) != 0 {
				t.Errorf("mallory looks for %s and learns %+v", q, none)
			}
		}
		g.apply(`{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-looks}, spec: {role: looks, space: default, subjects: ["user:default/mallory"]}}`)
		seen := g.searches("mallory", "nightly audit", finds(template))
		if seen.Total != 1 || !slices.Equal(seen.In, []client.Facet{{Field: "in", Value: "entities", Count: 1}}) {
			t.Errorf("who sees the template alone learns %+v", seen)
		}
		g.searches("mallory", "stray walrus", finds(""))

		// A run counts as of its own space, whosever its template is.
		g.apply(`{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-reads}, spec: {role: reader, space: stores, subjects: ["user:default/mallory"]}}`)
		there := submit(g.admin, map[string]string{"template": "nightly-audit", "space": "stores"})
		g.searches("mallory", "nightly audit", func(r client.SearchResult) bool {
			return told(r) == "run of "+template && r.Total == 1 && r.Items[0].Run == there && r.Items[0].Space == "stores"
		}, "in", "runs")
		var made []string
		for _, h := range g.anew(search.Query{Text: "nightly audit", In: []string{"runs"}}) {
			made = append(made, h.Run)
		}
		if !slices.Equal(made, []string{there, named, other}) {
			t.Errorf("made anew it finds %v, want %s %s %s", made, there, named, other)
		}
	})
}

// TestSearchDocs is about docs of several entities, in a repository that is renamed and moved, and not for everybody.
func TestSearchDocs(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "default/shop", map[string]string{
			"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: a-shop, annotations: {backstage.io/techdocs-ref: \"dir:.\"}}, spec: {type: openapi, lifecycle: production, owner: crew, definition: x}}\n---\n" + shopDocs,
			"docs/index.md":     "# Welcome\n\nThe shop sells hats.\n\n## Zebra crossing\n\nMind the walrus.\n",
			"docs/guide.md":     "# Guide\n\nNothing here.\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/shop"}); err != nil {
			t.Fatal(err)
		}
		const page = "/docs/default/component/shop"
		found := g.searches("rita", "walrus", finds(page+"#zebra-crossing"))
		if len(found.Items) == 1 && (marked(found.Items[0].Title) != "Zebra crossing" || marked(found.Items[0].Text) != "Mind the [walrus]." || found.Items[0].Ref != "component:default/shop") {
			t.Errorf("the section is %+v", found.Items[0])
		}
		g.searches("rita", "zebar", finds(page+"#zebra-crossing"))
		g.searches("rita", "guide", finds(page+"/guide"), "in", "docs")
		g.searches("mallory", "walrus", func(r client.SearchResult) bool { return told(r) == "" && r.Total == 0 && len(r.In) == 0 })

		g.push("alice", "default/shop", map[string]string{"docs/index.md": "# Welcome\n\n## Zebra crossing\n\nMind the yak.\n"})
		g.searches("rita", "yak", finds(page+"#zebra-crossing"))
		g.searches("rita", "walrus", finds(""))

		if err := g.admin.Do(t.Context(), http.MethodPatch, "/repositories/default/shop", nil, map[string]any{"name": "default/store"}, nil); err != nil {
			t.Fatal(err)
		}
		g.searches("rita", "yak", finds(page+"#zebra-crossing"))
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: vault}, spec: {parent: default}}`)
		if err := g.admin.Do(t.Context(), http.MethodPatch, "/repositories/default/store", nil, map[string]any{"space": "vault"}, nil); err != nil {
			t.Fatal(err)
		}
		g.searches("rita", "yak space:vault", finds(page+"#zebra-crossing"), "in", "docs")
		if err := g.admin.Do(t.Context(), http.MethodDelete, "/repositories/default/store", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.searches("rita", "yak", func(r client.SearchResult) bool { return told(r) == "" && r.Total == 0 })
	})
}

// TestSearchAsBackstage asks as Backstage's front end does, by the library qs.
func TestSearchAsBackstage(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		type results struct {
			Results []struct {
				Type      string
				Rank      int
				Document  map[string]string
				Highlight struct {
					PreTag, PostTag string
					Fields          map[string]string
				}
			}
			NextPageCursor, PreviousPageCursor string
			NumberOfResults                    int
		}
		token := g.token("user:default/rita")
		ask := func(query string, status int) (r results) {
			t.Helper()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/api/search/query?"+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+token)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != status {
				t.Errorf("%s is answered with %d, want %d", query, response.StatusCode, status)
			}
			if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
				t.Errorf("%s: %v", query, err)
			}
			return r
		}
		g.apply(searched)
		g.searches("rita", "payment", func(r client.SearchResult) bool { return r.Total == 3 })
		first := ask("term=payment&types%5B0%5D=software-catalog&types%5B1%5D=techdocs&pageLimit=2", 200)
		if len(first.Results) != 2 || first.NumberOfResults != 3 || first.NextPageCursor == "" || first.PreviousPageCursor != "" {
			t.Fatalf("the first page is %+v", first)
		}
		best := first.Results[0]
		want := map[string]string{
			"title": "Payment Gateway", "text": "Takes money from cards", "location": "/catalog/default/component/payment-gateway", "kind": "Component", "namespace": "default",
			"componentType": "service", "type": "service", "lifecycle": "production", "owner": "group:default/crew",
		}
		if best.Type != "software-catalog" || best.Rank != 1 || !maps.Equal(best.Document, want) || best.Highlight.Fields["title"] != best.Highlight.PreTag+"Payment"+best.Highlight.PostTag+" Gateway" || best.Highlight.PreTag == "" {
			t.Errorf("the best is %+v", best)
		}
		next := ask("term=payment&types%5B0%5D=software-catalog&types%5B1%5D=techdocs&pageLimit=2&pageCursor="+first.NextPageCursor, 200)
		if len(next.Results) != 1 || next.Results[0].Rank != 3 || next.NextPageCursor != "" || next.PreviousPageCursor == "" {
			t.Errorf("the next page is %+v", next)
		}
		back := ask("term=payment&types%5B0%5D=software-catalog&types%5B1%5D=techdocs&pageLimit=2&pageCursor="+next.PreviousPageCursor, 200)
		if len(back.Results) != 2 || back.Results[0].Rank != 1 {
			t.Errorf("the page before is %+v", back)
		}
		if r := ask("term=payment&filters%5Bkind%5D=Component&filters%5Blifecycle%5D%5B0%5D=experimental", 200); r.NumberOfResults != 1 || r.Results[0].Document["title"] != "ledger-books" {
			t.Errorf("filtered: %+v", r)
		}
		if r := ask("term=payment&types%5B0%5D=tools", 200); r.NumberOfResults != 0 || r.Results == nil {
			t.Errorf("of a type that is not there: %+v", r)
		}
		g.apply(`{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: shop, namespace: far, description: Takes no payment}, spec: {type: library, lifecycle: experimental, owner: other}}`)
		g.push("alice", "default/shop", map[string]string{
			"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: shop-api, annotations: {backstage.io/techdocs-ref: \"dir:.\"}}, spec: {type: openapi, lifecycle: experimental, owner: other, definition: x}}\n---\n" + shopDocs,
			"docs/index.md":     "# Welcome\n\nPayment by hand.\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/shop"}); err != nil {
			t.Fatal(err)
		}
		g.searches("rita", "payment by hand", func(r client.SearchResult) bool { return r.Total == 1 })
		of := "term=payment&types%5B0%5D=techdocs&filters%5Bkind%5D=Component&filters%5Bnamespace%5D=default&filters%5Bname%5D="
		if r := ask(of+"shop", 200); r.NumberOfResults != 1 || r.Results[0].Type != "techdocs" || r.Results[0].Document["location"] != "/docs/default/component/shop/" {
			t.Errorf("the docs of an entity: %+v", r)
		}
		if r := ask(of+"payment-gateway", 200); r.NumberOfResults != 0 {
			t.Errorf("the docs of another: %+v", r)
		}

		// Its page sends the filters one by one, and those of what it no longer asks for.
		const docs, api = "/docs/default/component/shop/", "/docs/default/api/shop-api/"
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := eventually(ctx, func() (bool, error) {
			return ask("term=payment&types%5B0%5D=techdocs&filters%5Bname%5D=shop-api", 200).NumberOfResults == 1, nil
		}); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]string{
			"types[0]=techdocs&filters[name]=shop":                                               docs,
			"types[0]=techdocs&filters[name]=Shop-API":                                           api,
			"types[0]=techdocs&filters[name]=payment-gateway":                                    "",
			"types[0]=techdocs&filters[name][0]=payment-gateway&filters[name][1]=shop":           docs,
			"types[0]=techdocs&filters[name]=shop&filters[kind]=API":                             "",
			"types[0]=techdocs&filters[name]=&filters[kind]=API":                                 api,
			"types[0]=techdocs&filters[lifecycle][0]=experimental":                               api,
			"types[0]=techdocs&filters[lifecycle][0]=production&filters[type]=openapi":           "", // no entity is both
			"types[0]=techdocs&filters[owner]=crew&filters[kind][0]=API&filters[kind][1]=System": "",
			"types[0]=techdocs&filters[owner]=crew&filters[componentType]=service":               docs,
			"types[0]=techdocs&filters[namespace]=far":                                           "",
			"filters[name]=shop":                             docs, // Backstage's collator gives entities no name
			"filters[namespace]=far":                         "/catalog/far/component/shop",
			"filters[namespace]=FAR&filters[kind]=Component": "/catalog/far/component/shop",
			"types[0]=software-catalog&filters[namespace]=far&filters[lifecycle]=production": "",
			"types[0]=software-catalog&filters[name]=shop":                                   "",
		} {
			r := ask("term=payment&"+strings.NewReplacer("[", "%5B", "]", "%5D").Replace(query), 200)
			var got []string
			for _, found := range r.Results {
				got = append(got, found.Document["location"])
			}
			if all := strings.Join(got, " "); all != want || r.NumberOfResults != len(got) {
				t.Errorf("%s finds %q of %d, want %q", query, all, r.NumberOfResults, want)
			}
		}
		ask("term=a&filters%5Bcolour%5D=red", 400)
		ask("term=a&pageLimit=1000", 400)
		ask("term=a&pageCursor=nonsense", 400)
		token = "nonsense"
		ask("term=a", 401)
	})
}
