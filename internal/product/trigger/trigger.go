package trigger

import (
	"path"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Outcomes of an event.
const (
	Started = "started"
	Skipped = "skipped"
	Refused = "refused"
)

// Spec is what a Trigger document says.
type Spec struct {
	Owner     string `json:"owner,omitempty"`
	Component string `json:"component,omitempty"` // whose history shows the runs
	On        On     `json:"on"`
	Run       Run    `json:"run"`
}

// On names the events.
type On struct {
	Push *Push `json:"push,omitempty"`
}

// Push names pushes to a hosted repository. Patterns are those of path.Match; ** stands for any folders.
type Push struct {
	Repository  string   `json:"repository"`            // NAMESPACE/NAME
	Branches    []string `json:"branches,omitempty"`    // none: main
	Paths       []string `json:"paths,omitempty"`       // none: all
	IgnorePaths []string `json:"ignorePaths,omitempty"` // a push of only these starts nothing
}

// Run says what an event starts.
type Run struct {
	Workflow  Workflow          `json:"workflow"`
	Arguments map[string]string `json:"arguments,omitempty"`
}

// Workflow names the workflow.
type Workflow struct {
	File string `json:"file"` // in the repository, read at the pushed commit
}

// Trigger is the projection of a Trigger document.
type Trigger struct {
	Ref     ref.Entity
	Space   string
	Spec    Spec
	Updated time.Time
}

// Event is what one push did to one trigger.
type Event struct {
	ID         string
	Trigger    string
	Repository string
	Ref        string
	Commit     string
	Outcome    string
	Message    string
	Run        string
	Created    time.Time
}

// wantsBranch tells whether the trigger listens to a ref.
func (p Push) wantsBranch(name string) bool {
	branch, ok := strings.CutPrefix(name, "refs/heads/")
	if !ok {
		return false
	}
	if len(p.Branches) == 0 {
		return branch == "main"
	}
	return matchesAny(p.Branches, branch)
}

// wantsPaths tells whether a push that changed these paths is of interest. Unknown changes (nil) are.
func (p Push) wantsPaths(changed []string) bool {
	if changed == nil {
		return true
	}
	for _, c := range changed {
		if (len(p.Paths) == 0 || matchesAny(p.Paths, c)) && !matchesAny(p.IgnorePaths, c) {
			return true
		}
	}
	return false
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

// matches is path.Match, with ** for any number of folders, and a folder's name for all below it.
func matches(pattern, name string) bool {
	pattern = strings.TrimPrefix(pattern, "./")
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(name, pattern)
	}
	return matchParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchParts(pattern, name []string) bool {
	if len(pattern) == 0 {
		return len(name) == 0
	}
	if pattern[0] == "**" {
		for i := range len(name) + 1 {
			if matchParts(pattern[1:], name[i:]) {
				return true
			}
		}
		return false
	}
	if len(name) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], name[0])
	return err == nil && ok && matchParts(pattern[1:], name[1:])
}
