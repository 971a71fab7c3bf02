package github

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// onLine begins the IDs of comments on lines, which GitHub numbers apart from the others.
const onLine = "r"

// place is where a comment stands among those of a pull request: by its time, and those of one second by their kind
// and number.
type place struct {
	when   time.Time
	onLine bool
	number int64
}

func placeOf(c forge.Comment) place {
	digits, ok := strings.CutPrefix(c.ID, onLine)
	n, _ := strconv.ParseInt(digits, 10, 64) // it is one
	return place{c.Created, ok, n}
}

func (p place) String() string {
	kind := 0
	if p.onLine {
		kind = 1
	}
	return fmt.Sprintf("%d.%d.%d", p.when.Unix(), kind, p.number)
}

func (p place) compare(q place) int {
	if c := p.when.Compare(q.when); c != 0 {
		return c
	}
	if p.onLine != q.onLine {
		if q.onLine {
			return -1
		}
		return 1
	}
	return int(min(max(p.number-q.number, -1), 1))
}

func parsePlace(cursor string) (p place, err error) {
	var unix int64
	var kind int
	if cursor == "" {
		return p, nil
	}
	if n, err := fmt.Sscanf(cursor, "%d.%d.%d", &unix, &kind, &p.number); n != 3 || err != nil {
		return p, fault.Errorf(fault.Invalid, "cursor %.40q is not one that a list gave", cursor)
	}
	p.when, p.onLine = time.Unix(unix, 0), kind == 1
	return p, nil
}

// ListComments puts the comments below a pull request and those on its lines into one order.
func (g *GitHub) ListComments(ctx context.Context, repository string, number int, part page.Request) (page.Of[forge.Comment], error) {
	owner, repo, err := split(repository)
	if err != nil {
		return page.Of[forge.Comment]{}, err
	}
	after, err := parsePlace(part.Cursor)
	if err != nil {
		return page.Of[forge.Comment]{}, err
	}
	// What is seen was created before the cursor; what changed before it was seen, too. GitHub leaves that out.
	var since time.Time
	if part.Cursor != "" {
		since = after.when.Add(-time.Second)
	}
	below, err := window(part, after, func(o gh.ListOptions) ([]*gh.IssueComment, *gh.Response, error) {
		list := &gh.IssueListCommentsOptions{ListOptions: o}
		if !since.IsZero() {
			list.Since = &since
		}
		return g.api.Issues.ListComments(ctx, owner, repo, number, list)
	}, commentOf)
	if err != nil {
		return page.Of[forge.Comment]{}, err
	}
	lines, err := window(part, after, func(o gh.ListOptions) ([]*gh.PullRequestComment, *gh.Response, error) {
		return g.api.PullRequests.ListComments(ctx, owner, repo, number, &gh.PullRequestListCommentsOptions{Sort: "created", Direction: "asc", Since: since, ListOptions: o})
	}, lineCommentOf)
	if err != nil {
		return page.Of[forge.Comment]{}, err
	}
	both := append(below, lines...)
	slices.SortFunc(both, func(a, b forge.Comment) int { return placeOf(a).compare(placeOf(b)) })
	return page.Cut(both, part, func(c forge.Comment) string { return placeOf(c).String() }), nil
}

// window reads of one kind of comments as many as a part takes, and one more.
func window[T any](part page.Request, after place, read func(o gh.ListOptions) ([]T, *gh.Response, error), of func(T) forge.Comment) ([]forge.Comment, error) {
	var out []forge.Comment
	for o := (gh.ListOptions{Page: 1, PerPage: min(part.Window(), pageLimit)}); ; {
		items, answer, err := read(o)
		if err != nil {
			return nil, told(err)
		}
		for _, x := range items {
			if c := of(x); part.Cursor == "" || placeOf(c).compare(after) > 0 {
				out = append(out, c)
			}
		}
		if answer.NextPage == 0 || len(out) >= part.Window() {
			return out, nil
		}
		o.Page = answer.NextPage
	}
}

func commentOf(c *gh.IssueComment) forge.Comment {
	return forge.Comment{
		ID: id(c.GetID()), Author: personOf(c.User), Body: c.GetBody(), Created: c.GetCreatedAt().Time, Updated: c.GetUpdatedAt().Time, URL: c.GetHTMLURL(),
	}
}

func lineCommentOf(c *gh.PullRequestComment) forge.Comment {
	out := forge.Comment{
		ID: onLine + id(c.GetID()), Author: personOf(c.User), Body: c.GetBody(), Path: c.GetPath(), Line: c.GetLine(), Old: c.GetSide() == "LEFT",
		Commit: c.GetCommitID(), Created: c.GetCreatedAt().Time, Updated: c.GetUpdatedAt().Time, URL: c.GetHTMLURL(),
	}
	if c.GetInReplyTo() != 0 {
		out.ReplyTo = onLine + id(c.GetInReplyTo())
	}
	return out
}

func said(body string) error {
	if strings.TrimSpace(body) == "" {
		return fault.Errorf(fault.Invalid, "a comment has a text")
	}
	return nil
}

