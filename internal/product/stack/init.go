package stack

import (
	"context"
	"encoding/json"
	"path"
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// An engine's init takes a process, and hashes each provider. What it leaves is small where providers are linked to and
// modules are folders of the repository: which backend there is, and where the modules are. So a run has one init at most,
// and the next run of the stack none: it is given what the last init left, and the engine, which compares that with the
// configuration each time it plans, tells when it needs more.

// prepare makes the engine find its backend. What the repository says of a backend is overridden: state is kept here.
// A repository can override that in turn, so what the engine has made of it all is looked at: a backend that is ours
// has nothing configured, since its addresses come from the environment.
const prepare = initialize + ours

// initialize and ours are its halves: what of hooks runs between them and a plan is followed by ours once more.
const initialize = `
roadbed_phase init
GOGC="${GOGC:-400}" "$ROADBED_ENGINE" init -input=false -no-color -reconfigure
`

const ours = `
ours= within=
if [ -f "$TF_DATA_DIR/terraform.tfstate" ]; then
  while IFS= read -r line; do
    case $within$line in
    *'"type": "http"'*) ours=yes ;;
    *'"config": {') within=in ;;
    in*': null' | in*': null,') ;;
    in*'"'*) ours= && break ;;
    in*'}'*) within= ;;
    esac
  done < "$TF_DATA_DIR/terraform.tfstate"
fi
if [ -z "$ours" ]; then
  echo "an override file of the repository (override.tf, *_override.tf and the like) names a backend or a cloud; take that out: the platform keeps the state" >&2
  exit 91
fi
`

// planScript tells besides whether its plan can be read, and applied, without another init. It can where there is no
// provider, or all are links to what the pool shows read-only: the steps after it link to those as well, and the engine
// compares them with the lock file again. A plan that the configuration has encrypted is read with the configuration.
// Programs of the repository may tell so too; then what they left out is missing, or is not as the lock file has it, and
// fails for that.
const planScript = begin + backend + linking + `
roadbed_gogc=${GOGC:-} roadbed_limit=${GOMEMLIMIT:-} locked= kept=
roadbed_prepare() {
  [ ! -e "$TF_DATA_DIR/terraform.tfstate" ] || rm -rf "$TF_DATA_DIR/terraform.tfstate" "$TF_DATA_DIR/modules" "$TF_DATA_DIR/providers"
  [ ! -e .terraform.lock.hcl ] || locked=$(cat .terraform.lock.hcl)
` + prepare + `
  [ -z "$locked" ] || [ "$locked" = "$(cat .terraform.lock.hcl)" ] || locked=
}
roadbed_alone() {` + planAlone + `}
roadbed_plan() {
  "$ROADBED_ENGINE" plan ` + planArgs + `
}
roadbed_said() { # what the engine has said of errors, as the log or one line
  [ ! -s "$ROADBED_WORK/engine.said" ] || while IFS= read -r line || [ -n "$line" ]; do printf '%s'"$1" "$line"; done < "$ROADBED_WORK/engine.said"
}
if [ -n "${ROADBED_INIT_BY:-}" ] && [ "$ROADBED_INIT_BY" = "${ROADBED_ENGINE_IS:-}" ] && # what somebody asks of an init, or of its log, is done
  [ -z "${TF_CLI_ARGS:-}${TF_CLI_ARGS_init:-}${TF_LOG:-}${TF_LOG_CORE:-}${TF_LOG_PROVIDER:-}" ] &&
  { [ -z "${ROADBED_LINKS:-}" ] || { [ -e .terraform.lock.hcl ] && printf '%s\n' "$ROADBED_LINKS" | linking; }; }; then
  roadbed_phase init
  echo "roadbed: what the last init of this stack has found is taken; the engine tells if it needs more"
  kept=yes
` + ours + `
else
  roadbed_prepare
fi
roadbed_alone
roadbed_phase plan
code=0
if [ -n "$kept" ]; then
  trap 'roadbed_said "\n" >&2' EXIT # also when the plan is ended
  roadbed_plan 2> "$ROADBED_WORK/engine.said" || code=$?
  if [ $code = 1 ]; then
    case $(roadbed_said ' ') in
    *"tofu init"* | *"terraform init"* | *"not installed"* | *"ependency lock file"* | *"nitialization required"*)
      echo "roadbed: it does"
      : > "$ROADBED_WORK/engine.said"
      kept= code=0
      export GOGC="$roadbed_gogc" GOMEMLIMIT="$roadbed_limit"
      roadbed_prepare
      roadbed_alone
      roadbed_phase plan
      roadbed_plan || code=$?
      ;;
    esac
  fi
  roadbed_said '\n' >&2
  : > "$ROADBED_WORK/engine.said"
else
  roadbed_plan || code=$?
fi
` + planDone + planMark + `
if [ -n "$kept" ]; then
  echo kept > "$ROADBED_WORK/engine.init"
elif [ "$alone" = yes ] && { [ -z "$links" ] || [ -n "$locked" ]; }; then # else each init may find newer ones
  modules="$TF_DATA_DIR/modules/modules.json"
  [ -e "$modules" ] || modules=/dev/null
  if [ "$(cat "$TF_DATA_DIR/terraform.tfstate" "$modules" | wc -c)" -lt 16000 ]; then
    cat "$TF_DATA_DIR/terraform.tfstate" > "$ROADBED_WORK/engine.init"
    cat "$modules" > "$ROADBED_WORK/engine.modules"
  fi
fi
` + phaseDone

const planAlone = `
alone= links=
if [ ! -d "$TF_DATA_DIR/providers" ]; then
  swift
  alone=yes
elif [ -n "${ROADBED_SHARED:-}" ]; then
  alone=yes
  for at in "$TF_DATA_DIR"/providers/*/*/*/*/*; do
    case $at in *.lock) continue ;; esac # OpenTofu's, beside each
    [ -L "$at" ] && [ -d "$ROADBED_SHARED/${at#"$TF_DATA_DIR/providers/"}" ] || alone=
    links=$links${at#"$TF_DATA_DIR/providers/"}"
"
  done
  [ ${#links} -lt 16000 ] && [ -e .terraform.lock.hcl ] || alone=
fi
case "${ROADBED_ENGINE_IS:-}" in
"OpenTofu "* | "Terraform "*) ;;
*) alone= ;;
esac
# files of a fetched module are read again by an apply
for at in "$TF_DATA_DIR"/modules/*/; do
  [ ! -d "$at" ] || [ -z "$alone" ] || alone=read
done
`

const planArgs = `-input=false -no-color -lock-timeout=60s -detailed-exitcode $ROADBED_PLAN_ARGS -out="$ROADBED_WORK/plan.bin"`

const planIt = `
roadbed_phase plan
code=0
"$ROADBED_ENGINE" plan ` + planArgs + ` || code=$?
` + planDone

const planDone = `
case $code in 0|2) ;; *) exit $code ;; esac
`

const planMark = `
IFS= read -r magic < "$ROADBED_WORK/plan.bin" || :
case "$alone $magic" in
"yes PK"* | "read PK"*)
  printf '%s' "$links" > "$ROADBED_WORK/engine.links"
  if [ -n "$links" ]; then cat .terraform.lock.hcl; fi > "$ROADBED_WORK/engine.lock"
  echo yes > "$ROADBED_WORK/alone"
  [ "$alone" = yes ] || echo yes > "$ROADBED_WORK/engine.afresh"
  ;;
*) alone= ;;
esac
`

// linking links to the providers that a plan was made with; it fails where the pool does not show one of them.
const linking = `
linking() {
  while IFS= read -r at; do
    case /$at/ in
    *[!a-zA-Z0-9._:/+-]* | */../* | */./* | *//*) return 1 ;;
    esac
    [ -n "${ROADBED_SHARED:-}" ] && [ -d "$ROADBED_SHARED/$at" ] || return 1
    mkdir -p "$TF_DATA_DIR/providers/${at%/*}"
    ln -sfn "$ROADBED_SHARED/$at" "$TF_DATA_DIR/providers/$at"
  done
}
`

const applyPrepare = linking + `
if [ -n "$ROADBED_ALONE" ] && [ -z "${ROADBED_LINKS:-}" ] && [ ! -e .terraform.lock.hcl ]; then
  swift
elif [ -z "$ROADBED_ALONE" ] || [ -z "${ROADBED_LINKS:-}" ] || ! printf '%s\n' "$ROADBED_LINKS" | linking; then
  [ ! -d "$TF_DATA_DIR/providers" ] || rm -rf "$TF_DATA_DIR/providers" # an init would unpack into what a link leads to
` + prepare + `
fi
`

// outputAlone is where a plan step says that its plan is read without an init, and applied so but for what outputAfresh
// says; outputLinks has the providers that take links. Then it gives planJSON, too. outputInit and outputModules are what
// its init has left for the runs after it.
const (
	outputAlone   = "alone"
	outputAfresh  = "engine.afresh"
	outputLinks   = "engine.links"
	outputInit    = "engine.init"
	outputModules = "engine.modules"
)

func initOutputs() (all []worker.Output) {
	for _, name := range []string{outputAlone, outputAfresh, outputLinks, outputInit, outputModules} {
		all = append(all, worker.Output{Name: name, Path: "/work/" + name, Kind: worker.OutputText, MaxBytes: 16 << 10, Optional: true})
	}
	return all
}

// Init is what the last init of a stack has left.
type Init struct {
	Engine  string `json:"engine"` // as it calls itself
	Backend string `json:"backend"`
	Modules string `json:"modules,omitempty"`
	Links   string `json:"links,omitempty"`
}

// initOf gives what the init of a plan step has left; nil for nothing that another can take. What planning runs may have
// written something else there: a backend that is elsewhere, or modules in other folders than the configuration names. So
// nothing is taken but what an init makes of a backend without settings, and of folders.
func initOf(plan *run.Step) *Init {
	i := &Init{Engine: strings.TrimSpace(plan.Result.Outputs[OutputEngine]), Links: strings.TrimSpace(plan.Result.Outputs[outputLinks])}
	var backend, modules bool
	i.Backend, backend = plainBackend(plan.Result.Outputs[outputInit], i.Engine)
	i.Modules, modules = plainModules(plan.Result.Outputs[outputModules])
	if !backend || !modules || !engineNamed.MatchString(i.Engine) || i.Links != "" && !linksOnly.MatchString(i.Links) {
		return nil
	}
	return i
}

// keptOne tells whether a plan step had no init of its own.
func keptOne(plan *run.Step) bool {
	return strings.TrimSpace(plan.Result.Outputs[outputInit]) == "kept"
}

var (
	engineNamed = regexp.MustCompile(`^(OpenTofu|Terraform) v[0-9A-Za-z.+-]{1,64}$`)
	linksOnly   = regexp.MustCompile(`^[a-zA-Z0-9._:+-]+(/[a-zA-Z0-9._+-]+){4}(\n[a-zA-Z0-9._:+-]+(/[a-zA-Z0-9._+-]+){4})*$`)
	settingName = regexp.MustCompile(`^[a-z_]{1,64}$`)
)

// plainBackend writes anew what an engine remembers of its backend, if that has no settings.
func plainBackend(text, engine string) (string, bool) {
	var b struct {
		Version int    `json:"version"`
		Engine  string `json:"terraform_version,omitempty"`
		Backend struct {
			Type   string         `json:"type"`
			Config map[string]any `json:"config"`
			Hash   uint64         `json:"hash"`
		} `json:"backend"`
	}
	if !onlyThis(text, &b) || b.Version != 3 || b.Backend.Type != "http" {
		return "", false
	}
	if b.Engine != "" && engine != "Terraform v"+b.Engine {
		return "", false
	}
	for name, v := range b.Backend.Config {
		if v != nil || !settingName.MatchString(name) {
			return "", false
		}
	}
	out, err := json.MarshalIndent(b, "", "  ")
	return string(out) + "\n", err == nil
}

// plainModules writes anew where an engine has found modules, if all are folders beside those that call them.
func plainModules(text string) (string, bool) {
	if text == "" {
		return "", true
	}
	type module struct{ Key, Source, Dir string }
	var all struct{ Modules []module }
	if !onlyThis(text, &all) {
		return "", false
	}
	folders := map[string]string{}
	for _, m := range all.Modules {
		if _, twice := folders[m.Key]; twice {
			return "", false
		}
		folders[m.Key] = m.Dir
	}
	for _, m := range all.Modules {
		above := ""
		if at := strings.LastIndexByte(m.Key, '.'); at >= 0 {
			above = m.Key[:at]
		}
		from, there := folders[above]
		root := m == module{Dir: "."}
		beside := strings.HasPrefix(m.Source, "./") || strings.HasPrefix(m.Source, "../")
		if !root && (m.Key == "" || !there || !beside || m.Dir != path.Join(from, m.Source)) {
			return "", false
		}
	}
	out, err := json.Marshal(all)
	return string(out), err == nil
}

// onlyThis reads JSON that has nothing but what is asked for.
func onlyThis(text string, into any) bool {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into) == nil && !d.More()
}

