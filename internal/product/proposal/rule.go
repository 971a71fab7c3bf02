package proposal

import (
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// Spec is what a BranchRule document says.
type Spec struct {
	Owner        string   `json:"owner,omitempty"`
	Repositories []string `json:"repositories,omitempty"` // patterns of NAMESPACE/NAME; none: all of its spaces
	Branches     []string `json:"branches,omitempty"`     // patterns; none: the default branch
	Push         string   `json:"push,omitempty"`         // "proposals": only by merging one; "" as rights say
	Approvals    int      `json:"approvals,omitempty"`    // of people who did not write it
	Fresh        bool     `json:"fresh,omitempty"`        // a push ends earlier approvals
	Owners       bool     `json:"owners,omitempty"`       // those whom CODEOWNERS names must approve what is theirs
	Checks       []string `json:"checks,omitempty"`       // names of checks that must have passed
	UpToDate     bool     `json:"upToDate,omitempty"`     // the source must have all that the target has
	Talks        bool     `json:"talks,omitempty"`        // talks about lines must be settled
	Ways         []string `json:"ways,omitempty"`         // merge, squash, rebase; none: all
}

// OnlyProposals is the Push of a rule that lets nobody push.
const OnlyProposals = "proposals"

// Demand is what all rules together ask of a merge into one branch.
type Demand struct {
	Rules     []string // references of the rules
	Push      string
	Approvals int
	Fresh     bool
	Owners    bool
	Checks    []string
	UpToDate  bool
	Talks     bool
	Ways      []string // none: all; when the rules leave none, one that is no way
}

// holds tells whether a rule is for a branch.
func (s Spec) holds(repository, branch, defaultBranch string) bool {
	if len(s.Repositories) > 0 && !matchesAny(s.Repositories, repository) {
		return false
	}
	if len(s.Branches) == 0 {
		return branch == defaultBranch
	}
	return matchesAny(s.Branches, branch)
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if below, ok := strings.CutSuffix(p, "/**"); ok {
			return strings.HasPrefix(name, below+"/")
		}
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}

// add makes a demand as strict as one rule more.
func (d Demand) add(rule string, s Spec) Demand {
	d.Rules = append(d.Rules, rule)
	if s.Push != "" {
		d.Push = s.Push
	}
	d.Approvals = max(d.Approvals, s.Approvals)
	d.Fresh = d.Fresh || s.Fresh
	d.Owners = d.Owners || s.Owners
	d.UpToDate = d.UpToDate || s.UpToDate
	d.Talks = d.Talks || s.Talks
	for _, c := range s.Checks {
		if !slices.Contains(d.Checks, c) {
			d.Checks = append(d.Checks, c)
		}
	}
	switch {
	case len(s.Ways) == 0:
	case len(d.Ways) == 0:
		d.Ways = slices.Clone(s.Ways)
	default:
		d.Ways = slices.DeleteFunc(slices.Clone(d.Ways), func(w string) bool { return !slices.Contains(s.Ways, w) })
		if len(d.Ways) == 0 {
			d.Ways = []string{"none"}
		}
	}
	return d
}

func isWay(w string) bool {
	return w == git.MergeCommit || w == git.MergeSquash || w == git.MergeRebase
}
