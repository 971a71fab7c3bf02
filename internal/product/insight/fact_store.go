package insight

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// holdFacts has others who write of an entity wait.
func holdFacts(ctx context.Context, tx *store.Tx, entity string, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO insight_facts (entity, updated) VALUES ($1,$2) ON CONFLICT (entity) DO UPDATE SET updated = excluded.updated`, entity, store.Micros(now))
	return fault.Wrap(err, "write of %s", entity)
}

// metricsOf gives metrics by entity, by name.
func metricsOf(ctx context.Context, tx *store.Tx, entities []string) (map[string][]Metric, error) {
	w := &store.Where{}
	w.Add(w.In("entity", entities))
	rows, err := tx.Query(ctx, `SELECT entity, name, value, unit, url, at FROM insight_metrics`+w.String()+`ORDER BY entity, name`, w.Args...)
	all := map[string][]Metric{}
	_, err = store.Collect(rows, err, func(r store.Row) (none struct{}, err error) {
		var entity string
		var at int64
		var m Metric
		err = r.Scan(&entity, &m.Name, &m.Value, &m.Unit, &m.URL, &at)
		m.At = store.FromMicros(at)
		all[entity] = append(all[entity], m)
		return none, err
	})
	return all, fault.Wrap(err, "read metrics")
}

func putMetric(ctx context.Context, tx *store.Tx, entity string, m Metric) error {
	_, err := tx.Exec(ctx, `INSERT INTO insight_metrics (entity, name, value, unit, url, at) VALUES ($1,$2,$3,$4,$5,$6)
 ON CONFLICT (entity, name) DO UPDATE SET value=excluded.value, unit=excluded.unit, url=excluded.url, at=excluded.at`, entity, m.Name, m.Value, m.Unit, m.URL, store.Micros(m.At))
	return fault.Wrap(err, "keep a metric of %s", entity)
}

// findingsOf gives findings by entity: the most severe first, then by source and id.
func findingsOf(ctx context.Context, tx *store.Tx, entities []string) (map[string][]Finding, error) {
	w := &store.Where{}
	w.Add(w.In("entity", entities))
	rows, err := tx.Query(ctx, `SELECT entity, source, id, severity, title, url, at FROM insight_findings`+w.String()+`ORDER BY entity, severity, source, id`, w.Args...)
	all := map[string][]Finding{}
	_, err = store.Collect(rows, err, func(r store.Row) (none struct{}, err error) {
		var entity string
		var at int64
		var rank int
		var f Finding
		if err := r.Scan(&entity, &f.Source, &f.ID, &rank, &f.Title, &f.URL, &at); err != nil {
			return none, err
		}
		f.Severity, f.At = severities[min(max(rank, 0), len(severities)-1)], store.FromMicros(at)
		all[entity] = append(all[entity], f)
		return none, nil
	})
	return all, fault.Wrap(err, "read findings")
}

// putFindings writes some findings of a source, and forgets others by their ids.
func putFindings(ctx context.Context, tx *store.Tx, entity, source string, written []Finding, removed []string) error {
	const atOnce = 100 // rows of a statement
	for part := range slices.Chunk(removed, atOnce) {
		w := &store.Where{}
		w.Equal("entity", entity)
		w.Equal("source", source)
		w.Add(w.In("id", part))
		if _, err := tx.Exec(ctx, `DELETE FROM insight_findings`+w.String(), w.Args...); err != nil {
			return fault.Wrap(err, "forget findings of %s", entity)
		}
	}
	for part := range slices.Chunk(written, atOnce) {
		w := &store.Where{}
		rows := make([]string, len(part))
		for i, f := range part {
			rows[i] = "(" + strings.Join([]string{w.Arg(entity), w.Arg(source), w.Arg(f.ID), w.Arg(f.rank()), w.Arg(f.Title), w.Arg(f.URL), w.Arg(store.Micros(f.At))}, ",") + ")"
		}
		_, err := tx.Exec(ctx, `INSERT INTO insight_findings (entity, source, id, severity, title, url, at) VALUES `+strings.Join(rows, ",")+`
 ON CONFLICT (entity, source, id) DO UPDATE SET severity=excluded.severity, title=excluded.title, url=excluded.url, at=excluded.at`, w.Args...)
		if err != nil {
			return fault.Wrap(err, "keep findings of %s", entity)
		}
	}
	return nil
}

// kept is what outside systems have told of entities that are judged together.
type kept struct {
	metrics  ahead[Metric]
	findings ahead[Finding]
}

func (s *Service) keptOf(names []string) *kept {
	const few = 10 // since one may have a thousand
	return &kept{
		metrics:  ahead[Metric]{db: s.DB, names: names, most: atOnce, read: metricsOf},
		findings: ahead[Finding]{db: s.DB, names: names, most: few, read: findingsOf},
	}
}

// ahead reads of the following entities, too, when it is asked for one.
type ahead[T any] struct {
	db    *store.DB
	names []string
	most  int // at once
	read  func(ctx context.Context, tx *store.Tx, entities []string) (map[string][]T, error)

	have map[string][]T
	done map[string]bool
}

func (a *ahead[T]) of(ctx context.Context, name string) ([]T, error) {
	if a.done[name] {
		return a.have[name], nil
	}
	from := max(slices.Index(a.names, name), 0)
	part := a.names[from:min(len(a.names), from+a.most)]
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		a.have, err = a.read(ctx, tx, part)
		return err
	})
	a.done = map[string]bool{}
	for _, n := range part {
		a.done[n] = err == nil
	}
	return a.have[name], err
}

func seenMetrics(all []Metric) map[string]any {
	seen := make(map[string]any, len(all))
	for _, m := range all {
		seen[m.Name] = map[string]any{"value": m.Value, "unit": m.Unit, "at": m.At}
	}
	return seen
}

func seenFindings(all []Finding) []map[string]any {
	seen := make([]map[string]any, len(all))
	for i, f := range all {
		seen[i] = map[string]any{"source": f.Source, "id": f.ID, "severity": f.Severity, "title": f.Title, "at": f.At}
	}
	return seen
}

// forgetFacts forgets what was told of those of some entities that are gone.
func (s *Service) forgetFacts(ctx context.Context, names []string) error {
	for part := range slices.Chunk(names, droppedAtOnce) {
		var some []string
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			w := &store.Where{}
			w.Add(w.In("entity", part))
			rows, err := tx.Query(ctx, `SELECT entity FROM insight_facts`+w.String()+`ORDER BY entity`, w.Args...)
			some, err = store.Collect(rows, err, scanName)
			return err
		})
		if err != nil || len(some) == 0 {
			return fault.Wrap(err, "read of what something was told")
		}
		if err := s.forgetGone(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func scanName(r store.Row) (name string, err error) { return name, r.Scan(&name) }

// forgetGone forgets what was told of those that are not there. The index is asked first; whether it is only behind, the database
// tells.
func (s *Service) forgetGone(ctx context.Context, names []string) error {
	known, err := s.Catalog.Known(actor.AsSystem(ctx), names)
	if err != nil {
		return err
	}
	for i, k := range known {
		if k.Space != "" {
			continue
		}
		r, err := ref.Parse(names[i], "", "")
		if err != nil {
			return err
		}
		err = s.DB.Write(ctx, func(tx *store.Tx) error {
			if err := holdFacts(ctx, tx, names[i], s.Now()); err != nil {
				return err
			}
			if _, err := s.Catalog.GetTx(ctx, tx, r); !fault.Is(err, fault.NotFound) {
				return err
			}
			for _, table := range []string{"insight_metrics", "insight_findings", "insight_facts"} {
				if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE entity = $1`, names[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fault.Wrap(err, "forget what was told of %s", names[i])
		}
	}
	return nil
}

// sweepFacts forgets what was told of an entity at the moment at which it went.
func (s *Service) sweepFacts(ctx context.Context) error {
	for last := ""; ; {
		var names []string
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `SELECT entity FROM insight_facts WHERE entity > $1 ORDER BY entity LIMIT $2`, last, droppedAtOnce)
			names, err = store.Collect(rows, err, scanName)
			return err
		})
		if err != nil || len(names) == 0 {
			return fault.Wrap(err, "look for what was told of what is gone")
		}
		if err := s.forgetGone(ctx, names); err != nil {
			return err
		}
		last = names[len(names)-1]
	}
}
