package proposal

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of a comment on lines.
const (
	talkLines   = 500      // of one comment
	quoteLimit  = 16 << 10 // bytes that are kept of the lines
	quotedFile  = 4 << 20  // bytes of a file whose lines are quoted
	placedFrom  = 30       // states of a proposal that talks are followed from; older ones are outdated
	placedBytes = 8 << 20  // of the differences between two of them
)

// Span is a range of lines in a file; zero for none.
type Span struct{ Start, Line int }

// Comment is what somebody said: of the whole, of lines, or in answer to another comment.
type Comment struct {
	ID       string
	Author   string
	Body     string
	Path     string // "" for none on lines
	Start    int    // the first line
	Line     int    // the last one; in the new file, or with Old in the old one
	Old      bool
	Commit   string // that the lines are of: a head, or with Old what it was compared with
	Quote    string // the lines as they were, as far as they are text and not too long
	Now      Span   // where the lines are now; zero when they have changed since
	ReplyTo  string
	Review   string // that it was given with; "" for none
	Login    string // of the author at the forge; "" for one that was said here
	There    string // the forge's id; "" for none
	Posted   bool   // it was said here and stands at the forge under the platform's name
	Resolved string // who settled the talk that it began; "" while it is open
	Applied  string // commit that did what it suggests
	Commands []Command
	Created  time.Time
	Updated  time.Time

	at string // commit that Now is of
}

// NewComment says what to say.
type NewComment struct {
	Body    string
	Path    string // of lines of the diff; "" for the whole
	Line    int    // the last line
	Start   int    // the first line; 0 for Line
	Old     bool
	ReplyTo string // id of the comment that begins the talk
}

func (c NewComment) check() error {
	if err := checkText("the comment", c.Body, commentLimit, false); err != nil {
		return err
	}
	if c.Path == "" {
		if c.Line != 0 || c.Start != 0 || c.Old {
			return fault.Errorf(fault.Invalid, "a line needs the path of its file")
		}
		return nil
	}
	if _, err := git.CheckPath(c.Path); err != nil {
		return err
	}
	switch {
	case c.Line < 1 || c.Line > 10_000_000:
		return fault.Errorf(fault.Invalid, "%d is not the number of a line", c.Line)
	case c.Start < 0 || c.Start > c.Line:
		return fault.Errorf(fault.Invalid, "lines %d to %d are no range", c.Start, c.Line)
	case c.Start > 0 && c.Line-c.Start >= talkLines:
		return fault.Errorf(fault.TooLarge, "a comment is on at most %d lines", talkLines)
	}
	return nil
}

// said is a comment with the lines that it is on, which were read before it is kept.
type said struct {
	NewComment
	commit, quote string
}

// quote reads the lines that comments are on, and says which are not there.
func (s *Service) quote(ctx context.Context, r repository.Repository, p Proposal, all ...NewComment) ([]said, error) {
	out := make([]said, len(all))
	for i, n := range all {
		if err := n.check(); err != nil {
			return nil, err
		}
		out[i].NewComment = n
		if n.Path == "" || n.ReplyTo != "" {
			continue
		}
		if n.Start == 0 {
			n.Start = n.Line
		}
		out[i].Start, out[i].commit = n.Start, p.Head
		if n.Old {
			out[i].commit = p.Standing.Base
		}
		lines, err := s.linesAt(ctx, r, out[i].commit, n.Path)
		if err != nil {
			return nil, err
		}
		if lines == nil {
			continue
		}
		if n.Line > len(lines) {
			return nil, fault.Errorf(fault.Invalid, "%s has %d lines at %.8s, so none with the number %d", n.Path, len(lines), out[i].commit, n.Line)
		}
		if quote := strings.ToValidUTF8(strings.Join(lines[n.Start-1:n.Line], ""), "\uFFFD"); len(quote) <= quoteLimit && !strings.ContainsRune(quote, 0) {
			out[i].quote = quote
		}
	}
	return out, nil
}

// linesAt gives the lines of a file, each with its end; nil for what has none that could be quoted: a link, a submodule,
// or a file that is too large.
func (s *Service) linesAt(ctx context.Context, r repository.Repository, commit, file string) ([]string, error) {
	if commit == "" {
		return nil, fault.Errorf(fault.Invalid, "the two branches have nothing in common, so there are no old lines")
	}
	entry, err := s.entry(ctx, r, commit, file)
	if err != nil || entry.Type != "blob" || entry.Mode == "120000" || entry.Size > quotedFile {
		return nil, err
	}
	text, err := s.Repositories.Platform().ReadFile(ctx, r.FullName(), commit, file, quotedFile)
	if err != nil {
		return nil, err
	}
	return splitLines(string(text)), nil
}

// splitLines gives lines with their ends.
func splitLines(text string) []string { return slices.Collect(strings.Lines(text)) }

