package gitlabtest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	gl "gitlab.com/gitlab-org/api/client-go"
)

// newer are fields that GitLab documents and its client library does not have.
var newer = map[string]reflect.Type{
	"Author.avatar_url": reflect.TypeFor[string](), "Author.web_url": reflect.TypeFor[string](),
	"GroupHook.signing_token_present": reflect.TypeFor[bool](), "GroupHook.token_present": reflect.TypeFor[bool](),
}

// conforms tells whether an answer has the fields of a type of GitLab's client library, and no others.
func conforms(body, shape any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	return fits(v, reflect.TypeOf(shape), "")
}

func fits(v any, t reflect.Type, at string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	wrong := func() error { return fmt.Errorf("%s is %T, which is no %s", at, v, t) }
	switch {
	case v == nil || t.Kind() == reflect.Interface:
		return nil
	case t == reflect.TypeFor[time.Time]():
		s, _ := v.(string)
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			return wrong()
		}
		return nil
	case t == reflect.TypeFor[gl.ISOTime]():
		s, _ := v.(string)
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			return wrong()
		}
		return nil
	}
	good := true
	switch t.Kind() {
	case reflect.Struct:
		fields, is := v.(map[string]any)
		if !is {
			return wrong()
		}
		known := map[string]reflect.Type{}
		fieldsOf(t, known)
		for name, value := range fields {
			ft, ok := known[name]
			if !ok {
				ft, ok = newer[t.Name()+"."+name]
			}
			if !ok {
				return fmt.Errorf("%s has a field %q, which %s does not have", at, name, t)
			}
			if err := fits(value, ft, at+"."+name); err != nil {
				return err
			}
		}
	case reflect.Slice:
		items, is := v.([]any)
		if !is {
			return wrong()
		}
		for i, item := range items {
			if err := fits(item, t.Elem(), fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		_, good = v.(map[string]any)
	case reflect.String:
		_, good = v.(string)
	case reflect.Bool:
		_, good = v.(bool)
	default: // numbers
		_, good = v.(float64)
	}
	if !good {
		return wrong()
	}
	return nil
}

func fieldsOf(t reflect.Type, into map[string]reflect.Type) {
	for f := range fieldsSeq(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			fieldsOf(f.Type, into)
		case name == "":
			into[strings.ToLower(f.Name)] = f.Type
		default:
			into[name] = f.Type
		}
	}
}

func fieldsSeq(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
