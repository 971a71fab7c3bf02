package document

import (
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// place is a value of a file, by the way to it that leads over no $ref.
type place struct{ file, pointer string }

// target is what a reference names.
type target struct {
	at    place
	value *yaml.Node
	err   error
}

// way leads to a value of the bundle.
type way struct {
	up    *way
	token string
}

// pointer writes a way, and the rest of it.
func (w *way) pointer(rest string) (string, error) {
	size := len(rest)
	var tokens []string
	for ; w != nil && size <= maxPointer; w = w.up {
		size += len("/") + len(w.token)
		tokens = append(tokens, w.token)
	}
	if size <= maxPointer {
		var b strings.Builder
		for i := len(tokens) - 1; i >= 0; i-- {
			b.WriteString("/" + escapeToken(tokens[i]))
		}
		if b.WriteString(rest); b.Len() <= maxPointer {
			return b.String(), nil
		}
	}
	return "", fault.Errorf(fault.TooLarge, "the way to where that stands in the bundle has more than %d bytes; shorten the keys", maxPointer)
}

// reference gives the value of a mapping's $ref, nil when it has none.
func reference(node *yaml.Node) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if value := node.Content[i+1]; node.Content[i].Value == "$ref" && value.Kind == yaml.ScalarNode && value.ShortTag() == "!!str" {
			return value
		}
	}
	return nil
}

// split gives the file and the way in it that a reference names.
func split(ref string) (file string, tokens []string, err error) {
	name, fragment, _ := strings.Cut(ref, "#")
	if !strings.Contains(name, "://") {
		if name, err = url.PathUnescape(name); err != nil {
			return "", nil, fault.Errorf(fault.Invalid, "%.200q is not the name of a file", ref)
		}
	}
	if fragment == "" || fragment == "/" {
		return name, nil, nil
	}
	rest, pointer := strings.CutPrefix(fragment, "/")
	if !pointer {
		return "", nil, fault.Errorf(fault.Invalid, "%.200q names no value by its way, such as #/components/schemas/Pet", ref)
	}
	for token := range strings.SplitSeq(rest, "/") {
		if token, err = url.PathUnescape(token); err != nil {
			return "", nil, fault.Errorf(fault.Invalid, "%.200q is not a reference", ref)
		}
		tokens = append(tokens, strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~"))
	}
	return name, tokens, nil
}

func escapeToken(token string) string {
	return url.PathEscape(strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1"))
}

func step(node *yaml.Node, token string) *yaml.Node {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == token {
				return node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
	}
	return nil
}

var errCircle = fault.Errorf(fault.Invalid, "the references go round in a circle")

// stands gives a reference to where the bundle has a value: by itself, or as a part of what is around it. What stands at the
// spot from which it is asked for names itself.
func (b *bundler) stands(p place, from spot) (reference string, ok bool, err error) {
	if p.file == b.start {
		return "#" + p.pointer, true, nil
	}
	for rest := ""; ; {
		b.steps += 1 + len(p.pointer)/16
		if where, ok := b.placed[p]; ok {
			if where == from.way && rest == "" {
				return "", false, errCircle
			}
			pointer, err := where.pointer(rest)
			return "#" + pointer, true, err
		}
		cut := strings.LastIndexByte(p.pointer, '/')
		if cut < 0 {
			return "", false, nil
		}
		p.pointer, rest = p.pointer[:cut], p.pointer[cut:]+rest
	}
}

// target gives what a reference in a file names.
func (b *bundler) target(file, ref string) (target, error) {
	if len(ref) > maxPointer {
		return target{}, fault.Errorf(fault.TooLarge, "a reference has at most %d bytes", maxPointer)
	}
	key := [2]string{file, ref}
	found, known := b.found[key]
	if !known {
		found.at, found.value, found.err = b.find(file, ref)
		b.found[key] = found
	}
	return found, found.err
}

// find gives the value that a reference in a file names, and where it is when all references on the way are followed.
func (b *bundler) find(file, ref string) (place, *yaml.Node, error) {
	var tokens []string
	for hops := 0; ; hops++ {
		if hops > maxHops {
			return place{}, nil, errCircle
		}
		name, more, err := split(ref)
		if err != nil {
			return place{}, nil, err
		}
		if name != "" {
			if file, err = b.at(file, name); err != nil {
				return place{}, nil, err
			}
		}
		node, err := b.file(file)
		if err != nil {
			return place{}, nil, err
		}
		tokens = append(more, tokens...)
		b.steps += len(ref) + len(tokens)
		at := place{file: file}
		for {
			for node.Kind == yaml.AliasNode {
				node = node.Alias
			}
			if b.steps += len(node.Content) + len(at.pointer); b.steps > maxSteps {
				return place{}, nil, b.tooFar()
			}
			next := reference(node)
			if next != nil && (len(node.Content) == 2 || len(tokens) > 0 && (tokens[0] == "$ref" || step(node, tokens[0]) == nil)) {
				ref = next.Value
				break
			}
			if len(tokens) == 0 {
				return at, node, nil
			}
			way := at.pointer + "/" + escapeToken(tokens[0])
			if len(way) > maxPointer {
				return place{}, nil, fault.Errorf(fault.TooLarge, "the way to it in %s has more than %d bytes", orInput(strings.TrimLeft(file, "/")), maxPointer)
			}
			child := step(node, tokens[0])
			if child == nil {
				return place{}, nil, fault.Errorf(fault.NotFound, "%s has no %s", orInput(strings.TrimLeft(file, "/")), way)
			}
			at.pointer = way
			node, tokens = child, tokens[1:]
		}
	}
}

func (b *bundler) at(from, name string) (string, error) {
	key := [2]string{from, name}
	file, known := b.names[key]
	if known {
		return file, nil
	}
	file, err := b.files.At(from, name)
	if err == nil {
		b.names[key] = file
	}
	return file, err
}

func (b *bundler) tooFar() error {
	return fault.Errorf(fault.TooLarge, "%s refers to too much: to find it takes more than %d steps", orInput(b.start), maxSteps)
}
