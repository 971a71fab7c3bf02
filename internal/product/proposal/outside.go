package proposal

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Outside is what this room asks of core/repository and core/identity about repositories that live at a forge.
type Outside interface {
	// Forge gives the forge that a repository lives at, and what it is called there.
	Forge(ctx context.Context, r repository.Repository) (f forge.Forge, name string, err error)
	// Account gives the id of the user who has an account there; "" for nobody.
	Account(ctx context.Context, r repository.Repository, login string) (string, error)
}

// There is what a forge says of a proposal that lives there.
type There struct {
	URL       string          `json:"url"`
	Author    string          `json:"author"` // login
	Labels    []string        `json:"labels,omitempty"`
	Mergeable forge.Mergeable `json:"mergeable,omitempty"`
	Ref       string          `json:"ref"`
	Writers   []string        `json:"writers,omitempty"` // ids of the users who wrote its commits
	Changed   time.Time       `json:"changed"`           // as the forge told last
	Heard     time.Time       `json:"heard,omitzero"`    // when all that was said before it was known here had been read
	Pushed    time.Time       `json:"pushed,omitzero"`   // as the forge told when its head was seen first, by the forge's clock
}

// told is all that a forge says of a proposal at one moment.
type told struct {
	proposal forge.Proposal
	comments []forge.Comment
	reviews  []forge.Review
	checks   []forge.Check
	people   map[string]string // ids of users by login
	writers  []string
	base     string
	standing git.Standing
	touches  []string
	at       time.Time // before the forge was asked
	own      string    // login of the platform's account; "" as long as nobody asked
	look     int64     // that this is, counted from 1
}

// ownCheck begins the names of the checks that the platform sets at a forge.
const ownCheck = "roadbed/"

// read asks a forge for a proposal.
func (s *Service) read(ctx context.Context, r repository.Repository, number int) (t told, err error) {
	t.at = s.Now()
	f, name, err := s.Outside.Forge(ctx, r)
	if err != nil {
		return t, err
	}
	if t.proposal, err = f.GetProposal(ctx, name, number); err != nil {
		return t, err
	}
	p := t.proposal
	if t.comments, err = forge.All(commentsMost, func(part page.Request) (page.Of[forge.Comment], error) {
		return f.ListComments(ctx, name, number, part)
	}); err != nil {
		return t, fault.Wrap(err, "read the comments")
	}
	if t.reviews, err = forge.All(reviewsMost, func(part page.Request) (page.Of[forge.Review], error) {
		return f.ListReviews(ctx, name, number, part)
	}); err != nil {
		return t, fault.Wrap(err, "read the reviews")
	}
	if p.Source.Commit != "" {
		if t.checks, err = f.ListChecks(ctx, name, p.Source.Commit); err != nil {
			return t, fault.Wrap(err, "read the checks")
		}
	}
	t.people = map[string]string{}
	if err := s.accounts(ctx, r, &t); err != nil {
		return t, err
	}
	if p.State != forge.StateOpen {
		return t, nil
	}
	platform := s.Repositories.Platform()
	if t.base, err = platform.Head(ctx, r.FullName(), p.Target.Branch); err != nil {
		return t, fault.Wrap(err, "find the target")
	}
	if t.standing, err = platform.Standing(ctx, r.FullName(), t.base, p.Source.Commit); err != nil {
		return t, err
	}
	if t.touches, err = platform.Touched(ctx, r.FullName(), t.standing.Base, p.Source.Commit); err != nil {
		return t, err
	}
	return t, s.writers(ctx, r, f, name, &t)
}

// accounts finds out whose accounts the people of a proposal are.
func (s *Service) accounts(ctx context.Context, r repository.Repository, t *told) error {
	logins := []string{t.proposal.Author.Login}
	for _, c := range t.comments {
		logins = append(logins, c.Author.Login)
	}
	for _, v := range t.reviews {
		logins = append(logins, v.Author.Login)
	}
	for _, login := range logins {
		if _, known := t.people[login]; known || login == "" {
			continue
		}
		id, err := s.Outside.Account(ctx, r, login)
		if err != nil {
			return err
		}
		t.people[login] = id
	}
	return nil
}

