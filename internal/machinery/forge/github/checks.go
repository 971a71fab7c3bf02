package github

import (
	"context"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// sayingLimit is how many characters of a description GitHub takes of a status.
const sayingLimit = 140

// ListChecks gives check runs and commit statuses, of each name the newer.
func (g *GitHub) ListChecks(ctx context.Context, repository, commit string) ([]forge.Check, error) {
	owner, repo, err := split(repository)
	if err == nil {
		err = checkHash(commit)
	}
	if err != nil {
		return nil, err
	}
	runs, err := whole(func(o gh.ListOptions) ([]*gh.CheckRun, *gh.Response, error) {
		filter := "latest"
		got, answer, err := g.api.Checks.ListCheckRunsForRef(ctx, owner, repo, commit, &gh.ListCheckRunsOptions{Filter: &filter, ListOptions: o})
		if err != nil {
			return nil, answer, err
		}
		return got.CheckRuns, answer, nil
	}, runOf)
	if err != nil {
		return nil, as(err, fault.NotFound, http.StatusUnprocessableEntity)
	}
	statuses, err := whole(func(o gh.ListOptions) ([]*gh.RepoStatus, *gh.Response, error) {
		got, answer, err := g.api.Repositories.GetCombinedStatus(ctx, owner, repo, commit, &o)
		if err != nil {
			return nil, answer, err
		}
		return got.Statuses, answer, nil
	}, statusOf)
	if err != nil {
		return nil, as(err, fault.NotFound, http.StatusUnprocessableEntity)
	}
	all := append(runs, statuses...)
	slices.SortStableFunc(all, func(a, b forge.Check) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return b.Updated.Compare(a.Updated)
	})
	return slices.CompactFunc(all, func(a, b forge.Check) bool { return a.Name == b.Name }), nil
}

func runOf(r *gh.CheckRun) forge.Check {
	c := forge.Check{Name: r.GetName(), Description: r.GetOutput().GetTitle(), URL: r.GetDetailsURL(), Updated: r.GetCompletedAt().Time, State: forge.CheckError}
	if c.Updated.IsZero() {
		c.Updated = r.GetStartedAt().Time
	}
	switch {
	case r.GetStatus() != "completed":
		c.State = forge.CheckPending
	case r.GetConclusion() == "success":
		c.State = forge.CheckPassed
	case r.GetConclusion() == "failure", r.GetConclusion() == "action_required":
		c.State = forge.CheckFailed
	case r.GetConclusion() == "neutral", r.GetConclusion() == "skipped":
		c.State = forge.CheckSkipped
	}
	return c
}

func statusOf(s *gh.RepoStatus) forge.Check {
	c := forge.Check{Name: s.GetContext(), Description: s.GetDescription(), URL: s.GetTargetURL(), Updated: s.GetUpdatedAt().Time, State: forge.CheckError}
	switch s.GetState() {
	case "pending":
		c.State = forge.CheckPending
	case "success":
		c.State = forge.CheckPassed
	case "failure":
		c.State = forge.CheckFailed
	}
	return c
}

// SetCheck writes a check run as an App, which alone may, and a commit status with a token.
func (g *GitHub) SetCheck(ctx context.Context, repository, commit string, c forge.Check) error {
	owner, repo, err := split(repository)
	if err == nil {
		err = checkHash(commit)
	}
	if err != nil {
		return err
	}
	state := map[string]string{
		forge.CheckPending: "pending", forge.CheckPassed: "success", forge.CheckFailed: "failure", forge.CheckError: "error", forge.CheckSkipped: "success",
	}[c.State]
	if state == "" || c.Name == "" {
		return fault.Errorf(fault.Invalid, "a check has a name and one of the states pending, passed, failed, error and skipped, not %.40q", c.State)
	}
	saying := short(c.Description)
	if g.app != nil {
		return g.setRun(ctx, owner, repo, commit, c, saying)
	}
	s := &gh.RepoStatus{State: &state, Context: &c.Name}
	if saying != "" {
		s.Description = &saying
	}
	if c.URL != "" {
		s.TargetURL = &c.URL
	}
	_, _, err = g.api.Repositories.CreateStatus(ctx, owner, repo, commit, s)
	return told(err)
}

// setRun moves the run of this name that has not ended, or makes one: of those that have, the newest counts.
func (g *GitHub) setRun(ctx context.Context, owner, repo, commit string, c forge.Check, saying string) error {
	filter := "latest"
	old, _, err := g.api.Checks.ListCheckRunsForRef(ctx, owner, repo, commit, &gh.ListCheckRunsOptions{CheckName: &c.Name, Filter: &filter})
	if err != nil {
		return as(told(err), fault.NotFound, http.StatusUnprocessableEntity)
	}
	status, ended := "completed", &gh.Timestamp{Time: g.app.now().UTC()}
	conclusion := map[string]string{forge.CheckPassed: "success", forge.CheckFailed: "failure", forge.CheckError: "failure", forge.CheckSkipped: "skipped"}[c.State]
	o := gh.CreateCheckRunOptions{Name: c.Name, HeadSHA: commit, Status: &status, Conclusion: &conclusion, CompletedAt: ended}
	if c.State == forge.CheckPending {
		status = "in_progress"
		o.Conclusion, o.CompletedAt = nil, nil
	}
	if c.URL != "" {
		o.DetailsURL = &c.URL
	}
	if saying != "" {
		o.Output = &gh.CheckRunOutput{Title: &saying, Summary: &c.Description}
	}
	for _, r := range old.CheckRuns {
		if r.GetStatus() != "completed" && r.GetApp().GetSlug()+"[bot]" == g.slug(ctx) {
			_, _, err = g.api.Checks.UpdateCheckRun(ctx, owner, repo, r.GetID(), gh.UpdateCheckRunOptions{
				Name: c.Name, DetailsURL: o.DetailsURL, Status: o.Status, Conclusion: o.Conclusion, CompletedAt: o.CompletedAt, Output: o.Output,
			})
			return told(err)
		}
	}
	_, _, err = g.api.Checks.CreateCheckRun(ctx, owner, repo, o)
	return told(err)
}

// slug gives the app's login, or what no app has.
func (g *GitHub) slug(ctx context.Context) string {
	self, err := g.self(ctx)
	if err != nil {
		return ""
	}
	return self
}

// short makes one line of a description that GitHub takes.
func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if letters := []rune(text); len(letters) > sayingLimit {
		return string(letters[:sayingLimit-1]) + "…"
	}
	return text
}