// Comment says something below a pull request.
func (g *GitHub) Comment(ctx context.Context, repository string, number int, body string) (forge.Comment, error) {
	owner, repo, err := split(repository)
	if err == nil {
		err = said(body)
	}
	if err != nil {
		return forge.Comment{}, err
	}
	c, _, err := g.api.Issues.CreateComment(ctx, owner, repo, number, &gh.IssueComment{Body: &body})
	if err != nil {
		return forge.Comment{}, told(err)
	}
	return commentOf(c), nil
}

// EditComment asks for the comment first: GitHub takes an administrator's edit of anybody's comment on anything.
func (g *GitHub) EditComment(ctx context.Context, repository string, pull int, comment, body string) (forge.Comment, error) {
	owner, repo, err := split(repository)
	if err == nil {
		err = said(body)
	}
	if err != nil {
		return forge.Comment{}, err
	}
	digits, line := strings.CutPrefix(comment, onLine)
	n, err := number(digits)
	if err != nil {
		return forge.Comment{}, err
	}
	if line {
		old, _, err := g.api.PullRequests.GetComment(ctx, owner, repo, n)
		if err == nil {
			err = g.mayEdit(ctx, old.User, old.GetPullRequestURL(), "/pulls/", pull)
		}
		if err != nil {
			return forge.Comment{}, told(err)
		}
		c, _, err := g.api.PullRequests.EditComment(ctx, owner, repo, n, &gh.PullRequestComment{Body: &body})
		if err != nil {
			return forge.Comment{}, told(err)
		}
		return lineCommentOf(c), nil
	}
	old, _, err := g.api.Issues.GetComment(ctx, owner, repo, n)
	if err == nil {
		err = g.mayEdit(ctx, old.User, old.GetIssueURL(), "/issues/", pull)
	}
	if err != nil {
		return forge.Comment{}, told(err)
	}
	c, _, err := g.api.Issues.EditComment(ctx, owner, repo, n, &gh.IssueComment{Body: &body})
	if err != nil {
		return forge.Comment{}, told(err)
	}
	return commentOf(c), nil
}

func (g *GitHub) mayEdit(ctx context.Context, author *gh.User, of, kind string, pull int) error {
	if !strings.HasSuffix(of, kind+strconv.Itoa(pull)) {
		return fault.Errorf(fault.NotFound, "the comment is not one of pull request %d", pull)
	}
	self, err := g.self(ctx)
	if err == nil && !strings.EqualFold(author.GetLogin(), self) {
		err = fault.Errorf(fault.Denied, "the comment is of %s, not of %s", author.GetLogin(), self)
	}
	return err
}

// ListReviews leaves out what the caller has begun and not sent.
func (g *GitHub) ListReviews(ctx context.Context, repository string, number int, part page.Request) (page.Of[forge.Review], error) {
	owner, repo, err := split(repository)
	if err != nil {
		return page.Of[forge.Review]{}, err
	}
	got, err := list(part, func(o gh.ListOptions) ([]*gh.PullRequestReview, *gh.Response, error) {
		return g.api.PullRequests.ListReviews(ctx, owner, repo, number, &o)
	}, reviewOf)
	got.Items = slices.DeleteFunc(got.Items, func(r forge.Review) bool { return r.Verdict == "" })
	return got, err
}

func reviewOf(r *gh.PullRequestReview) forge.Review {
	verdicts := map[string]string{"APPROVED": forge.Approved, "CHANGES_REQUESTED": forge.Refused, "COMMENTED": forge.Commented, "DISMISSED": forge.Dismissed}
	return forge.Review{
		ID: id(r.GetID()), Author: personOf(r.User), Verdict: verdicts[strings.ToUpper(r.GetState())], Body: r.GetBody(), // webhooks write it small
		Commit: r.GetCommitID(), Created: r.GetSubmittedAt().Time,
	}
}

// Review sends a review with all its comments at once.
func (g *GitHub) Review(ctx context.Context, repository string, number int, r forge.NewReview) (forge.Review, error) {
	owner, repo, err := split(repository)
	if err != nil {
		return forge.Review{}, err
	}
	event := map[string]string{forge.Approved: "APPROVE", forge.Refused: "REQUEST_CHANGES", forge.Commented: "COMMENT"}[r.Verdict]
	if event == "" {
		return forge.Review{}, fault.Errorf(fault.Invalid, "%.40q is not a verdict; write approved, refused or commented", r.Verdict)
	}
	if r.Verdict != forge.Approved && len(r.Comments) == 0 && strings.TrimSpace(r.Body) == "" {
		return forge.Review{}, fault.Errorf(fault.Invalid, "a review that does not approve says why")
	}
	send := &gh.PullRequestReviewRequest{Event: &event}
	if r.Body != "" {
		send.Body = &r.Body
	}
	if r.Commit != "" {
		if err := checkHash(r.Commit); err != nil {
			return forge.Review{}, err
		}
		send.CommitID = &r.Commit
	}
	for _, c := range r.Comments {
		side := "RIGHT"
		if c.Old {
			side = "LEFT"
		}
		send.Comments = append(send.Comments, &gh.DraftReviewComment{Path: &c.Path, Line: &c.Line, Side: &side, Body: &c.Body})
	}
	made, _, err := g.api.PullRequests.CreateReview(ctx, owner, repo, number, send)
	if err != nil {
		return forge.Review{}, told(err)
	}
	return reviewOf(made), nil
}
