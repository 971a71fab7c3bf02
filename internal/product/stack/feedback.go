package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What a proposal would do to stacks is said in the platform's one comment of it: for each stack how its run stands, what
// its plan counts and changes, what the policies say, and what it costs. The runs' own checks of the commit are made by
// product/proposal, as of any run. All of this is worked out from what is kept, at any time and any number of times.

const jobFeedback = "stack.feedback"

// Bounds of what a comment has.
const (
	mostDetailed = 25       // stacks of which it tells more than a line
	mostListed   = 50       // resources of one plan
	mostVerdicts = 20       // words of policies on one plan
	mostTelling  = 10 << 10 // bytes of what a policy has said of a proposal
	settleFor    = 2 * time.Second
	folded       = 200 // stacks of one proposal that are told of at all
)

// topics of the platform's comment; it has them in their order.
const (
	topicPlans  = "1 plans"
	topicPolicy = "2 "
)

// Proposals tells of proposals and says things of them, unauthorised.
type Proposals interface {
	ProposalFacts(ctx context.Context, repository string, number int) (ProposalFacts, error)
	// Speak has the platform's one comment of a proposal say something under a topic; the zero Speech takes it back.
	Speak(ctx context.Context, repository string, number int, topic string, what Speech) error
	// SayCheck says of a commit what no run tells. Conflict when a run says a check of this name.
	SayCheck(ctx context.Context, repository, commit string, c ProposalCheck) error
	// Commander gives who gave a command by comment; NotFound when it is answered already.
	Commander(ctx context.Context, comment string, ordinal int) (actor.Principal, error)
	// Answer says what became of a command; NotFound when it is answered already.
	Answer(ctx context.Context, comment string, ordinal int, done bool, text string) error
}

// Speech is Markdown, and parts of it below titles, which are shown when somebody opens them.
type Speech struct {
	Text  string
	Folds []Fold
}

// Fold is such a part; its title is plain text.
type Fold struct{ Title, Text string }

// ProposalCheck is what is said of a commit: pending, passed or failed.
type ProposalCheck struct{ Name, State, Text, URL string }

// feedbackArgs names a proposal.
type feedbackArgs struct {
	Repository string `json:"repository"`
	Number     int    `json:"number"`
}

func (s *Service) subscribeFeedback() {
	queue.Handle(s.Queue, jobFeedback, queue.HandleOptions{Timeout: lookTimeout}, s.feedback)
	queue.Handle(s.Queue, jobCommand, queue.HandleOptions{Timeout: 2 * time.Minute}, s.obey)
	s.Ledger.Subscribe("stack.feedback", []string{"run.created", "run.state-changed"}, s.feedbackOn)
	s.Ledger.Subscribe("stack.commands", []string{"proposal.commanded"}, s.commanded)
}

// askFeedback has a proposal told how its stacks stand, after a while in which more may happen.
func (s *Service) askFeedback(ctx context.Context, tx *store.Tx, repository string, number int, after time.Duration) error {
	if s.Proposals == nil {
		return nil
	}
	o := queue.InsertOptions{Unique: fmt.Sprintf("%s#%d", repository, number)}
	if after > 0 {
		o.RunAt = s.Now().Add(after)
	}
	return s.Queue.Insert(ctx, tx, jobFeedback, feedbackArgs{repository, number}, o)
}

// feedbackOn asks for the proposals whose run has moved, or whose merge a run applies.
func (s *Service) feedbackOn(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var change struct {
		To       string `json:"to"`
		Terminal bool   `json:"terminal"`
		Kind     string `json:"run_kind"`
	}
	if err := json.Unmarshal(e.Data, &change); err != nil || change.Kind != RunKind || len(e.Refs) == 0 {
		return nil
	}
	r, err := s.Runs.GetTx(ctx, tx, e.Run)
	if err != nil {
		return ignoreGone(err)
	}
	rows, err := tx.Query(ctx, "SELECT "+previewColumns+" FROM stack_previews WHERE run = $1 OR (stack = $2 AND merged = $3 AND merged <> '')", r.ID, r.Subject, r.Source.Commit)
	all, err := store.Collect(rows, err, scanPreview)
	if err != nil {
		return fault.Wrap(err, "find the proposals of run %s", r.ID)
	}
	after := settleFor
	if change.Terminal || change.To == unconfirmed {
		after = 0
	}
	for _, p := range all {
		if err := s.askFeedback(ctx, tx, p.Repository, p.Number, after); err != nil {
			return err
		}
	}
	return nil
}

