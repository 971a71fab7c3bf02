package proposal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	jobLook = "proposal.look"
	jobAll  = "proposal.look-at-all"
	jobObey = "proposal.obey"
)

// lookArgs asks for a look at one proposal; allArgs at all open ones after an id; obeyArgs for what a comment commands.
type (
	lookArgs struct {
		Proposal string `json:"proposal"`
	}
	allArgs struct {
		After string `json:"after,omitempty"`
	}
	obeyArgs struct {
		Comment string `json:"comment"`
	}
)

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobLook, queue.HandleOptions{Timeout: 2 * time.Minute}, func(ctx context.Context, a lookArgs) error {
		return s.reconcile(actor.AsSystem(ctx), a.Proposal)
	})
	queue.Handle(s.Queue, jobFromPush, queue.HandleOptions{Timeout: 2 * time.Minute}, func(ctx context.Context, a fromPushArgs) error {
		return s.fromPush(actor.AsSystem(ctx), a)
	})
	queue.Handle(s.Queue, jobTarget, queue.HandleOptions{Timeout: 2 * time.Minute}, func(ctx context.Context, a targetArgs) error {
		return s.lookAtTarget(actor.AsSystem(ctx), a)
	})
	queue.Handle(s.Queue, jobAll, queue.HandleOptions{Timeout: time.Minute}, s.lookAtAll)
	queue.Handle(s.Queue, jobObey, queue.HandleOptions{Timeout: 2 * time.Minute}, func(ctx context.Context, a obeyArgs) error {
		return s.obey(actor.AsSystem(ctx), a.Comment)
	})
	s.Ledger.Subscribe("proposal.repositories", []string{"repository.pushed", "repository.transferred", "repository.restored", "repository.purged"}, s.repositoryChanged)
	s.subscribeOutside()
	s.subscribeVoice()
	s.Ledger.Subscribe("proposal.runs", []string{"run.created", "run.state-changed"}, s.runChanged)
}

// ask has a proposal looked at soon.
func (s *Service) ask(ctx context.Context, tx *store.Tx, id string) error {
	return s.Queue.Insert(ctx, tx, jobLook, lookArgs{id}, queue.InsertOptions{Unique: id})
}

// askAll has all open proposals looked at.
func (s *Service) askAll(ctx context.Context, tx *store.Tx) error {
	return s.Queue.Insert(ctx, tx, jobAll, allArgs{}, queue.InsertOptions{Unique: "all"})
}

// askOf has the open proposals of a repository looked at.
func (s *Service) askOf(ctx context.Context, tx *store.Tx, repository string) error {
	rows, err := tx.Query(ctx, "SELECT id FROM proposals WHERE repository = $1 AND state = 'open'", repository)
	ids, err := store.Collect(rows, err, func(row store.Row) (id string, err error) { return id, row.Scan(&id) })
	for _, id := range ids {
		if err == nil {
			err = s.ask(ctx, tx, id)
		}
	}
	return fault.Wrap(err, "look at the proposals of a restored repository")
}

// lookAtAll asks for open proposals, some at a time.
func (s *Service) lookAtAll(ctx context.Context, a allArgs) error {
	const atOnce = 500
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT id FROM proposals WHERE state = 'open' AND id > $1 ORDER BY id LIMIT $2", a.After, atOnce)
		ids, err := store.Collect(rows, err, func(row store.Row) (id string, err error) { return id, row.Scan(&id) })
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.ask(ctx, tx, id); err != nil {
				return err
			}
		}
		if len(ids) < atOnce {
			return nil
		}
		last := ids[len(ids)-1]
		return s.Queue.Insert(ctx, tx, jobAll, allArgs{last}, queue.InsertOptions{Unique: "after " + last})
	})
}

