package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A proposal into a stack's branch that touches its folder has a proposed run at its head, which takes the place of one
// at an older head. Push policies may decide otherwise. What a fork brings is planned only where a push policy says
// allow_fork, or when somebody who may plan asks for this very head: a plan runs what the configuration says.

const (
	jobProposal = "stack.proposal"
	jobSayCheck = "stack.say-check"
)

// proposalArgs is what happened to a proposal.
type proposalArgs struct {
	Repository string `json:"repository"`
	Number     int    `json:"number"`
	Event      string `json:"event"`
	Pusher     string `json:"pusher,omitempty"`
}

// preview is what a proposal has of a stack: the run at its newest head, or why there is none.
type preview struct {
	Repository string
	Number     int
	Stack      string
	Head       string
	Run        string // "" for none
	Why        string // there is none
	Merged     string // commit that merged the proposal; "" while it is not merged
	Turn       int64  // how often it changed
}

func (s *Service) subscribePreviews() {
	queue.Handle(s.Queue, jobProposal, queue.HandleOptions{Timeout: 2 * time.Minute}, s.lookAtProposal)
	queue.Handle(s.Queue, jobSayCheck, queue.HandleOptions{Timeout: lookTimeout}, s.sayCheck)
}

// begins tells whether what happened to a proposal may call for a plan: it has another head, or another target.
func (a proposalArgs) begins() bool {
	switch a.Event {
	case "opened", "synchronize", "reopened", "edited":
		return true
	}
	return false
}