// writers finds the users who wrote what a proposal brings, as far as the forge knows them: they don't approve it.
func (s *Service) writers(ctx context.Context, r repository.Repository, f forge.Forge, name string, t *told) error {
	compared, err := f.Compare(ctx, name, t.base, t.proposal.Source.Commit)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
		return nil // the forge does not compare across forks by commit
	}
	if err != nil {
		return fault.Wrap(err, "read who wrote the commits")
	}
	for _, c := range compared.Commits {
		if c.AuthorLogin == "" {
			continue
		}
		id, known := t.people[c.AuthorLogin]
		if !known {
			if id, err = s.Outside.Account(ctx, r, c.AuthorLogin); err != nil {
				return err
			}
			t.people[c.AuthorLogin] = id
		}
		if id != "" && !slices.Contains(t.writers, id) {
			t.writers = append(t.writers, id)
		}
	}
	slices.Sort(t.writers)
	return nil
}

// state gives a proposal as the forge has it, over what is known of it here, and the entries that tell the difference.
func (t told) state(known Proposal, now time.Time) (p Proposal, entries []entry) {
	f := t.proposal
	p = known
	title := clip(strings.TrimSpace(strings.ToValidUTF8(f.Title, "�")), titleLimit)
	title = cmp.Or(strings.Join(strings.Fields(strings.ReplaceAll(title, "\x00", "")), " "), "(no title)")
	body := clip(strings.ReplaceAll(strings.ToValidUTF8(f.Body, "�"), "\x00", ""), bodyLimit)
	if p.ID == "" {
		p = Proposal{
			ID: ref.NewID(idPrefix, cmp.Or(f.Created, now)), Number: f.Number, State: Open, Author: t.people[f.Author.Login],
			Title: title, Body: body, Draft: f.Draft, Head: f.Source.Commit, Created: cmp.Or(f.Created, now), Version: 1,
		}
		p.Source, p.Target = sourceOf(f), f.Target.Branch
		entries = append(entries, entry{"proposal.opened", map[string]any{"head": p.Head, "source": p.Source, "target": p.Target, "draft": p.Draft}})
	}
	var fields []string
	note := func(what string, changed bool) {
		if changed {
			fields = append(fields, what)
		}
	}
	note("title", p.Title != title)
	note("body", p.Body != body)
	note("draft", p.Draft != f.Draft)
	note("target", p.Target != f.Target.Branch)
	edit := map[string]any{}
	if known.There != nil && !sameLabels(known.There.Labels, f.Labels) {
		note("labels", true)
		edit["labeled"] = slices.ContainsFunc(f.Labels, func(l string) bool { return !slices.Contains(known.There.Labels, l) })
	}
	if p.Target != f.Target.Branch {
		p.targetHead = ""
	}
	p.Title, p.Body, p.Draft, p.Target = title, body, f.Draft, f.Target.Branch
	if edit["fields"] = fields; len(fields) > 0 {
		entries = append(entries, entry{"proposal.edited", edit})
	}
	if old := p.Head; f.Source.Commit != "" && f.Source.Commit != old && (f.State == forge.StateOpen || p.State == Open) {
		p.Head = f.Source.Commit
		entries = append(entries, entry{"proposal.pushed", map[string]any{"head": p.Head, "old": old}})
	}
	there := There{
		URL: webAddress(f.URL), Author: f.Author.Login, Labels: f.Labels, Mergeable: f.Mergeable, Ref: f.Ref, Writers: t.writers, Changed: f.Updated,
	}
	if there.Pushed = f.Updated; p.There != nil {
		if there.Heard = p.There.Heard; p.Head == known.Head {
			there.Pushed = p.There.Pushed
		}
		if f.State != forge.StateOpen {
			there.Writers = p.There.Writers
		}
	}
	p.There = &there
	if f.State == forge.StateOpen {
		p.Base, p.Standing, p.Touches = t.base, t.standing, t.touches
	}
	switch {
	case p.State == f.State:
	case f.State == forge.StateOpen:
		p.State, p.Ended = Open, time.Time{}
		entries = append(entries, entry{"proposal.reopened", nil})
	case f.State == forge.StateMerged:
		p.State, p.Auto, p.Ended, p.Merge = Merged, Auto{}, cmp.Or(f.Closed, now), f.MergeCommit
		entries = append(entries, entry{"proposal.merged", map[string]any{"head": p.Head, "commit": p.Merge, "target": p.Target}})
	case p.State == Open:
		p.State, p.Auto, p.Ended = Closed, Auto{}, cmp.Or(f.Closed, now)
		entries = append(entries, entry{"proposal.closed", nil})
	}
	if len(entries) > 0 {
		p.Updated = cmp.Or(f.Updated, now)
	}
	return p, entries
}

