package index

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Entity is what the index is told of an entity.
type Entity struct {
	Ref       string
	UID       string
	Space     string
	Source    string
	File      string // path within its repository; "" when it was applied
	Owner     string // reference; "" when there is none
	Version   int    // grows with every change of the reference, over deletions too
	Created   int64  // microseconds since 1970; 0 when it is not known
	Updated   int64
	Document  []byte // canonical JSON
	Relations []Relation
}

// Relation is an edge that an entity declares.
type Relation struct{ Type, Target string }

// pair is a value under a key.
type pair struct {
	key    string // folded; of a relation "\x00" and its type
	value  string // as its author wrote it
	folded string
	kind   valueKind
	many   bool // there may be another value under the key
}

type valueKind uint8

const (
	scalar valueKind = iota
	item             // a text in a list: metadata.tags with java has metadata.tags.java = true, too
	absent           // null, or too long to be compared: it is only there
)

// Lengths of what is compared, in UTF-16 units, as others who keep such rows count.
const (
	maxKey   = 200
	maxValue = 200
	maxText  = 4000 // bytes of KeyText
)

// Prepared is an entity that has been taken apart, so that putting it is quick.
type Prepared struct {
	Ref     string
	Version int
	pairs   []pair
}

// Prepare takes an entity apart.
func Prepare(e Entity) (Prepared, error) {
	w := walker{text: string(e.Document), pairs: make([]pair, 0, 40)}
	if err := w.document(); err != nil {
		return Prepared{}, fmt.Errorf("index %s: at byte %d of its document: %w", e.Ref, w.at, err)
	}
	if w.namespace == "" {
		w.namespace = "default"
	}
	w.add("metadata.name", w.name, scalar)
	w.add("metadata.namespace", w.namespace, scalar)
	w.add(keyUID, e.UID, scalar)
	w.add(KeySpace, e.Space, scalar)
	w.add(KeySource, e.Source, scalar)
	if e.File != "" {
		w.add(KeyFile, e.File, scalar)
	}
	if e.Owner != "" {
		w.add(KeyOwner, e.Owner, scalar)
	}
	if e.Created > 0 {
		w.add(KeyCreated, moment(e.Created), scalar)
	}
	if e.Updated > 0 {
		w.add(KeyUpdated, moment(e.Updated), scalar)
	}
	if units(w.description) > maxValue {
		text := clip(w.description)
		w.pairs = append(w.pairs, pair{key: KeyText, value: text, folded: fold(text)})
	}
	for i, r := range e.Relations {
		many := false
		for j, other := range e.Relations {
			many = many || i != j && r.Type == other.Type
		}
		w.pairs = append(w.pairs, pair{key: relation + r.Type, value: r.Target, folded: fold(r.Target), many: many})
	}
	return Prepared{e.Ref, e.Version, w.pairs}, nil
}

// moment gives a time as a text: of two times the later one has the greater text.
func moment(micros int64) string { return fmt.Sprintf("%014x", micros) }

// walker reads the canonical JSON of a document, and takes notes of what stands where.
type walker struct {
	text   string
	at     int
	depth  int
	lists  int    // around the place
	path   []byte // of the place, as written
	folded []byte
	key    string // the last one that was noted: in a list it serves again
	pairs  []pair

	name, namespace, description string
}

var errSyntax = errors.New("it is not canonical JSON")

const deepest = 10_000

func (w *walker) document() error {
	if err := w.value(false, false); err != nil {
		return err
	}
	if w.at != len(w.text) {
		return errSyntax
	}
	return nil
}

func (w *walker) add(key, value string, kind valueKind) {
	if units(key) > maxKey {
		return
	}
	if kind != absent && units(value) > maxValue {
		value, kind = "", absent
	}
	w.pairs = append(w.pairs, pair{key, value, fold(value), kind, w.lists > 0})
}

// here notes a value at the place, unless that is named as only the keys of the catalog's own and relations are.
func (w *walker) here(value string, kind valueKind) {
	if len(w.folded) > 0 && (w.folded[0] == '@' || w.folded[0] == relation[0]) {
		return
	}
	if w.key != string(w.folded) {
		w.key = string(w.folded)
	}
	w.add(w.key, value, kind)
}

