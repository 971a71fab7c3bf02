package catalog_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{
		"https://roadbed.test/git/team/shop.git/a/b.yaml", "/git/a/b", "url:/git/a/b/../../c", "/git/a/b/..", "https://elsewhere.test/git/a/b", "git/a/b", "\x00", "/git/A/b/%2e%2e/x",
	} {
		f.Add(seed)
	}
	s := &catalog.Service{}
	s.Addresses("https://roadbed.test")
	f.Fuzz(func(t *testing.T, text string) {
		target, err := s.ParseTarget(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("an input gave %v", err)
			}
			return
		}
		for part := range strings.SplitSeq(target.Path, "/") {
			if part == ".." || part == "" {
				t.Fatalf("%q leads to %+v", text, target)
			}
		}
		if strings.Count(target.Repository, "/") != 1 || target.Repository != strings.ToLower(target.Repository) {
			t.Fatalf("%q leads to %+v", text, target)
		}
	})
}

func BenchmarkApply(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms()...))
	var text strings.Builder
	for i := range 1000 {
		text.WriteString(component("c"+strings.Repeat("x", i%20)+strconv.Itoa(i), "system: store, dependsOn: ['component:c', 'resource:db']"))
	}
	documents := parse(b, text.String())
	round := int64(0)
	for b.Loop() {
		b.StopTimer()
		round++
		clone := make([]document.Document, len(documents))
		for i, d := range documents {
			clone[i] = d.Clone()
			clone[i].Spec["round"] = round
		}
		b.StartTimer()
		if _, err := bench.Apply(system(), catalog.Apply{Space: "default", Documents: clone}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(documents)*b.N)/b.Elapsed().Seconds(), "entities/s")
}
