package cluster

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Object is one Kubernetes object as a tree of maps, with the place it was read from.
type Object struct {
	Raw  map[string]any
	File string // where the manifest was read, for errors; may be empty
	Line int    // first line of the document in File, from 1; 0 when unknown

	// Place gives line and column of a field in File, or of the nearest thing around it; 0 when unknown. It may be nil.
	Place func(path ...string) (line, column int)
}

// GVK is an API group, version and kind.
type GVK struct{ Group, Version, Kind string }

// Key names one object of a cluster. The group is empty for the core API; the namespace is empty for what has none.
type Key struct{ Group, Kind, Namespace, Name string }

// core stands for the empty group in the text of a key.
const core = "core"

// String gives group/Kind/namespace/name, or group/Kind/name without a namespace; the core group is "core".
// The zero Key is "".
func (k Key) String() string {
	if k == (Key{}) {
		return ""
	}
	group := k.Group
	if group == "" {
		group = core
	}
	if k.Namespace == "" {
		return group + "/" + k.Kind + "/" + k.Name
	}
	return group + "/" + k.Kind + "/" + k.Namespace + "/" + k.Name
}

// ParseKey reads what String gives.
func ParseKey(text string) (Key, error) {
	parts := strings.Split(text, "/")
	for _, p := range parts {
		if p == "" {
			parts = nil
		}
	}
	var k Key
	switch len(parts) {
	case 3:
		k = Key{Group: parts[0], Kind: parts[1], Name: parts[2]}
	case 4:
		k = Key{Group: parts[0], Kind: parts[1], Namespace: parts[2], Name: parts[3]}
	default:
		return Key{}, fault.Errorf(fault.Invalid, "%q is not the key of an object; write group/Kind/namespace/name, such as apps/Deployment/shop/web", text)
	}
	if k.Group == core {
		k.Group = ""
	}
	return k, nil
}

// MarshalText gives what String gives, so that keys can be stored.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText gave.
func (k *Key) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*k = Key{}
		return nil
	}
	*k, err = ParseKey(string(text))
	return err
}

// Compare orders keys by namespace, kind, name and group.
func (k Key) Compare(other Key) int {
	for _, pair := range [][2]string{{k.Namespace, other.Namespace}, {k.Kind, other.Kind}, {k.Name, other.Name}, {k.Group, other.Group}} {
		if c := strings.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return 0
}

// GVK gives the object's group, version and kind.
func (o Object) GVK() GVK {
	version, _ := o.Raw["apiVersion"].(string)
	kind, _ := o.Raw["kind"].(string)
	group, v, found := strings.Cut(version, "/")
	if !found {
		group, v = "", version
	}
	return GVK{Group: group, Version: v, Kind: kind}
}

// Key gives the object's name in its cluster.
func (o Object) Key() Key {
	gvk := o.GVK()
	return Key{Group: gvk.Group, Kind: gvk.Kind, Namespace: o.Namespace(), Name: o.Name()}
}

// Namespace gives metadata.namespace.
func (o Object) Namespace() string { return o.meta("namespace") }

// Name gives metadata.name.
func (o Object) Name() string { return o.meta("name") }

// UID gives metadata.uid, which a live object has.
func (o Object) UID() string { return o.meta("uid") }

// Labels gives metadata.labels.
func (o Object) Labels() map[string]string { return o.strings("labels") }

// Annotations gives metadata.annotations.
func (o Object) Annotations() map[string]string { return o.strings("annotations") }

// Field gives the value at a path of map keys.
func (o Object) Field(path ...string) (any, bool) {
	var at any = o.Raw
	for _, name := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = m[name]; !ok {
			return nil, false
		}
	}
	return at, true
}

// Text gives the string at a path, or "".
func (o Object) Text(path ...string) string {
	v, _ := o.Field(path...)
	s, _ := v.(string)
	return s
}

// Int gives the whole number at a path, or otherwise when there is none.
func (o Object) Int(otherwise int64, path ...string) int64 {
	v, ok := o.Field(path...)
	if !ok {
		return otherwise
	}
	switch n := v.(type) {
	case int:
		return int64(n)
	case int32:
		return int64(n)
	case int64:
		return n
	case float64:
		return int64(n)
	case json.Number:
		if i, err := n.Int64(); err == nil {
			return i
		}
	}
	return otherwise
}

// JSON gives the object with sorted keys; equal objects give equal bytes.
func (o Object) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(o.Raw); err != nil {
		return nil, fault.Errorf(fault.Invalid, "object %s can't be written as JSON: %w", o.Key(), err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// ParseObject reads an object from JSON.
func ParseObject(data []byte) (Object, error) {
	var o Object
	if err := json.Unmarshal(data, &o.Raw); err != nil {
		return Object{}, fault.Errorf(fault.Invalid, "read object: %w", err)
	}
	return o, nil
}

// Fault gives a detail that points at a field of the object.
func (o Object) Fault(field, message, hint string) fault.Detail {
	d := fault.Detail{File: o.File, Line: o.Line, Field: field, Message: message, Hint: hint}
	if o.Place != nil {
		if line, column := o.Place(steps(field)...); line > 0 {
			d.Line, d.Column = line, column
		}
	}
	return d
}

// steps takes a field such as spec.ports[0].name or metadata.labels[a.b/c] apart.
func steps(field string) (path []string) {
	for field != "" {
		if rest, ok := strings.CutPrefix(field, "["); ok {
			key, after, _ := strings.Cut(rest, "]")
			path, field = append(path, key), strings.TrimPrefix(after, ".")
			continue
		}
		end := strings.IndexAny(field, ".[")
		if end < 0 {
			return append(path, field)
		}
		path = append(path, field[:end])
		field = strings.TrimPrefix(field[end:], ".")
	}
	return path
}

func (o Object) meta(name string) string { return o.Text("metadata", name) }

func (o Object) strings(name string) map[string]string {
	v, _ := o.Field("metadata", name)
	m, _ := v.(map[string]any)
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}
