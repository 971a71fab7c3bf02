package document

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Edit changes fields of a document. What is nil stays as it is; an empty text or list takes the field away.
type Edit struct {
	Title       *string
	Description *string
	Owner       *string // spec.owner
	Lifecycle   *string // spec.lifecycle
	System      *string // spec.system
	Tags        *[]string
	AddTags     []string
	RemoveTags  []string
	Links       *[]Link
	Relations   map[string][]string // fields of spec that name entities, such as dependsOn; see RelationFields
	Text        string              // YAML or JSON of the whole document, in place of all others; it must declare the same entity
}

// fields gives what the edit sets in a document, in the order in which new ones are written.
func (e Edit) fields(d Document) (all []field) {
	text := func(section, key string, value *string) {
		if value != nil {
			all = append(all, field{section, key, orNil(*value)})
		}
	}
	text("metadata", "title", e.Title)
	text("metadata", "description", e.Description)
	if e.Tags != nil || len(e.AddTags)+len(e.RemoveTags) > 0 {
		all = append(all, field{"metadata", "tags", e.tags(d.Metadata.Tags)})
	}
	if e.Links != nil {
		var links any
		if len(*e.Links) > 0 {
			list := make([]any, len(*e.Links))
			for i, l := range *e.Links {
				list[i] = l.value()
			}
			links = list
		}
		all = append(all, field{"metadata", "links", links})
	}
	text("spec", "lifecycle", e.Lifecycle)
	text("spec", "owner", e.Owner)
	text("spec", "system", e.System)
	for _, f := range RelationFields() {
		if names, given := e.Relations[f.Name]; given {
			all = append(all, field{"spec", f.Name, f.value(names)})
		}
	}
	return all
}

