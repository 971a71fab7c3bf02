package document

import (
	"reflect"
	"strconv"
)

// Difference is one field in which two documents differ.
type Difference struct {
	Path     string // such as spec.owner or metadata.tags.0
	Old, New any    // nil where the field is absent; Added and Removed tell that from null
	Added    bool
	Removed  bool
}

const maxDifferences = 500

// Diff gives the fields in which two documents differ, in the order of their paths; at most 500. A nil document
// has no fields, and is told by one difference with an empty path.
func Diff(before, after *Document) []Difference {
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		return []Difference{{Added: true, New: after.Value()}}
	case after == nil:
		return []Difference{{Removed: true, Old: before.Value()}}
	}
	var found []Difference
	diff(&found, "", before.Value(), after.Value())
	return found
}

func diff(found *[]Difference, path string, before, after any) {
	if len(*found) >= maxDifferences || reflect.DeepEqual(before, after) {
		return
	}
	switch old := before.(type) {
	case map[string]any:
		if new, ok := after.(map[string]any); ok {
			diffMaps(found, path, old, new)
			return
		}
	case []any:
		if new, ok := after.([]any); ok {
			diffLists(found, path, old, new)
			return
		}
	}
	*found = append(*found, Difference{Path: path, Old: before, New: after})
}

func diffMaps(found *[]Difference, path string, before, after map[string]any) {
	keys := map[string]bool{}
	for key := range before {
		keys[key] = true
	}
	for key := range after {
		keys[key] = true
	}
	for _, key := range sortedKeys(keys) {
		old, had := before[key]
		new, has := after[key]
		diffOne(found, join(path, key), old, new, had, has)
	}
}

func diffLists(found *[]Difference, path string, before, after []any) {
	for i := range max(len(before), len(after)) {
		var old, new any
		if i < len(before) {
			old = before[i]
		}
		if i < len(after) {
			new = after[i]
		}
		diffOne(found, join(path, strconv.Itoa(i)), old, new, i < len(before), i < len(after))
	}
}

func diffOne(found *[]Difference, path string, old, new any, had, has bool) {
	switch {
	case had && has:
		diff(found, path, old, new)
	case len(*found) >= maxDifferences:
	case had:
		*found = append(*found, Difference{Path: path, Old: old, Removed: true})
	default:
		*found = append(*found, Difference{Path: path, New: new, Added: true})
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
