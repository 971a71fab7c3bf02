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
		length := strings.Index(text[open+2:], "}}")
		if length < 0 {
			return tags
		}
		body := text[open+2 : open+2+length]
		t := tag{start: open, end: open + length + 4}
		if rest, found := strings.CutPrefix(body, "="); found {
			// A brace of the expression itself may stand before the two that close the tag.
			for t.end < len(text) && text[t.end] == '}' {
				t.end++
			}
			rest = text[open+3 : t.end-2]
			t.expression, t.body = true, strings.TrimSpace(rest)
		} else {
			t.body = strings.TrimSpace(body)
		}
		tags = append(tags, t)
		at = t.end
	}
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
