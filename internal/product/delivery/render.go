package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of what an application may be.
const (
	fileLimit   = 2 << 20  // bytes of one manifest file, aliases expanded
	totalLimit  = 32 << 20 // bytes of all manifests
	fileCount   = 1000
	objectLimit = 2000
	valueLimit  = 200_000 // in one file, aliases expanded
)

// manifest is how rendered objects are kept, with the place each came from.
type manifest struct {
	File string         `json:"file"`
	Line int            `json:"line"`
	Raw  map[string]any `json:"raw"`

	read document.Document // where it was read, which is not kept
}

// place is where a field stands; 0 for what was kept.
func (m manifest) place(path ...string) (line, column int) {
	at := m.read.At("", "", path...)
	return at.Line, at.Column
}

func (m manifest) object(raw map[string]any) cluster.Object {
	return cluster.Object{Raw: raw, File: m.File, Line: m.Line, Place: m.place}
}

// render reads the manifests of a commit. Errors point at file and line.
func (s *Service) render(ctx context.Context, a Application, commit string) ([]manifest, error) {
	files, err := s.Repositories.Files(ctx, a.Repository, commit, a.Path)
	if err != nil {
		return nil, fault.Wrap(err, "list %s of %s at %s", a.folder(), a.Repository, short(commit))
	}
	files = slices.DeleteFunc(files, func(file string) bool { return !chosen(a, file) })
	if len(files) > fileCount {
		return nil, fault.Errorf(fault.TooLarge, "%s holds %d files; at most %d are read; split the application", a.folder(), len(files), fileCount)
	}
	var out []manifest
	total := 0
	for _, file := range files {
		data, err := s.Repositories.ReadFile(ctx, a.Repository, commit, file, fileLimit)
		if err != nil {
			return nil, fault.Wrap(err, "read %s", file)
		}
		docs, err := parse(file, data)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if total += treeSize(d.Raw); total > totalLimit {
				return nil, fault.Errorf(fault.TooLarge, "the manifests in %s are larger than %d bytes in all; split the application", a.folder(), totalLimit)
			}
		}
		if out = append(out, docs...); len(out) > objectLimit {
			return nil, fault.Errorf(fault.TooLarge, "%s holds more than %d objects; split the application", a.folder(), objectLimit)
		}
	}
	if len(out) == 0 && !a.Spec.allowEmpty() {
		return nil, fault.Errorf(fault.Invalid, "%s of %s holds no manifest at %s; add one, or allow it with syncPolicy.automated.allowEmpty", a.folder(), a.Repository, short(commit))
	}
	return out, s.checkImages(ctx, a, out)
}

// parse reads the objects of one file within the bounds of an application.
func parse(file string, data []byte) ([]manifest, error) {
	docs, err := document.Parse(file, data, document.Limits{Bytes: fileLimit, Documents: objectLimit, Values: valueLimit, Total: valueLimit, Expanded: fileLimit})
	if err != nil {
		return nil, err
	}
	out := make([]manifest, len(docs))
	for i, d := range docs {
		out[i] = manifest{File: file, Line: d.Origin.Line, Raw: d.Value(), read: d}
	}
	return out, nil
}

// treeSize is about how many bytes a value has as text.
func treeSize(v any) int {
	size := 8
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			size += len(key) + treeSize(value)
		}
	case []any:
		for _, value := range v {
			size += treeSize(value)
		}
	case string:
		size += len(v)
	}
	return size
}

// folder names the application's path for people.
func (a Application) folder() string {
	if a.Path == "" {
		return "the root"
	}
	return a.Path
}

// chosen tells whether a file of the folder is a manifest of the application.
func chosen(a Application, file string) bool {
	rest := strings.TrimPrefix(strings.TrimPrefix(file, a.Path), "/")
	switch path.Ext(rest) {
	case ".yaml", ".yml", ".json":
	default:
		return false
	}
	d := a.Spec.Source.Directory
	if d == nil {
		return !strings.Contains(rest, "/")
	}
	if !d.Recurse && strings.Contains(rest, "/") {
		return false
	}
	return (d.Include == "" || glob(d.Include, rest)) && (d.Exclude == "" || !glob(d.Exclude, rest))
}

// glob is Argo CD's: a pattern, or several as {a,b}; one without a slash is held to the file's name too.
func glob(pattern, name string) bool {
	for _, p := range alternatives(pattern) {
		whole, err := path.Match(p, name)
		base, _ := path.Match(p, path.Base(name))
		if err == nil && (whole || base) {
			return true
		}
	}
	return false
}

func alternatives(pattern string) []string {
	if !strings.HasPrefix(pattern, "{") || !strings.HasSuffix(pattern, "}") {
		return []string{pattern}
	}
	all := strings.Split(pattern[1:len(pattern)-1], ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

func validGlob(pattern string) bool {
	for _, p := range alternatives(pattern) {
		if _, err := path.Match(p, ""); err != nil {
			return false
		}
	}
	return true
}

// objects gives what is applied: the manifests in the destination's namespace, and a version of the stack's outputs,
// the newest for "".
func (s *Service) objects(ctx context.Context, a Application, outputVersion string, list []manifest) ([]cluster.Object, error) {
	namespace := a.namespace()
	if err := ownNamespace(namespace, list); err != nil {
		return nil, err
	}
	outputs, err := s.outputObjects(ctx, a, outputVersion, namespace)
	if err != nil {
		return nil, err
	}
	objects := make([]cluster.Object, 0, len(list)+len(outputs.objects))
	objects = append(objects, outputs.objects...)
	for _, m := range list {
		raw, err := copyTree(m.Raw)
		if err != nil {
			return nil, err
		}
		meta, _ := raw["metadata"].(map[string]any)
		if meta != nil && raw["kind"] != "Namespace" { // always said: what a cluster takes for none is its own matter
			meta["namespace"] = namespace
		}
		outputs.stamp(raw)
		objects = append(objects, m.object(raw))
	}
	return objects, nil
}

func copyTree(raw map[string]any) (map[string]any, error) {
	data, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		return nil, err
	}
	return normal(out).(map[string]any), nil
}

// normal turns numbers into int64 or float64, as Kubernetes' objects have them.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return v
}
