package stack

// phasing has a step's log tell where a phase of it begins, in a line of its own, such as "── init, at 0.4 s ──": so people
// read it, and so the portal folds it (web/src/pages/run/log.ts). It takes no process, not even for the time, which is left
// out where the machine does not tell it.
const phasing = `
roadbed_began=
roadbed_phase() { # NAME
  roadbed_clock= roadbed_at_time=
  if [ -r /proc/uptime ] && IFS=' ' read -r roadbed_clock roadbed_rest < /proc/uptime; then
    case $roadbed_clock in
    *[!0-9.]* | *.*.* | .* | *.) ;;
    *.*)
      roadbed_rest=${roadbed_clock#*.}
      roadbed_clock=$((${roadbed_clock%%.*} * 10 + ${roadbed_rest%"${roadbed_rest#?}"}))
      roadbed_began=${roadbed_began:-$roadbed_clock}
      roadbed_clock=$((roadbed_clock - roadbed_began))
      roadbed_at_time=", at $((roadbed_clock / 10)).$((roadbed_clock % 10)) s"
      ;;
    esac
  fi
  echo "── $1$roadbed_at_time ──" || :
}
`

// phaseDone tells that the last phase is over.
const phaseDone = `
roadbed_phase done
`

// phaseOf gives the work that the hooks of a phase come before.
func phaseOf(before string) string {
	switch before {
	case atBeforePlan:
		return "plan"
	case atBeforePerform:
		return "command"
	}
	return "apply"
}

// begun gives a part of a script as a phase of its log; "" for no part.
func begun(phase, part string) string {
	if part == "" {
		return ""
	}
	return "\nroadbed_phase " + phase + "\n" + part
}
