package proposal

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// put is a comment of somebody here as it is to stand at a forge.
type put struct {
	said
	there forge.LineComment // without a path for one that stands on no line there
}

// lines gives what a comment is on, with other words.
func (c Comment) lines(body string) NewComment {
	return NewComment{Body: body, Path: c.Path, Start: c.Start, Line: c.Line, Old: c.Old, ReplyTo: c.ReplyTo}
}

// putThere gives comments as they stand at a forge. A forge has one line to each, so further ones are named in words; an
// answer stands on the line that the talk is on now, and names what it answers.
func (s *Service) putThere(ctx context.Context, r repository.Repository, p Proposal, all ...NewComment) ([]put, error) {
	what, err := s.quote(ctx, r, p, all...)
	if err != nil {
		return nil, err
	}
	out := make([]put, len(what))
	for i, w := range what {
		there, answered := forge.LineComment{Path: w.Path, Line: w.Line, Old: w.Old}, ""
		if w.ReplyTo != "" {
			var first Comment
			err := s.DB.Read(ctx, func(tx *store.Tx) error {
				first, err = commentByID(ctx, tx, p.ID, w.ReplyTo, "")
				return err
			})
			if err != nil {
				return nil, err
			}
			if first.ReplyTo != "" {
				return nil, fault.Errorf(fault.Invalid, "answer the comment that begins the talk, %s", first.ReplyTo)
			}
			w.NewComment = first.lines(w.Body)
			w.ReplyTo, w.commit, w.quote, answered = first.ID, first.Commit, first.Quote, first.Body
			if there = (forge.LineComment{}); first.Now.Line > 0 {
				there = forge.LineComment{Path: first.Path, Line: first.Now.Line, Old: first.Old}
			}
		}
		there.Body = wordsThere(ctx, w.NewComment, answered)
		out[i] = put{w, there}
	}
	return out, nil
}

// inTheNameOf gives a text as the platform says it for somebody.
func inTheNameOf(ctx context.Context, text string) string { return saidBy(ctx, "", text) }

func saidBy(ctx context.Context, where, text string) string {
	me := actor.From(ctx)
	who := strings.Map(func(r rune) rune {
		if strings.ContainsRune("*_`[]<>@#\r\n", r) {
			return -1
		}
		return r
	}, cmp.Or(me.Name, me.Ref.Name, "somebody"))
	return fmt.Sprintf("**%s**, through Roadbed%s:\n\n%s", who, where, text)
}

// wordsThere gives the words of a comment at a forge: whose they are, the lines when they are several, what they answer.
func wordsThere(ctx context.Context, n NewComment, answered string) string {
	several := n.Start > 0 && n.Start < n.Line
	where := ""
	if several && n.ReplyTo == "" {
		where = fmt.Sprintf(", on lines %d to %d", n.Start, n.Line)
		if n.Old {
			where = fmt.Sprintf(", on the old lines %d to %d", n.Start, n.Line)
		}
	}
	text := n.Body
	if several {
		text = unmarked(text)
	}
	return saidBy(ctx, where, quoted(answered)+text)
}

// unmarked gives a text whose suggestions are plain blocks of code: a forge would put them in place of the one line that
// the comment stands on there.
func unmarked(text string) string {
	var b strings.Builder
	for i, l := range linesOf(text) {
		if i > 0 {
			b.WriteByte('\n')
		}
		if l.edge && l.info == "suggestion" {
			l.text = strings.Replace(l.text, "suggestion", "", 1)
		}
		b.WriteString(strings.TrimRight(l.text, " \t\r"))
	}
	return b.String()
}

// What an answer quotes of what it answers, in lines and bytes of each.
const (
	quotedLines = 3
	quotedBytes = 200
)

// quoted gives the beginning of a text as a quote.
func quoted(text string) string {
	if text == "" {
		return ""
	}
	var b strings.Builder
	n := 0
	for _, l := range linesOf(text) {
		if strings.TrimSpace(l.text) == "" || l.mute {
			continue
		}
		if n++; n > quotedLines {
			b.WriteString("> …\n")
			break
		}
		b.WriteString("> " + clip(strings.TrimRight(l.text, "\r"), quotedBytes) + "\n")
	}
	if n == 0 {
		return ""
	}
	return b.String() + "\n"
}