// repositoryChanged asks for the proposals of a branch that moved, and follows a repository that moved, came back or is
// gone for good. While one is deleted its proposals are kept; who can't read it doesn't see them.
func (s *Service) repositoryChanged(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	if len(e.Refs) == 0 {
		return nil
	}
	id := e.Refs[0]
	switch e.Type {
	case "repository.purged":
		return forget(ctx, tx, id)
	case "repository.restored":
		return s.askOf(ctx, tx, id)
	case "repository.transferred":
		var moved struct{ To string }
		if err := json.Unmarshal(e.Data, &moved); err != nil {
			return fault.Wrap(err, "read entry %s", e.ID)
		}
		_, err := tx.Exec(ctx, "UPDATE proposals SET space = $2 WHERE repository = $1", id, moved.To)
		return fault.Wrap(err, "move the proposals of %s", e.Subject)
	}
	var push repository.Push
	if err := json.Unmarshal(e.Data, &push); err != nil {
		return fault.Wrap(err, "read push %s", e.ID)
	}
	branch, ok := push.Branch()
	if !ok {
		return nil
	}
	if err := s.wish(ctx, tx, e, push, branch); err != nil {
		return err
	}
	if err := s.targetMoved(ctx, tx, id, branch, push); err != nil {
		return err
	}
	found, err := fromSource(ctx, tx, id, branch)
	if err != nil {
		return fault.Wrap(err, "find the proposals of %s", branch)
	}
	for _, p := range found {
		if p.There != nil {
			err = s.askFollow(ctx, tx, id, p.Number)
		} else {
			err = s.ask(ctx, tx, p.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget drops all that is kept of a repository that is gone.
func forget(ctx context.Context, tx *store.Tx, repository string) error {
	for _, query := range []string{
		"DELETE FROM proposal_comments WHERE proposal IN (SELECT id FROM proposals WHERE repository = $1)",
		"DELETE FROM proposal_speeches WHERE proposal IN (SELECT id FROM proposals WHERE repository = $1)",
		"DELETE FROM proposal_voices WHERE proposal IN (SELECT id FROM proposals WHERE repository = $1)",
		"DELETE FROM proposal_strangers WHERE proposal IN (SELECT id FROM proposals WHERE repository = $1)",
		"DELETE FROM proposal_commands WHERE proposal IN (SELECT id FROM proposals WHERE repository = $1)",
		"DELETE FROM proposal_asked WHERE proposal IN (SELECT id FROM proposals WHERE repository = $1)",
		"DELETE FROM proposal_assignees WHERE proposal IN (SELECT id FROM proposals WHERE repository = $1)",
		"DELETE FROM proposal_reviews WHERE proposal IN (SELECT id FROM proposals WHERE repository = $1)",
		"DELETE FROM proposal_checks WHERE repository = $1", "DELETE FROM proposal_numbers WHERE repository = $1", "DELETE FROM proposals WHERE repository = $1",
	} {
		if _, err := tx.Exec(ctx, query, repository); err != nil {
			return fault.Wrap(err, "forget the proposals of %s", repository)
		}
	}
	return nil
}

// runChanged keeps what a run says of its commit as a check, by the run's title.
func (s *Service) runChanged(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	if e.Run == "" {
		return nil
	}
	r, err := s.Runs.GetTx(ctx, tx, e.Run)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.Source.Repository == "" || r.Source.Commit == "" {
		return nil
	}
	repo, err := s.Repositories.Platform().GetTx(ctx, tx, r.Source.Repository)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	name := clip(r.Title, 200)
	changed, err := setCheck(ctx, tx, repo.ID, r.Source.Commit, Check{
		Name: name, State: checkState(r), Description: clip(r.Reason, 500), Run: r.ID, Updated: s.Now(),
	})
	if err != nil || !changed {
		return err
	}
	if err := s.askSayCheck(ctx, tx, repo, r.Source.Commit, name); err != nil {
		return err
	}
	return s.askAt(ctx, tx, repo.ID, r.Source.Commit)
}

// checkState is what a run's state says of its commit.
func checkState(r run.Run) string {
	switch {
	case !r.Terminal:
		return CheckPending
	case r.State == "succeeded" || r.State == "finished":
		return CheckPassed
	}
	return CheckFailed
}

func clip(text string, limit int) string {
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit-3], "") + "…"
	}
	return text
}

// askAt has the open proposals looked at whose head is a commit.
func (s *Service) askAt(ctx context.Context, tx *store.Tx, repository, commit string) error {
	found, err := openAt(ctx, tx, repository, commit)
	if err != nil {
		return fault.Wrap(err, "find the proposals at %.8s", commit)
	}
	for _, p := range found {
		if err := s.ask(ctx, tx, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// reconcile looks at a proposal and merges it when somebody asked for that and nothing is in the way.
func (s *Service) reconcile(ctx context.Context, id string) error {
	var p Proposal
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		p, err = byID(ctx, tx, id, "")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := s.Repositories.Platform().ByID(ctx, p.Repository)
	if fault.Is(err, fault.NotFound) {
		return nil // what is kept of it goes by the entry
	}
	if err != nil {
		return err
	}
	if p, err = s.look(ctx, r, p); err != nil {
		return err
	}
	if err := s.show(ctx, r, p); err != nil {
		return err
	}
	if err := s.askOwners(ctx, r, p); err != nil {
		return err
	}
	if p.State != Open || p.Auto.Way == "" {
		return nil
	}
	return s.autoMerge(ctx, r, p)
}

// askOwners keeps whose approval of their files is missing, whether rules demand it or not, so that they find what waits
// for them; whoever is asked anew is told to the ledger.
func (s *Service) askOwners(ctx context.Context, r repository.Repository, p Proposal) error {
	asked := map[string]string{} // as it is kept, by how it is written
	if p.State == Open && p.Standing.Base != "" {
		f := Facts{Proposal: p, Authors: []string{p.Author}}
		err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			f.Reviews, err = reviews(ctx, tx, p.ID)
			return err
		})
		if err != nil {
			return fault.Wrap(err, "read the reviews of proposal %s", p.ID)
		}
		owned, _, err := s.owned(ctx, r, f)
		if fault.Is(err, fault.TooLarge) {
			return nil // the page says so where it counts
		}
		if err != nil {
			return err
		}
		for _, o := range owned {
			if o.Approved() {
				continue
			}
			for _, owner := range o.Owners {
				if len(asked) < askedMost {
					asked[wordOf(owner)] = owner
				}
			}
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		before, err := askedOf(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		var fresh []string
		for word, owner := range asked {
			if !slices.Contains(before, word) {
				fresh = append(fresh, owner)
			}
		}
		if len(fresh) == 0 && len(before) == len(asked) {
			return nil
		}
		if err := saveAsked(ctx, tx, p.ID, slices.Sorted(maps.Keys(asked))); err != nil || len(fresh) == 0 {
			return err
		}
		slices.Sort(fresh)
		return s.tell(ctx, tx, r, p, "proposal.asked", map[string]any{"owners": fresh, "head": p.Head})
	})
}

// askedMost bounds the owners that one proposal asks.
const askedMost = 200

// show makes the proposal's references lead to its head and to the merge that it would give.
func (s *Service) show(ctx context.Context, r repository.Repository, p Proposal) error {
	if p.There != nil {
		return nil // the forge has references of its own
	}
	target := ""
	if st := p.Standing; p.State == Open && st.Base != "" && st.Ahead > 0 && len(st.Conflicts) == 0 {
		target = p.Base
	}
	want := strings.TrimSpace(p.Head + " " + target)
	if p.shown == want {
		return nil
	}
	before, _, _ := strings.Cut(p.shown, " ")
	err := s.Repositories.Platform().Show(ctx, r.FullName(), repository.Shown{
		Number: p.Number, Head: p.Head, Before: before, Target: target, By: s.roadbed(),
	})
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error { return saveShown(ctx, tx, p.ID, want) })
}

// autoMerge merges in the name of who asked for it, with the rights that they have now.
func (s *Service) autoMerge(ctx context.Context, r repository.Repository, p Proposal) error {
	who, err := s.People.Principal(ctx, p.Auto.By)
	if err == nil {
		ctx = actor.With(ctx, who)
		_, err = s.Repositories.Authorize(ctx, repository.Write, r.FullName())
	}
	if err == nil {
		_, err = s.merge(ctx, r, p, MergeRequest{Way: p.Auto.Way, Head: p.Head, DeleteSource: true})
	}
	switch {
	case err == nil, errors.Is(err, errBlocked), fault.Is(err, fault.Conflict):
		return nil // what changes next asks again
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Denied), fault.Is(err, fault.Invalid), fault.Is(err, fault.TooLarge):
		return s.endAuto(ctx, r, p, err)
	}
	return err // the queue tries again
}

// endAuto takes the wish to merge back, and says why.
func (s *Service) endAuto(ctx context.Context, r repository.Repository, p Proposal, why error) error {
	ctx = actor.AsSystem(ctx)
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byID(ctx, tx, p.ID, tx.ForUpdate())
		if err != nil || now.Auto.Way == "" {
			return err
		}
		now.Auto, now.Updated = Auto{}, s.Now()
		if err := save(ctx, tx, &now); err != nil {
			return err
		}
		return s.tell(ctx, tx, r, now, "proposal.edited", map[string]any{"fields": []string{"auto"}, "auto": "", "why": clip(fault.Message(why), 500)})
	})
}

