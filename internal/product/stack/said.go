package stack

import (
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// failing has a step say why it fails: those words are its reason, and a part of the run's.
const failing = `
roadbed_fail() { # CODE WORDS
  printf '%s\n' "$2" >&2
  printf '%s' "$2" > "$ROADBED_WORK/why"
  exit "$1"
}
`

// hearing keeps what a program says, besides passing it on at once. What passes it on outlives a signal to all of the step,
// since the program may have more to say then.
const hearing = `
heard() { # COMMAND...
  rm -f "$beside/heard" "$beside/said"
  if ! command -v tee > /dev/null || ! mkfifo "$beside/heard"; then
    "$@"
    return
  fi
  (trap '' TERM INT HUP; exec tee "$beside/said") < "$beside/heard" &
  roadbed_code=0
  "$@" > "$beside/heard" 2>&1 || roadbed_code=$?
  wait "$!" || :
  return "$roadbed_code"
}
`

// mostWhy bounds the words of a step on why it fails, in bytes.
const mostWhy = 4 << 10

// telling has a step's words on why it failed among its outputs.
func telling(all []worker.Output) []worker.Output {
	if slices.ContainsFunc(all, func(o worker.Output) bool { return o.Name == outputWhy }) {
		return all
	}
	return append(all, worker.Output{Name: outputWhy, Path: "/work/why", Kind: worker.OutputText, MaxBytes: mostWhy, Optional: true})
}

// toolOutputs are what a step of a tool's tells besides its work.
func (g Given) toolOutputs(phases ...string) []worker.Output {
	return telling(g.hookOutputs(phases...))
}
