package gitea

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// looks is how often Gitea is asked whether a proposal can be merged, before its no is taken for conflicts.
const looks = 4

// mergeLooks is how often it is asked before a merge is refused for that: after a push Gitea looks again, in its own time.
const mergeLooks = 7

func atPull(repository string, number int, parts ...string) (string, error) {
	return at(repository, append([]string{"pulls", strconv.Itoa(number)}, parts...)...)
}

// OpenProposal opens one.
func (f *Forge) OpenProposal(ctx context.Context, repository string, p forge.NewProposal) (forge.Proposal, error) {
	path, err := at(repository, "pulls")
	if err != nil {
		return forge.Proposal{}, err
	}
	if strings.TrimSpace(p.Title) == "" {
		return forge.Proposal{}, fault.Errorf(fault.Invalid, "a proposal needs a title")
	}
	title := p.Title
	if p.Draft {
		title = drafts[0] + " " + title
	}
	var made pull
	_, err = f.send(ctx, http.MethodPost, path, nil, map[string]any{"title": title, "body": p.Body, "head": p.Source, "base": p.Target}, &made)
	if err != nil {
		return forge.Proposal{}, err
	}
	return made.proposal(), nil
}

// ListProposals gives proposals, the newest first. Gitea can't look for a source: a part may have fewer than were asked
// for.
func (f *Forge) ListProposals(ctx context.Context, repository string, q forge.ProposalQuery, part page.Request) (page.Of[forge.Proposal], error) {
	var none page.Of[forge.Proposal]
	path, err := at(repository, "pulls")
	if err != nil {
		return none, err
	}
	query := url.Values{"state": {"all"}}
	switch q.State {
	case "":
	case forge.StateOpen, forge.StateClosed:
		query.Set("state", q.State)
	default:
		return none, fault.Errorf(fault.Invalid, "%.100q is no state to look for: it is open or closed", q.State)
	}
	if q.Target != "" {
		query.Set("base_branch", q.Target)
	}
	return list(ctx, f, part, path, query, func(w pull) (forge.Proposal, bool) {
		p := w.proposal()
		from := p.Source.Branch == q.Source && strings.EqualFold(p.Source.Repository, p.Target.Repository)
		return p, (q.Source == "" || from) && (q.Target == "" || p.Target.Branch == q.Target)
	})
}

// GetProposal gives one.
func (f *Forge) GetProposal(ctx context.Context, repository string, number int) (forge.Proposal, error) {
	return f.look(ctx, repository, number, looks)
}

func (f *Forge) look(ctx context.Context, repository string, number, looks int) (forge.Proposal, error) {
	for turn := 0; ; turn++ {
		p, err := f.pull(ctx, repository, number)
		if err != nil || p.State != forge.StateOpen || p.Mergeable != forge.MergeUnknown {
			return p, err
		}
		if turn == looks-1 {
			p.Mergeable = forge.MergeConflicts
			return p, nil
		}
		if err := f.wait(ctx, turn); err != nil {
			return forge.Proposal{}, err
		}
	}
}

func (f *Forge) pull(ctx context.Context, repository string, number int) (forge.Proposal, error) {
	path, err := atPull(repository, number)
	if err != nil {
		return forge.Proposal{}, err
	}
	var p pull
	if err := f.get(ctx, path, nil, &p); err != nil {
		return forge.Proposal{}, err
	}
	return p.proposal(), nil
}

// DiffProposal gives the diff.
func (f *Forge) DiffProposal(ctx context.Context, repository string, number int, limit int64) ([]byte, error) {
	path, err := at(repository, "pulls", strconv.Itoa(number)+".diff")
	if err != nil {
		return nil, err
	}
	return f.bounded(ctx, "the diff of proposal "+strconv.Itoa(number), path, nil, limit)
}

// CloseProposal closes one, or opens it again.
func (f *Forge) CloseProposal(ctx context.Context, repository string, number int, closed bool) error {
	path, err := atPull(repository, number)
	if err != nil {
		return err
	}
	state := forge.StateOpen
	if closed {
		state = forge.StateClosed
	}
	_, err = f.send(ctx, http.MethodPatch, path, nil, map[string]any{"state": state}, nil)
	if fault.Is(err, fault.Stale) {
		return fault.Errorf(fault.Conflict, "proposal %d of %s is merged", number, repository)
	}
	return err
}

// MergeProposal merges one.
func (f *Forge) MergeProposal(ctx context.Context, repository string, number int, m forge.Merge) (forge.Merged, error) {
	path, err := atPull(repository, number, "merge")
	if err != nil {
		return forge.Merged{}, err
	}
	switch m.Way {
	case forge.MergeCommit, forge.MergeSquash, forge.MergeRebase: // Gitea's words too
	default:
		return forge.Merged{}, fault.Errorf(fault.Invalid, "%.100q is no way to merge: it is merge, squash or rebase", m.Way)
	}
	for turn := 0; ; turn++ {
		if err := f.mayMerge(ctx, repository, number, m); err != nil {
			return forge.Merged{}, err
		}
		_, err = f.send(ctx, http.MethodPost, path, nil, map[string]any{
			"Do": m.Way, "MergeTitleField": m.Title, "MergeMessageField": m.Body, "head_commit_id": m.Head, "delete_branch_after_merge": m.DeleteSource,
		}, nil)
		if forge.Status(err) != http.StatusMethodNotAllowed || turn == looks-1 { // it may look again after a push
			break
		}
		if err := f.wait(ctx, turn); err != nil {
			return forge.Merged{}, err
		}
	}
	switch {
	case err == nil:
		p, err := f.pull(ctx, repository, number)
		return forge.Merged{Commit: p.MergeCommit}, err
	case fault.Is(err, fault.Conflict):
		return forge.Merged{}, cmp.Or(f.mayMerge(ctx, repository, number, m), err)
	}
	return forge.Merged{}, err
}

// mayMerge refuses what Gitea would refuse with one word for all.
func (f *Forge) mayMerge(ctx context.Context, repository string, number int, m forge.Merge) error {
	p, err := f.look(ctx, repository, number, mergeLooks)
	switch {
	case err != nil:
		return err
	case p.State != forge.StateOpen:
		return fault.Errorf(fault.Conflict, "proposal %d of %s is %s", number, repository, p.State)
	case m.Head != "" && p.Source.Commit != m.Head:
		return fault.Errorf(fault.Stale, "the head of proposal %d of %s is %.100s, and no longer %.100s", number, repository, p.Source.Commit, m.Head)
	case p.Draft:
		return fault.Errorf(fault.Conflict, "proposal %d of %s is a draft", number, repository)
	case p.Mergeable == forge.MergeConflicts:
		return fault.Errorf(fault.Conflict, "proposal %d of %s has conflicts with %s", number, repository, p.Target.Branch)
	}
	return nil
}