// look brings a proposal up to its branches: its head and standing; one whose source is gone or was merged by a push ends.
func (s *Service) look(ctx context.Context, r repository.Repository, p Proposal) (Proposal, error) {
	if p.State != Open {
		return p, nil
	}
	if p.There != nil {
		return s.lookThere(ctx, r, p)
	}
	platform := s.Repositories.Platform()
	base, err := platform.Head(ctx, r.FullName(), p.Target)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return p, err
	}
	targetGone := fault.Is(err, fault.NotFound)
	head, err := platform.Head(ctx, r.FullName(), p.Source)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return p, err
	}
	sourceGone := fault.Is(err, fault.NotFound)
	if !targetGone {
		commit, way, by, err := s.foundMerged(ctx, r, p, base)
		if err != nil {
			return p, err
		}
		if commit != "" {
			return s.merged(actor.AsSystem(ctx), r, p, commit, way, by)
		}
	}
	if sourceGone || targetGone {
		if _, err := platform.ByID(ctx, r.ID); fault.Is(err, fault.NotFound) {
			return p, nil // all of it is gone, and may come back
		}
		return s.end(ctx, r, p, map[bool]string{true: p.Source, false: p.Target}[sourceGone]+" was deleted")
	}
	if head == p.Head && base == p.Base {
		return p, s.placeAll(ctx, r, p)
	}
	standing, err := platform.Standing(ctx, r.FullName(), base, head)
	if err != nil {
		return p, err
	}
	return s.moved(ctx, r, p, head, base, standing)
}

