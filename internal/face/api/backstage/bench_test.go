package backstage_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// What an answer costs, of 5,000 entities.
func BenchmarkAnswers(b *testing.B) {
	const n = 5000
	t := setup(b, storetest.SQLite(b, rooms()...))
	t.apply("default", "people", people+"---\n"+team)
	for from := 0; from < n; from += 1000 {
		var text strings.Builder
		for i := from; i < from+1000; i++ {
			fmt.Fprintf(&text, "---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: c%04d, title: Service %d, description: Keeps the orders of a part in order, "+
				"tags: [go, t%d], annotations: {github.com/project-slug: acme/c%d}, links: [{url: 'https://c%d.example.org', title: Site}]}, "+
				"spec: {type: service, lifecycle: production, owner: team, system: s%d, dependsOn: ['component:c%04d']}}\n", i, i, i%50, i, i, i%100, (i*7+1)%n)
		}
		t.apply("default", fmt.Sprint("part", from), text.String())
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- t.catalog.Run(ctx) }() // follows the ledger, as in a server
	defer func() {
		cancel()
		<-done
	}()
	for _, c := range []struct {
		name string
		path func(i int) string
		body func(i int) string // then it is a POST
	}{
		{"by-name", func(i int) string { return fmt.Sprintf("/entities/by-name/component/default/c%04d", i%n) }, nil},
		{"by-name-of-one", func(int) string { return "/entities/by-name/component/default/c0042" }, nil},
		{"by-query", func(i int) string {
			return fmt.Sprintf("/entities/by-query?filter=kind=component,metadata.tags=t%d&limit=20&orderField=metadata.name,asc", i%50)
		}, nil},
		{"by-query-with-fields", func(i int) string {
			return fmt.Sprintf("/entities/by-query?filter=kind=component,metadata.tags=t%d&limit=20&orderField=metadata.name,asc&fields=kind,metadata.name,metadata.title,spec.type,relations", i%50)
		}, nil},
		{"ordered-page", func(i int) string {
			return fmt.Sprintf("/entities/by-query?filter=kind=component&limit=50&orderField=metadata.title,desc&offset=%d", i*50%(n-50))
		}, nil},
		{"facets", func(int) string { return "/entity-facets?facet=spec.system&filter=kind=component" }, nil},
		{"by-refs-of-100", func(int) string { return "/entities/by-refs" }, func(i int) string {
			var refs []string
			for k := range 100 {
				refs = append(refs, fmt.Sprintf(`"component:default/c%04d"`, (i*100+k*37)%n))
			}
			return `{"entityRefs":[` + strings.Join(refs, ",") + `]}`
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := httptest.NewRequest(http.MethodGet, "/api/catalog"+c.path(i), nil)
				if c.body != nil {
					r = httptest.NewRequest(http.MethodPost, "/api/catalog"+c.path(i), strings.NewReader(c.body(i)))
					r.Header.Set("Content-Type", "application/json")
				}
				r.Header.Set("Authorization", "Bearer token-rita")
				w := &sink{header: http.Header{}}
				t.handler.ServeHTTP(w, r)
				if w.status != http.StatusOK || w.size == 0 {
					b.Fatalf("status %d", w.status)
				}
			}
		})
	}
}

// sink takes an answer and forgets it.
type sink struct {
	header http.Header
	status int
	size   int
}

func (s *sink) Header() http.Header    { return s.header }
func (s *sink) WriteHeader(status int) { s.status = status }

func (s *sink) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	s.size += len(p)
	return io.Discard.Write(p)
}
