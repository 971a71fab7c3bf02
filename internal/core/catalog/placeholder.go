package catalog

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// fill resolves the placeholders of a document: an object whose one key is $text, $json or $yaml is replaced by what that file
// of the same repository holds, or of another one that the location's space may read. $openapi and $asyncapi bring as one text
// what the file refers to as well.
func (r *reading) fill(ctx context.Context, in *contents, d document.Document) (document.Document, []fault.Detail, error) {
	if !hasPlaceholder(d.Spec) && !hasPlaceholder(d.Rest) && !mayHavePlaceholder(d.Metadata) {
		return d, nil, nil
	}
	f := filler{r: r, in: in, document: d}
	filled, err := f.value(ctx, d.Clone().Value(), nil) // the values are replaced in place
	if err != nil {
		return d, nil, err
	}
	fields, _ := filled.(map[string]any)
	d, wrong := d.Filled(fields)
	return d, append(f.wrong, wrong...), nil
}

type filler struct {
	r        *reading
	in       *contents
	document document.Document
	count    int
	here     []string // where the placeholder is that is filled
	end      error    // why nothing more is brought into the file
	wrong    []fault.Detail
}

const (
	maxPlaceholders = 100
	maxUnfilled     = 20      // things wrong with those of one document, of which it tells
	lookUp          = 8 << 10 // bytes for which it counts for the location that a file or an address is looked for, be it there or not
	bytesOfValue    = 32      // for which each value of $json and $yaml counts besides its text
)

// mayHavePlaceholder looks where a placeholder is left by who reads the metadata.
func mayHavePlaceholder(m document.Metadata) bool {
	return hasPlaceholder(m.Rest) || slices.ContainsFunc(m.Links, func(l document.Link) bool { return hasPlaceholder(l.Rest) })
}

func hasPlaceholder(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if _, _, is := document.Placeholder(v); is {
			return true
		}
		for _, value := range v {
			if hasPlaceholder(value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, hasPlaceholder)
	}
	return false
}

func (f *filler) value(ctx context.Context, v any, at []string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if how, where, is := document.Placeholder(v); is {
			return f.load(ctx, how, where, at)
		}
		for key, value := range v {
			filled, err := f.value(ctx, value, append(slices.Clone(at), key))
			if err != nil {
				return nil, err
			}
			v[key] = filled
		}
	case []any:
		for i, value := range v {
			filled, err := f.value(ctx, value, append(slices.Clone(at), strconv.Itoa(i)))
			if err != nil {
				return nil, err
			}
			v[i] = filled
		}
	}
	return v, nil
}

func (f *filler) load(ctx context.Context, how, target string, at []string) (any, error) {
	switch f.count++; {
	case f.count > maxPlaceholders+1: // it has been told
		return nil, nil
	case f.count > maxPlaceholders:
		return f.refuse(fmt.Sprintf("more than %d placeholders in one document", maxPlaceholders), "", at)
	}
	f.here = at
	name, err := f.at(ctx, input{path: f.in.path}, target)
	var data []byte
	if err == nil {
		data, err = f.read(ctx, name)
	}
	switch {
	case f.end != nil:
		return nil, f.end
	case refused(err):
		return f.refuse(fault.Message(err), "", at)
	case err != nil:
		return nil, err
	}
	switch how {
	case "openapi", "asyncapi":
		return f.bundle(ctx, name, data, at)
	case "json", "yaml":
		value, err := document.ParseValue(name.path, data, document.Limits{Bytes: maxDocument, Expanded: maxTexts})
		if err != nil {
			f.tell(fault.Details(err)...)
		}
		return value, f.bring(sizeOf(value))
	}
	return strings.ReplaceAll(string(data), "\x00", ""), nil
}

// sizeOf gives about what a value takes in memory: aliases make much of few bytes.
func sizeOf(v any) int {
	size := bytesOfValue
	switch v := v.(type) {
	case string:
		size += len(v)
	case map[string]any:
		for key, value := range v {
			size += len(key) + sizeOf(value)
		}
	case []any:
		for _, value := range v {
			size += sizeOf(value)
		}
	}
	return size
}

