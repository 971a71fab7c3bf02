package repository

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	mirrorPrefix  = "mir"
	mirrorsOfOne  = 20 // mirrors of one repository
	mirrorEvery   = time.Hour
	divergedShown = 5
)

// NewMirror says where the branches and tags of a repository are pushed on to.
type NewMirror struct {
	URL string // or OWNER/NAME at the forge of the integration
	Credentials
	Integration string        // NAMESPACE/NAME, whose credentials are used; "" for none
	Patterns    []string      // of branches (main, release/*) and tags (refs/tags/v*); none for all
	Every       time.Duration // between looks without a push; an hour when 0
	Force       bool          // what is there and not from here is overwritten and deleted
}

// Mirror is where the branches and tags of a repository are pushed on to, and how that goes.
type Mirror struct {
	ID, Repository   string
	URL              string
	Username, Secret string
	Integration      string
	Patterns         []string
	Every            time.Duration
	Force            bool
	Attempts         int       // that failed one after the other
	Due              time.Time // when it is pushed next
	Error            string    // of the last attempt; "" when that succeeded
	Failing          time.Time // since when; zero while it is well
	Pushed           time.Time // when all was there last; zero for never
	Created          time.Time
	CreatedBy        string

	sealed string
	large  string // the references whose files of Git LFS are all there
}

// Etag changes with what people say of a mirror, and not with how its pushes go.
func (m Mirror) Etag() string {
	return etag(m.ID, m.URL, m.Username, m.Secret, m.Integration, m.Patterns, m.Every, m.Force)
}

// host says where it is, for people.
func (m Mirror) where() string {
	if m.Integration != "" {
		return m.URL + " at " + m.Integration
	}
	return m.URL
}

func (n *NewMirror) check() error {
	if n.Every == 0 {
		n.Every = mirrorEvery
	}
	if err := checkEvery(n.Every); err != nil {
		return err
	}
	for i, p := range n.Patterns {
		if !strings.HasPrefix(p, "refs/") {
			p = "refs/heads/" + p
		}
		bare := strings.NewReplacer("*", "x", "?", "x", "[", "x", "]", "x").Replace(p)
		if _, err := path.Match(p, ""); err != nil || git.CheckRef(bare) != nil || !strings.HasPrefix(p, "refs/heads/") && !strings.HasPrefix(p, "refs/tags/") {
			return fault.Errorf(fault.Invalid, "%.100q is not a pattern of branches or tags; write it like main, release/* or refs/tags/v*", n.Patterns[i])
		}
		n.Patterns[i] = p
	}
	if len(n.Patterns) > 20 {
		return fault.Errorf(fault.Invalid, "a mirror has at most 20 patterns")
	}
	if n.Integration == "" {
		return checkURL(n.URL)
	}
	if n.Credentials != (Credentials{}) {
		return fault.Errorf(fault.Invalid, "the credentials are those of the integration %s; give no others", n.Integration)
	}
	if !strings.Contains(n.URL, "/") || strings.Contains(n.URL, "://") || len(n.URL) > 300 {
		return fault.Errorf(fault.Invalid, "name the repository at the forge of %s as OWNER/NAME", n.Integration)
	}
	return nil
}

// takes tells whether a reference is mirrored. A star stands for any part of a name, also with slashes.
func (m Mirror) takes(name string) bool {
	if !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/") {
		return false
	}
	for _, p := range m.Patterns {
		whole, _ := path.Match(p, name)
		if prefix, any := strings.CutSuffix(p, "*"); whole || any && !strings.ContainsAny(prefix, "*?[") && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return len(m.Patterns) == 0
}

// Mirrors gives where a repository is pushed on to, in the order in which they were added. It needs repository:admin.
func (s *Service) Mirrors(ctx context.Context, fullName string, part page.Request) (list page.Of[Mirror], err error) {
	r, err := s.open(ctx, Manage, fullName)
	if err != nil {
		return list, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		all, err := mirrorsOf(ctx, tx, r.ID)
		list = page.From(all, part, func(m Mirror) string { return m.ID })
		return err
	})
	return list, fault.Wrap(err, "list the mirrors of %s", r.FullName())
}

