package registry

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
)

// Content is what the files of a version declare.
type Content struct {
	Part
	Submodules []Part   `json:"submodules,omitempty"` // below modules/
	Examples   []string `json:"examples,omitempty"`   // folders
	Warnings   []string `json:"warnings,omitempty"`   // of what could not be read, or is not
}

// Part is what one folder declares.
type Part struct {
	Path            string     `json:"path,omitempty"`
	Readme          string     `json:"readme,omitempty"` // Markdown
	RequiredVersion string     `json:"requiredVersion,omitempty"`
	Inputs          []Input    `json:"inputs,omitempty"`
	Outputs         []Output   `json:"outputs,omitempty"`
	Providers       []Required `json:"providers,omitempty"`
	Calls           []Call     `json:"calls,omitempty"`
	Resources       []string   `json:"resources,omitempty"` // TYPE.NAME
}

// Input is a variable.
type Input struct {
	Name        string `json:"name"`
	Type        string `json:"type,omitempty"`
	Description string `json:"description,omitempty"`
	Default     string `json:"default,omitempty"` // as it is written; "" for one that is required
	Sensitive   bool   `json:"sensitive,omitempty"`
}

// Output is an output.
type Output struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
}

// Required is a provider that a folder needs.
type Required struct {
	Name    string `json:"name"`
	Source  string `json:"source,omitempty"`
	Version string `json:"version,omitempty"`
}

// Call is a module that a folder uses.
type Call struct {
	Name    string `json:"name"`
	Source  string `json:"source,omitempty"`
	Version string `json:"version,omitempty"`
}

// Bounds of what is kept. A parser of expressions calls itself for what is nested, so that what it is given is short.
const (
	mostParsed   = 128 << 10 // bytes of a file
	mostLooked   = 2 << 20   // bytes of all files together
	mostNesting  = 200
	mostReadme   = 128 << 10 // bytes
	mostItems    = 500       // of each kind, in a folder
	mostText     = 2000      // bytes of a type, a default or a description
	mostParts    = 50
	mostWarnings = 20
)

// inspect tells what the looked-into files of a folder declare.
func inspect(texts map[string][]byte) Content {
	folders := map[string][]string{}
	for name := range texts {
		folders[path.Dir(name)] = append(folders[path.Dir(name)], name)
	}
	var c Content
	left := mostLooked
	look := func(dir string) Part {
		slices.Sort(folders[dir])
		part := Part{}
		if dir != "." {
			part.Path = dir
		}
		parser := hclparse.NewParser()
		for _, name := range folders[dir] {
			src := texts[name]
			switch {
			case isReadme(name):
				part.Readme = clipText(string(src), mostReadme)
				continue
			case len(src) > mostParsed || len(src) > left || nesting(src) > mostNesting:
				c.warn(name + " is too long or too deeply nested to be looked into")
				continue
			}
			left -= len(src)
			part.read(&c, parser, name, src)
		}
		part.sort()
		return part
	}
	for _, dir := range sortedKeys(folders) {
		parts := strings.Split(dir, "/")
		configured := slices.ContainsFunc(folders[dir], isConfiguration)
		switch {
		case dir == ".":
			c.Part = look(dir)
		case len(parts) == 2 && parts[0] == "modules" && configured:
			if len(c.Submodules) < mostParts {
				c.Submodules = append(c.Submodules, look(dir))
			}
		case len(parts) == 2 && parts[0] == "examples" && configured:
			if len(c.Examples) < mostParts {
				c.Examples = append(c.Examples, dir)
			}
		}
	}
	return c
}

// configuredFolders gives the folders that hold configuration of an engine, sorted.
func configuredFolders(texts map[string][]byte) []string {
	folders := map[string]bool{}
	for name := range texts {
		if isConfiguration(name) {
			folders[path.Dir(name)] = true
		}
	}
	return sortedKeys(folders)
}

// nesting gives how deep brackets are nested, those in texts and comments too. Many of what else has a parser call itself, or
// read on to the end, count as deep.
func nesting(src []byte) (most int) {
	depth := 0
	for _, b := range src {
		switch b {
		case '(', '[', '{':
			depth++
			most = max(most, depth)
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	const each = 10
	return max(most, bytes.Count(src, []byte("%{"))/each, bytes.Count(src, []byte("?"))/each, bytes.Count(src, []byte("<<"))/each)
}

func (c *Content) warn(text string) {
	if len(c.Warnings) < mostWarnings {
		c.Warnings = append(c.Warnings, clipText(text, 500))
	}
}

func blocks() *hcl.BodySchema {
	return &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "terraform"}, {Type: "variable", LabelNames: []string{"name"}}, {Type: "output", LabelNames: []string{"name"}},
		{Type: "module", LabelNames: []string{"name"}}, {Type: "resource", LabelNames: []string{"type", "name"}},
	}}
}

func attributes(names ...string) *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, name := range names {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	return schema
}