// feedback has the platform's comment say how the stacks of a proposal stand.
func (s *Service) feedback(ctx context.Context, a feedbackArgs) error {
	ctx = asSystem(ctx)
	all, err := s.standings(ctx, a.Repository, a.Number)
	if err != nil {
		return err
	}
	what, err := s.speech(ctx, all)
	if err != nil {
		return err
	}
	return ignoreGone(s.Proposals.Speak(ctx, a.Repository, a.Number, topicPlans, what))
}

// Standing is how a stack of a proposal stands.
type Standing struct {
	Stack   string // reference
	Head    string // of the proposal, that this is of
	Run     *run.Run
	Why     string   // there is no run
	Applied *run.Run // of a merged proposal: the tracked run at the merge
	Summary *Summary // of the newer run's plan; nil when there is none yet
}

// Current gives the run that counts now.
func (w Standing) Current() *run.Run {
	if w.Applied != nil {
		return w.Applied
	}
	return w.Run
}

// standings gives how the stacks of a proposal stand, by reference.
func (s *Service) standings(ctx context.Context, repository string, number int) (all []Standing, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		known, err := previewsOf(ctx, tx, repository, number)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(known)) {
			row := known[name]
			w := Standing{Stack: name, Head: row.Head, Why: row.Why}
			if row.Run != "" {
				r, err := s.Runs.GetTx(ctx, tx, row.Run)
				switch {
				case fault.Is(err, fault.NotFound):
					w.Why = "its run is gone"
				case err != nil:
					return err
				default:
					w.Run = &r
				}
			}
			if row.Merged != "" {
				if w.Applied, err = s.trackedAt(ctx, tx, name, repository, row.Merged); err != nil {
					return err
				}
			}
			w.Summary = planOf(w.Current())
			all = append(all, w)
		}
		return nil
	})
	return all, fault.Wrap(err, "find the runs of proposal %s#%d", repository, number)
}

// trackedAt gives the newest tracked run of a stack at a commit; nil when there is none.
func (s *Service) trackedAt(ctx context.Context, tx *store.Tx, stack, repository, commit string) (*run.Run, error) {
	page, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: stack, Repository: repository, Commit: commit, Limit: 50})
	if err != nil {
		return nil, err
	}
	for i, r := range page.Runs {
		var in Input
		if json.Unmarshal(r.Input, &in) == nil && in.Type == Tracked {
			return &page.Runs[i], nil
		}
	}
	return nil, nil
}

// outputOf gives what a run tells of its plan; nil when there is none yet.
func outputOf(r *run.Run) *Output {
	var out Output
	if r == nil || len(r.Output) == 0 || json.Unmarshal(r.Output, &out) != nil || out.Plan == "" {
		return nil
	}
	return &out
}

func planOf(r *run.Run) *Summary {
	if out := outputOf(r); out != nil {
		return &out.Summary
	}
	return nil
}

// state says in a few words how it stands.
func (w Standing) state() string {
	r := w.Current()
	if r == nil {
		return "not planned"
	}
	switch r.State {
	case queued, ready, planning, judging:
		return "planning"
	case unconfirmed:
		return "waits for somebody to confirm it"
	case confirmed, applying:
		return "applying"
	case finished:
		if w.Applied != nil {
			return "applied"
		}
		return "planned"
	}
	return r.State
}

