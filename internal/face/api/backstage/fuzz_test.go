package backstage

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A filter that is read is within the bounds of the index, and is the same when it has been through a cursor.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{"kind=component,spec.type=service", "a,a=1,a=2\nb", "=x", ",", "metadata.annotations.a/b=c=d", "a=\"\\\u2028", "$all=x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := readFilters(strings.Split(text, "\n"))
		if err != nil {
			wellSaid(t, err)
			return
		}
		if filter == nil {
			return
		}
		if err := index.Check(filter); err != nil {
			t.Fatal(err)
		}
		predicate := writePredicate(filter)
		again, err := readPredicate(predicate)
		if err != nil {
			if strings.Contains(string(predicate), `{"$`) { // a key that is an operator is none in a predicate
				return
			}
			t.Fatalf("%s: %v", predicate, err)
		}
		valid := strings.ToValidUTF8(text, "") == text
		if valid && !reflect.DeepEqual(flat(filter), flat(again)) {
			t.Fatalf("%#v is %#v after %s", filter, again, predicate)
		}
	})
}

// flat takes lists of one for what is in them.
func flat(f index.Filter) index.Filter {
	all := func(list []index.Filter) (flattened []index.Filter) {
		for _, part := range list {
			flattened = append(flattened, flat(part))
		}
		return flattened
	}
	switch f := f.(type) {
	case index.All:
		return index.All(all(f))
	case index.Any:
		return index.Any(all(f))
	}
	return f
}

func wellSaid(t *testing.T, err error) {
	t.Helper()
	if !fault.Is(err, fault.Invalid) || len(fault.Message(err)) > 1000 {
		t.Fatalf("%v: %v", fault.KindOf(err), err)
	}
}

func FuzzPredicate(f *testing.F) {
	for _, text := range []string{
		`{"kind":"a"}`, `{"$all":[{"a":1},{"$not":{"b":{"$exists":false}}}]}`, `{"a":{"$in":[1,true,"x",1.50,1e400]}}`, `{"relations":{"$contains":{"type":"a","targetRef":{"$in":["b"]}}}}`,
		`{"a":{"$hasPrefix":"x"}}`, `{"$any":[]}`, `{"$not":{}}`, `[`, `{"":{}}`, `null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		filter, err := readPredicate(text)
		if err != nil {
			wellSaid(t, err)
			return
		}
		if err := index.Check(filter); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(`{"orderFields":[{"field":"a","order":"asc"}],"orderFieldValues":["x","component:default/a"],"isPrevious":true,"query":{"kind":"a"},"totalItems":3}`)
	f.Add(`{"orderFields":[],"orderFieldValues":[null]}`)
	f.Fuzz(func(t *testing.T, text string) {
		l := listing{}
		if err := l.from(base64.StdEncoding.EncodeToString([]byte(text))); err != nil {
			wellSaid(t, err)
			return
		}
		q := l.asked()
		q.After = l.cursor.position()
		if err := q.Check(); err != nil {
			wellSaid(t, err)
			return
		}
		if c, err := readCursor(l.at(q.After, true, 1)); err != nil || c.position().Ref != q.After.Ref && strings.ToValidUTF8(q.After.Ref, "") == q.After.Ref {
			t.Fatalf("%+v: %v", c, err)
		}
	})
}

// Of any entity, what is picked is JSON, and is what a walk over the decoded entity finds.
func FuzzFields(f *testing.F) {
	f.Add(`{"a":{"b.c":[1,{"d":"e\"}"}],"x/y.z":null},"k":"v"}`, "a.b.c,k,a.b.c.1.d,a.x/y.z,none,a.b.c.0")
	f.Add(`{"a":[[],{}],"b":"\\"}`, "a,b.c,a.1")
	f.Fuzz(func(t *testing.T, text, list string) {
		var value map[string]any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&value) != nil || value == nil {
			return
		}
		var compact bytes.Buffer
		encoder := json.NewEncoder(&compact)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(value) != nil {
			return
		}
		fields, err := readFields([]string{list})
		if err != nil {
			wellSaid(t, err)
			return
		}
		entity := bytes.TrimSpace(compact.Bytes())
		picked := fields.pick(nil, entity)
		if !json.Valid(picked) {
			t.Fatalf("%q of %s is %s", list, entity, picked)
		}
		if len(fields) != 1 {
			return
		}
		want, there := walk(value, fields[0])
		var got any
		decoder = json.NewDecoder(bytes.NewReader(picked))
		decoder.UseNumber()
		if err := decoder.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if !there {
			if string(picked) != "{}" {
				t.Fatalf("%q of %s is %s", list, entity, picked)
			}
			return
		}
		if again, there := walk(got, fields[0]); !there || !reflect.DeepEqual(again, want) {
			t.Fatalf("%q of %s is %s", list, entity, picked)
		}
	})
}

func walk(value any, field []string) (any, bool) {
	key := ""
	for i, part := range field {
		key += part
		next, ok := step(value, key)
		if !ok {
			if i == len(field)-1 {
				return nil, false
			}
			key += "."
			continue
		}
		value, key = next, ""
	}
	return value, true
}

func step(value any, key string) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		next, ok := v[key]
		return next, ok
	case []any:
		for i := range v {
			if key == strconv.Itoa(i) {
				return v[i], true
			}
		}
	}
	return nil, false
}
