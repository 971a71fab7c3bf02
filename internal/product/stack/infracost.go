package stack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// Where the environment of a stack has a key of Infracost, and the pool its program, what that says of a plan counts instead of
// price lists. It is run in the step that reads the plan, which is one of its own then: it is told the key.

// ToolInfracost is the pool's tool that is infracost. Most pools do without.
const ToolInfracost = "infracost"

// asksInfracost tells whether the step that reads a run's plan is given what infracost does nothing without: a key, or another
// address of prices than its maker's.
func (in Input) asksInfracost() bool {
	for _, name := range []string{"INFRACOST_API_KEY", "INFRACOST_PRICING_API_ENDPOINT"} {
		for _, given := range []string{name, readOnly + name} {
			_, plain := in.Env[given]
			_, secret := in.SecretEnv[given]
			if (plain || secret) && !slices.Contains(in.Given.Own, name) {
				return true
			}
		}
	}
	return false
}

// choosesPrices tells whether a variable has a say in what infracost says. Such come from contexts alone: who writes a stack, or
// what it runs, does not choose what its plans cost.
func choosesPrices(name string) bool { return strings.HasPrefix(bare(name), "INFRACOST_") }

// pricesByContext is what is wrong with such a variable elsewhere.
func pricesByContext(name string) (wrong, hint string) {
	return name + " is taken from contexts alone, since it has a say in what plans cost", "put it into a context that the stack has"
}

// checkOwn tells what is wrong with variables of a stack itself, by their number, besides checkVariables.
func checkOwn(all []Variable, bad func(message, hint string, at ...string)) {
	for i, v := range all {
		if choosesPrices(v.Name) {
			wrong, hint := pricesByContext(v.Name)
			bad(wrong, hint, fmt.Sprint(i), "name")
		}
	}
}

// onePricer has what infracost is told come from contexts of one space, of those that tell it anything the one furthest up: who
// writes contexts below does not change what was said above. up is the stack's space and those above.
func onePricer(contexts []attachment, up []string) (out []attachment, warnings []string) {
	says := func(v Variable) bool { return choosesPrices(v.Name) }
	top := -1
	for _, a := range contexts {
		if slices.ContainsFunc(a.Spec.Variables, says) {
			top = max(top, slices.Index(up, a.Space))
		}
	}
	out = slices.Clone(contexts)
	for i, a := range out {
		if slices.Index(up, a.Space) == top || !slices.ContainsFunc(a.Spec.Variables, says) {
			continue
		}
		out[i].Spec.Variables = slices.DeleteFunc(slices.Clone(a.Spec.Variables), says)
		warnings = append(warnings, fmt.Sprintf("what %s tells Infracost is left out: a context of space %s, above, tells it", a.Ref, up[top]))
	}
	return out, warnings
}

// ownNames gives what the variables are called that are no context's, where infracost might be told of them.
func (e Environment) ownNames() (names []string) {
	if !slices.ContainsFunc(e.Variables, func(v SetVariable) bool { return choosesPrices(v.Name) }) {
		return nil
	}
	for _, v := range e.Variables {
		if !strings.HasPrefix(v.From, "context:") && !strings.HasPrefix(v.Name, inputPrefix) && !slices.Contains(names, bare(v.Name)) {
			names = append(names, bare(v.Name))
		}
	}
	return names
}

// showing gives the script of a step that reads a plan.
func (in Input) showing(script string) string {
	if in.asksInfracost() {
		script += in.askInfracost()
	}
	return script + phaseDone
}

// askInfracost is what the step does, within what it has of time.
func (in Input) askInfracost() string {
	limit, err := in.Limits.time()
	if err != nil { // its document was checked
		limit = time.Hour
	}
	others := slices.Clone(in.Given.Own)
	for _, d := range in.DependsOn {
		for _, use := range d.Outputs {
			others = append(others, bare(use.As))
		}
	}
	forget := ""
	for _, name := range others {
		if variableName.MatchString(name) && !isReserved(name) {
			forget += " " + name
		}
	}
	if forget != "" {
		forget = "unset" + forget
	}
	return strings.NewReplacer("{forget}", forget, "{limit}", fmt.Sprint(int(limit.Seconds()))).Replace(askInfracost)
}

// infracostSaid is where the step leaves what infracost says. What askInfracost leaves there is no larger.
var infracostSaid = worker.Output{Name: ByInfracost, Path: "/work/infracost.json", Kind: worker.OutputFile, MaxBytes: 32 << 20, Optional: true}

// askInfracost is no fault of a plan whose costs are not known, nor does it wait long for them: half of what is left of the step's
// time at most. The program is told what contexts say and the platform, and finds neither the repository, whose .env it would
// read, nor anybody's configuration of it.
const askInfracost = `
roadbed_phase infracost
roadbed_uncosted() { # WHY
  rm -rf "$ROADBED_WORK/infracost.json"
  echo "$1; the price lists alone tell what this plan costs"
}
roadbed_within() { # SECONDS COMMAND...
  roadbed_for=$1
  shift
  if timeout -k 10 5 /bin/sh -c : > /dev/null 2>&1; then
    timeout -k 10 "$roadbed_for" "$@"
    return
  fi
  "$@" &
  roadbed_it=$!
  (
    while [ "$roadbed_for" -gt 0 ]; do
      sleep 1
      roadbed_for=$((roadbed_for - 1))
    done
    kill "$roadbed_it"
    sleep 10
    kill -9 "$roadbed_it"
  ) > /dev/null 2>&1 &
  roadbed_dog=$!
  roadbed_code=0
  wait "$roadbed_it" || roadbed_code=$?
  kill "$roadbed_dog" 2> /dev/null || :
  return "$roadbed_code"
}
roadbed_priced() (
  roadbed_home=$ROADBED_WORK/engine/infracost
  rm -rf "$roadbed_home" && mkdir -p "$roadbed_home" && cd "$roadbed_home" || return
  {forget}
  export HOME="$roadbed_home" INFRACOST_SKIP_UPDATE_CHECK="${INFRACOST_SKIP_UPDATE_CHECK:-true}"
  roadbed_within "$roadbed_bound" infracost breakdown \
    --path "$ROADBED_WORK/plan.json" --format json --out-file "$ROADBED_WORK/infracost.json" --no-color
)
[ -n "$roadbed_at_time" ] || roadbed_clock=0
roadbed_left=$(({limit} - roadbed_clock / 10)) roadbed_bound=300
[ "$roadbed_left" -ge 600 ] || roadbed_bound=$((roadbed_left / 2))
if ! command -v infracost > /dev/null 2>&1; then
  roadbed_uncosted "the stack has a key of Infracost, and this pool has no infracost: install it on the pool's machine, and start its server or agent again"
elif [ "$roadbed_bound" -lt 10 ]; then
  roadbed_uncosted "nothing is left of the step's time to ask infracost"
elif ! roadbed_priced; then
  roadbed_uncosted "infracost failed, or took longer than $roadbed_bound seconds"
elif [ ! -f "$ROADBED_WORK/infracost.json" ]; then
  roadbed_uncosted "infracost wrote nothing"
elif [ "$(wc -c < "$ROADBED_WORK/infracost.json")" -gt 33554432 ]; then
  roadbed_uncosted "infracost wrote more than 32 MiB"
fi
`
