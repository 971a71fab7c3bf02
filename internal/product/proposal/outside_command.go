package proposal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// A comment that is written at a forge commands as one that is written here does, once, as the user whose account its
// author is. It must be new: not one of those that were there when the proposal became known, not an old one, and not
// one that somebody changed, since at a forge others may change one's words. What the platform's own account says there
// is never a command, as it says what others said here.

// heededFor is how old a comment of a forge may be when it is read for the first time, for its commands to be carried out:
// after a longer outage nobody waits for them any more.
const heededFor = time.Hour

const jobSayAnswers = "proposal.say-answers"

// writtenThere tells whether a comment was written at a forge, and not put there for somebody who said it here.
func (c Comment) writtenThere() bool { return c.There != "" && !c.Posted }

// heard notes that what was said at the forge before a proposal was known here is kept, so that what comes now is new.
func (s *Service) heard(ctx context.Context, p Proposal, t told) error {
	if !p.There.Heard.IsZero() {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byID(ctx, tx, p.ID, tx.ForUpdate())
		if err != nil || now.There == nil || !now.There.Heard.IsZero() {
			return err
		}
		there := *now.There
		there.Heard, now.There = t.at, &there
		return save(ctx, tx, &now)
	})
}

// commander gives who commands by a comment of a forge that was not known; nobody for most.
func (s *Service) commander(ctx context.Context, r repository.Repository, p Proposal, c forge.Comment, n Comment, t *told) (nobody actor.Principal, err error) {
	since := p.There.Heard.Truncate(time.Second) // forges tell seconds
	if c.Author.Bot || since.IsZero() || c.Created.Before(since) {
		return nobody, nil
	}
	given, _ := commandsIn(n.Body)
	if len(given) == 0 || n.Author == "" && !slices.ContainsFunc(given, s.isLogged) {
		return nobody, nil
	}
	if t.own == "" {
		f, _, err := s.Outside.Forge(ctx, r)
		if err != nil {
			return nobody, err
		}
		if t.own, err = ownLogin(ctx, f); err != nil {
			return nobody, err
		}
	}
	if t.own == "" || strings.EqualFold(c.Author.Login, t.own) {
		return nobody, nil
	}
	if n.Author == "" {
		return nobody, s.tellStranger(ctx, p, c.Author.Login)
	}
	who, err := s.People.Principal(ctx, n.Author)
	if fault.Is(err, fault.NotFound) {
		return nobody, nil
	}
	return who, err
}

// tellStranger has the platform's comment say once that an account commands nothing.
func (s *Service) tellStranger(ctx context.Context, p Proposal, login string) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		fresh, err := keepStranger(ctx, tx, p.ID, clean(login, 100))
		if err != nil || !fresh {
			return err
		}
		return s.askVoice(ctx, tx, p.ID)
	})
}

// ownLogin gives the login of the account that the platform speaks by; "" when the forge does not tell.
func ownLogin(ctx context.Context, f forge.Forge) (string, error) {
	health, err := f.Health(ctx)
	return health.Login, fault.Wrap(err, "ask the forge for the platform's account")
}

// commandThere keeps what a comment of a forge commands, unless that is kept already.
func (s *Service) commandThere(ctx context.Context, tx *store.Tx, r repository.Repository, p Proposal, c Comment) error {
	if known, err := commanded(ctx, tx, p.ID, c.There); err != nil || known {
		return err
	}
	_, err := s.command(ctx, tx, r, p, c)
	return err
}

// unheeded says why a command that was written at a forge is not carried out; "" when it is.
func (s *Service) unheeded(c Comment, name string) string {
	switch {
	case name == "approve":
		return "a comment at the forge does not say which commit it approves; approve with the forge's own review, or in the portal"
	case c.Updated.After(c.Created):
		return "the comment was changed before it was read, maybe by somebody else; say it in a new one"
	case s.Now().Sub(c.Created) > heededFor:
		return "the comment was read too late, " + s.Now().Sub(c.Created).Truncate(time.Minute).String() + " after it was written; say it again"
	}
	return ""
}

