package workflow

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxValue bounds what an expression gives, and each text that it puts together on the way, in bytes.
const maxValue = 1 << 20

func errValue() error {
	return fault.Errorf(fault.TooLarge, "a value is over %d bytes", maxValue)
}

// left gives what is left of a budget of bytes after a value; negative when it is larger. It stops there, so that a value
// that holds another one many times over costs no more than its budget.
func left(v any, budget int) int {
	if budget -= 8; budget < 0 {
		return budget
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.String:
		return budget - r.Len()
	case reflect.Slice, reflect.Array:
		for i := 0; i < r.Len() && budget >= 0; i++ {
			budget = left(r.Index(i).Interface(), budget)
		}
	case reflect.Map:
		for _, key := range r.MapKeys() {
			if budget = left(r.MapIndex(key).Interface(), left(key.Interface(), budget)); budget < 0 {
				return budget
			}
		}
	}
	return budget
}

// budgeted are the functions of the language that make much of little, with bounds.
func budgeted() []expr.Option {
	bounded := func(name string, fn func(args ...any) (any, error), types ...any) []expr.Option {
		return []expr.Option{expr.DisableBuiltin(name), expr.Function(name, fn, types...)}
	}
	var all []expr.Option
	for _, o := range [][]expr.Option{
		{expr.Patch(&plus{}), expr.Function(plusName, func(args ...any) (any, error) {
			a, aText := args[0].(string)
			b, bText := args[1].(string)
			if aText && bText && len(a)+len(b) > maxValue {
				return nil, errValue()
			}
			return runtime.Add(args[0], args[1]), nil
		}, new(func(any, any) any))},
		bounded("replace", func(args ...any) (any, error) {
			s, before, after, times := args[0].(string), args[1].(string), args[2].(string), -1
			if len(args) > 3 {
				times = args[3].(int)
			}
			if n := strings.Count(s, before); len(s)+n*max(0, len(after)-len(before)) > maxValue {
				return nil, errValue()
			}
			return strings.Replace(s, before, after, times), nil
		}, new(func(string, string, string) string), new(func(string, string, string, int) string)),
		bounded("join", func(args ...any) (any, error) {
			list, separator := reflect.ValueOf(args[0]), ""
			if len(args) > 1 {
				separator, _ = args[1].(string)
			}
			if list.Kind() != reflect.Slice {
				return nil, fault.Errorf(fault.Invalid, "join takes a list of texts")
			}
			var b strings.Builder
			for i := range list.Len() {
				if i > 0 {
					b.WriteString(separator)
				}
				fmt.Fprint(&b, list.Index(i).Interface())
				if b.Len() > maxValue {
					return nil, errValue()
				}
			}
			return b.String(), nil
		}, new(func(any) string), new(func(any, string) string)),
		bounded("concat", func(args ...any) (any, error) {
			out := []any{}
			for _, arg := range args {
				list := reflect.ValueOf(arg)
				if list.Kind() != reflect.Slice {
					return nil, fault.Errorf(fault.Invalid, "concat takes lists")
				}
				if len(out)+list.Len() > maxValue/8 {
					return nil, errValue()
				}
				for i := range list.Len() {
					out = append(out, list.Index(i).Interface())
				}
			}
			return out, nil
		}, new(func(...any) []any)),
		bounded("flatten", func(args ...any) (any, error) {
			if left(args[0], maxValue) < 0 {
				return nil, errValue()
			}
			return flat(nil, reflect.ValueOf(args[0])), nil
		}, new(func(any) []any)),
		bounded("string", func(args ...any) (any, error) {
			if left(args[0], maxValue) < 0 {
				return nil, errValue()
			}
			return fmt.Sprint(args[0]), nil
		}, new(func(any) string)),
		bounded("toJSON", func(args ...any) (any, error) {
			if left(args[0], maxValue) < 0 {
				return nil, errValue()
			}
			data, err := json.MarshalIndent(args[0], "", "  ")
			return string(data), err
		}, new(func(any) string)),
		{expr.Function("toJson", func(args ...any) (any, error) {
			if left(args[0], maxValue) < 0 {
				return nil, errValue()
			}
			return toJSON(args[0]), nil
		}, new(func(any) string))},
	} {
		all = append(all, o...)
	}
	return all
}

func flat(out []any, list reflect.Value) []any {
	if list.Kind() != reflect.Slice {
		return append(out, list.Interface())
	}
	for i := range list.Len() {
		one := list.Index(i)
		if one.Kind() == reflect.Interface {
			one = one.Elem()
		}
		if one.Kind() == reflect.Slice {
			out = flat(out, one)
		} else if one.IsValid() {
			out = append(out, one.Interface())
		} else {
			out = append(out, nil)
		}
	}
	return out
}

// plusName is what stands for + in an expression.
const plusName = "roadbed_plus"

// plus has + done by a function with a bound.
type plus struct{}

func (*plus) Visit(node *ast.Node) {
	if b, ok := (*node).(*ast.BinaryNode); ok && b.Operator == "+" {
		ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: plusName}, Arguments: []ast.Node{b.Left, b.Right}})
	}
}
