package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Push policies say what a push, a tag or a proposal does for a stack. Where none holds, a push to the stack's branch that
// touches its folder starts a tracked run, and nothing else does anything.

const jobPush = "stack.push"

// pushArgs is one event beside the stack's branch.
type pushArgs struct {
	Stack    string `json:"stack"`
	Ref      string `json:"ref,omitempty"` // refs/heads/… or refs/tags/…; "" for a proposal
	Old      string `json:"old,omitempty"`
	New      string `json:"new,omitempty"`
	Pusher   string `json:"pusher,omitempty"`
	Proposal int    `json:"proposal,omitempty"` // number
	Event    string `json:"event,omitempty"`    // what happened to the proposal, as Spacelift calls it
	Touched  bool   `json:"touched,omitempty"`  // the proposal changes something of the stack

}

// ProposalFacts is what push policies see of a proposal.
type ProposalFacts struct {
	Title, Author, Source, Target, Head, Base, State string
	Draft, Approved, Mergeable, Undiverged           bool
	Labels                                           []string

	Common string // commit that head and target have in common; "" for none
	Merge  string // commit that merged it; "" as long as it is not
	Ref    string // by which git knows the head
	Fork   bool   // its source is in another repository
}

// effect is what a push does for a stack.
type effect struct {
	Track, Propose, NoTrigger, Prioritize, Fail bool
	AllowFork, Notify                           bool

	Message      string
	Cancel       []string // runs
	Lock, Unlock string   // by whose key
	Wait         []string // for what outside, before the run may begin
	Decision     string   // its id; "" when no policy was asked
}

// kind gives the type of the run that is to be started; "" for none.
func (e effect) kind() string {
	switch {
	case e.Track && e.NoTrigger:
	case e.Track:
		return Tracked
	case e.Propose:
		return Proposed
	}
	return ""
}

func (s *Service) subscribePushes() {
	queue.Handle(s.Queue, jobPush, queue.HandleOptions{Timeout: lookTimeout}, s.pushedBeside)
	s.subscribePreviews()
	s.subscribeFeedback()
	s.Ledger.Subscribe("stack.proposals", []string{"proposal.opened", "proposal.pushed", "proposal.reopened", "proposal.edited", "proposal.reviewed", "proposal.closed", "proposal.merged"}, s.proposed)
}

// beside asks for a decision on a push that is not to the branch of a stack, for each stack of the repository. Without a
// push policy it does nothing.
func (s *Service) beside(ctx context.Context, tx *store.Tx, repository string, args pushArgs) error {
	if any, err := s.Policy.AnyTx(ctx, tx, "push"); err != nil || !any {
		return err
	}
	rows, err := tx.Query(ctx, "SELECT "+stackColumns+" FROM stacks WHERE deleted = 0 AND repository = $1", repository)
	stacks, err := store.Collect(rows, err, scanStack)
	if err != nil {
		return fault.Wrap(err, "find the stacks of %s", repository)
	}
	for _, stack := range stacks {
		if args.Ref == "refs/heads/"+stack.Branch {
			continue // it is looked at on its own
		}
		args.Stack = stack.Ref.String()
		key := fmt.Sprintf("%s %s", args.Stack, args.Ref+args.New)
		if err := s.Queue.Insert(ctx, tx, jobPush, args, queue.InsertOptions{Unique: key}); err != nil {
			return err
		}
	}
	return nil
}

// proposed asks for a decision on what happened to a proposal.
func (s *Service) proposed(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	a, ok := toldOf(e.Data)
	if !ok || s.Proposals == nil {
		return nil // not of a proposal as they are told of here
	}
	a.Event, a.Pusher = strings.TrimPrefix(e.Type, "proposal."), e.Actor
	switch a.Event {
	case "pushed":
		a.Event = "synchronize"
	case "edited":
		a.Event = editedAs(e.Data)
	}
	if matters, err := s.matters(ctx, tx, a); err != nil || !matters {
		return err
	}
	return s.Queue.Insert(ctx, tx, jobProposal, a, queue.InsertOptions{Unique: e.ID})
}

