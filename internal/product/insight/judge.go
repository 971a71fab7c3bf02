package insight

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// card is a scorecard with its rules ready.
type card struct {
	Scorecard
	generation, judged string
	fresh              []string // rules that not everything is judged by
	phase              int
	last               string
	rules              []compiled
	wrong              string // why they can't be asked
}

// targets tells whether a rule asks for what relations lead to.
func (c card) targets() bool {
	return slices.ContainsFunc(c.rules, func(r compiled) bool { return r.targets })
}

// errChanged says that a scorecard is not what it was when the judging began.
var errChanged = errors.New("the scorecard has changed meanwhile")

// Whether what changes is told one by one.
const (
	alone = true
	bulk  = false
)

const latestRuns = 20 // that rules see

// judge writes what scorecards say of entities, where that differs from what is kept. finish, for one scorecard, is done in the
// same transaction; it fails with errChanged when that has changed meanwhile.
func (s *Service) judge(ctx context.Context, cards []card, refs []ref.Entity, tell bool, finish func(tx *store.Tx) error) error {
	entities, err := s.Catalog.ByRefs(ctx, refs)
	if err != nil {
		return err
	}
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.String()
	}
	var before map[key]Result
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		before, err = resultsOf(ctx, tx, cardNames(cards), names)
		return err
	})
	if err != nil {
		return err
	}
	now, kept := map[key]Result{}, s.keptOf(names)
	var unread []string
	for _, e := range entities {
		if e == nil {
			continue
		}
		all, err := s.judgeOne(ctx, cards, *e, kept, before, now)
		if err != nil {
			return err
		}
		if !all {
			unread = append(unread, e.Ref.String())
		}
	}
	moved := differing(before, now)
	if len(moved)+len(unread) == 0 && finish == nil {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		same, err := current(ctx, tx, cards)
		if err != nil {
			return err
		}
		if finish != nil && !same[cards[0].Ref.String()] {
			return errChanged
		}
		of := slices.DeleteFunc(slices.Clone(moved), func(m moving) bool { return !same[m.scorecard()] }) // which are judged by what they say now
		if err := s.move(ctx, tx, of, tell); err != nil {
			return err
		}
		if err := postpone(ctx, tx, unread, s.Now()); err != nil {
			return err
		}
		if finish != nil {
			return finish(tx)
		}
		return nil
	})
}

func cardNames(cards []card) []string {
	list := make([]string, len(cards))
	for i, c := range cards {
		list[i] = c.Ref.String()
	}
	return list
}

// judgeOne adds what scorecards say of one entity: nothing where they don't choose it. all tells that everything could be read
// that they ask for.
func (s *Service) judgeOne(ctx context.Context, cards []card, e catalog.Entity, kept *kept, before, to map[key]Result) (all bool, err error) {
	all = true
	var f *facts
	for i := range cards {
		c := &cards[i]
		if !c.Spec.Filter.chooses(e, c.Ref.Namespace) {
			continue
		}
		within, err := s.Access.Within(ctx, e.Space, c.Space)
		if err != nil {
			return false, err
		}
		if !within {
			continue
		}
		if f == nil {
			if f, err = s.facts(ctx, e, kept, platform{s}); err != nil {
				return false, err
			}
		}
		f.seenFrom(c.Space)
		k := key{c.Ref.String(), e.Ref.String()}
		had, judged := before[k]
		v := judge(ctx, c.Spec, c.rules, f, func(rule string) bool {
			return !judged || slices.Contains(c.fresh, rule) || slices.Contains(had.Failed, rule)
		})
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		all = all && len(v.Unread) == 0
		to[k] = Result{Scorecard: k.scorecard, Entity: k.entity, Space: e.Space, Owner: ownerOf(e), Level: v.Level, Failed: v.Failed, Errors: v.Errors}
	}
	if !all {
		s.Log.WarnContext(ctx, "judge an entity; it is tried again", "entity", e.Ref.String(), "error", f.why())
	}
	return all, nil
}