// sameLabels tells whether two lists have the same labels, in any order.
func sameLabels(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// entry is one that is to be written.
type entry struct {
	kind string
	data map[string]any
}

// sourceOf names the source of a proposal: a branch, or OWNER:BRANCH of another repository.
func sourceOf(f forge.Proposal) string {
	if f.Source.Repository == f.Target.Repository {
		return f.Source.Branch
	}
	owner := f.Source.Repository
	if i := strings.LastIndexByte(owner, '/'); i >= 0 {
		owner = owner[:i]
	}
	return cmp.Or(owner, "gone") + ":" + f.Source.Branch
}

// verdictOf gives what a forge's verdict counts for here.
func verdictOf(v string) string {
	switch v {
	case forge.Approved:
		return Approved
	case forge.Refused:
		return Refused
	}
	return Commented
}

// checkOf gives what a forge's check says, in this room's words.
func checkOf(c forge.Check, now time.Time) Check {
	out := Check{Name: clip(c.Name, 200), State: CheckFailed, Description: clip(c.Description, 500), URL: webAddress(c.URL), Updated: cmp.Or(c.Updated, now)}
	switch c.State {
	case forge.CheckPending:
		out.State = CheckPending
	case forge.CheckPassed, forge.CheckSkipped:
		out.State = CheckPassed
	}
	return out
}

// OfFork tells whether the source is in another repository of the forge.
func (p Proposal) OfFork() bool { return p.There != nil && strings.Contains(p.Source, ":") }

// upToDate brings a proposal up to where its truth is: its branches, or its forge.
func (s *Service) upToDate(ctx context.Context, r repository.Repository, p Proposal) (Proposal, error) {
	if p.There != nil {
		return s.follow(ctx, r, p.Number)
	}
	return s.look(ctx, r, p)
}

// webAddress gives an address that a page may link to; "" for another.
func webAddress(text string) string {
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(text) > 2000 {
		return ""
	}
	return text
}

// errOutrun tells that another look at the forge was written since this one began.
var errOutrun = fault.Errorf(fault.Conflict, "others look at it at the same time")

// follow brings a proposal that lives at a forge up to what the forge says of it. It can be called at any time and any
// number of times. What was read before another look was written may be older than that: it is not written, but read again.
func (s *Service) follow(ctx context.Context, r repository.Repository, number int) (p Proposal, err error) {
	const tries = 5
	for range tries {
		if p, err = s.followOnce(ctx, r, number); !errors.Is(err, errOutrun) {
			break
		}
	}
	return p, err
}

func (s *Service) followOnce(ctx context.Context, r repository.Repository, number int) (Proposal, error) {
	known, err := s.wordsOf(ctx, r, number)
	if err != nil {
		return Proposal{}, err
	}
	t, err := s.read(ctx, r, number)
	if fault.Is(err, fault.NotFound) {
		return s.goneThere(ctx, r, number)
	}
	if err != nil {
		return Proposal{}, err
	}
	t.look = known.looks + 1
	p, err := s.keepState(ctx, r, t)
	if err != nil {
		return p, fault.Wrap(err, "follow proposal %s", Full(r.FullName(), number))
	}
	if err := s.keepWords(ctx, r, p, t, known); err != nil || p.State != Open {
		return p, err
	}
	return p, s.placeAll(ctx, r, p)
}

// goneThere closes a proposal that the forge does not have any more.
func (s *Service) goneThere(ctx context.Context, r repository.Repository, number int) (p Proposal, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		p, err = byNumber(ctx, tx, r.ID, number, "")
		return err
	})
	if err != nil || p.State != Open {
		return p, err
	}
	return s.end(ctx, r, p, "the forge does not have it any more")
}

