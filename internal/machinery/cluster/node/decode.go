package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	strictjson "sigs.k8s.io/json"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxObject bounds one object as JSON; Kubernetes bounds it near there too.
const maxObject = 1 << 20

// manifest is one object that the node accepts: strictly decoded, checked, without what only a server sets.
type manifest struct {
	object   cluster.Object
	key      cluster.Key
	json     []byte // canonical
	typed    any    // *appsv1.Deployment, *corev1.Service, …
	warnings []string
}

// kinds are what the node knows, with the version in which it reads them.
var kinds = map[cluster.GVK]struct {
	cluster bool // without a namespace
	fresh   func() any
}{
	{Version: "v1", Kind: "Namespace"}:                           {true, func() any { return new(corev1.Namespace) }},
	{Group: "apps", Version: "v1", Kind: "Deployment"}:           {false, func() any { return new(appsv1.Deployment) }},
	{Version: "v1", Kind: "Service"}:                             {false, func() any { return new(corev1.Service) }},
	{Version: "v1", Kind: "ConfigMap"}:                           {false, func() any { return new(corev1.ConfigMap) }},
	{Version: "v1", Kind: "Secret"}:                              {false, func() any { return new(corev1.Secret) }},
	{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}: {false, func() any { return new(networkingv1.Ingress) }},
}

// decode reads an object and gives everything that is wrong with it. It looks at this object alone.
func decode(o cluster.Object, b bounds) (manifest, []fault.Detail) {
	gvk := o.GVK()
	kind, known := kinds[gvk]
	if !known {
		return manifest{}, []fault.Detail{unknownKind(o, gvk)}
	}
	o = cleaned(o, kind.cluster)
	text, err := o.JSON()
	if err != nil {
		return manifest{}, []fault.Detail{o.Fault("", err.Error(), "")}
	}
	if len(text) > maxObject {
		return manifest{}, []fault.Detail{o.Fault("", fmt.Sprintf("is %d bytes; the limit is %d", len(text), maxObject), "split it")}
	}
	m := manifest{object: o, key: o.Key(), json: text, typed: kind.fresh()}
	strict, err := strictjson.UnmarshalStrict(text, m.typed)
	if err != nil {
		return manifest{}, []fault.Detail{wrongType(o, err)}
	}
	var details []fault.Detail
	for _, e := range strict {
		details = append(details, unknownField(o, e, m.typed))
	}
	if len(details) > 0 {
		return manifest{}, details
	}
	var refused []fault.Detail
	m.warnings, refused = review(o)
	return m, append(refused, check(m, b)...)
}

// cleaned gives the object without what only a server sets, and with its namespace said.
func cleaned(o cluster.Object, clusterScoped bool) cluster.Object {
	raw := make(map[string]any, len(o.Raw))
	for k, v := range o.Raw {
		if k != "status" {
			raw[k] = v
		}
	}
	if meta, ok := raw["metadata"].(map[string]any); ok {
		kept := make(map[string]any, len(meta)+1)
		for k, v := range meta {
			switch k {
			case "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds":
			default:
				kept[k] = v
			}
		}
		if ns, _ := kept["namespace"].(string); ns == "" {
			delete(kept, "namespace")
			if !clusterScoped {
				kept["namespace"] = defaultNamespace
			}
		}
		raw["metadata"] = kept
	}
	o.Raw = raw
	return o
}

const defaultNamespace = "default"

func unknownKind(o cluster.Object, gvk cluster.GVK) fault.Detail {
	if gvk.Kind == "" || gvk.Version == "" {
		return o.Fault("kind", "has no apiVersion or no kind", "every object needs both")
	}
	for other := range kinds {
		if other.Kind == gvk.Kind {
			return o.Fault("apiVersion", fmt.Sprintf("the node does not know %s of %s", gvk.Kind, o.Text("apiVersion")), "write "+strings.TrimPrefix(other.Group+"/"+other.Version, "/"))
		}
	}
	hint := "send it to a Kubernetes cluster; the node knows Namespace, Deployment, Service, ConfigMap, Secret and Ingress"
	switch gvk.Kind {
	case "Pod", "ReplicaSet", "StatefulSet", "DaemonSet":
		hint = "write a Deployment"
	}
	return o.Fault("kind", "the node does not run "+gvk.Kind, hint)
}

// goType takes the names of Go types out of messages of encoding/json.
var goType = regexp.MustCompile(`^json: cannot unmarshal (\S+) into Go (?:struct field \S+ of type|value of type) (\S+)$`)

func wrongType(o cluster.Object, err error) fault.Detail {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return o.Fault(mismatch.Field, "is a "+mismatch.Value, "write a "+typeWord(mismatch.Type))
	}
	if m := goType.FindStringSubmatch(err.Error()); m != nil {
		return o.Fault(fieldOf(err.Error()), "is a "+m[1], "")
	}
	return o.Fault("", "can't be read: "+strings.TrimPrefix(err.Error(), "json: "), "")
}

var structField = regexp.MustCompile(`Go struct field [A-Za-z]+\.(\S+) of type`)

func fieldOf(message string) string {
	if m := structField.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}

func typeWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "string; quote it if it looks like a number"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8:
		return "whole number"
	case reflect.Slice:
		return "list"
	case reflect.Map, reflect.Struct:
		return "map of names to values"
	}
	return t.String()
}

// unknownField names the nearest field that does exist.
func unknownField(o cluster.Object, err error, typed any) fault.Detail {
	field := ""
	if at := strictjson.FieldError(nil); errors.As(err, &at) {
		field = at.FieldPath()
	}
	if !strings.HasPrefix(err.Error(), "unknown field") {
		return o.Fault(field, err.Error(), "remove one of them")
	}
	hint := "remove it"
	if near := nearest(field, reflect.TypeOf(typed)); near != "" {
		hint = "did you mean " + near + "?"
	}
	return o.Fault(field, "is not a field of "+o.GVK().Kind, hint)
}

// nearest gives the known sibling of a field whose name is closest, "" when none is close.
func nearest(field string, t reflect.Type) string {
	parts := strings.Split(field, ".")
	for _, part := range parts[:len(parts)-1] {
		name, _, _ := strings.Cut(part, "[")
		next, ok := fieldsOf(t)[name]
		if !ok {
			return ""
		}
		t = next
	}
	last, best, near := parts[len(parts)-1], 3, ""
	for name := range fieldsOf(t) {
		d := distance(strings.ToLower(last), strings.ToLower(name))
		if d < best || (d == best && near != "" && name < near) {
			best, near = d, name
		}
	}
	return near
}

// fieldsOf gives the JSON fields of a type, or of its elements.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	out := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return out
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" && f.Anonymous {
			for n, inner := range fieldsOf(f.Type) {
				out[n] = inner
			}
			continue
		}
		if name != "" && name != "-" {
			out[name] = f.Type
		}
	}
	return out
}

// distance is the number of single-letter edits between two words; long words count as far apart.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
