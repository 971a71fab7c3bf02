package run

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// What lists that are read by the numbers of their pages show of runs, and what a product asks of the runs of many subjects, in as
// many statements for one as for many.

// Part gives a part of the runs that the caller may read, newest first, with all that their pages show, and how many there are.
// The query's Cursor and Limit do not count. Permission: run:read; runs in other spaces are left out before they are counted.
func (s *Service) Part(ctx context.Context, q Query, at page.Place) (list []Detail, total int, err error) {
	readable, err := s.Access.Spaces(ctx, "run:read")
	if err != nil || readable.Empty() {
		return nil, 0, err
	}
	w := &store.Where{}
	if !readable.All {
		w.Add(w.In("space", readable.List()))
	}
	q.narrow(w)
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		runs, n, err := store.Part(ctx, tx, runColumns, "runs", w, "id DESC", at.Offset, at.Size(), scanRun)
		if err != nil {
			return fault.Wrap(err, "list runs")
		}
		total = n
		list, err = details(ctx, tx, runs)
		return err
	})
	return list, total, err
}

// Count tells how many runs there are that the caller may read. Permission: that of Part.
func (s *Service) Count(ctx context.Context, q Query) (total int, err error) {
	_, total, err = s.Part(ctx, q, page.Place{Limit: page.None})
	return total, err
}

// Details gives runs, as a product has just read them, with their steps and reviews, by their ids.
// Permission: run:read; those in other spaces are left out.
func (s *Service) Details(ctx context.Context, runs []Run) (all map[string]Detail, err error) {
	readable, err := s.Access.Spaces(ctx, "run:read")
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	var own []Run
	for _, r := range runs {
		if readable.Has(r.Space) {
			own = append(own, r)
		}
	}
	all = map[string]Detail{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		list, err := details(ctx, tx, own)
		for _, d := range list {
			all[d.Run.ID] = d
		}
		return err
	})
	return all, err
}

func details(ctx context.Context, tx *store.Tx, runs []Run) ([]Detail, error) {
	list, ids, place := make([]Detail, len(runs)), make([]string, len(runs)), map[string]int{}
	for i, r := range runs {
		list[i].Run, ids[i], place[r.ID] = r, r.ID, i
	}
	if len(runs) == 0 {
		return list, nil
	}
	w := &store.Where{}
	w.Add(w.In("s.run", ids))
	rows, err := tx.Query(ctx, "SELECT "+stepColumns+" FROM run_steps s"+w.String()+"ORDER BY s.position, s.id", w.Args...)
	steps, err := store.Collect(rows, err, scanStep)
	if err != nil {
		return nil, fault.Wrap(err, "read the steps of runs")
	}
	for _, step := range steps {
		d := &list[place[step.Run]]
		d.Steps = append(d.Steps, *step)
	}
	w = &store.Where{}
	w.Add(w.In("run", ids))
	rows, err = tx.Query(ctx, "SELECT "+reviewColumns+" FROM run_reviews"+w.String()+"ORDER BY id", w.Args...)
	reviews, err := store.Collect(rows, err, scanReview)
	for _, v := range reviews {
		d := &list[place[v.Run]]
		d.Reviews = append(d.Reviews, v)
	}
	return list, fault.Wrap(err, "read the reviews of runs")
}

// Of names a subject within a space.
type Of struct{ Space, Subject string }

// manySubjects bounds how many are asked for at once.
const manySubjects = 1000

// wanted begins a statement that asks of many subjects; it has their columns space and subject.
func wanted(w *store.Where, part []Of) string {
	rows := make([]string, len(part))
	for i, o := range part {
		rows[i] = "(CAST(" + w.Arg(o.Space) + " AS TEXT), CAST(" + w.Arg(o.Subject) + " AS TEXT))"
	}
	return "WITH wanted(space, subject) AS (VALUES " + strings.Join(rows, ", ") + ") "
}

