package proposal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// Facts are what it is decided by whether a proposal may be merged.
type Facts struct {
	Proposal Proposal
	Demand   Demand
	Reviews  []Review // the oldest first
	Checks   []Check  // of the head
	Owners   []Owned  // of what the proposal changes; nil when the demand does not ask for them
	Warnings []string // about the file of owners
	Open     int      // talks on lines that are not settled
	Mute     []string // whose verdicts don't count: people of a forge who may not write here
	Authors  []string // who pushed what it brings, and who opened it: they don't approve it
}

// Owned is a rule of owners that files of the proposal fall under.
type Owned struct {
	Section  string   // "" for none
	Optional bool     // they are asked, and need not answer
	Needs    int      // how many of them must approve
	Owners   []string // as they are written in the file
	People   []string // ids of the approving that they are
	Files    []string
}

// Approved tells whether enough of the owners approve.
func (o Owned) Approved() bool { return len(o.People) >= max(o.Needs, 1) }

// Kinds of blockers.
const (
	BlockedState     = "state"
	BlockedDraft     = "draft"
	BlockedConflicts = "conflicts"
	BlockedNothing   = "nothing"
	BlockedBehind    = "behind"
	BlockedRefused   = "refused"
	BlockedApprovals = "approvals"
	BlockedOwners    = "owners"
	BlockedCheck     = "check"
	BlockedTalks     = "talks"
	BlockedForge     = "forge"
)

// Blocker is one thing that stands in the way of a merge.
type Blocker struct {
	Kind    string
	Message string
	Waits   bool // it may go away by itself, as a check that is running
}

// blockers gives all that stands in the way, in the order in which a person would settle it.
func blockers(f Facts) []Blocker {
	var out []Blocker
	add := func(kind, format string, args ...any) {
		out = append(out, Blocker{Kind: kind, Message: fmt.Sprintf(format, args...)})
	}
	p := f.Proposal
	if p.State != Open {
		add(BlockedState, "it is %s", p.State)
		return out
	}
	if p.Draft {
		add(BlockedDraft, "it is a draft; say that it is ready first")
	}
	switch s := p.Standing; {
	case s.Ahead == 0:
		add(BlockedNothing, "%s has all of it already", p.Target)
	case s.Base == "":
		add(BlockedConflicts, "%s and %s have no commit in common", p.Source, p.Target)
	case len(s.Conflicts) > 0:
		shown := s.Conflicts[:min(5, len(s.Conflicts))]
		add(BlockedConflicts, "%s changed the same in %s%s; bring %s into %s and settle that", p.Target, strings.Join(shown, ", "), more(len(s.Conflicts)-len(shown)), p.Target, p.Source)
	case f.Demand.UpToDate && s.Behind > 0:
		add(BlockedBehind, "%s is %d commits ahead; bring it into %s first", p.Target, s.Behind, p.Source)
	}
	// Of conflicts the trial merge here tells: a forge that did not look yet says that there are some. It refuses what it finds.
	if t := p.There; t != nil && t.Mergeable == forge.MergeBlocked && !p.Draft {
		out = append(out, Blocker{BlockedForge, "the forge's own rules are in the way; see " + t.URL, true})
	}
	approving, refusing := standingVerdicts(f)
	if len(refusing) > 0 {
		add(BlockedRefused, "changes are asked for by %d of the reviewers", len(refusing))
	}
	if missing := f.Demand.Approvals - len(approving); missing > 0 {
		add(BlockedApprovals, "%d of %d approvals are missing, by people who did not write it", missing, f.Demand.Approvals)
	}
	for _, o := range f.Owners {
		if o.Optional || o.Approved() {
			continue
		}
		shown := o.Files[:min(3, len(o.Files))]
		many := ""
		if o.Needs > 1 {
			many = fmt.Sprintf("%d of ", o.Needs)
		}
		add(BlockedOwners, "%s%s must approve %s%s", many, strings.Join(o.Owners, " or "), strings.Join(shown, ", "), more(len(o.Files)-len(shown)))
	}
	for _, name := range f.Demand.Checks {
		i := slices.IndexFunc(f.Checks, func(c Check) bool { return c.Name == name })
		switch {
		case i < 0:
			out = append(out, Blocker{BlockedCheck, "the check " + name + " has not begun", true})
		case f.Checks[i].State == CheckPending:
			out = append(out, Blocker{BlockedCheck, "the check " + name + " is running", true})
		case f.Checks[i].State != CheckPassed:
			add(BlockedCheck, "the check %s failed", name)
		}
	}
	if f.Demand.Talks && f.Open > 0 {
		add(BlockedTalks, "%d talks about lines are not settled", f.Open)
	}
	return out
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// standingVerdicts gives who approves and who refuses now: each person's newest verdict counts. An approval of an
// earlier head counts where the rules let it; a refusal stands until its author says otherwise.
func standingVerdicts(f Facts) (approving, refusing []string) {
	newest := map[string]Review{}
	var order []string
	for _, r := range f.Reviews {
		if r.Verdict == Commented || r.Author == "" || slices.Contains(f.Mute, r.Author) {
			continue
		}
		if _, ok := newest[r.Author]; !ok {
			order = append(order, r.Author)
		}
		newest[r.Author] = r
	}
	for _, who := range order {
		switch r := newest[who]; {
		case r.Verdict == Refused:
			refusing = append(refusing, who)
		case slices.Contains(f.Authors, who):
		case r.Head == f.Proposal.Head || !f.Demand.Fresh:
			approving = append(approving, who)
		}
	}
	return approving, refusing
}

// ways gives how a proposal may be merged.
func (d Demand) ways() []string {
	if len(d.Ways) == 0 {
		return []string{git.MergeCommit, git.MergeSquash, git.MergeRebase}
	}
	return d.Ways
}
