package definition

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/emicklei/proto"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxNesting bounds the blocks within blocks of a file.
const maxNesting = 60

func parseProtobuf(text string) (d Definition, err error) {
	d = Definition{Format: Protobuf}
	depth := 0
	for _, c := range text {
		switch c {
		case '{', '[', '<', '(':
			depth++
		case '}', ']', '>', ')':
			depth--
		}
		if depth > maxNesting {
			return d, fault.Errorf(fault.TooLarge, "it has more than %d blocks within each other", maxNesting)
		}
	}
	defer func() { // the parser panics at "reserved - to 5;"
		if r := recover(); r != nil {
			d, err = Definition{Format: Protobuf}, fault.Errorf(fault.Invalid, "it is no file of protobuf: %.200s", fmt.Sprint(r))
		}
	}()
	file, err := proto.NewParser(strings.NewReader(text)).Parse()
	if err != nil {
		return d, fault.Errorf(fault.Invalid, "it is no file of protobuf: %w", err)
	}
	p := protobuf{bounds: bounds{d: &d}, types: map[string]bool{}}
	for _, e := range file.Elements {
		switch e := e.(type) {
		case *proto.Package:
			p.pkg = e.Name
			d.Title = e.Name
		case *proto.Syntax:
			d.Version = e.Value
		case *proto.Edition:
			d.Version = e.Value
		case *proto.Import:
			p.problem(e.Filename + " is not part of it, and is not fetched")
		}
	}
	p.names("", file.Elements)
	p.elements("", file.Elements)
	return d, nil
}

type protobuf struct {
	bounds
	pkg   string
	types map[string]bool // by their names within the package
}

func scoped(scope, name string) string {
	if scope == "" {
		return name
	}
	return scope + "." + name
}

// names notes all types, so that fields can refer to those that come later.
func (p *protobuf) names(scope string, elements []proto.Visitee) {
	for _, e := range elements {
		switch e := e.(type) {
		case *proto.Message:
			if !e.IsExtend {
				p.types[scoped(scope, e.Name)] = true
				p.names(scoped(scope, e.Name), e.Elements)
			}
		case *proto.Enum:
			p.types[scoped(scope, e.Name)] = true
		}
	}
}

// find gives the type that a name means in a scope: the innermost one.
func (p *protobuf) find(scope, name string) string {
	if full, ok := strings.CutPrefix(name, "."); ok {
		return p.known(strings.TrimPrefix(full, p.pkg+"."))
	}
	for {
		if p.types[scoped(scope, name)] {
			return scoped(scope, name)
		}
		if scope == "" {
			return p.known(strings.TrimPrefix(name, p.pkg+"."))
		}
		if i := strings.LastIndexByte(scope, '.'); i >= 0 {
			scope = scope[:i]
		} else {
			scope = ""
		}
	}
}

func (p *protobuf) known(name string) string {
	if p.types[name] {
		return name
	}
	return ""
}

// typed gives the type that a name means, with a sign of how many of them.
func (p *protobuf) typed(scope, sign, name string) Field {
	f := Field{Type: sign + name}
	if to := p.find(scope, name); to != "" {
		f.Type, f.Refs = sign+to, []string{to}
	}
	return f
}

func (p *protobuf) elements(scope string, elements []proto.Visitee) {
	for _, e := range elements {
		switch e := e.(type) {
		case *proto.Service:
			p.service(e)
		case *proto.Message:
			if !e.IsExtend {
				p.message(scope, e)
			}
		case *proto.Enum:
			t := Type{Name: scoped(scope, e.Name), Kind: "enum", Description: comment(e.Comment)}
			for _, v := range e.Elements {
				if v, ok := v.(*proto.EnumField); ok && p.field() {
					t.Values, t.Numbers = append(t.Values, v.Name), append(t.Numbers, v.Integer)
				}
			}
			t.reserved = p.reserved(e.Elements)
			p.named(t)
		}
	}
}

