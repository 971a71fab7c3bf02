package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// ToolPulumi is the pool's tool that is pulumi.
const ToolPulumi = "pulumi"

// pulumiTool previews and updates by Pulumi. A preview saves a plan, and an update may do nothing that is not in it: that
// file is what is judged, and what the update is given. Unless the stack names a backend of Pulumi's, its deployment is
// brought into a fresh one in the step's folder, and what is exported of it after the update is the next version that the
// platform keeps. What is there is looked at first, as engines do, so that drift is seen and mended.
type pulumiTool struct{}

// pulumiFails ends a step with the first error of a program that was heard, and of what that is.
const pulumiFails = `
pulumi_fails() { # CODE
  why=$(LC_ALL=C awk '` + clipping + `
    /^  [^ ].*\):$/ { at = substr($0, 3) " " }
    /^ *error: / {
      inner = /^ /
      sub(/^ *error: /, "")
      if ($0 ~ /^(preview|update|destroy) failed$/) next
      print clipped((inner ? at : "") $0, 2000)
      exit
    }
  ' "$beside/said") || why=
  [ -z "$why" ] || roadbed_fail "$1" "$why"
  exit "$1"
}
pulumi_told_fails() { # CODE FILE: where it has told what it does as JSON
  cat "$2" >&2
  sed -n 's/^ *"message": "\(error: .*\)",\{0,1\}$/\1/p' "$2" | sed -e 's/\\n.*//' -e 's/\\"/"/g' > "$beside/said"
  pulumi_fails "$1"
}
`

// pulumiBegin names the backend by its variable, which goes before the one that a repository's Pulumi.yaml may name.
var pulumiBegin = `set -eu
trap : TERM
` + failing + hearing + pulumiFails + `
command -v pulumi > /dev/null || roadbed_fail 90 "no pulumi: this pool has none; install pulumi on its machine"
beside="$ROADBED_WORK/engine"
mkdir -p "$beside/backend"
export HOME="${HOME:-$beside}" PULUMI_HOME="${PULUMI_HOME:-$beside/pulumi}" PULUMI_SKIP_UPDATE_CHECK=true
export PULUMI_BACKEND_URL="${ROADBED_LOGIN:-file://$beside/backend}" PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER=true
readonly PULUMI_BACKEND_URL
[ -n "${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ] || export PULUMI_CONFIG_PASSPHRASE="${PULUMI_CONFIG_PASSPHRASE-}"
is=$(command pulumi version | sed 's/^v//')
` + wantVersion("pulumi") + `
p() { command pulumi --non-interactive --color=never "$@"; }
`

// pulumiInit has each step encrypt by one salt. Where the repository has none, Pulumi makes one as it makes the stack, and
// writes it beside the configuration of that: a plan is read only with the salt by which it was written.
const pulumiInit = `
: > "$beside/begun"
p stack select --create "$ROADBED_PULUMI_STACK"
salted=$(find "$ROADBED_WORK/source" -name 'Pulumi.*' -type f -newer "$beside/begun" | head -n 1)
if [ -n "$salted" ] && [ -s "$beside/salted" ]; then
  cat "$beside/salted" > "$salted"
elif [ -n "$salted" ]; then
  cat "$salted" > "$beside/salted"
fi
if [ -s "$beside/held.json" ]; then p stack import --file="$beside/held.json"; fi
`

// pulumiPreview shows what a preview in JSON says where that fails: nothing else tells why.
const pulumiPreview = `
if [ "$ROADBED_ALL_GOES" = yes ]; then
  p destroy --preview-only --refresh --json > "$ROADBED_WORK/plan.bin" || pulumi_told_fails "$?" "$ROADBED_WORK/plan.bin"
else
  heard p preview --diff --refresh --save-plan="$ROADBED_WORK/plan.bin" || pulumi_fails "$?"
fi
`

