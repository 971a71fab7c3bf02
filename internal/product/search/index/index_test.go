package index

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func wordsOf(text string, parts bool) string {
	var all []string
	eachWord(text, parts, func(_, _ int, word string) { all = append(all, word) })
	return strings.Join(all, " ")
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"payment-gateway", "payment gateway"},
		{"OrderService", "orderservice service"},
		{"HTTPServer v2Beta", "httpserver server v2beta beta"},
		{"GitHub", "github hub"},
		{"Zürich, Ångström & naïve", "zurich angstrom naive"},
		{"日本語 text", "日 本 語 text"},
		{"e\u0301te\u0301", "ete"},
		{"/orders/{id}: get", "orders id get"},
		{strings.Repeat("x", 100), strings.Repeat("x", longest)},
		{"", ""}, {" -- ", ""},
	} {
		if got := wordsOf(c.text, true); got != c.want {
			t.Errorf("the words of %q are %q, want %q", c.text, got, c.want)
		}
	}
	if got := wordsOf("OrderService", false); got != "orderservice" {
		t.Errorf("without parts: %q", got)
	}
}

func TestTypos(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		word, term string
		want       quality
	}{
		{"payment", "payment", exact}, {"pay", "payment", beginning}, {"paymnet", "payment", oneTypo}, {"paymen", "payment", beginning},
		{"paymnt", "payments", typoBeginning}, {"payment", "paymentt", beginning}, {"pamynt", "payment", noMatch}, {"py", "pay", noMatch},
		{"pau", "pay", noMatch}, {"paiment", "payment", oneTypo}, {"observabilty", "observability", oneTypo}, {"observabilti", "observability", twoTypos}, {"obzervabilti", "observability", typoBeginning},
		{"obsevabilty", "observability", twoTypos}, {"v234", "v235", noMatch}, {"xayment", "payments", noMatch}, {"xayment", "payment", oneTypo}, {"платеж", "платежи", beginning},
		{"плотеж", "платеж", oneTypo},
	} {
		if got := judge(Word{Text: c.word}, c.term, true); got != c.want {
			t.Errorf("%s matches %s as %d, want %d", c.word, c.term, got, c.want)
		}
	}
	if judge(Word{Text: "pay", Exact: true}, "payment", true) != noMatch || judge(Word{Text: "paymnet"}, "payment", false) != noMatch {
		t.Error("a word in quotes matches more than itself, or typos match where they are not asked for")
	}
}

func thing(key, name, title, body string) Doc {
	d := Doc{Key: key, Place: "default"}
	d.Add(Name, name)
	d.Add(Title, title)
	d.Add(Body, body)
	return d
}

func order(x *Index, text string) string {
	r := x.Find(Query{Words: Parse(text, func(string, string) bool { return false }).Words, Limit: 20})
	var keys []string
	for _, h := range r.Hits {
		keys = append(keys, h.Key)
	}
	return strings.Join(keys, " ")
}

// TestRanking shows what comes first.
func TestRanking(t *testing.T) {
	t.Parallel()
	x := New()
	heading := Doc{Key: "heading", Place: "default"}
	heading.Add(Heading, "Payment")
	x.Put(
		thing("a", "payment-gateway", "", ""), thing("b", "payment", "", ""), thing("c", "card-payment", "", ""), thing("d", "orders", "Payment of orders", ""),
		thing("e", "ledger", "", "books each payment"), thing("f", "repayments", "", "payments"), heading,
	)
	for query, want := range map[string]string{
		"payment":         "b a d c heading e f", // called so, beginning so in the name and in the title, in the name, a heading, the text, a beginning
		"paymen":          "b a d c heading e f",
		"payment gateway": "a", "paymentgateway": "a", "payment-gateway": "a", "gatewy": "a", "gateway payment": "a",
		"paymnet": "a b c d heading e f", `"payment"`: "b a d c heading e", "nothing": "",
	} {
		if got := order(x, query); got != want {
			t.Errorf("%s finds %s, want %s", query, got, want)
		}
	}
}

// TestSegments has many changes leave few segments, and forget what was replaced.
func TestSegments(t *testing.T) {
	t.Parallel()
	x := New()
	const n = 3000
	for round := range 2 {
		for i := range n {
			x.Put(thing(fmt.Sprintf("k%05d", i), fmt.Sprintf("name-%d", i), fmt.Sprintf("round%d", round), ""))
		}
	}
	s := x.Stats()
	if s.Things != n || s.Segments > 20 {
		t.Errorf("after %d changes: %+v", 2*n, s)
	}
	r := x.Find(Query{Words: []Word{{Text: "round0"}}, Limit: 1})
	if r.Total != 0 {
		t.Errorf("%d things are found by what they were before", r.Total)
	}
	x.Tidy()
	if after := x.Stats(); after.Segments != 1 || after.Things != n || after.Bytes > s.Bytes {
		t.Errorf("tidied: %+v, before %+v", after, s)
	}
}

