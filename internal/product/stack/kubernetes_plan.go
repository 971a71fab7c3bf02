package stack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// object is one of a cluster's, as the server gives it.
type object map[string]any

// objectKey names an object; its version may be another one.
type objectKey struct{ group, kind, namespace, name string }

func (o object) text(at ...string) string {
	var v any = map[string]any(o)
	for _, name := range at {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	text, _ := v.(string)
	return text
}

func (o object) key() objectKey {
	group, _, grouped := strings.Cut(o.text("apiVersion"), "/")
	if !grouped {
		group = ""
	}
	return objectKey{group, o.text("kind"), o.text("metadata", "namespace"), o.text("metadata", "name")}
}

// kindOf gives a kind with its group, as the type of a resource.
func (k objectKey) kindOf() string {
	if k.group == "" {
		return k.kind
	}
	return k.group + "/" + k.kind
}

// place gives the name of an object with its namespace.
func (k objectKey) place() string {
	if k.namespace == "" {
		return k.name
	}
	return k.namespace + "/" + k.name
}

func (k objectKey) address() string { return objectAddress(k.kindOf(), k.place()) }

// objectAddress names an object of a cluster in plans and states: apps/Deployment shop/web.
func objectAddress(kind, place string) string { return kind + " " + place }

// plain gives an object without what the server alone writes.
func (o object) plain() object {
	if o == nil {
		return nil
	}
	out := maps.Clone(o)
	delete(out, "status")
	if m, ok := o["metadata"].(map[string]any); ok {
		m = maps.Clone(m)
		for _, name := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"} {
			delete(m, name)
		}
		if notes, ok := m["annotations"].(map[string]any); ok {
			notes = maps.Clone(notes)
			delete(notes, "kubectl.kubernetes.io/last-applied-configuration") // it repeats all, values of Secrets too
			delete(notes, "deployment.kubernetes.io/revision")
			if m["annotations"] = notes; len(notes) == 0 {
				delete(m, "annotations")
			}
		}
		out["metadata"] = m
	}
	return out
}

// marks tells which values of an object are not for people.
func (o object) marks() any {
	if o == nil || o.text("kind") != "Secret" || strings.Contains(o.text("apiVersion"), "/") {
		return false
	}
	all := map[string]any{}
	for _, field := range []string{"data", "stringData"} {
		values, _ := o[field].(map[string]any)
		hidden := map[string]any{}
		for name := range values {
			hidden[name] = true
		}
		all[field] = hidden
		if values == nil && o[field] != nil {
			all[field] = true
		}
	}
	return all
}

// mostObjects bounds the objects of one stack.
const mostObjects = 20_000

// clusterTold is what was told of a plan: objects by the part that they are of.
type clusterTold struct {
	Kubectl   string
	namespace string // of what names none
	parts     map[string][]object
	written   []object // of them, those whose kind the server does not know yet
	homeless  []object // and those whose namespace is not there yet
}

// readTold reads a row of JSON values: words on what comes next, objects, and lists of them.
func readTold(data []byte) (clusterTold, error) {
	out := clusterTold{parts: map[string][]object{}}
	part, lacks, n := "", "", 0
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	for {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, fault.Errorf(fault.Invalid, "what was told of the manifests can't be read: %w", err)
		}
		if o["apiVersion"] == nil {
			out.Kubectl, out.namespace = cmp.Or(o.text("kubectl"), out.Kubectl), cmp.Or(o.text("namespace"), out.namespace)
			part, lacks = cmp.Or(o.text("part"), part), o.text("lacks")
			continue
		}
		all := []object{o}
		if items, ok := o["items"].([]any); ok && strings.HasSuffix(o.text("kind"), "List") {
			all = nil
			for _, item := range items {
				if one, ok := item.(map[string]any); ok {
					all = append(all, one)
				}
			}
		}
		for _, one := range all {
			if k := one.key(); k.kind == "" || k.name == "" {
				return out, fault.Errorf(fault.Invalid, "an object has no kind or no name; name all, since generateName makes another at each apply")
			}
		}
		if n += len(all); n > 3*mostObjects {
			return out, fault.Errorf(fault.TooLarge, "a stack has at most %d objects; split it", mostObjects)
		}
		if lacks == "kind" { // its scope is known by then
			out.written = append(out.written, all...)
		}
		for _, one := range all {
			if lacks == "namespace" {
				one.within(out.namespace)
				out.homeless = append(out.homeless, one)
			}
		}
		lacks = ""
		out.parts[part] = append(out.parts[part], all...)
	}
}

