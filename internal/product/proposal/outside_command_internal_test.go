package proposal

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// pub is a forge with one proposal, where people and the platform's account talk.
type pub struct {
	forge.Forge
	comments []forge.Comment
	now      *time.Time
	proposal forge.Proposal
	asked    []func() // each is done once, when it was read how the proposal stands and before that is told
}

func (p *pub) GetProposal(context.Context, string, int) (forge.Proposal, error) {
	now := p.proposal
	if len(p.asked) > 0 {
		next := p.asked[0]
		p.asked = p.asked[1:]
		next()
	}
	return now, nil
}

func (p *pub) ListReviews(context.Context, string, int, page.Request) (out page.Of[forge.Review], err error) {
	return out, nil
}

func (p *pub) Health(context.Context) (forge.Health, error) {
	return forge.Health{Login: "Robot"}, nil
}

func (p *pub) ListComments(context.Context, string, int, page.Request) (page.Of[forge.Comment], error) {
	return page.Of[forge.Comment]{Items: slices.Clone(p.comments)}, nil
}

func (p *pub) Comment(_ context.Context, _ string, _ int, body string) (forge.Comment, error) {
	return p.say("robot", body), nil
}

// say has somebody say something now.
func (p *pub) say(login, body string) forge.Comment {
	c := forge.Comment{ID: strconv.Itoa(len(p.comments) + 1), Author: forge.Person{Login: login}, Body: body, Created: *p.now, Updated: *p.now}
	p.comments = append(p.comments, c)
	return c
}

// door leads to a pub, and knows who goes there.
type door struct{ pub *pub }

func (d door) Forge(context.Context, repository.Repository) (forge.Forge, string, error) {
	return d.pub, "acme/shop", nil
}

func (door) Account(_ context.Context, _ repository.Repository, login string) (string, error) {
	return map[string]string{"ann": "pri_ann", "left": "pri_left", "robot": "pri_boss", "helper": "pri_helper"}[login], nil
}

// Principal knows whose the accounts are; pri_left is gone.
func (door) Principal(_ context.Context, id string) (actor.Principal, error) {
	if id == "pri_left" {
		return actor.Principal{}, fault.Errorf(fault.NotFound, "no %s", id)
	}
	return actor.Principal{ID: id, Kind: actor.User, Name: id}, nil
}

func (door) PersonID(context.Context, *store.Tx, ref.Entity, bool) (string, error) { return "", nil }

// listener follows the proposal of a pub.
type listener struct {
	*Service
	t   *testing.T
	pub *pub
	r   repository.Repository
	p   Proposal
}

// listen tells the story of a proposal of which one comment was said before it was known.
func listen(t *testing.T, story func(l listener)) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		pub := &pub{now: &now}
		s := &Service{Deps{
			DB: db, Ledger: ledger.New(db, clock, storetest.Log(t)), Queue: queue.NewAt(db, clock, storetest.Log(t)), People: door{pub}, Outside: door{pub}, Now: clock,
			Words: []Word{{Name: "preview"}},
		}}
		l := listener{s, t, pub, repository.Repository{ID: "rep_1", Namespace: "crew", Name: "shop", Outside: &repository.Outside{}}, Proposal{}}
		pub.say("ann", "/close")
		now = now.Add(time.Minute)
		l.p = Proposal{ID: ref.NewID(idPrefix, now), Repository: "rep_1", Number: 1, Title: "t", State: Open, Source: "feature", Target: "main", Head: "h", There: &There{}, Created: now, Updated: now, Version: 1}
		if err := db.Write(t.Context(), func(tx *store.Tx) error { return insert(t.Context(), tx, &l.p) }); err != nil {
			t.Fatal(err)
		}
		if got := l.hear(); len(got) != 0 {
			t.Errorf("what was said before commands %v", got)
		}
		story(l)
	}, ledger.Migrations(), queue.Migrations(), Migrations())
}

// known is what is kept of the pub's comments now.
func (l *listener) known() words {
	l.t.Helper()
	known, err := l.wordsOf(l.t.Context(), l.r, 1)
	if err != nil {
		l.t.Fatal(err)
	}
	return known
}

// hear follows the proposal as the forge has it now, and gives all that was ever commanded.
func (l *listener) hear() []string {
	l.t.Helper()
	known := l.known()
	return l.hearOver(known, l.pub.comments)
}

