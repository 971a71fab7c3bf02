package repository

import (
	"cmp"
	"slices"
	"strings"
)

// best keeps the paths that match a text best.
type best struct {
	text    string // in lower case, without spaces
	limit   int
	found   []scored
	dropped bool
}

type scored struct {
	path  string
	score int
}

func newBest(text string, limit int) *best {
	return &best{text: strings.ToLower(strings.Join(strings.Fields(text), "")), limit: limit}
}

func (b *best) add(path string) {
	points, ok := score(b.text, path)
	if !ok {
		return
	}
	b.found = append(b.found, scored{path, points})
	if len(b.found) >= 4*b.limit+100 { // so that it is sorted seldom
		b.trim()
	}
}

func (b *best) trim() {
	slices.SortFunc(b.found, func(x, y scored) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(len(x.path), len(y.path)), cmp.Compare(x.path, y.path))
	})
	if len(b.found) > b.limit {
		b.found, b.dropped = b.found[:b.limit], true
	}
}

func (b *best) names() []string {
	b.trim()
	names := make([]string, len(b.found))
	for i, f := range b.found {
		names[i] = f.path
	}
	return names
}

// score tells how well a path matches a text of lower case: all of its characters in their order, the better the closer
// they are together, at the beginnings of words, and in the file's own name.
func score(text, path string) (points int, ok bool) {
	if text == "" {
		return 0, true
	}
	lower := strings.ToLower(path)
	name := strings.LastIndexByte(lower, '/') + 1
	if i := strings.LastIndex(lower, text); i >= 0 {
		points = 1000
		switch {
		case i == name && len(lower)-name == len(text):
			points += 500
		case i == name:
			points += 300
		case i > name:
			points += 200
		}
		if i == 0 || !letter(lower[i-1]) {
			points += 100
		}
		return points, true
	}
	// From the end, so that the file's own name is taken before its folders.
	at, last := len(lower)-1, len(lower)
	for i := len(text) - 1; i >= 0; i-- {
		for at >= 0 && lower[at] != text[i] {
			at--
		}
		if at < 0 {
			return 0, false
		}
		if at >= name {
			points += 8
		}
		if last-at == 1 {
			points += 15
		}
		if at == 0 || !letter(lower[at-1]) {
			points += 10
		}
		points -= min(last-at, 10)
		last = at
		at--
	}
	return points, true
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80 }