// AddMirror has the branches and tags of a repository pushed on to another one, from now on: soon, after each push, and now
// and then. It needs repository:admin, secret:write in the space of a secret that it names, and integration:use for an
// integration. What is there already and not from here is left alone unless Force says otherwise.
func (s *Service) AddMirror(ctx context.Context, fullName string, n NewMirror) (Mirror, error) {
	r, err := s.open(ctx, Manage, fullName)
	if err != nil {
		return Mirror{}, err
	}
	if err := n.check(); err != nil {
		return Mirror{}, err
	}
	if r.Outside != nil {
		return Mirror{}, fault.Errorf(fault.Conflict, "%s is not hosted here but at a forge; have it mirrored there", r.FullName())
	}
	sealed := ""
	if n.Integration != "" {
		if err = s.mayUse(ctx, n.Integration, n.URL); err != nil {
			return Mirror{}, err
		}
	} else if sealed, err = s.sealed(ctx, r.Space, n.URL, n.Credentials); err != nil {
		return Mirror{}, err
	}
	now := s.now()
	m := Mirror{
		ID: ref.NewID(mirrorPrefix, now), Repository: r.ID, URL: n.URL, Username: n.Username, Secret: n.Secret, Integration: n.Integration, Patterns: n.Patterns,
		Every: n.Every, Force: n.Force, Due: now, Created: now, CreatedBy: actor.From(ctx).ID, sealed: sealed,
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := held(ctx, tx, r.ID); err != nil {
			return err
		}
		others, err := mirrorsOf(ctx, tx, r.ID)
		switch {
		case err != nil:
			return err
		case len(others) >= mirrorsOfOne:
			return fault.Errorf(fault.Exhausted, "%s has %d mirrors, and no more are possible; remove one", r.FullName(), len(others))
		case slices.ContainsFunc(others, func(o Mirror) bool { return o.URL == m.URL && o.Integration == m.Integration }):
			return fault.Errorf(fault.Conflict, "%s is mirrored to %s already; remove that mirror first", r.FullName(), m.where())
		}
		if err := insertMirror(ctx, tx, m); err != nil {
			return err
		}
		return s.tellMirror(ctx, tx, "mirror.added", r, m, "")
	})
	s.exchanges.poke()
	return m, fault.Wrap(err, "mirror %s", r.FullName())
}

// Mirroring tells whether a mirror is being pushed to, in this process.
func (s *Service) Mirroring(m Mirror) bool { return s.exchanges.progress(m.ID).Phase != "" }

// mayUse asks for the right to reach the forge of an integration, for a repository that it is for.
func (s *Service) mayUse(ctx context.Context, integration, remote string) error {
	if s.outside.Forges == nil {
		return fault.Errorf(fault.Unavailable, "this server reaches no forges")
	}
	if err := s.outside.Forges.Use(ctx, integration); err != nil {
		return err
	}
	terms, err := s.outside.Forges.Terms(ctx, integration)
	if err != nil {
		return err
	}
	return terms.check(remote)
}

// RemoveMirror ends a mirror; what was pushed there stays there. It needs repository:admin. ifMatch is for fault.IfMatch.
func (s *Service) RemoveMirror(ctx context.Context, fullName, id, ifMatch string) error {
	return s.changeMirror(ctx, fullName, id, func(tx *store.Tx, r Repository, m Mirror) error {
		if err := fault.IfMatch(ifMatch, m.Etag(), "the mirror to "+m.where()); err != nil {
			return err
		}
		if err := removeMirror(ctx, tx, id); err != nil {
			return err
		}
		return s.tellMirror(ctx, tx, "mirror.removed", r, m, "")
	})
}

// PushMirror has a mirror pushed to now. It needs repository:admin.
func (s *Service) PushMirror(ctx context.Context, fullName, id string) error {
	return s.changeMirror(ctx, fullName, id, func(tx *store.Tx, _ Repository, _ Mirror) error { return setMirrorDue(ctx, tx, id, s.now()) })
}