// hearOver follows it by a listing, over what was known when the listing began.
func (l *listener) hearOver(known words, listing []forge.Comment) (out []string) {
	l.t.Helper()
	ctx := actor.AsSystem(l.t.Context())
	t := told{comments: listing, people: map[string]string{}, at: l.Now()}
	err := l.accounts(ctx, l.r, &t)
	if err == nil {
		err = l.DB.Read(ctx, func(tx *store.Tx) error {
			l.p, err = byID(ctx, tx, l.p.ID, "")
			return err
		})
	}
	if err == nil {
		err = l.keepWords(ctx, l.r, l.p, t, known)
	}
	var given []Command
	if err == nil {
		err = l.DB.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, "SELECT "+commandColumns+" FROM proposal_commands ORDER BY LENGTH(there), there, ordinal")
			given, err = store.Collect(rows, err, scanCommand)
			return err
		})
	}
	if err != nil {
		l.t.Fatal(err)
	}
	for _, c := range given {
		answer, _, _ := strings.Cut(c.Answer, ";")
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s /%s %s%s: %s", c.Author, c.Name, c.Arguments, c.State, answer)))
	}
	return out
}

func TestCommentsOfAForgeCommandOnce(t *testing.T) {
	listen(t, func(l listener) {
		t := l.t
		for _, c := range []struct{ login, body string }{
			{"ann", "Now:\n/close\n> /merge"}, {"ann", "/lgtm"}, {"stranger", "/close"}, {"left", "/close"}, {"robot", "**mallory**, through Roadbed:\n\n/merge"},
			{"ann", "/approve"}, {"ann", "/preview"}, {"ann", "nothing"},
		} {
			l.pub.say(c.login, c.body)
		}
		bot := l.pub.say("helper", "/merge")
		l.pub.comments[len(l.pub.comments)-1].Author.Bot = true
		changed := l.pub.say("ann", "/merge")
		l.pub.comments[len(l.pub.comments)-1].Updated = changed.Updated.Add(time.Second)
		want := []string{
			"pri_ann /close waiting:", "pri_ann /approve refused: a comment at the forge does not say which commit it approves", "pri_ann /preview passed:",
			"pri_ann /merge refused: the comment was changed before it was read, maybe by somebody else",
		}
		for range 2 { // delivered twice
			if got := l.hear(); !slices.Equal(got, want) {
				t.Errorf("%s: they command %q, want %q", bot.ID, got, want)
			}
		}
		// Changed later, gone, and there again, or listed before another look at it: it was said once.
		l.pub.comments[1].Body, l.pub.comments[1].Updated = "/merge", l.Now().Add(time.Second)
		all := l.pub.comments
		l.hear()
		l.pub.comments = all[:1]
		l.hear()
		l.pub.comments = all
		if got := l.hear(); !slices.Equal(got, want) {
			t.Errorf("said again they command %q", got)
		}
		before := l.known()
		l.pub.say("ann", "/reopen")
		want = append(want, "pri_ann /reopen waiting:")
		if got := l.hear(); !slices.Equal(got, want) {
			t.Errorf("then: %q", got)
		}
		if got := l.hearOver(before, all); !slices.Equal(got, want) || len(l.known().comments) != len(l.pub.comments) {
			t.Errorf("after a look that began before: %q, of %d comments %d are kept", got, len(l.pub.comments), len(l.known().comments))
		}
		// What comes after a long outage.
		l.pub.say("ann", "/close")
		*l.pub.now = l.pub.now.Add(heededFor + time.Minute)
		if got := l.hear(); !slices.Equal(got, append(want, "pri_ann /close refused: the comment was read too late, 1h1m0s after it was written")) {
			t.Errorf("late: %q", got)
		}
	})
}

