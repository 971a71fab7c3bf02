package gitlab

import (
	"cmp"
	"context"
	"slices"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	mostStatuses   = 5000 // of one commit
	mostDescribing = 140  // characters
)

// states are GitLab's words for those of a check.
var states = map[string]gl.BuildStateValue{
	forge.CheckPending: gl.Pending, forge.CheckPassed: gl.Success, forge.CheckFailed: gl.Failed,
	forge.CheckError: gl.Canceled, forge.CheckSkipped: gl.Skipped,
}

func checkState(status string) string {
	switch status {
	case "success":
		return forge.CheckPassed
	case "failed":
		return forge.CheckFailed
	case "canceled", "canceling":
		return forge.CheckError
	case "skipped", "manual":
		return forge.CheckSkipped
	}
	return forge.CheckPending // created, waiting_for_resource, preparing, pending, running, scheduled
}

// ListChecks gives the newest status of each name: those that were set, and the jobs of pipelines.
func (f *Forge) ListChecks(ctx context.Context, repository, commit string) ([]forge.Check, error) {
	if err := checkCommit(repository, commit); err != nil {
		return nil, err
	}
	got, _, err := whole(mostStatuses, func(o gl.ListOptions) ([]*gl.CommitStatus, *gl.Response, error) {
		return f.api.Commits.GetCommitStatuses(repository, commit, &gl.GetCommitStatusesOptions{ListOptions: o}, gl.WithContext(ctx))
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(got, func(a, b *gl.CommitStatus) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(b.ID, a.ID))
	})
	got = slices.CompactFunc(got, func(a, b *gl.CommitStatus) bool { return a.Name == b.Name })
	out := make([]forge.Check, len(got))
	for i, s := range got {
		out[i] = forge.Check{
			Name: s.Name, State: checkState(s.Status), Description: s.Description, URL: s.TargetURL,
			Updated: when(cmp.Or(s.FinishedAt, s.StartedAt, s.CreatedAt)),
		}
	}
	return out, nil
}

func checkCommit(repository, commit string) error {
	if !git.IsHash(commit) {
		return fault.Errorf(fault.Invalid, "%.100q is not a commit", commit)
	}
	return checkRepository(repository)
}

// SetCheck sets a commit status. GitLab refuses one that is so already, and keeps its description.
func (f *Forge) SetCheck(ctx context.Context, repository, commit string, c forge.Check) error {
	if err := checkCommit(repository, commit); err != nil {
		return err
	}
	to, ok := states[c.State]
	if !ok || c.Name == "" {
		return fault.Errorf(fault.Invalid, "a check needs a name, and a state that is pending, passed, failed, error or skipped, not %q", c.State)
	}
	_, err := one(f.api.Commits.SetCommitStatus(repository, commit, &gl.SetCommitStatusOptions{
		State: to, Name: &c.Name, TargetURL: optional(c.URL), Description: optional(clip(c.Description)),
	}, gl.WithContext(ctx)))
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "Cannot transition status") {
		return err
	}
	now, err2 := f.ListChecks(ctx, repository, commit)
	if err2 != nil {
		return err2
	}
	if slices.ContainsFunc(now, func(is forge.Check) bool { return is.Name == c.Name && is.State == c.State }) {
		return nil
	}
	return err
}

// clip shortens a description to what all forges take.
func clip(s string) string {
	if r := []rune(s); len(r) > mostDescribing {
		return string(r[:mostDescribing-1]) + "…"
	}
	return s
}
