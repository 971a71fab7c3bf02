package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	jobSweep    = "directory.sweep"
	sweepEvery  = time.Minute
	wholeEvery  = time.Hour       // in which all that was written by SCIM is held against the catalog
	lookTime    = 5 * time.Minute // of one look
	projectTime = time.Minute     // of bringing what was just written into the catalog
)

func (s *Service) handle() {
	queue.Handle(s.Queue, jobSweep, queue.HandleOptions{Timeout: lookTime}, func(ctx context.Context, _ struct{}) error { return s.sweep(ctx) })
	s.Queue.Every(jobSweep, sweepEvery, struct{}{})
	queue.Handle(s.Queue, jobLook, queue.HandleOptions{Timeout: lookTime + time.Minute}, func(ctx context.Context, a lookArgs) error {
		err := s.look(ctx, a.Name)
		if fault.Is(err, fault.NotFound) {
			return nil // it was deleted meanwhile
		}
		return err
	})
	queue.Handle(s.Queue, jobClear, queue.HandleOptions{Timeout: 2 * lookTime}, s.clear)
}

// clear deletes what a directory brought into a space. One that is there again, or elsewhere by now, is looked at then.
func (s *Service) clear(ctx context.Context, a clearArgs) error {
	done, err := s.turn(ctx, a.Name)
	if err != nil {
		return err
	}
	d, err := s.lookup(ctx, a.Name)
	there := err == nil
	if there && d.Target() == a.Space {
		done()
		return nil // the look that its change has asked for holds it against all that is there
	}
	if err == nil || fault.Is(err, fault.NotFound) {
		_, err = s.Catalog.Bring(ctx, catalog.Set{Space: a.Space, Source: a.Source, Whole: true})
	}
	done()
	if err != nil || !there {
		return err
	}
	return s.look(ctx, a.Name)
}

// sweep has those looked at whose time has come, and brings up to date what was left.
func (s *Service) sweep(ctx context.Context) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		have, err := all(ctx, tx)
		if err != nil {
			return err
		}
		for _, d := range have {
			due, err := s.due(ctx, tx, d)
			if err != nil {
				return err
			}
			if !due {
				continue
			}
			if err := s.lookSoon(ctx, tx, d.Name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) due(ctx context.Context, tx *store.Tx, d Directory) (bool, error) {
	if d.Spec.LDAP != nil {
		return !s.Now().Before(d.Looked.Add(d.Spec.LDAP.Interval)), nil
	}
	var waiting int
	err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM directory_resources WHERE directory = $1 AND stale = 1", d.Name).Scan(&waiting)
	return waiting > 0 || !s.Now().Before(d.held.Add(wholeEvery)), err
}

// look reads a directory, or holds all that was written to it against the catalog, and keeps what it found.
func (s *Service) look(ctx context.Context, name string) error {
	done, err := s.turn(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	d, err := s.lookup(ctx, name)
	if err != nil {
		return err
	}
	if d.Spec.LDAP != nil {
		return s.lookLDAP(ctx, d)
	}
	var out catalog.Brought
	if d.State != Waiting || d.People+d.Inactive+d.Groups > 0 { // until the provider writes, what was there before stays
		out, err = s.projectAll(ctx, d.Name)
	}
	return s.keep(ctx, d, func(now *Directory) error {
		if err != nil {
			return failed(ctx, now, err)
		}
		now.Last, now.held = counts(out), s.Now()
		if now.State == Failing {
			now.State, now.Reason = Healthy, ""
		}
		if out.Held > 0 && !d.settles(s.Now()) {
			now.State = Failing
			now.Reason = fmt.Sprintf("%d people and groups came by LDAP, and the identity provider has not written them, which is more than %d percent; they stay. If they are to go, set spec.mostGone to 100", out.Held, d.Spec.MostGone)
		}
		return nil
	})
}

// failed notes why a look failed, unless it says nothing of the directory.
func failed(ctx context.Context, d *Directory, err error) error {
	if ctx.Err() != nil || errors.Is(err, errOvertaken) || fault.KindOf(err) == fault.Internal {
		return err
	}
	d.State, d.Reason = Failing, cut(fault.Message(err), mostReason)
	return nil
}

// counts gives what is kept of an outcome.
func counts(out catalog.Brought) catalog.Brought {
	out.Details, out.Taken = nil, nil
	return out
}

// keep writes what a look found, with an entry in the ledger for a state that is new. A directory that has changed since is
// looked at again, so nothing is kept of this look.
func (s *Service) keep(ctx context.Context, d Directory, found func(now *Directory) error) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byName(ctx, tx, d.Name)
		if err != nil || now.version != d.version {
			return err
		}
		before := now.Status
		if err := found(&now); err != nil {
			return err
		}
		if now.State != before.State {
			now.Since = s.Now()
		}
		if now.differs(before) && now.State != Waiting {
			kind, data := "directory.healthy", map[string]any{"protocol": now.Protocol()}
			if now.State == Failing {
				kind, data["reason"] = "directory.failed", now.Reason
			}
			if err := s.tell(ctx, tx, now, kind, data); err != nil {
				return err
			}
		}
		return save(ctx, tx, now)
	})
}
