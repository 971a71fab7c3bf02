package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const (
	filesAtOnce = 8       // questions for files
	batch       = 40      // repositories that are asked for between two writes
	rowsAtOnce  = 500     // rows of one transaction
	fileLimit   = 1 << 20 // bytes of a file that is only looked for
)

// visit makes the catalog what the organization is. The counts are those of what is there, also when it fails.
func (s *Service) visit(ctx context.Context, d Discovery) (Counts, error) {
	counts := d.Counts
	f, err := s.reach(ctx, d)
	if err == nil {
		v := &visiting{s: s, d: d, forge: f}
		if err = v.repositories(ctx); err == nil || fault.Is(err, fault.Exhausted) {
			if late := v.people(ctx); err == nil {
				err = late
			}
		}
		if v.peopled {
			counts = v.counts
		} else if err == nil {
			counts.Held = v.counts.Held
		}
	}
	if errors.Is(err, errSuperseded) {
		return counts, err
	}
	return s.count(ctx, d, counts, err)
}

// count counts what is there of repositories.
func (s *Service) count(ctx context.Context, d Discovery, of Counts, failed error) (Counts, error) {
	counts := Counts{Users: of.Users, Groups: of.Groups, Wrong: of.Wrong, Held: of.Held}
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT state, COUNT(*) FROM discovered WHERE discovery = $1 GROUP BY state`, d.Name)
		_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
			var state string
			n := 0
			err := r.Scan(&state, &n)
			for range n {
				counts.add(state)
			}
			return struct{}{}, err
		})
		return err
	})
	if failed != nil {
		err = failed
	}
	return counts, err
}

// reach gives the forge of a Discovery, if that may use its integration.
func (s *Service) reach(ctx context.Context, d Discovery) (forge.Forge, error) {
	i, err := s.Integrations.Lookup(ctx, d.Spec.Integration)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Errorf(fault.Invalid, "there is no integration %s", d.Spec.Integration)
	}
	if err != nil {
		return nil, err
	}
	within, err := s.Access.Within(ctx, i.Space, d.Space)
	if err != nil {
		return nil, err
	}
	if !within {
		return nil, fault.Errorf(fault.Invalid, "integration %s is of another space, which this one, %s, does not contain; declare the Discovery in the integration's space, with spec.space", d.Spec.Integration, d.Space)
	}
	if within, err = s.Access.Within(ctx, d.target(), d.Space); err != nil {
		return nil, err
	}
	if exists, err := s.Access.Exists(ctx, d.target()); err != nil || !exists || !within {
		if err != nil {
			return nil, err
		}
		return nil, fault.Errorf(fault.Invalid, "spec.space: %s is not a space within %s", d.target(), d.Space)
	}
	return s.Integrations.Forge(ctx, d.Spec.Integration)
}

// visiting is one look.
type visiting struct {
	s       *Service
	d       Discovery
	forge   forge.Forge
	counts  Counts
	peopled bool // the people were brought
}

// list gives all repositories of the organization, or an error.
func (v *visiting) list(ctx context.Context) ([]forge.Repository, error) {
	all, err := forge.All(maxRepositories, func(part page.Request) (page.Of[forge.Repository], error) {
		return v.forge.ListWithin(ctx, v.d.Spec.Organization, part)
	})
	if fault.Is(err, fault.NotFound) { // it may be an account of a person
		own, second := forge.All(maxRepositories, func(part page.Request) (page.Of[forge.Repository], error) {
			return v.forge.ListRepositories(ctx, v.d.Spec.Organization, part)
		})
		if !fault.Is(second, fault.NotFound) {
			all, err = own, second
		}
	}
	return all, fault.Wrap(err, "list the repositories of %s", v.d.Spec.Organization)
}

// candidate is a repository that may be registered.
type candidate struct {
	there forge.Repository
	row   Found
	has   bool // the file
	err   error
}

func (v *visiting) repositories(ctx context.Context) error {
	var had map[spot]Found
	err := v.s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		had, err = allFound(ctx, tx, v.d.Name)
		return err
	})
	if err != nil {
		return err
	}
	rules := v.d.Spec.Repositories
	var there []forge.Repository
	if rules != nil {
		if there, err = v.list(ctx); err != nil {
			return err
		}
	}
	registered, listed := 0, map[spot]bool{}
	for _, f := range had {
		if f.Location != "" {
			registered++
		}
	}
	var gone, renew []Found // that go for good; whose row changes
	var fresh, again []candidate
	for _, r := range there {
		at := spot{v.d.Spec.Integration, r.ID}
		if listed[at] || r.ID == "" {
			continue // it moved from one page to the next
		}
		listed[at] = true
		row := had[at]
		before := row
		row.ID, row.Name, row.URL, row.integration = r.ID, r.Name, clip(r.URL, 2000), v.d.Spec.Integration
		if why := rules.excludes(v.d.Spec.Organization, r); why != "" {
			row.Reason, row.seen = clip(why, 300), ""
			if row.State = Excluded; row.Location != "" || row.repository != "" {
				gone = append(gone, row)
			} else if row != before {
				renew = append(renew, row)
			}
			continue
		}
		c := candidate{there: r, row: row}
		mark := rules.mark(r, v.s.Now())
		settled := mark != "" && mark == row.seen && row.State != Pending && row.State != Failed && row.State != Excluded &&
			(row.State != Registered || row.target == rules.target() && row.space == v.d.target())
		switch {
		case settled && row != before:
			renew = append(renew, row)
		case settled:
		case row.Location != "":
			again = append(again, c)
		default:
			if row.State == "" || row.State == Excluded {
				c.row.State, c.row.Reason = Pending, ""
				renew = append(renew, c.row)
			}
			fresh = append(fresh, c)
		}
	}
	missing, err := v.missing(ctx, had, listed, rules == nil)
	if err != nil {
		return err
	}
	gone = append(gone, missing...)
	if err := v.renew(ctx, renew); err != nil {
		return err
	}
	return v.act(ctx, gone, again, fresh, registered, rules == nil)
}

// missing gives what is there no more, or was found by another integration. Each is asked for by itself: a list may skip what
// moves while it is read.
func (v *visiting) missing(ctx context.Context, had map[spot]Found, listed map[spot]bool, all bool) (gone []Found, err error) {
	for _, at := range slices.SortedFunc(maps.Keys(had), spot.compare) {
		f := had[at]
		if listed[at] {
			continue
		}
		if !all && f.integration == v.d.Spec.Integration && f.Location != "" {
			r, err := v.forge.GetRepository(ctx, f.Name)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nil, fault.Wrap(err, "ask for %s", f.Name)
			}
			if err == nil && r.ID == f.ID && !strings.EqualFold(within(v.d.Spec.Organization, r.Name), r.Name) {
				continue
			}
		}
		f.State = ""
		gone = append(gone, f)
	}
	return gone, nil
}

func (v *visiting) renew(ctx context.Context, rows []Found) error {
	for part := range slices.Chunk(rows, rowsAtOnce) {
		err := v.s.DB.Write(ctx, func(tx *store.Tx) error {
			if _, err := held(ctx, tx, v.d); err != nil {
				return err
			}
			for _, f := range part {
				if err := putFound(ctx, tx, v.d.Name, f); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// act asks for files and follows what was found: first whether what is registered still has its file, then what goes, as far
// as that may go at once, then what is new.
func (v *visiting) act(ctx context.Context, gone []Found, again, fresh []candidate, registered int, wanted bool) error {
	var lost []candidate
	for part := range slices.Chunk(again, batch) {
		if err := v.ask(ctx, part); err != nil {
			return err
		}
		for _, c := range part {
			if c.err != nil {
				continue // it stays as it is
			}
			if !c.has {
				lost = append(lost, c)
			} else if err := v.register(ctx, c); err != nil {
				return err
			}
		}
	}
	going := len(lost)
	for _, f := range gone {
		if f.Location != "" {
			going++
		}
	}
	if !wanted && going > v.d.Spec.mayGo(registered) {
		v.counts.Held = going
		gone = slices.DeleteFunc(gone, func(f Found) bool { return f.Location != "" })
		lost = nil
	}
	for _, f := range gone {
		next := &f
		if f.State == "" {
			next = nil
		}
		if err := v.s.takeAway(ctx, v.d, f, next); err != nil {
			return err
		}
	}
	for _, c := range lost {
		if err := v.without(ctx, c); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(fresh, batch) {
		if err := v.ask(ctx, part); err != nil {
			return err
		}
		var rows []Found
		for _, c := range part {
			if c.has {
				if err := v.register(ctx, c); err != nil {
					return err
				}
				continue
			}
			before := c.row
			c.row.State, c.row.Reason, c.row.seen = Without, "", v.d.Spec.Repositories.mark(c.there, v.s.Now())
			if c.err != nil {
				c.row.State, c.row.Reason, c.row.seen = Failed, clip(fault.Message(c.err), 300), ""
			}
			if c.row != before {
				rows = append(rows, c.row)
			}
		}
		if err := v.renew(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// ask asks the forge for the files of some repositories. What one of them alone can't answer is its own trouble.
func (v *visiting) ask(ctx context.Context, some []candidate) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(filesAtOnce)
	for i := range some {
		group.Go(func() error {
			has, err := v.has(ctx, some[i].there)
			some[i].has, some[i].err = has, fault.Wrap(err, "look for the file of %s", some[i].there.Name)
			switch fault.KindOf(err) {
			case fault.Exhausted, fault.Unauthenticated, fault.Canceled:
				return some[i].err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(some) > 1 && !slices.ContainsFunc(some, func(c candidate) bool { return c.err == nil }) {
		return some[0].err // it is the forge's
	}
	return nil
}

// has tells whether a repository has the file.
func (v *visiting) has(ctx context.Context, r forge.Repository) (bool, error) {
	branch, file := v.d.Spec.Repositories.file(r)
	if v.d.Spec.Repositories.isPattern() {
		t, err := v.forge.ListTree(ctx, r.Name, branch, "", true)
		switch {
		case fault.Is(err, fault.NotFound), fault.Is(err, fault.Conflict):
			return false, nil
		case err != nil:
			return false, err
		}
		return t.Cut || slices.ContainsFunc(t.Entries, func(e forge.Entry) bool {
			return e.Type == forge.TypeFile && repository.Matches(file, e.Path)
		}), nil
	}
	_, err := v.forge.ReadFile(ctx, r.Name, branch, file, fileLimit)
	switch {
	case err == nil, fault.Is(err, fault.TooLarge):
		return true, nil
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Conflict), fault.Is(err, fault.Invalid):
		return false, nil
	}
	return false, err
}

// register has a repository connected and the catalog read its file.
func (v *visiting) register(ctx context.Context, c candidate) error {
	rules, before := *v.d.Spec.Repositories, c.row
	row := c.row
	row.seen = rules.mark(c.there, v.s.Now())
	if row.Location != "" && row.target == rules.target() && row.space == v.d.target() {
		row.State, row.Reason = Registered, ""
		if row == before {
			return nil
		}
		return v.renew(ctx, []Found{row})
	}
	r, made, err := v.connect(ctx, row)
	if err != nil {
		switch fault.KindOf(err) {
		case fault.Exhausted, fault.Unavailable, fault.Internal, fault.Canceled:
			return err
		}
		row.State, row.Reason, row.seen = Failed, clip(fault.Message(err), 300), ""
		if row == before {
			return nil
		}
		return v.renew(ctx, []Found{row})
	}
	_, file := rules.file(c.there)
	return v.s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := held(ctx, tx, v.d); err != nil {
			return err
		}
		old := row.Location
		l, err := v.s.Catalog.HoldLocation(ctx, tx, v.d.Ref(), v.d.target(), catalog.Target{Repository: r.FullName(), Path: file, Branch: rules.Branch})
		if err != nil {
			return err
		}
		now := row
		now.State, now.Reason, now.Location, now.repository = Registered, "", l.ID, r.ID
		now.made, now.space, now.target = row.made || made, v.d.target(), rules.target()
		if old != "" && old != l.ID {
			if _, err := v.s.Catalog.LetGo(ctx, tx, v.d.Ref(), old); err != nil {
				return err
			}
		}
		return putFound(ctx, tx, v.d.Name, now)
	})
}

// connect gives the repository that one at the forge is here.
func (v *visiting) connect(ctx context.Context, row Found) (r repository.Repository, made bool, err error) {
	r, err = v.s.Repositories.Platform().ByRemote(ctx, v.d.Spec.Integration, row.ID)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return r, false, err
	}
	namespace := cmp.Or(v.d.Spec.Repositories.Namespace, plainName(v.d.Spec.Organization), "default")
	name := plainName(within(v.d.Spec.Organization, row.Name))
	for _, try := range []string{name, plainName(clip(name, 50) + "-" + row.ID)} {
		r, err = v.s.Repositories.Connect(actor.AsSystem(ctx), repository.NewOutside{
			Space: v.d.target(), Namespace: namespace, Name: try, Integration: v.d.Spec.Integration, Remote: row.Name,
			Content: cmp.Or(v.d.Spec.Content, repository.ContentAPI),
		})
		if !fault.Is(err, fault.Conflict) {
			return r, err == nil, err
		}
	}
	if other, late := v.s.Repositories.Platform().ByRemote(ctx, v.d.Spec.Integration, row.ID); late == nil { // somebody else was faster
		return other, false, nil
	}
	return r, false, err
}

// without lets go of a repository whose file is gone. It stays connected.
func (v *visiting) without(ctx context.Context, c candidate) error {
	return v.s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := held(ctx, tx, v.d); err != nil {
			return err
		}
		if _, err := v.s.Catalog.LetGo(ctx, tx, v.d.Ref(), c.row.Location); err != nil {
			return err
		}
		row := c.row
		row.State, row.Reason, row.Location, row.target = Without, "", "", ""
		row.seen = v.d.Spec.Repositories.mark(c.there, v.s.Now())
		return putFound(ctx, tx, v.d.Name, row)
	})
}

// takeAway lets go of a repository, and disconnects it when it was connected by this and nothing else reads it. next is what is kept
// of it, nil for nothing.
func (s *Service) takeAway(ctx context.Context, d Discovery, f Found, next *Found) error {
	left := false // it is to be disconnected
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := held(ctx, tx, d); err != nil {
			return err
		}
		if f.Location != "" {
			if _, err := s.Catalog.LetGo(ctx, tx, d.Ref(), f.Location); err != nil {
				return err
			}
		}
		left = f.made && f.repository != ""
		if left {
			others, err := inherit(ctx, tx, d.Name, f.repository)
			if err != nil {
				return err
			}
			left = !others
		}
		if next == nil {
			return dropFound(ctx, tx, d.Name, f.spot())
		}
		kept := *next
		kept.Location, kept.repository, kept.target, kept.seen, kept.made = "", "", "", "", false
		return putFound(ctx, tx, d.Name, kept)
	})
	if err != nil || !left {
		return err
	}
	return s.disconnect(ctx, f.repository)
}

func (s *Service) disconnect(ctx context.Context, id string) error {
	r, err := s.Repositories.Platform().ByID(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	readers, err := s.Catalog.Locations(actor.AsSystem(ctx), catalog.LocationQuery{Repository: r.FullName()}, page.Request{Limit: 1})
	if err != nil || len(readers.Items) > 0 {
		return err
	}
	err = s.Repositories.Delete(actor.AsSystem(ctx), r.FullName())
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return fault.Wrap(err, "disconnect %s", r.FullName())
}

// preview tells what a look would find.
func (s *Service) preview(ctx context.Context, d Discovery) (counts Counts, found []Found, err error) {
	f, err := s.reach(ctx, d)
	if err != nil {
		return counts, nil, err
	}
	v := &visiting{s: s, d: d, forge: f}
	if d.Spec.Repositories != nil {
		if found, err = v.foresee(ctx); err != nil {
			return counts, nil, err
		}
		for _, f := range found {
			counts.add(f.State)
		}
	}
	if d.Spec.People != nil {
		groups, users, err := v.gather(ctx, nil)
		if err != nil {
			return counts, nil, err
		}
		counts.Groups, counts.Users = len(groups), len(users)
	}
	return counts, found, nil
}

func (v *visiting) foresee(ctx context.Context) (found []Found, err error) {
	there, err := v.list(ctx)
	if err != nil {
		return nil, err
	}
	var asked []candidate
	for _, r := range there {
		row := Found{ID: r.ID, Name: r.Name, URL: r.URL, State: Pending}
		switch why := v.d.Spec.Repositories.excludes(v.d.Spec.Organization, r); {
		case why != "":
			row.State, row.Reason = Excluded, why
		case len(asked) < previewFiles:
			asked = append(asked, candidate{there: r, row: row})
			continue
		default:
			row.Reason = fmt.Sprintf("a preview looks for %d files", previewFiles)
		}
		found = append(found, row)
	}
	if err := v.ask(ctx, asked); err != nil {
		return nil, err
	}
	for _, c := range asked {
		switch c.row.State = Without; {
		case c.err != nil:
			c.row.State, c.row.Reason = Failed, clip(fault.Message(c.err), 300)
		case c.has:
			c.row.State = Registered
		}
		found = append(found, c.row)
	}
	slices.SortFunc(found, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}
