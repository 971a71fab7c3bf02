package insight

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	jobJudge = "insight.judge" // the one that judges
	jobDay   = "insight.day"   // has everything judged again, and forgets what is old
)

// What is due, beside references of entities.
const (
	dueDocs   = "docs:"
	dueForget = "forget:"
	dueAgain  = "again:" // before what could not be read
)

const (
	atOnce      = 100              // entities that are judged together
	turn        = 4 * time.Minute  // of one job, after which the next goes on
	again       = 23 * time.Hour   // after which a scorecard is judged anew, since rules may ask for the time
	keptDays    = 400              // of history
	everyDay    = 30 * time.Minute // between looks at what is older
	unreadAgain = 10 * time.Minute // at the soonest, what could not be read is looked at again
	pointing    = 5000             // entities that are judged at once for what they point at; where there are more, scorecards judge all
)

type nothing struct{}

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobJudge, queue.HandleOptions{Timeout: 2 * turn, Concurrency: 1}, func(ctx context.Context, _ nothing) error {
		return s.judgeDue(actor.AsSystem(ctx))
	})
	queue.Handle(s.Queue, jobDay, queue.HandleOptions{Timeout: 2 * turn, Concurrency: 1}, func(ctx context.Context, _ nothing) error {
		return s.day(actor.AsSystem(ctx))
	})
	s.Queue.Every(jobDay, everyDay, nothing{})
	s.Ledger.Subscribe("insight", []string{"entity.created", "entity.changed", "entity.deleted", "entities.", "run.state-changed", "docs.changed"}, s.happened)
}

// wake has what is due judged. A job that runs does not count: what is due now may be behind it.
func (s *Service) wake(ctx context.Context, tx *store.Tx) error {
	return s.Queue.Insert(ctx, tx, jobJudge, nothing{}, queue.InsertOptions{Unique: "all"})
}

func (s *Service) due(ctx context.Context, tx *store.Tx, item, stamp string) error {
	_, err := tx.Exec(ctx, `INSERT INTO insight_due (item, stamp) VALUES ($1,$2) ON CONFLICT (item) DO UPDATE SET stamp = excluded.stamp`, item, stamp)
	return fault.Wrap(err, "note that %s is to be judged", item)
}