// within has an object that names no namespace be of one.
func (o object) within(namespace string) {
	if m, ok := o["metadata"].(map[string]any); ok && m["namespace"] == nil {
		m["namespace"] = namespace
	}
}

// versions gives those that a CustomResourceDefinition has the server serve.
func (o object) versions() (all []string) {
	spec, _ := o["spec"].(map[string]any)
	list, _ := spec["versions"].([]any)
	for _, one := range list {
		version, _ := one.(map[string]any)
		if name, ok := version["name"].(string); ok && version["served"] != false {
			all = append(all, name)
		}
	}
	return all
}

// place gives objects of kinds that come with the same plan the namespace that they will have. It refuses what could not be
// applied, since its kind or its namespace is neither there nor to come.
func (t clusterTold) place() error {
	scopes, namespaces := map[string]string{}, map[string]bool{} // by apiVersion and kind
	for _, o := range t.parts["after"] {
		switch k := o.key(); {
		case k == objectKey{kind: "Namespace", name: k.name}:
			namespaces[k.name] = true
		case k.kind == "CustomResourceDefinition":
			for _, version := range o.versions() {
				scopes[o.text("spec", "group")+"/"+version+" "+o.text("spec", "names", "kind")] = o.text("spec", "scope")
			}
		}
	}
	for _, o := range t.written {
		k := o.key()
		scope, comes := scopes[o.text("apiVersion")+" "+k.kind]
		if !comes {
			return fault.Errorf(fault.Invalid, "%s can't be applied: the cluster has no kind %s in %s, and no manifest defines it; mend its kind or apiVersion, or install its CustomResourceDefinition first",
				cut(k.address(), 300), cut(k.kind, 100), cut(o.text("apiVersion"), 100))
		}
		if scope == "Namespaced" {
			o.within(t.namespace)
		}
	}
	for _, o := range t.homeless {
		if k := o.key(); !namespaces[k.namespace] {
			return fault.Errorf(fault.Invalid, "%s can't be applied: the cluster has no namespace %s, and no manifest makes it; mend the name, or add a Namespace", cut(k.address(), 300), cut(k.namespace, 100))
		}
	}
	return nil
}

// read compares what the server would make of the manifests with what is there. What is there of the stack, and has no
// manifest, goes.
func (kubernetesTool) read(in Input, told []byte) (*reading, error) {
	t, err := readTold(told)
	if err != nil {
		return nil, err
	}
	if err := t.place(); err != nil {
		return nil, err
	}
	out := reading{plan: planFile{Vendor: vendorKubernetes, EngineVersion: t.Kubectl}}
	live, planned := map[objectKey]object{}, map[objectKey]bool{}
	for _, o := range t.parts["live"] {
		live[o.key()] = o
	}
	var stays, goes []object
	for _, o := range t.parts["after"] {
		k := o.key()
		if planned[k] {
			return nil, fault.Errorf(fault.Invalid, "%s is in the manifests twice; keep one of them", k.address())
		}
		planned[k] = true
		there := live[k]
		if whose := there.text("metadata", "labels", labelOfStack); whose != "" && whose != labelValue(in.Stack) {
			return nil, fault.Errorf(fault.Conflict, "%s is of the stack %s; take its manifest out of one of the two", k.address(), whose)
		}
		action := "create"
		if there != nil {
			if action = "update"; reflect.DeepEqual(there.plain(), o.plain()) {
				action = "no-op"
			}
		}
		stays = append(stays, o)
		out.plan.ResourceChanges = append(out.plan.ResourceChanges, k.change(action, there.plain(), o.plain()))
	}
	for _, o := range t.parts["held"] {
		k := o.key()
		if planned[k] || o.text("metadata", "labels", labelOfStack) != labelValue(in.Stack) {
			continue
		}
		goes = append(goes, o)
		out.plan.ResourceChanges = append(out.plan.ResourceChanges, k.change("delete", o.plain(), nil))
	}
	slices.SortStableFunc(goes, func(a, b object) int { return cmp.Compare(late(a), late(b)) })
	if len(goes) > 0 {
		if out.delete, err = listOf(goes); err != nil {
			return nil, err
		}
	}
	out.keep, err = listOf(stays)
	return &out, err
}

