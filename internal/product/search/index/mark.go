package index

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Piece is a piece of a text, which matches a query or does not.
type Piece struct {
	Text  string
	Match bool
}

// span is a place in a text.
type span struct{ from, to int }

// Mark takes a text apart into what matches one of some words and what does not. Joined together, the pieces are the text.
func Mark(text string, words []Word, typos bool) []Piece {
	return pieces(text, spans(text, words, typos))
}

func spans(text string, words []Word, typos bool) (all []span) {
	eachWord(text, true, func(from, to int, word string) {
		for _, w := range words {
			if judge(w, word, typos) == noMatch {
				continue
			}
			if n := len(all); n > 0 && from <= all[n-1].to { // a part of what matches already
				all[n-1].to = max(to, all[n-1].to)
			} else {
				all = append(all, span{from, to})
			}
			return
		}
	})
	return all
}

func pieces(text string, all []span) (list []Piece) {
	at := 0
	for _, s := range all {
		if s.from > at {
			list = append(list, Piece{Text: text[at:s.from]})
		}
		list = append(list, Piece{text[s.from:s.to], true})
		at = s.to
	}
	if at < len(text) {
		list = append(list, Piece{Text: text[at:]})
	}
	return list
}

// Matches tells whether anything is marked.
func Matches(list []Piece) bool {
	for _, p := range list {
		if p.Match {
			return true
		}
	}
	return false
}

// Has tells whether each of some words matches in one of some texts, as a thing that has these texts is found.
func Has(words []Word, typos bool, texts ...string) bool {
	missing := slices.Clone(words)
	for _, text := range texts {
		eachWord(text, true, func(_, _ int, word string) {
			missing = slices.DeleteFunc(missing, func(w Word) bool { return judge(w, word, typos) != noMatch })
		})
		if len(missing) == 0 {
			return true
		}
	}
	return len(missing) == 0
}

// Excerpt gives the part of a text, of about size bytes, in which most different words match, marked; the beginning where
// none does. White space is made single.
func Excerpt(text string, words []Word, typos bool, size int) []Piece {
	const most = 64 << 10
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	text = strings.Join(strings.Fields(text), " ")
	all := spans(text, words, typos)
	from := 0
	if len(all) > 0 {
		from = max(0, all[window(text, all, words, typos, size)].from-size/4)
	}
	to := min(len(text), from+size)
	from = max(0, min(from, len(text)-size))
	for from > 0 && text[from-1] != ' ' && !utf8.RuneStart(text[from]) {
		from--
	}
	if at := strings.IndexByte(text[from:to], ' '); from > 0 && at >= 0 && at < size/8 {
		from += at + 1
	}
	if at := strings.LastIndexByte(text[from:to], ' '); to < len(text) && at > (to-from)*7/8 {
		to = from + at
	}
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to--
	}
	var inside []span
	for _, s := range all {
		if s.from >= from && s.to <= to {
			inside = append(inside, span{s.from - from, s.to - from})
		}
	}
	list := pieces(text[from:to], inside)
	if from > 0 {
		list = append([]Piece{{Text: "…"}}, list...)
	}
	if to < len(text) {
		list = append(list, Piece{Text: "…"})
	}
	return list
}

// window gives the first match of the stretch with most different words.
func window(text string, all []span, words []Word, typos bool, size int) int {
	const most = 200 // matches that are looked at
	best, bestScore := 0, 0
	all = all[:min(len(all), most)]
	of := make([]uint16, len(all)) // which words each match matches
	for i, s := range all {
		word := fold(text[s.from:s.to])
		for j, w := range words {
			if judge(w, word, typos) != noMatch {
				of[i] |= 1 << j
			}
		}
	}
	for i := range all {
		var seen uint16
		score := 0
		for j := i; j < len(all) && all[j].to-all[i].from <= size*3/4; j++ {
			if of[j]&^seen != 0 {
				score++
			}
			seen |= of[j]
		}
		if score > bestScore {
			best, bestScore = i, score
		}
	}
	return best
}