type field struct {
	section, key string
	value        any // nil takes it away
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (e Edit) tags(had []string) any {
	tags := slices.Clone(had)
	if e.Tags != nil {
		tags = slices.Clone(*e.Tags)
	}
	for _, tag := range e.AddTags {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	tags = slices.DeleteFunc(tags, func(tag string) bool { return slices.Contains(e.RemoveTags, tag) })
	if len(tags) == 0 {
		return nil
	}
	list := make([]any, len(tags))
	for i, tag := range tags {
		list[i] = tag
	}
	return list
}

// Apply gives the document after the edit.
func (e Edit) Apply(d Document) (Document, error) {
	if e.Text != "" {
		return e.whole(d.Ref())
	}
	if err := e.checkRelations(d.Kind); err != nil {
		return Document{}, err
	}
	value := d.Clone().Value()
	for _, f := range e.fields(d) {
		section, _ := value[f.section].(map[string]any)
		section = maps.Clone(section)
		if section == nil {
			section = map[string]any{}
		}
		if f.value == nil {
			delete(section, f.key)
		} else {
			section[f.key] = f.value
		}
		value[f.section] = section
	}
	return FromValue(value)
}

func (e Edit) whole(of ref.Entity) (Document, error) {
	documents, err := Parse("document", []byte(e.Text), Limits{})
	switch {
	case err != nil:
		return Document{}, err
	case len(documents) != 1 || documents[0].Ref() != of:
		return Document{}, fault.Errorf(fault.Invalid, "the text must declare %s and nothing else", of)
	}
	return documents[0], nil
}

// EditFile changes one document of a file, and leaves everything else there as it is: comments, the order of fields, the way
// in which they are written. It fails with fault.NotFound when the file does not declare the entity.
func EditFile(file string, data []byte, of ref.Entity, e Edit) ([]byte, error) {
	had, at, err := find(file, data, of)
	if err != nil {
		return nil, err
	}
	want, err := e.Apply(had[at])
	if err != nil || bytes.Equal(want.JSON(), had[at].JSON()) {
		return data, err
	}
	for _, way := range []func(string, []byte, Document, Edit) ([]byte, error){spliced, rewritten} {
		edited, err := way(file, data, had[at], e)
		if err == nil && says(file, edited, had, at, want) {
			return edited, nil
		}
	}
	return nil, fault.Errorf(fault.Invalid, "%s is written in a way in which %s can't be changed from here; edit the file", orInput(file), of)
}

// find gives the documents of a file, and which of them declares an entity.
func find(file string, data []byte, of ref.Entity) (all []Document, at int, err error) {
	if all, err = Parse(file, data, Limits{}); err != nil {
		return nil, 0, err
	}
	for i, d := range all {
		if d.Ref() == of {
			return all, i, nil
		}
	}
	return nil, 0, fault.Errorf(fault.NotFound, "%s does not declare %s any more", orInput(file), of)
}

// says tells whether a file declares what it did, with one document changed.
func says(file string, data []byte, had []Document, at int, want Document) bool {
	now, err := Parse(file, data, Limits{})
	if err != nil || len(now) != len(had) {
		return false
	}
	for i, d := range now {
		expected := had[i]
		if i == at {
			expected = want
		}
		if !bytes.Equal(d.JSON(), expected.JSON()) {
			return false
		}
	}
	return true
}

// lined is a text by lines, each with its end.
type lined []string

func lines(data []byte) lined { return slices.Collect(strings.Lines(string(data))) }

// put gives the lines with those from one up to another, from 0, replaced.
func (l lined) put(from, to int, text string) lined {
	return slices.Concat(l[:from], lines([]byte(text)), l[to:])
}

func (l lined) bytes() []byte { return []byte(strings.Join(l, "")) }

// span gives the lines, from 0, of the document whose root is on a line: behind the mark before it up to the next one.
func (l lined) span(root *yaml.Node) (from, to int) {
	for from = root.Line - 1; from > 0 && !mark(l[from-1]); from-- { // a mark on the root's own line begins the document
	}
	for to = root.Line; to < len(l) && !mark(l[to]); to++ {
	}
	return from, to
}

func mark(line string) bool {
	return strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")
}

// spliced replaces the lines of the fields alone.
func spliced(file string, data []byte, d Document, e Edit) ([]byte, error) {
	root := d.root()
	if root == nil {
		return nil, fault.Errorf(fault.Invalid, "it is not known where the document is")
	}
	text := lines(data)
	if n := len(text); n > 0 && !strings.HasSuffix(text[n-1], "\n") {
		text[n-1] += "\n"
	}
	if e.Text != "" {
		from, to := text.span(root)
		if from == root.Line-1 && mark(text[from]) {
			return nil, fault.Errorf(fault.Invalid, "the document begins on the line of its mark")
		}
		whole := strings.TrimRight(e.Text, "\n") + "\n"
		if rest, ok := strings.CutPrefix(whole, "---\n"); ok {
			whole = rest
		}
		return text.put(from, to, whole).bytes(), nil
	}
	for _, f := range e.fields(d) {
		edited, err := text.set(file, d, f)
		if err != nil {
			return nil, err
		}
		text = edited
		now, err := Parse(file, text.bytes(), Limits{})
		if err != nil || d.index >= len(now) {
			return nil, fault.Errorf(fault.Invalid, "the edited file can't be read")
		}
		d = now[d.index]
		if d.source == nil {
			return nil, fault.Errorf(fault.Invalid, "it is not known where the document is")
		}
	}
	return text.bytes(), nil
}

// set writes, changes or takes away one field of a mapping that is written in lines of its own.
func (l lined) set(file string, d Document, f field) (lined, error) {
	odd := fault.Errorf(fault.Invalid, "%s.%s is not written in lines of its own", f.section, f.key)
	root := d.root()
	if root == nil || root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 {
		return nil, odd
	}
	_, end := l.span(root)
	_, section, sectionEnd := l.entry(root, f.section, end)
	if section == nil || section.Kind != yaml.MappingNode || section.Style&yaml.FlowStyle != 0 || len(section.Content) == 0 {
		return nil, odd
	}
	indent := section.Content[0].Column - 1
	key, old, oldEnd := l.entry(section, f.key, sectionEnd)
	if f.value == nil {
		if key == nil {
			return l, nil
		}
		if len(section.Content) == 2 {
			return nil, odd
		}
		return l.put(key.Line-1, oldEnd, ""), nil
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	var value yaml.Node
	if err := value.Encode(f.value); err != nil {
		return nil, err
	}
	if old != nil {
		restyle(&value, old)
	}
	if err := encoder.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: f.key}, &value}}); err != nil {
		return nil, err
	}
	var text strings.Builder
	for line := range strings.Lines(out.String()) {
		if strings.TrimSpace(line) != "" {
			line = strings.Repeat(" ", indent) + line
		}
		text.WriteString(line)
	}
	if key == nil {
		return l.put(sectionEnd, sectionEnd, text.String()), nil
	}
	return l.put(key.Line-1, oldEnd, text.String()), nil
}