// editedAs names an edit of a proposal as Spacelift does: of labels alone it is labeled or unlabeled.
func editedAs(data json.RawMessage) string {
	var edit struct {
		Fields  []string `json:"fields"`
		Labeled bool     `json:"labeled"`
	}
	switch err := json.Unmarshal(data, &edit); {
	case err != nil || !slices.Equal(edit.Fields, []string{"labels"}):
		return "edited"
	case edit.Labeled:
		return "labeled"
	}
	return "unlabeled"
}

// pushedBeside decides on an event that is not a push to the stack's branch, and does what is decided.
func (s *Service) pushedBeside(ctx context.Context, args pushArgs) error {
	ctx = asSystem(ctx)
	r, err := ref.Parse(args.Stack, "stack", ref.DefaultNamespace)
	if err != nil {
		return err
	}
	var stack Stack
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		stack, err = getStack(ctx, tx, r, "")
		return err
	})
	if fault.Is(err, fault.NotFound) || stack.Deleted {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.mayRead(ctx, stack); err != nil {
		return s.say(ctx, stack, err)
	}
	var about *ProposalFacts
	if args.Proposal > 0 {
		p, err := s.Proposals.ProposalFacts(ctx, stack.Repository, args.Proposal)
		if fault.Is(err, fault.NotFound) || err == nil && p.Target != stack.Branch {
			return nil
		}
		if err != nil {
			return err
		}
		about = &p
		args.Ref, args.Old, args.New = p.Ref, p.since(), p.Head
	}
	usual := effect{Propose: about != nil && about.State == "open" && args.Touched}
	e, err := s.effectOf(ctx, stack, args, about, usual)
	if about != nil && about.State != "open" { // what is closed or merged has no preview, whatever a policy says of it
		e.Propose = false
	}
	if err != nil || e.Decision == "" && e.kind() == "" {
		return err
	}
	why := s.forFork(stack, e, about) // a proposal is not planned
	if why != "" {
		e.Track, e.Propose, e.Message = false, false, why
	}
	if e.Track {
		if on, err := s.onBranch(ctx, stack, args.New); err != nil || !on {
			e.Track = false
			e.Message = fmt.Sprintf("a push policy tracks %s, which is not on branch %s, that %s follows; merge it first", args.New, stack.Branch, stack.Ref)
		}
	}
	if kind := e.kind(); kind != "" {
		if err := s.mayBegin(ctx, stack, kind, args.New, ""); fault.Is(err, fault.Denied) {
			if e.Message = fault.Message(err); kind == Proposed && about != nil {
				why = e.Message
			}
			e.Track, e.Propose = false, false
		} else if err != nil {
			return err
		}
	}
	ready, err := s.prepare(ctx, stack, args.New)
	if err != nil {
		return err
	}
	if about != nil { // a newer head may have come while this was prepared
		now, err := s.Proposals.ProposalFacts(ctx, stack.Repository, args.Proposal)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if now.Head != about.Head || now.State != about.State || now.Target != about.Target {
			return queue.Again(0)
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := getStack(ctx, tx, r, tx.ForUpdate())
		if err != nil || now.Deleted {
			return err
		}
		if why != "" {
			if err := s.noPreview(ctx, tx, now, args, why); err != nil {
				return err
			}
		}
		switch {
		case e.Decision != "":
			return s.takeEffect(ctx, tx, now, e, args, ready)
		case e.kind() != "":
			_, _, err = s.startOf(ctx, tx, now, e.kind(), e, args, ready)
		}
		return err
	})
}

// effectBy reads a decision as Spacelift does: ignore wins, track goes before propose, and what no rule speaks of is
// ignored. What is denied, or can't be decided, does nothing.
func effectBy(d policy.Decision) effect {
	e := effect{
		Track: d.Holds("track") && !d.Holds("ignore_track"), Propose: d.Holds("propose"), NoTrigger: d.Holds("notrigger"),
		Prioritize: d.Holds("prioritize"), Fail: d.Holds("fail"), Message: strings.Join(d.Names("message"), "; "),
		AllowFork: d.Holds("allow_fork"), Notify: d.Holds("notify"),
		Cancel: d.Names("cancel"), Wait: d.Names("external_dependency"), Decision: d.ID,
	}
	if keys := d.Names("lock"); len(keys) > 0 {
		e.Lock = keys[0]
	}
	if keys := d.Names("unlock"); len(keys) > 0 {
		e.Unlock = keys[0]
	}
	if e.Track {
		e.Propose = false
	}
	switch {
	case d.Denied():
		e.Track, e.Propose, e.Fail = false, false, true
		e.Message = "a push policy denies: " + strings.Join(d.Outcome["deny"], "; ")
	case d.Holds("ignore"):
		e.Track, e.Propose = false, false
	case (e.Track || e.Propose) && checkExternal(e.Wait) != "":
		e.Track, e.Propose = false, false
		e.Message = checkExternal(e.Wait)
		e.Notify = false
	}
	e.Notify = e.Notify && e.kind() == "" // of what the policy itself leaves out: what the platform withholds has not passed
	return e
}