// EndTx gives of each of some subjects the newest run that a query takes, or the oldest, unauthorised, in the caller's transaction.
// Those of the query that name subjects and spaces do not count.
func (s *Service) EndTx(ctx context.Context, tx *store.Tx, subjects []Of, q Query, newest bool) (map[Of]Run, error) {
	all := map[Of]Run{}
	return all, ends(ctx, tx, subjects, q, newest, runColumns, func(row store.Row) error {
		r, err := scanRun(row)
		all[Of{r.Space, r.Subject}] = r
		return err
	})
}

// Standing is where a run is, without all that it was asked and has given.
type Standing struct {
	State, Reason string
	Marks         []string
}

// StandingTx is EndTx for the newest run, of which no more is read than where it is.
func (s *Service) StandingTx(ctx context.Context, tx *store.Tx, subjects []Of, q Query) (map[Of]Standing, error) {
	all := map[Of]Standing{}
	return all, ends(ctx, tx, subjects, q, true, "space, subject, state, reason, marks", func(row store.Row) error {
		var o Of
		var is Standing
		var marks string
		err := row.Scan(&o.Space, &o.Subject, &is.State, &is.Reason, &marks)
		is.Marks = strings.Fields(marks)
		all[o] = is
		return err
	})
}

// ends has columns of the newest run, or the oldest, taken of each subject that has one.
func ends(ctx context.Context, tx *store.Tx, subjects []Of, q Query, newest bool, columns string, take func(store.Row) error) error {
	q.Spaces, q.Subject, q.Names = nil, "", nil
	for len(subjects) > 0 {
		part := subjects[:min(len(subjects), manySubjects)]
		subjects = subjects[len(part):]
		w := &store.Where{}
		with := wanted(w, part)
		w.Add("subject = wanted.subject AND space = wanted.space")
		q.narrow(w)
		rows, err := tx.Query(ctx, with+"SELECT "+columns+" FROM runs WHERE id IN (SELECT (SELECT id FROM runs"+w.String()+"ORDER BY id "+direction(newest)+" LIMIT 1) FROM wanted)", w.Args...)
		if _, err = store.Collect(rows, err, func(row store.Row) (struct{}, error) { return struct{}{}, take(row) }); err != nil {
			return fault.Wrap(err, "find the runs of %d subjects", len(part))
		}
	}
	return nil
}

// HoldersTx gives the runs that hold locks, by the names of the locks, unauthorised, in the caller's transaction. A lock that
// HoldTx took is held by none.
func (s *Service) HoldersTx(ctx context.Context, tx *store.Tx, locks []string) (map[string]Run, error) {
	all := map[string]Run{}
	for len(locks) > 0 {
		part := locks[:min(len(locks), manySubjects)]
		locks = locks[len(part):]
		w := &store.Where{}
		w.Add("id IN (SELECT run FROM run_locks WHERE " + w.In("name", part) + ")")
		rows, err := tx.Query(ctx, "SELECT "+runColumns+" FROM runs"+w.String(), w.Args...)
		runs, err := store.Collect(rows, err, scanRun)
		if err != nil {
			return nil, fault.Wrap(err, "find who holds %d locks", len(part))
		}
		for _, r := range runs {
			all[r.Lock] = r
		}
	}
	return all, nil
}

// CountsTx counts the runs of a kind that subjects had, unauthorised, in the caller's transaction.
func (s *Service) CountsTx(ctx context.Context, tx *store.Tx, kind string, subjects []Of) (map[Of]int, error) {
	all := map[Of]int{}
	for len(subjects) > 0 {
		part := subjects[:min(len(subjects), manySubjects)]
		subjects = subjects[len(part):]
		w := &store.Where{}
		with := wanted(w, part)
		w.Add("subject = wanted.subject AND space = wanted.space")
		w.Equal("kind", kind)
		rows, err := tx.Query(ctx, with+"SELECT space, subject, (SELECT COUNT(*) FROM runs"+w.String()+") FROM wanted", w.Args...)
		_, err = store.Collect(rows, err, func(row store.Row) (o Of, err error) {
			n := 0
			if err = row.Scan(&o.Space, &o.Subject, &n); err == nil {
				all[o] = n
			}
			return o, err
		})
		if err != nil {
			return nil, fault.Wrap(err, "count the runs of %d subjects", len(part))
		}
	}
	return all, nil
}