func ownerOf(e catalog.Entity) string {
	if e.Owner == (ref.Entity{}) {
		return ""
	}
	return e.Owner.String()
}

// eyes are who looks at runs and docs: the platform, or a reader with the reader's rights.
type eyes interface {
	runs(ctx context.Context, q run.Query) (run.Page, error)
	docs(ctx context.Context, e ref.Entity) (Documented, error)
}

type platform struct{ s *Service }

func (p platform) runs(ctx context.Context, q run.Query) (page run.Page, err error) {
	err = p.s.DB.Read(ctx, func(tx *store.Tx) error {
		page, err = p.s.Runs.ListTx(ctx, tx, q)
		return err
	})
	return page, err
}

func (p platform) docs(ctx context.Context, e ref.Entity) (Documented, error) {
	return p.s.Docs.Of(ctx, e)
}

// facts gives what rules may ask of an entity.
func (s *Service) facts(ctx context.Context, e catalog.Entity, kept *kept, by eyes) (*facts, error) {
	fields, err := object(e.Document)
	if err != nil {
		return nil, err
	}
	var f *facts
	f = &facts{
		known: map[string]any{
			"entity": fields, "ref": e.Ref.String(), "owner": ownerOf(e), "space": e.Space, "now": s.Now(),
		},
		ask: map[string]func() (any, error){
			"relations": func() (any, error) { return seenRelations(e), nil },
			withTargets: func() (any, error) { return s.withTargets(ctx, e, f.space) },
			"runs": func() (any, error) {
				page, err := by.runs(ctx, run.Query{Subject: e.Ref.String(), Limit: latestRuns})
				list := []map[string]any{}
				for _, r := range page.Runs {
					if r.Space == e.Space { // who may read the entity may not read what runs elsewhere
						list = append(list, seenRun(r))
					}
				}
				return list, err
			},
			"docs": func() (any, error) {
				d, err := by.docs(ctx, e.Ref)
				return map[string]int64{"pages": int64(d.Pages), "broken": int64(d.Broken)}, err
			},
			"metrics": func() (any, error) {
				all, err := kept.metrics.of(ctx, e.Ref.String())
				return seenMetrics(all), err
			},
			"findings": func() (any, error) {
				all, err := kept.findings.of(ctx, e.Ref.String())
				return seenFindings(all), err
			},
		},
	}
	return f, nil
}

func seenRelations(e catalog.Entity) []map[string]any {
	list := make([]map[string]any, len(e.Relations))
	for i, r := range e.Relations {
		list[i] = map[string]any{"type": r.Type, "target": r.Target.String()}
	}
	return list
}

// withTargets gives relations with what is known of where they lead. That something exists is no secret, since its name is taken for
// all; the rest is told of what is in the scorecard's space or below, so that its author learns of no other.
func (s *Service) withTargets(ctx context.Context, e catalog.Entity, space string) ([]map[string]any, error) {
	names := make([]string, len(e.Relations))
	for i, r := range e.Relations {
		names[i] = r.Target.String()
	}
	known, err := s.Catalog.Known(ctx, names)
	if err != nil {
		return nil, err
	}
	list := seenRelations(e)
	for i, k := range known {
		within := k.Space == space
		if k.Space != "" && !within {
			if within, err = s.Access.Within(ctx, k.Space, space); err != nil {
				return nil, err
			}
		}
		to := map[string]any{
			"kind": e.Relations[i].Target.Kind, "namespace": e.Relations[i].Target.Namespace, "name": e.Relations[i].Target.Name,
			"exists": k.Space != "", "type": "", "owner": "", "lifecycle": "",
		}
		if within {
			to["type"], to["owner"], to["lifecycle"] = k.Type, k.Owner, k.Lifecycle
		}
		list[i][target] = to
	}
	return list, nil
}

