package document

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// quick reads the YAML that most files are written in: block mappings and lists, one-line texts, lists and mappings in
// brackets, literal blocks. It keeps no nodes, which is most of what the library takes. Whatever else a file has, and
// whatever may be wrong or too large in it, ok is false and the library reads it: what quick does read, the library reads
// alike. Both read the same documents in the same order, so that the lines of errors can be found later.
func quick(file string, data []byte, limits Limits) (documents []Document, ok bool) {
	if !plainText(data) {
		return nil, false
	}
	q := &quickReader{text: string(data), limits: limits}
	from := &source{file: file, text: q.text, limits: limits}
	total := limits.Total
	q.next()
	for begun := 0; ; {
		for q.begins {
			if begun++; begun-len(documents) >= maxEmpty { // the library counts those without anything
				return nil, false
			}
			q.next()
		}
		if q.ended {
			return documents, !q.failed
		}
		first := q.number
		q.values, q.expanded = 0, 0
		q.limits.Values = min(limits.Values, max(total, 1))
		fields := q.root()
		if q.failed || fields == nil || !q.ended && !q.begins || len(documents) == limits.Documents {
			return nil, false
		}
		total -= q.values
		d, wrong := assemble(fields, limits.Placeholders)
		if len(wrong) > 0 {
			return nil, false
		}
		d.Origin, d.source, d.index = Origin{File: file, Line: first}, from, len(documents)
		documents = append(documents, d)
	}
}

const (
	separator = "---"
	// maxQuickKey is far below the length at which YAML takes no more for a key.
	maxQuickKey = 200
)

// plainText tells whether a text is of the characters that mean the same to everybody, and ends with a line.
func plainText(data []byte) bool {
	if len(data) == 0 || data[len(data)-1] != '\n' {
		return false
	}
	for i := 0; i < len(data); {
		c := data[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError || r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			return false
		}
		i += size
	}
	return true
}

// quickReader goes through a text line by line. Once it has failed, what it gives means nothing.
type quickReader struct {
	text   string
	limits Limits
	at     int // where the line after this one begins

	line   string // without its indentation and the spaces at its end; never empty or a comment
	indent int
	number int  // of the line, from 1
	begins bool // a document, and says no more
	ended  bool

	values   int
	expanded int
	failed   bool
}

func (q *quickReader) fail() any {
	q.failed = true
	return nil
}

// raw takes the next line as it is.
func (q *quickReader) raw() string {
	end := strings.IndexByte(q.text[q.at:], '\n') + q.at
	line := q.text[q.at:end]
	q.at = end + 1
	q.number++
	return line
}

// next goes to the next line that says something.
func (q *quickReader) next() {
	q.begins = false
	for q.at < len(q.text) {
		line := q.raw()
		trimmed := strings.TrimLeft(line, " ")
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		q.indent, q.line = len(line)-len(trimmed), strings.TrimRight(trimmed, " ")
		if q.indent == 0 {
			q.begins = line == separator
			// Directives, ends of documents, and documents that begin behind the dashes are left to the library.
			q.failed = q.failed || !q.begins && strings.HasPrefix(line, separator) || strings.HasPrefix(line, "...") || line[0] == '%'
		}
		return
	}
	q.line, q.indent, q.ended = "", -1, true
}

// root reads a document, which is a mapping.
func (q *quickReader) root() map[string]any {
	if q.failed || q.indent != 0 {
		return nil
	}
	if q.line[0] == '{' {
		value := q.inline(q.line, 0)
		q.next()
		fields, _ := value.(map[string]any)
		return fields
	}
	fields, _ := q.mapping(0, 0).(map[string]any)
	return fields
}

// count notes a value, as converter does.
func (q *quickReader) count(depth int) bool {
	q.values++
	if q.values > q.limits.Values || depth > q.limits.Depth || q.expanded > q.limits.Expanded {
		q.failed = true
	}
	return !q.failed
}

// within tells whether the line belongs to the document.
func (q *quickReader) within() bool { return !q.failed && !q.ended && !q.begins }

// block reads the mapping or list that begins with the line.
func (q *quickReader) block(depth int) any {
	if isItem(q.line) {
		return q.list(q.indent, depth)
	}
	return q.mapping(q.indent, depth)
}

func isItem(line string) bool { return line == "-" || strings.HasPrefix(line, "- ") }

