package document

import (
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// source is a text that documents were read from. Its nodes are read when somebody asks for a place.
type source struct {
	file   string
	text   string
	limits Limits

	once  sync.Once
	nodes []*yaml.Node
}

// root gives the node of a document; nil when it is not known where that was read.
func (d Document) root() *yaml.Node {
	s := d.source
	if s == nil {
		return nil
	}
	s.once.Do(func() {
		if s.nodes == nil {
			s.nodes, _ = readNodes(s.file, []byte(s.text), s.limits) // what can't be read has no documents
		}
	})
	if d.index >= len(s.nodes) {
		return nil
	}
	return s.nodes[d.index]
}

// Line gives the line of a field, such as Line("spec", "steps", "0", "name"); of the nearest thing around it when
// the field is not there; and 0 when the document did not come from Parse.
func (d Document) Line(path ...string) int {
	line, _ := d.position(path)
	return line
}

// Keys gives the keys of a mapping in the order in which the author wrote them, without those that `<<` brings in;
// nil when there is no such mapping, or when the document did not come from Parse.
func (d Document) Keys(path ...string) []string {
	node := d.root()
	for _, step := range path {
		if node == nil {
			return nil
		}
		_, node = child(node, step, 0)
	}
	if node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	keys := make([]string, 0, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i]
		if name.Kind == yaml.AliasNode {
			name = name.Alias
		}
		if !isMerge(name) {
			keys = append(keys, name.Value)
		}
	}
	return keys
}

// At gives a detail that points at a field of the document.
func (d Document) At(message, hint string, path ...string) fault.Detail {
	line, column := d.position(path)
	field := strings.ReplaceAll(strings.Join(path, "."), nul, `\0`) // which is kept
	return fault.Detail{File: d.Origin.File, Line: line, Column: column, Field: field, Message: message, Hint: hint}
}

func (d Document) position(path []string) (line, column int) {
	node := d.root()
	if node == nil {
		return d.Origin.Line, 0
	}
	line, column = node.Line, node.Column
	for _, step := range path {
		key, value := child(node, step, 0)
		if value == nil {
			break
		}
		node = value
		line, column = key.Line, key.Column
	}
	return line, column
}

// child gives the key and the value of one step down; for an item of a list both are the item.
func child(node *yaml.Node, step string, depth int) (key, value *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.SequenceNode:
		i, err := strconv.Atoi(step)
		if err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i]
			if name.Kind == yaml.AliasNode {
				name = name.Alias
			}
			if name.Value == step && !isMerge(name) {
				return node.Content[i], node.Content[i+1]
			}
		}
		return merged(node, step, depth)
	}
	return nil, nil
}

// merged looks for a key in what `<<` brings in; depth ends a search in merges that name one another.
func merged(node *yaml.Node, step string, depth int) (key, value *yaml.Node) {
	if depth > 10 {
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !isMerge(node.Content[i]) {
			continue
		}
		from := node.Content[i+1]
		if from.Kind == yaml.AliasNode {
			from = from.Alias
		}
		sources := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			sources = from.Content
		}
		for _, source := range sources {
			if key, value := child(source, step, depth+1); value != nil {
				return key, value
			}
		}
	}
	return nil, nil
}
