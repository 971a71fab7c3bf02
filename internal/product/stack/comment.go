package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Comments on a proposal command its stacks: /roadbed plan, apply, discard, cancel. The room of proposals keeps each command
// once, with who gave it, and passes it on by the ledger; it is carried out as that person, with their rights in the spaces
// of the stacks, and answered there. A command that is carried out twice does the same once: its runs have its key.

const jobCommand = "stack.command"

// CommandNames are the words that comments begin with. The others are what people say to Atlantis and to Spacelift.
func CommandNames() []string { return []string{"roadbed", "atlantis", "spacelift"} }

// What the help of commands says.
const (
	CommandArguments = "plan|apply|discard|cancel|help [-stack NAME]"
	CommandHelp      = "plan: what it would do to its stacks, or to the one named; apply, discard: confirm or discard what its merge brings; cancel: stop its plans"
)

// verbs gives what is said, in the words of several tools.
func verbs() map[string]string {
	return map[string]string{
		"plan": "plan", "propose": "plan", "preview": "plan", "apply": "apply", "deploy": "apply", "confirm": "apply",
		"discard": "discard", "cancel": "cancel", "unlock": "unlock", "help": "help",
	}
}

// commandArgs is a command that was passed on.
type commandArgs struct {
	Comment    string `json:"comment"`
	Ordinal    int    `json:"ordinal"`
	Name       string `json:"name"`
	Arguments  string `json:"arguments"`
	State      string `json:"state,omitempty"`
	Head       string `json:"head"`             // of the proposal as the comment was read
	Unseen     bool   `json:"unseen,omitempty"` // that head may be newer than the comment
	Repository string `json:"repository"`
	Number     int    `json:"number"`
}

// commanded takes over what comments command of stacks.
func (s *Service) commanded(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var a commandArgs
	if err := json.Unmarshal(e.Data, &a); err != nil || a.State != "passed" || s.Proposals == nil || !slices.Contains(CommandNames(), a.Name) {
		return nil
	}
	return s.Queue.Insert(ctx, tx, jobCommand, a, queue.InsertOptions{Unique: fmt.Sprintf("%s:%d", a.Comment, a.Ordinal)})
}

// asked is a command that was understood.
type asked struct {
	verb    string
	stacks  []string // references
	folders []string
}

// parseAsked reads what follows the word.
func parseAsked(text string) (a asked, err error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return asked{verb: "help"}, nil
	}
	verb, known := verbs()[strings.ToLower(fields[0])]
	if !known {
		return a, fault.Errorf(fault.Invalid, "%.100q is unknown; say %s", fields[0], CommandArguments)
	}
	a.verb = verb
	for rest := fields[1:]; len(rest) > 0; {
		name, value, joined := strings.Cut(rest[0], "=")
		rest = rest[1:]
		into := &a.stacks
		switch name {
		case "-stack", "--stack", "-s", "-p", "--project":
		case "-d", "--dir":
			into = &a.folders
		default:
			if strings.HasPrefix(name, "-") || joined {
				return a, fault.Errorf(fault.Invalid, "%.100q is unknown; only -stack NAME can be said, since what the engine is told is the stack's own", name)
			}
			value, joined = name, true // a stack's name alone
		}
		if !joined {
			if len(rest) == 0 {
				return a, fault.Errorf(fault.Invalid, "%s needs a value", name)
			}
			value, rest = rest[0], rest[1:]
		}
		if into == &a.stacks {
			r, err := ref.Parse(value, "stack", ref.DefaultNamespace)
			if err != nil || r.Kind != "stack" {
				return a, fault.Errorf(fault.Invalid, "%.200q is not the name of a stack", value)
			}
			value = r.String()
		} else if value = strings.Trim(value, "/"); value == "." {
			value = ""
		}
		*into = append(*into, value)
	}
	if len(a.stacks)+len(a.folders) > 50 {
		return a, fault.Errorf(fault.Invalid, "a command names at most 50 stacks")
	}
	return a, nil
}

// names tells whether a command means a stack: it names it, or none at all.
func (a asked) names(stack Stack) bool {
	return !a.some() || slices.Contains(a.stacks, stack.Ref.String()) || slices.Contains(a.folders, stack.Path)
}

func (a asked) some() bool { return len(a.stacks)+len(a.folders) > 0 }

// obey carries a command out, and answers it.
func (s *Service) obey(ctx context.Context, a commandArgs) error {
	who, err := s.Proposals.Commander(ctx, a.Comment, a.Ordinal)
	if fault.Is(err, fault.NotFound) {
		return nil // it is answered
	}
	var said []string
	if err == nil {
		said, err = s.carryOut(actor.With(ctx, who), a)
	}
	if fault.Is(err, fault.Internal) || fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Canceled) {
		return err // the queue tries again
	}
	text := strings.Join(said, "; ")
	if err != nil {
		text = fault.Message(err)
	}
	return ignoreGone(s.Proposals.Answer(asSystem(ctx), a.Comment, a.Ordinal, err == nil, text))
}