// happened notes what an entry of the ledger has judged again.
func (s *Service) happened(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var some int
	if err := tx.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM (SELECT ref FROM insight_scorecards LIMIT 1) s) + (SELECT COUNT(*) FROM (SELECT entity FROM insight_facts LIMIT 1) f)`).Scan(&some); err != nil || some == 0 {
		return err
	}
	var data struct {
		Terminal bool
		Site     string
	}
	switch e.Type {
	case "run.state-changed":
		if err := json.Unmarshal(e.Data, &data); err != nil || !data.Terminal {
			return nil
		}
		for _, name := range e.Refs {
			if _, err := ref.Parse(name, "", ""); err != nil || strings.HasPrefix(name, "repository:") {
				continue
			}
			if err := s.due(ctx, tx, name, e.ID); err != nil {
				return err
			}
		}
	case "docs.changed":
		if err := json.Unmarshal(e.Data, &data); err != nil || data.Site == "" {
			return nil
		}
		if err := s.due(ctx, tx, dueDocs+data.Site, e.ID); err != nil {
			return err
		}
	}
	return s.wake(ctx, tx)
}

// judgeDue judges until nothing is due, or its turn is over and the next job goes on.
func (s *Service) judgeDue(ctx context.Context) error {
	for end := time.Now().Add(turn); ; {
		some, err := s.step(ctx)
		if err != nil && !errors.Is(err, errChanged) {
			return err
		}
		if err == nil && !some {
			return nil
		}
		if time.Now().After(end) {
			return s.DB.Write(ctx, func(tx *store.Tx) error { return s.wake(ctx, tx) })
		}
	}
}

// step judges what changed, what is due, and a part of what one scorecard has not judged. It tells whether there was anything.
func (s *Service) step(ctx context.Context) (some bool, err error) {
	cards, err := s.cards(ctx)
	if err != nil {
		return false, err
	}
	if err := s.follow(ctx, cards); err != nil {
		return false, err
	}
	if some, err = s.takeDue(ctx, cards); err != nil {
		return some, err
	}
	if c := s.turn(cards); c != nil {
		return true, s.pass(ctx, c)
	}
	return some, nil
}

// turn gives the scorecard that goes on: of those that have not judged all, the one that follows the last.
func (s *Service) turn(cards []card) (next *card) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range cards {
		c := &cards[i]
		if c.phase == 0 {
			continue
		}
		after := c.Ref.String() > s.latest.String()
		if next == nil || after {
			next = c
		}
		if after {
			break
		}
	}
	if next != nil {
		s.latest = next.Ref
	}
	return next
}

// follow judges what changed in the catalog since it was looked at last, what that points at, and by rules that ask for it what
// points at that.
func (s *Service) follow(ctx context.Context, cards []card) error {
	var last, head int64
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if last, err = position(ctx, tx); err != nil {
			return err
		}
		head, _, err = s.Ledger.Head(ctx, tx)
		return err
	})
	if err != nil || last == head {
		return err
	}
	if last >= 0 {
		if head, err = s.Catalog.Moved(ctx, last, func(m catalog.Movement) error { return s.moved(ctx, cards, m) }); err != nil {
			return err
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error { return setPosition(ctx, tx, head) })
}

// moved judges a part of what changed.
func (s *Service) moved(ctx context.Context, cards []card, m catalog.Movement) error {
	if err := s.forgetFacts(ctx, m.Other); err != nil {
		return err
	}
	if err := s.judgeNames(ctx, cards, m.Refs); err != nil || len(m.Other) == 0 {
		return err
	}
	var asking []card
	for _, c := range cards {
		if c.targets() {
			asking = append(asking, c)
		}
	}
	if len(asking) == 0 {
		return nil
	}
	names, err := s.Catalog.Pointing(ctx, m.Other, s.mostPointing+1)
	if err != nil {
		return err
	}
	if len(names) > s.mostPointing { // to a company's group, say
		for i := range cards {
			if cards[i].targets() {
				cards[i].phase, cards[i].last = 1, ""
			}
		}
		return s.DB.Write(ctx, func(tx *store.Tx) error { return anew(ctx, tx, asking) })
	}
	names = slices.DeleteFunc(names, func(name string) bool { _, done := slices.BinarySearch(m.Refs, name); return done })
	return s.judgeNames(ctx, asking, names)
}

func (s *Service) judgeNames(ctx context.Context, cards []card, names []string) error {
	refs := make([]ref.Entity, 0, len(names))
	for _, name := range names {
		if r, err := ref.Parse(name, "", ""); err == nil {
			refs = append(refs, r)
		}
	}
	for len(refs) > 0 && len(cards) > 0 {
		n := min(len(refs), atOnce)
		if err := s.judge(ctx, cards, refs[:n], alone, nil); err != nil {
			return err
		}
		refs = refs[n:]
	}
	return nil
}

// takeDue judges a part of what is due.
func (s *Service) takeDue(ctx context.Context, cards []card) (some bool, err error) {
	var items []dueItem
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		items, err = dueItems(ctx, tx, s.Now(), atOnce)
		return err
	})
	if err != nil || len(items) == 0 {
		return false, err
	}
	var names, unread []string
	for _, item := range items {
		wish := strings.TrimPrefix(item.name, dueAgain)
		switch name, site := strings.CutPrefix(wish, dueDocs); {
		case site:
			entities, err := s.Docs.Entities(ctx, name)
			if ctx.Err() != nil {
				return true, ctx.Err()
			}
			if err != nil {
				s.Log.WarnContext(ctx, "find whose docs a site is; it is tried again", "site", name, "error", err)
				unread = append(unread, wish)
			}
			names = append(names, entities...)
		case strings.HasPrefix(wish, dueForget):
			if err := s.forget(ctx, strings.TrimPrefix(wish, dueForget)); err != nil {
				return true, err
			}
		default:
			names = append(names, wish)
		}
	}
	if err := s.judgeNames(ctx, cards, names); err != nil {
		return true, err
	}
	return true, s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := postpone(ctx, tx, unread, s.Now()); err != nil {
			return err
		}
		return dropDue(ctx, tx, items)
	})
}

// forget drops what is kept for a scorecard that is gone.
func (s *Service) forget(ctx context.Context, scorecard string) error {
	for _, table := range []string{"insight_results", "insight_changes", "insight_counts", "insight_days"} {
		for n := int64(1); n > 0; {
			err := s.DB.Write(ctx, func(tx *store.Tx) (err error) {
				n, err = forgetSome(ctx, tx, table, scorecard)
				return err
			})
			if err != nil {
				return fault.Wrap(err, "forget what %s judged", scorecard)
			}
		}
	}
	return nil
}

// pass judges the next part of what a scorecard has not judged: first the entities that there are, then those that have a result
// and may be gone.
func (s *Service) pass(ctx context.Context, c *card) error {
	var refs []ref.Entity
	var err error
	const entities, results = 1, 2
	if c.phase == entities {
		refs, err = s.chosen(ctx, c)
	} else {
		refs, err = s.resulting(ctx, c)
	}
	if err != nil {
		return err
	}
	more := len(refs) == atOnce
	phase, last := c.phase, ""
	switch {
	case more:
		last = refs[len(refs)-1].String()
	case c.phase == entities:
		phase = results
	default:
		phase = 0
	}
	return s.judge(ctx, []card{*c}, refs, bulk, func(tx *store.Tx) error { return s.passed(ctx, tx, c, phase, last) })
}

// chosen gives the next entities of the kinds that a scorecard is for.
func (s *Service) chosen(ctx context.Context, c *card) ([]ref.Entity, error) {
	q := index.Query{Filter: c.Spec.Filter.indexed(), Limit: atOnce, NoTotal: true}
	if c.last != "" {
		q.After = &index.Position{Ref: c.last}
	}
	found, err := s.Catalog.Hits(ctx, q)
	if err != nil {
		return nil, fault.Wrap(err, "find what %s judges", c.Ref)
	}
	refs := make([]ref.Entity, len(found.Hits))
	for i, hit := range found.Hits {
		refs[i] = hit.Entity()
	}
	return refs, nil
}

func (f Filter) indexed() index.Filter {
	if len(f.Kinds) == 0 {
		return nil
	}
	return index.Has{Key: "kind", Values: f.Kinds}
}

func (s *Service) resulting(ctx context.Context, c *card) (refs []ref.Entity, err error) {
	var names []string
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT entity FROM insight_results WHERE scorecard = $1 AND entity > $2 ORDER BY entity LIMIT $3`, c.Ref.String(), c.last, atOnce)
		names, err = store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
		return err
	})
	for _, name := range names {
		r, wrong := ref.Parse(name, "", "")
		if wrong != nil {
			return nil, fault.Wrap(wrong, "read a result of %s", c.Ref)
		}
		refs = append(refs, r)
	}
	return refs, fault.Wrap(err, "read the results of %s", c.Ref)
}