// give gives it to a plan step.
func (i *Init) give(job *worker.Job) {
	if i == nil {
		return
	}
	job.Env["ROADBED_INIT_BY"], job.Env["ROADBED_LINKS"] = i.Engine, i.Links
	job.Files = append(job.Files, worker.File{Path: "engine/terraform.tfstate", Content: i.Backend, Mode: 0o600})
	if i.Modules != "" {
		job.Files = append(job.Files, worker.File{Path: "engine/modules/modules.json", Content: i.Modules, Mode: 0o600})
	}
}

// lastInit gives what the last init of a stack has left; nil where a run is to do its own.
func lastInit(ctx context.Context, tx *store.Tx, stack Stack) (*Init, error) {
	var i Init
	err := tx.QueryRow(ctx, "SELECT engine, backend, modules, links FROM stack_inits WHERE stack = $1 AND space = $2", stack.Ref.String(), stack.Space).
		Scan(&i.Engine, &i.Backend, &i.Modules, &i.Links)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &i, fault.Wrap(err, "read what the last init of %s has left", stack.Ref)
}

// keepInit keeps what the init of a run has left for the next one; where that is nothing, the next one does its own.
// What only plans, or is not of the stack's branch, has no say in it.
func (s *Service) keepInit(ctx context.Context, in Input, stack Stack, told JudgeInput) error {
	i := told.Init
	if told.InitKept || in.Vendor.Word() != vendorEngine || onlyPlans(in.Type) || in.Upload != nil || i == nil && in.Given.Init == nil {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if i == nil {
			return forgetInit(ctx, tx, stack.Ref)
		}
		_, err := tx.Exec(ctx, `INSERT INTO stack_inits (stack, space, engine, backend, modules, links) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (stack) DO UPDATE SET space = $2, engine = $3, backend = $4, modules = $5, links = $6`,
			stack.Ref.String(), stack.Space, i.Engine, i.Backend, i.Modules, i.Links)
		return fault.Wrap(err, "keep what the init of %s has left", stack.Ref)
	})
}

// forgetInit has the next run of a stack do its own.
func forgetInit(ctx context.Context, tx *store.Tx, stack ref.Entity) error {
	_, err := tx.Exec(ctx, "DELETE FROM stack_inits WHERE stack = $1", stack.String())
	return fault.Wrap(err, "forget what the init of %s has left", stack)
}

// forgetGivenInit forgets what a run that failed was given: whatever the reason, the next one does its own.
func (s *Service) forgetGivenInit(ctx context.Context, tx *store.Tx, id string) error {
	r, err := s.Runs.GetTx(ctx, tx, id)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	i := inputOf(r).Given.Init
	if i == nil {
		return nil
	}
	_, err = tx.Exec(ctx, "DELETE FROM stack_inits WHERE stack = $1 AND engine = $2 AND backend = $3 AND modules = $4 AND links = $5", r.Subject, i.Engine, i.Backend, i.Modules, i.Links)
	return fault.Wrap(err, "forget what run %s was given", id)
}