// late has what others stand in and are of go last.
func late(o object) int {
	switch o.text("kind") {
	case "Namespace", "CustomResourceDefinition":
		return 1
	}
	return 0
}

func (k objectKey) change(action string, before, after object) planChange {
	d := planDetail{Actions: []string{action}, BeforeSensitive: before.marks(), AfterSensitive: after.marks()}
	if before != nil {
		d.Before = map[string]any(before)
	}
	if after != nil {
		d.After = map[string]any(after)
	}
	return planChange{
		Address: cut(k.address(), 2000), Mode: "managed", Type: k.kindOf(), Name: k.place(), ProviderName: vendorKubernetes, Change: d,
	}
}

// listOf names objects, one a line as kubectl reads them.
func listOf(all []object) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	for _, o := range all {
		about := map[string]any{"name": o.text("metadata", "name")}
		if ns := o.text("metadata", "namespace"); ns != "" {
			about["namespace"] = ns
		}
		if err := e.Encode(map[string]any{"apiVersion": o.text("apiVersion"), "kind": o.text("kind"), "metadata": about}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// kubernetesKeeper keeps which objects a stack has.
type kubernetesKeeper struct{}

type keptObject struct {
	ID         string `json:"id"`
	APIVersion string `json:"api_version"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

func (o keptObject) object() object {
	about := map[string]any{"name": o.Name}
	if o.Namespace != "" {
		about["namespace"] = o.Namespace
	}
	return object{"apiVersion": o.APIVersion, "kind": o.Kind, "metadata": about}
}

func (kubernetesKeeper) objects(f stateFile) ([]object, error) {
	var all []object
	for _, res := range f.Resources {
		for _, i := range res.Instances {
			var kept keptObject
			if err := json.Unmarshal(i.Attributes, &kept); err != nil || kept.Kind == "" || kept.Name == "" {
				return nil, fault.Errorf(fault.Invalid, "the state has %s, which is no object of a cluster; roll it back to a version that a run has written", cut(res.address(), 200))
			}
			all = append(all, kept.object())
		}
	}
	return all, nil
}

func (k kubernetesKeeper) held(f stateFile, _ []byte) ([]byte, error) {
	all, err := k.objects(f)
	if err != nil {
		return nil, err
	}
	data, err := listOf(all)
	if len(data) == 0 {
		return nil, err
	}
	return data, err
}

// state has, after an apply that failed, what was there before too: any part of it may not have gone.
func (k kubernetesKeeper) state(in Input, before stateFile, a applied) (*keptState, error) {
	if in.Type == Task {
		return nil, nil
	}
	t, err := readTold(append([]byte(`{"part":"keep"}`+"\n"), a.keep...))
	if err != nil {
		return nil, err
	}
	all := t.parts["keep"]
	out := keptState{Outputs: before.Outputs}
	if !a.done {
		was, err := k.objects(before)
		if err != nil {
			return nil, err
		}
		all = append(all, was...)
	} else if outputs, err := configOutputs(a.outputs); err == nil {
		out.Outputs = outputs
	} // else those from before stay: what was applied is kept in any case
	seen := map[objectKey]bool{}
	for _, o := range all {
		key := o.key()
		if seen[key] {
			continue
		}
		seen[key] = true
		kept := keptObject{ID: key.address(), APIVersion: o.text("apiVersion"), Kind: key.kind, Namespace: key.namespace, Name: key.name}
		out.Resources = append(out.Resources, keptResource{
			Mode: "managed", Type: key.kindOf(), Name: key.place(), Provider: vendorKubernetes, Instances: []keptInstance{{Attributes: kept}},
		})
	}
	slices.SortFunc(out.Resources, func(a, b keptResource) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
	return &out, nil
}

// configOutputs gives the entries of a ConfigMap as outputs, which are texts.
func configOutputs(data []byte) (map[string]Value, error) {
	if data == nil {
		return nil, nil
	}
	var m struct {
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the ConfigMap of outputs can't be read: %w", err)
	}
	all := map[string]json.RawMessage{}
	for name, text := range m.Data {
		raw, err := json.Marshal(text)
		if err != nil {
			return nil, err
		}
		all[name] = raw
	}
	return outputsOf(all)
}
