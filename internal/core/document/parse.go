package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Limits bound what Parse takes in. A zero field means its default.
type Limits struct {
	Bytes     int // of the input; 8 MiB
	Documents int // in one stream; 20,000
	Depth     int // of nesting; 100
	Keys      int // in one mapping; 20,000
	Values    int // in one document, aliases expanded; 500,000
	Total     int // values in one stream, aliases expanded; 5,000,000, and no more than Values and 8 for each byte of it
	Expanded  int // bytes of text in one document, aliases expanded; 16 MiB, and in one stream 8 more for each byte of it
	// AllowTwice takes the last value of a key that is given twice, as Kubernetes' own tools do.
	AllowTwice bool
	// Placeholders takes one where the metadata wants a text or a list; Filled says what it stands for.
	Placeholders bool
}

func (l Limits) orDefault() Limits {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&l.Bytes, 8<<20)
	set(&l.Documents, 20_000)
	set(&l.Depth, 100)
	set(&l.Keys, 20_000)
	set(&l.Values, 500_000)
	set(&l.Total, 5_000_000)
	set(&l.Expanded, 16<<20)
	return l
}

// perByte is how much aliases may make of one byte of a stream, beyond what one document may have.
const perByte = 8

// amount is what documents have, aliases expanded.
type amount struct{ values, text int }

// ofStream gives what all documents of a stream may have together: otherwise few bytes of anchors and aliases would make as many
// documents of the largest size as there is room for.
func (l Limits) ofStream(bytes int) amount {
	return amount{values: min(l.Total, l.Values+perByte*bytes), text: l.Expanded + perByte*bytes}
}

// Parse reads a stream of YAML or JSON documents. Empty ones (only comments, or null) are left out. file is for
// the errors and the documents' Origin. An input that is wrong gives fault.Invalid with file, line and column
// of every bad document of the stream; one over Limits.Bytes gives fault.TooLarge.
//
// A name is not asked for here (Argo's generateName, Kubernetes' lists): Check is for those who need one.
func Parse(file string, data []byte, limits Limits) ([]Document, error) {
	limits = limits.orDefault()
	if len(data) > limits.Bytes {
		return nil, fault.Errorf(fault.TooLarge, "%s has %d bytes; at most %d are read, so split it", orInput(file), len(data), limits.Bytes)
	}
	if documents, ok := quick(file, data, limits); ok {
		return documents, nil
	}
	return slow(file, data, limits)
}

// slow reads what quick does not.
func slow(file string, data []byte, limits Limits) ([]Document, error) {
	if bytes.ContainsAny(data, foldedByYAML) {
		if documents, ok := parseJSON(file, data, limits); ok {
			return documents, nil
		}
	}
	nodes, err := readNodes(file, data, limits)
	if err == nil && len(nodes) > 0 && isBackstage(nodes[len(nodes)-1]) && !bytes.HasSuffix(data, []byte("\n")) {
		nodes, err = readNodes(file, ended(data), limits)
	}
	if err != nil {
		if documents, ok := parseJSON(file, data, limits); ok {
			return documents, nil
		}
		return nil, err
	}
	var documents []Document
	var wrong []fault.Detail
	from := &source{file: file, nodes: nodes}
	most := limits.ofStream(len(data))
	for i, left := 0, most; i < len(nodes); i++ {
		c := converter{file: file, limits: limits, core: isBackstage(nodes[i]), left: left, most: most}
		d, details := from.document(i, &c)
		left.values, left.text = left.values-c.values, left.text-c.text
		wrong = append(wrong, details...)
		documents = append(documents, d)
		if len(wrong) > maxDetails || left.values < 0 || left.text < 0 {
			break
		}
	}
	if len(wrong) > 0 {
		return nil, fault.At(orInput(file)+" is not a valid document", wrong[:min(len(wrong), maxDetails)]...)
	}
	return documents, nil
}

// ended gives a text whose last line ends. To Backstage a block of text at the end of a file has a line break even where the file
// has none; to the library it has not.
func ended(data []byte) []byte {
	if bytes.HasSuffix(data, []byte("\n")) {
		return data
	}
	return append(bytes.Clone(data), '\n')
}

const (
	maxDetails = 20
	maxEmpty   = 20_000 // documents without anything, in one stream
)

// foldedByYAML are line breaks to YAML, even within quotes, and mere characters to JSON.
const foldedByYAML = "\u0085\u2028\u2029\ufeff"

func orInput(file string) string {
	if file == "" {
		return "the input"
	}
	return file
}

