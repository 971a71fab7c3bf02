package index

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Entity is what the index is told of an entity.
type Entity struct {
	Ref       string
	UID       string
	Space     string
	Source    string
	Owner     string // reference; "" when there is none
	Version   int    // grows with every change of the reference, over deletions too
	Document  []byte // canonical JSON
	Relations []Relation
}

// Relation is an edge that an entity declares.
type Relation struct{ Type, Target string }

// pair is a value under a key. The key is folded, the value as its author wrote it.
type pair struct {
	key   string
	value string
	kind  valueKind
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
	maxText  = 4000 // of KeyText
)

// own are the keys that the catalog fills in itself, whatever a document says there.
var own = map[string]bool{
	"attachments": true, "relations": true, "status": true,
	"metadata.name": true, "metadata.namespace": true, "metadata.uid": true, "metadata.etag": true,
}

// Prepared is an entity that has been taken apart, so that putting it is quick.
type Prepared struct {
	Entity
	pairs []pair
}

// Prepare takes an entity apart.
func Prepare(e Entity) (Prepared, error) {
	pairs, err := flatten(e)
	if err != nil {
		return Prepared{}, fmt.Errorf("index %s: %w", e.Ref, err)
	}
	e.Document = nil
	return Prepared{e, pairs}, nil
}

func flatten(e Entity) ([]pair, error) {
	var document map[string]any
	if err := json.Unmarshal(e.Document, &document); err != nil {
		return nil, err
	}
	w := walker{}
	w.visit("", document)
	metadata, _ := document["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	if namespace == "" {
		namespace = "default"
	}
	w.add("metadata.name", name, scalar)
	w.add("metadata.namespace", namespace, scalar)
	w.add("metadata.uid", e.UID, scalar)
	w.add(KeySpace, e.Space, scalar)
	w.add(KeySource, e.Source, scalar)
	if e.Owner != "" {
		w.add(KeyOwner, e.Owner, scalar)
	}
	if text, _ := metadata["description"].(string); units(text) > maxValue {
		w.pairs = append(w.pairs, pair{KeyText, clip(text), scalar})
	}
	return w.pairs, nil
}

type walker struct{ pairs []pair }

func (w *walker) add(key, value string, kind valueKind) {
	key = fold(key)
	if units(key) > maxKey {
		return
	}
	if kind != absent && units(value) > maxValue {
		value, kind = "", absent
	}
	w.pairs = append(w.pairs, pair{key, value, kind})
}

func (w *walker) visit(path string, v any) {
	if own[path] {
		return
	}
	switch v := v.(type) {
	case nil:
		w.add(path, "", absent)
	case string:
		w.add(path, v, scalar)
	case bool, float64:
		text, _ := json.Marshal(v)
		w.add(path, string(text), scalar)
	case []any:
		for _, one := range v {
			if text, ok := one.(string); ok {
				w.add(path, text, item)
			} else {
				w.visit(path, one)
			}
		}
	case map[string]any:
		for key, one := range v {
			if path != "" {
				key = path + "." + key
			}
			w.visit(key, one)
		}
	}
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
	text = text[:maxText]
	for len(text) > 0 && !utf8.ValidString(text[max(0, len(text)-utf8.UTFMax):]) {
		text = text[:len(text)-1]
	}
	return strings.ToValidUTF8(text, "")
}
