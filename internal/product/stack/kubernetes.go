package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// ToolKubectl is the pool's tool that is kubectl.
const ToolKubectl = "kubectl"

// kubernetesTool applies manifests by kubectl, from the server's side. A plan is the manifests as the repository has them, or
// as its kustomization makes them, each with a label that says whose it is. In a fresh folder the server is asked what it
// would make of exactly these, beside what is there. What the stack has applied before, and has no manifest any more, is
// deleted: that is known from the state, in which the platform keeps it, and not by a search for the label. So a plan tells
// each object that goes, an apply deletes these alone, and neither needs the right to list what others have. What has lost
// the label since, because somebody else has it now, stays. Fields that the manifests name are the stack's, so that who changed
// them by hand is overruled, and the plan shows it; fields that they leave out are others'.
type kubernetesTool struct{}

// labelOfStack is on all that a stack applies.
const labelOfStack = "roadbed.dev/stack"

// labelValue gives the value of that label: the name of a stack, with a hash where that is too long for a label.
func labelValue(stack string) string {
	name := strings.ReplaceAll(stackName(stack), "/", ".")
	if len(name) <= 63 {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimRight(name[:46], "-._") + "-" + hex.EncodeToString(sum[:8])
}

var kubernetesBegin = `set -eu
stopped=
trap 'stopped=yes' TERM
` + failing + `
command -v kubectl > /dev/null || roadbed_fail 90 "no kubectl: this pool has none; install kubectl on its machine"
beside="$ROADBED_WORK/engine"
mkdir -p "$beside"
said="$beside/said"
export HOME="${HOME:-$beside}"
is=$(command kubectl version --client -o json | sed -n 's/.*"gitVersion": "v\([^"]*\)".*/\1/p')
` + wantVersion("kubectl") + `
if [ -z "${KUBECONFIG:-}" ] && [ -e "$ROADBED_WORK/kubeconfig" ]; then
  export KUBECONFIG="$ROADBED_WORK/kubeconfig"
fi
k() { command kubectl --cache-dir="$beside/cache" "$@"; }
within() { k ${ROADBED_NAMESPACE:+"--namespace=$ROADBED_NAMESPACE"} "$@"; }
` + kubernetesAsk

// kubernetesReach has kubectl know a cluster.
const kubernetesReach = `
[ -n "${KUBECONFIG:-}" ] ||
  roadbed_fail 95 "no kubeconfig: mount one as the file kubeconfig, by the stack or a context, or name one in KUBECONFIG"
`

const kubernetesRender = `
built() { # WORDS
  passes_on
  roadbed_fail 1 "$1: $(first "$said")"
}
from=.
some=
for file in kustomization.yaml kustomization.yml Kustomization; do
  [ ! -e "$file" ] || from=kustomization
done
if [ "$ROADBED_ALL_GOES" = yes ]; then
  :
elif [ "$from" = kustomization ]; then
  from="$beside/rendered.yaml"
  k kustomize . > "$from" 2> "$said" || built "the kustomization can't be built"
  passes_on
  [ ! -s "$from" ] || some=yes
else
  for file in *.yaml *.yml *.json; do
    [ ! -e "$file" ] || some=yes
  done
fi
: > "$ROADBED_WORK/plan.bin"
if [ -n "$some" ]; then
  k label --local --overwrite --filename="$from" --output=json "$ROADBED_LABEL" > "$ROADBED_WORK/plan.bin" 2> "$said" ||
    built "the manifests can't be read"
  passes_on
fi
grep -c '^{' "$ROADBED_WORK/plan.bin" | sed 's/$/ objects/'
`

const kubernetesGuard = `
roadbed_sum=$(command -v sha256sum) || { echo "hooks of an apply need the program sha256sum on this pool" >&2; exit 94; }
roadbed_had=$(cat "$ROADBED_WORK/plan.bin" "$ROADBED_WORK/engine/delete.json" | "$roadbed_sum")
readonly roadbed_sum roadbed_had
`

const kubernetesGuarded = `
case $(cat "$ROADBED_WORK/plan.bin" "$ROADBED_WORK/engine/delete.json" | "$roadbed_sum") in
"$roadbed_had") ;;
*)
  echo "a hook has changed the plan that was reviewed; nothing is applied" >&2
  printf 'a hook has changed the plan that was reviewed; nothing is applied' > "$ROADBED_WORK/why"
  exit 94
  ;;
esac
`

// kubernetesApply has namespaces and kinds there before what stands in them and is of them, and deletes last.
const kubernetesApply = `
plan="$ROADBED_WORK/plan.bin"
: > "$beside/first"
: > "$beside/kinds"
: > "$beside/rest"
awk -v to="$beside" '
  function put() {
    if (kind == "Namespace" || kind == "CustomResourceDefinition") printf "%s", text > (to "/first")
    else printf "%s", text > (to "/rest")
    if (kind == "CustomResourceDefinition") printf "%s", text > (to "/kinds")
  }
  /^\{/ { text = ""; kind = "" }
  { text = text $0 "\n" }
  /^    "kind": "/ { kind = $0; sub(/^    "kind": "/, "", kind); sub(/".*/, "", kind) }
  /^\}/ { put() }
' "$plan"
put() { # FILE
  [ -s "$1" ] || return 0
  n=0
  while :; do
    if within apply --server-side --field-manager=roadbed --force-conflicts --filename="$1" 2> "$said"; then
      passes_on
      return 0
    fi
    passes_on
    ends_if_stopped
    case $(cat "$said") in
    *"admission webhook"* | *"ValidatingAdmissionPolicy '"*) break ;;
    *"no matches for kind"* | *"could not find the requested resource"*) ;; # a version that was only now added to a kind may take a moment to be served
    *) break ;;
    esac
    n=$((n + 1))
    [ "$n" -le 20 ] || break
    sleep 1
    rm -rf "$beside/cache"
  done
  cp "$said" "$beside/refused"
  apart "$1" "$beside/apart"
  n=0
  for one in "$beside"/apart/*.json; do # which one it was, as far as that can be known
    n=$((n + 1))
    [ "$n" -le 100 ] || break
    within apply --server-side --field-manager=roadbed --force-conflicts --dry-run=server --filename="$one" > /dev/null 2> "$said" ||
      refused "$one" refuses
    ends_if_stopped
  done
  roadbed_fail 1 "the cluster refuses the manifests: $(first "$beside/refused")"
}
put "$beside/first"
[ ! -s "$beside/kinds" ] || k wait --for=condition=Established --timeout=60s --filename="$beside/kinds" || {
  ends_if_stopped
  roadbed_fail 1 "the cluster has not taken up all kinds that the manifests define within a minute; see the conditions of their CustomResourceDefinitions"
}
rm -rf "$beside/cache" # which knows the kinds as they were
put "$beside/rest"
if [ -s "$beside/delete.json" ]; then
  while IFS= read -r one; do # it may have become another stack's since it was judged
    ends_if_stopped
    printf '%s\n' "$one" > "$beside/goes.json"
    verb="does not tell of"
    if ! asks "$beside/goes.json" k get --output='jsonpath=of:{.metadata.labels.roadbed\.dev/stack}'; then
      : > "$told"
    fi
    case $(cat "$told") in
    "") echo "roadbed: gone already: $one" >&2 ;;
    "of:${ROADBED_LABEL#*=}")
      verb="does not delete"
      asks "$asked" k delete || : # it, or its kind, has gone in between
      cat "$told"
      ;;
    *) echo "roadbed: left alone, since it has not this stack's label: $one" >&2 ;;
    esac
  done < "$beside/delete.json"
fi
if [ -n "$ROADBED_OUTPUTS" ]; then
  within get configmap "$ROADBED_OUTPUTS" --output=json > "$beside/outputs.json" 2> "$said" || {
    passes_on
    roadbed_fail 1 "all is applied, and the ConfigMap $ROADBED_OUTPUTS of outputs can't be read: $(first "$said")"
  }
fi
`

func (kubernetesTool) job(r *run.Run, in Input, script string) worker.Job {
	all, outputs := "", in.Vendor.Kubernetes.Outputs
	if in.Type == Destroy {
		all, outputs = "yes", ""
	}
	return toolJob(r, in, ToolKubectl, script, map[string]string{
		"ROADBED_NAMESPACE": in.Vendor.Kubernetes.Namespace, "ROADBED_TOOL_VERSION": in.toolVersion(), "ROADBED_TOOL_PLANNED": in.planned,
		"ROADBED_LABEL": labelOfStack + "=" + labelValue(in.Stack), "ROADBED_ALL_GOES": all, "ROADBED_OUTPUTS": outputs,
	})
}

func (t kubernetesTool) planStep(r *run.Run, in Input, _ made, n int) run.Step {
	job := t.job(r, in, in.Given.laid(parts{begin: kubernetesBegin, do: kubernetesRender}, atBeforePlan, atAfterPlan))
	job.Outputs = append([]worker.Output{toolSaid, {Name: "plan", Path: "/work/plan.bin", Kind: worker.OutputFile, MaxBytes: 64 << 20}},
		in.Given.toolOutputs(atBeforeInit, atAfterInit, atBeforePlan, atAfterPlan)...)
	return run.Step{Key: stepKey("plan", n), Title: "Build the manifests", Group: "plan", Pool: in.Pool, Job: job}
}

// file gives a job a blob as a file; an empty one where there is none.
func (m made) file(job *worker.Job, name, digest string) {
	job.Files = append(job.Files, worker.File{Path: name, Blob: digest, Sealed: digest != "", Mode: 0o600})
}

// showStep has nothing of the repository, nor of hooks: what these did can't change what is judged.
func (t kubernetesTool) showStep(r *run.Run, in Input, m made, n int) *run.Step {
	job := t.job(r, in, kubernetesBegin+kubernetesReach+kubernetesShow)
	job.Dir, job.Sources = execute.WorkDir, nil
	m.file(&job, "plan.bin", m.plan)
	m.file(&job, path.Join(aside, "held.json"), m.held)
	job.Outputs = telling([]worker.Output{{Name: "plan-json", Path: "/work/plan.json", Kind: worker.OutputFile, MaxBytes: StateLimit}})
	return &run.Step{Key: stepKey("show", n), Title: "Compare with the cluster", Group: "plan", Pool: in.Pool, Job: job}
}

func (t kubernetesTool) applyStep(r *run.Run, in Input, m made, n int) run.Step {
	before, after := applyPhases(in)
	job := t.job(r, in, in.Given.laid(parts{begin: kubernetesBegin + kubernetesReach, guard: kubernetesGuard, guarded: kubernetesGuarded, do: kubernetesApply}, before, after))
	in.give(r, &job, true)
	m.file(&job, "plan.bin", m.plan)
	m.file(&job, path.Join(aside, "delete.json"), m.delete)
	job.Outputs = append([]worker.Output{{Name: "outputs", Path: "/work/engine/outputs.json", Kind: worker.OutputFile, MaxBytes: 4 << 20, Optional: true}},
		in.Given.toolOutputs(atBeforeInit, atAfterInit, before, after)...)
	return run.Step{Key: stepKey("apply", n), Title: "Apply the manifests", Group: "apply", Pool: in.Pool, MaxAttempts: 1, Job: job}
}

func (t kubernetesTool) taskStep(r *run.Run, in Input, _ made, n int) run.Step {
	return toolTask(r, in, t.job(r, in, in.Given.laid(parts{begin: kubernetesBegin + kubernetesReach, do: performTask}, atBeforePerform, atAfterPerform)), n)
}

func (kubernetesTool) keeper(Input) keeper { return kubernetesKeeper{} }