// matters tells whether what happened to a proposal could do something for a stack.
func (s *Service) matters(ctx context.Context, tx *store.Tx, a proposalArgs) (bool, error) {
	switch a.Event {
	case "reviewed", "labeled", "unlabeled":
		if policies, err := s.Policy.AnyTx(ctx, tx, "push"); err != nil || !policies {
			return false, err
		}
	}
	n := 0
	err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM stacks WHERE repository = $1 AND deleted = 0)
 + (SELECT count(*) FROM stack_previews WHERE repository = $1 AND number = $2)`, a.Repository, a.Number).Scan(&n)
	return n > 0, fault.Wrap(err, "find the stacks of %s", a.Repository)
}

// lookAtProposal asks for a decision on what happened to a proposal, for each stack that it touches, and for all that it
// could go into where push policies may decide otherwise.
func (s *Service) lookAtProposal(ctx context.Context, a proposalArgs) error {
	ctx = asSystem(ctx)
	p, err := s.Proposals.ProposalFacts(ctx, a.Repository, a.Number)
	if err != nil {
		return ignoreGone(err)
	}
	var stacks []Stack
	var policies bool
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if policies, err = s.Policy.AnyTx(ctx, tx, "push"); err != nil {
			return err
		}
		stacks, err = stacksOn(ctx, tx, a.Repository, p.Target)
		return err
	})
	if err != nil {
		return fault.Wrap(err, "find the stacks of %s", a.Repository)
	}
	touched := func(Stack) bool { return false }
	if p.State == "open" && a.begins() {
		if touched, err = s.touchedBy(ctx, a.Repository, p); err != nil {
			return err
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		known, err := previewsOf(ctx, tx, a.Repository, a.Number)
		if err != nil {
			return err
		}
		onTarget := map[string]bool{}
		for _, stack := range stacks {
			is := touched(stack)
			onTarget[stack.Ref.String()] = true
			if is || policies {
				args := pushArgs{Stack: stack.Ref.String(), Proposal: a.Number, Event: a.Event, New: p.Head, Pusher: a.Pusher, Touched: is}
				key := fmt.Sprintf("%s %s %d %s", args.Stack, args.New, args.Proposal, args.Event)
				if err := s.Queue.Insert(ctx, tx, jobPush, args, queue.InsertOptions{Unique: key}); err != nil {
					return err
				}
			}
			if is {
				delete(known, stack.Ref.String())
			}
		}
		return s.settlePreviews(ctx, tx, a, p, known, onTarget)
	})
}

// settlePreviews ends what is under way of a proposal that is not open any more, and of stacks that it does not touch any
// more.
func (s *Service) settlePreviews(ctx context.Context, tx *store.Tx, a proposalArgs, p ProposalFacts, untouched map[string]preview, onTarget map[string]bool) error {
	if len(untouched) == 0 {
		return nil
	}
	for _, row := range untouched {
		switch {
		case p.State == "open" && !a.begins():
			continue
		case p.State == "open":
			if row.Head == p.Head && a.Event == "edited" && onTarget[row.Stack] { // a policy or somebody asked for it
				continue
			}
			if err := dropPreview(ctx, tx, row); err != nil {
				return err
			}
		case row.Merged != p.Merge:
			row.Merged = p.Merge
			if err := savePreview(ctx, tx, row); err != nil {
				return err
			}
		}
		if err := s.cancelPreview(ctx, tx, row, ""); err != nil {
			return err
		}
	}
	return s.askFeedback(ctx, tx, a.Repository, a.Number, 0)
}

// touchedBy gives whether a proposal changes something of a stack.
func (s *Service) touchedBy(ctx context.Context, repository string, p ProposalFacts) (func(Stack) bool, error) {
	changed, err := s.pushedPaths(ctx, repository, p.since(), p.Head)
	if err != nil {
		return nil, err
	}
	return changed.touches, nil
}

// since gives the commit from which a proposal's changes are counted.
func (p ProposalFacts) since() string {
	if p.Common != "" {
		return p.Common
	}
	return p.Base
}

// forFork says why what a fork brings is not planned; "" when it is.
func (s *Service) forFork(stack Stack, e effect, p *ProposalFacts) string {
	if p == nil || !p.Fork || e.AllowFork || e.kind() == "" {
		return ""
	}
	return fmt.Sprintf("not planned, since it comes from a fork: look at what it changes, then say /roadbed plan -stack %s", stackName(stack.Ref.String()))
}

// noPreview keeps why a proposal's head is not planned, as a check of it that has failed.
func (s *Service) noPreview(ctx context.Context, tx *store.Tx, stack Stack, args pushArgs, why string) error {
	row, err := getPreview(ctx, tx, stack.Repository, args.Proposal, stack.Ref.String())
	if err != nil {
		return err
	}
	if row.Head == args.New {
		return nil // somebody may have asked for it meanwhile
	}
	if err := s.cancelPreview(ctx, tx, row, ""); err != nil {
		return err
	}
	row.Head, row.Run, row.Why, row.Turn = args.New, "", why, row.Turn+1
	if err := savePreview(ctx, tx, row); err != nil {
		return err
	}
	if err := s.askCheck(ctx, tx, stack, args.New, Proposed, "failed", why); err != nil {
		return err
	}
	return s.askFeedback(ctx, tx, stack.Repository, args.Proposal, 0)
}

// startPreview has a proposed run of a proposal's head, unless there is one, and cancels that of the head before.
func (s *Service) startPreview(ctx context.Context, tx *store.Tx, stack Stack, e effect, args pushArgs, ready prepared) (string, error) {
	row, err := getPreview(ctx, tx, stack.Repository, args.Proposal, stack.Ref.String())
	if err != nil {
		return "", err
	}
	if row.Head == args.New && row.Run != "" {
		last, err := s.Runs.GetTx(ctx, tx, row.Run)
		if err != nil || last.State != canceled && !last.CancelRequested {
			return row.Run, err
		}
	}
	option := func(n *run.New, in *Input) {
		in.Proposal, in.External = fmt.Sprintf("%s#%d", stack.Repository, args.Proposal), e.Wait
		if e.Prioritize {
			n.Priority = prioritized
		}
		if strings.HasPrefix(args.Ref, "refs/") {
			n.Source.Ref = args.Ref
		}
	}
	first := pushKey(stack, args.New, Proposed)
	r, _, err := s.startOne(ctx, tx, stack, args, first, func() (run.Run, bool, error) {
		key := first
		r, existed, err := s.start(ctx, tx, stack, Proposed, args.New, key, args.Pusher, ready, option)
		for err == nil && existed && (r.State == canceled || r.CancelRequested) { // a head may come back
			key = afterKey(first, r)
			r, existed, err = s.start(ctx, tx, stack, Proposed, args.New, key, args.Pusher, ready, option)
		}
		return r, existed, err
	})
	if err != nil {
		return "", err
	}
	return r.ID, s.keepPreview(ctx, tx, row, args.New, r.ID)
}

// keepPreview has a run be that of a proposal's head.
func (s *Service) keepPreview(ctx context.Context, tx *store.Tx, row preview, head, id string) error {
	if row.Head == head && row.Run == id {
		return nil
	}
	if err := s.cancelPreview(ctx, tx, row, id); err != nil {
		return err
	}
	row.Head, row.Run, row.Why, row.Turn = head, id, "", row.Turn+1
	if err := savePreview(ctx, tx, row); err != nil {
		return err
	}
	return s.askFeedback(ctx, tx, row.Repository, row.Number, 0)
}

// cancelPreview cancels the run of a proposal whose place another takes, unless it is under way for another proposal, too.
func (s *Service) cancelPreview(ctx context.Context, tx *store.Tx, row preview, by string) error {
	if row.Run == "" || row.Run == by {
		return nil
	}
	others := 0
	err := tx.QueryRow(ctx, "SELECT count(*) FROM stack_previews WHERE run = $1 AND merged = '' AND NOT (repository = $2 AND number = $3)", row.Run, row.Repository, row.Number).Scan(&others)
	if err != nil || others > 0 {
		return fault.Wrap(err, "find for what run %s is", row.Run)
	}
	if err := s.Runs.CancelTx(ctx, tx, row.Run); err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound) {
		return fault.Wrap(err, "cancel run %s", row.Run)
	}
	return nil
}

func pushKey(stack Stack, commit, kind string) string {
	return fmt.Sprintf("stack-push:%s:%s:%s", stack.Ref, commit, kind)
}

// checkArgs is a check of a commit that no run says.
type checkArgs struct {
	Repository string `json:"repository"`
	Commit     string `json:"commit"`
	Name       string `json:"name"`
	State      string `json:"state"`
	Text       string `json:"text"`
	Stack      string `json:"stack"`
}

// askCheck has a check say of a commit what was decided of a stack, under the name that its run would have.
func (s *Service) askCheck(ctx context.Context, tx *store.Tx, stack Stack, commit, kind, state, text string) error {
	if s.Proposals == nil || strings.Trim(commit, "0") == "" {
		return nil
	}
	a := checkArgs{Repository: stack.Repository, Commit: commit, Name: title(kind, stack.Ref), State: state, Text: clipTo(text, 300), Stack: stack.Ref.String()}
	return s.Queue.Insert(ctx, tx, jobSayCheck, a, queue.InsertOptions{})
}

func (s *Service) sayCheck(ctx context.Context, a checkArgs) error {
	err := s.Proposals.SayCheck(asSystem(ctx), a.Repository, a.Commit, ProposalCheck{Name: a.Name, State: a.State, Text: a.Text, URL: s.page("/infrastructure/" + stackName(a.Stack))})
	switch {
	case fault.Is(err, fault.Conflict), fault.Is(err, fault.TooLarge): // a run says it, or there is no place for another
		return nil
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Denied):
		return queue.Final(err)
	}
	return ignoreGone(err)
}

// page gives the address of a page of the portal; "" when nobody knows where that is.
func (s *Service) page(path string) string {
	if s.BaseURL == "" {
		return ""
	}
	return s.BaseURL + path
}

// ofDecision says by checks what push policies have decided and no run tells: what fails, and with notify what is left out.
func (s *Service) ofDecision(ctx context.Context, tx *store.Tx, stack Stack, e effect, args pushArgs, started string) error {
	kind := Proposed
	if args.Ref == "refs/heads/"+stack.Branch {
		kind = Tracked
	}
	switch {
	case e.Fail:
		return s.askCheck(ctx, tx, stack, args.New, kind, "failed", orWord(e.Message, "a push policy fails it"))
	case e.Notify && started == "":
		return s.askCheck(ctx, tx, stack, args.New, kind, "passed", orWord(e.Message, "a push policy leaves it out"))
	}
	return nil
}

func orWord(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// clipTo bounds a text in bytes.
func clipTo(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-3], "") + "…"
}

// stacksOn gives the stacks that follow a branch of a repository.
func stacksOn(ctx context.Context, tx *store.Tx, repository, branch string) ([]Stack, error) {
	rows, err := tx.Query(ctx, "SELECT "+stackColumns+" FROM stacks WHERE deleted = 0 AND repository = $1 AND branch = $2 ORDER BY ref", repository, branch)
	return store.Collect(rows, err, scanStack)
}

const previewColumns = "repository, number, stack, head, run, why, merged, turn"

func scanPreview(row store.Row) (p preview, err error) {
	return p, row.Scan(&p.Repository, &p.Number, &p.Stack, &p.Head, &p.Run, &p.Why, &p.Merged, &p.Turn)
}

// getPreview gives what a proposal has of a stack; without a head when that is nothing yet.
func getPreview(ctx context.Context, tx *store.Tx, repository string, number int, stack string) (preview, error) {
	p, err := store.One(tx.QueryRow(ctx, "SELECT "+previewColumns+" FROM stack_previews WHERE repository = $1 AND number = $2 AND stack = $3", repository, number, stack), scanPreview, "preview of %s", stack)
	if fault.Is(err, fault.NotFound) {
		return preview{Repository: repository, Number: number, Stack: stack}, nil
	}
	return p, err
}

// previewsOf gives what a proposal has of stacks, by their references.
func previewsOf(ctx context.Context, tx *store.Tx, repository string, number int) (map[string]preview, error) {
	rows, err := tx.Query(ctx, "SELECT "+previewColumns+" FROM stack_previews WHERE repository = $1 AND number = $2", repository, number)
	all, err := store.Collect(rows, err, scanPreview)
	out := make(map[string]preview, len(all))
	for _, p := range all {
		out[p.Stack] = p
	}
	return out, fault.Wrap(err, "read the previews of proposal %d", number)
}

func savePreview(ctx context.Context, tx *store.Tx, p preview) error {
	_, err := tx.Exec(ctx, `INSERT INTO stack_previews (`+previewColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)
 ON CONFLICT (repository, number, stack) DO UPDATE SET head=excluded.head, run=excluded.run, why=excluded.why, merged=excluded.merged, turn=excluded.turn`,
		p.Repository, p.Number, p.Stack, p.Head, p.Run, p.Why, p.Merged, p.Turn)
	return fault.Wrap(err, "keep the preview of %s", p.Stack)
}

func dropPreview(ctx context.Context, tx *store.Tx, p preview) error {
	_, err := tx.Exec(ctx, "DELETE FROM stack_previews WHERE repository = $1 AND number = $2 AND stack = $3", p.Repository, p.Number, p.Stack)
	return fault.Wrap(err, "forget the preview of %s", p.Stack)
}

// told reads what an entry tells of a proposal.
func toldOf(data json.RawMessage) (a proposalArgs, ok bool) {
	return a, json.Unmarshal(data, &a) == nil && a.Number > 0 && a.Repository != ""
}

// owner gives whose repository a proposal of a fork comes from; "" for one of the same repository.
func (p ProposalFacts) owner() string {
	if !p.Fork {
		return ""
	}
	return before(p.Source, ":")
}