// mapping reads the entries of an indentation.
func (q *quickReader) mapping(indent, depth int) any {
	if !q.count(depth) {
		return nil
	}
	m := make(map[string]any, 8)
	for q.within() && q.indent == indent {
		key, rest, ok := splitKey(q.line)
		if !ok {
			return q.fail()
		}
		q.expanded += len(key)
		if _, twice := m[key]; twice || len(m) == q.limits.Keys {
			return q.fail()
		}
		m[key] = q.entry(rest, indent, depth+1)
		if q.failed {
			return nil
		}
	}
	if q.within() && q.indent > indent {
		return q.fail()
	}
	return m
}

// entry reads the value behind a key, and goes to the line after it.
func (q *quickReader) entry(rest string, indent, depth int) any {
	if rest != "" && rest[0] != '#' {
		return q.value(rest, indent, depth)
	}
	q.next()
	if q.within() && (q.indent > indent || q.indent == indent && isItem(q.line)) {
		return q.block(depth)
	}
	q.count(depth)
	return nil
}

// list reads the items of an indentation.
func (q *quickReader) list(indent, depth int) any {
	if !q.count(depth) {
		return nil
	}
	all := make([]any, 0, 4)
	for q.within() && q.indent == indent && isItem(q.line) {
		all = append(all, q.item(indent, depth+1))
	}
	if q.failed || q.within() && q.indent > indent {
		return q.fail()
	}
	return all
}

func (q *quickReader) item(indent, depth int) any {
	rest := strings.TrimLeft(q.line[1:], " ")
	if rest == "" || rest[0] == '#' {
		q.next()
		if q.within() && q.indent > indent {
			return q.block(depth)
		}
		q.count(depth)
		return nil
	}
	if isItem(rest) {
		return q.fail()
	}
	if _, _, isKey := splitKey(rest); isKey {
		// The mapping begins in this line, as if it were alone there.
		q.indent += len(q.line) - len(rest)
		q.line = rest
		return q.mapping(q.indent, depth)
	}
	return q.value(rest, indent, depth)
}

// value reads what a line says behind its key or dash, and goes to the line after it.
func (q *quickReader) value(text string, indent, depth int) any {
	if text == "|" || text == "|-" {
		return q.literal(text == "|-", indent, depth)
	}
	value := q.inline(text, depth)
	q.next()
	if q.within() && q.indent > indent {
		return q.fail() // it goes on
	}
	return value
}

// literal reads the lines of a block as they are.
func (q *quickReader) literal(strip bool, parent, depth int) any {
	if !q.count(depth) {
		return nil
	}
	var b strings.Builder
	indent, blank := 0, 0
	for q.at < len(q.text) {
		before, number := q.at, q.number
		line := q.raw()
		trimmed := strings.TrimLeft(line, " ")
		in := len(line) - len(trimmed)
		if trimmed == "" {
			if in > 0 {
				return q.fail() // it may be content, or too deep
			}
			blank++
			continue
		}
		if indent == 0 {
			if in <= parent {
				return q.fail()
			}
			indent = in
		}
		if in < indent {
			if in > parent {
				return q.fail()
			}
			q.at, q.number = before, number
			break
		}
		for ; blank > 0; blank-- {
			b.WriteByte('\n')
		}
		b.WriteString(line[indent:])
		b.WriteByte('\n')
	}
	if indent == 0 {
		return q.fail()
	}
	text := b.String()
	if strip {
		text = text[:len(text)-1]
	}
	q.next()
	return q.string(text)
}

func (q *quickReader) string(text string) any {
	if q.expanded += len(text); q.expanded > q.limits.Expanded {
		return q.fail()
	}
	return text
}

// splitKey gives the key that a line begins with, and what stands behind it.
func splitKey(line string) (key, rest string, ok bool) {
	for i := 0; i < len(line) && i < maxQuickKey; i++ {
		c := line[i]
		if c == ':' && (i+1 == len(line) || line[i+1] == ' ') {
			key = line[:i]
			switch key {
			case "", "null", "Null", "NULL":
				return "", "", false
			}
			return key, strings.TrimLeft(line[i+1:], " "), true
		}
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$'
		if !letter && (i == 0 || c != '-' && c != '.' && c != '/' && (c < '0' || c > '9')) {
			return "", "", false
		}
	}
	return "", "", false
}

