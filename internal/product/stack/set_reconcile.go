package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// A set is level-triggered: each look reads the folders at the head of its branch, and makes the stacks what these say. The
// stacks are documents of the set's source, in its space. What goes away never takes infrastructure along: a stack whose state
// holds something stays, and says that its folder is gone.

const jobSet = "stack.set"

type setArgs struct {
	Set string `json:"set"`
}

func (s *Service) subscribeSets() {
	queue.Handle(s.Queue, jobSet, queue.HandleOptions{Timeout: 10 * time.Minute}, func(ctx context.Context, a setArgs) error {
		return s.reconcileSet(actor.AsSystem(ctx), a.Set)
	})
	queue.Handle(s.Queue, jobMany, queue.HandleOptions{Timeout: 5 * time.Minute}, func(ctx context.Context, a manyArgs) error {
		return s.lookMany(actor.AsSystem(ctx), a)
	})
}

func (s *Service) lookSet(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	return s.Queue.Insert(ctx, tx, jobSet, setArgs{r.String()}, queue.InsertOptions{Unique: r.String()})
}

// lookSets asks for a look at the sets that follow a branch.
func (s *Service) lookSets(ctx context.Context, tx *store.Tx, repository, branch string) error {
	rows, err := tx.Query(ctx, "SELECT "+setColumns+" FROM stack_sets WHERE deleted = 0")
	all, err := store.Collect(rows, err, scanSet)
	if err != nil {
		return fault.Wrap(err, "find the stack sets of %s", repository)
	}
	for _, t := range all {
		if t.Spec.Source.Repository == repository && t.Spec.Source.Branch == branch {
			if err := s.lookSet(ctx, tx, t.Ref); err != nil {
				return err
			}
		}
	}
	return nil
}

var errTakenOver = errors.New("a later look has taken over")

