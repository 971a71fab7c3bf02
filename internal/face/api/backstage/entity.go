package backstage

import (
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
)

// appendEntity writes an entity as Backstage does: its document with where it came from, its uid and etag, and its relations
// in both directions.
func (h *Handler) appendEntity(to []byte, e *catalog.Entity) []byte {
	d := catalog.Annotated(*e, h.base)
	to = append(to, '{')
	members(d.JSON(), func(key, value []byte) bool {
		switch string(key) {
		case "relations", "status": // the catalog's to tell
			return true
		case "metadata":
			to = append(to, `"metadata":`...)
			to = append(appendMetadata(to, value, e), ',')
		default:
			to = append(append(append(append(append(to, '"'), key...), '"', ':'), value...), ',')
		}
		return true
	})
	to = append(to, `"relations":[`...)
	for i, r := range e.Relations {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendText(append(to, `{"type":`...), r.Type)
		to = append(to, `,"targetRef":"`...)
		to = append(append(append(append(append(to, r.Target.Kind...), ':'), r.Target.Namespace...), '/'), r.Target.Name...)
		to = append(to, '"', '}')
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

func appendMetadata(to, metadata []byte, e *catalog.Entity) []byte {
	to = append(to, '{')
	members(metadata, func(key, value []byte) bool {
		switch string(key) {
		case "uid", "etag", "namespace":
			return true
		}
		to = append(append(append(append(append(to, '"'), key...), '"', ':'), value...), ',')
		return true
	})
	namespace := e.Document.Metadata.Namespace
	if namespace == "" {
		namespace = "default"
	}
	to = appendText(append(to, `"namespace":`...), namespace)
	if e.UID != "" { // what is only looked at has none
		to = appendText(append(to, `,"uid":`...), e.UID)
		to = appendText(append(to, `,"etag":`...), e.Etag)
	}
	return append(to, '}')
}