// speech writes how stacks stand.
func (s *Service) speech(ctx context.Context, all []Standing) (Speech, error) {
	if len(all) == 0 {
		return Speech{}, nil
	}
	var b strings.Builder
	title := "What this does to the infrastructure"
	if slices.ContainsFunc(all, func(w Standing) bool { return w.Applied != nil }) {
		title = "What this did to the infrastructure"
	}
	fmt.Fprintf(&b, "### %s\n\n| stack | commit | state | plan |\n|---|---|---|---|\n", title)
	for i, w := range all {
		if i == folded {
			fmt.Fprintf(&b, "| and %d more | | | |\n", len(all)-folded)
			break
		}
		b.WriteString(s.row(w))
	}
	out := Speech{Text: b.String()}
	for i, w := range all {
		if i == mostDetailed {
			break
		}
		fold, err := s.fold(ctx, w)
		if err != nil {
			return out, err
		}
		if fold.Text != "" {
			out.Folds = append(out.Folds, fold)
		}
	}
	return out, nil
}

// row is the line of a stack in the table.
func (s *Service) row(w Standing) string {
	commit, plan := w.Head, cell(w.Why)
	state := w.state()
	if r := w.Current(); r != nil {
		commit = r.Source.Commit
		switch {
		case r.State == failed || r.State == canceled || r.State == discarded:
			plan = cell(clipTo(r.Reason, 300))
		case w.Summary != nil:
			plan = w.Summary.String()
		default:
			plan = ""
		}
		if at := s.page("/runs/" + r.ID); at != "" {
			state = fmt.Sprintf("[%s](%s)", state, at)
		}
	}
	return fmt.Sprintf("| `%s` | `%s` | %s | %s |\n", coded(stackName(w.Stack)), commit[:min(8, len(commit))], state, plan)
}

// fold tells more of a stack's plan; without text when there is none.
func (s *Service) fold(ctx context.Context, w Standing) (Fold, error) {
	out := outputOf(w.Current())
	if out == nil {
		return Fold{}, nil
	}
	data, err := s.readBlob(ctx, out.Plan)
	if err != nil {
		if fault.Is(err, fault.NotFound) {
			return Fold{}, nil // it was kept long enough
		}
		return Fold{}, fault.Wrap(err, "read the plan of run %s", w.Current().ID)
	}
	plan, err := ReadPlan(data)
	if err != nil {
		return Fold{}, err
	}
	parts := []string{changesText(plan)}
	verdicts, err := s.verdicts(ctx, w.Current().ID)
	if err != nil {
		return Fold{}, err
	}
	parts = append(parts, verdicts)
	if out.Cost != nil {
		parts = append(parts, "Cost: "+cell(clipTo(out.Cost.String(), 300)))
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	return Fold{Title: fmt.Sprintf("%s: %s", stackName(w.Stack), plan.Summary), Text: strings.Join(parts, "\n\n")}, nil
}

// changesText lists what a plan changes, by address: no values.
func changesText(p Plan) string {
	var lines []string
	more := 0
	add := func(action, address, note string) {
		mark := map[string]string{"create": "+", "update": "!", "replace": "-", "delete": "-", "import": "+", "move": "!", "forget": "-"}[action]
		switch {
		case mark == "":
		case len(lines) >= mostListed:
			more++
		default:
			lines = append(lines, fmt.Sprintf("%s %-7s %s%s", mark, action, clipTo(coded(address), 200), note))
		}
	}
	for _, c := range p.Changes {
		note := ""
		if c.Action == "move" && c.PreviousAddr != "" {
			note = ", from " + clipTo(coded(c.PreviousAddr), 200)
		}
		add(c.Action, c.Address, note)
	}
	for _, o := range p.Outputs {
		add(o.Action, "output "+o.Address, "")
	}
	if len(lines) == 0 {
		return ""
	}
	text := "```diff\n" + strings.Join(lines, "\n") + "\n```"
	if more > 0 {
		text += fmt.Sprintf("\n\n… and %d more, on the page of the run.", more)
	}
	return text
}

// verdicts says what the plan policies said of a run.
func (s *Service) verdicts(ctx context.Context, id string) (string, error) {
	all, err := s.Policy.ListDecisions(ctx, id)
	if err != nil {
		return "", fault.Wrap(err, "read the decisions of run %s", id)
	}
	i := len(all) - 1
	for ; i >= 0 && all[i].Point != "plan"; i-- {
	}
	if i < 0 {
		return "", nil
	}
	var lines []string
	for _, v := range all[i].Votes {
		name := strings.TrimPrefix(v.Policy, "policy:")
		said := false
		for _, rule := range []string{"deny", "warn"} {
			for _, text := range v.Says[rule] {
				said = true
				lines = append(lines, fmt.Sprintf("- policy `%s` **%s**: %s", coded(name), map[string]string{"deny": "denies", "warn": "warns"}[rule], cell(clipTo(text, 300))))
			}
		}
		switch {
		case v.Error != "":
			lines = append(lines, fmt.Sprintf("- policy `%s` could not be asked: %s", coded(name), cell(clipTo(v.Error, 300))))
		case !said:
			lines = append(lines, fmt.Sprintf("- policy `%s` agrees", coded(name)))
		}
	}
	if more := len(lines) - mostVerdicts; more > 0 {
		lines = append(lines[:mostVerdicts], fmt.Sprintf("- and %d more words of policies", more))
	}
	return strings.Join(lines, "\n"), nil
}

// coded gives a text as it may stand in code: on one line, without what ends it.
func coded(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '`':
			return '\''
		case r == '|':
			return '¦'
		case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029:
			return ' '
		}
		return r
	}, text)
}