// reconcileSet makes the stacks of a set what the folders of its branch say. It can be called at any time.
func (s *Service) reconcileSet(ctx context.Context, name string) error {
	r, err := ref.Parse(name, "stackset", ref.DefaultNamespace)
	if err != nil {
		return err
	}
	began := s.Now()
	var t Set
	var members []member
	err = s.DB.Write(ctx, func(tx *store.Tx) (err error) { // each look takes over from those before
		if _, err := tx.Exec(ctx, "UPDATE stack_sets SET generation = generation + 1 WHERE ref = $1", r.String()); err != nil {
			return err
		}
		if t, err = getSet(ctx, tx, r, ""); err != nil {
			return err
		}
		if err = leaveForeign(ctx, tx, r); err != nil {
			return err
		}
		members, err = membersOf(ctx, tx, r)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if t.Deleted && len(members) == 0 {
		return nil
	}
	report := SetReport{Looked: began, Problem: []string{}}
	head, found, apart, err := s.foldersOf(ctx, t)
	if err != nil {
		if kind := fault.KindOf(err); kind == fault.Internal || kind == fault.Unavailable {
			return err // the queue tries again
		}
		report = t.Report
		report.Looked, report.Message, report.Made, report.Gone = began, fault.Message(err), 0, 0
		return s.keepReport(ctx, t, looked{seen: t.Seen, adopt: t.Adopt, brought: t.Brought, report: report})
	}
	docs, skipped := t.Spec.stacks(r, found)
	if t.Deleted {
		docs, skipped = nil, nil
	}
	apart.wrong = skipped
	problems := make([]string, 0, len(skipped))
	for _, one := range skipped {
		problems = append(problems, one.Why)
	}
	adopt := ""
	if !t.Deleted && !t.Spec.PlanFirst && (t.Adopt != "" || len(members) == 0 && t.Seen == "") { // a first look that was cut off is one still
		adopt = head
	}
	now := map[string]string{}
	for _, d := range docs {
		now[d.Ref().String()] = d.Origin.File
	}
	all := slices.Clone(members) // what a look that is cut off has brought is known, too
	isMember := map[string]bool{}
	for _, m := range members {
		isMember[m.Stack] = true
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		for _, d := range docs {
			name := d.Ref().String()
			there, err := getStack(ctx, tx, d.Ref(), "")
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			foreign := err == nil && !there.Deleted && (!isMember[name] || there.Space != t.Space)
			if m := (member{name, d.Origin.File}); !foreign && !slices.Contains(members, m) {
				all = append(all, m)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.keepReport(ctx, t, looked{seen: head, adopt: adopt, brought: t.Brought, report: t.Report, members: &all}); err != nil { // what is brought asks for it
		return ignoreTakenOver(err)
	}
	kept, err := s.stay(ctx, t, members, now, found, apart.ignored)
	if err != nil {
		return err
	}
	most := goneAtOnce
	if t.Deleted {
		most = 0 // all
	}
	out, err := s.Documents.Bring(context.WithValue(ctx, bySet{}, true), catalog.Set{
		Space: t.Space, Source: setPrefix + r.Namespace + "/" + r.Name, Documents: docs, Keep: kept, Whole: true, MostGone: most,
		Still: func(ctx context.Context, tx *store.Tx) error { return s.stillLooks(ctx, tx, t) },
	})
	if err != nil {
		return ignoreTakenOver(err)
	}
	since, err := s.stay(ctx, t, members, now, found, apart.ignored)
	if err != nil {
		return err
	}
	maps.Copy(since, kept)
	kept = since
	next, had := make([]member, 0, len(now)), map[string]bool{}
	for _, m := range members {
		had[m.Stack] = true
	}
	for _, d := range docs { // one that is there stays, also when its newest text can't be taken
		if stack := d.Ref(); out.Taken[stack] || had[stack.String()] {
			next = append(next, member{stack.String(), d.Origin.File})
		}
	}
	for _, m := range members {
		if _, still := now[m.Stack]; still {
			continue
		}
		if e, err := parseStack(m.Stack); err == nil && (kept[e] != "" || out.Held > 0) {
			next = append(next, m)
		}
	}
	for _, detail := range out.Details {
		if _, is := kept[mayParse(detail.Field)]; !is {
			problems = append(problems, strings.TrimSpace(detail.File+" "+detail.Message))
		}
	}
	named := make([]SetFolder, len(docs))
	for i, d := range docs {
		named[i] = SetFolder{Folder: d.Origin.File, Stack: d.Ref().String()}
	}
	folders := t.came(apart, named, members, now, kept, out)
	for _, f := range folders {
		switch f.Standing {
		case FolderWrong:
			report.Wrong++
		case FolderStale:
			report.Stale++
		}
	}
	report.Stacks, report.Kept, report.Held = len(next), len(kept), out.Held
	report.Ignored, report.Bare, report.Made, report.Gone = len(apart.ignored), len(apart.bare), out.Created, out.Deleted
	report.Problem, report.Took = append(report.Problem, problems[:min(len(problems), mostProblems)]...), s.Now().Sub(began).Milliseconds()
	if out.Held > 0 {
		report.Message = fmt.Sprintf("%d stacks would go at once, which is more than a quarter; they stay until their folders are back, or are ignored in smaller parts", out.Held)
	}
	brought := t.Edit
	if out.Wrong > len(kept) { // some of the stacks don't know of it yet: who edited it is an author of what comes
		brought = t.Brought
	}
	if err := s.keepReport(ctx, t, looked{head, "", brought, report, &next, &folders}); err != nil {
		return ignoreTakenOver(err)
	}
	for _, why := range kept {
		if strings.HasSuffix(why, underWay) { // it may go soon
			return s.DB.Write(ctx, func(tx *store.Tx) error {
				return s.Queue.Insert(ctx, tx, jobSet, setArgs{name}, queue.InsertOptions{Unique: name, RunAt: s.Now().Add(time.Minute)})
			})
		}
	}
	return nil
}

// underWay ends why a stack stays that may go soon.
const underWay = "a run of it is under way"

func mayParse(text string) ref.Entity {
	r, err := ref.Parse(text, "stack", ref.DefaultNamespace)
	if err != nil {
		return ref.Entity{}
	}
	return r
}

func ignoreTakenOver(err error) error {
	if errors.Is(err, errTakenOver) {
		return nil
	}
	return err
}

// stillLooks fails when a later look of a set, or a change of it, has taken over.
func (s *Service) stillLooks(ctx context.Context, tx *store.Tx, t Set) error {
	generation := int64(0)
	if err := tx.QueryRow(ctx, "SELECT generation FROM stack_sets WHERE ref = $1"+tx.ForUpdate(), t.Ref.String()).Scan(&generation); err != nil {
		return err
	}
	if generation != t.generation {
		return errTakenOver
	}
	return nil
}

// looked is what a look came to.
type looked struct {
	seen, adopt string
	brought     int64
	report      SetReport
	members     *[]member    // nil: as they were
	folders     *[]SetFolder // nil: as they were
}

// keepReport writes what a look came to, and tells of it where that is something else than before.
func (s *Service) keepReport(ctx context.Context, t Set, l looked) error {
	text, err := json.Marshal(l.report)
	if err != nil {
		return err
	}
	members := l.members
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := s.stillLooks(ctx, tx, t); err != nil {
			return err
		}
		if err := s.noteLook(ctx, tx, t, l); err != nil {
			return err
		}
		if l.folders != nil {
			if err := keepFolders(ctx, tx, t.Ref, *l.folders); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "UPDATE stack_sets SET seen = $2, adopt = $3, brought = $4, report = $5 WHERE ref = $1", t.Ref.String(), l.seen, l.adopt, l.brought, string(text))
		if err != nil || members == nil {
			return fault.Wrap(err, "keep what became of %s", t.Ref)
		}
		before, err := membersOf(ctx, tx, t.Ref)
		if err != nil {
			return err
		}
		had, keep := map[member]bool{}, map[string]bool{}
		for _, m := range *members {
			keep[m.Stack] = true
		}
		for _, m := range before {
			if had[m] = true; keep[m.Stack] {
				continue
			}
			if _, err := tx.Exec(ctx, "DELETE FROM stack_set_members WHERE stack = $1", m.Stack); err != nil {
				return fault.Wrap(err, "keep the stacks of %s", t.Ref)
			}
		}
		for _, m := range *members {
			if had[m] {
				continue
			}
			_, err := tx.Exec(ctx, "INSERT INTO stack_set_members (stack, stack_set, folder) VALUES ($1,$2,$3) ON CONFLICT (stack) DO UPDATE SET folder=excluded.folder WHERE stack_set_members.stack_set=excluded.stack_set", m.Stack, t.Ref.String(), m.Folder)
			if err != nil {
				return fault.Wrap(err, "keep the stacks of %s", t.Ref)
			}
		}
		return nil
	})
}

// foldersOf gives the folders of a set at the head of its branch, and those that it has no stack for.
func (s *Service) foldersOf(ctx context.Context, t Set) (head string, found []string, apart left, err error) {
	if t.Deleted {
		return t.Seen, nil, apart, nil
	}
	from := t.Spec.Source
	if err := s.mayRead(ctx, Stack{Ref: t.Ref, Space: t.Space, Repository: from.Repository}); err != nil {
		return "", nil, apart, err
	}
	if head, err = s.Repositories.Head(ctx, from.Repository, from.Branch); err != nil {
		return "", nil, apart, fault.Wrap(err, "find the head of %s", from.Branch)
	}
	found, apart, err = t.Spec.list(func(pattern string) ([]string, error) {
		return s.Repositories.Glob(ctx, from.Repository, head, pattern)
	})
	return head, found, apart, err
}

// goneFrom tells whether a stack of a set has no folder at a commit: there is nothing to plan, and the set says what becomes of it.
func (s *Service) goneFrom(ctx context.Context, stack Stack, commit string) (bool, error) {
	set := ""
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		set, err = keptBySet(ctx, tx, stack)
		return err
	})
	if err != nil || set == "" {
		return false, err
	}
	files, err := s.Repositories.Glob(ctx, stack.Repository, commit, literal(stack.Path)+"/*")
	return err == nil && len(files) == 0, fault.Wrap(err, "list %s", stack.Path)
}

// literal writes a path as a pattern that matches it alone.
func literal(folder string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(folder)
}

// stay gives the stacks of a set that are not named any more and are not taken away, and why.
func (s *Service) stay(ctx context.Context, t Set, members []member, now map[string]string, found, ignored []string) (map[ref.Entity]string, error) {
	kept := map[ref.Entity]string{}
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		for _, m := range members {
			if _, still := now[m.Stack]; still {
				continue
			}
			r, err := parseStack(m.Stack)
			if err != nil {
				return err
			}
			stack, err := getStack(ctx, tx, r, "")
			if fault.Is(err, fault.NotFound) || err == nil && (stack.Deleted || stack.Space != t.Space) {
				continue
			}
			if err != nil {
				return err
			}
			why := "folder " + m.Folder + " is gone"
			_, there := slices.BinarySearch(found, m.Folder)
			_, out := slices.BinarySearch(ignored, m.Folder)
			switch {
			case t.Deleted:
				why = "its stack set is deleted"
			case there:
				why = "folder " + m.Folder + " has another name now, or none"
			case out:
				why = "folder " + m.Folder + " is left out now"
			}
			if t.Spec.Removed != Delete {
				kept[r] = why + "; it stays, as the set says: destroy it, and delete it"
				continue
			}
			holds, err := s.holds(ctx, tx, stack)
			if err != nil {
				return err
			}
			if holds != "" {
				kept[r] = why + "; it stays, since " + holds
			}
		}
		return nil
	})
	return kept, err
}