// takeEffect does what is decided for a push, in the transaction in which the stack's row is held.
func (s *Service) takeEffect(ctx context.Context, tx *store.Tx, stack Stack, e effect, args pushArgs, ready prepared) error {
	var started string
	held, err := s.pushLock(ctx, tx, stack, e)
	if err != nil {
		return err
	}
	if held != "" {
		e.Track, e.Propose = false, false
		e.Message = fmt.Sprintf("a push policy asks for the lock %q, and %s is locked by %q", e.Lock, stack.Ref, held)
	}
	kind := e.kind()
	if kind != "" {
		var why string
		if started, why, err = s.startOf(ctx, tx, stack, kind, e, args, ready); err != nil {
			return err
		}
		e.Message = orWord(why, e.Message)
	}
	if started != "" {
		if err := s.cancelFor(ctx, tx, stack, kind, started, e.Cancel); err != nil {
			return err
		}
	}
	if err := s.ofDecision(ctx, tx, stack, e, args, started); err != nil {
		return err
	}
	waits := []string{}
	if started != "" {
		waits = append(waits, e.Wait...)
	}
	data, err := json.Marshal(map[string]any{
		"decision": e.Decision, "commit": args.New, "ref": args.Ref, "proposal": args.Proposal, "run": started, "message": clip(e.Message), "fail": e.Fail, "external": waits,
	})
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Type: "stack.push-decided", Space: stack.Space, Subject: stack.Ref.String(), Run: started, Data: data})
	if err != nil || e.Message == "" {
		return err
	}
	return s.sayTx(ctx, tx, stack.Ref, clip(e.Message))
}

// clip bounds what a policy says.
func clip(text string) string {
	if len(text) <= 1000 {
		return text
	}
	return strings.ToValidUTF8(text[:1000], "") + "…"
}

// startPushed starts a run of a push, unless there is one of this commit and type already.
func (s *Service) startPushed(ctx context.Context, tx *store.Tx, stack Stack, kind string, e effect, args pushArgs, ready prepared) (string, error) {
	key := pushKey(stack, args.New, kind)
	if args.Ref == "refs/heads/"+stack.Branch { // a branch may come back to a commit that it had left
		last, err := s.previous(ctx, tx, stack.Ref.String(), stack.Space, "")
		if err != nil {
			return "", err
		}
		if last != nil && kind == Tracked && last.Source.Commit == args.New && last.Created.After(stack.Updated) {
			return last.ID, nil
		}
		key = fmt.Sprintf("stack:%s:%s:%s:%d:%s", stack.Ref, args.New, args.Old, store.Micros(stack.Updated), kind)
	}
	r, _, err := s.startOne(ctx, tx, stack, args, key, func() (run.Run, bool, error) {
		return s.start(ctx, tx, stack, kind, args.New, key, args.Pusher, ready, func(n *run.New, in *Input) {
			in.External = e.Wait
			if e.Prioritize {
				n.Priority = prioritized
			}
			if strings.HasPrefix(args.Ref, "refs/") {
				n.Source.Ref = args.Ref
			}
		})
	})
	return r.ID, err
}

// prioritized is the priority of runs that a push policy puts before others.
const prioritized = 10