// restyle has a value written as the one before it: its quotes, its list on one line, the comment behind it.
func restyle(value, old *yaml.Node) {
	if value.Kind != old.Kind {
		return
	}
	value.LineComment = old.LineComment
	if value.Kind == yaml.ScalarNode && old.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		value.Style = old.Style
	}
	if value.Kind != yaml.SequenceNode {
		return
	}
	value.Style = old.Style
	for _, item := range value.Content {
		for _, was := range old.Content {
			if item.Kind == yaml.ScalarNode && was.Kind == yaml.ScalarNode && item.Value == was.Value {
				item.HeadComment, item.LineComment, item.Style = was.HeadComment, was.LineComment, was.Style
			}
		}
	}
}

// entry gives the key and value of a field of a mapping, and the line, from 0, behind the last one that belongs to it; end is
// that of the mapping.
func (l lined) entry(mapping *yaml.Node, name string, end int) (key, value *yaml.Node, after int) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		k, v := mapping.Content[i], mapping.Content[i+1]
		if k.Value != name {
			continue
		}
		after = end
		if i+2 < len(mapping.Content) {
			after = mapping.Content[i+2].Line - 1
		}
		for after > k.Line && !l.within(after-1, k.Column-1) {
			after--
		}
		return k, v, after
	}
	for end > mapping.Line && !l.within(end-1, mapping.Column-2) {
		end--
	}
	return nil, nil, end
}

// within tells whether a line is a part of what stands deeper than a column, from 0, or is a list at it.
func (l lined) within(line, column int) bool {
	text := strings.TrimRight(l[line], " \t\r\n")
	inner := strings.TrimLeft(text, " ")
	indent := len(text) - len(inner)
	if inner == "" || strings.HasPrefix(inner, "#") && indent <= column {
		return false
	}
	return indent > column || indent == column && strings.HasPrefix(inner, "-")
}

// rewritten writes the whole document anew, with its comments and the order of its fields.
func rewritten(file string, data []byte, d Document, e Edit) ([]byte, error) {
	root := d.root()
	if root == nil || e.Text != "" {
		return nil, fault.Errorf(fault.Invalid, "it is not known where the document is")
	}
	text := lines(data)
	from, to := text.span(root)
	if mark(text[from]) {
		return nil, fault.Errorf(fault.Invalid, "the document begins on the line of its mark")
	}
	nodes, err := readNodes(file, []byte(strings.Join(text[from:to], "")), Limits{}.orDefault())
	if err != nil || len(nodes) != 1 || nodes[0].Kind != yaml.MappingNode {
		return nil, fault.Errorf(fault.Invalid, "the document can't be read alone")
	}
	for _, f := range e.fields(d) {
		_, section := child(nodes[0], f.section, 0)
		if section == nil || section.Kind != yaml.MappingNode {
			return nil, fault.Errorf(fault.Invalid, "it has no %s", f.section)
		}
		if err := replace(section, f); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(nodes[0]); err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	return text.put(from, to, out.String()).bytes(), nil
}

// replace sets a field of a mapping.
func replace(mapping *yaml.Node, f field) error {
	var value yaml.Node
	if f.value != nil {
		if err := value.Encode(f.value); err != nil {
			return err
		}
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value != f.key {
			continue
		}
		if f.value == nil {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return nil
		}
		restyle(&value, mapping.Content[i+1])
		mapping.Content[i+1] = &value
		return nil
	}
	if f.value != nil {
		mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.key}, &value)
	}
	return nil
}
