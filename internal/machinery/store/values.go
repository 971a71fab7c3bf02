package store

import (
	"database/sql/driver"
	"encoding/json"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// arguments converts what is given to a statement into the few types that both databases take alike.
func arguments(args []any) ([]any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	out := make([]any, len(args))
	for i, a := range args {
		v, err := argument(a)
		if err != nil {
			return nil, fault.Wrap(err, "argument $%d", i+1)
		}
		out[i] = v
	}
	return out, nil
}

func argument(a any) (any, error) {
	switch v := a.(type) {
	case nil, int64, float64:
		return v, nil
	case string:
		return text(v)
	case int:
		return int64(v), nil
	case bool:
		return flag(v), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	case json.RawMessage:
		return text(string(v))
	case time.Time:
		return Micros(v), nil
	case []string:
		for _, one := range v {
			if _, err := text(one); err != nil {
				return nil, err
			}
		}
		return v, nil
	case []int64:
		return v, nil
	case driver.Valuer:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, nil
		}
		inner, err := v.Value()
		if err != nil {
			return nil, err
		}
		return argument(inner)
	}
	return argumentOfKind(reflect.ValueOf(a))
}

func argumentOfKind(r reflect.Value) (any, error) {
	switch r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return argument(r.Elem().Interface())
	case reflect.String:
		return text(r.String())
	case reflect.Bool:
		return flag(r.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n := r.Uint(); n <= 1<<63-1 {
			return int64(n), nil
		}
		return nil, fault.Errorf(fault.Invalid, "%d does not fit a BIGINT", r.Uint())
	case reflect.Float32, reflect.Float64:
		return r.Float(), nil
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return argument(r.Bytes())
		}
	}
	return nil, fault.Errorf(fault.Internal, "a %s can't be stored", r.Type())
}

// text refuses what PostgreSQL refuses, so that both databases hold the same.
func text(s string) (any, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, fault.Errorf(fault.Invalid, "text must not hold a NUL character")
	}
	if !utf8.ValidString(s) {
		return nil, fault.Errorf(fault.Invalid, "text must be valid UTF-8")
	}
	return s, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// receivers replaces destinations that only one of the databases can fill; settle then fills the real ones.
func receivers(dest []any) (holders []any, settle func()) {
	var then []func()
	for i, d := range dest {
		var holder any
		switch d := d.(type) {
		case *bool:
			n := new(int64)
			holder, then = n, append(then, func() { *d = *n != 0 })
		case *time.Time:
			n := new(int64)
			holder, then = n, append(then, func() { *d = FromMicros(*n) })
		case *time.Duration:
			n := new(int64)
			holder, then = n, append(then, func() { *d = time.Duration(*n) })
		case *json.RawMessage:
			s := new(string)
			holder, then = s, append(then, func() { *d = raw(*s) })
		default:
			continue
		}
		if holders == nil {
			holders = append([]any(nil), dest...)
		}
		holders[i] = holder
	}
	if holders == nil {
		return dest, nil
	}
	return holders, func() {
		for _, fn := range then {
			fn()
		}
	}
}

func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}
