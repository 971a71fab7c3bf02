package cluster

import "maps"

// Hidden stands for the value of a secret wherever an object is shown.
const Hidden = "(hidden)"

// Redact gives the object as it may be shown: of a Secret, the names of its values only.
func Redact(o Object) Object {
	shown, _ := redactPair(o, Object{})
	return shown
}

// IsSecret tells whether the object's values must not be shown.
func (o Object) IsSecret() bool {
	gvk := o.GVK()
	return gvk.Group == "" && gvk.Kind == "Secret"
}

// redactPair hides the values of two versions of an object so that a diff of them still shows which values differ.
func redactPair(before, after Object) (Object, Object) {
	if !before.IsSecret() && !after.IsSecret() {
		return before, after
	}
	for _, field := range []string{"data", "stringData"} {
		was, now := values(before, field), values(after, field)
		before, after = hide(before, field, was, nil), hide(after, field, now, was)
	}
	return before, after
}

func values(o Object, field string) map[string]any {
	v, _ := o.Field(field)
	m, _ := v.(map[string]any)
	return m
}

func hide(o Object, field string, now, was map[string]any) Object {
	if _, ok := o.Field(field); !ok {
		return o
	}
	hidden := make(map[string]any, len(now))
	for name, value := range now {
		hidden[name] = Hidden
		if old, ok := was[name]; ok && old != value {
			hidden[name] = Hidden + " changed"
		}
	}
	o.Raw = maps.Clone(o.Raw)
	o.Raw[field] = hidden
	// A copy of the manifest that kubectl keeps would show the values after all.
	if meta, ok := o.Raw["metadata"].(map[string]any); ok {
		if notes, ok := meta["annotations"].(map[string]any); ok && notes[lastApplied] != nil {
			notes, meta = maps.Clone(notes), maps.Clone(meta)
			notes[lastApplied] = Hidden
			meta["annotations"], o.Raw["metadata"] = notes, meta
		}
	}
	return o
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
