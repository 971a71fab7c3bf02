package scaffold

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// mayRender tells whether text has anything that the template language acts on.
func mayRender(text string) bool {
	return strings.Contains(text, "${{") || strings.Contains(text, "{%") || strings.Contains(text, "{#")
}

// renderer renders the values of a template's document.
type renderer struct {
	session *nunjucks.Session
	values  map[string]any
}

// with gives a renderer that knows one value more.
func (r renderer) with(name string, value any) renderer {
	values := maps.Clone(r.values)
	values[name] = value
	return renderer{r.session, values}
}

// render renders every text within value. An entry of a mapping whose text is one expression without a value is left
// out, as in Backstage. path is where value stands, for errors.
func (r renderer) render(ctx context.Context, value any, path ...string) (any, error) {
	switch value := value.(type) {
	case string:
		return r.text(ctx, value, path)
	case []any:
		list := make([]any, 0, len(value))
		for i, item := range value {
			rendered, err := r.render(ctx, item, append(slices.Clip(path), index(i))...)
			if err != nil {
				return nil, err
			}
			if rendered == nunjucks.Undefined {
				rendered = nil
			}
			list = append(list, rendered)
		}
		return list, nil
	case map[string]any:
		out := make(map[string]any, len(value))
		for _, key := range slices.Sorted(maps.Keys(value)) {
			rendered, err := r.render(ctx, value[key], append(slices.Clip(path), key)...)
			if err != nil {
				return nil, err
			}
			if rendered != nunjucks.Undefined {
				out[key] = rendered
			}
		}
		return out, nil
	}
	return value, nil
}

func (r renderer) text(ctx context.Context, text string, path []string) (any, error) {
	if !mayRender(text) {
		return text, nil
	}
	value, err := r.session.Value(ctx, text, r.values)
	if err == nil {
		return value, nil
	}
	details := slices.Clone(fault.Details(err))
	for i := range details {
		details[i].Field, details[i].Line, details[i].Column = strings.Join(path, "."), 0, 0
	}
	if len(details) > 0 {
		return nil, fault.At("an expression of the template fails", details...)
	}
	return nil, fault.Wrap(err, "render %s", strings.Join(path, "."))
}

// truthy is JavaScript's idea of true, with an empty list as false (Backstage's conditions).
func truthy(value any) bool {
	switch value := value.(type) {
	case nil:
		return false
	case bool:
		return value
	case string:
		return value != ""
	case float64:
		return value != 0
	case int:
		return value != 0
	case []any:
		return len(value) > 0
	}
	return value != nunjucks.Undefined
}