// entry gives what a path is at a commit; Invalid when there is no such file.
func (s *Service) entry(ctx context.Context, r repository.Repository, commit, file string) (git.TreeEntry, error) {
	file, err := git.CheckPath(file)
	if err != nil {
		return git.TreeEntry{}, err
	}
	folder := path.Dir(file)
	if folder == "." {
		folder = ""
	}
	entries, err := s.Repositories.Platform().Tree(ctx, r.FullName(), commit, folder)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return git.TreeEntry{}, err
	}
	i := slices.IndexFunc(entries, func(e git.TreeEntry) bool { return e.Path == file })
	if i < 0 || entries[i].Type == "tree" {
		return git.TreeEntry{}, fault.Errorf(fault.Invalid, "there is no file %.300s at %.8s", file, commit)
	}
	return entries[i], nil
}

// comment keeps a comment in a transaction, with what it commands. An answer is on the same lines as what it answers.
func (s *Service) comment(ctx context.Context, tx *store.Tx, r repository.Repository, p Proposal, n said, review string) (Comment, error) {
	now := s.Now()
	c := Comment{
		ID: ref.NewID(commentPrefix, now), Author: actor.From(ctx).ID, Body: n.Body, Path: n.Path, Start: n.Start, Line: n.Line, Old: n.Old,
		Commit: n.commit, Quote: n.quote, Review: review, Created: now, Updated: now,
	}
	if c.Path != "" {
		c.Now, c.at = Span{c.Start, c.Line}, c.Commit // when a push came first, the next look places it anew
	}
	if n.ReplyTo != "" {
		first, err := commentByID(ctx, tx, p.ID, n.ReplyTo, "")
		if err != nil {
			return c, err
		}
		if first.ReplyTo != "" {
			return c, fault.Errorf(fault.Invalid, "answer the comment that begins the talk, %s", first.ReplyTo)
		}
		c.ReplyTo, c.Path, c.Start, c.Line, c.Old, c.Commit, c.Quote = first.ID, first.Path, first.Start, first.Line, first.Old, first.Commit, first.Quote
		c.Now, c.at = Span{}, ""
	}
	if err := insertComment(ctx, tx, p.ID, c); err != nil {
		return c, err
	}
	var err error
	c.Commands, err = s.command(ctx, tx, r, p, c)
	return c, err
}

// place says where the lines of talks are at a head and its base.
func (s *Service) place(ctx context.Context, r repository.Repository, head, base string, talks []Comment) (map[string]Span, error) {
	type side struct {
		commit string
		old    bool
	}
	files := map[side][]string{}
	var order []side // the newest first
	for _, c := range slices.Backward(talks) {
		k := side{c.Commit, c.Old}
		if files[k] == nil {
			order = append(order, k)
		}
		if !slices.Contains(files[k], c.Path) {
			files[k] = append(files[k], c.Path)
		}
	}
	moved := map[side]map[string]git.FileDiff{}
	for _, k := range order[:min(len(order), placedFrom)] {
		to := head
		if k.old {
			to = base
		}
		changed := map[string]git.FileDiff{}
		if to != k.commit {
			d, err := s.Repositories.Platform().Diff(ctx, r.FullName(), k.commit, to, git.DiffLimits{Bytes: placedBytes, Tight: true, Paths: files[k]})
			if fault.Is(err, fault.NotFound) {
				continue // it was rewritten before anybody kept it
			}
			if err != nil {
				return nil, err
			}
			for _, f := range d.Files {
				changed[f.Path] = f
			}
		}
		moved[k] = changed
	}
	out := map[string]Span{}
	for _, c := range talks {
		changed, known := moved[side{c.Commit, c.Old}]
		if !known {
			continue
		}
		now := Span{c.Start, c.Line}
		if f, touched := changed[c.Path]; touched {
			now = now.after(f)
		}
		out[c.ID] = now
	}
	return out, nil
}

// after gives where lines are once a file was changed; zero when one of them was, or something came between them.
func (s Span) after(f git.FileDiff) Span {
	if f.Status == "deleted" || f.Status == "type" || f.Folded || f.Binary {
		return Span{}
	}
	shift := 0
	for _, h := range parseHunks(f.Patch) {
		first, last := h.old, h.old+h.olds-1
		if h.olds == 0 { // comes after the line h.old
			first, last = h.old+1, h.old
		}
		switch {
		case last < s.Start:
			shift += h.news - h.olds
		case first > s.Line:
		default:
			return Span{}
		}
	}
	return Span{s.Start + shift, s.Line + shift}
}

// hunk is where a hunk of a patch begins in the old file and how many lines it has there and in the new one.
type hunk struct{ old, olds, news int }

func parseHunks(patch string) (out []hunk) {
	for line := range strings.Lines(patch) {
		rest, ok := strings.CutPrefix(line, "@@ -")
		if !ok {
			continue
		}
		before, rest, _ := strings.Cut(rest, " +")
		after, _, _ := strings.Cut(rest, " @@")
		old, olds := counted(before)
		_, news := counted(after)
		out = append(out, hunk{old, olds, news})
	}
	return out
}

// counted reads LINE or LINE,COUNT.
func counted(text string) (line, count int) {
	first, second, both := strings.Cut(text, ",")
	line, _ = strconv.Atoi(first) // git wrote it
	count = 1
	if both {
		count, _ = strconv.Atoi(second)
	}
	return line, count
}
