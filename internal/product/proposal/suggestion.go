package proposal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Suggestion gives what a comment on lines of the new file would put in their place; ok is false for none.
func (c Comment) Suggestion() (text string, ok bool) {
	if c.Path == "" || c.Old {
		return "", false
	}
	all := suggestions(c.Body)
	if len(all) != 1 {
		return "", false
	}
	return all[0], true
}

// ApplyRequest says which suggestions to commit.
type ApplyRequest struct {
	Comments []string // ids
	Message  string   // of the commit; "" for one that names them
	Head     string   // that was looked at; "" for the head now
}

// appliedMost bounds the suggestions of one commit.
const appliedMost = 100

// applied begins the line of a commit's message that names a comment whose suggestion it does. What it names is settled
// when the head with it is looked at, so that nothing is lost between the commit and its record.
const appliedTrailer = "Suggestion: "

// Apply makes one commit on the source branch that does what comments suggest, as the caller, and settles their talks. It
// needs repository:write; Conflict when lines are no longer what they were, or two suggestions are about the same ones,
// Stale when the head moved since it was looked at.
func (s *Service) Apply(ctx context.Context, repo string, number int, a ApplyRequest) (Detail, error) {
	r, p, err := s.find(ctx, repository.Write, repo, number)
	if err != nil {
		return Detail{}, err
	}
	if p, err = s.upToDate(ctx, r, p); err != nil {
		return Detail{}, err
	}
	switch {
	case p.State != Open:
		return Detail{}, fault.Errorf(fault.Conflict, "it is %s", p.State)
	case p.OfFork():
		return Detail{}, inThere(p, "changing its branch")
	case a.Head != "" && a.Head != p.Head:
		return Detail{}, stale(p)
	case len(a.Comments) == 0 || len(a.Comments) > appliedMost:
		return Detail{}, fault.Errorf(fault.Invalid, "name 1 to %d comments", appliedMost)
	}
	if err := checkText("the message of the commit", a.Message, bodyLimit/2, true); err != nil {
		return Detail{}, err
	}
	chosen, err := s.chosen(ctx, p, a.Comments)
	if err != nil {
		return Detail{}, err
	}
	changes, err := s.suggested(ctx, r, p, chosen)
	if err != nil {
		return Detail{}, err
	}
	message, err := s.appliedMessage(ctx, a.Message, chosen)
	if err != nil {
		return Detail{}, err
	}
	_, err = s.Repositories.CommitFiles(ctx, r.FullName(), git.CommitRequest{
		Branch: p.Source, Parent: p.Head, Author: s.signature(ctx), Committer: s.roadbed(), Message: message, Changes: changes,
	})
	if err != nil {
		return Detail{}, err
	}
	if p, err = s.upToDate(ctx, r, p); err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

// stale tells that a proposal is no longer what somebody looked at.
func stale(p Proposal) error {
	return fault.Errorf(fault.Stale, "%s was pushed to since you looked at it; look at %.8s", p.Source, p.Head)
}

// chosen gives comments that can be applied, each once.
func (s *Service) chosen(ctx context.Context, p Proposal, ids []string) (out []Comment, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			c, err := commentByID(ctx, tx, p.ID, id, "")
			if err != nil {
				return err
			}
			if _, ok := c.Suggestion(); !ok {
				return fault.Errorf(fault.Invalid, "comment %s has not one suggestion for lines of the new file", id)
			}
			if c.Applied != "" {
				return fault.Errorf(fault.Conflict, "what comment %s suggests was done by %.8s", id, c.Applied)
			}
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

// suggested gives the files with suggestions in them.
func (s *Service) suggested(ctx context.Context, r repository.Repository, p Proposal, chosen []Comment) ([]git.FileChange, error) {
	places, err := s.place(ctx, r, p.Head, p.Standing.Base, chosen)
	if err != nil {
		return nil, err
	}
	byFile := map[string][]Comment{}
	for _, c := range chosen {
		if c.Now = places[c.ID]; c.Now.Line == 0 {
			return nil, fault.Errorf(fault.Conflict, "%s was changed at lines %d to %d since %s was suggested; suggest it anew for what is there now", c.Path, c.Start, c.Line, c.ID)
		}
		byFile[c.Path] = append(byFile[c.Path], c)
	}
	var changes []git.FileChange
	for file, all := range byFile {
		slices.SortFunc(all, func(a, b Comment) int { return a.Now.Start - b.Now.Start })
		lines, err := s.linesAt(ctx, r, p.Head, file)
		if err != nil {
			return nil, err
		}
		if lines == nil {
			return nil, fault.Errorf(fault.Invalid, "%s is not a text that suggestions can change", file)
		}
		var out strings.Builder
		next := 1
		for _, c := range all {
			if c.Now.Start < next {
				return nil, fault.Errorf(fault.Conflict, "two suggestions are about line %d of %s; apply them one after the other", c.Now.Start, file)
			}
			out.WriteString(strings.Join(lines[next-1:c.Now.Start-1], ""))
			text, _ := c.Suggestion()
			out.WriteString(endedAs(text, lines[c.Now.Start-1:c.Now.Line]))
			next = c.Now.Line + 1
		}
		out.WriteString(strings.Join(lines[next-1:], ""))
		if out.String() == strings.Join(lines, "") {
			return nil, fault.Errorf(fault.Conflict, "%s has it already", file)
		}
		entry, err := s.entry(ctx, r, p.Head, file)
		if err != nil {
			return nil, err
		}
		changes = append(changes, git.FileChange{Path: file, Content: []byte(out.String()), Mode: entry.Mode})
	}
	slices.SortFunc(changes, func(a, b git.FileChange) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

// endedAs ends the lines of a suggestion as the lines that it replaces end.
func endedAs(text string, lines []string) string {
	if strings.HasSuffix(lines[0], "\r\n") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if !strings.HasSuffix(lines[len(lines)-1], "\n") {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	return text
}

// appliedMessage gives the message of a commit that does what was suggested, with those who suggested it.
func (s *Service) appliedMessage(ctx context.Context, message string, chosen []Comment) (string, error) {
	var files, trailers []string
	for _, c := range chosen {
		if !slices.Contains(files, c.Path) {
			files = append(files, c.Path)
		}
		who, err := s.People.Principal(ctx, c.Author)
		if fault.Is(err, fault.NotFound) || c.Author == actor.From(ctx).ID {
			continue // gone, or the author of the commit anyway
		}
		if err != nil {
			return "", err
		}
		by := "Co-authored-by: " + named(who) + " <" + mail(who) + ">"
		if !slices.Contains(trailers, by) {
			trailers = append(trailers, by)
		}
	}
	if message = strings.TrimSpace(message); message == "" {
		message = fmt.Sprintf("Apply %s to %s%s", count(len(chosen), "suggestion"), files[0], more(len(files)-1))
	}
	for _, c := range chosen {
		trailers = append(trailers, appliedTrailer+c.ID)
	}
	return message + "\n\n" + strings.Join(trailers, "\n") + "\n", nil
}

// count writes a number of things.
func count(n int, noun string) string {
	if n == 1 {
		return "a " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// named gives a person's name as a commit has it; mail the address that stands for them.
func named(who actor.Principal) string {
	if who.Name == "" {
		return who.Ref.Name
	}
	return who.Name
}

func mail(who actor.Principal) string { return who.ID + "@users.localhost" }

// signature gives the caller as the author of a commit; roadbed the platform as its committer.
func (s *Service) signature(ctx context.Context) git.Signature {
	me := actor.From(ctx)
	return git.Signature{Name: named(me), Email: mail(me), When: s.Now()}
}

func (s *Service) roadbed() git.Signature {
	return git.Signature{Name: "Roadbed", Email: "roadbed@localhost", When: s.Now()}
}

// appliedLookedAt bounds the commits of one push that are looked through for suggestions.
const appliedLookedAt = 100

// appliedBy gives what commits between two heads say that they apply: ids of comments with the commits.
func (s *Service) appliedBy(ctx context.Context, r repository.Repository, old, head string) (map[string]string, error) {
	if old == "" || old == head {
		return nil, nil
	}
	commits, err := s.Repositories.Platform().Brings(ctx, r.FullName(), old, head, 0, appliedLookedAt)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, c := range commits {
		for line := range strings.Lines(c.Message) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), appliedTrailer); ok && len(out) < appliedMost {
				out[id] = c.Hash
			}
		}
	}
	return out, nil
}

// settleApplied marks what a push did of what was suggested, and settles those talks as its pusher.
func (s *Service) settleApplied(ctx context.Context, tx *store.Tx, p Proposal, applied map[string]string, by string) (done []string, err error) {
	for id, commit := range applied {
		c, err := commentByID(ctx, tx, p.ID, id, tx.ForUpdate())
		if fault.Is(err, fault.NotFound) || err == nil && c.Applied != "" {
			continue // of another proposal, or of no comment at all: anybody may write such a line
		}
		if err != nil {
			return nil, err
		}
		if _, ok := c.Suggestion(); !ok {
			continue
		}
		c.Applied, c.Updated = commit, s.Now()
		first := c
		if c.ReplyTo != "" {
			if first, err = commentByID(ctx, tx, p.ID, c.ReplyTo, tx.ForUpdate()); err != nil {
				return nil, err
			}
		}
		if first.Resolved == "" {
			first.Resolved, first.Updated = by, s.Now()
		}
		if first.ID == c.ID {
			c = first
		} else if err := saveComment(ctx, tx, first); err != nil {
			return nil, err
		}
		if err := saveComment(ctx, tx, c); err != nil {
			return nil, err
		}
		done = append(done, id)
	}
	slices.Sort(done)
	return done, nil
}