// value reads a value; a quiet one is passed over.
func (w *walker) value(quiet, listed bool) error {
	if w.at >= len(w.text) {
		return errSyntax
	}
	switch w.text[w.at] {
	case '{':
		return w.nested(w.object, quiet)
	case '[':
		return w.nested(w.list, quiet)
	case '"':
		text, err := w.string()
		switch {
		case err != nil || quiet:
		case listed:
			w.here(text, item)
		default:
			w.here(text, scalar)
		}
		return err
	}
	end := w.at
	for end < len(w.text) && w.text[end] != ',' && w.text[end] != '}' && w.text[end] != ']' {
		end++
	}
	word := w.text[w.at:end]
	w.at = end
	return w.word(word, quiet)
}

func (w *walker) nested(read func(quiet bool) error, quiet bool) error {
	if w.depth++; w.depth > deepest {
		return errSyntax
	}
	defer func() { w.depth-- }()
	return read(quiet)
}

// take passes over a byte, if it is there.
func (w *walker) take(c byte) bool {
	if w.at < len(w.text) && w.text[w.at] == c {
		w.at++
		return true
	}
	return false
}

func (w *walker) object(quiet bool) error {
	w.at++
	if w.take('}') {
		return nil
	}
	path, folded := len(w.path), len(w.folded)
	for {
		if w.at >= len(w.text) || w.text[w.at] != '"' {
			return errSyntax
		}
		name, err := w.string()
		if err != nil || !w.take(':') {
			return errSyntax
		}
		if path > 0 {
			w.path, w.folded = append(w.path, '.'), append(w.folded, '.')
		}
		w.path, w.folded = append(w.path, name...), append(w.folded, fold(name)...)
		if err := w.field(quiet); err != nil {
			return err
		}
		w.path, w.folded = w.path[:path], w.folded[:folded]
		if w.take('}') {
			return nil
		}
		if !w.take(',') {
			return errSyntax
		}
	}
}

// own are the fields, folded, that the catalog fills in itself: in another case they would stand beside what it says.
var own = map[string]bool{
	"attachments": true, "relations": true, "status": true,
	"metadata.name": true, "metadata.namespace": true, keyUID: true, "metadata.etag": true,
}

// field reads the value of a field. Some are the catalog's own, whatever the document says there.
func (w *walker) field(quiet bool) error {
	var into *string
	switch string(w.path) {
	case "metadata.name":
		into = &w.name
	case "metadata.namespace":
		into = &w.namespace
	case "metadata.description":
		into = &w.description
	}
	quiet = quiet || own[string(w.folded)] || string(w.folded) == "kind" && string(w.path) != "kind"
	from := w.at
	err := w.value(quiet, false)
	if into != nil && err == nil && w.depth == 2 && w.text[from] == '"' {
		*into, err = unquote(w.text[from:w.at])
	}
	return err
}

func (w *walker) list(quiet bool) error {
	w.at++
	if w.take(']') {
		return nil
	}
	w.lists++
	defer func() { w.lists-- }()
	for {
		if err := w.value(quiet, true); err != nil {
			return err
		}
		if w.take(']') {
			return nil
		}
		if !w.take(',') {
			return errSyntax
		}
	}
}

// string reads a text in quotes.
func (w *walker) string() (string, error) {
	from := w.at
	for i := from + 1; i < len(w.text); i++ {
		switch w.text[i] {
		case '\\':
			i++
		case '"':
			w.at = i + 1
			return unquote(w.text[from:w.at])
		}
	}
	return "", errSyntax
}

func unquote(text string) (string, error) {
	if strings.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1], nil
	}
	var plain string
	if json.Unmarshal([]byte(text), &plain) != nil {
		return "", errSyntax
	}
	return plain, nil
}

// word takes null, a boolean or a number.
func (w *walker) word(word string, quiet bool) error {
	kind := scalar
	switch word {
	case "null":
		word, kind = "", absent
	case "true", "false":
	default:
		const exact = 15 // digits of an integer that is the same as a float64
		if _, err := strconv.ParseInt(word, 10, 64); err != nil || len(word) > exact {
			f, err := strconv.ParseFloat(word, 64)
			if err != nil {
				return errSyntax
			}
			text, err := json.Marshal(f) // as JavaScript writes it
			if err != nil {
				return errSyntax
			}
			word = string(text)
		}
	}
	if !quiet {
		w.here(word, kind)
	}
	return nil
}

func units(text string) int {
	if len(text) <= maxValue {
		return len(text)
	}
	n := 0
	for _, r := range text {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "")
}