// carryOut does as the caller what a comment says.
func (s *Service) carryOut(ctx context.Context, a commandArgs) ([]string, error) {
	what, err := parseAsked(a.Arguments)
	if err != nil {
		return nil, err
	}
	switch what.verb {
	case "help":
		return []string{CommandArguments + ": " + CommandHelp}, nil
	case "unlock":
		return []string{"nothing is to be unlocked: plans of a proposal hold no lock; that of a state is freed on the stack's page"}, nil
	}
	p, err := s.Proposals.ProposalFacts(ctx, a.Repository, a.Number)
	if err != nil {
		return nil, err
	}
	do := map[string]func(context.Context, commandArgs, asked, ProposalFacts) (results, error){"plan": s.doPlan, "apply": s.doApply, "discard": s.doDiscard, "cancel": s.doCancel}
	done, err := do[what.verb](ctx, a, what, p)
	if err != nil {
		return nil, err
	}
	return done.all()
}

// results are what became of a command, of each stack.
type results struct {
	said    []string
	refused int
	first   error
}

// add notes what became of it for a stack; it gives what the queue has to try again.
func (r *results) add(stack, done string, err error) error {
	if fault.Is(err, fault.Internal) || fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Canceled) {
		return err
	}
	if err != nil {
		if done, r.refused = fault.Message(err), r.refused+1; r.first == nil {
			r.first = err
		}
	}
	r.said = append(r.said, stackName(stack)+": "+done)
	return nil
}

// all gives the answer; an error when it was refused for each stack.
func (r *results) all() ([]string, error) {
	if r.refused > 0 && r.refused == len(r.said) {
		return nil, fault.Errorf(fault.KindOf(r.first), "%s", strings.Join(r.said, "; "))
	}
	return r.said, nil
}

// doPlan starts proposed runs at the head, of the stacks that are named, or those that the proposal touches or had plans of.
func (s *Service) doPlan(ctx context.Context, a commandArgs, what asked, p ProposalFacts) (done results, err error) {
	switch {
	case p.State != "open":
		return done, fault.Errorf(fault.Conflict, "it is %s; there is nothing to plan of it any more", p.State)
	case p.Fork && (a.Unseen || a.Head != p.Head):
		return done, fault.Errorf(fault.Conflict, "it comes from a fork, and its head %.8s may be newer than what was said; look at that, and say it again", p.Head)
	}
	var stacks []Stack
	var known map[string]preview
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if stacks, err = stacksOn(ctx, tx, a.Repository, p.Target); err == nil {
			known, err = previewsOf(ctx, tx, a.Repository, a.Number)
		}
		return err
	})
	if err != nil {
		return done, err
	}
	touched, err := s.touchedBy(ctx, a.Repository, p)
	if err != nil {
		return done, err
	}
	for _, stack := range stacks {
		if _, had := known[stack.Ref.String()]; !what.names(stack) || !what.some() && !had && !touched(stack) {
			continue
		}
		id, err := s.planFor(ctx, stack, a, p)
		if err := done.add(stack.Ref.String(), "run "+id, err); err != nil {
			return done, err
		}
	}
	if len(done.said) == 0 {
		return done, fault.Errorf(fault.Conflict, "no such stack follows %s of %s and is touched by what this changes", p.Target, a.Repository)
	}
	return done, nil
}

// planFor starts a proposed run of a stack as the caller, who may do so there.
func (s *Service) planFor(ctx context.Context, stack Stack, a commandArgs, p ProposalFacts) (id string, err error) {
	if _, err := s.begins(ctx, stack.Ref, Proposed); err != nil {
		return "", err
	}
	if err := s.mayRead(ctx, stack); err != nil {
		return "", err
	}
	if err := s.mayBegin(ctx, stack, Proposed, p.Head, ""); err != nil {
		return "", err
	}
	const tries = 3
	for range tries {
		if id, err = s.planOnce(ctx, stack, a, p); !fault.Is(err, fault.Conflict) {
			break // else what was prepared moved
		}
	}
	return id, err
}

func (s *Service) planOnce(ctx context.Context, stack Stack, a commandArgs, p ProposalFacts) (id string, err error) {
	ready, err := s.prepare(ctx, stack, p.Head)
	if err != nil {
		return "", err
	}
	latest, err := s.Proposals.ProposalFacts(ctx, a.Repository, a.Number)
	if err != nil {
		return "", err
	}
	if latest.Head != p.Head || latest.State != p.State {
		return "", fault.Errorf(fault.Stale, "its head is %.8s by now; say it again", latest.Head)
	}
	return id, s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate())
		if err != nil {
			return err
		}
		if err := now.standsIn(stack.Space); err != nil {
			return err
		}
		key := fmt.Sprintf("stack-command:%s:%d:%s:%s", a.Comment, a.Ordinal, stack.Ref, p.Head)
		r, _, err := s.start(ctx, tx, now, Proposed, p.Head, key, "", ready, func(n *run.New, in *Input) {
			in.Proposal = fmt.Sprintf("%s#%d", a.Repository, a.Number)
			if strings.HasPrefix(p.Ref, "refs/") {
				n.Source.Ref = p.Ref
			}
		})
		if err != nil {
			return err
		}
		row, err := getPreview(ctx, tx, a.Repository, a.Number, stack.Ref.String())
		if err != nil {
			return err
		}
		id = r.ID
		return s.keepPreview(ctx, tx, row, p.Head, r.ID)
	})
}

