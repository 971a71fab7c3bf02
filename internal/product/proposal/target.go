package proposal

import (
	"cmp"
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A branch that many proposals go into moves often, and a trial merge for each of them each time would be work without
// end. So a push marks them as stale by one statement. Those that it may have merged, those that wait to be merged, and
// the newest few are looked at; any other when somebody looks at it, or merges it.

const (
	jobTarget = "proposal.look-at-target"

	freshMost  = 50    // of a target, the newest
	pushedMost = 2_000 // commits of pushes that are looked through for merges; with more all proposals are looked at
)

// targetArgs asks for the proposals of a target that moved from a commit to where it is now.
type targetArgs struct {
	Repository string `json:"repository"` // id
	Branch     string `json:"branch"`
	From       string `json:"from"`
}

// targetMoved notes that a target moved. Pushes that come before that is worked on are worked on at once.
func (s *Service) targetMoved(ctx context.Context, tx *store.Tx, id, branch string, push repository.Push) error {
	if !git.IsHash(push.Old) || !git.IsHash(push.New) || strings.Trim(push.Old, "0") == "" || strings.Trim(push.New, "0") == "" {
		return s.askTarget(ctx, tx, id, branch, "") // it came, or went
	}
	n, err := tx.Exec(ctx, "UPDATE proposals SET target_head = $3 WHERE repository = $1 AND target = $2 AND state = 'open'", id, branch, push.New)
	if err != nil || n == 0 {
		return fault.Wrap(err, "mark the proposals of %s", branch)
	}
	if err := s.askTarget(ctx, tx, id, branch, " AND auto_way <> ''"); err != nil {
		return err
	}
	return s.Queue.Insert(ctx, tx, jobTarget, targetArgs{id, branch, push.Old}, queue.InsertOptions{Unique: id + " " + branch})
}

// askTarget has the open proposals of a target looked at, those that a condition of SQL holds for.
func (s *Service) askTarget(ctx context.Context, tx *store.Tx, id, branch, condition string) error {
	rows, err := tx.Query(ctx, "SELECT id FROM proposals WHERE repository = $1 AND target = $2 AND state = 'open'"+condition, id, branch)
	ids, err := store.Collect(rows, err, func(row store.Row) (id string, err error) { return id, row.Scan(&id) })
	for _, id := range ids {
		if err == nil {
			err = s.ask(ctx, tx, id)
		}
	}
	return fault.Wrap(err, "look at the proposals of %s", branch)
}

// saysMerged finds the proposal that a commit says it merges.
var saysMerged = regexp.MustCompile(`\nProposal: (\S+)#([0-9]{1,9})$`)

// lookAtTarget asks for a look at the proposals that pushes of their target may have merged, and at the newest.
func (s *Service) lookAtTarget(ctx context.Context, a targetArgs) error {
	platform := s.Repositories.Platform()
	r, err := platform.ByID(ctx, a.Repository)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var pushed []git.Commit
	head, err := platform.Head(ctx, r.FullName(), a.Branch)
	if err == nil {
		pushed, err = platform.Brings(ctx, r.FullName(), a.From, head, 0, pushedMost)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err != nil || len(pushed) >= pushedMost { // it is gone, or what it was, or too much came
		return s.DB.Write(ctx, func(tx *store.Tx) error { return s.askTarget(ctx, tx, r.ID, a.Branch, "") })
	}
	came, numbers := map[string]bool{}, map[int]bool{}
	for _, c := range pushed {
		came[c.Hash] = true
		if m := saysMerged.FindStringSubmatch(strings.TrimSpace(c.Message)); m != nil && m[1] == r.FullName() {
			n, _ := strconv.Atoi(m[2])
			numbers[n] = true
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, number, head, merge_commit FROM proposals WHERE repository = $1 AND target = $2 AND state = 'open' ORDER BY id DESC`, r.ID, a.Branch)
		type open struct {
			id, head, merge string
			number          int
		}
		all, err := store.Collect(rows, err, func(row store.Row) (p open, err error) { return p, row.Scan(&p.id, &p.number, &p.head, &p.merge) })
		if err != nil {
			return fault.Wrap(err, "find the proposals of %s", a.Branch)
		}
		for i, p := range all {
			if i >= cmp.Or(s.Fresh, freshMost) && !came[p.head] && !came[p.merge] && !numbers[p.number] {
				continue
			}
			if err := s.ask(ctx, tx, p.id); err != nil {
				return err
			}
		}
		return nil
	})
}