func (s *Service) changeMirror(ctx context.Context, fullName, id string, change func(tx *store.Tx, r Repository, m Mirror) error) error {
	r, err := s.open(ctx, Manage, fullName)
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		m, err := mirrorByID(ctx, tx, id, tx.ForUpdate())
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err != nil || m.Repository != r.ID {
			return fault.Errorf(fault.NotFound, "%s has no mirror %.100s", r.FullName(), id)
		}
		return change(tx, r, m)
	})
	if err == nil {
		s.exchanges.stop(id)
		s.exchanges.poke()
	}
	return err
}

func (s *Service) tellMirror(ctx context.Context, tx *store.Tx, kind string, r Repository, m Mirror, why string) error {
	data := map[string]any{"repository": r.FullName(), "mirror": m.ID, "url": m.URL}
	if m.Integration != "" {
		data["integration"] = m.Integration
	}
	if why != "" {
		data["error"] = why
	}
	return s.tell(ctx, tx, kind, r, data)
}

// mirrorOnce pushes to a mirror what it lacks. Its error is of the platform; what goes wrong with the other side is written
// to the row.
func (s *Service) mirrorOnce(ctx context.Context, id string) error {
	var m Mirror
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		m, err = mirrorByID(ctx, tx, id, "")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	work, ended := s.serving(ctx, m.Repository) // its deletion ends it
	failed := s.mirror(work, &m)
	stopped := work.Err() != nil
	ended()
	if stopped {
		return nil // removed, asked for once more, deleted, or the server ends
	}
	return s.db.Write(ctx, func(tx *store.Tx) error { return s.noteMirror(ctx, tx, m, failed) })
}

// mirror compares both sides and pushes the difference: files of Git LFS first, so that no reference leads to what is not
// there. Where they can't be sent for good, as to a server without Git LFS, the references go nevertheless.
func (s *Service) mirror(ctx context.Context, m *Mirror) error {
	r, err := s.byID(ctx, m.Repository)
	if err != nil {
		return err
	}
	remote, err := s.mirrorRemote(ctx, r, *m)
	if err != nil {
		return err
	}
	limits := git.Limits{Refs: refsLimit, Time: importTime, Progress: func(p git.Progress) { s.exchanges.tell(m.ID, p) }}
	var known map[string]string
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		known, err = mirrorRefs(ctx, tx, m.ID)
		return err
	})
	if err != nil {
		return err
	}
	here, err := s.git.Refs(ctx, s.folder(r.ID))
	if err != nil {
		return err
	}
	maps.DeleteFunc(here, func(name, _ string) bool { return !m.takes(name) })
	there, err := s.git.List(ctx, remote, branchesAndTags, limits)
	if err != nil {
		return err
	}
	updates, foreign, err := s.plan(ctx, r, *m, here, there, known)
	if err != nil {
		return err
	}
	unsent := s.sendLarge(ctx, r, m, remote, here, there, known)
	if unsent != nil && (again(unsent) || ctx.Err() != nil) {
		return unsent
	}
	var failed error
	if len(updates) > 0 {
		failed = s.git.PushTo(ctx, s.folder(r.ID), remote, git.PushRequest{Updates: updates, Limits: limits})
		if there, err = s.git.List(ctx, remote, branchesAndTags, limits); err != nil {
			return cmp.Or(failed, err)
		}
	}
	if err := s.noteMirrored(ctx, *m, here, there, known); err != nil {
		return err
	}
	if failed == nil && len(foreign) > 0 {
		return fault.Errorf(fault.Conflict, "%s has what is not from here: %s; bring that here first, or have the mirror overwrite it (force)", m.where(), shown(foreign))
	}
	return cmp.Or(failed, unsent)
}

func shown(names []string) string {
	if n := len(names); n > divergedShown {
		names = append(slices.Clone(names[:divergedShown]), fmt.Sprintf("%d more", n-divergedShown))
	}
	return strings.Join(names, ", ")
}

