package repository

import (
	"cmp"
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// mirrored are the references that are followed.
var mirrored = [...]string{"refs/heads/", "refs/tags/"}

// look asks the forge about an outside repository and fetches what has moved there, or without a mirror asks where it is. All who ask
// at the same time share one look. While a trouble lasts the forge is asked at the time that is set for it, unless the look is forced.
func (s *Service) look(ctx context.Context, id string, a ask) error {
	if s.outside.Forges == nil {
		return fault.Errorf(fault.Unavailable, "this server reaches no forges")
	}
	now := s.now()
	var failed error
	s.watches.with(id, func(w *watch) {
		if w.failed != nil && w.next.After(now) && !a.forced {
			failed = w.failed
			return
		}
		w.asks.and(a)
	})
	if failed != nil {
		return failed
	}
	return s.watches.fly(ctx, id, func(ctx context.Context) error {
		var a ask
		s.watches.with(id, func(w *watch) { a, w.asks = w.asks, ask{} })
		err := s.refresh(actor.AsSystem(ctx), id, a)
		if fault.Is(err, fault.Canceled) { // what was asked for is not forgotten
			s.watches.with(id, func(w *watch) { w.asks.and(ask{forced: true, branches: a.branches, pushes: a.pushes}) })
			return err
		}
		s.planned(id, err)
		return err
	})
}

// planned says when a repository is looked at next.
func (s *Service) planned(id string, err error) {
	now := s.now()
	w := s.watches
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.get(id)
	one.failed = err
	if err == nil {
		one.failures, one.looked = 0, now
		wait := cmp.Or(one.interval, s.outside.Poll)
		if now.Sub(one.hooked) < hookedFor {
			wait *= hookedInterval
		}
		one.next = now.Add(spread(wait))
		if !one.asks.none() { // while it ran
			one.next = now
		}
		return
	}
	one.failures++
	one.next = now.Add(spread(min(firstRetry<<min(one.failures-1, 10), lastRetry)))
	if until, ok := forge.Until(err); ok {
		w.held[one.integration] = until.Add(spread(5 * time.Second))
		one.next = w.held[one.integration]
	} else if fault.Is(err, fault.Exhausted) {
		w.held[one.integration] = now.Add(spread(firstRetry << min(one.failures, 6)))
		one.next = w.held[one.integration]
	}
}

// refresh is one look. What goes wrong is written to the repository's row for people to see.
func (s *Service) refresh(ctx context.Context, id string, a ask) error {
	leave, err := s.mirrors.remote.enter(ctx, id)
	if err != nil {
		return err
	}
	defer leave()
	var said answer
	if a.none() {
		var rests bool
		if said, rests = s.ofRested(ctx, id); rests {
			return nil
		}
	}
	read := s.now()
	r, err := s.byID(ctx, id)
	if err != nil || r.Outside == nil {
		return err
	}
	behind := 0
	if !said.of(r) {
		said = s.question(ctx, r)
	}
	v, lag, err := s.take(ctx, &r, said)
	if err == nil {
		behind, err = s.bring(ctx, r, &v, lag, a)
	}
	if fault.Is(err, fault.Canceled) || ctx.Err() != nil {
		return fault.Errorf(fault.Canceled, "fetch %s: %w", r.FullName(), errors.Join(err, ctx.Err()))
	}
	late := s.note(ctx, r, v, err)
	rests := err == nil && late == nil && v == r.Outside.view && r.Outside.TroubleKind == "" && s.rests(r, v, read)
	s.watches.with(id, func(w *watch) {
		w.behind = behind
		if w.rested, w.restedRead = r, read; !rests {
			w.rested, w.restedRead = Repository{}, time.Time{}
		}
	})
	if late != nil && err == nil {
		return late
	}
	return err
}

// answer is what a forge said of a repository, and what it was asked.
type answer struct {
	integration, remote, mark string

	terms     Terms
	there     forge.Repository
	unchanged bool
	now       string // its mark by now
	err       error
}

// question asks the forge of a repository what that is now, if it is not what it was.
func (s *Service) question(ctx context.Context, r Repository) answer {
	a := answer{integration: r.Outside.Integration, remote: r.Outside.Remote, mark: r.Outside.view.mark}
	var f forge.Forge
	if f, a.terms, a.err = s.forge(ctx, a.integration); a.err != nil {
		return a
	}
	s.watches.with(r.ID, func(w *watch) { w.interval, w.byAPI = a.terms.Interval, s.byAPI(r) })
	known := forge.Known{Mark: a.mark}
	a.there, a.err = f.GetRepository(forge.Conditional(ctx, &known), a.remote)
	if a.unchanged, a.now = known.Unchanged, known.Mark; a.unchanged {
		a.err = nil
	}
	return a
}

// of tells whether it was asked for what a row has.
func (a answer) of(r Repository) bool {
	return a.integration == r.Outside.Integration && a.remote == r.Outside.Remote && a.mark == r.Outside.view.mark
}

// ofRested asks the forge what a repository is of which the row is not read: for a while after nothing was to be done for it.
// It gives the answer, if it asked, and whether nothing is to be done still.
func (s *Service) ofRested(ctx context.Context, id string) (a answer, rests bool) {
	var r Repository
	now := s.now()
	s.watches.with(id, func(w *watch) {
		if now.Sub(w.restedRead) < restedFor {
			r = w.rested
		}
	})
	if r.Outside == nil || !s.rests(r, r.Outside.view, now) {
		return a, false
	}
	a = s.question(ctx, r)
	return a, a.unchanged && a.terms.check(a.remote) == nil
}

// rests tells whether nothing is to be done for a repository at a time, if nobody asks for anything.
func (s *Service) rests(r Repository, v view, now time.Time) bool {
	unmoved := v.changed != 0 && v.changed == v.quiet && now.Sub(store.FromMicros(v.listed)) < relist
	missing := !isFolder(s.folder(r.ID))
	return unmoved && (!missing || mirrorless(r)) && !r.first()
}

// mirrorless tells whether a repository that has no mirror needs none until somebody reads it.
func mirrorless(r Repository) bool { return r.Outside.Content == ContentAPI || r.Outside.complete }

// take brings the row to what the forge said of the repository.
func (s *Service) take(ctx context.Context, r *Repository, said answer) (v view, lag time.Duration, err error) {
	v = r.Outside.view
	if said.err != nil {
		return v, 0, said.err
	}
	if said.unchanged {
		return v, said.terms.lag(), said.terms.check(said.remote)
	}
	there := said.there
	if err := said.terms.check(there.Name); err != nil {
		return v, 0, err
	}
	if there.ID != r.Outside.RemoteID {
		return v, 0, fault.Errorf(fault.Conflict, "%s is another repository at the forge than the one that was connected, which was renamed or deleted; disconnect this one, and connect what it is called now", there.Name)
	}
	if err := s.obey(ctx, r, there); err != nil {
		return v, 0, err
	}
	v.mark, v.changed = said.now, store.Micros(there.Changed)
	return v, said.terms.lag(), nil
}

// obey brings the row to what the forge says of the repository. Each difference is an entry of the ledger.
func (s *Service) obey(ctx context.Context, r *Repository, there forge.Repository) error {
	branch := there.DefaultBranch
	if git.CheckBranch(branch) != nil {
		branch = r.DefaultBranch
	}
	now, o := *r, *r.Outside
	o.Remote, o.URL, o.Private = there.Name, pageOf(there.URL), there.Private
	now.DefaultBranch, now.Archived, now.Outside = branch, there.Archived, &o
	if now.DefaultBranch == r.DefaultBranch && now.Archived == r.Archived && o == *r.Outside {
		return nil
	}
	now.Updated = s.now()
	data := map[string]any{"repository": r.FullName()}
	if now.DefaultBranch != r.DefaultBranch {
		data["default_branch"] = now.DefaultBranch
	}
	if now.Archived != r.Archived {
		data["archived"] = now.Archived
	}
	if o.Remote != r.Outside.Remote {
		data["remote"], data["remote_before"] = o.Remote, r.Outside.Remote
	}
	if o.Private != r.Outside.Private {
		data["private"] = o.Private
	}
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		current, err := byID(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		current.DefaultBranch, current.Archived, current.Updated = now.DefaultBranch, now.Archived, now.Updated
		if err := update(ctx, tx, current); err != nil {
			return err
		}
		if before := current.Outside; before != nil && before.URL != "" && before.URL != o.URL {
			if err := addFormerPage(ctx, tx, r.ID, before.URL, now.Updated); err != nil {
				return err
			}
		}
		if err := setRemote(ctx, tx, r.ID, o); err != nil || len(data) == 1 {
			return err
		}
		return s.tell(ctx, tx, "repository.changed", current, data)
	})
	if err == nil && now.DefaultBranch != r.DefaultBranch && isFolder(s.folder(r.ID)) {
		err = s.locked(ctx, r.ID, func(g *git.Git) error { return g.SetHead(ctx, s.folder(r.ID), now.DefaultBranch) })
	}
	if err == nil {
		*r, err = s.byID(ctx, r.ID)
	}
	return fault.Wrap(err, "follow %s", there.Name)
}

