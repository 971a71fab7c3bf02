package stack

import (
	"cmp"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// ToolPulumi is the pool's tool that is pulumi.
const ToolPulumi = "pulumi"

// pulumiTool previews and updates by Pulumi. A preview saves a plan, and an update may do nothing that is not in it: that
// file is what is judged, and what the update is given. Unless the stack names a backend of Pulumi's, its deployment is
// brought into a fresh one in the step's folder, and what is exported of it after the update is the next version that the
// platform keeps.
type pulumiTool struct{}

const pulumiBegin = `set -eu
trap : TERM
if ! command -v pulumi > /dev/null; then
  echo "no pulumi: this pool has none; install pulumi on its machine" >&2
  exit 90
fi
beside="$ROADBED_WORK/engine"
mkdir -p "$beside/backend"
export HOME="${HOME:-$beside}" PULUMI_HOME="${PULUMI_HOME:-$beside/pulumi}" PULUMI_SKIP_UPDATE_CHECK=true PULUMI_EXPERIMENTAL=true
export PULUMI_CONFIG_PASSPHRASE="${PULUMI_CONFIG_PASSPHRASE-}"
p() { command pulumi --non-interactive --color=never "$@"; }
`

const pulumiInit = `
p login "${ROADBED_LOGIN:-file://$beside/backend}"
p stack select --create "$ROADBED_PULUMI_STACK"
if [ -s "$beside/held.json" ]; then p stack import --file="$beside/held.json"; fi
`

const pulumiPreview = `
if [ "$ROADBED_ALL_GOES" = yes ]; then
  p destroy --preview-only --json > "$ROADBED_WORK/plan.bin"
else
  p preview --diff $ROADBED_PLAN_ARGS --save-plan="$ROADBED_WORK/plan.bin"
fi
`

// pulumiUpdate tells of what is there also after a failure: a part of it may have been made.
const pulumiUpdate = `
code=0
if [ "$ROADBED_ALL_GOES" = yes ]; then
  p destroy --yes --skip-preview || code=$?
else
  p up --yes --skip-preview --plan="$ROADBED_WORK/plan.bin" || code=$?
fi
` + pulumiLeave + `
[ "$code" = 0 ] || exit "$code"
`

const pulumiLeave = `
if [ -z "$ROADBED_LOGIN" ]; then
  p stack export --file="$beside/left.json"
  p stack output --json --show-secrets > "$beside/outputs.json"
fi
`

func (pulumiTool) job(r *run.Run, in Input, m made, script string) worker.Job {
	all, args := "", ""
	switch in.Type {
	case Destroy:
		all = "yes"
	case Drift:
		args = "--refresh"
	}
	job := toolJob(r, in, ToolPulumi, script, map[string]string{
		"ROADBED_PULUMI_STACK": in.Vendor.Pulumi.StackName, "ROADBED_LOGIN": in.Vendor.Pulumi.LoginURL, "ROADBED_ALL_GOES": all, "ROADBED_PLAN_ARGS": args,
	})
	if m.held != "" {
		m.file(&job, path.Join(aside, "held.json"), m.held)
	}
	return job
}

// configured sets the stack's variables as Pulumi's configuration.
func (in Input) configured() string {
	var b strings.Builder
	b.WriteString(pulumiInit)
	for _, name := range slices.Sorted(maps.Keys(in.Variables)) {
		b.WriteString("p config set -- " + quoted(name) + " " + quoted(asConfig(in.Variables[name])) + "\n")
	}
	return b.String()
}

// asConfig gives a text as it is, and all else as JSON.
func asConfig(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func (t pulumiTool) planStep(r *run.Run, in Input, m made, n int) run.Step {
	job := t.job(r, in, m, in.Given.laid(parts{begin: pulumiBegin, initialize: in.configured(), do: pulumiPreview}, atBeforePlan, atAfterPlan))
	job.Outputs = append([]worker.Output{{Name: "plan", Path: "/work/plan.bin", Kind: worker.OutputFile, MaxBytes: 256 << 20}},
		in.Given.hookOutputs(atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan)...)
	return run.Step{Key: stepKey("plan", n), Title: "Preview", Group: "plan", Pool: in.Pool, Job: job}
}

func (pulumiTool) showStep(*run.Run, Input, made, int) *run.Step { return nil }

func (t pulumiTool) applyStep(r *run.Run, in Input, m made, n int) run.Step {
	before, after := applyPhases(in)
	job := t.job(r, in, m, in.Given.laid(parts{begin: pulumiBegin, initialize: in.configured(), guard: guard, guarded: guarded, do: pulumiUpdate}, before, after))
	in.give(r, &job, true)
	m.file(&job, "plan.bin", m.plan)
	job.Outputs = append(pulumiLeft(), in.Given.hookOutputs(atBeforeInit, atAfterInit, before, after)...)
	return run.Step{Key: stepKey("apply", n), Title: "Update", Group: "apply", Pool: in.Pool, MaxAttempts: 1, Job: job}
}

func pulumiLeft() []worker.Output {
	return []worker.Output{
		{Name: "left", Path: "/work/engine/left.json", Kind: worker.OutputFile, MaxBytes: StateLimit / 2, Optional: true},
		{Name: "outputs", Path: "/work/engine/outputs.json", Kind: worker.OutputFile, MaxBytes: 4 << 20, Optional: true},
	}
}

// taskStep keeps what a task has made of the state, such as pulumi state delete.
func (t pulumiTool) taskStep(r *run.Run, in Input, m made, n int) run.Step {
	job := t.job(r, in, m, in.Given.laid(parts{begin: pulumiBegin, initialize: in.configured(), do: "code=0\n(" + performTask + ") || code=$?\n" + pulumiLeave + "[ \"$code\" = 0 ] || exit \"$code\"\n"}, atBeforePerform, atAfterPerform))
	job.Outputs = pulumiLeft()
	return toolTask(r, in, job, n)
}

// pulumiPlan is a plan that is saved, or, where everything goes, the preview of that.
type pulumiPlan struct {
	ResourcePlans map[string]struct {
		Goal *struct {
			Type      string `json:"type"`
			Name      string `json:"name"`
			InputDiff struct {
				Adds    map[string]any `json:"adds"`
				Deletes []string       `json:"deletes"`
				Updates map[string]any `json:"updates"`
			} `json:"inputDiff"`
		} `json:"goal"`
		Steps []string `json:"steps"`
	} `json:"resourcePlans"`
	Steps []struct {
		Op  string `json:"op"`
		URN string `json:"urn"`
	} `json:"steps"`
}

// read shows the resources of a plan. What is before is not in it; what is in it is what changes.
func (pulumiTool) read(_ Input, told []byte) (*reading, error) {
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
	if p.ResourcePlans == nil && p.Steps == nil {
		return nil, fault.Errorf(fault.Invalid, "the plan of Pulumi has neither resources nor steps")
	}
	out := reading{plan: planFile{Vendor: vendorPulumi}}
	steps := []any{}
	add := func(urn string, ops []string, after map[string]any) {
		kind, name := urnParts(urn)
		c := planChange{Address: cut(kind+"."+name, 2000), Mode: "managed", Type: kind, Name: name, ProviderName: before(kind, ":"), Change: planDetail{Actions: pulumiActions(ops)}}
		if after != nil {
			c.Change.After, c.Change.AfterSensitive = after, secretMarks(after, 0)
		}
		out.plan.ResourceChanges = append(out.plan.ResourceChanges, c)
		for _, op := range ops {
			steps = append(steps, map[string]any{"op": op, "urn": urn, "type": kind})
		}
	}
	for _, urn := range slices.Sorted(maps.Keys(p.ResourcePlans)) {
		one, after := p.ResourcePlans[urn], map[string]any{}
		if one.Goal != nil {
			maps.Copy(after, one.Goal.InputDiff.Adds)
			maps.Copy(after, one.Goal.InputDiff.Updates)
			for _, name := range one.Goal.InputDiff.Deletes {
				after[name] = nil
			}
		}
		add(urn, one.Steps, after)
	}
	for _, s := range p.Steps {
		add(s.URN, []string{s.Op}, nil)
	}
	about, err := json.Marshal(map[string]any{"steps": steps})
	out.plan.About = about
	return &out, err
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

// urnParts gives the type and the name in urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME.
func urnParts(urn string) (kind, name string) {
	parts := strings.SplitN(urn, "::", 4)
	if len(parts) < 4 {
		return "unknown", urn
	}
	kind = parts[2]
	if at := strings.LastIndex(kind, "$"); at >= 0 {
		kind = kind[at+1:]
	}
	return cmp.Or(kind, "unknown"), cmp.Or(parts[3], urn)
}

// markField is where Pulumi says what an object stands for, and markHidden what it says of one for a value that is hidden.
const (
	markField  = "4dabf18193072939515e22adb298388d"
	markHidden = "1b47061264138c4ac30d75fd1eb44270"
)

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
				Type    string         `json:"type"`
				ID      string         `json:"id"`
				Custom  bool           `json:"custom"`
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
		kind, name := urnParts(res.URN)
		if res.Type == "pulumi:pulumi:Stack" {
			for output, value := range res.Outputs {
				if raw, ok := values[output]; ok && outputName.MatchString(output) {
					out.Outputs[output] = Value{Value: raw, Sensitive: hasSecret(value, 0)}
				}
			}
			continue
		}
		if !res.Custom || strings.HasPrefix(kind, "pulumi:providers:") {
			continue
		}
		out.Resources = append(out.Resources, keptResource{
			Mode: "managed", Type: kind, Name: name, Provider: before(kind, ":"), Instances: []keptInstance{{map[string]any{"id": res.ID, "urn": res.URN}}},
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
