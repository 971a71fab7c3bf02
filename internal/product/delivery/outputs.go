package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// stackOutputs are a stack's outputs as objects of a cluster.
type stackOutputs struct {
	name    string // of the ConfigMap and the Secret
	sum     string // changes when an output does
	objects []cluster.Object
}

// OutputsSuffix follows the stack's name in the name of the ConfigMap and the Secret that hold its outputs.
const OutputsSuffix = "-outputs"

func (s *Service) outputObjects(ctx context.Context, a Application, version, namespace string) (stackOutputs, error) {
	if a.Stack.IsZero() {
		return stackOutputs{}, nil
	}
	outputs, version, err := s.Stacks.Outputs(ctx, a.Stack, version)
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