// bring fetches what has moved, or without a mirror asks for it, and notes in v what was seen then. behind counts the references that
// moved there and not here, when it fails.
func (s *Service) bring(ctx context.Context, r Repository, v *view, lag time.Duration, a ask) (behind int, err error) {
	now := s.now()
	if a.none() && s.rests(r, *v, now) {
		return 0, nil
	}
	missing := !isFolder(s.folder(r.ID))
	if missing && mirrorless(r) {
		if err := s.compared(ctx, r, a); err != nil {
			return 0, err
		}
		if !a.mirror {
			s.listed(r.ID, v, lag, now)
			return 0, nil
		}
	}
	remote, err := s.remoteOf(ctx, r)
	if err != nil {
		return 0, err
	}
	refs, err := s.git.List(ctx, remote, mirrored[:], git.Limits{Refs: refsLimit})
	if err != nil {
		return 0, err
	}
	if missing {
		err = s.filled(ctx, r, remote, refs)
	} else if err = s.fetched(ctx, r, remote, refs, a.pushes); err == nil && r.partial() {
		err = s.Settle(ctx, r.ID) // what was filled and could not be recorded
	}
	if err != nil {
		return s.behind(ctx, r.ID, refs), err
	}
	s.listed(r.ID, v, lag, now)
	return 0, s.bringCommits(ctx, r, remote, a.commits)
}