func comment(c *proto.Comment) string {
	if c == nil {
		return ""
	}
	lines := make([]string, len(c.Lines))
	for i, l := range c.Lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(l), "*"))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func (p *protobuf) service(s *proto.Service) {
	for _, e := range s.Elements {
		rpc, ok := e.(*proto.RPC)
		if !ok {
			continue
		}
		sign := map[bool]string{true: "stream of "}
		request, answer := p.typed("", sign[rpc.StreamsRequest], rpc.RequestType), p.typed("", sign[rpc.StreamsReturns], rpc.ReturnsType)
		request.Name, request.In, request.Required = "request", "request", true
		answer.Name, answer.In, answer.Required = "answer", "answer", true
		o := Operation{ID: scoped(p.pkg, s.Name) + "." + rpc.Name, Group: s.Name, Verb: "rpc", Name: rpc.Name, Description: comment(rpc.Comment), Inputs: []Field{request}, Outputs: []Field{answer}}
		for _, option := range rpc.Elements {
			if option, ok := option.(*proto.Option); ok && option.Name == "deprecated" && option.Constant.Source == "true" {
				o.Deprecated = true
			}
		}
		p.operation(o)
	}
}

func (p *protobuf) message(scope string, m *proto.Message) {
	name := scoped(scope, m.Name)
	t := Type{Name: name, Kind: "message", Description: comment(m.Comment)}
	t.Fields, t.reserved = p.fields(name, "", m.Elements), p.reserved(m.Elements)
	p.named(t)
	p.elements(name, m.Elements)
}

func (p *protobuf) fields(scope, oneof string, elements []proto.Visitee) (fields []Field) {
	add := func(of *proto.Field, f Field) {
		if !p.field() {
			return
		}
		f.Name, f.In, f.Number, f.Deprecated, f.Description = of.Name, oneof, of.Sequence, of.IsDeprecated(), comment(of.Comment)
		if f.Description == "" {
			f.Description = comment(of.InlineComment)
		}
		for _, option := range of.Options {
			if option.Name == "json_name" && option.Constant.Source != inJSON(f.Name) {
				f.JSON = option.Constant.Source
			}
		}
		fields = append(fields, f)
	}
	for _, e := range elements {
		switch e := e.(type) {
		case *proto.NormalField:
			sign := ""
			switch {
			case e.Repeated:
				sign = "repeated "
			case e.Optional:
				sign = "optional "
			}
			f := p.typed(scope, sign, e.Type)
			f.Required = e.Required
			add(e.Field, f)
		case *proto.MapField:
			f := p.typed(scope, "", e.Type)
			f.Type = "map of " + e.KeyType + " to " + f.Type
			add(e.Field, f)
		case *proto.OneOfField:
			add(e.Field, p.typed(scope, "", e.Type))
		case *proto.Oneof:
			fields = append(fields, p.fields(scope, "oneof "+e.Name, e.Elements)...)
		}
	}
	return fields
}

// inJSON gives the name that a field has in JSON when it is told no other.
func inJSON(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// reserved are the numbers and names that nothing may have, since something had them.
type reserved struct {
	ranges [][2]int // from and to, in order
	names  []string
}

func (p *protobuf) reserved(elements []proto.Visitee) (r reserved) {
	for _, e := range elements {
		e, ok := e.(*proto.Reserved)
		if !ok {
			continue
		}
		for _, of := range e.Ranges {
			if of.Max {
				of.To = math.MaxInt32
			}
			if p.field() {
				r.ranges = append(r.ranges, [2]int{of.From, of.To})
			}
		}
		for _, name := range e.FieldNames {
			if p.field() {
				r.names = append(r.names, name)
			}
		}
	}
	slices.SortFunc(r.ranges, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	return r
}

// all tells whether every number of a range is reserved.
func (r reserved) all(from, to int) bool {
	for _, has := range r.ranges {
		if has[0] <= from && from <= has[1] {
			from = has[1] + 1
		}
	}
	return from > to
}
