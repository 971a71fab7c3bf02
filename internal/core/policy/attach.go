package policy

import (
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// attachment is what a policy holds for, within its space and below; empty for everything.
type attachment struct {
	Labels   []string `json:"labels,omitempty"`
	Subjects []string `json:"subjects,omitempty"` // references
}

const maxAttached = 200 // labels and subjects of one policy

// autoattach begins a label of a policy that attaches it to what has the rest as its label.
const autoattach = "autoattach:"

// attachment reads what a document attaches to: one of its labels, or one of its stacks.
func (s spec) attachment() (attachment, error) {
	to := attachment{Labels: s.Attach.Labels}
	for _, label := range s.Labels {
		if label, ok := strings.CutPrefix(label, autoattach); ok {
			to.Labels = append(to.Labels, label)
		}
	}
	for _, name := range s.Attach.Stacks {
		r, err := ref.Parse(name, "stack", ref.DefaultNamespace)
		if err != nil {
			return to, fault.Errorf(fault.Invalid, "%q is no stack; write its name, or NAMESPACE/NAME", name)
		}
		to.Subjects = append(to.Subjects, r.String())
	}
	if len(to.Labels)+len(to.Subjects) > maxAttached {
		return to, fault.Errorf(fault.Invalid, "a policy attaches to at most %d labels and stacks", maxAttached)
	}
	if slices.Contains(to.Labels, "") {
		return to, fault.Errorf(fault.Invalid, "a label to attach to is empty; write *, or leave it out, for everything in the space")
	}
	return to, nil
}

// holds tells whether the policy is asked about a subject with some labels.
func (a attachment) holds(subject string, labels []string) bool {
	if len(a.Labels)+len(a.Subjects) == 0 || slices.Contains(a.Labels, "*") || slices.Contains(a.Subjects, subject) {
		return true
	}
	return slices.ContainsFunc(a.Labels, func(label string) bool { return slices.Contains(labels, label) })
}

// byLabel tells whether a subject has the policy for a label of its own alone. What a space that does not inherit takes
// nothing of is only that: what governs all of a space, or names the subject, holds below it too.
func (a attachment) byLabel(subject string) bool {
	return len(a.Labels) > 0 && !slices.Contains(a.Labels, "*") && !slices.Contains(a.Subjects, subject)
}