// listed notes that the references were compared at a time.
func (s *Service) listed(id string, v *view, lag time.Duration, at time.Time) {
	s.watches.with(id, func(w *watch) {
		if v.changed != 0 && w.seen == v.changed && at.Sub(store.FromMicros(v.changed)) > lag { // what moved in that second was seen by this list
			v.quiet, v.listed = v.changed, store.Micros(at)
		}
		w.seen = v.changed
	})
}

// remoteOf gives how git reaches the repository now.
func (s *Service) remoteOf(ctx context.Context, r Repository) (git.Remote, error) {
	f, err := s.outside.Forges.Forge(ctx, r.Outside.Integration)
	if err != nil {
		return git.Remote{}, err
	}
	clone, err := f.Clone(ctx, r.Outside.Remote)
	if err != nil {
		return git.Remote{}, err
	}
	// Whether it may be http:// is said by the integration, whose address it is.
	return git.Remote{URL: clone.URL, Username: clone.Username, Password: clone.Password, HTTP: true, Proxy: s.outside.Proxy}, nil
}

func (s *Service) behind(ctx context.Context, id string, refs map[string]string) (n int) {
	_, known, err := s.known(ctx, id)
	if err != nil {
		return 0
	}
	at := make(map[string]string, len(known))
	for _, k := range known {
		at[k.Name] = k.Hash
		if refs[k.Name] == "" {
			n++
		}
	}
	for name, hash := range refs {
		if at[name] != hash {
			n++
		}
	}
	return n
}

func (s *Service) fetching(id string, q git.FetchRequest) git.FetchRequest {
	q.Limits.Refs = refsLimit
	q.Limits.Pack, q.Limits.Time = mirrorLimit, mirrorTime
	q.Limits.Progress = func(p git.Progress) { s.watches.with(id, func(w *watch) { w.progress = p }) }
	return q
}

// mirrorLimit bounds one fetch from a forge, in bytes.
const mirrorLimit = 10 << 30

// mirrorTime bounds it too; a folder that is being filled is older than that only when the server was killed.
const mirrorTime = 45 * time.Minute

// filled fetches all of a repository whose mirror is not there.
func (s *Service) filled(ctx context.Context, r Repository, remote git.Remote, refs map[string]string) error {
	_, err := s.fill(ctx, r, remote, s.fetching(r.ID, git.FetchRequest{Prefixes: mirrored[:], Prune: true, Refs: refs}))
	if err != nil {
		return err
	}
	s.measure(r.ID)
	return s.Settle(ctx, r.ID)
}

