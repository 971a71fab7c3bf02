package index

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// made gives n entities and n/5 sections of docs, of a vocabulary as large as such a company has.
func made(n int) *Index {
	random := rand.New(rand.NewPCG(1, 2))
	syllables := strings.Fields("pay ment or der ship cart stock user auth ledger mail search rate price tax bill front back data flow graph log met ric node sto re que ue ca che")
	vocabulary := make([]string, 20_000)
	for i := range vocabulary {
		for range 2 + random.IntN(3) {
			vocabulary[i] += syllables[random.IntN(len(syllables))]
		}
	}
	word := func() string { return vocabulary[int(float64(len(vocabulary))*random.Float64()*random.Float64())] }
	text := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = word()
		}
		return strings.Join(all, " ")
	}
	x := New()
	var batch []Doc
	for i := range n + n/5 {
		d := Doc{Place: fmt.Sprintf("space-%d", i%40)}
		if i < n {
			name := fmt.Sprintf("%s-%s-%d", word(), word(), i)
			d.Key = "component:default/" + name
			d.Facets = [facets]string{"component", fmt.Sprintf("type-%d", i%5), fmt.Sprintf("group:default/team-%d", i%500), "production", d.Place}
			d.Add(Name, name)
			d.Add(Title, text(3))
			d.Add(Tag, text(2))
			d.Add(Body, text(12))
		} else {
			d.In, d.Key, d.Place = Docs, fmt.Sprintf("#%032x/%06d", i/10, i), fmt.Sprintf("site-%d", i/10)
			d.Add(Title, text(3))
			d.Add(Heading, text(3))
			d.Add(Body, text(150))
		}
		if batch = append(batch, d); len(batch) == 500 {
			x.Put(batch...)
			batch = nil
		}
	}
	x.Put(batch...)
	x.Tidy()
	return x
}

// BenchmarkFind asks an index of SEARCH_N entities (else 20,000) in several ways, and tells its size.
func BenchmarkFind(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("SEARCH_N"))
	if err != nil {
		n = 20_000
	}
	began := time.Now()
	x := made(n)
	took := time.Since(began)
	s := x.Stats()
	b.Run("build", func(b *testing.B) {
		for b.Loop() { //nolint:revive // what is told was measured above
		}
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(float64(s.Bytes)/1e6, "MB")
		b.ReportMetric(float64(s.Terms), "terms")
	})
	for _, c := range []struct{ name, text string }{
		{"letter", "p"}, {"beginning", "pay"}, {"word", "paymentcart"}, {"typo", "paymentcrat"}, {"twoTypos", "shipstockfrnotx"}, {"words", "pay stock"}, {"nothing", "qqqqzzzzxx"}, {"all", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			q := Query{Words: Parse(c.text, known).Words, Limit: 20, Sees: func(_ In, place string) bool { return place != "space-1" }}
			var all []time.Duration
			for b.Loop() {
				began := time.Now()
				x.Find(q)
				all = append(all, time.Since(began))
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(x.Find(q).Total), "found")
		})
	}
}

// BenchmarkPut changes one thing after another in an index of SEARCH_N entities (else 20,000).
func BenchmarkPut(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("SEARCH_N"))
	if err != nil {
		n = 20_000
	}
	x := made(n)
	i := 0
	for b.Loop() {
		i++
		d := Doc{Key: fmt.Sprintf("component:default/changed-%d", i%100), Place: "space-1"}
		d.Add(Name, fmt.Sprintf("changed-%d", i%100))
		d.Add(Body, "changed by a push, and pays for it")
		x.Put(d)
	}
}
