package document

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Files is what a bundle is made of.
type Files struct {
	// At gives the file that a reference in another one names, in the one form in which files are compared.
	At   func(from, reference string) (file string, err error)
	Read func(file string) ([]byte, error)
}

// Bounds of a bundle.
const (
	maxBundled = 200 // files
	maxHops    = 50  // from a $ref to the next one
)

// Bundle gives a YAML or JSON file as one YAML document that needs no other: what a $ref names elsewhere stands where it is
// first named, and whatever names it again points there. A file that names no other is given as it is. Bytes of limits bounds
// each file and what comes of them. What is wrong with a reference, fault.NotFound, fault.TooLarge or fault.Invalid of files
// too, is told with its file and line; other errors of files are given as they are.
func Bundle(file string, data []byte, files Files, limits Limits) ([]byte, error) {
	b := bundler{start: file, files: files, limits: limits.orDefault(), read: map[string]*yaml.Node{}, placed: map[place]string{}}
	root, err := b.parse(file, data)
	if err != nil || root == nil {
		return data, err
	}
	b.read[file] = root
	bundle, err := b.copy(root, spot{file: file})
	switch {
	case err != nil:
		return nil, err
	case len(b.wrong) > 0:
		return nil, fault.At(orInput(file)+" can't be bundled", b.wrong...)
	case !b.changed:
		return data, nil
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(bundle); err != nil {
		return nil, fault.Errorf(fault.Invalid, "write %s with what it refers to: %w", orInput(file), err)
	}
	if out.Len() > b.limits.Bytes {
		return nil, fault.Errorf(fault.TooLarge, "%s has %d bytes with what it refers to; at most %d are taken", orInput(file), out.Len(), b.limits.Bytes)
	}
	return out.Bytes(), nil
}

type bundler struct {
	start   string
	files   Files
	limits  Limits
	read    map[string]*yaml.Node
	placed  map[place]string // where something stands in the bundle
	changed bool
	values  int
	text    int
	wrong   []fault.Detail
}

// place is a value of a file, by the way to it that leads over no $ref.
type place struct{ file, pointer string }

// spot is where a value comes from, and where it goes.
type spot struct {
	file    string
	pointer string // in the bundle
	depth   int
}

func (s spot) child(token string) spot {
	s.pointer += "/" + escapeToken(token)
	s.depth++
	return s
}

// parse reads a file within the limits; nil when it is empty.
func (b *bundler) parse(file string, data []byte) (*yaml.Node, error) {
	if len(data) > b.limits.Bytes {
		return nil, fault.Errorf(fault.TooLarge, "%s has %d bytes; at most %d are read", orInput(file), len(data), b.limits.Bytes)
	}
	limits := b.limits
	limits.Documents = 1
	nodes, err := readNodes(file, data, limits)
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	c := converter{file: file, limits: limits}
	if c.value(nodes[0], 0); len(c.wrong) > 0 {
		return nil, fault.At(orInput(file)+" is not a valid value", c.wrong...)
	}
	return nodes[0], nil
}

func (b *bundler) copy(node *yaml.Node, at spot) (*yaml.Node, error) {
	b.values++
	b.text += len(node.Value)
	if b.values > b.limits.Values || b.text > b.limits.Bytes || at.depth > b.limits.Depth {
		return nil, fault.Errorf(fault.TooLarge, "%s is too large with what it refers to; at most %d bytes, %d values and %d levels are taken", orInput(b.start), b.limits.Bytes, b.limits.Values, b.limits.Depth)
	}
	if node.Kind == yaml.AliasNode {
		at.depth++
		return b.copy(node.Alias, at)
	}
	if ref := reference(node); ref != nil {
		return b.resolve(node, ref, at)
	}
	return b.copyPlain(node, at)
}

// copyPlain copies a value that is no reference.
func (b *bundler) copyPlain(node *yaml.Node, at spot) (*yaml.Node, error) {
	out := *node
	out.Anchor, out.Content = "", nil
	out.Style &^= yaml.FlowStyle
	for i, child := range node.Content {
		token := strconv.Itoa(i)
		if node.Kind == yaml.MappingNode {
			if i%2 == 0 {
				key := *child
				key.Anchor = ""
				out.Content = append(out.Content, &key)
				continue
			}
			token = node.Content[i-1].Value
		}
		value, err := b.copy(child, at.child(token))
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, value)
	}
	return &out, nil
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

// resolve puts what a reference names in its place, or has it point to where that stands already.
func (b *bundler) resolve(node, ref *yaml.Node, at spot) (*yaml.Node, error) {
	if at.file == b.start && strings.HasPrefix(ref.Value, "#") {
		return b.pointing(node, ref.Value, at)
	}
	found, value, err := b.find(at.file, ref.Value)
	if err != nil {
		return b.refuse(ref, at, err)
	}
	if where, stands := b.stands(found); stands {
		return b.pointing(node, "#"+where, at)
	}
	b.placed[found], b.changed = at.pointer, true
	from := at
	from.file = found.file
	from.depth++ // each of a chain of references may have something beside it
	out, err := b.copy(value, from)
	if err != nil || len(node.Content) == 2 || out.Kind != yaml.MappingNode {
		return out, err
	}
	return out, b.override(out, node, at)
}

// pointing copies a mapping with another $ref.
func (b *bundler) pointing(node *yaml.Node, to string, at spot) (*yaml.Node, error) {
	out, err := b.copyPlain(node, at)
	if err != nil {
		return nil, err
	}
	if ref := reference(out); ref.Value != to {
		b.changed = true
		*ref = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: to, Style: yaml.DoubleQuotedStyle}
	}
	return out, nil
}

