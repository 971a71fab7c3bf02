package stack

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pulumiPlan is a plan that is saved, or, where everything goes, the preview of that.
type pulumiPlan struct {
	ResourcePlans map[string]pulumiResource `json:"resourcePlans"`
	Steps         []struct {
		Op  string `json:"op"`
		URN string `json:"urn"`
	} `json:"steps"`
}

type pulumiResource struct {
	Goal *struct {
		InputDiff  pulumiDiff `json:"inputDiff"`
		OutputDiff pulumiDiff `json:"outputDiff"` // of what tells its outputs by itself, as the stack
	} `json:"goal"`
	Steps []string `json:"steps"`
}

type pulumiDiff struct {
	Adds    map[string]any `json:"adds"`
	Deletes []string       `json:"deletes"`
	Updates map[string]any `json:"updates"`
}

// after gives what is there after a change of properties, as far as the plan tells.
func (d pulumiDiff) after() map[string]any {
	after := map[string]any{}
	maps.Copy(after, d.Adds)
	maps.Copy(after, d.Updates)
	for _, name := range d.Deletes {
		after[name] = nil
	}
	return after
}

// outputs gives the changes of a stack's outputs.
func (d pulumiDiff) outputs() map[string]planDetail {
	all := map[string]planDetail{}
	add := func(name, action string, after any) {
		value, unknown := known(after, 0)
		all[name] = planDetail{Actions: []string{action}, After: value, AfterUnknown: unknown, AfterSensitive: secretMarks(after, 0)}
	}
	for name, v := range d.Adds {
		add(name, "create", v)
	}
	for name, v := range d.Updates {
		add(name, "update", v)
	}
	for _, name := range d.Deletes {
		add(name, "delete", nil)
	}
	return all
}

// read shows the resources of a plan. What is before is not in it; what is in it is what changes.
func (pulumiTool) read(in Input, told []byte) (*reading, error) {
	var p pulumiPlan
	var versioned struct {
		Plan *pulumiPlan `json:"plan"`
	}
	err := json.Unmarshal(told, &p)
	if err == nil {
		err = json.Unmarshal(told, &versioned)
	}
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the plan of Pulumi can't be read: %w", err)
	}
	if versioned.Plan != nil {
		return nil, fault.Errorf(fault.Invalid, "the plan of Pulumi is of a form that an update doesn't read")
	}
	if p.ResourcePlans == nil && p.Steps == nil && in.Type != Destroy { // of which there may be nothing to preview
		return nil, fault.Errorf(fault.Invalid, "the plan of Pulumi has neither resources nor steps")
	}
	if p.ResourcePlans == nil {
		p.ResourcePlans = map[string]pulumiResource{}
	}
	for _, s := range p.Steps { // one that is looked at and then goes has two
		one := p.ResourcePlans[s.URN]
		one.Steps = append(one.Steps, s.Op)
		p.ResourcePlans[s.URN] = one
	}
	out := reading{plan: planFile{Vendor: vendorPulumi}}
	steps := []any{}
	for _, urn := range p.shown() {
		one := p.ResourcePlans[urn]
		where, kind, name := urnParts(urn)
		c := planChange{
			Address: cut(strings.TrimPrefix(where+"."+kind+"."+name, "."), 2000), ModuleAddress: where, Mode: "managed", Type: kind, Name: name,
			ProviderName: before(kind, ":"), Change: planDetail{Actions: pulumiActions(one.Steps)},
		}
		if one.Goal != nil {
			after := one.Goal.InputDiff.after()
			value, unknown := known(after, 0)
			c.Change.After, c.Change.AfterUnknown, c.Change.AfterSensitive = value, unknown, secretMarks(after, 0)
			if kind == pulumiStackType {
				out.plan.OutputChanges = one.Goal.OutputDiff.outputs()
			}
		}
		out.plan.ResourceChanges = append(out.plan.ResourceChanges, c)
		for _, op := range one.Steps {
			steps = append(steps, map[string]any{"op": op, "urn": urn, "type": kind})
		}
	}
	about, err := json.Marshal(map[string]any{"steps": steps})
	out.plan.About = about
	return &out, err
}

// ownProvider is what Pulumi calls the providers that it makes by itself.
var ownProvider = regexp.MustCompile(`^default(_[0-9]+_[0-9]+_[0-9]+.*)?$`)

// shown gives the resources of a plan, in order. The providers that Pulumi makes by itself come and go with the resources
// that are theirs, and it tells nothing of them: they are there only where nothing else changes.
func (p pulumiPlan) shown() []string {
	all := slices.Sorted(maps.Keys(p.ResourcePlans))
	rest := slices.DeleteFunc(slices.Clone(all), func(urn string) bool {
		_, kind, name := urnParts(urn)
		return strings.HasPrefix(kind, pulumiProviders) && ownProvider.MatchString(name)
	})
	if slices.ContainsFunc(rest, func(urn string) bool { return pulumiActions(p.ResourcePlans[urn].Steps)[0] != "no-op" }) {
		return rest
	}
	return all
}

// pulumiActions gives what steps do as engines say it.
func pulumiActions(ops []string) []string {
	does := func(names ...string) bool {
		return slices.ContainsFunc(ops, func(op string) bool { return slices.Contains(names, op) })
	}
	switch {
	case does("replace", "create-replacement", "delete-replaced", "import-replacement"):
		return []string{"delete", "create"}
	case does("create", "import"):
		return []string{"create"}
	case does("update"):
		return []string{"update"}
	case does("delete", "discard"):
		return []string{"delete"}
	case does("read", "refresh"):
		return []string{"read"}
	}
	return []string{"no-op"}
}