// keepState writes what a forge says of a proposal itself and of its checks.
func (s *Service) keepState(ctx context.Context, r repository.Repository, t told) (p Proposal, err error) {
	now := s.Now()
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		known, err := byNumber(ctx, tx, r.ID, t.proposal.Number, tx.ForUpdate())
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		var entries []entry
		if p, entries = t.state(known, now); known.ID == "" {
			p.Repository, p.Space = r.ID, r.Space
			p.Updated = cmp.Or(t.proposal.Updated, now)
			err = insert(ctx, tx, &p)
		} else if len(entries) > 0 || !sameThere(known, p) {
			err = save(ctx, tx, &p)
		}
		if err == nil {
			err = countLook(ctx, tx, p.ID, t.look)
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := s.tellAs(ctx, tx, s.doer(e.kind, p), r, p, e.kind, e.data); err != nil {
				return err
			}
		}
		changed := len(entries) > 0
		for _, c := range t.checks[:min(len(t.checks), checksMost)] {
			if strings.HasPrefix(c.Name, ownCheck) {
				continue // it came from here
			}
			check := checkOf(c, now)
			set, err := setOutsideCheck(ctx, tx, r.ID, t.proposal.Source.Commit, check)
			if err != nil {
				return err
			}
			if changed = changed || set; set {
				if err := s.tellCheck(ctx, tx, r, t.proposal.Source.Commit, check); err != nil {
					return err
				}
			}
		}
		if changed && p.State == Open {
			return s.ask(ctx, tx, p.ID)
		}
		return nil
	})
	return p, err
}

// doer is whom an entry is of: the author of what only the author does, as far as the forge tells.
func (s *Service) doer(kind string, p Proposal) string {
	if kind == "proposal.opened" && p.Author != "" {
		return p.Author
	}
	return "system"
}

// sameThere tells whether two states of a proposal differ in nothing that is kept without an entry.
func sameThere(a, b Proposal) bool {
	if a.There == nil || b.There == nil || a.Base != b.Base || a.Standing.Base != b.Standing.Base || a.Standing.Ahead != b.Standing.Ahead ||
		a.Standing.Behind != b.Standing.Behind || !slices.Equal(a.Standing.Conflicts, b.Standing.Conflicts) || !slices.Equal(a.Touches, b.Touches) {
		return false
	}
	x, y := *a.There, *b.There
	return x.URL == y.URL && x.Author == y.Author && x.Mergeable == y.Mergeable && x.Ref == y.Ref && x.Changed.Equal(y.Changed) &&
		slices.Equal(x.Labels, y.Labels) && slices.Equal(x.Writers, y.Writers)
}

// lookThere brings a proposal that lives at a forge up to its target as it is known here; its head is the forge's word.
func (s *Service) lookThere(ctx context.Context, r repository.Repository, p Proposal) (Proposal, error) {
	platform := s.Repositories.Platform()
	base, err := platform.Head(ctx, r.FullName(), p.Target)
	if fault.Is(err, fault.NotFound) || err == nil && base == p.Base {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	standing, err := platform.Standing(ctx, r.FullName(), base, p.Head)
	if err != nil {
		return p, err
	}
	return s.moved(ctx, r, p, p.Head, base, standing)
}

// mute gives whose verdicts don't count: at a forge everybody may give one who may read, here only who may write.
func (s *Service) mute(ctx context.Context, r repository.Repository, all []Review) (mute []string, err error) {
	asked := map[string]bool{}
	for _, v := range all {
		if v.Verdict == Commented || v.Author == "" || v.Posted || asked[v.Author] {
			continue
		}
		asked[v.Author] = true
		who, err := s.People.Principal(ctx, v.Author)
		if err == nil {
			_, err = s.Repositories.Authorize(actor.With(ctx, who), repository.Write, r.FullName())
		}
		switch {
		case err == nil:
		case fault.Is(err, fault.NotFound), fault.Is(err, fault.Denied):
			mute = append(mute, v.Author)
		default:
			return nil, err
		}
	}
	return mute, nil
}
