package policy

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// What one call of a built-in function may make. An evaluation ends when its time or memory is used up, but only between
// calls: a call that multiplies what it is given would be over with the machine before.
const (
	maxText   = 16 << 20 // bytes of a text
	maxItems  = 1 << 20  // of a list, and values within values
	maxDigits = 4096     // of a number
	maxWidth  = 10_000   // of what a format pads
)

// boundBuiltins puts bounds before the functions of OPA that give much more than they are given. OPA keeps its functions
// in one table of the process, so it is done once, before anything is evaluated. What OPA itself multiplies, such as a list
// of lists that all hold the same one, is bounded by time and memory alone (see bounded), and before it is written out.
var boundBuiltins = sync.OnceFunc(func() {
	bounds := map[string]func(operands []*ast.Term) error{
		"concat":            boundConcat,
		"sprintf":           boundSprintf,
		"replace":           boundReplace,
		"strings.replace_n": boundReplaceN,
		"regex.replace":     boundRegexReplace,
		"array.concat":      boundArrays,
		"product":           boundProduct,
	}
	for _, name := range []string{"mul", "plus", "minus", "div", "rem", "abs", "round", "ceil", "floor", "sum", "format_int"} {
		bounds[name] = boundProduct
	}
	for _, name := range []string{
		"json.marshal", "json.marshal_with_options", "yaml.marshal", "json.patch", "json.filter", "json.remove", "json.match_schema",
		"object.union", "object.union_n", "object.subset", "urlquery.encode_object", "strings.render_template",
	} {
		bounds[name] = boundWeight
	}
	ast.RegisterBuiltin(sanitizedFunction())
	topdown.RegisterBuiltinFunc("sanitized", sanitized)
	for name, check := range bounds {
		call := topdown.GetBuiltin(name)
		if call == nil {
			continue // this version of OPA has none
		}
		topdown.RegisterBuiltinFunc(name, func(ctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
			if err := check(operands); err != nil {
				return topdown.Halt{Err: fmt.Errorf("it calls %s so that %w", name, err)}
			}
			return call(ctx, operands, iter)
		})
	}
})

func tooMuch(what string, most int) error {
	return fmt.Errorf("%s would be larger than %d", what, most)
}

func text(t *ast.Term) int {
	s, ok := t.Value.(ast.String)
	if !ok {
		return 0
	}
	return len(s)
}

// each visits the elements of a list or set.
func each(t *ast.Term, visit func(*ast.Term)) {
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(visit)
	case ast.Set:
		v.Foreach(visit)
	}
}

func within(total float64) error {
	if total > maxText {
		return tooMuch("its text", maxText)
	}
	return nil
}

func boundConcat(o []*ast.Term) error {
	total := 0.0
	each(o[1], func(t *ast.Term) { total += float64(text(t) + text(o[0])) })
	return within(total)
}

// boundSprintf takes every directive for one that writes the largest argument.
func boundSprintf(o []*ast.Term) error {
	format, ok := o[0].Value.(ast.String)
	if !ok {
		return nil
	}
	if err := boundWeight(o[1:2]); err != nil {
		return err
	}
	largest := 0
	each(o[1], func(t *ast.Term) { largest = max(largest, sizeOf(t)) })
	directives, width, digits := 0, 0, 0
	for _, c := range []byte(format) {
		switch {
		case c == '%':
			directives++
			digits = 0
		case c >= '0' && c <= '9':
			digits = min(10*digits+int(c-'0'), math.MaxInt32)
			width = max(width, digits)
		default:
			digits = 0
		}
	}
	if directives > 0 && width > maxWidth {
		return fmt.Errorf("it pads to more than %d characters", maxWidth)
	}
	if strings.Contains(string(format), "*") { // a width among the arguments
		each(o[1], func(t *ast.Term) {
			if n, ok := t.Value.(ast.Number); ok {
				if i, whole := n.Int64(); !whole || i > maxWidth || i < -maxWidth {
					width = math.MaxInt32
				} else {
					width = max(width, int(max(i, -i)))
				}
			}
		})
		if width > maxWidth {
			return fmt.Errorf("it pads to more than %d characters", maxWidth)
		}
	}
	return within(float64(len(format)) + float64(directives)*float64(largest+width))
}

func boundReplace(o []*ast.Term) error {
	s, isText := o[0].Value.(ast.String)
	old, isOld := o[1].Value.(ast.String)
	if !isText || !isOld {
		return nil
	}
	return within(float64(len(s)) + float64(strings.Count(string(s), string(old)))*float64(text(o[2])))
}

func boundReplaceN(o []*ast.Term) error {
	largest := 1
	if patterns, ok := o[0].Value.(ast.Object); ok {
		patterns.Foreach(func(_, v *ast.Term) { largest = max(largest, text(v)) })
	}
	return within(float64(text(o[1])+1) * float64(largest))
}

func boundRegexReplace(o []*ast.Term) error {
	return within(float64(text(o[0])+1) * float64(text(o[2])+1))
}

func boundArrays(o []*ast.Term) error {
	total := 0
	for _, t := range o {
		if a, ok := t.Value.(*ast.Array); ok {
			total += a.Len()
		}
	}
	if total > maxItems {
		return tooMuch("its list", maxItems)
	}
	return nil
}

// digitsOf gives how many digits a number has, written out. Those that policies and inputs bring are not huge, but a text
// that is read as a number may have any exponent.
func digitsOf(t *ast.Term) int {
	n, ok := t.Value.(ast.Number)
	switch {
	case !ok:
		return 0
	case strings.ContainsAny(string(n), "eE") && huge(string(n)):
		return maxDigits + 1
	}
	return len(n)
}

func boundProduct(o []*ast.Term) error {
	total := 0
	for _, t := range o {
		total += digitsOf(t)
		each(t, func(t *ast.Term) { total += digitsOf(t) })
	}
	if total > maxDigits {
		return tooMuch("the digits of its number", maxDigits)
	}
	return nil
}

// boundWeight counts values within values, as often as they would be written, and stops when they are too many.
func boundWeight(o []*ast.Term) error {
	left := maxItems
	bytes := float64(0)
	for _, t := range o {
		weigh(t, &left, &bytes)
	}
	if left < 0 {
		return tooMuch("the number of its values", maxItems)
	}
	if bytes > 4*maxText {
		return tooMuch("its text", 4*maxText)
	}
	return nil
}

func weigh(t *ast.Term, left *int, bytes *float64) {
	if *left--; *left < 0 {
		return
	}
	switch v := t.Value.(type) {
	case ast.String:
		*bytes += float64(len(v))
	case ast.Number:
		if digitsOf(t) > maxDigits {
			*bytes = math.Inf(1)
		}
	case *ast.Array:
		v.Until(func(t *ast.Term) bool { weigh(t, left, bytes); return *left < 0 })
	case ast.Set:
		v.Until(func(t *ast.Term) bool { weigh(t, left, bytes); return *left < 0 })
	case ast.Object:
		v.Until(func(k, t *ast.Term) bool { weigh(k, left, bytes); weigh(t, left, bytes); return *left < 0 })
	}
}

// sizeOf gives about how long a value is when it is written.
func sizeOf(t *ast.Term) int {
	left, bytes := maxItems, 0.0
	weigh(t, &left, &bytes)
	return int(bytes) + 32*(maxItems-left)
}

// written gives a rule's value as Go's, unless it would be too much.
func written(t *ast.Term, _ *rego.EvalContext) (any, error) {
	if err := boundWeight([]*ast.Term{t}); err != nil {
		return nil, fmt.Errorf("it gives so many values that %w", err)
	}
	return ast.JSON(t.Value)
}
