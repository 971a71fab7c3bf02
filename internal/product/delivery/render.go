package delivery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of what an application may be.
const (
	fileLimit   = 2 << 20  // bytes of one manifest file
	totalLimit  = 32 << 20 // bytes of all manifests
	objectLimit = 2000
)

// manifest is how rendered objects are kept, with the place each came from.
type manifest struct {
	File string         `json:"file"`
	Line int            `json:"line"`
	Raw  map[string]any `json:"raw"`
}

// render reads the manifests of a commit. Errors point at file and line.
func (s *Service) render(ctx context.Context, a Application, commit string) ([]manifest, error) {
	files, err := s.Repositories.Files(ctx, a.Repository, commit, a.Path)
	if err != nil {
		return nil, fault.Wrap(err, "list %s of %s at %s", a.Path, a.Repository, short(commit))
	}
	var out []manifest
	total := 0
	for _, file := range files {
		if !chosen(a, file) {
			continue
		}
		data, err := s.Repositories.ReadFile(ctx, a.Repository, commit, file, fileLimit)
		if err != nil {
			return nil, fault.Wrap(err, "read %s", file)
		}
		if total += len(data); total > totalLimit {
			return nil, fault.Errorf(fault.TooLarge, "the manifests in %s are larger than %d bytes in all; split the application", a.Path, totalLimit)
		}
		docs, err := document.Parse(file, data, document.Limits{})
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			out = append(out, manifest{File: file, Line: d.Origin.Line, Raw: d.Value()})
		}
	}
	if len(out) > objectLimit {
		return nil, fault.Errorf(fault.TooLarge, "%s holds %d objects; at most %d are deployed at once; split the application", a.Path, len(out), objectLimit)
	}
	if len(out) == 0 && (a.Spec.SyncPolicy.Automated == nil || !a.Spec.SyncPolicy.Automated.AllowEmpty) {
		return nil, fault.Errorf(fault.Invalid, "%s of %s holds no manifest at %s; add one, or allow it with syncPolicy.automated.allowEmpty", a.Path, a.Repository, short(commit))
	}
	return out, s.checkImages(ctx, a, out)
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
	if strings.HasPrefix(pattern, "{") && strings.HasSuffix(pattern, "}") {
		for _, p := range strings.Split(pattern[1:len(pattern)-1], ",") {
			if glob(strings.TrimSpace(p), name) {
				return true
			}
		}
		return false
	}
	whole, err := path.Match(pattern, name)
	base, _ := path.Match(pattern, path.Base(name))
	return err == nil && (whole || base)
}

// RegistryHost is how manifests name the embedded registry.
const RegistryHost = "registry.local"

var localImage = regexp.MustCompile(`^registry\.local/([a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*)([:@].*)?$`)

// checkImages holds images of the embedded registry to repositories of the application's space and those below it.
func (s *Service) checkImages(ctx context.Context, a Application, list []manifest) error {
	var wrong []fault.Detail
	for _, m := range list {
		for _, image := range images(m.Raw) {
			parts := localImage.FindStringSubmatch(image)
			if parts == nil {
				continue
			}
			ok, err := s.mayUse(ctx, a, parts[1])
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			if !ok {
				wrong = append(wrong, fault.Detail{File: m.File, Line: m.Line, Field: "image",
					Message: fmt.Sprintf("%s belongs to no repository that space %s may use", image, a.Space), Hint: "name an image of this repository"})
			}
		}
	}
	if len(wrong) > 0 {
		return fault.At("the manifests name images that this application may not run", wrong...)
	}
	return nil
}

func (s *Service) mayUse(ctx context.Context, a Application, repository string) (bool, error) {
	space, err := s.Repositories.SpaceOf(ctx, repository)
	if err != nil {
		return false, err
	}
	return s.Access.Within(ctx, space, a.Space)
}

// images lists the images of an object's containers, wherever they stand.
func images(raw any) []string {
	var out []string
	switch v := raw.(type) {
	case map[string]any:
		for key, value := range v {
			if key != "containers" && key != "initContainers" {
				out = append(out, images(value)...)
				continue
			}
			list, _ := value.([]any)
			for _, c := range list {
				if m, ok := c.(map[string]any); ok {
					if image, ok := m["image"].(string); ok {
						out = append(out, image)
					}
				}
			}
		}
	case []any:
		for _, value := range v {
			out = append(out, images(value)...)
		}
	}
	slices.Sort(out)
	return out
}