// mergesLookedAt is how many commits of a target are looked through for a merge that was not recorded.
const mergesLookedAt = 200

// foundMerged gives the commit by which a proposal was merged without this room having recorded it, in which way, and by
// whom: the server ended in the middle of a merge that it had announced, or somebody pushed all that it brings, or a
// commit that says so. "" when it was not.
func (s *Service) foundMerged(ctx context.Context, r repository.Repository, p Proposal, base string) (commit, way, by string, err error) {
	if base == p.Base {
		return "", "", "", nil
	}
	platform := s.Repositories.Platform()
	for _, c := range []struct{ has, commit, way, by string }{{p.Merge, p.Merge, p.MergeWay, p.MergedBy}, {p.Head, base, mergedByPush, ""}} {
		if c.has == "" {
			continue
		}
		in, err := platform.IsAncestor(ctx, r.FullName(), c.has, base)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return "", "", "", err
		}
		if err == nil && in {
			return c.commit, c.way, cmp.Or(c.by, s.pusher(ctx, r, p.Target, base)), nil
		}
	}
	log, err := platform.Commits(ctx, r.FullName(), base, mergesLookedAt)
	if err != nil {
		return "", "", "", err
	}
	for _, c := range log {
		if c.Hash == p.Base {
			break
		}
		if strings.HasSuffix(strings.TrimSpace(c.Message), "\nProposal: "+Full(r.FullName(), p.Number)) {
			way := git.MergeSquash
			if len(c.Parents) > 1 {
				way = git.MergeCommit
			}
			return c.Hash, way, s.pusher(ctx, r, p.Target, base), nil
		}
	}
	return "", "", "", nil
}