// take counts for the location what is read or looked for.
func (f *filler) take(bytes int) error {
	if f.end == nil {
		f.end = f.r.took(bytes)
	}
	return f.end
}

// bring counts for the file what is in memory for it.
func (f *filler) bring(bytes int) error {
	if f.end != nil {
		return f.end
	}
	if f.in.filled += bytes; f.in.filled > textBeside+textPerByte*f.in.size {
		f.end = f.in.refuse(f.document.At(fmt.Sprintf("up to here the placeholders of the file bring more than %d MiB and %d times its bytes", textBeside>>20, textPerByte),
			"split the file, so that each part brings less", f.here...))
	} else if f.in.hold != nil {
		f.in.hold(bytes)
	}
	return f.end
}

func (f *filler) at(ctx context.Context, from input, target string) (input, error) {
	if isAddress(target) {
		if err := f.take(lookUp); err != nil {
			return input{}, err
		}
	}
	return f.r.inputAt(ctx, from, target)
}

// read gives what is in a file, and notes that the document is made of it.
func (f *filler) read(ctx context.Context, name input) ([]byte, error) {
	if err := f.take(lookUp); err != nil {
		return nil, err
	}
	f.in.inputs = append(f.in.inputs, name)
	data, err := f.r.readInput(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := f.take(len(data)); err != nil {
		return nil, err
	}
	return data, f.bring(len(data))
}

// bundle gives the text of a file together with what its $refs bring from others.
func (f *filler) bundle(ctx context.Context, name input, data []byte, at []string) (any, error) {
	text, err := document.Bundle(name.String(), data, document.Files{
		At: func(from, reference string) (string, error) {
			var in input
			if err := in.UnmarshalText([]byte(from)); err != nil {
				return "", err
			}
			in, err := f.at(ctx, in, reference)
			return in.String(), err
		},
		Read: func(file string) ([]byte, error) {
			var in input
			if err := in.UnmarshalText([]byte(file)); err != nil {
				return nil, err
			}
			return f.read(ctx, in)
		},
	}, document.Limits{Bytes: maxDocument})
	switch {
	case f.end != nil:
		return nil, f.end
	case err == nil:
		return strings.ReplaceAll(string(text), "\x00", ""), f.bring(len(text))
	case len(fault.Details(err)) > 0:
		f.tell(fault.Details(err)...)
		return nil, nil
	case refused(err):
		return f.refuse(fault.Message(err), "", at)
	}
	return nil, err
}

func (f *filler) refuse(message, hint string, at []string) (any, error) {
	f.tell(f.document.At(message, hint, at...))
	return nil, nil
}

// tell notes what is wrong, as far as that is told.
func (f *filler) tell(wrong ...fault.Detail) {
	f.wrong = append(f.wrong, wrong[:min(len(wrong), maxUnfilled-len(f.wrong))]...)
}

// refused tells whether an error speaks of what was asked for, not of the platform.
func refused(err error) bool {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.TooLarge, fault.Invalid:
		return err != nil
	}
	return false
}

// inputAt gives the file that a placeholder or a $ref in a file names: by a path relative to it, or by an address.
func (r *reading) inputAt(ctx context.Context, file input, target string) (input, error) {
	if !isAddress(target) {
		name, ok := relativeTarget(file.path, target)
		if !ok {
			return input{}, fault.Errorf(fault.Invalid, "%q is not a file of this repository; write a path relative to %s, or the address of a file", clip(target), path.Base(file.path))
		}
		return input{file.repository, file.branch, name}, nil
	}
	t, err := r.s.targetFor(ctx, r.location.Space, target)
	if err != nil {
		return input{}, err
	}
	if t.Repository == r.location.Repository && t.Branch == r.location.Branch {
		return input{path: t.Path}, nil
	}
	return input{repository: t.Repository, branch: t.Branch, path: t.Path}, nil
}

func (r *reading) readInput(ctx context.Context, in input) ([]byte, error) {
	repository, commit, err := r.commitOf(ctx, in)
	if err != nil {
		return nil, err
	}
	return r.s.repositories.ReadFile(ctx, repository, commit, in.path, maxDocument)
}
