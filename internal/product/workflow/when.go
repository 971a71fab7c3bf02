package workflow

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxCondition bounds a condition after its tags have been filled in, in bytes.
const maxCondition = 64 << 10

// evaluateWhen tells whether a step whose `when` is text (tags already filled in) runs. Argo: a bare word is text, so
// `{{steps.flip.outputs.result}} == heads` needs no quotes; == != < <= > >= =~ !~ in, && || !, + - * / %, brackets.
func evaluateWhen(text string) (bool, error) {
	if strings.TrimSpace(text) == "" {
		return true, nil
	}
	if len(text) > maxCondition {
		return false, fault.Errorf(fault.Invalid, "the condition is over %d bytes when its tags are filled in", maxCondition)
	}
	p := &whenParser{rest: text}
	p.next()
	v := p.or(0)
	if p.err == nil && p.token.kind != whenEnd {
		p.fail("unexpected %q", p.token.text)
	}
	if p.err != nil {
		return false, fault.Errorf(fault.Invalid, "the condition %q is wrong: %w; quote texts that hold spaces or signs", clip(text, 200), p.err)
	}
	b, ok := v.(bool)
	if !ok {
		return false, fault.Errorf(fault.Invalid, "the condition %q gives %v, neither true nor false", clip(text, 200), v)
	}
	return b, nil
}

type whenKind uint8

const (
	whenEnd whenKind = iota
	whenValue
	whenSign
)

type whenToken struct {
	kind  whenKind
	text  string
	value any // string, float64 or bool
}

type whenParser struct {
	rest  string
	token whenToken
	err   error
}

func (p *whenParser) fail(format string, args ...any) any {
	if p.err == nil {
		p.err = fault.Errorf(fault.Invalid, format, args...)
	}
	p.token = whenToken{}
	p.rest = ""
	return false
}

var (
	whenSigns  = []string{"==", "!=", "<=", ">=", "=~", "!~", "&&", "||", "<", ">", "!", "(", ")", ",", "+", "-", "*", "/", "%"}
	whenNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?`)
	whenWord   = regexp.MustCompile(`^[\pL_$\[\]{}@#~^:;.?\\][-\pL\pN_$\[\]{}@#~^:;.?\\/]*`)
)

func (p *whenParser) next() {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	if p.rest == "" {
		p.token = whenToken{}
		return
	}
	if quote := p.rest[0]; quote == '"' || quote == '\'' {
		p.quoted(quote)
		return
	}
	for _, sign := range whenSigns {
		if strings.HasPrefix(p.rest, sign) {
			p.take(len(sign), whenToken{kind: whenSign, text: sign})
			return
		}
	}
	if number := whenNumber.FindString(p.rest); number != "" {
		after := p.rest[len(number):]
		if w := whenWord.FindString("x" + after); len(w) > 1 && after[0] != '-' { // such as 1a or 2024-01-02T…: a word
			word := number + w[1:]
			p.take(len(word), whenToken{whenValue, word, word})
			return
		}
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			p.fail("%q is not a number", number)
			return
		}
		p.take(len(number), whenToken{whenValue, number, f})
		return
	}
	word := whenWord.FindString(p.rest)
	if word == "" {
		p.fail("unexpected %q", clip(p.rest, 20))
		return
	}
	var value any = word
	switch word {
	case "true", "false":
		value = word == "true"
	case "in":
		p.take(len(word), whenToken{kind: whenSign, text: "in"})
		return
	}
	p.take(len(word), whenToken{whenValue, word, value})
}

func (p *whenParser) take(n int, t whenToken) { p.rest, p.token = p.rest[n:], t }

func (p *whenParser) quoted(quote byte) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		case c == quote:
			p.take(i+1, whenToken{whenValue, b.String(), b.String()})
			return
		default:
			b.WriteByte(c)
		}
	}
	p.fail("a quote is not closed")
}

func (p *whenParser) sign(signs ...string) string {
	if p.token.kind == whenSign {
		for _, s := range signs {
			if p.token.text == s {
				p.next()
				return s
			}
		}
	}
	return ""
}

func (p *whenParser) truth(v any, sign string) bool {
	b, ok := v.(bool)
	if !ok {
		p.fail("%v beside %s is neither true nor false", v, sign)
	}
	return b
}

