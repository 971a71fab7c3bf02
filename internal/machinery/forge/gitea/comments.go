package gitea

import (
	"context"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// ListComments gives comments by their ids. Gitea lists those on lines for each review alone; which one a comment
// answers it does not tell.
func (f *Forge) ListComments(ctx context.Context, repository string, number int, part page.Request) (page.Of[forge.Comment], error) {
	var none page.Of[forge.Comment]
	if _, err := f.pull(ctx, repository, number); err != nil {
		return none, err
	}
	path, err := at(repository, "issues", text(int64(number)), "comments")
	if err != nil {
		return none, err
	}
	var plain []comment
	if err := f.get(ctx, path, nil, &plain); err != nil {
		return none, err
	}
	reviews, err := f.reviews(ctx, repository, number)
	if err != nil {
		return none, err
	}
	for _, r := range reviews {
		if r.Comments == 0 {
			continue
		}
		path, err := atPull(repository, number, "reviews", text(r.ID), "comments")
		if err != nil {
			return none, err
		}
		var lines []comment
		if err := f.get(ctx, path, nil, &lines); err != nil {
			return none, err
		}
		plain = append(plain, lines...)
	}
	out := make([]forge.Comment, len(plain))
	for i, c := range plain {
		out[i] = c.comment()
	}
	return numbered(out, part, func(c forge.Comment) string { return c.ID })
}

// numbered gives a part of a whole list by ids.
func numbered[T any](all []T, part page.Request, id func(T) string) (page.Of[T], error) {
	if _, err := part.Number(); err != nil {
		return page.Of[T]{}, err
	}
	if part.Cursor != "" {
		part.Cursor = byID(part.Cursor)
	}
	out := page.From(all, part, func(v T) string { return byID(id(v)) })
	out.Next = strings.TrimLeft(out.Next, "0")
	return out, nil
}

func checkBody(body string) error {
	if strings.TrimSpace(body) == "" {
		return fault.Errorf(fault.Invalid, "a comment needs a text")
	}
	return nil
}

// Comment adds one.
func (f *Forge) Comment(ctx context.Context, repository string, number int, body string) (forge.Comment, error) {
	path, err := at(repository, "issues", text(int64(number)), "comments")
	if err != nil {
		return forge.Comment{}, err
	}
	if err := checkBody(body); err != nil {
		return forge.Comment{}, err
	}
	var c comment
	_, err = f.send(ctx, http.MethodPost, path, nil, map[string]any{"body": body}, &c)
	if err = unless(err, func() error { _, err := f.pull(ctx, repository, number); return err }); err != nil {
		return forge.Comment{}, err
	}
	return c.comment(), nil
}

// EditComment replaces the text of one.
func (f *Forge) EditComment(ctx context.Context, repository string, _ int, id, body string) (forge.Comment, error) {
	n, err := number("comment", id)
	if err != nil {
		return forge.Comment{}, err
	}
	path, err := at(repository, "issues/comments", text(n))
	if err != nil {
		return forge.Comment{}, err
	}
	if err := checkBody(body); err != nil {
		return forge.Comment{}, err
	}
	var c comment
	if _, err = f.send(ctx, http.MethodPatch, path, nil, map[string]any{"body": body}, &c); err != nil {
		return forge.Comment{}, err
	}
	return c.comment(), nil
}

func (f *Forge) reviews(ctx context.Context, repository string, number int) ([]review, error) {
	path, err := atPull(repository, number, "reviews")
	if err != nil {
		return nil, err
	}
	return whole(ctx, f, path, nil, func(r review) (review, bool) { return r, true })
}

// ListReviews gives reviews by their ids.
func (f *Forge) ListReviews(ctx context.Context, repository string, number int, part page.Request) (page.Of[forge.Review], error) {
	got, err := f.reviews(ctx, repository, number)
	if err != nil {
		return page.Of[forge.Review]{}, err
	}
	var out []forge.Review
	for _, r := range got {
		if v, ok := r.review(); ok {
			out = append(out, v)
		}
	}
	return numbered(out, part, func(r forge.Review) string { return r.ID })
}

// Review sends one.
func (f *Forge) Review(ctx context.Context, repository string, number int, r forge.NewReview) (forge.Review, error) {
	path, err := atPull(repository, number, "reviews")
	if err != nil {
		return forge.Review{}, err
	}
	event := ""
	for word, verdict := range verdicts {
		if verdict == r.Verdict {
			event = word
		}
	}
	if event == "" {
		return forge.Review{}, fault.Errorf(fault.Invalid, "%.100q is no verdict: it is approved, refused or commented", r.Verdict)
	}
	lines := []map[string]any{}
	for _, c := range r.Comments {
		if err := checkPath(c.Path); err != nil {
			return forge.Review{}, err
		}
		if c.Path == "" || c.Line < 1 || checkBody(c.Body) != nil {
			return forge.Review{}, fault.Errorf(fault.Invalid, "a comment on a line needs a path, a line from 1 and a text")
		}
		side := "new_position"
		if c.Old {
			side = "old_position"
		}
		lines = append(lines, map[string]any{"path": c.Path, "body": c.Body, side: c.Line})
	}
	var made review
	_, err = f.send(ctx, http.MethodPost, path, nil, map[string]any{"event": event, "body": r.Body, "commit_id": r.Commit, "comments": lines}, &made)
	if err = unless(err, func() error { _, err := f.pull(ctx, repository, number); return err }); err != nil {
		return forge.Review{}, err
	}
	out, _ := made.review()
	return out, nil
}
