package document

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const nul = "\x00"

// escapedNUL is a NUL (U+0000) in JSON, unless the backslash is itself escaped.
var escapedNUL = []byte(`\u0000`)

// CheckText finds the NULs in the texts of a document, which PostgreSQL takes in none. canonical is what JSON gives of it.
func (d Document) CheckText(canonical []byte) []fault.Detail {
	if !bytes.Contains(canonical, escapedNUL) {
		return nil
	}
	var value any
	if err := json.Unmarshal(canonical, &value); err != nil {
		return []fault.Detail{d.At("can't be read as JSON", "")}
	}
	var wrong []fault.Detail
	found := func(message string, path []string) {
		if len(wrong) < maxDetails {
			wrong = append(wrong, d.At(message, "leave it out: no text here may hold one", path...))
		}
	}
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		switch v := v.(type) {
		case string:
			if strings.Contains(v, nul) {
				found("holds a NUL character (U+0000)", path)
			}
		case []any:
			for i, item := range v {
				walk(item, append(path, strconv.Itoa(i)))
			}
		case map[string]any:
			for _, key := range sortedKeys(v) {
				at := append(path, key)
				if strings.Contains(key, nul) {
					found("the name of the field holds a NUL character (U+0000)", at)
				}
				walk(v[key], at)
			}
		}
	}
	walk(value, nil)
	return wrong
}