// objects gives what is applied: the manifests in the destination's namespace, and the stack's outputs.
func (s *Service) objects(ctx context.Context, a Application, list []manifest) ([]cluster.Object, error) {
	namespace := a.Spec.Destination.Namespace
	if namespace == "" {
		namespace = "default"
	}
	outputs, err := s.outputObjects(ctx, a, namespace)
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
		if meta != nil && meta["namespace"] == nil && raw["kind"] != "Namespace" {
			meta["namespace"] = namespace
		}
		outputs.stamp(raw)
		objects = append(objects, cluster.Object{Raw: raw, File: m.File, Line: m.Line})
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

// stackOutputs are a stack's outputs as objects of a cluster.
type stackOutputs struct {
	name    string // of the ConfigMap and the Secret
	sum     string // changes when an output does
	objects []cluster.Object
}

// OutputsSuffix follows the stack's name in the name of the ConfigMap and the Secret that hold its outputs.
const OutputsSuffix = "-outputs"

func (s *Service) outputObjects(ctx context.Context, a Application, namespace string) (stackOutputs, error) {
	if a.Stack.IsZero() {
		return stackOutputs{}, nil
	}
	outputs, version, err := s.Stacks.Outputs(ctx, a.Stack)
	if err != nil {
		return stackOutputs{}, fault.Wrap(err, "read the outputs of %s", a.Stack)
	}
	if version == "" {
		return stackOutputs{}, fault.Errorf(fault.Conflict, "%s has not been applied yet", a.Stack)
	}
	open, secret := map[string]any{}, map[string]any{}
	names := make([]string, 0, len(outputs))
	for name := range outputs {
		names = append(names, name)
	}
	sort.Strings(names)
	sum := sha256.New()
	for _, name := range names {
		o := outputs[name]
		key, text := envName(name), plain(o.Value)
		if o.Sensitive { // its value stays out of the sum, which anyone may read
			secret[key] = base64.StdEncoding.EncodeToString([]byte(text))
			text = version
		} else {
			open[key] = text
		}
		fmt.Fprintf(sum, "%q=%q\n", key, text)
	}
	out := stackOutputs{name: a.Stack.Name + OutputsSuffix, sum: hex.EncodeToString(sum.Sum(nil))[:16]}
	meta := func() map[string]any {
		return map[string]any{"name": out.name, "namespace": namespace, "labels": map[string]any{"roadbed.dev/stack": a.Stack.Name}}
	}
	out.objects = append(out.objects, cluster.Object{Raw: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(), "data": open}, File: a.Stack.String()})
	if len(secret) > 0 {
		out.objects = append(out.objects, cluster.Object{Raw: map[string]any{"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": meta(), "data": secret}, File: a.Stack.String()})
	}
	return out, nil
}

var notEnv = regexp.MustCompile(`[^A-Z0-9_]`)

// envName makes an output's name fit for an environment: database_url becomes DATABASE_URL.
func envName(output string) string { return notEnv.ReplaceAllString(strings.ToUpper(output), "_") }

// plain gives text outputs as they are and anything else as JSON.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// stamp marks a pod template that reads the outputs, so that it is replaced when they change.
func (o stackOutputs) stamp(raw map[string]any) {
	if o.name == "" || raw["kind"] != "Deployment" {
		return
	}
	template, ok := cluster.Object{Raw: raw}.Field("spec", "template")
	pod, isMap := template.(map[string]any)
	if !ok || !isMap || !mentions(pod, o.name) {
		return
	}
	meta, _ := pod["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		pod["metadata"] = meta
	}
	annotations, _ := meta["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
		meta["annotations"] = annotations
	}
	annotations["roadbed.dev/outputs"] = o.sum
}

func mentions(v any, name string) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			if mentions(value, name) {
				return true
			}
		}
	case []any:
		for _, value := range v {
			if mentions(value, name) {
				return true
			}
		}
	case string:
		return v == name
	}
	return false
}
