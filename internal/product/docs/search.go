package docs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// search finds the sections that have all of some words in lower case, the best first.
func search(texts []text, words []string, part page.Request) page.Of[Found] {
	type hit struct {
		text  text
		score int
		place int
	}
	var hits []hit
	for i, x := range texts {
		title, heading, body := strings.ToLower(x.page.Title), strings.ToLower(x.section.Heading), strings.ToLower(x.section.Text)
		score, all := 0, true
		for _, w := range words {
			switch {
			case strings.Contains(heading, w):
				score += 20
			case strings.Contains(title, w):
				score += 5
			case strings.Contains(body, w):
				score++
			default:
				all = false
			}
		}
		if all {
			if x.section.ID == "" || heading == title {
				score += 10 // the beginning of a page
			}
			hits = append(hits, hit{x, score, i})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	var from int
	if part.Cursor != "" {
		if n, err := part.Number(); err == nil {
			from = int(min(n, int64(len(hits))))
		}
	}
	end := min(from+part.Size(), len(hits))
	var out page.Of[Found]
	for _, h := range hits[from:end] {
		out.Items = append(out.Items, Found{
			Path: h.text.page.Path, Title: h.text.page.Title, Anchor: h.text.section.ID, Heading: h.text.section.Heading,
			Excerpt: excerpt(h.text.section.Text, words),
		})
	}
	if end < len(hits) {
		out.Next = fmt.Sprint(end)
	}
	return out
}

// excerpt gives the text around the first of some words.
func excerpt(text string, words []string) string {
	const around = 90
	text = strings.Join(strings.Fields(text), " ")
	at := len(text)
	lower := strings.ToLower(text)
	for _, w := range words {
		if i := strings.Index(lower, w); i >= 0 && i < at {
			at = i
		}
	}
	if at == len(text) || len(lower) != len(text) { // letters whose small form has another length
		at = 0
	}
	from, to := max(0, at-around), min(len(text), at+2*around)
	out := strings.ToValidUTF8(text[from:to], "")
	if from > 0 {
		out = "…" + out
	}
	if to < len(text) {
		out += "…"
	}
	return out
}
