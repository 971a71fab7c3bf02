package document

import (
	"bytes"
	"errors"
	"fmt"
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
	maxBundled = 200        // files, those that can't be read too
	maxHops    = 50         // from a $ref to the next one
	maxPointer = 4096       // bytes of a $ref, and of a way to a value
	maxSteps   = 20_000_000 // to what all references name
	maxParsed  = 2          // times the values of one document, in all files
)

// Bundle gives a YAML or JSON file as one YAML document that needs no other: what a $ref names elsewhere stands where it is
// first named, and whatever names it again points there. A file that names no other is given as it is. Bytes of limits bounds
// each file and what comes of them. What is wrong with a reference, fault.NotFound, fault.TooLarge or fault.Invalid of files
// too, is told with its file and line; other errors of files are given as they are.
func Bundle(file string, data []byte, files Files, limits Limits) ([]byte, error) {
	b := bundler{start: file, files: files, limits: limits.orDefault()}
	b.read, b.failed = map[string]*yaml.Node{}, map[string]error{}
	b.names, b.found = map[[2]string]string{}, map[[2]string]target{}
	b.placed, b.joined = map[place]*way{}, map[*yaml.Node]*way{}
	root, err := b.parse(file, data)
	if err != nil || root == nil {
		return data, err
	}
	b.read[file] = root
	bundle, err := b.copy(root, spot{file: file})
	switch {
	case err != nil && !errors.Is(err, errEnough):
		return nil, err
	case len(b.wrong) > 0:
		return nil, fault.At(orInput(file)+" can't be bundled", b.wrong...)
	case !b.changed:
		return data, nil
	}
	out := bounded{left: b.limits.Bytes}
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	switch err := encoder.Encode(bundle); {
	case out.left < 0:
		return nil, b.tooLarge()
	case err != nil:
		return nil, fault.Errorf(fault.Invalid, "write %s with what it refers to: %w", orInput(file), err)
	}
	return out.text.Bytes(), nil
}

// errEnough ends a bundle that has more wrong than is told.
var errEnough = errors.New("enough is wrong")

// bounded takes no more than what is left.
type bounded struct {
	text bytes.Buffer
	left int
}

func (w *bounded) Write(text []byte) (int, error) {
	if w.left -= len(text); w.left < 0 {
		w.left = -1
		return 0, errEnough
	}
	return w.text.Write(text)
}

type bundler struct {
	start   string
	files   Files
	limits  Limits
	read    map[string]*yaml.Node
	failed  map[string]error
	names   map[[2]string]string // what Files.At gave
	found   map[[2]string]target // by the file and the text of a reference
	placed  map[place]*way       // where something stands in the bundle
	joined  map[*yaml.Node]*way  // where a reference stands together with what is beside it
	changed bool
	parsed  int // values of the files
	values  int
	text    int
	steps   int
	wrong   []fault.Detail
}

// spot is where a value comes from, and where it goes.
type spot struct {
	file  string
	way   *way // in the bundle
	depth int
}

func (s spot) child(token string) spot {
	return spot{s.file, &way{s.way, token}, s.depth + 1}
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
	if b.parsed += c.values; b.parsed > maxParsed*limits.Values {
		return nil, fault.Errorf(fault.TooLarge, "%s refers to files of more than %d values in all; refer to smaller ones", orInput(b.start), maxParsed*limits.Values)
	}
	spread(nodes[0], map[*yaml.Node]bool{})
	return nodes[0], nil
}

// spread puts what keys that are aliases, and what `<<`, bring where they stand. converter has bounded what comes of it.
func spread(node *yaml.Node, done map[*yaml.Node]bool) {
	if len(node.Content) == 0 || done[node] {
		return
	}
	done[node] = true
	own := map[string]bool{}
	plain := true
	for i, child := range node.Content {
		spread(child, done)
		if node.Kind != yaml.MappingNode || i%2 == 1 {
			continue
		}
		if isMerge(child) {
			plain = false
			continue
		}
		if child.Kind == yaml.AliasNode {
			key := *child.Alias
			if key.Anchor = ""; isMerge(&key) {
				key.Tag, key.Style = "!!str", yaml.DoubleQuotedStyle
			}
			child, node.Content[i] = &key, &key
		}
		own[child.Value] = true
	}
	if plain {
		return
	}
	var all []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if !isMerge(key) {
			all = append(all, key, value)
			continue
		}
		for _, from := range mergedBy(value) {
			spread(from, done)
			for n := 0; n+1 < len(from.Content); n += 2 {
				if name := from.Content[n].Value; !own[name] {
					own[name] = true
					all = append(all, from.Content[n], from.Content[n+1])
				}
			}
		}
	}
	node.Content = all
}