// mergedByPush is the way of a proposal whose commits somebody pushed to its target.
const mergedByPush = "push"

// pusher gives who moved a branch to a commit, the system when nobody knows.
func (s *Service) pusher(ctx context.Context, r repository.Repository, branch, commit string) string {
	who, err := s.Repositories.Platform().Pusher(ctx, r.FullName(), "refs/heads/"+branch, commit)
	if err != nil {
		return actor.From(actor.AsSystem(ctx)).ID
	}
	return who
}

// moved records a new head, or a new base.
func (s *Service) moved(ctx context.Context, r repository.Repository, p Proposal, head, base string, standing git.Standing) (Proposal, error) {
	pusher := s.pusher(ctx, r, p.Source, head)
	applied, err := s.appliedBy(ctx, r, p.Head, head)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return p, err
	}
	touches, err := s.Repositories.Platform().Touched(ctx, r.FullName(), standing.Base, head)
	if err != nil {
		return p, err
	}
	talks, places, err := s.places(ctx, r, p.ID, head, standing.Base)
	if err != nil {
		return p, err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byID(ctx, tx, p.ID, tx.ForUpdate())
		if err != nil || now.State != Open {
			p = now
			return err
		}
		if err := savePlaces(ctx, tx, talks, places, head, standing.Base); err != nil {
			return err
		}
		pushed := head != now.Head
		old := now.Head
		now.Head, now.Base, now.Standing, now.Touches = head, base, standing, touches
		if now.targetHead == p.targetHead { // no push was told of since the branches were looked at
			now.targetHead = ""
		}
		if pushed {
			now.Updated = s.Now()
		}
		if err := save(ctx, tx, &now); err != nil {
			return err
		}
		p = now
		if !pushed {
			return nil
		}
		data := map[string]any{"head": head, "old": old}
		if done, err := s.settleApplied(ctx, tx, p, applied, pusher); err != nil {
			return err
		} else if len(done) > 0 {
			data["applied"] = done
		}
		return s.tellAs(ctx, tx, pusher, r, p, "proposal.pushed", data)
	})
	return p, err
}

// places gives the talks of a proposal that are placed elsewhere than at a head and its base, and where their lines are
// there.
func (s *Service) places(ctx context.Context, r repository.Repository, id, head, base string) (talks []Comment, places map[string]Span, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		talks, err = talksOf(ctx, tx, id)
		return err
	})
	talks = slices.DeleteFunc(talks, func(c Comment) bool { return c.at == head && !c.Old || c.at == base && c.Old })
	if err != nil || len(talks) == 0 {
		return nil, nil, fault.Wrap(err, "read the talks of proposal %s", id)
	}
	places, err = s.place(ctx, r, head, base, talks)
	return talks, places, err
}

// placeAll places the talks that a push came before.
func (s *Service) placeAll(ctx context.Context, r repository.Repository, p Proposal) error {
	talks, places, err := s.places(ctx, r, p.ID, p.Head, p.Standing.Base)
	if err != nil || len(talks) == 0 {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error { return savePlaces(ctx, tx, talks, places, p.Head, p.Standing.Base) })
}

// end closes a proposal whose branch is gone.
func (s *Service) end(ctx context.Context, r repository.Repository, p Proposal, why string) (Proposal, error) {
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byID(ctx, tx, p.ID, tx.ForUpdate())
		if err != nil || now.State != Open {
			p = now
			return err
		}
		now.State, now.Auto, now.Updated = Closed, Auto{}, s.Now()
		now.Ended = now.Updated
		if err := save(ctx, tx, &now); err != nil {
			return err
		}
		p = now
		if err := s.ask(ctx, tx, p.ID); err != nil {
			return err
		}
		return s.tellAs(ctx, tx, "system", r, p, "proposal.closed", map[string]any{"why": why})
	})
	return p, err
}
