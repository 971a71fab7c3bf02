package gitlab

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func comment(repository string, number int, n *gl.Note) forge.Comment {
	c := forge.Comment{
		ID: strconv.FormatInt(n.ID, 10), Author: person(n.Author.ID, n.Author.Username, n.Author.Name), Body: n.Body,
		Resolved: n.Resolved, Created: when(n.CreatedAt), Updated: when(n.UpdatedAt),
	}
	if p := n.Position; p != nil {
		c.Path, c.Line, c.Commit = p.NewPath, int(p.NewLine), p.HeadSHA
		if p.NewLine == 0 && p.OldLine > 0 {
			c.Path, c.Line, c.Old = p.OldPath, int(p.OldLine), true
		}
	}
	return c
}

func (f *Forge) comment(repository string, number int, n *gl.Note) forge.Comment {
	c := comment(repository, number, n)
	c.URL = fmt.Sprintf("%s/%s/-/merge_requests/%d#note_%d", f.root, repository, number, n.ID)
	return c
}

// ListComments gives what people said, without what GitLab notes itself. It does not tell what a comment answers.
func (f *Forge) ListComments(ctx context.Context, repository string, number int, part page.Request) (page.Of[forge.Comment], error) {
	if err := checkRepository(repository); err != nil {
		return page.Of[forge.Comment]{}, err
	}
	return list(part, func(o gl.ListOptions) ([]*gl.Note, *gl.Response, error) {
		return f.api.Notes.ListMergeRequestNotes(repository, int64(number), &gl.ListMergeRequestNotesOptions{ListOptions: o, OrderBy: gl.Ptr("created_at"), Sort: gl.Ptr("asc")}, gl.WithContext(ctx))
	}, func(n *gl.Note) (forge.Comment, bool) { return f.comment(repository, number, n), !n.System })
}

// Comment adds a comment.
func (f *Forge) Comment(ctx context.Context, repository string, number int, body string) (forge.Comment, error) {
	if err := checkBody(repository, body); err != nil {
		return forge.Comment{}, err
	}
	n, err := one(f.api.Notes.CreateMergeRequestNote(repository, int64(number), &gl.CreateMergeRequestNoteOptions{Body: &body}, gl.WithContext(ctx)))
	if err != nil {
		return forge.Comment{}, err
	}
	return f.comment(repository, number, n), nil
}

func checkBody(repository, body string) error {
	if strings.TrimSpace(body) == "" {
		return fault.Errorf(fault.Invalid, "a comment needs a text")
	}
	return checkRepository(repository)
}

// EditComment replaces the text of a comment.
func (f *Forge) EditComment(ctx context.Context, repository string, number int, id, body string) (forge.Comment, error) {
	if err := checkBody(repository, body); err != nil {
		return forge.Comment{}, err
	}
	note, err := checkID(id, "comment")
	if err != nil {
		return forge.Comment{}, err
	}
	n, err := one(f.api.Notes.UpdateMergeRequestNote(repository, int64(number), note, &gl.UpdateMergeRequestNoteOptions{Body: &body}, gl.WithContext(ctx)))
	if err != nil {
		return forge.Comment{}, err
	}
	return f.comment(repository, number, n), nil
}