// pulumiUpdate has Pulumi preview once more, by the plan, so that one that can't be kept to is refused before anything is
// done. A destruction has no plan: what it would take is compared with what was previewed, since others may have added to a
// backend of Pulumi's. It tells of what is there also after a failure: a part of it may have been made.
const pulumiUpdate = `
code=0
if [ "$ROADBED_ALL_GOES" = yes ]; then
  p destroy --preview-only --json > "$beside/now.json" || pulumi_told_fails 1 "$beside/now.json"
  urns() { grep -o '"urn": *"[^"]*"' "$1" | sort -u; }
  urns "$ROADBED_WORK/plan.bin" > "$beside/reviewed"
  urns "$beside/now.json" > "$beside/now"
  if comm -13 "$beside/reviewed" "$beside/now" | grep . >&2; then
    roadbed_fail 94 "this would be destroyed, too, and was not reviewed; start a new run"
  fi
  ` + pulumiBegun + `
  heard p destroy --yes --skip-preview --refresh || code=$?
else
  ` + pulumiBegun + `
  heard p up --yes --refresh --plan="$ROADBED_WORK/plan.bin" || code=$?
fi
` + pulumiLeave + `
[ "$code" = 0 ] || pulumi_fails "$code"
[ "$left" = 0 ] || exit "$left"
`

// pulumiBegun tells of what may be there until what is exported of it is taken, where nobody else keeps the state.
const pulumiBegun = `[ -n "$ROADBED_LOGIN" ] || echo "Pulumi has begun, and what it left could not be exported" > "$ROADBED_WORK/lost"`

// pulumiExport is the artifact that is a deployment as it was exported.
const pulumiExport = "left"

const pulumiLeave = `
left=0
if [ -z "$ROADBED_LOGIN" ]; then
  p stack export --file="$beside/left.json" || left=$?
  p stack output --json --show-secrets > "$beside/outputs.json" || left=$?
fi
`

func (pulumiTool) job(r *run.Run, in Input, m made, script string) worker.Job {
	all, v := "", in.Vendor.Pulumi
	if in.Type == Destroy {
		all = "yes"
	}
	job := toolJob(r, in, ToolPulumi, script, map[string]string{
		"ROADBED_TOOL_VERSION": in.toolVersion(), "ROADBED_TOOL_PLANNED": in.planned, "ROADBED_PULUMI_STACK": v.stack(), "ROADBED_LOGIN": v.LoginURL, "ROADBED_ALL_GOES": all,
	})
	if m.held != "" {
		m.file(&job, path.Join(aside, "held.json"), m.held)
	}
	return job
}

// stack gives the name of the stack in its backend. One of files has a single organization, of this name.
func (p *Pulumi) stack() string {
	parts := strings.Split(p.StackName, "/")
	switch {
	case p.LoginURL != "" || len(parts) == 1:
		return p.StackName
	case len(parts) == 2:
		return parts[1]
	}
	return "organization/" + parts[1] + "/" + parts[2]
}

// configured sets the stack's variables as Pulumi's configuration. What the repository has under their names goes before: a
// value that is set by its parts would be merged into that.
func (in Input) configured() string {
	if len(in.Variables) == 0 {
		return pulumiInit
	}
	var b strings.Builder
	names := slices.Sorted(maps.Keys(in.Variables))
	b.WriteString(pulumiInit + "p config rm-all " + strings.Join(names, " ") + "\np config set-all --path")
	for _, name := range names {
		for _, one := range asConfig(name, in.Variables[name]) {
			b.WriteString(" --plaintext " + quoted(one))
		}
	}
	return b.String() + "\n"
}

// asConfig gives what sets a variable. A list or an object is set by the paths of its parts, so that it has the type that a
// project may ask for; one that has a part which would be read as another that way is a text of JSON, which programs read too.
func asConfig(name string, v any) []string {
	if text, ok := v.(string); ok {
		return []string{name + "=" + text}
	}
	whole, err := json.Marshal(v)
	if err != nil { // it was read from a document
		return nil
	}
	if parts, ok := byPath(name, v, 0); ok {
		return parts
	}
	return []string{name + "=" + string(whole)}
}