// cell gives words of others as they may stand in a table: they call nobody and show as they are.
func cell(text string) string {
	text = strings.TrimSpace(coded(text))
	if strings.ContainsAny(text, "@<>[]()*_#!&~\\") || strings.Contains(text, "://") {
		return "`" + text + "`"
	}
	return text
}

// tellProposals has proposals told what notification policies want said of a run there.
func (s *Service) tellProposals(ctx context.Context, r run.Run, stack Stack, given []policy.Given) error {
	if s.Proposals == nil {
		return nil
	}
	for _, g := range given {
		said, ok := g.Value.(map[string]any)
		if !ok || strings.TrimSpace(word(said["body"])) == "" {
			continue
		}
		numbers, err := s.proposalsOf(ctx, r, stack, said)
		if err != nil {
			return err
		}
		topic := clipTo(topicPolicy+g.Policy+" "+stack.Ref.String()+" "+word(said["deduplication_key"]), 300)
		for _, n := range numbers {
			err := s.Proposals.Speak(ctx, stack.Repository, n, topic, Speech{Text: clipTo(word(said["body"]), mostTelling)})
			switch {
			case fault.Is(err, fault.TooLarge):
				s.Log.InfoContext(ctx, "a notification policy says too much of a proposal", "policy", g.Policy, "proposal", n, "reason", fault.Message(err))
			case err != nil && !fault.Is(err, fault.NotFound):
				return err
			}
		}
	}
	return nil
}

// proposalsOf gives the proposals that a notification is meant for: the one that it names, those whose commit it names, or
// those of the run.
func (s *Service) proposalsOf(ctx context.Context, r run.Run, stack Stack, said map[string]any) (numbers []int, err error) {
	if n, ok := said["id"].(float64); ok && n >= 1 && n < 1<<31 {
		return []int{int(n)}, nil
	}
	commit := word(said["commit"])
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		query, values := "run = $2 OR (merged <> '' AND merged = $3)", []any{stack.Repository, r.ID, r.Source.Commit}
		if commit != "" {
			query, values = "head = $2 OR (merged <> '' AND merged = $2)", []any{stack.Repository, commit}
		}
		rows, err := tx.Query(ctx, "SELECT DISTINCT number FROM stack_previews WHERE repository = $1 AND ("+query+") ORDER BY number LIMIT 20", values...)
		numbers, err = store.Collect(rows, err, func(row store.Row) (n int, err error) { return n, row.Scan(&n) })
		return err
	})
	return numbers, fault.Wrap(err, "find the proposals of run %s", r.ID)
}