// mergedBy gives the mappings that a `<<` names.
func mergedBy(value *yaml.Node) []*yaml.Node {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if value.Kind != yaml.SequenceNode {
		return []*yaml.Node{value}
	}
	all := make([]*yaml.Node, len(value.Content))
	for i, item := range value.Content {
		if all[i] = item; item.Kind == yaml.AliasNode {
			all[i] = item.Alias
		}
	}
	return all
}

func (b *bundler) copy(node *yaml.Node, at spot) (*yaml.Node, error) {
	b.values++
	b.text += len(node.Value)
	if b.values > b.limits.Values || b.text > b.limits.Bytes || at.depth > b.limits.Depth {
		return nil, b.tooLarge()
	}
	if b.steps > maxSteps {
		return nil, b.tooFar()
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

func (b *bundler) tooLarge() error {
	return fault.Errorf(fault.TooLarge, "%s is too large with what it refers to; at most %d bytes, %d values and %d levels are taken", orInput(b.start), b.limits.Bytes, b.limits.Values, b.limits.Depth)
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
				out.Content = append(out.Content, b.copyKey(child))
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

func (b *bundler) copyKey(key *yaml.Node) *yaml.Node {
	out := *key
	out.Anchor = ""
	b.text += len(out.Value)
	return &out
}

// resolve puts what a reference names in its place, or has it point to where that stands already.
func (b *bundler) resolve(node, ref *yaml.Node, at spot) (*yaml.Node, error) {
	if at.file == b.start && strings.HasPrefix(ref.Value, "#") {
		return b.copyPlain(node, at)
	}
	found, err := b.target(at.file, ref.Value)
	if err != nil {
		return b.refuse(ref, at, err)
	}
	where, stands, err := b.stands(found.at, at)
	if err != nil {
		return b.refuse(ref, at, err)
	}
	if stands {
		return b.pointing(node, where, at)
	}
	b.changed = true
	if len(node.Content) > 2 && found.value.Kind == yaml.MappingNode {
		return b.join(node, ref, found, at)
	}
	b.placed[found.at] = at.way
	from := at
	from.file = found.at.file
	from.depth++ // each of a chain of references may have something beside it
	return b.copy(found.value, from)
}

// pointing copies a mapping with another $ref.
func (b *bundler) pointing(node *yaml.Node, to string, at spot) (*yaml.Node, error) {
	out, err := b.copyPlain(node, at)
	if err != nil {
		return nil, err
	}
	if ref := reference(out); ref.Value != to {
		b.changed = true
		b.text += len(to)
		*ref = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: to, Style: yaml.DoubleQuotedStyle}
	}
	if b.text > b.limits.Bytes {
		return nil, b.tooLarge()
	}
	return out, nil
}

// part is a key of a mapping that is made of several.
type part struct {
	key, value *yaml.Node
	file       string
}

// join copies what a reference names with what stands beside it, which replaces what has the same key. That is not what other
// references to the same place name: only what it leaves as it was stands there for them.
func (b *bundler) join(node, ref *yaml.Node, found target, at spot) (*yaml.Node, error) {
	if w, again := b.joined[node]; again {
		where, err := w.pointer("")
		if err != nil {
			return b.refuse(ref, at, err)
		}
		return b.pointing(&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "$ref"}, ref}}, "#"+where, at)
	}
	b.joined[node] = at.way

	beside := map[string]part{}
	var order []string
	add := func(node *yaml.Node, file string) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i].Value
			if _, has := beside[key]; !has && key != "$ref" {
				beside[key] = part{node.Content[i], node.Content[i+1], file}
				order = append(order, key)
			}
		}
	}
	add(node, at.file)
	for hops := 0; found.value.Kind == yaml.MappingNode; hops++ { // what it names may be a reference with something beside it
		next := reference(found.value)
		if next == nil {
			break
		}
		if hops > maxHops {
			return b.refuse(ref, at, errCircle)
		}
		b.steps += len(found.value.Content)
		add(found.value, found.at.file)
		var err error
		if found, err = b.target(found.at.file, next.Value); err != nil {
			return b.refuse(ref, at, err)
		}
		where, stands, err := b.stands(found.at, at)
		if err != nil {
			return b.refuse(ref, at, err)
		}
		if stands {
			to := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: where, Style: yaml.DoubleQuotedStyle}
			parts := []part{{&yaml.Node{Kind: yaml.ScalarNode, Value: "$ref"}, to, ""}}
			for _, key := range order {
				parts = append(parts, beside[key])
			}
			return b.copyParts(node, parts, at)
		}
	}

	if found.value.Kind != yaml.MappingNode {
		b.placed[found.at] = at.way
		return b.copy(found.value, spot{found.at.file, at.way, at.depth + 1})
	}
	var parts []part
	for i := 0; i+1 < len(found.value.Content); i += 2 {
		key := found.value.Content[i].Value
		if p, replaced := beside[key]; replaced {
			parts = append(parts, p)
			delete(beside, key)
			continue
		}
		parts = append(parts, part{found.value.Content[i], found.value.Content[i+1], found.at.file})
		stays := place{found.at.file, found.at.pointer + "/" + escapeToken(key)}
		b.steps += len(stays.pointer)
		if _, stands := b.placed[stays]; !stands && len(stays.pointer) <= maxPointer && b.steps <= maxSteps {
			b.placed[stays] = &way{at.way, key}
		}
	}
	for _, key := range order {
		if p, left := beside[key]; left {
			parts = append(parts, p)
		}
	}
	return b.copyParts(found.value, parts, at)
}

