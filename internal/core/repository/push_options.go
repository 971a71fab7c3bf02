package repository

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The options of a push (git push -o NAME or NAME=VALUE) that mean something.
const (
	OptionSkip      = "ci.skip"                   // no workflow is started for what is pushed
	OptionPropose   = "proposal.create"           // a proposal of the branch is opened; each of those below asks for one too
	OptionTarget    = "proposal.target"           // the branch that it is to be merged into
	OptionTitle     = "proposal.title"            // of the proposal
	OptionDraft     = "proposal.draft"            // it is not to be merged yet
	OptionWhenGreen = "proposal.merge-when-green" // it is merged as soon as nothing is in the way
	OptionMissing   = "lfs.allow-missing"         // pointers of Git LFS may lead nowhere
	OptionSecrets   = "secrets.allow"             // what looks like a secret is let through, for the reason that is its value
)

// takesValue tells of each option whether it needs a value.
func takesValue() map[string]bool {
	return map[string]bool{OptionSkip: false, OptionPropose: false, OptionTarget: true, OptionTitle: true, OptionDraft: false, OptionWhenGreen: false,
		OptionMissing: false, OptionSecrets: true}
}

// readOptions gives the options of a push by name. Those that mean nothing here are left out and told with say; a value
// that is missing, too many or not fit refuses the push.
func readOptions(in git.Incoming) (map[string]string, error) {
	known := takesValue()
	options := map[string]string{}
	for _, option := range in.Options {
		name, value, has := strings.Cut(strings.ToValidUTF8(option, ""), "=")
		wants, ok := known[name]
		switch {
		case !ok:
			in.Say("the option %q means nothing here and was ignored; there are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			continue
		case wants && strings.TrimSpace(value) == "":
			return nil, fault.Errorf(fault.Invalid, "the option %s needs a value: git push -o %s=VALUE", name, name)
		case !wants && has && value != "true":
			return nil, fault.Errorf(fault.Invalid, "the option %s takes no value: git push -o %s", name, name)
		}
		if !wants {
			value = ""
		}
		options[name] = strings.TrimSpace(value)
	}
	if !asksForProposal(options) {
		return options, nil
	}
	if target, ok := options[OptionTarget]; ok {
		if err := git.CheckBranch(target); err != nil {
			return nil, err
		}
	}
	if len(options[OptionTitle]) > 250 {
		return nil, fault.Errorf(fault.TooLarge, "the title of a proposal has at most 250 bytes")
	}
	branches := 0
	for _, u := range in.Updates {
		if strings.HasPrefix(u.Ref, "refs/heads/") && !u.Deletes() {
			branches++
		}
	}
	if branches != 1 {
		return nil, fault.Errorf(fault.Invalid, "a push with options of a proposal pushes one branch, this one %d", branches)
	}
	return options, nil
}

func asksForProposal(options map[string]string) bool {
	for name := range options {
		if strings.HasPrefix(name, "proposal.") {
			return true
		}
	}
	return false
}

// SkipsRuns tells whether whoever pushed asked for no workflow.
func (p Push) SkipsRuns() bool { _, skips := p.Options[OptionSkip]; return skips }

// Proposes tells whether whoever pushed asked for a proposal of the branch.
func (p Push) Proposes() bool { return asksForProposal(p.Options) }

// invite tells whoever makes a branch where a proposal of it can be opened.
func (s *Service) invite(r Repository, in git.Incoming, options map[string]string) {
	if s.portal == "" || r.Head == "" || asksForProposal(options) {
		return
	}
	var lines []string
	for _, u := range in.Updates {
		branch, ok := strings.CutPrefix(u.Ref, "refs/heads/")
		if ok && u.Creates() && branch != r.DefaultBranch {
			lines = append(lines, fmt.Sprintf("%s/repositories/%s/propose?source=%s", s.portal, r.FullName(), url.QueryEscape(branch)))
		}
	}
	if len(lines) == 0 || len(lines) > 5 { // a mirror, or a first push of everything
		return
	}
	in.Say("open a proposal of what you have pushed at:")
	for _, line := range lines {
		in.Say("  %s", line)
	}
}

// Portal says below which address people see the repositories; whoever pushes is told of it.
func (s *Service) Portal(address string) { s.portal = strings.TrimSuffix(address, "/") }
