package document

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Decode reads d.Spec into a struct with json tags, strictly: a field that the struct does not have, or a value
// of the wrong type, gives fault.Invalid with the line of each and the nearest known name. A nil Spec is read as
// an empty one. A time.Duration is written as Go writes it ("10m"). Names of fields are compared with case.
func Decode[T any](d Document, into *T) error {
	return decodeAt(d, into, d.Spec, true, "spec")
}

// DecodeLoose is Decode, but leaves out what the struct does not have: for kinds of others that grow new fields.
func DecodeLoose[T any](d Document, into *T) error {
	return decodeAt(d, into, d.Spec, false, "spec")
}

// DecodeField reads the value of a top-level field that is not spec, such as data, as Decode does.
// A field that is absent leaves into as it is.
func DecodeField[T any](d Document, field string, into *T) error {
	value, exists := d.Rest[field]
	if !exists {
		return nil
	}
	return decodeAt(d, into, value, true, field)
}

func decodeAt[T any](d Document, into *T, value any, strict bool, path ...string) error {
	if m, ok := value.(map[string]any); ok && m == nil {
		value = map[string]any{}
	}
	c := &decoding{d: d, strict: strict}
	c.into(reflect.ValueOf(into).Elem(), value, path)
	if len(c.wrong) > 0 {
		return fault.At(fmt.Sprintf("%s %s is not valid", d.Kind, d.Metadata.Name), c.wrong...)
	}
	return nil
}

type decoding struct {
	d      Document
	strict bool
	wrong  []fault.Detail
}

func (c *decoding) fail(path []string, hint, format string, args ...any) {
	if len(c.wrong) < maxDetails {
		c.wrong = append(c.wrong, c.d.At(fmt.Sprintf(format, args...), hint, path...))
	}
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	durationType    = reflect.TypeFor[time.Duration]()
)

func (c *decoding) into(target reflect.Value, value any, path []string) {
	if value == nil { // null is the zero value, as in JSON
		target.SetZero()
		return
	}
	if target.Kind() != reflect.Pointer && c.custom(target, value, path) {
		return
	}
	switch target.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(target.Type().Elem())
		c.into(fresh.Elem(), value, path)
		target.Set(fresh)
	case reflect.Interface:
		target.Set(reflect.ValueOf(cloneValue(value)))
	case reflect.Struct:
		c.structure(target, value, path)
	case reflect.Map:
		c.mapping(target, value, path)
	case reflect.Slice:
		c.list(target, value, path)
	default:
		c.scalar(target, value, path)
	}
}

// custom lets types read themselves: json.RawMessage, Kubernetes' IntOrString, time.Time, …
func (c *decoding) custom(target reflect.Value, value any, path []string) bool {
	if !target.CanAddr() {
		return false
	}
	kind := target.Addr().Type()
	switch {
	case kind.Implements(jsonUnmarshaler):
		if err := target.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(canonical(value)); err != nil {
			c.fail(path, "", "%s", strings.TrimPrefix(err.Error(), "json: "))
		}
		return true
	case kind.Implements(textUnmarshaler):
		text, ok := value.(string)
		if !ok {
			c.fail(path, "quote it", "must be text, not %s", typeName(value))
		} else if err := target.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			c.fail(path, "", "%s", err.Error())
		}
		return true
	}
	return false
}

func (c *decoding) structure(target reflect.Value, value any, path []string) {
	m, ok := value.(map[string]any)
	if !ok {
		c.fail(path, "", "must be a mapping, not %s", typeName(value))
		return
	}
	fields := fieldsOf(target.Type())
	for _, key := range sortedKeys(m) {
		here := append(slices.Clone(path), key)
		index, known := fields[key]
		if !known {
			if c.strict {
				c.fail(here, didYouMean(key, sortedKeys(fields)), "unknown field")
			}
			continue
		}
		c.into(fieldByIndex(target, index), m[key], here)
	}
}

// fieldsOf gives the JSON names of a struct's fields, those of embedded structs included.
func fieldsOf(t reflect.Type) map[string][]int {
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if had, exists := fields[name]; !exists || len(f.Index) < len(had) {
			fields[name] = f.Index
		}
	}
	return fields
}

func fieldByIndex(v reflect.Value, index []int) reflect.Value {
	for i, x := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v
}

func (c *decoding) mapping(target reflect.Value, value any, path []string) {
	m, ok := value.(map[string]any)
	if !ok || target.Type().Key().Kind() != reflect.String {
		c.fail(path, "", "must be a mapping, not %s", typeName(value))
		return
	}
	made := reflect.MakeMapWithSize(target.Type(), len(m))
	for _, key := range sortedKeys(m) {
		element := reflect.New(target.Type().Elem()).Elem()
		c.into(element, m[key], append(slices.Clone(path), key))
		made.SetMapIndex(reflect.ValueOf(key).Convert(target.Type().Key()), element)
	}
	target.Set(made)
}

func (c *decoding) list(target reflect.Value, value any, path []string) {
	items, ok := value.([]any)
	if !ok {
		c.fail(path, "start each item with a dash", "must be a list, not %s", typeName(value))
		return
	}
	made := reflect.MakeSlice(target.Type(), len(items), len(items))
	for i, item := range items {
		c.into(made.Index(i), item, append(slices.Clone(path), strconv.Itoa(i)))
	}
	target.Set(made)
}

func (c *decoding) scalar(target reflect.Value, value any, path []string) {
	switch target.Kind() {
	case reflect.String:
		if text, ok := value.(string); ok {
			target.SetString(text)
			return
		}
		c.fail(path, "quote it", "must be text, not %s", typeName(value))
	case reflect.Bool:
		if flag, ok := value.(bool); ok {
			target.SetBool(flag)
			return
		}
		c.fail(path, "", "must be true or false, not %s", typeName(value))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c.integer(target, value, path)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u, ok := asUint(value); ok && !target.OverflowUint(u) {
			target.SetUint(u)
			return
		}
		c.fail(path, "", "must be a whole number of at least 0, not %s", typeName(value))
	case reflect.Float32, reflect.Float64:
		switch n := value.(type) {
		case int64:
			target.SetFloat(float64(n))
		case uint64:
			target.SetFloat(float64(n))
		case float64:
			target.SetFloat(n)
		default:
			c.fail(path, "", "must be a number, not %s", typeName(value))
		}
	default:
		panic("document: Decode into " + target.Type().String())
	}
}

func (c *decoding) integer(target reflect.Value, value any, path []string) {
	if target.Type() == durationType {
		text, _ := value.(string)
		d, err := time.ParseDuration(text)
		if err != nil {
			c.fail(path, `write a number and a unit, such as "30s", "10m" or "2h"`, "must be a duration, not %s", typeName(value))
			return
		}
		target.SetInt(int64(d))
		return
	}
	if i, ok := value.(int64); ok && !target.OverflowInt(i) {
		target.SetInt(i)
		return
	}
	c.fail(path, "", "must be a whole number, not %s", typeName(value))
}

func asUint(value any) (uint64, bool) {
	switch n := value.(type) {
	case int64:
		return uint64(n), n >= 0
	case uint64:
		return n, true
	}
	return 0, false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
