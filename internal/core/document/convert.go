package document

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// converter turns YAML nodes into the values of JSON, within the limits. After the first wrong thing of a
// document that breaks a limit it stops, since going on could cost without bound.
type converter struct {
	file    string
	limits  Limits
	core    bool // plain scalars are those of YAML 1.2's core schema, as Backstage reads them
	values  int
	text    int
	left    amount // that the stream may still have, of most
	most    amount // zero: there is no stream
	stopped bool
	wrong   []fault.Detail
}

func (c *converter) fail(node *yaml.Node, hint, format string, args ...any) any {
	if len(c.wrong) < maxDetails {
		c.wrong = append(c.wrong, fault.Detail{
			File: c.file, Line: node.Line, Column: node.Column, Message: fmt.Sprintf(format, args...), Hint: hint,
		})
	}
	return nil
}

func (c *converter) stop(node *yaml.Node, format string, args ...any) any {
	return c.stopFor(node, "", format, args...)
}

func (c *converter) stopFor(node *yaml.Node, hint, format string, args ...any) any {
	if !c.stopped {
		c.stopped = true
		c.fail(node, hint, format, args...)
	}
	return nil
}

// within stops where the document has more than it may, or the stream with it.
func (c *converter) within(node *yaml.Node) bool {
	const lessOften, fewer = "repeat less by aliases", "repeat less by aliases, or split the file"
	switch {
	case c.values > c.limits.Values:
		c.stopFor(node, lessOften, "more than %d values, aliases expanded", c.limits.Values)
	case c.text > c.limits.Expanded:
		c.stopFor(node, lessOften, "more than %d bytes of text, aliases expanded", c.limits.Expanded)
	case c.most == amount{}:
	case c.values > c.left.values:
		c.stopFor(node, fewer, "the documents up to here have more than %d values, aliases expanded", c.most.values)
	case c.text > c.left.text:
		c.stopFor(node, fewer, "the documents up to here have more than %d bytes of text, aliases expanded", c.most.text)
	}
	return !c.stopped
}

func (c *converter) value(node *yaml.Node, depth int) any {
	if c.stopped {
		return nil
	}
	if c.values++; !c.within(node) {
		return nil
	}
	if depth > c.limits.Depth {
		return c.stop(node, "nested deeper than %d levels", c.limits.Depth)
	}
	switch node.Kind {
	case yaml.AliasNode:
		return c.value(node.Alias, depth+1)
	case yaml.ScalarNode:
		return c.scalar(node)
	case yaml.SequenceNode:
		if tag := node.ShortTag(); tag != "!!seq" {
			return c.fail(node, "remove the tag", "the tag %s has no meaning here", tag)
		}
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			list = append(list, c.value(item, depth+1))
		}
		return list
	case yaml.MappingNode:
		if tag := node.ShortTag(); tag != "!!map" {
			return c.fail(node, "remove the tag", "the tag %s has no meaning here", tag)
		}
		return c.mapping(node, depth)
	}
	return c.fail(node, "", "not a value")
}

