package index

import (
	"strings"
	"unicode/utf8"
)

// Word is a word of a query, folded.
type Word struct {
	Text  string
	Exact bool // only the very word
}

// Query asks for the best things.
type Query struct {
	Words   []Word // all must match; without any everything does
	In      []In   // of these kinds; all when nil
	Where   [facets][]string
	Aside   [ins][facets]bool // what of a kind of thing Where is not asked of, since Sees tells it
	Counted [facets]bool      // the facets of which Result.Counts is wanted
	Limit   int
	After   *Position
	Sees    func(in In, place string) bool // nil for all
}

// MostCounts is how many values of a facet are told.
const MostCounts = 50

// Position is a place in the order of a result.
type Position struct {
	Score int
	Key   string
}

// Hit is a thing that was found.
type Hit struct {
	Position
	In    In
	Place string
}

// Count is a value of a facet and how many things have it.
type Count struct {
	Value string
	Count int
}

// Result is a part of what was found, the best first.
type Result struct {
	Hits   []Hit
	More   bool // something comes after the hits
	Total  int
	Typos  bool            // words that differ by a typo were taken, too, and found more
	In     [ins]int        // how many of each kind of thing there are, whatever Query.In says
	Counts [facets][]Count // of the values of each facet of Query.Counted, whatever Query.Where says of that facet; the MostCounts most frequent, in order
}

// Bounds of a query.
const (
	MaxText  = 400 // bytes
	MaxWords = 12
)

// Parsed is a text as somebody wrote it, taken apart.
type Parsed struct {
	Words  []Word
	Values map[string][]string // of KEY:VALUE, by the key
	More   bool                // there are more words than are taken
}

// Parse takes a text apart: words, "words in quotes", which are taken as they are, and KEY:VALUE for some keys. What is
// nothing else is a word, so there is no wrong text.
func Parse(text string, keys func(key, value string) bool) Parsed {
	p := Parsed{Values: map[string][]string{}}
	if len(text) > MaxText {
		text = strings.ToValidUTF8(text[:MaxText], "")
	}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		var piece string
		if piece, text = quoted(text); piece != "" {
			p.add(piece, true)
			continue
		}
		piece, text = cutPiece(text)
		key, value, found := strings.Cut(piece, ":")
		if found && strings.HasPrefix(value, `"`) { // the value may have spaces
			inner, rest := quoted(value + text)
			if inner != "" && keys(strings.ToLower(key), inner) {
				key, text = strings.ToLower(key), rest
				p.Values[key] = append(p.Values[key], inner)
				continue
			}
		}
		value = strings.Trim(value, `"`)
		if found && value != "" && keys(strings.ToLower(key), value) {
			key = strings.ToLower(key)
			p.Values[key] = append(p.Values[key], value)
			continue
		}
		p.add(piece, false)
	}
	return p
}

func cutPiece(text string) (piece, rest string) {
	if at := strings.IndexFunc(text, isSpace); at >= 0 {
		return text[:at], text[at:]
	}
	return text, ""
}

func isSpace(r rune) bool { return strings.ContainsRune(" \t\r\n\v\f\u0085\u00a0\u3000", r) }

// quoted gives what stands in quotes at the beginning of a text; "" where nothing does. Quotes that don't end, end with it.
func quoted(text string) (inner, rest string) {
	if !strings.HasPrefix(text, `"`) {
		return "", text
	}
	inner, rest, _ = strings.Cut(text[1:], `"`)
	if strings.TrimSpace(inner) == "" {
		return "", text
	}
	return inner, rest
}

func (p *Parsed) add(text string, exact bool) {
	eachWord(text, false, func(_, _ int, word string) {
		w := Word{word, exact}
		for _, had := range p.Words {
			if had == w {
				return
			}
		}
		if len(p.Words) == MaxWords {
			p.More = true
			return
		}
		p.Words = append(p.Words, w)
	})
}

// edits is how many typos a word may have.
func edits(word string) int {
	letters := 0
	for _, r := range word {
		if '0' <= r && r <= '9' {
			return 0
		}
		letters++
	}
	switch {
	case letters >= 8:
		return 2
	case letters >= 4:
		return 1
	}
	return 0
}

// How a word matches a term.
type quality uint8

const (
	noMatch quality = iota
	typoBeginning
	twoTypos
	oneTypo
	beginning
	exact
	qualities
)

// worth of a match, as a factor.
var worth = [qualities]uint16{0, 2, 3, 4, 7, 10}

// scores are of each quality of a match and each set of fields.
var scores = func() (all [qualities][64]uint16) {
	for q := range all {
		for mask := range all[q] {
			all[q][mask] = worth[q] * bestField(Field(mask))
		}
	}
	return all
}()

// bestField gives the weight of the best of some fields.
func bestField(mask Field) uint16 {
	for i, w := range weights {
		if mask&(1<<i) != 0 {
			return w
		}
	}
	return 0
}

// judge tells how a word matches a term, one by one. Searches walk the terms instead, to the same effect.
func judge(w Word, term string, typos bool) quality {
	switch {
	case w.Text == term:
		return exact
	case w.Exact:
		return noMatch
	case strings.HasPrefix(term, w.Text):
		return beginning
	case !typos || edits(w.Text) == 0:
		return noMatch
	}
	d := newDistance(w.Text)
	for _, r := range term {
		if !d.push(r) {
			break
		}
	}
	if len(d.runes) < utf8.RuneCountInString(term) {
		return d.quality(false)
	}
	return d.quality(true)
}

// distance is how far a word is from the beginnings of a term, letter by letter.
type distance struct {
	word  []rune
	most  int
	runes []rune // of the term
	rows  [][]uint8
	near  []int // of each beginning of the term, the least distance of the word to one that is not longer
}

func newDistance(word string) *distance {
	d := &distance{word: []rune(word), most: edits(word)}
	first := make([]uint8, len(d.word)+1)
	for j := range first {
		first[j] = uint8(j)
	}
	d.rows = append(d.rows, first)
	d.near = append(d.near, len(d.word))
	return d
}

// push adds a letter to the term. It is false, and nothing is added, when no term that goes on like this can match, save by
// a beginning that is shorter.
func (d *distance) push(r rune) bool {
	i := len(d.runes) + 1
	if len(d.rows) <= i {
		d.rows = append(d.rows, make([]uint8, len(d.word)+1))
		d.near = append(d.near, 0)
	}
	before, row := d.rows[i-1], d.rows[i]
	row[0] = uint8(min(i, 100))
	least := row[0]
	for j := 1; j <= len(d.word); j++ {
		cost := uint8(1)
		if d.word[j-1] == r {
			cost = 0
		}
		v := min(before[j]+1, row[j-1]+1, before[j-1]+cost)
		if i > 1 && j > 1 && d.word[j-1] == d.runes[i-2] && d.word[j-2] == r {
			v = min(v, d.rows[i-2][j-2]+1)
		}
		row[j] = v
		least = min(least, v)
	}
	if int(least) > d.most {
		return false
	}
	d.runes = append(d.runes, r)
	d.near[i] = min(d.near[i-1], int(row[len(d.word)]))
	return true
}

// quality tells how the word matches; ended tells whether the term ends here.
func (d *distance) quality(ended bool) quality {
	i := len(d.runes)
	if ended {
		switch at := int(d.rows[i][len(d.word)]); {
		case at > d.most:
		case at == 2:
			return twoTypos
		default:
			return oneTypo
		}
	}
	if d.near[i] <= d.most && i > 0 && d.runes[0] == d.word[0] {
		return typoBeginning
	}
	return noMatch
}
