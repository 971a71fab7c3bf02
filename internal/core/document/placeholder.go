package document

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Placeholder tells whether a value stands for what is elsewhere, as {$text: ./words.md} does: how it is to be read, and where
// it is.
func Placeholder(v any) (how, where string, is bool) {
	m, _ := v.(map[string]any)
	if len(m) != 1 {
		return "", "", false
	}
	for key, value := range m {
		where, text := value.(string)
		if how, is = strings.CutPrefix(key, "$"); !is || !text {
			return "", "", false
		}
		switch how {
		case "text", "json", "yaml", "openapi", "asyncapi":
			return how, where, true
		}
	}
	return "", "", false
}

// Filled gives the document that fields say, which came of d's by filling its placeholders; what is wrong with it has the place
// that it has in d. It takes fields over.
func (d Document) Filled(fields map[string]any) (Document, []fault.Detail) {
	filled, wrong := assemble(fields, false)
	filled.Origin, filled.source, filled.index = d.Origin, d.source, d.index
	var details []fault.Detail
	for _, w := range wrong {
		details = append(details, filled.At(w.message, w.hint, w.path...))
	}
	return filled, details
}