// fetched brings a mirror to what the forge has: first the pushes that it told of, each in the name of who pushed, then
// what else has moved, of which nobody knows who did it.
func (s *Service) fetched(ctx context.Context, r Repository, remote git.Remote, refs map[string]string, pushes []sent) error {
	one := func(m mark, chosen func(git.Update) bool) error {
		h, err := s.openHold(r.ID)
		if err != nil {
			return err
		}
		defer h.close()
		objects, err := s.openLock(r.ID, objectsFile)
		if err != nil {
			return err
		}
		defer objects.Close()
		if err := await(ctx, objects, syscall.LOCK_SH, "the mirror is being packed"); err != nil {
			return err
		}
		begun := false
		got, err := h.git.Holding(objects).Fetch(ctx, s.folder(r.ID), remote, s.fetching(r.ID, git.FetchRequest{
			Prefixes: mirrored[:], Prune: true, Refs: refs, Select: chosen,
			Before: func(ctx context.Context, _ []git.Update) error {
				if err := h.acquire(ctx); err != nil {
					return err
				}
				begun = true // also when begin's answer is lost
				return s.begin(ctx, r.ID, m)
			},
		}))
		if begun {
			if late := s.finish(ctx, r.ID); err == nil {
				err = late
			}
		}
		if got.Bytes > 0 {
			s.measure(r.ID)
		}
		return err
	}
	for _, p := range pushes {
		at := refs[p.ref]
		if at == "" {
			at = Zero
		}
		if at != p.hash {
			continue // it has moved on since; who moved it there is told by another delivery, or by none
		}
		if err := one(p.by, func(u git.Update) bool { return u.Ref == p.ref && u.New == p.hash }); err != nil {
			return err
		}
	}
	return one(mark{actor: "system"}, nil)
}

// bringCommits brings commits that no branch or tag leads to, such as those of a proposal from a fork.
func (s *Service) bringCommits(ctx context.Context, r Repository, remote git.Remote, commits []string) error {
	for _, c := range commits {
		if _, err := s.git.Resolve(ctx, s.folder(r.ID), c); !fault.Is(err, fault.NotFound) {
			continue
		}
		_, err := s.git.Fetch(ctx, s.folder(r.ID), remote, s.fetching(r.ID, git.FetchRequest{Commits: []string{c}}))
		switch {
		case fault.Is(err, fault.Canceled), fault.Is(err, fault.Exhausted), fault.Is(err, fault.Unauthenticated):
			return err
		case err != nil: // it is no trouble of the repository that somebody asks for what is not there
			s.setAbsent(r.ID, c)
		}
	}
	return nil
}

// note writes what a look saw and how it went to the repository's row, when that is news.
func (s *Service) note(ctx context.Context, r Repository, v view, failed error) error {
	now := s.now()
	kind := ""
	if failed != nil {
		kind = fault.KindOf(failed).String()
	}
	usual := func(o Outside) bool { return kind == o.TroubleKind && (kind != "" || !o.Fetched.IsZero()) }
	if usual(*r.Outside) && v == r.Outside.view {
		return nil
	}
	id := r.ID
	return fault.Wrap(s.db.Write(ctx, func(tx *store.Tx) error {
		r, err := byID(ctx, tx, id)
		if err != nil || r.Outside == nil {
			return err
		}
		o := *r.Outside
		if err := setSeen(ctx, tx, id, v); err != nil || usual(o) {
			return err
		}
		data := map[string]string{"repository": r.FullName(), "integration": o.Integration, "remote": o.Remote}
		entry := "repository.recovered"
		if failed != nil {
			entry = "repository.troubled"
			o.Trouble, o.TroubleKind, o.TroubleSince = clip(fault.Message(failed), 1000), kind, now
			data["kind"], data["message"] = o.TroubleKind, o.Trouble
		} else {
			first := o.TroubleKind == ""
			o.Trouble, o.TroubleKind, o.TroubleSince = "", "", time.Time{}
			if err := setFetched(ctx, tx, id, now, o.Fetched.IsZero()); err != nil || first { // an empty repository
				return err
			}
		}
		if err := setTrouble(ctx, tx, id, o); err != nil {
			return err
		}
		return s.tell(ctx, tx, entry, r, data, "integration:"+o.Integration)
	}), "note how it stands with the forge")
}
