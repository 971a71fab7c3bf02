package worker

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	hidden     = "***"
	minSecret  = 3 // bytes; shorter ones would make the log unreadable and hide nothing
	minDerived = 6 // bytes; encoded forms of shorter ones are hit by chance
)

// NewMasker gives a writer that replaces secrets by *** on the way to w: as they are, line by line, broken between their
// words, in base64 (also as part of something larger, and broken into lines), in hex, and escaped for URLs, JSON, HTML or
// a shell; also when they come in pieces. It holds back only what may be the beginning of a secret; Close writes that.
// Safe for concurrent use.
func NewMasker(w io.Writer, secrets []string) io.WriteCloser {
	return &masker{w: w, starts: startsOf(secrets)}
}

// starts are the texts to replace, by their first byte, the longest first.
type starts [256][]pattern

func startsOf(secrets []string) *starts {
	var all starts
	patterns := map[string]bool{}
	for _, s := range secrets {
		forms(s, patterns)
	}
	for p, wrapped := range patterns {
		all[p[0]] = append(all[p[0]], pattern{text: []byte(p), wrapped: wrapped})
		if words := strings.FieldsFunc(p, blank); !wrapped && len(words) > 1 && len(p) >= minDerived {
			all[words[0][0]] = append(all[words[0][0]], pattern{text: []byte(strings.Join(words, " ")), words: true})
		}
	}
	for i := range all {
		slices.SortFunc(all[i], func(a, b pattern) int { return cmp.Compare(len(b.text), len(a.text)) })
	}
	return &all
}

// Masked gives a text without the secrets.
func Masked(text string, secrets []string) string { return Hiding(secrets)(text) }

// Hiding gives a function that gives texts without the secrets, also where one was cut short by "…". Safe for concurrent use.
func Hiding(secrets []string) func(text string) string {
	if len(secrets) == 0 {
		return func(text string) string { return text }
	}
	starts := startsOf(secrets)
	pass := func(text string, cut bool) string {
		var b strings.Builder
		m := &masker{w: &b, starts: starts}
		_, _ = io.WriteString(m, text) // a Builder takes everything
		if cut && len(m.held) >= minSecret {
			return b.String() + hidden
		}
		_ = m.Close()
		return b.String()
	}
	return func(text string) string {
		text = pass(text, false)
		parts := strings.Split(text, ellipsis)
		for i := range parts[:len(parts)-1] {
			parts[i] = pass(parts[i], true)
		}
		return strings.Join(parts, ellipsis)
	}
}

// ellipsis is what the platform puts where it has cut a text short.
const ellipsis = "…"

// HideJSON gives JSON whose texts, numbers and keys have been through hide; as it is when none of them changes.
func HideJSON(raw json.RawMessage, hide func(string) string) json.RawMessage {
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if len(raw) == 0 || decoder.Decode(&tree) != nil {
		return raw
	}
	tree, changed := hideValue(tree, hide)
	if !changed {
		return raw
	}
	out, err := json.Marshal(tree)
	if err != nil { // it came from JSON
		return nil
	}
	return out
}

func hideValue(v any, hide func(string) string) (out any, changed bool) {
	switch v := v.(type) {
	case string:
		shown := hide(v)
		return shown, shown != v
	case json.Number:
		if shown := hide(v.String()); shown != v.String() {
			return shown, true
		}
	case []any:
		for i := range v {
			var other bool
			v[i], other = hideValue(v[i], hide)
			changed = changed || other
		}
		return v, changed
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			shown, other := hideValue(value, hide)
			m[hide(key)] = shown
			changed = changed || other || hide(key) != key
		}
		return m, changed
	}
	return v, false
}

// pattern is a text by which a secret may appear.
type pattern struct {
	text    []byte
	wrapped bool // programs break it into lines
	words   bool // they do so between its words
}

const (
	maxBreak = 16 // characters of line ends and indents between two characters of what is wrapped
	minPart  = 4  // characters before the first break: else any line that ends like a beginning would be held back
)

// match tells how many bytes at the start of b are the pattern (0: none), and whether more bytes may make it one.
func (p pattern) match(b []byte) (length int, undecided bool) {
	if p.words {
		return p.matchWords(b)
	}
	if !p.wrapped {
		if bytes.HasPrefix(b, p.text) {
			return len(p.text), false
		}
		return 0, len(b) < len(p.text) && bytes.HasPrefix(p.text, b)
	}
	at, gap := 0, 0
	for i, c := range b {
		switch {
		case c == p.text[at]:
			gap = 0
			if at++; at == len(p.text) {
				return i + 1, false
			}
		case at >= minPart && gap < maxBreak && (c == '\n' || c == '\r' || gap > 0 && (c == ' ' || c == '\t')):
			gap++
		default:
			return 0, false
		}
	}
	return 0, true
}

// matchWords is match for a text of words, which are one space apart in it.
func (p pattern) matchWords(b []byte) (length int, undecided bool) {
	i := 0
	for at, c := range p.text {
		if c != ' ' {
			if i == len(b) || b[i] != c {
				return 0, i == len(b)
			}
			i++
			continue
		}
		n, undecided := between(b[i:], p.text[at+1])
		if n == 0 || undecided {
			return 0, undecided
		}
		i += n
	}
	return i, false
}

