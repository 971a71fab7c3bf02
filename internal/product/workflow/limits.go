package workflow

import (
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// limitError is what is wrong with one of a template's limits.
type limitError struct {
	at []string // within the template
	error
}

func (e *limitError) Unwrap() error { return e.error }

// readLimits gives the limits that a template sets; what it leaves open is 0. It fails when one is over the most, and
// takes no notice of one whose tags are not filled in yet.
func readLimits(t *Template, c *Container, most execute.Limits) (l execute.Limits, err error) {
	at := []string{t.kind(), "resources", "limits"}
	for _, name := range sortedKeys(c.Resources.Limits) {
		text := string(c.Resources.Limits[name])
		if strings.Contains(text, "{{") {
			continue
		}
		q, err := parseQuantity(text)
		if err != nil {
			return l, &limitError{join(at, name), fault.Wrap(err, "resources.limits.%s", name)}
		}
		switch name {
		case "memory":
			l.Memory = int64(q)
			if most.Memory > 0 && l.Memory > most.Memory {
				return l, &limitError{join(at, name), fault.Errorf(fault.Invalid,
					"resources.limits.memory: %s is over %d MiB, the most that a step may have here", clip(text, 50), most.Memory>>20)}
			}
		case "cpu":
			l.CPU = int(min(q*1000, 1<<30))
		case "ephemeral-storage":
			l.Disk = int64(q)
		}
	}
	for _, limit := range [][2]string{{"activeDeadlineSeconds", string(t.ActiveDeadlineSeconds)}, {"timeout", t.Timeout}} {
		name, text := limit[0], limit[1]
		if text == "" || strings.Contains(text, "{{") {
			continue
		}
		d, err := parseDuration(text)
		switch {
		case err != nil || d <= 0:
			return l, &limitError{[]string{name}, fault.Errorf(fault.Invalid, "%s: %q is not a duration", name, clip(text, 50))}
		case most.Time > 0 && d > most.Time:
			return l, &limitError{[]string{name}, fault.Errorf(fault.Invalid, "%s: %s is over %s, the longest that a step may run here", name, clip(text, 50), most.Time)}
		case l.Time == 0 || d < l.Time:
			l.Time = d
		}
	}
	return l, nil
}
