package run

import (
	"context"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Query chooses runs; empty fields choose all.
type Query struct {
	Kinds      []string
	States     []string
	Spaces     []string
	Subject    string
	Repository string
	Commit     string
	Actor      string
	Open       bool // only runs that have not ended
	Waiting    bool // only runs that wait for a person
	More
	Cursor string // id of the last run of the page before
	Limit  int    // 1 to 200; 0 means 50
}

// Page is a part of a list, newest first.
type Page struct {
	Runs []Run
	Next string // cursor of the next page; "" at the end
}

// Get gives a run. Permission: run:read in its space; otherwise NotFound.
func (s *Service) Get(ctx context.Context, id string) (r Run, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		r, err = s.authorized(ctx, tx, id, "run:read")
		return err
	})
	return r, err
}

// Detail is a run with all that its page shows, read in one snapshot.
type Detail struct {
	Run     Run
	Steps   []Step
	Reviews []Review
}

// Detail gives a run with its steps and reviews. Permission: run:read in its space; otherwise NotFound.
func (s *Service) Detail(ctx context.Context, id string) (d Detail, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if d.Run, err = s.authorized(ctx, tx, id, "run:read"); err != nil {
			return err
		}
		if d.Steps, err = s.StepsTx(ctx, tx, id); err != nil {
			return err
		}
		d.Reviews, err = getReviews(ctx, tx, id)
		return err
	})
	return d, err
}

// GetTx gives a run to a product, unauthorised, in its transaction.
func (s *Service) GetTx(ctx context.Context, tx *store.Tx, id string) (Run, error) {
	return getRun(ctx, tx, id, "")
}

// TakeTx is GetTx that keeps others from changing the run, or reviewing it, until the transaction ends.
func (s *Service) TakeTx(ctx context.Context, tx *store.Tx, id string) (Run, error) {
	return getRun(ctx, tx, id, tx.ForUpdate())
}

// ByKeyTx gives the run that was created with a key, to a product, unauthorised, in its transaction.
func (s *Service) ByKeyTx(ctx context.Context, tx *store.Tx, key string) (r Run, there bool, err error) {
	if key == "" {
		return Run{}, false, nil
	}
	id, err := optional(tx.QueryRow(ctx, "SELECT id FROM runs WHERE run_key = $1", key))
	if err != nil || id == "" {
		return Run{}, false, fault.Wrap(err, "find the run of a key")
	}
	r, err = getRun(ctx, tx, id, "")
	return r, err == nil, err
}

// HolderTx gives the run that holds a lock, or the name by which HoldTx took it, "" for none, unauthorised.
func (s *Service) HolderTx(ctx context.Context, tx *store.Tx, lock string) (run string, err error) {
	return lockHolder(ctx, tx, lock)
}

// StepsTx gives a run's steps to a product, unauthorised, in its transaction.
func (s *Service) StepsTx(ctx context.Context, tx *store.Tx, id string) ([]Step, error) {
	list, err := getSteps(ctx, tx, id)
	if err != nil {
		return nil, fault.Wrap(err, "read steps of run %s", id)
	}
	steps := make([]Step, len(list))
	for i, p := range list {
		steps[i] = *p
	}
	return steps, nil
}

// ReviewsTx gives a run's reviews to a product, unauthorised, in its transaction.
func (s *Service) ReviewsTx(ctx context.Context, tx *store.Tx, id string) ([]Review, error) {
	return getReviews(ctx, tx, id)
}

// List gives runs that the caller may read, newest first. Permission: run:read; runs in other spaces are left out
// before they are counted.
func (s *Service) List(ctx context.Context, q Query) (Page, error) {
	readable, err := s.Access.Spaces(ctx, "run:read")
	if err != nil {
		return Page{}, err
	}
	if q.Cursor != "" && !ref.IsID(q.Cursor, ref.Run) {
		return Page{}, fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", q.Cursor)
	}
	var page Page
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		page, err = listRuns(ctx, tx, q, readable.All, readable.List())
		return err
	})
	return page, err
}

// ListTx gives runs to a product, unauthorised, in its transaction.
func (s *Service) ListTx(ctx context.Context, tx *store.Tx, q Query) (Page, error) {
	return listRuns(ctx, tx, q, true, nil)
}

// CountTx counts the runs that a query finds, but for its Cursor and Limit, to a product, unauthorised, in its transaction.
func (s *Service) CountTx(ctx context.Context, tx *store.Tx, q Query) (n int, err error) {
	w := &store.Where{}
	q.narrow(w)
	err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM runs"+w.String(), w.Args...).Scan(&n)
	return n, fault.Wrap(err, "count runs")
}

func listRuns(ctx context.Context, tx *store.Tx, q Query, all bool, spaces []string) (Page, error) {
	if !all && len(spaces) == 0 {
		return Page{}, nil
	}
	limit := min(max(q.Limit, 0), 200)
	if limit == 0 {
		limit = 50
	}
	w := &store.Where{}
	if !all {
		w.Add(w.In("space", spaces))
	}
	q.narrow(w)
	if q.Cursor != "" {
		w.Add("id < " + w.Arg(q.Cursor))
	}
	rows, err := tx.Query(ctx, "SELECT "+runColumns+" FROM runs"+w.String()+"ORDER BY id DESC LIMIT "+strconv.Itoa(limit+1), w.Args...)
	runs, err := store.Collect(rows, err, scanRun)
	if err != nil {
		return Page{}, fault.Wrap(err, "list runs")
	}
	page := Page{Runs: runs}
	if len(runs) > limit {
		page.Runs = runs[:limit]
		page.Next = runs[limit-1].ID
	}
	return page, nil
}