// passed notes how far a scorecard has come, and tells of the end when it judges by something new.
func (s *Service) passed(ctx context.Context, tx *store.Tx, c *card, phase int, last string) error {
	now := store.Micros(s.Now())
	if phase != 0 {
		_, err := tx.Exec(ctx, `UPDATE insight_scorecards SET phase=$3, last_ref=$4 WHERE ref=$1 AND generation=$2`, c.Ref.String(), c.generation, phase, last)
		return err
	}
	n, err := tx.Exec(ctx, `UPDATE insight_scorecards SET phase=0, last_ref='', judged=generation, judged_at=$3, fresh='' WHERE ref=$1 AND generation=$2`, c.Ref.String(), c.generation, now)
	if err != nil || n == 0 || c.judged == c.generation {
		return err
	}
	all, err := countsOf(ctx, tx, c.Ref.String(), nil, nil)
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"entities": sum(all).Entities})
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: c.Space, Type: "scorecard.judged", Subject: c.Ref.String(), Data: data})
	return err
}

// day has judged again what was judged long ago and what could not be read, and forgets history that is old.
func (s *Service) day(ctx context.Context) error {
	now := s.Now()
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE insight_scorecards SET phase=1, last_ref='' WHERE phase=0 AND judged_at < $1`, store.Micros(now.Add(-again)))
		if err != nil {
			return err
		}
		left, err := dueItems(ctx, tx, now, 1)
		if err != nil || n == 0 && len(left) == 0 {
			return err
		}
		return s.wake(ctx, tx)
	})
	if err == nil {
		err = s.sweepFacts(ctx)
	}
	for n := int64(1); n > 0 && err == nil; {
		err = s.DB.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = forgetOld(ctx, tx, store.Micros(now.AddDate(0, 0, -keptDays)), now.AddDate(0, 0, -keptDays).UTC().Format(time.DateOnly))
			return err
		})
	}
	return fault.Wrap(err, "begin a day of scorecards")
}