// cancelFor cancels what a new run takes the place of: open runs of the same type that nobody works on.
func (s *Service) cancelFor(ctx context.Context, tx *store.Tx, stack Stack, kind, started string, named []string) error {
	if len(named) == 0 {
		return nil
	}
	if r, err := s.Runs.GetTx(ctx, tx, started); err != nil || r.Terminal { // what has failed at once takes no place
		return err
	}
	open, err := s.inProgress(ctx, tx, stack)
	if err != nil {
		return err
	}
	for _, r := range open {
		var in Input
		if r.ID == started || !slices.Contains(named, r.ID) || json.Unmarshal(r.Input, &in) != nil || in.Type != kind {
			continue
		}
		if err := s.Runs.CancelTx(ctx, tx, r.ID); err != nil && !fault.Is(err, fault.Conflict) {
			return fault.Wrap(err, "cancel run %s", r.ID)
		}
	}
	return nil
}

// inProgress gives the runs of a stack that a push may take the place of.
func (s *Service) inProgress(ctx context.Context, tx *store.Tx, stack Stack) ([]run.Run, error) {
	page, err := s.Runs.ListTx(ctx, tx, run.Query{
		Kinds: []string{RunKind}, Spaces: []string{stack.Space}, Subject: stack.Ref.String(), Open: true, States: []string{queued, ready, unconfirmed}, Limit: 200,
	})
	return page.Runs, err
}

// pushLock takes or gives back the lock of push policies, and gives whose it is when another holds it.
func (s *Service) pushLock(ctx context.Context, tx *store.Tx, stack Stack, e effect) (held string, err error) {
	if e.Lock == "" && e.Unlock == "" {
		return "", nil
	}
	if err := tx.QueryRow(ctx, "SELECT push_lock FROM stacks WHERE ref = $1", stack.Ref.String()).Scan(&held); err != nil {
		return "", err
	}
	next := held
	if e.Unlock != "" && e.Unlock == held {
		next = ""
	}
	if e.Lock != "" && next != "" && next != e.Lock {
		return next, nil
	}
	if e.Lock != "" {
		next = e.Lock
	}
	if next == held {
		return "", nil
	}
	_, err = tx.Exec(ctx, "UPDATE stacks SET push_lock = $2 WHERE ref = $1", stack.Ref.String(), clip(next))
	return "", fault.Wrap(err, "keep the lock of %s", stack.Ref)
}

// pushInput is Spacelift's shape of a push policy's input.
func (s *Service) pushInput(ctx context.Context, stack Stack, args pushArgs, about *ProposalFacts, files []string) (any, error) {
	var open []run.Run
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		open, err = s.inProgress(ctx, tx, stack)
		return err
	})
	if err != nil {
		return nil, err
	}
	of, err := s.stackSeen(ctx, stack, nil)
	if err != nil {
		return nil, err
	}
	progress := make([]any, len(open))
	for i, r := range open {
		progress[i] = s.runBrief(ctx, r)
	}
	push := s.commitInput(ctx, stack.Repository, branchOf(args.Ref), args.New, args.Pusher)
	push["tag"], _ = strings.CutPrefix(args.Ref, "refs/tags/")
	if push["tag"] == args.Ref {
		push["tag"] = ""
	}
	push["affected_files"] = texts(files)
	in := map[string]any{"push": push, "stack": of, "in_progress": progress, "pull_request": nil, "request": map[string]any{"timestamp_ns": s.Now().UnixNano()}}
	if about != nil {
		in["pull_request"] = proposalInput(args, *about, push)
	}
	return in, nil
}

func proposalInput(args pushArgs, p ProposalFacts, push map[string]any) map[string]any {
	action := args.Event
	return map[string]any{
		"id": args.Proposal, "action": action, "action_initiator": args.Pusher, "title": p.Title, "author": p.Author, "draft": p.Draft,
		"closed": p.State != "open", "approved": p.Approved, "mergeable": p.Mergeable, "undiverged": p.Undiverged, "labels": texts(p.Labels), "head_owner": p.owner(),
		"diff": push["affected_files"], "head": push, "base": map[string]any{"branch": p.Target, "hash": p.Base},
	}
}

// onBranch tells whether a commit is on the branch that a stack follows.
func (s *Service) onBranch(ctx context.Context, stack Stack, commit string) (bool, error) {
	head, err := s.Repositories.Head(ctx, stack.Repository, stack.Branch)
	if err != nil {
		return false, err
	}
	return s.Repositories.IsAncestor(ctx, stack.Repository, commit, head)
}