const maxNesting = 100

func (p *whenParser) or(depth int) any {
	v := p.and(depth)
	for p.err == nil && p.sign("||") != "" {
		left := p.truth(v, "||")
		right := p.truth(p.and(depth), "||")
		v = left || right
	}
	return v
}

func (p *whenParser) and(depth int) any {
	v := p.comparison(depth)
	for p.err == nil && p.sign("&&") != "" {
		left := p.truth(v, "&&")
		right := p.truth(p.comparison(depth), "&&")
		v = left && right
	}
	return v
}

func (p *whenParser) comparison(depth int) any {
	v := p.sum(depth)
	for p.err == nil {
		sign := p.sign("==", "!=", "<=", ">=", "=~", "!~", "<", ">", "in")
		if sign == "" {
			return v
		}
		if sign == "in" {
			v = p.in(v, depth)
			continue
		}
		v = p.compare(sign, v, p.sum(depth))
	}
	return v
}

func (p *whenParser) in(v any, depth int) any {
	if p.sign("(") == "" {
		return p.fail("in wants a list in brackets")
	}
	found := false
	for p.err == nil {
		found = p.sum(depth) == v || found
		if p.sign(",") == "" {
			break
		}
	}
	if p.err == nil && p.sign(")") == "" {
		return p.fail("a bracket is not closed")
	}
	return found
}

func (p *whenParser) compare(sign string, a, b any) any {
	if p.err != nil {
		return false
	}
	switch sign {
	case "==":
		return a == b
	case "!=":
		return a != b
	case "=~", "!~":
		text, pattern := whenText(a), whenText(b)
		re, err := regexp.Compile(pattern)
		if err != nil {
			return p.fail("%q is not a pattern: %w", clip(pattern, 80), err)
		}
		return re.MatchString(text) == (sign == "=~")
	}
	var order int
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		if !ok {
			return p.fail("%v and %v can't be compared by %s", a, b, sign)
		}
		order = compareFloat(x, y)
	case string:
		y, ok := b.(string)
		if !ok {
			return p.fail("%v and %v can't be compared by %s", a, b, sign)
		}
		order = strings.Compare(x, y)
	default:
		return p.fail("%v can't be compared by %s", a, sign)
	}
	switch sign {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func compareFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func whenText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (p *whenParser) sum(depth int) any {
	v := p.product(depth)
	for p.err == nil {
		sign := p.sign("+", "-")
		if sign == "" {
			return v
		}
		v = p.arithmetic(sign, v, p.product(depth))
	}
	return v
}

func (p *whenParser) product(depth int) any {
	v := p.unary(depth)
	for p.err == nil {
		sign := p.sign("*", "/", "%")
		if sign == "" {
			return v
		}
		v = p.arithmetic(sign, v, p.unary(depth))
	}
	return v
}

func (p *whenParser) arithmetic(sign string, a, b any) any {
	if p.err != nil {
		return false
	}
	x, okX := a.(float64)
	y, okY := b.(float64)
	if !okX || !okY {
		if sign == "+" {
			return whenText(a) + whenText(b)
		}
		return p.fail("%v %s %v: both must be numbers", a, sign, b)
	}
	switch sign {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	}
	if int64(y) == 0 {
		return p.fail("division by zero")
	}
	return float64(int64(x) % int64(y))
}

func (p *whenParser) unary(depth int) any {
	if depth > maxNesting {
		return p.fail("it is nested too deep")
	}
	switch {
	case p.sign("!") != "":
		return !p.truth(p.unary(depth+1), "!")
	case p.sign("-") != "":
		f, ok := p.unary(depth + 1).(float64)
		if !ok {
			return p.fail("a minus wants a number")
		}
		return -f
	case p.sign("(") != "":
		v := p.or(depth + 1)
		if p.err == nil && p.sign(")") == "" {
			return p.fail("a bracket is not closed")
		}
		return v
	case p.token.kind == whenValue:
		v := p.token.value
		p.next()
		return v
	case p.token.kind == whenEnd:
		return p.fail("it ends too early")
	}
	return p.fail("unexpected %q", p.token.text)
}

// clip keeps text short enough for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