// askAnswers has the forge told what became of the commands of a comment that was written there.
func (s *Service) askAnswers(ctx context.Context, tx *store.Tx, c Command) error {
	if c.there == "" {
		return nil
	}
	if s.isLogged(c) {
		return s.askVoice(ctx, tx, c.Proposal)
	}
	return s.Queue.Insert(ctx, tx, jobSayAnswers, obeyArgs{c.Comment}, queue.InsertOptions{Unique: c.Comment})
}

// sayAnswers tells the forge what became of a comment's commands, once all of them are answered.
func (s *Service) sayAnswers(ctx context.Context, a obeyArgs) error {
	var given []Command
	var p Proposal
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if given, err = commandsOf(ctx, tx, []string{a.Comment}); err == nil && len(given) > 0 {
			p, err = byID(ctx, tx, given[0].Proposal, "")
		}
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && len(given) == 0 {
		return nil
	}
	if err != nil {
		return fault.Wrap(err, "read the commands of %s", a.Comment)
	}
	given = slices.DeleteFunc(given, s.isLogged)
	if len(given) == 0 {
		return nil
	}
	return s.withRepository(ctx, p.Repository, func(ctx context.Context, r repository.Repository) error {
		return s.answerThere(ctx, r, p, given)
	})
}

// answerThere says it in one comment of the platform's account, which is looked for before: it may have been said without
// this having been told so.
func (s *Service) answerThere(ctx context.Context, r repository.Repository, p Proposal, given []Command) error {
	if slices.ContainsFunc(given, func(c Command) bool { return c.State == CommandWaiting || c.State == CommandPassed }) {
		return nil // the last one to be answered asks again
	}
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return err
	}
	own, err := ownLogin(ctx, f)
	if err != nil {
		return err
	}
	all, err := forge.All(commentsMost, func(part page.Request) (page.Of[forge.Comment], error) {
		return f.ListComments(ctx, name, p.Number, part)
	})
	if err != nil {
		return fault.Wrap(err, "read the comments")
	}
	mark := answerMark(given[0].Comment)
	if slices.ContainsFunc(all, func(c forge.Comment) bool {
		return strings.EqualFold(c.Author.Login, own) && strings.Contains(c.Body, mark)
	}) {
		return nil
	}
	_, err = f.Comment(ctx, name, p.Number, answersText(given, all))
	return fault.Wrap(err, "answer at the forge")
}

// answerMark names the comment that an answer is to, where people don't see it.
func answerMark(comment string) string { return "<!-- roadbed answers " + comment + " -->" }

// answersText gives what became of the commands of a comment. It has no line that could be read as a command again.
func answersText(given []Command, all []forge.Comment) string {
	var b strings.Builder
	b.WriteString("Roadbed")
	if i := slices.IndexFunc(all, func(c forge.Comment) bool { return c.ID == given[0].there }); i >= 0 && webAddress(all[i].URL) != "" {
		fmt.Fprintf(&b, ", to [what was said](%s)", all[i].URL)
	}
	b.WriteString(":\n")
	for _, c := range given {
		fmt.Fprintf(&b, "\n- `/%s`: %s", c.Name, map[bool]string{true: "not done: "}[c.State == CommandRefused])
		answer := strings.ReplaceAll(strings.TrimSpace(c.Answer), "`", "'")
		switch {
		case strings.Contains(answer, "\n"):
			b.WriteString("\n  ```\n  " + strings.ReplaceAll(answer, "\n", "\n  ") + "\n  ```")
		case strings.ContainsAny(answer, `@<>[]()*_#!&~|\`): // calls nobody and shows as it is
			b.WriteString("`" + answer + "`")
		default:
			b.WriteString(answer)
		}
	}
	return b.String() + "\n\n" + answerMark(given[0].Comment)
}