func byPath(at string, v any, depth int) (all []string, ok bool) {
	if depth > maxDepth {
		return nil, false
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts, ok := byPath(at+`["`+strings.ReplaceAll(name, `"`, `\"`)+`"]`, v[name], depth+1)
			if !ok || strings.ContainsAny(name, `\=`) || name == "" {
				return nil, false
			}
			all = append(all, parts...)
		}
		return all, len(all) > 0
	case []any:
		for i, one := range v {
			parts, ok := byPath(fmt.Sprintf("%s[%d]", at, i), one, depth+1)
			if !ok {
				return nil, false
			}
			all = append(all, parts...)
		}
		return all, len(all) > 0
	case string: // what begins with a zero is none of Pulumi's numbers
		_, err := strconv.Atoi(v)
		return []string{at + "=" + v}, v != "true" && v != "false" && (err != nil || len(v) > 1 && v[0] == '0')
	case bool:
		return []string{at + "=" + strconv.FormatBool(v)}, true
	}
	number, err := json.Marshal(v)
	if err == nil {
		_, err = strconv.Atoi(string(number))
	}
	return []string{at + "=" + string(number)}, err == nil
}

func (t pulumiTool) planStep(r *run.Run, in Input, m made, n int) run.Step {
	job := t.job(r, in, m, in.Given.laid(parts{begin: pulumiBegin, initialize: in.configured(), do: pulumiPreview}, atBeforePlan, atAfterPlan))
	job.Outputs = append([]worker.Output{
		toolSaid,
		{Name: "plan", Path: "/work/plan.bin", Kind: worker.OutputFile, MaxBytes: 256 << 20},
		{Name: outputLock, Path: "/work/engine/salted", Kind: worker.OutputFile, MaxBytes: 16 << 20, Optional: true},
	},
		in.Given.toolOutputs(atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan)...)
	return run.Step{Key: stepKey("plan", n), Title: "Preview", Group: "plan", Pool: in.Pool, Job: job}
}

func (pulumiTool) showStep(*run.Run, Input, made, int) *run.Step { return nil }

func (t pulumiTool) applyStep(r *run.Run, in Input, m made, n int) run.Step {
	before, after := applyPhases(in)
	job := t.job(r, in, m, in.Given.laid(parts{begin: pulumiBegin, initialize: in.configured(), guard: guard, guarded: guarded, do: pulumiUpdate}, before, after))
	in.give(r, &job, true)
	m.file(&job, "plan.bin", m.plan)
	if m.lock != "" {
		m.file(&job, path.Join(aside, "salted"), m.lock)
	}
	job.Outputs = append(pulumiLeft(), in.Given.toolOutputs(atBeforeInit, atAfterInit, before, after)...)
	return run.Step{Key: stepKey("apply", n), Title: "Update", Group: "apply", Pool: in.Pool, MaxAttempts: 1, Job: job}
}

func pulumiLeft() []worker.Output {
	return []worker.Output{
		{Name: pulumiExport, Path: "/work/engine/left.json", Kind: worker.OutputFile, MaxBytes: StateLimit / 2, Optional: true}, lostSaid,
		{Name: "outputs", Path: "/work/engine/outputs.json", Kind: worker.OutputFile, MaxBytes: 4 << 20, Optional: true},
	}
}

// taskStep keeps what a task has made of the state, such as pulumi state delete.
func (t pulumiTool) taskStep(r *run.Run, in Input, m made, n int) run.Step {
	// In a condition, as before ||, a shell would go on after a command that fails.
	do := pulumiBegun + "\nset +e\n(\nset -e\n" + performTask + "\n)\ncode=$?\nset -e\n" + pulumiLeave + "[ \"$code\" = 0 ] || exit \"$code\"\n[ \"$left\" = 0 ] || exit \"$left\"\n"
	job := t.job(r, in, m, in.Given.laid(parts{begin: pulumiBegin, initialize: in.configured(), do: do}, atBeforePerform, atAfterPerform))
	job.Outputs = pulumiLeft()
	return toolTask(r, in, job, n)
}