// holds tells what keeps a stack from being taken away; "" for nothing.
func (s *Service) holds(ctx context.Context, tx *store.Tx, stack Stack) (string, error) {
	v, err := currentState(ctx, tx, stack.Ref)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		return "", err
	case v.Resources > 0:
		return fmt.Sprintf("its state holds %s: destroy them with `roadbed stack destroy %s`", plural(v.Resources, "resource", "resources"), stackID(stack.Ref.String())), nil
	}
	open, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: stack.Ref.String(), Open: true, Limit: 1})
	if err != nil || len(open.Runs) > 0 {
		return underWay, err
	}
	l, err := getLock(ctx, tx, stack.Ref, "")
	if fault.Is(err, fault.NotFound) || err == nil && l.Run != "" { // of a step that has ended
		return "", nil
	}
	if err != nil {
		return "", err
	}
	why, err := s.lockedByHand(ctx, tx, stack.Ref.String())
	return "the lock of its state " + cmp.Or(why, "is held"), err
}

// bySet is by what the transaction that deletes a document knows that its set takes it away.
type bySet struct{}

// mayGo is asked in that transaction: what holds a stack may have come since the set has looked.
func (s *Service) mayGo(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	stack, err := getStack(ctx, tx, r, tx.ForUpdate())
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	why, err := s.holds(ctx, tx, stack)
	if err == nil && why != "" {
		err = fault.Errorf(fault.Conflict, "%s", why)
	}
	return err
}

// lookAtSetOf has the set look again that a stack is of: now that the stack holds nothing, the set may take it away.
func (s *Service) lookAtSetOf(ctx context.Context, tx *store.Tx, stack string) error {
	rows, err := tx.Query(ctx, "SELECT stack_set FROM stack_set_members WHERE stack = $1", stack)
	sets, err := store.Collect(rows, err, func(row store.Row) (name string, err error) { return name, row.Scan(&name) })
	if err != nil {
		return fault.Wrap(err, "find the set of %s", stack)
	}
	for _, name := range sets {
		if err := s.Queue.Insert(ctx, tx, jobSet, setArgs{name}, queue.InsertOptions{Unique: name}); err != nil {
			return err
		}
	}
	return nil
}