// merges gives how the stacks stand that a command means, of a proposal that is merged.
func (s *Service) merges(ctx context.Context, a commandArgs, what asked, p ProposalFacts, verb string) ([]Standing, error) {
	if p.State != "merged" {
		return nil, fault.Errorf(fault.Conflict, "it is %s: what changes infrastructure is on %s, so merge it first; then /roadbed %s is for the run of its merge", p.State, p.Target, verb)
	}
	all, err := s.meant(ctx, a, what)
	all = slices.DeleteFunc(all, func(w Standing) bool { return w.Applied == nil })
	if err == nil && len(all) == 0 {
		err = fault.Errorf(fault.Conflict, "no stack has a run at %.8s, which merged it; look at the stack's page for what came later", p.Merge)
	}
	return all, err
}

// meant gives how the stacks of a proposal stand that a command means.
func (s *Service) meant(ctx context.Context, a commandArgs, what asked) ([]Standing, error) {
	all, err := s.standings(ctx, a.Repository, a.Number)
	if err != nil || !what.some() {
		return all, err
	}
	folders := map[string]string{} // by stack
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		for _, w := range all {
			r, err := ref.Parse(w.Stack, "stack", ref.DefaultNamespace)
			if err != nil {
				return err
			}
			stack, err := getStack(ctx, tx, r, "")
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			folders[w.Stack] = stack.Path
		}
		return nil
	})
	return slices.DeleteFunc(all, func(w Standing) bool {
		return !slices.Contains(what.stacks, w.Stack) && !slices.Contains(what.folders, folders[w.Stack])
	}), err
}

// doApply confirms the runs at the commit that merged the proposal.
func (s *Service) doApply(ctx context.Context, a commandArgs, what asked, p ProposalFacts) (done results, err error) {
	all, err := s.merges(ctx, a, what, p, "apply")
	if err != nil {
		return done, err
	}
	for _, w := range all {
		r, said, err := w.Applied, "", error(nil)
		switch r.State {
		case unconfirmed:
			said, err = "confirmed run "+r.ID, s.Confirm(ctx, r.ID, "by comment")
		case confirmed, applying:
			said = "run " + r.ID + " is confirmed"
		case finished:
			said = "run " + r.ID + " is finished"
		default:
			err = fault.Errorf(fault.Conflict, "run %s is %s; it is confirmed when it waits for that", r.ID, r.State)
		}
		if err := done.add(w.Stack, said, err); err != nil {
			return done, err
		}
	}
	return done, nil
}

// doDiscard ends them instead.
func (s *Service) doDiscard(ctx context.Context, a commandArgs, what asked, p ProposalFacts) (done results, err error) {
	all, err := s.merges(ctx, a, what, p, "discard")
	if err != nil {
		return done, err
	}
	for _, w := range all {
		said, err := "discarded run "+w.Applied.ID, error(nil)
		if w.Applied.State != discarded {
			err = s.Discard(ctx, w.Applied.ID, "by comment")
		}
		if err := done.add(w.Stack, said, err); err != nil {
			return done, err
		}
	}
	return done, nil
}

// doCancel stops the plans of a proposal.
func (s *Service) doCancel(ctx context.Context, a commandArgs, what asked, _ ProposalFacts) (done results, err error) {
	all, err := s.meant(ctx, a, what)
	if err != nil {
		return done, err
	}
	for _, w := range all {
		r := w.Run
		if r == nil || r.Terminal && !r.CancelRequested {
			continue
		}
		err := error(nil)
		if !r.CancelRequested {
			err = s.Runs.Cancel(ctx, r.ID)
		}
		if err := done.add(w.Stack, "canceled run "+r.ID, err); err != nil {
			return done, err
		}
	}
	if len(done.said) == 0 {
		return done, fault.Errorf(fault.Conflict, "no plan of it is under way")
	}
	return done, nil
}

// ForProposal gives how the stacks of a proposal stand, by reference, as far as the caller may see them: run:read in the
// space of a run, stack:read in that of a stack without one. Who may see the proposal is the caller's to ask.
func (s *Service) ForProposal(ctx context.Context, repository string, number int) ([]Standing, error) {
	all, err := s.standings(ctx, repository, number)
	if err != nil {
		return nil, err
	}
	spaces := map[string]string{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		for _, w := range all {
			r, err := ref.Parse(w.Stack, "stack", ref.DefaultNamespace)
			if err != nil {
				return err
			}
			stack, err := getStack(ctx, tx, r, "")
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			spaces[w.Stack] = stack.Space
		}
		return nil
	})
	return slices.DeleteFunc(all, func(w Standing) bool {
		if r := w.Current(); r != nil {
			return !s.Access.May(ctx, "run:read", r.Space)
		}
		return spaces[w.Stack] == "" || !s.Access.May(ctx, "stack:read", spaces[w.Stack])
	}), err
}
