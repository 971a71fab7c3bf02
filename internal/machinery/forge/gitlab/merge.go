package gitlab

import (
	"context"
	"strings"
	"time"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// rebaseTime is how long a rebase may take.
const rebaseTime = time.Minute

// MergeProposal merges at once, by the ways that the project's merge method leaves.
func (f *Forge) MergeProposal(ctx context.Context, repository string, number int, m forge.Merge) (forge.Merged, error) {
	switch m.Way {
	case forge.MergeCommit, forge.MergeSquash, forge.MergeRebase:
	default:
		return forge.Merged{}, fault.Errorf(fault.Invalid, "%q is not a way to merge; write %s, %s or %s", m.Way, forge.MergeCommit, forge.MergeSquash, forge.MergeRebase)
	}
	request, err := f.request(ctx, repository, number, &gl.GetMergeRequestsOptions{IncludeDivergedCommitsCount: gl.Ptr(true)})
	switch {
	case err != nil:
		return forge.Merged{}, err
	case state(request.State) != forge.StateOpen:
		return forge.Merged{}, fault.Errorf(fault.Conflict, "!%d is %s", number, request.State)
	case m.Head != "" && request.SHA != m.Head:
		return forge.Merged{}, moved(number, m.Head, request.SHA)
	}
	p, err := f.project(ctx, repository)
	if err != nil {
		return forge.Merged{}, err
	}
	if forward := p.MergeMethod == gl.FastForwardMerge; forward && m.Way == forge.MergeCommit || !forward && m.Way == forge.MergeRebase {
		return forge.Merged{}, fault.Errorf(fault.Invalid, "%s merges by the method %q, which can't merge by %s; change it in the project's settings, or merge another way", repository, p.MergeMethod, m.Way)
	}
	head := request.SHA
	if m.Way == forge.MergeRebase && request.DivergedCommitsCount > 0 {
		if head, err = f.rebase(ctx, repository, number); err != nil {
			return forge.Merged{}, err
		}
	}
	o := gl.AcceptMergeRequestOptions{SHA: &head, Squash: gl.Ptr(m.Way == forge.MergeSquash), ShouldRemoveSourceBranch: &m.DeleteSource}
	if text := strings.TrimSpace(m.Title + "\n\n" + m.Body); text != "" {
		switch m.Way {
		case forge.MergeCommit:
			o.MergeCommitMessage = &text
		case forge.MergeSquash:
			o.SquashCommitMessage = &text
		}
	}
	done, err := one(f.api.MergeRequests.AcceptMergeRequest(repository, int64(number), &o, gl.WithContext(ctx)))
	switch {
	case fault.Is(err, fault.Conflict): // GitLab's word for another head
		return forge.Merged{}, fault.Errorf(fault.Stale, "%w", err)
	case fault.Is(err, fault.Invalid): // and for what can't be merged as it is
		return forge.Merged{}, fault.Errorf(fault.Conflict, "%w", err)
	case fault.Is(err, fault.Unauthenticated): // and for those who may not, though the same token was good for reading
		return forge.Merged{}, fault.Errorf(fault.Denied, "you may not merge !%d into %s: %w", number, request.TargetBranch, err)
	case err != nil:
		return forge.Merged{}, err
	case done.State != merged:
		return forge.Merged{}, nil
	}
	return forge.Merged{Commit: mergeCommit(&done.BasicMergeRequest)}, nil
}

func moved(number int, want, is string) error {
	return fault.Errorf(fault.Stale, "the head of !%d is %s and not %s any more", number, is, want)
}

// rebase puts a merge request's commits on its target, and gives its new head. GitLab does it in its own time and has no
// other way to tell the end.
func (f *Forge) rebase(ctx context.Context, repository string, number int) (string, error) {
	err := done(f.api.MergeRequests.RebaseMergeRequest(repository, int64(number), nil, gl.WithContext(ctx)))
	switch {
	case fault.Is(err, fault.Invalid):
		return "", fault.Errorf(fault.Conflict, "%w", err)
	case err != nil:
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, rebaseTime)
	defer cancel()
	for {
		m, err := f.request(ctx, repository, number, &gl.GetMergeRequestsOptions{IncludeRebaseInProgress: gl.Ptr(true)})
		switch {
		case err != nil:
			return "", err
		case m.RebaseInProgress:
		case m.MergeError != "":
			return "", fault.Errorf(fault.Conflict, "!%d can't be rebased: %s", number, m.MergeError)
		default:
			return m.SHA, nil
		}
		wait := time.NewTimer(f.pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return "", fault.Errorf(fault.Unavailable, "the rebase of !%d takes too long: %w", number, ctx.Err())
		case <-wait.C:
		}
	}
}
