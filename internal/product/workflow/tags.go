package workflow

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxFilled bounds a text after its tags have been filled in, in bytes.
const maxFilled = 1 << 20

// tag is one {{…}} of a text.
type tag struct {
	start, end int // of the text, the braces included
	body       string
	expression bool // {{=…}}
}

// tagsOf finds the tags of a text. Braces that are not closed are text.
func tagsOf(text string) []tag {
	var tags []tag
	for at := 0; ; {
		open := strings.Index(text[at:], "{{")
		if open < 0 {
			return tags
		}
		open += at
		t := tag{start: open, expression: strings.HasPrefix(text[open+2:], "=")}
		length := strings.Index(text[open+2:], "}}")
		if t.expression {
			length = closing(text[open+2:])
		}
		if length < 0 {
			return tags
		}
		t.end = open + length + 4
		t.body = strings.TrimSpace(strings.TrimPrefix(text[open+2:t.end-2], "="))
		tags = append(tags, t)
		at = t.end
	}
}

// closing finds the two braces that close an expression: not those of its own maps and texts.
func closing(text string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		case strings.HasPrefix(text[i:], "}}"):
			return i
		}
	}
	return strings.Index(text, "}}")
}

// found says what came of looking a tag up.
type found uint8

const (
	unknown found = iota // there is no such thing
	absent               // there is such a thing, but it has no value: an output of what was skipped
	present
)

// fill replaces the tags of a text. absent comes back when a tag has no value though it is known: then the caller's
// default counts. An unknown tag is Invalid.
func (s *scope) fill(text string) (string, found, error) {
	tags := tagsOf(text)
	if len(tags) == 0 {
		return text, present, nil
	}
	var b strings.Builder
	at := 0
	for _, t := range tags {
		b.WriteString(text[at:t.start])
		at = t.end
		value, state, err := s.value(t)
		if err != nil {
			return "", unknown, err
		}
		if state != present {
			return "", state, nil
		}
		if b.Len()+len(value) > maxFilled {
			return "", unknown, fault.Errorf(fault.TooLarge, "the text is over %d bytes when its tags are filled in", maxFilled)
		}
		b.WriteString(value)
	}
	b.WriteString(text[at:])
	return b.String(), present, nil
}

func (s *scope) value(t tag) (string, found, error) {
	if t.expression {
		v, err := s.evaluate(t.body)
		if err != nil {
			return "", unknown, err
		}
		if v == nil {
			return "", absent, nil
		}
		return expressionText(v), present, nil
	}
	value, state := s.lookup(t.body)
	if state == unknown {
		return "", unknown, fault.Errorf(fault.Invalid, "{{%s}} names nothing that is known here", clip(t.body, 100))
	}
	return value, state, nil
}

// must fills a text of which every tag must have a value.
func (s *scope) must(text string) (string, error) {
	value, state, err := s.fill(text)
	if err == nil && state != present {
		err = fault.Errorf(fault.Invalid, "%q names an output that was not made, and there is no default", clip(text, 100))
	}
	return value, err
}