// override has what stands beside a $ref replace what that brings.
func (b *bundler) override(out, node *yaml.Node, at spot) error {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := *node.Content[i]
		if key.Value == "$ref" {
			continue
		}
		value, err := b.copy(node.Content[i+1], at.child(key.Value))
		if err != nil {
			return err
		}
		n := 0
		for n < len(out.Content) && out.Content[n].Value != key.Value {
			n += 2
		}
		if n < len(out.Content) {
			out.Content[n+1] = value
			continue
		}
		key.Anchor = ""
		out.Content = append(out.Content, &key, value)
	}
	return nil
}

// stands tells where the bundle has a value: by itself, or as a part of what is around it.
func (b *bundler) stands(p place) (pointer string, ok bool) {
	if p.file == b.start {
		return p.pointer, true
	}
	for rest := ""; ; {
		if where, ok := b.placed[p]; ok {
			return where + rest, true
		}
		cut := strings.LastIndexByte(p.pointer, '/')
		if cut < 0 {
			return "", false
		}
		p.pointer, rest = p.pointer[:cut], p.pointer[cut:]+rest
	}
}

// find gives the value that a reference in a file names, and where it is when all references on the way are followed.
func (b *bundler) find(file, ref string) (place, *yaml.Node, error) {
	var tokens []string
	for hops := 0; ; hops++ {
		if hops > maxHops {
			return place{}, nil, fault.Errorf(fault.Invalid, "the references go round in a circle")
		}
		name, more, err := split(ref)
		if err != nil {
			return place{}, nil, err
		}
		if name != "" {
			if file, err = b.files.At(file, name); err != nil {
				return place{}, nil, err
			}
		}
		node, err := b.file(file)
		if err != nil {
			return place{}, nil, err
		}
		tokens = append(more, tokens...)
		at := place{file: file}
		for {
			for node.Kind == yaml.AliasNode {
				node = node.Alias
			}
			next := reference(node)
			if next != nil && (len(tokens) > 0 || len(node.Content) == 2) {
				ref = next.Value
				break
			}
			if len(tokens) == 0 {
				return at, node, nil
			}
			child := step(node, tokens[0])
			if child == nil {
				return place{}, nil, fault.Errorf(fault.NotFound, "%s has no %s", orInput(strings.TrimLeft(file, "/")), at.pointer+"/"+escapeToken(tokens[0]))
			}
			at.pointer += "/" + escapeToken(tokens[0])
			node, tokens = child, tokens[1:]
		}
	}
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

// file reads a file once. What is neither YAML nor JSON by its name is a text.
func (b *bundler) file(name string) (*yaml.Node, error) {
	if node, read := b.read[name]; read {
		return node, nil
	}
	if len(b.read) >= maxBundled {
		return nil, fault.Errorf(fault.TooLarge, "%s refers to more than %d files", orInput(b.start), maxBundled)
	}
	data, err := b.files.Read(name)
	if err != nil {
		return nil, err
	}
	var node *yaml.Node
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json", ".avsc", "":
		if node, err = b.parse(name, data); err != nil {
			return nil, err
		}
	default:
		node = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.ToValidUTF8(strings.ReplaceAll(string(data), "\x00", ""), "�")}
	}
	if node == nil {
		return nil, fault.Errorf(fault.Invalid, "%s is empty", strings.TrimLeft(name, "/"))
	}
	b.read[name] = node
	return node, nil
}

// refuse notes what is wrong with a reference, or gives an error that has nothing to do with it.
func (b *bundler) refuse(ref *yaml.Node, at spot, err error) (*yaml.Node, error) {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.TooLarge, fault.Invalid:
	default:
		return nil, err
	}
	if len(b.wrong) < maxDetails {
		message := fault.Message(err)
		if details := fault.Details(err); len(details) > 0 {
			message = details[0].String()
		}
		b.wrong = append(b.wrong, fault.Detail{
			File: strings.TrimLeft(at.file, "/"), Line: ref.Line, Column: ref.Column, Message: fmt.Sprintf("the $ref %.200q: %s", ref.Value, message),
		})
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
}