// inline reads a value that ends with its line.
func (q *quickReader) inline(text string, depth int) any {
	switch text[0] {
	case '"', '\'', '[', '{':
		value, rest := q.flow(text, depth)
		if rest = strings.TrimLeft(rest, " "); rest != "" && (rest[0] != '#' || text[len(text)-len(rest)-1] != ' ') {
			return q.fail()
		}
		return value
	}
	if i := strings.Index(text, " #"); i >= 0 {
		text = strings.TrimRight(text[:i], " ")
	}
	if strings.Contains(text, ": ") || text[len(text)-1] == ':' {
		return q.fail()
	}
	if !q.count(depth) {
		return nil
	}
	return q.plain(text)
}

// plain reads a text without quotes.
func (q *quickReader) plain(text string) any {
	switch c := text[0]; c {
	case '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
		return q.fail()
	case '+', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '<':
		return q.resolved(text)
	case '~', 'y', 'Y', 'n', 'N', 't', 'T', 'f', 'F', 'o', 'O':
		if len(text) <= 5 {
			return q.resolved(text)
		}
	}
	return q.string(text)
}

// resolved reads a text that may be a number or a word with a meaning.
func (q *quickReader) resolved(text string) any {
	c := converter{limits: q.limits, text: q.expanded}
	value := c.scalar(&yaml.Node{Kind: yaml.ScalarNode, Value: text})
	core := converter{limits: q.limits, core: true}
	if q.expanded = c.text; len(c.wrong) > 0 || core.scalar(&yaml.Node{Kind: yaml.ScalarNode, Value: text}) != value {
		return q.fail() // it depends on whose document it is
	}
	return value
}

// flow reads a value in brackets or quotes that a text begins with, and gives what is left of it.
func (q *quickReader) flow(text string, depth int) (value any, rest string) {
	if !q.count(depth) || text == "" {
		return q.fail(), ""
	}
	switch text[0] {
	case '"', '\'':
		end := strings.IndexByte(text[1:], text[0])
		if end < 0 {
			return q.fail(), ""
		}
		inner := text[1 : end+1]
		if rest = text[end+2:]; strings.Contains(inner, `\`) && text[0] == '"' || strings.HasPrefix(rest, text[:1]) {
			return q.fail(), ""
		}
		return q.string(inner), rest
	case '[':
		return q.flowList(text[1:], depth)
	case '{':
		return q.flowMapping(text[1:], depth)
	}
	end := strings.IndexAny(text, ",[]{}?#\"'")
	if end <= 0 || strings.IndexByte(",]}", text[end]) < 0 {
		return q.fail(), ""
	}
	plain := strings.TrimRight(text[:end], " ")
	for i := 0; i < len(plain); i++ {
		if plain[i] == ':' && (i+1 == len(plain) || !letterOrDigit(plain[i+1]) && plain[i+1] != '/') {
			return q.fail(), ""
		}
	}
	return q.plain(plain), text[end:]
}

func letterOrDigit(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }

func (q *quickReader) flowList(text string, depth int) (value any, rest string) {
	all := []any{}
	text = strings.TrimLeft(text, " ")
	if strings.HasPrefix(text, "]") {
		return all, text[1:]
	}
	for {
		var one any
		one, text = q.flow(text, depth+1)
		if text = strings.TrimLeft(text, " "); q.failed || text == "" {
			return q.fail(), ""
		}
		all = append(all, one)
		switch text[0] {
		case ']':
			return all, text[1:]
		case ',':
			text = strings.TrimLeft(text[1:], " ")
		default:
			return q.fail(), ""
		}
	}
}

func (q *quickReader) flowMapping(text string, depth int) (value any, rest string) {
	m := map[string]any{}
	text = strings.TrimLeft(text, " ")
	if strings.HasPrefix(text, "}") {
		return m, text[1:]
	}
	for {
		key, behind, ok := splitKey(text)
		if _, twice := m[key]; !ok || twice || len(m) == q.limits.Keys {
			return q.fail(), ""
		}
		q.expanded += len(key)
		var one any
		one, text = q.flow(behind, depth+1)
		if text = strings.TrimLeft(text, " "); q.failed || text == "" {
			return q.fail(), ""
		}
		m[key] = one
		switch text[0] {
		case '}':
			return m, text[1:]
		case ',':
			text = strings.TrimLeft(text[1:], " ")
		default:
			return q.fail(), ""
		}
	}
}
