package backstage

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
)

// whence is where an entity is from, as annotations that are written.
type whence struct{ always, usual []annotation }

type annotation struct {
	key     string
	written []byte // key and value
}

func (h *Handler) whence(e *catalog.Entity) whence {
	write := func(all map[string]string) (list []annotation) {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			text := make([]byte, 0, len(key)+len(all[key])+len(`"":""`))
			list = append(list, annotation{key, appendText(append(appendText(text, key), ':'), all[key])})
		}
		return list
	}
	always, usual := catalog.Whence(*e, h.base)
	return whence{write(always), write(usual)}
}

func has(list []annotation, key []byte) bool {
	return slices.ContainsFunc(list, func(a annotation) bool { return sameText(key, a.key) })
}

// appendOne writes an entity whose document has been read.
func (h *Handler) appendOne(to []byte, e *catalog.Entity) []byte {
	return appendEntity(to, e.Text(), e, h.whence(e))
}

// appendEntity writes an entity as Backstage does: the text of its document with where it came from, its uid and etag, and its
// relations in both directions.
func appendEntity(to, text []byte, e *catalog.Entity, from whence) []byte {
	to = append(to, '{')
	members(text, func(key, value []byte) bool {
		switch string(key) {
		case "relations", "status": // the catalog's to tell
			return true
		case "metadata":
			to = append(to, `"metadata":`...)
			to = append(appendMetadata(to, value, e, from), ',')
		default:
			to = append(appendMember(to, key, value), ',')
		}
		return true
	})
	to = append(to, `"relations":[`...)
	for i, r := range e.Relations {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendText(append(to, `{"type":`...), r.Type)
		to = append(appendText(append(to, `,"targetRef":`...), r.Target.String()), '}')
	}
	to = append(to, ']')
	if wrong := catalog.StatusItems(*e); wrong != nil {
		text, err := json.Marshal(wrong)
		if err == nil { // texts
			to = append(append(append(to, `,"status":{"items":`...), text...), '}')
		}
	}
	return append(to, '}')
}

// appendMember writes a member as it is written elsewhere.
func appendMember(to, key, value []byte) []byte {
	return append(append(append(append(to, '"'), key...), '"', ':'), value...)
}

func appendMetadata(to, metadata []byte, e *catalog.Entity, from whence) []byte {
	to = append(to, '{')
	namespace, annotations := []byte(`"default"`), []byte(nil)
	members(metadata, func(key, value []byte) bool {
		switch string(key) {
		case "uid", "etag":
		case "namespace":
			namespace = value
		case "annotations":
			annotations = value
		default:
			to = append(appendMember(to, key, value), ',')
		}
		return true
	})
	to = append(appendAnnotations(append(to, `"annotations":`...), annotations, from), ',')
	to = append(append(to, `"namespace":`...), namespace...)
	if e.UID != "" { // what is only looked at has none
		to = appendText(append(to, `,"uid":`...), e.UID)
		to = appendText(append(to, `,"etag":`...), e.Etag)
	}
	return append(to, '}')
}

// appendAnnotations writes the author's annotations and those of where it is from.
func appendAnnotations(to, annotations []byte, from whence) []byte {
	to = append(to, '{')
	var said []string
	members(annotations, func(key, value []byte) bool {
		if has(from.always, key) {
			return true
		}
		if has(from.usual, key) {
			said = append(said, unquote(key))
		}
		to = append(appendMember(to, key, value), ',')
		return true
	})
	for _, a := range from.usual {
		if !slices.Contains(said, a.key) {
			to = append(append(to, a.written...), ',')
		}
	}
	for _, a := range from.always {
		to = append(append(to, a.written...), ',')
	}
	to[len(to)-1] = '}' // there is always one
	return to
}