func (c *converter) mapping(node *yaml.Node, depth int) any {
	if len(node.Content)/2 > c.limits.Keys {
		return c.stop(node, "more than %d keys in one mapping", c.limits.Keys)
	}
	m := make(map[string]any, len(node.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if isMerge(key) {
			merges = append(merges, value)
			continue
		}
		name, ok := c.key(key)
		if !ok {
			continue
		}
		if _, twice := m[name]; twice && !c.limits.AllowTwice {
			c.fail(key, "remove one of them", "the key %q is given twice", name)
			continue
		}
		m[name] = c.value(value, depth+1)
	}
	for _, from := range merges {
		c.merge(m, from, depth)
	}
	if len(m) > c.limits.Keys {
		return c.stop(node, "more than %d keys in one mapping", c.limits.Keys)
	}
	return m
}

// merge adds what `<<` names; a key of the mapping itself, or of an earlier merge, wins.
func (c *converter) merge(into map[string]any, from *yaml.Node, depth int) {
	target := from
	if target.Kind == yaml.AliasNode {
		target = target.Alias
	}
	switch target.Kind {
	case yaml.MappingNode:
		added, _ := c.value(target, depth+1).(map[string]any)
		for key, value := range added {
			if _, exists := into[key]; !exists {
				into[key] = value
			}
		}
	case yaml.SequenceNode:
		for _, item := range target.Content {
			if item.Kind == yaml.SequenceNode || item.Kind == yaml.AliasNode && item.Alias.Kind == yaml.SequenceNode {
				c.fail(item, "", "<< takes a mapping or a list of mappings")
				return
			}
			c.merge(into, item, depth+1)
		}
	default:
		c.fail(from, "", "<< takes a mapping or a list of mappings")
	}
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && key.ShortTag() == "!!merge"
}

func (c *converter) key(node *yaml.Node) (string, bool) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.ScalarNode {
		c.fail(node, "a value that starts with {{ or [ must be quoted", "a key must be text")
		return "", false
	}
	if node.ShortTag() == "!!null" && node.Style == 0 {
		c.fail(node, "", "a key is missing")
		return "", false
	}
	c.text += len(node.Value)
	return node.Value, c.within(node)
}

func (c *converter) scalar(node *yaml.Node) any {
	if c.text += len(node.Value); !c.within(node) {
		return nil
	}
	if c.core && node.Style == 0 {
		return c.plain(node)
	}
	switch tag := node.ShortTag(); tag {
	case "!!str", "!!timestamp", "!!binary", "!!merge":
		return node.Value
	case "!!null":
		return nil
	case "!!bool":
		switch strings.ToLower(node.Value) {
		case "true":
			return true
		case "false":
			return false
		}
		return c.fail(node, "write true or false", "%q is not a boolean", node.Value)
	case "!!int", "!!float":
		return c.number(node)
	default:
		return c.fail(node, "remove the tag, or quote the value", "the tag %s has no meaning here", tag)
	}
}

var (
	coreInt   = regexp.MustCompile(`^[-+]?[0-9]+$`)
	coreBased = regexp.MustCompile(`^0(?:o[0-7]+|x[0-9a-fA-F]+)$`)
	coreFloat = regexp.MustCompile(`^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$`)
	coreNone  = regexp.MustCompile(`^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// plain reads a scalar without quotes and tag: 0644 is the number 644, and 1_000 is text.
func (c *converter) plain(node *yaml.Node) any {
	switch node.Value {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	}
	if first := node.Value[0]; first > '9' || first < '+' {
		return node.Value
	}
	switch {
	case coreInt.MatchString(node.Value):
		sign := ""
		digits := strings.TrimLeft(node.Value, "+-")
		if node.Value[0] == '-' {
			sign = "-"
		}
		return c.number(&yaml.Node{Value: sign + max(strings.TrimLeft(digits, "0"), "0"), Line: node.Line, Column: node.Column})
	case coreBased.MatchString(node.Value), coreFloat.MatchString(node.Value), coreNone.MatchString(node.Value):
		return c.number(node)
	}
	return node.Value
}

// isBackstage tells whether a document is of a group that Backstage reads.
func isBackstage(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "apiVersion" {
			group, _, _ := strings.Cut(root.Content[i+1].Value, "/")
			return group == "backstage.io" || strings.HasSuffix(group, ".backstage.io")
		}
	}
	return false
}

func (c *converter) number(node *yaml.Node) any {
	text := strings.ReplaceAll(node.Value, "_", "")
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 0, 64); err == nil {
		return u
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return c.fail(node, "quote it to make it text", "%q is not a number that can be kept", node.Value)
	}
	return normalFloat(f)
}

// normalFloat gives whole numbers as int64, so that 1.0 and 1 are the same value as they are in JSON.
func normalFloat(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	return f
}