// plan gives how references there are to move, and those that are left alone since somebody else moved them. What is there
// is from here when it was pushed there, or when what is here now is built on it.
func (s *Service) plan(ctx context.Context, r Repository, m Mirror, here, there, known map[string]string) (updates []git.Update, foreign []string, err error) {
	names := map[string]bool{}
	for _, side := range []map[string]string{here, there} {
		for name := range side {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		ours, theirs := here[name], there[name]
		if ours == theirs || !m.takes(name) {
			continue
		}
		move := git.Update{Ref: name, Old: cmp.Or(theirs, Zero), New: cmp.Or(ours, Zero)}
		from := m.Force || theirs == "" || theirs == known[name]
		if !from && ours == "" && known[name] == "" {
			continue // it was never here
		}
		if !from && ours != "" {
			if from, err = s.git.IsAncestor(ctx, s.folder(r.ID), theirs, ours); fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
				from, err = false, nil // unknown here, or no commit
			}
			if err != nil {
				return nil, nil, err
			}
		}
		if !from {
			foreign = append(foreign, name)
			continue
		}
		updates = append(updates, move)
	}
	return updates, foreign, nil
}

// mirrorRemote gives how git reaches a mirror.
func (s *Service) mirrorRemote(ctx context.Context, r Repository, m Mirror) (git.Remote, error) {
	if m.Integration == "" {
		return s.remote(ctx, r.Space, m.URL, m.Username, m.sealed, m.Secret)
	}
	if s.outside.Forges == nil {
		return git.Remote{}, fault.Errorf(fault.Unavailable, "this server reaches no forges")
	}
	f, terms, err := s.forge(ctx, m.Integration)
	if err == nil {
		err = terms.check(m.URL)
	}
	if err != nil {
		return git.Remote{}, err
	}
	c, err := f.Clone(ctx, m.URL)
	if err != nil {
		return git.Remote{}, err
	}
	remote := git.Remote{URL: c.URL, Username: c.Username, Password: c.Password, HTTP: true, Proxy: s.elsewhere.Proxy, CA: s.elsewhere.CA}
	return remote, s.reachable(ctx, c.URL)
}

// noteMirrored writes what is there now and from here.
func (s *Service) noteMirrored(ctx context.Context, m Mirror, here, there, known map[string]string) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		for name, hash := range here {
			if there[name] == hash && known[name] != hash {
				if err := setMirrorRef(ctx, tx, m.ID, name, hash); err != nil {
					return err
				}
			}
		}
		for name := range known {
			if here[name] == "" && there[name] == "" {
				if err := setMirrorRef(ctx, tx, m.ID, name, ""); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// noteMirror writes the outcome of an attempt.
func (s *Service) noteMirror(ctx context.Context, tx *store.Tx, before Mirror, failed error) error {
	m, err := mirrorByID(ctx, tx, before.ID, tx.ForUpdate()) // who asks for a push meanwhile is not overlooked
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := byID(ctx, tx, m.Repository)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m.large = before.large
	kind, now, asked := "", s.now(), !m.Due.Equal(before.Due)
	if failed == nil {
		if !m.Failing.IsZero() {
			kind = "mirror.recovered"
		}
		m.Attempts, m.Error, m.Failing, m.Pushed = 0, "", time.Time{}, now
	} else {
		if m.Failing.IsZero() {
			kind, m.Failing = "mirror.failed", now
		}
		m.Attempts++
		m.Error = fault.Message(failed)
		if fault.Is(failed, fault.Internal) {
			s.log.Error("push to a mirror", "repository", r.FullName(), "mirror", m.ID, "error", failed)
		}
	}
	switch {
	case asked: // since it began: there is more to push
	case failed == nil:
		m.Due = now.Add(m.Every)
	case again(failed):
		m.Due = now.Add(backoff(m.Attempts))
	default:
		m.Due = now.Add(max(backoff(m.Attempts), min(m.Every, time.Hour))) // until somebody does something about it
	}
	if err := saveMirror(ctx, tx, m); err != nil || kind == "" {
		return err
	}
	return s.tellMirror(actor.AsSystem(ctx), tx, kind, r, m, m.Error)
}