func TestMoreThingsThanAreLookedAtTogether(t *testing.T) {
	const n = 3*blockSize + 7
	x := New()
	docs := make([]Doc, n)
	owned := map[string]int{}
	for i := range docs {
		owner := fmt.Sprintf("team-%d", bits.Len(uint(i))*20+i%20) // some have many more than others
		docs[i] = Doc{Key: fmt.Sprintf("component:default/thing-%05d", i), Place: "one"}
		docs[i].Facets[Owner] = owner
		docs[i].Add(Name, fmt.Sprintf("thing-%05d", i))
		owned[owner]++
	}
	x.Put(docs...)
	x.Delete(docs[0].Key)
	owned[docs[0].Facets[Owner]]--
	var want []Count
	for value, count := range owned {
		if count > 0 {
			want = append(want, Count{value, count})
		}
	}
	slices.SortFunc(want, func(a, b Count) int { return cmp.Or(b.Count-a.Count, strings.Compare(a.Value, b.Value)) })
	if len(want) <= MostCounts {
		t.Fatalf("only %d owners", len(want))
	}
	for _, text := range []string{"", "t"} {
		q := Query{Words: Parse(text, known).Words, Limit: 3}
		q.Counted[Owner] = true
		r := x.Find(q)
		if r.Total != n-1 || !r.More || len(r.Hits) != 3 || r.Hits[0].Key != docs[1].Key || r.Hits[2].Key != docs[3].Key {
			t.Errorf("%q gives %d, %v", text, r.Total, r.Hits)
		}
		if !slices.Equal(r.Counts[Owner], want[:MostCounts]) {
			t.Errorf("%q counts %v", text, r.Counts[Owner])
		}
		q.Where[Owner] = []string{want[0].Value}
		if r := x.Find(q); r.Total != want[0].Count || !slices.Equal(r.Counts[Owner], want[:MostCounts]) || r.Counts[Kind] != nil {
			t.Errorf("%q of %s gives %d, counts %v", text, want[0].Value, r.Total, r.Counts)
		}
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("lorem ipsum dolor ", 40) + "the payment\n\n  gateway is here " + strings.Repeat("sit amet ", 60)
	got := Excerpt(text, []Word{{Text: "gateway"}, {Text: "payment"}}, false, 120)
	var marked []string
	whole := ""
	for _, p := range got {
		whole += p.Text
		if p.Match {
			marked = append(marked, p.Text)
		}
	}
	if strings.Join(marked, " ") != "payment gateway" || !strings.Contains(whole, "the payment gateway is here") || len(whole) > 130 || !strings.HasPrefix(whole, "…") || !strings.HasSuffix(whole, "…") {
		t.Errorf("the excerpt is %q with %q", whole, marked)
	}
	if got := Mark("PaymentGateway", []Word{{Text: "gate"}}, false); !slices.Equal(got, []Piece{{"Payment", false}, {"Gateway", true}}) {
		t.Errorf("marked as %+v", got)
	}
}

// TestHas holds texts to words as a search does.
func TestHas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words string
		typos bool
		want  bool
	}{
		{"pay", false, true}, {"pay install", false, true}, {"install walrus", false, false}, {"gate", false, true}, {"gatewy", false, false}, {"gatewy", true, true}, {`"pay"`, false, false}, {"", false, true},
	} {
		if got := Has(Parse(c.words, known).Words, c.typos, "Installing", "PaymentGateway"); got != c.want {
			t.Errorf("%q with typos %v: %v", c.words, c.typos, got)
		}
		x := New()
		d := Doc{Key: "#a", In: Docs}
		d.Add(Heading, "Installing")
		d.Add(Body, "PaymentGateway")
		x.Put(d)
		q := Query{Words: Parse(c.words, known).Words, Limit: 1, Sees: func(In, string) bool { return true }}
		if r := x.Find(q); len(r.Hits) != 1 && c.want || len(r.Hits) == 1 && !Has(q.Words, r.Typos, "Installing", "PaymentGateway") {
			t.Errorf("%q is found %d times", c.words, len(r.Hits))
		}
	}
}

func known(key, _ string) bool { return key == "kind" || key == "owner" }

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`pay kind:API "order service" x`, "[{pay false} {order true} {service true} {x false}] map[kind:[API]]"},
		{`Kind:a kind:b other:c`, "[{other false} {c false}] map[kind:[a b]]"},
		{`owner:"team a" http://x.org`, "[{http false} {x false} {org false}] map[owner:[team a]]"},
		{`"open`, "[{open true}] map[]"},
		{`"" : kind: owner:""`, "[{kind false} {owner false}] map[]"},
		{``, "[] map[]"},
	} {
		p := Parse(c.text, known)
		if got := fmt.Sprint(p.Words, p.Values); got != c.want {
			t.Errorf("%s is %s, want %s", c.text, got, c.want)
		}
	}
	if p := Parse(strings.Repeat("ab cd ef gh ij kl mn op qr st uv wx yz ", 2), known); len(p.Words) != MaxWords || !p.More {
		t.Errorf("of many words %d are taken, more: %v", len(p.Words), p.More)
	}
}

// FuzzParse has no text break the parser, a search with it, or what is marked.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`pay kind:API "order service"`, `owner:"a`, "\xff\xfe", "日本", `"`, "a:b:c", strings.Repeat("é", 300), "K\u212a İ ẞ ŉ"} {
		f.Add(seed)
	}
	x := New()
	x.Put(thing("a", "payment-gateway", "Zürich", "日本 платёж"))
	f.Fuzz(func(t *testing.T, text string) {
		p := Parse(text, known)
		if len(p.Words) > MaxWords {
			t.Fatalf("%d words", len(p.Words))
		}
		for _, w := range p.Words {
			if w.Text == "" || len(w.Text) > longest || !utf8.ValidString(w.Text) || strings.ContainsAny(w.Text, " \x01") {
				t.Fatalf("the word %q", w.Text)
			}
		}
		x.Find(Query{Words: p.Words, Limit: 3})
		joined := ""
		for _, piece := range Mark(text, p.Words, true) {
			joined += piece.Text
		}
		if joined != text {
			t.Fatalf("marked, %q is %q", text, joined)
		}
		for _, piece := range Excerpt(text, p.Words, true, 40) {
			if utf8.ValidString(text) && !utf8.ValidString(piece.Text) {
				t.Fatalf("a piece of %q is %q", text, piece.Text)
			}
		}
	})
}