func (p *Part) read(c *Content, parser *hclparse.Parser, name string, src []byte) {
	var file *hcl.File
	var wrong hcl.Diagnostics
	if strings.HasSuffix(name, ".json") {
		file, wrong = parser.ParseJSON(src, name)
	} else {
		file, wrong = parser.ParseHCL(src, name)
	}
	if wrong.HasErrors() {
		c.warn(fmt.Sprintf("%s can't be read: %s", name, wrong[0].Error()))
	}
	if file == nil || file.Body == nil {
		return
	}
	content, _, _ := file.Body.PartialContent(blocks()) // of what is wrong the rest is still told
	for _, b := range content.Blocks {
		label := clipText(strings.Join(b.Labels, "."), 200)
		switch b.Type {
		case "terraform":
			p.requirements(b.Body)
		case "variable":
			a, _, _ := b.Body.PartialContent(attributes("type", "description", "default", "sensitive"))
			in := Input{Name: label, Type: asWritten(a, "type", src), Description: text(a, "description"), Default: asWritten(a, "default", src), Sensitive: truth(a, "sensitive")}
			if strings.HasPrefix(in.Type, `"`) { // as JSON has it
				in.Type = strings.Trim(in.Type, `"`)
			}
			p.Inputs = appendSome(p.Inputs, in)
		case "output":
			a, _, _ := b.Body.PartialContent(attributes("description", "sensitive"))
			p.Outputs = appendSome(p.Outputs, Output{Name: label, Description: text(a, "description"), Sensitive: truth(a, "sensitive")})
		case "module":
			a, _, _ := b.Body.PartialContent(attributes("source", "version"))
			p.Calls = appendSome(p.Calls, Call{Name: label, Source: text(a, "source"), Version: text(a, "version")})
		case "resource":
			p.Resources = appendSome(p.Resources, label)
		}
	}
}

func (p *Part) requirements(body hcl.Body) {
	schema := attributes("required_version")
	schema.Blocks = []hcl.BlockHeaderSchema{{Type: "required_providers"}}
	content, _, _ := body.PartialContent(schema)
	p.RequiredVersion = cmp.Or(p.RequiredVersion, text(content, "required_version"))
	for _, b := range content.Blocks {
		all, _ := b.Body.JustAttributes()
		for name, a := range all {
			r := Required{Name: clipText(name, 200), Version: constant(a.Expr)}
			pairs, wrong := hcl.ExprMap(a.Expr)
			for _, pair := range pairs {
				if wrong.HasErrors() {
					break
				}
				switch cmp.Or(hcl.ExprAsKeyword(pair.Key), constant(pair.Key)) {
				case "source":
					r.Source = constant(pair.Value)
				case "version":
					r.Version = constant(pair.Value)
				}
			}
			p.Providers = appendSome(p.Providers, r)
		}
	}
}

// sort orders what a folder declares by name, and leaves out what a second file says of the same.
func (p *Part) sort() {
	p.Inputs = unique(p.Inputs, func(x Input) string { return x.Name })
	p.Outputs = unique(p.Outputs, func(x Output) string { return x.Name })
	p.Providers = unique(p.Providers, func(x Required) string { return x.Name })
	p.Calls = unique(p.Calls, func(x Call) string { return x.Name })
	p.Resources = unique(p.Resources, func(x string) string { return x })
}

func unique[T any](list []T, key func(T) string) []T {
	slices.SortStableFunc(list, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	return slices.CompactFunc(list, func(a, b T) bool { return key(a) == key(b) })
}

func appendSome[T any](list []T, x T) []T {
	if len(list) >= mostItems {
		return list
	}
	return append(list, x)
}

// constant gives the text of an expression that refers to nothing; "" for another.
func constant(e hcl.Expression) string {
	v, wrong := e.Value(nil)
	if wrong.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return clipText(v.AsString(), mostText)
}

func text(content *hcl.BodyContent, name string) string {
	if a := content.Attributes[name]; a != nil {
		return strings.TrimSpace(constant(a.Expr))
	}
	return ""
}

func truth(content *hcl.BodyContent, name string) bool {
	a := content.Attributes[name]
	if a == nil {
		return false
	}
	v, wrong := a.Expr.Value(nil)
	return !wrong.HasErrors() && !v.IsNull() && v.IsKnown() && v.Type() == cty.Bool && v.True()
}

// asWritten gives an expression as it stands in its file.
func asWritten(content *hcl.BodyContent, name string, src []byte) string {
	a := content.Attributes[name]
	if a == nil {
		return ""
	}
	r := a.Expr.Range()
	if !r.CanSliceBytes(src) {
		return ""
	}
	return clipText(strings.TrimSpace(string(r.SliceBytes(src))), mostText)
}

// clipText bounds a text, at a rune's border, and leaves out what is no UTF-8.
func clipText(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// clip bounds a message.
func clip(s string) string { return clipText(s, 1000) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