func blank(c rune) bool { return strings.ContainsRune(" \t\n\v\f\r", c) }

// maxBetween bounds what lies between two words that a program has broken apart, with the frame and the colors of the next
// line, in bytes.
const maxBetween = 64

// between tells how much at the start of b parts a word from the one that begins with next: blanks and line ends, and in a
// line that was begun anew also what frames it, as engines do with "│ ", in their colors. Undecided is whether more bytes
// may be part of it.
func between(b []byte, next byte) (length int, undecided bool) {
	lines := false
	for i := 0; i < len(b); {
		if i > maxBetween {
			return 0, false
		}
		n := 0
		switch c := b[i]; {
		case blank(rune(c)):
			n, lines = 1, lines || c == '\n' || c == '\r'
		case i > 0 && c == next:
			return i, false
		case lines && (c == '|' || c == '>' || c == '#'):
			n = 1
		case lines && c == frame[0]:
			if len(b) < i+len(frame) && strings.HasPrefix(frame, string(b[i:])) {
				return 0, true
			}
			if bytes.HasPrefix(b[i:], []byte(frame)) {
				n = len(frame)
			}
		case c == '\x1b':
			var more bool
			if n, more = colors(b[i:]); more {
				return 0, true
			}
		}
		if n == 0 {
			return i, false
		}
		i += n
	}
	return 0, len(b) <= maxBetween
}

const frame = "│"

// colors tells how long a sequence is by which a terminal changes its colors, and whether it goes on after b.
func colors(b []byte) (length int, undecided bool) {
	for i, c := range b {
		switch {
		case i == 0:
		case i == 1 && c == '[':
		case i > 1 && (c >= '0' && c <= '9' || c == ';'):
			if i > maxBreak {
				return 0, false
			}
		case i > 1 && c == 'm':
			return i + 1, false
		default:
			return 0, false
		}
	}
	return 0, true
}

// forms adds the texts by which a secret may appear, and whether programs break them into lines.
func forms(s string, into map[string]bool) {
	add := func(p string, least int) {
		if _, known := into[p]; !known && len(p) >= least {
			into[p] = false
		}
	}
	add(s, minSecret)
	trimmed := strings.TrimSpace(s)
	add(trimmed, minSecret)
	if strings.Contains(trimmed, "\n") {
		for line := range strings.Lines(trimmed) {
			if line = strings.TrimSpace(line); len(line) >= 8 {
				add(line, minDerived)
			}
		}
	}
	for _, v := range []string{s, trimmed} {
		if len(v) < minDerived {
			continue
		}
		add(url.QueryEscape(v), minDerived)
		add(url.PathEscape(v), minDerived)
		add(jsonEscaped(v, true), minDerived)
		add(jsonEscaped(v, false), minDerived)
		add(html.EscapeString(v), minDerived)
		quoted := strconv.Quote(v)
		add(quoted[1:len(quoted)-1], minDerived)
		add(strings.ReplaceAll(v, "'", `'\''`), minDerived)
		add(hex.EncodeToString([]byte(v)), minDerived)
		add(strings.ToUpper(hex.EncodeToString([]byte(v))), minDerived)
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 {
				// Inside a larger text, the first and last characters also depend on the neighbours.
				whole := e.EncodeToString(append(make([]byte, shift), v...))
				from := []int{0, 2, 3}[shift]
				to := len(whole)
				if (len(v)+shift)%3 != 0 {
					to--
				}
				for p := range minPart { // a break may come right after the beginning
					if from+p < to && to-from-p >= minDerived {
						into[whole[from+p:to]] = true
					}
				}
			}
		}
	}
}

func jsonEscaped(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(s); err != nil {
		return ""
	}
	return string(b.Bytes()[1 : b.Len()-2]) // without the quotes and the line's end
}

type masker struct {
	mu      sync.Mutex
	w       io.Writer
	starts  *starts
	held    []byte // not decided yet
	covered int    // how many of the next bytes belong to a secret that was replaced already
}

func (m *masker) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.pass(append(m.held, p...), false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the underlying writer.
func (m *masker) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pass(m.held, true)
}

// pass writes b without its secrets, and holds back an end that may be the beginning of one.
func (m *masker) pass(b []byte, last bool) error {
	out := make([]byte, 0, len(b))
	i := 0
	for ; i < len(b); i++ {
		length, undecided := m.match(b[i:])
		if undecided && !last {
			break
		}
		if length > 0 {
			if m.covered == 0 {
				out = append(out, hidden...)
			}
			m.covered = max(m.covered, length)
		}
		if m.covered > 0 {
			m.covered--
		} else {
			out = append(out, b[i])
		}
	}
	m.held = slices.Clone(b[i:])
	if len(out) == 0 {
		return nil
	}
	_, err := m.w.Write(out)
	return err
}

// match gives the length of the longest secret at the start of b, and whether more bytes may make a longer one.
func (m *masker) match(b []byte) (length int, undecided bool) {
	for _, p := range m.starts[b[0]] {
		n, more := p.match(b)
		length, undecided = max(length, n), undecided || more
	}
	return length, undecided
}
