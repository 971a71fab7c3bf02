package catalog

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// fill resolves the placeholders of a document: an object whose one key is $text, $json or $yaml is replaced by what
// that file of the same repository holds.
func (r *reading) fill(ctx context.Context, in *contents, d document.Document) (document.Document, []fault.Detail, error) {
	if !hasPlaceholder(d.Spec, 0) {
		return d, nil, nil
	}
	d.Spec = d.Clone().Spec // the values are replaced in place
	f := filler{r: r, in: in, document: d}
	spec, err := f.value(ctx, d.Spec, []string{"spec"}, 0)
	if err == nil {
		d.Spec, _ = spec.(map[string]any)
	}
	return d, f.wrong, err
}

type filler struct {
	r        *reading
	in       *contents
	document document.Document
	count    int
	wrong    []fault.Detail
}

const maxPlaceholders = 20

func placeholder(m map[string]any) (kind string, ok bool) {
	if len(m) != 1 {
		return "", false
	}
	for key, value := range m {
		_, text := value.(string)
		if kind, ok = strings.CutPrefix(key, "$"); ok && text {
			return kind, kind == "text" || kind == "json" || kind == "yaml" || kind == "openapi" || kind == "asyncapi"
		}
	}
	return "", false
}

func hasPlaceholder(v any, depth int) bool {
	switch v := v.(type) {
	case map[string]any:
		if _, is := placeholder(v); is {
			return depth > 0
		}
		for _, value := range v {
			if hasPlaceholder(value, depth+1) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return hasPlaceholder(item, depth+1) })
	}
	return false
}

func (f *filler) value(ctx context.Context, v any, at []string, depth int) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if kind, is := placeholder(v); is && depth > 0 {
			return f.load(ctx, kind, v["$"+kind].(string), at)
		}
		for key, value := range v {
			filled, err := f.value(ctx, value, append(slices.Clone(at), key), depth+1)
			if err != nil {
				return nil, err
			}
			v[key] = filled
		}
	case []any:
		for i, value := range v {
			filled, err := f.value(ctx, value, append(slices.Clone(at), fmt.Sprint(i)), depth+1)
			if err != nil {
				return nil, err
			}
			v[i] = filled
		}
	}
	return v, nil
}

func (f *filler) load(ctx context.Context, kind, target string, at []string) (any, error) {
	if f.count++; f.count > maxPlaceholders {
		f.wrong = append(f.wrong, f.document.At(fmt.Sprintf("more than %d placeholders in one document", maxPlaceholders), "", at...))
		return nil, nil
	}
	name, ok := relativeTarget(f.in.path, target)
	if !ok || isAddress(target) {
		f.wrong = append(f.wrong, f.document.At(fmt.Sprintf("%q is not a file of this repository", target), "write a path relative to "+path.Base(f.in.path), at...))
		return nil, nil
	}
	f.in.inputs = append(f.in.inputs, name)
	data, err := f.r.s.repositories.ReadFile(ctx, f.r.location.Repository, f.r.commit, name, maxDocument)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.TooLarge, fault.Invalid:
		if err != nil {
			f.wrong = append(f.wrong, f.document.At(fault.Message(err), "", at...))
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if f.in.filled += len(data); f.in.filled > maxFilled || f.r.bytes.Add(int64(len(data))) > maxBytes {
		return nil, f.r.tooLarge()
	}
	if kind == "json" || kind == "yaml" {
		value, err := document.ParseValue(name, data, document.Limits{Bytes: maxDocument})
		if err != nil {
			f.wrong = append(f.wrong, fault.Details(err)...)
		}
		return value, nil
	}
	return strings.ReplaceAll(string(data), "\x00", ""), nil
}
