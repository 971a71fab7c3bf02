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

// clipping is of an awk that counts bytes, as some do always and all with LC_ALL=C: it cuts a line between two characters.
// The mark has what hides secrets look for one that was cut in its middle.
const clipping = `
    function clipped(text, most) {
      if (length(text) <= most) return text
      text = substr(text, 1, most)
      sub(/[\300-\377][\200-\277]*$/, "", text)
      return text "…"
    }
`

// hearing keeps what a program says, besides passing it on at once. What passes it on outlives a signal to all of the step,
// since the program may have more to say then. What the program has left running may hold the pipe for ever: it is not
// waited for.
const hearing = `
heard() { # COMMAND...
  rm -f "$beside/heard" "$beside/said"
  if ! command -v tee > /dev/null || ! mkfifo "$beside/heard"; then
    "$@"
    return
  fi
  (trap '' TERM INT HUP; exec tee "$beside/said" < "$beside/heard") &
  roadbed_tee=$!
  roadbed_code=0
  "$@" > "$beside/heard" 2>&1 || roadbed_code=$?
  roadbed_polls=0
  while kill -0 "$roadbed_tee" 2> /dev/null; do
    if [ "$roadbed_polls" -ge 20 ]; then
      kill -9 "$roadbed_tee" 2> /dev/null || :
      break
    fi
    roadbed_polls=$((roadbed_polls + 1))
    sleep 0.1 2> /dev/null || sleep 1
  done
  wait "$roadbed_tee" 2> /dev/null || :
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