func TestAForgeIsAnsweredOnce(t *testing.T) {
	listen(t, func(l listener) {
		t, ctx := l.t, l.t.Context()
		l.pub.say("ann", "/close\n/preview\n/title @acme/all")
		l.hear()
		comment := l.known().comments["2"].ID
		settle := func(ordinal int, state, answer string) {
			t.Helper()
			if err := l.DB.Write(ctx, func(tx *store.Tx) error {
				_, err := saveAnswer(ctx, tx, Command{Comment: comment, Ordinal: ordinal, State: state, Answer: answer})
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		say := func() int {
			t.Helper()
			var given []Command
			err := l.DB.Read(ctx, func(tx *store.Tx) (err error) {
				given, err = commandsOf(ctx, tx, []string{comment})
				return err
			})
			if err == nil {
				err = l.answerThere(ctx, l.r, l.p, given)
			}
			if err != nil {
				t.Fatal(err)
			}
			return len(l.pub.comments) - 2
		}
		settle(0, CommandDone, "closed")
		settle(2, CommandRefused, "there is no @acme/all `here`")
		if n := say(); n != 0 {
			t.Errorf("%d answers while one is missing", n)
		}
		settle(1, CommandDone, "one\n/merge\ntwo")
		l.pub.say("mallory", "I answer.\n"+answerMark(comment)) // in nobody's name but her own
		for range 2 {
			if n := say(); n != 2 {
				t.Errorf("%d answers", n-1)
			}
		}
		answer := l.pub.comments[3].Body
		if want := "Roadbed:\n\n- `/close`: closed\n- `/preview`: \n  ```\n  one\n  /merge\n  two\n  ```\n- `/title`: not done: `there is no @acme/all 'here'`\n\n" + answerMark(comment); answer != want {
			t.Errorf("the answer is %q", answer)
		}
		if given, _ := commandsIn(answer); len(given) != 0 {
			t.Errorf("the answer commands %v", given)
		}
	})
}

// TestWhatIsSaidHereKeepsItsAuthor has a webhook of a comment come in before it is known here who said it.
func TestWhatIsSaidHereKeepsItsAuthor(t *testing.T) {
	listen(t, func(l listener) {
		t := l.t
		ctx := actor.With(t.Context(), actor.Principal{ID: "pri_ann", Kind: actor.User, Name: "ann"})
		made := l.pub.say("robot", inTheNameOf(ctx, "/close"))
		l.hear()
		for range 2 {
			if _, err := l.keepOwn(ctx, l.r, l.p, made, put{said: said{NewComment: NewComment{Body: "/close"}}}); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.hear(); !slices.Equal(got, []string{"pri_ann /close waiting:"}) {
			t.Errorf("commanded: %q", got)
		}
		if c := l.known().comments[made.ID]; c.Author != "pri_ann" || !c.Posted || c.Body != "/close" || c.Login != "" {
			t.Errorf("it is %+v", c)
		}
	})
}

// TestWhatWasReadBeforeAnotherLookIsReadAgain has a look at the forge begin, and be overtaken by what happens meanwhile.
func TestWhatWasReadBeforeAnotherLookIsReadAgain(t *testing.T) {
	listen(t, func(l listener) {
		t := l.t
		ctx := actor.AsSystem(t.Context())
		l.pub.proposal = forge.Proposal{Number: 1, Title: "old", State: forge.StateClosed}
		follow := func() Proposal {
			t.Helper()
			p, err := l.follow(ctx, l.r, 1)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		c := l.pub.say("ann", "old")
		other := func(title string, look func()) func() {
			return func() {
				l.pub.proposal.Title, l.pub.comments[1].Body, l.pub.comments[1].Updated = title, title, c.Updated.Add(time.Second)
				look()
			}
		}
		l.pub.asked = []func(){other("new", func() { follow() }), func() {}, other("newer", func() { follow() })}
		if p := follow(); p.Title != "newer" || l.known().comments[c.ID].Body != "newer" {
			t.Errorf("overtaken by looks it is %q, where %q was said", p.Title, l.known().comments[c.ID].Body)
		}
		l.pub.asked = []func(){other("last", func() {
			if _, err := l.merged(ctx, l.r, l.p, "m", "merge", "pri_ann"); err != nil {
				t.Error(err)
			}
		})}
		if p := follow(); p.Title != "last" || p.State != Merged {
			t.Errorf("overtaken by a merge it is %q, %s", p.Title, p.State)
		}
		var always []func()
		for i := range 20 {
			always = append(always, other(fmt.Sprint(i), func() { follow() }), func() {})
		}
		l.pub.asked = always
		if _, err := l.follow(ctx, l.r, 1); !fault.Is(err, fault.Conflict) {
			t.Errorf("always overtaken: %v", err)
		}
	})
}
