package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// ListReviews gives the approvals that hold. GitLab does not keep those that were taken back.
func (f *Forge) ListReviews(ctx context.Context, repository string, number int, part page.Request) (page.Of[forge.Review], error) {
	if err := checkRepository(repository); err != nil {
		return page.Of[forge.Review]{}, err
	}
	got, err := one(f.api.MergeRequestApprovals.GetConfiguration(repository, int64(number), gl.WithContext(ctx)))
	if err != nil {
		return page.Of[forge.Review]{}, err
	}
	var reviews []forge.Review
	for _, a := range got.ApprovedBy {
		who := basic(a.User)
		reviews = append(reviews, forge.Review{ID: approvalID(who), Author: who, Verdict: forge.Approved})
	}
	return page.From(reviews, part, func(r forge.Review) string { return r.ID }), nil
}

// approvalID makes the id of an approval, of which everybody has one at most.
func approvalID(who forge.Person) string { return fmt.Sprintf("approval-%020s", who.ID) }

// Review says what it has to: first of lines, then of the whole, and approves or takes the approval back at last.
func (f *Forge) Review(ctx context.Context, repository string, number int, r forge.NewReview) (forge.Review, error) {
	if err := checkReview(repository, r); err != nil {
		return forge.Review{}, err
	}
	if len(r.Comments) > 0 {
		if err := f.commentLines(ctx, repository, number, r); err != nil {
			return forge.Review{}, err
		}
	} else if r.Commit != "" {
		m, err := f.request(ctx, repository, number, nil)
		if err != nil {
			return forge.Review{}, err
		}
		if m.SHA != r.Commit {
			return forge.Review{}, moved(number, r.Commit, m.SHA)
		}
	}
	out := forge.Review{Verdict: r.Verdict, Body: r.Body, Commit: r.Commit}
	if strings.TrimSpace(r.Body) != "" {
		said, err := f.Comment(ctx, repository, number, r.Body)
		if err != nil {
			return forge.Review{}, err
		}
		out.ID, out.Author, out.Created = said.ID, said.Author, said.Created
	}
	var err error
	switch r.Verdict {
	case forge.Approved:
		err = f.approve(ctx, repository, number, r.Commit)
	case forge.Refused:
		if err = done(f.api.MergeRequestApprovals.UnapproveMergeRequest(repository, int64(number), gl.WithContext(ctx))); fault.Is(err, fault.NotFound) {
			err = nil // there was none to take back
		}
	}
	if err != nil {
		return forge.Review{}, err
	}
	if out.Author.Login == "" {
		me, err := one(f.api.Users.CurrentUser(gl.WithContext(ctx)))
		if err != nil {
			return forge.Review{}, err
		}
		out.Author = person(me.ID, me.Username, me.Name)
	}
	if r.Verdict == forge.Approved {
		out.ID = approvalID(out.Author)
	}
	return out, nil
}

func checkReview(repository string, r forge.NewReview) error {
	switch r.Verdict {
	case forge.Approved:
	case forge.Refused, forge.Commented:
		if strings.TrimSpace(r.Body) == "" && len(r.Comments) == 0 {
			return fault.Errorf(fault.Invalid, "a review that does not approve needs a text or comments on lines")
		}
	default:
		return fault.Errorf(fault.Invalid, "%q is not a verdict; write %s, %s or %s", r.Verdict, forge.Approved, forge.Refused, forge.Commented)
	}
	for _, c := range r.Comments {
		if strings.TrimSpace(c.Body) == "" || c.Path == "" || c.Line < 1 {
			return fault.Errorf(fault.Invalid, "a comment on a line needs a path, a line from 1 and a text")
		}
	}
	return checkRepository(repository)
}

// approve approves. GitLab says "unauthorized" both to those who have approved already and to those who may not.
func (f *Forge) approve(ctx context.Context, repository string, number int, head string) error {
	_, err := one(f.api.MergeRequestApprovals.ApproveMergeRequest(repository, int64(number), &gl.ApproveMergeRequestOptions{SHA: optional(head)}, gl.WithContext(ctx)))
	switch {
	case fault.Is(err, fault.Conflict):
		return fault.Errorf(fault.Stale, "%w", err)
	case !fault.Is(err, fault.Unauthenticated):
		return err
	}
	now, err2 := one(f.api.MergeRequestApprovals.GetConfiguration(repository, int64(number), gl.WithContext(ctx)))
	switch {
	case err2 != nil:
		return err2
	case now.UserHasApproved:
		return nil
	}
	return fault.Errorf(fault.Denied, "you may not approve !%d: %w", number, err)
}

func (f *Forge) commentLines(ctx context.Context, repository string, number int, r forge.NewReview) error {
	v, err := f.version(ctx, repository, number, r.Commit)
	if err != nil {
		return err
	}
	var discussions []*gl.CreateMergeRequestDiscussionOptions
	for _, c := range r.Comments {
		at := slices.IndexFunc(v.Diffs, func(d *gl.Diff) bool { return c.Old && d.OldPath == c.Path || !c.Old && d.NewPath == c.Path })
		if at < 0 {
			return fault.Errorf(fault.Invalid, "!%d does not change %s", number, c.Path)
		}
		d := v.Diffs[at]
		from, to := lines(d.Diff, c.Line, c.Old)
		p := &gl.PositionOptions{
			BaseSHA: &v.BaseCommitSHA, StartSHA: &v.StartCommitSHA, HeadSHA: &v.HeadCommitSHA,
			PositionType: gl.Ptr("text"), OldPath: &d.OldPath, NewPath: &d.NewPath,
		}
		if from > 0 {
			p.OldLine = gl.Ptr(int64(from))
		}
		if to > 0 {
			p.NewLine = gl.Ptr(int64(to))
		}
		discussions = append(discussions, &gl.CreateMergeRequestDiscussionOptions{Body: &c.Body, Position: p})
	}
	for _, d := range discussions {
		if _, err := one(f.api.Discussions.CreateMergeRequestDiscussion(repository, int64(number), d, gl.WithContext(ctx))); err != nil {
			return err
		}
	}
	return nil
}

// lines finds a line of the one file in the other, as GitLab wants a line that is in both named by both numbers. One of
// the two is 0 for a line that was added or removed.
func lines(diff string, line int, old bool) (from, to int) {
	shift := 0 // by which lines after the hunks so far are further down in the new file
	for hunk := range strings.SplitSeq("\n"+diff, "\n@@ ") {
		var a, b int
		if n, _ := fmt.Sscanf(hunk, "-%d", &a); n != 1 {
			continue
		}
		if _, after, ok := strings.Cut(hunk, " +"); ok {
			_, _ = fmt.Sscanf(after, "%d", &b)
		}
		if old && line < a || !old && line < b {
			break
		}
		_, body, _ := strings.Cut(hunk, "\n")
		for text := range strings.Lines(body) {
			switch text[0] {
			case '+':
				if !old && b == line {
					return 0, b
				}
				b++
			case '-':
				if old && a == line {
					return a, 0
				}
				a++
			case ' ':
				if old && a == line || !old && b == line {
					return a, b
				}
				a, b = a+1, b+1
			}
		}
		shift = b - a
	}
	if old {
		return line, line + shift
	}
	return line - shift, line
}