func seenRun(r run.Run) map[string]any {
	v := map[string]any{"kind": r.Kind, "state": r.State, "title": r.Title, "ended": r.Terminal, "created": r.Created}
	if r.Terminal {
		v["finished"] = r.Ended
	}
	return v
}

// key names a result.
type key struct{ scorecard, entity string }

// moving is a result that is not as it was.
type moving struct{ from, to *Result }

func (m moving) scorecard() string {
	if m.to != nil {
		return m.to.Scorecard
	}
	return m.from.Scorecard
}

// differing gives what is to be written, in the order of the keys.
func differing(before, now map[key]Result) (moved []moving) {
	keys := slices.Collect(maps.Keys(now))
	for k := range before {
		if _, still := now[k]; !still {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return strings.Compare(a.scorecard+" "+a.entity, b.scorecard+" "+b.entity)
	})
	for _, k := range keys {
		var m moving
		if r, ok := before[k]; ok {
			m.from = &r
		}
		if r, ok := now[k]; ok {
			m.to = &r
		}
		if m.from == nil || m.to == nil || !m.from.says(*m.to) {
			moved = append(moved, m)
		}
	}
	return moved
}

// says tells whether two results say the same.
func (r Result) says(o Result) bool {
	return r.Space == o.Space && r.Owner == o.Owner && r.Level == o.Level && slices.Equal(r.Failed, o.Failed) && maps.Equal(r.Errors, o.Errors)
}

// place is what is counted together.
type place struct{ scorecard, space, owner string }

// move writes results, their history and their counts.
func (s *Service) move(ctx context.Context, tx *store.Tx, moved []moving, tell bool) error {
	at := s.Now()
	deltas := map[place]*Counts{}
	count := func(r *Result, times int) {
		p := place{r.Scorecard, r.Space, r.Owner}
		if deltas[p] == nil {
			deltas[p] = &Counts{}
		}
		deltas[p].add(counted(r.Level, r.Failed), times)
	}
	for _, m := range moved {
		if m.from != nil {
			count(m.from, -1)
		}
		if m.to != nil {
			m.to.Since, m.to.Updated = at, at
			if m.from != nil && m.from.Level == m.to.Level {
				m.to.Since = m.from.Since
			}
			count(m.to, 1)
		}
		if err := putResult(ctx, tx, m); err != nil {
			return err
		}
		if err := s.note(ctx, tx, m, at, tell); err != nil {
			return err
		}
	}
	places := slices.SortedFunc(maps.Keys(deltas), func(a, b place) int {
		return strings.Compare(a.scorecard+" "+a.space+" "+a.owner, b.scorecard+" "+b.space+" "+b.owner)
	})
	day := at.UTC().Format(time.DateOnly)
	for _, p := range places {
		if d := deltas[p]; d.Entities == 0 && len(d.Levels) == 0 && len(d.Failed) == 0 {
			continue
		}
		if err := addCounts(ctx, tx, p, *deltas[p], day); err != nil {
			return err
		}
	}
	return nil
}

// note keeps what changed in the history, and tells of another level.
func (s *Service) note(ctx context.Context, tx *store.Tx, m moving, at time.Time, tell bool) error {
	if m.from != nil && m.to != nil && m.from.Level == m.to.Level && slices.Equal(m.from.Failed, m.to.Failed) {
		return nil // it has moved to another owner, say
	}
	if err := putChange(ctx, tx, m, at); err != nil {
		return err
	}
	if !tell || m.from == nil || m.to == nil || m.from.Level == m.to.Level {
		return nil
	}
	data, err := json.Marshal(map[string]string{"scorecard": m.to.Scorecard, "from": m.from.Level, "to": m.to.Level})
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: m.to.Space, Type: "scorecard.level-changed", Subject: m.to.Entity, Refs: []string{m.to.Scorecard}, Data: data})
	return err
}