// Types of Pulumi's own.
const (
	pulumiStackType = "pulumi:pulumi:Stack"
	pulumiProviders = "pulumi:providers:"
)

// urnParts gives the parts of urn:pulumi:STACK::PROJECT::WHERE$TYPE::NAME, where WHERE are the types of those that it is in.
func urnParts(urn string) (where, kind, name string) {
	parts := strings.SplitN(urn, "::", 4)
	if len(parts) < 4 {
		return "", "unknown", urn
	}
	kind = parts[2]
	if at := strings.LastIndex(kind, "$"); at >= 0 {
		where, kind = kind[:at], kind[at+1:]
	}
	return cut(where, 1000), cmp.Or(kind, "unknown"), cmp.Or(parts[3], urn)
}

// markField is where Pulumi says what an object stands for, and markHidden what it says of one for a value that is hidden.
// markUnknown stands for a value that nobody knows yet.
const (
	markField   = "4dabf18193072939515e22adb298388d"
	markHidden  = "1b47061264138c4ac30d75fd1eb44270"
	markUnknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
)

// known gives a value without what nobody knows yet, and of that where it is. Programs keep things of their own under names
// that begin with two underlines.
func known(v any, depth int) (value, unknown any) {
	switch v := v.(type) {
	case string:
		if v == markUnknown {
			return nil, true
		}
	case map[string]any:
		if v[markField] == markHidden || depth > maxDepth { // it is taken out later
			return v, false
		}
		all, marks := map[string]any{}, map[string]any{}
		for name, one := range v {
			if strings.HasPrefix(name, "__") {
				continue
			}
			is, mark := known(one, depth+1)
			if mark != true {
				all[name] = is
			}
			if mark != false {
				marks[name] = mark
			}
		}
		return all, orFalse(marks, len(marks))
	case []any:
		if depth > maxDepth {
			return v, false
		}
		all, marks, n := make([]any, len(v)), make([]any, len(v)), 0
		for i, one := range v {
			if all[i], marks[i] = known(one, depth+1); marks[i] != false {
				n++
			}
		}
		return all, orFalse(marks, n)
	}
	return v, false
}

func orFalse(marks any, n int) any {
	if n == 0 {
		return false
	}
	return marks
}

func secretMarks(v any, depth int) any {
	if depth > maxDepth {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		if v[markField] == markHidden {
			return true
		}
		marks := map[string]any{}
		for name, one := range v {
			marks[name] = secretMarks(one, depth+1)
		}
		return marks
	case []any:
		marks := make([]any, len(v))
		for i, one := range v {
			marks[i] = secretMarks(one, depth+1)
		}
		return marks
	}
	return false
}

func (pulumiTool) keeper(in Input) keeper {
	if in.Vendor.Pulumi.LoginURL != "" {
		return nil
	}
	return pulumiKeeper{}
}

// pulumiKeeper keeps the deployment as Pulumi exports it, with its resources and outputs as engines have them.
type pulumiKeeper struct{}

func (pulumiKeeper) held(_ stateFile, raw []byte) ([]byte, error) {
	if raw == nil {
		return nil, nil
	}
	var kept keptState
	err := json.Unmarshal(raw, &kept)
	return kept.Held, err
}

func (pulumiKeeper) state(_ Input, _ stateFile, a applied) (*keptState, error) {
	if a.left == nil {
		return nil, nil
	}
	var left struct {
		Deployment struct {
			Resources []struct {
				URN     string         `json:"urn"`
				ID      string         `json:"id"`
				Custom  bool           `json:"custom"`
				Delete  bool           `json:"delete"` // one in whose place another is, and that has yet to go
				Outputs map[string]any `json:"outputs"`
			} `json:"resources"`
		} `json:"deployment"`
	}
	if err := json.Unmarshal(a.left, &left); err != nil {
		return nil, fault.Errorf(fault.Invalid, "what Pulumi has exported can't be read: %w", err)
	}
	out := keptState{Held: a.left, Outputs: map[string]Value{}}
	var values map[string]json.RawMessage
	if a.outputs != nil {
		if err := json.Unmarshal(a.outputs, &values); err != nil {
			return nil, fault.Errorf(fault.Invalid, "the outputs of Pulumi can't be read: %w", err)
		}
	}
	for _, res := range left.Deployment.Resources {
		where, kind, name := urnParts(res.URN)
		if kind == pulumiStackType {
			for output, value := range res.Outputs {
				if raw, ok := values[output]; ok && outputName.MatchString(output) {
					out.Outputs[output] = Value{Value: raw, Sensitive: hasSecret(value, 0)}
				}
			}
			continue
		}
		if !res.Custom || strings.HasPrefix(kind, pulumiProviders) {
			continue
		}
		one := keptInstance{Attributes: map[string]any{"id": res.ID, "urn": res.URN}}
		if res.Delete {
			one.Deposed = res.ID
		}
		out.Resources = append(out.Resources, keptResource{
			Module: where, Mode: "managed", Type: kind, Name: name, Provider: before(kind, ":"), Instances: []keptInstance{one},
		})
	}
	return &out, nil
}

func hasSecret(v any, depth int) bool {
	if depth > maxDepth {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		if v[markField] == markHidden {
			return true
		}
		for _, one := range v {
			if hasSecret(one, depth+1) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return hasSecret(one, depth+1) })
	}
	return false
}