func readNodes(file string, data []byte, limits Limits) (nodes []*yaml.Node, err error) {
	// The YAML library reports some inputs by panicking through its own recover; a defect there must not
	// end the server.
	defer func() {
		if r := recover(); r != nil {
			err = fault.At(orInput(file)+" is not valid YAML", fault.Detail{File: file, Message: fmt.Sprint(r)})
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	tooMany := func(line int, what string) error {
		return fault.At(orInput(file)+" has too many documents", fault.Detail{File: file, Line: line, Message: "more than " + what + " in one stream", Hint: "split the file"})
	}
	for empty := 0; ; {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nil, fault.At(orInput(file)+" is not valid YAML", syntaxDetail(file, err))
		}
		if node.Kind != yaml.DocumentNode || len(node.Content) != 1 || node.Content[0].Kind == yaml.ScalarNode && node.Content[0].ShortTag() == "!!null" {
			if empty++; empty > maxEmpty {
				return nil, tooMany(node.Line, fmt.Sprintf("%d empty documents", maxEmpty))
			}
			continue
		}
		if len(nodes) == limits.Documents {
			return nil, tooMany(node.Content[0].Line, fmt.Sprintf("%d documents", limits.Documents))
		}
		nodes = append(nodes, node.Content[0])
	}
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

func syntaxDetail(file string, err error) fault.Detail {
	d := fault.Detail{File: file, Line: 1, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	// The library names no line for the first one.
	if m := yamlLine.FindStringSubmatch(d.Message); m != nil {
		d.Line, _ = strconv.Atoi(m[1])
		d.Message = strings.TrimPrefix(d.Message, m[0])
	}
	if strings.Contains(d.Message, "tab character") || strings.Contains(d.Message, "cannot start any token") && strings.Contains(d.Message, "tab") {
		d.Hint = "indent with spaces"
	}
	return d
}

func (s *source) document(index int, c *converter) (d Document, details []fault.Detail) {
	file, root := s.file, s.nodes[index]
	value := c.value(root, 0)
	if len(c.wrong) > 0 {
		return Document{}, c.wrong
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return Document{}, []fault.Detail{{
			File: file, Line: root.Line, Column: root.Column, Message: "a document must be a mapping with apiVersion, kind and metadata",
		}}
	}
	d, wrong := assemble(fields, c.limits.Placeholders)
	d.source, d.index = s, index
	d.Origin = Origin{File: file, Line: root.Line}
	for _, w := range wrong {
		details = append(details, d.At(w.message, w.hint, w.path...))
	}
	return d, details
}

// parseJSON reads JSON that is not YAML: escaped surrogate pairs and a few control characters are legal only
// there, and so are documents that follow one another, such as JSON lines. Its documents know the line on which each begins.
func parseJSON(file string, data []byte, limits Limits) ([]Document, bool) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' || depthOfJSON(trimmed) > limits.Depth {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var documents []Document
	line, counted := 1, 0
	for len(documents) < limits.Documents {
		var fields map[string]any
		begin := int(decoder.InputOffset())
		begin += len(data[begin:]) - len(bytes.TrimLeft(data[begin:], " \t\r\n"))
		err := decoder.Decode(&fields)
		if errors.Is(err, io.EOF) {
			return documents, true
		}
		if err != nil {
			return nil, false
		}
		d, err := fromValue(fields, limits.Placeholders)
		if err != nil {
			return nil, false
		}
		line, counted = line+bytes.Count(data[counted:begin], []byte("\n")), begin
		d.Origin.File, d.Origin.Line = file, line
		documents = append(documents, d)
	}
	return nil, false
}

// depthOfJSON counts brackets; those within texts count too, which only makes it stricter.
func depthOfJSON(data []byte) int {
	depth, deepest := 0, 0
	for _, b := range data {
		switch b {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// ParseValue reads one YAML or JSON value of any shape within the limits; an empty input is nil.
func ParseValue(file string, data []byte, limits Limits) (any, error) {
	limits = limits.orDefault()
	limits.Documents = 1
	if len(data) > limits.Bytes {
		return nil, fault.Errorf(fault.TooLarge, "%s has %d bytes; at most %d are read", orInput(file), len(data), limits.Bytes)
	}
	nodes, err := readNodes(file, ended(data), limits)
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	c := converter{file: file, limits: limits, core: true}
	value := c.value(nodes[0], 0)
	if len(c.wrong) > 0 {
		return nil, fault.At(orInput(file)+" is not a valid value", c.wrong...)
	}
	return value, nil
}