// copyParts copies parts in place of what a mapping has.
func (b *bundler) copyParts(like *yaml.Node, parts []part, at spot) (*yaml.Node, error) {
	out := *like
	out.Anchor, out.Content = "", nil
	out.Style &^= yaml.FlowStyle
	for _, p := range parts {
		child := at.child(p.key.Value)
		child.file = p.file
		value, err := b.copy(p.value, child)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, b.copyKey(p.key), value)
	}
	return &out, nil
}

// file reads a file once. What is neither YAML nor JSON by its name is a text.
func (b *bundler) file(name string) (*yaml.Node, error) {
	if node, read := b.read[name]; read {
		return node, nil
	}
	if err, failed := b.failed[name]; failed {
		return nil, err
	}
	if len(b.read)+len(b.failed) >= maxBundled {
		return nil, fault.Errorf(fault.TooLarge, "%s refers to more than %d files", orInput(b.start), maxBundled)
	}
	node, err := b.load(name)
	if err != nil {
		b.failed[name] = err
		return nil, err
	}
	b.read[name] = node
	return node, nil
}

func (b *bundler) load(name string) (*yaml.Node, error) {
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
	return node, nil
}

// refuse notes what is wrong with a reference, or gives an error that has nothing to do with it.
func (b *bundler) refuse(ref *yaml.Node, at spot, err error) (*yaml.Node, error) {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.TooLarge, fault.Invalid:
	default:
		return nil, err
	}
	if b.steps > maxSteps {
		return nil, b.tooFar()
	}
	message := fault.Message(err)
	if details := fault.Details(err); len(details) > 0 {
		message = details[0].String()
	}
	b.wrong = append(b.wrong, fault.Detail{
		File: strings.TrimLeft(at.file, "/"), Line: ref.Line, Column: ref.Column, Message: fmt.Sprintf("the $ref %.200q: %s", ref.Value, message),
	})
	if len(b.wrong) >= maxDetails {
		return nil, errEnough
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
}
