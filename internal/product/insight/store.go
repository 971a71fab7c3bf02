package insight

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "insight", FS: files}
}

const cardColumns = `ref, space, owner, title, description, spec, generation, judged, judged_at, fresh, phase, last_ref, error`

func scanCard(r store.Row) (c card, err error) {
	var name, spec, fresh string
	var judged int64
	if err := r.Scan(&name, &c.Space, &c.Owner, &c.Title, &c.Description, &spec, &c.generation, &c.judged, &judged, &fresh, &c.phase, &c.last, &c.Error); err != nil {
		return c, err
	}
	if judged > 0 {
		c.Judged = store.FromMicros(judged)
	}
	c.Judging, c.fresh = c.judged != c.generation, strings.Fields(fresh)
	if c.Ref, err = ref.Parse(name, "scorecard", ref.DefaultNamespace); err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(spec), &c.Spec); err != nil {
		c.wrong = "what is kept of it can't be read; apply it again"
	}
	return c, nil
}

func allCards(ctx context.Context, tx *store.Tx) ([]card, error) {
	rows, err := tx.Query(ctx, `SELECT `+cardColumns+` FROM insight_scorecards ORDER BY ref`)
	return store.Collect(rows, err, scanCard)
}

// current tells which scorecards are there and decide by what they did.
func current(ctx context.Context, tx *store.Tx, cards []card) (map[string]bool, error) {
	rows, err := tx.Query(ctx, `SELECT ref, generation FROM insight_scorecards`)
	now := map[string]string{}
	_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
		var name, generation string
		err := r.Scan(&name, &generation)
		now[name] = generation
		return struct{}{}, err
	})
	are := map[string]bool{}
	for _, c := range cards {
		are[c.Ref.String()] = now[c.Ref.String()] == c.generation
	}
	return are, fault.Wrap(err, "read the scorecards")
}

// freshRules gives those rules of a scorecard, as it is about to be, that not everything is judged by: what it says now lacks them,
// or says them otherwise.
func freshRules(ctx context.Context, tx *store.Tx, scorecard string, spec Spec) (ids []string, err error) {
	var text, fresh string
	var old Spec
	err = tx.QueryRow(ctx, `SELECT spec, fresh FROM insight_scorecards WHERE ref = $1`+tx.ForUpdate(), scorecard).Scan(&text, &fresh)
	switch {
	case fault.Is(err, fault.NotFound):
	case err != nil:
		return nil, fault.Wrap(err, "read scorecard %s", scorecard)
	case json.Unmarshal([]byte(text), &old) != nil:
		old.Rules = nil // another release wrote it
	}
	were := strings.Fields(fresh)
	for _, r := range spec.Rules {
		same := func(o Rule) bool { return o.ID == r.ID && o.Expression == r.Expression }
		if slices.Contains(were, r.ID) || !slices.ContainsFunc(old.Rules, same) {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}

// setError keeps why a scorecard can't judge; once it can, it judges all again.
func setError(ctx context.Context, tx *store.Tx, c card) error {
	_, err := tx.Exec(ctx, `UPDATE insight_scorecards SET error=$3, phase=1, last_ref='' WHERE ref=$1 AND generation=$2`, c.Ref.String(), c.generation, c.Error)
	return fault.Wrap(err, "note what is wrong with %s", c.Ref)
}

// anew has scorecards judge all again.
func anew(ctx context.Context, tx *store.Tx, cards []card) error {
	w := &store.Where{}
	w.Add(w.In("ref", cardNames(cards)))
	_, err := tx.Exec(ctx, `UPDATE insight_scorecards SET phase=1, last_ref=''`+w.String(), w.Args...)
	return fault.Wrap(err, "have scorecards judge all again")
}

func position(ctx context.Context, tx *store.Tx) (at int64, err error) {
	err = tx.QueryRow(ctx, `SELECT COALESCE(MAX(position), -1) FROM insight_position`).Scan(&at)
	return at, err
}

func setPosition(ctx context.Context, tx *store.Tx, at int64) error {
	n, err := tx.Exec(ctx, `UPDATE insight_position SET position = $1`, at)
	if err == nil && n == 0 {
		_, err = tx.Exec(ctx, `INSERT INTO insight_position (position) VALUES ($1)`, at)
	}
	return fault.Wrap(err, "note how far the catalog is judged")
}

type dueItem struct{ name, stamp string }

func dueItems(ctx context.Context, tx *store.Tx, now time.Time, most int) ([]dueItem, error) {
	rows, err := tx.Query(ctx, `SELECT item, stamp FROM insight_due WHERE not_before <= $1 ORDER BY item LIMIT $2`, store.Micros(now), most)
	return store.Collect(rows, err, func(r store.Row) (d dueItem, err error) { return d, r.Scan(&d.name, &d.stamp) })
}

// postpone has items looked at again that could not be read.
func postpone(ctx context.Context, tx *store.Tx, items []string, now time.Time) error {
	for _, item := range items {
		_, err := tx.Exec(ctx, `INSERT INTO insight_due (item, stamp, not_before) VALUES ($1,$2,$3)
 ON CONFLICT (item) DO UPDATE SET stamp = excluded.stamp, not_before = excluded.not_before`, dueAgain+item, now.Format(time.RFC3339Nano), store.Micros(now.Add(unreadAgain)))
		if err != nil {
			return fault.Wrap(err, "note that %s is to be judged again", item)
		}
	}
	return nil
}

// dropDue forgets wishes, save where there is a later one.
func dropDue(ctx context.Context, tx *store.Tx, items []dueItem) error {
	for _, item := range items {
		if _, err := tx.Exec(ctx, `DELETE FROM insight_due WHERE item = $1 AND stamp = $2`, item.name, item.stamp); err != nil {
			return fault.Wrap(err, "note that %s is judged", item.name)
		}
	}
	return nil
}

const resultColumns = `scorecard, entity, space, owner, level, failed, errors, since, updated`

func scanResult(r store.Row) (x Result, err error) {
	var failed, reasons string
	var since, updated int64
	if err := r.Scan(&x.Scorecard, &x.Entity, &x.Space, &x.Owner, &x.Level, &failed, &reasons, &since, &updated); err != nil {
		return x, err
	}
	x.Failed, x.Since, x.Updated = strings.Fields(failed), store.FromMicros(since), store.FromMicros(updated)
	return x, json.Unmarshal([]byte(reasons), &x.Errors)
}

func spaced(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return " " + strings.Join(ids, " ") + " "
}

// resultsOf gives what is kept of entities by some scorecards.
func resultsOf(ctx context.Context, tx *store.Tx, scorecards, entities []string) (map[key]Result, error) {
	found := map[key]Result{}
	if len(scorecards) == 0 || len(entities) == 0 {
		return found, nil
	}
	w := &store.Where{}
	w.Add(w.In("entity", entities))
	w.Add(w.In("scorecard", scorecards))
	rows, err := tx.Query(ctx, `SELECT `+resultColumns+` FROM insight_results`+w.String(), w.Args...)
	list, err := store.Collect(rows, err, scanResult)
	for _, r := range list {
		found[key{r.Scorecard, r.Entity}] = r
	}
	return found, fault.Wrap(err, "read results")
}

func putResult(ctx context.Context, tx *store.Tx, m moving) error {
	if m.to == nil {
		_, err := tx.Exec(ctx, `DELETE FROM insight_results WHERE scorecard = $1 AND entity = $2`, m.from.Scorecard, m.from.Entity)
		return fault.Wrap(err, "forget the result of %s", m.from.Entity)
	}
	r := m.to
	reasons, err := json.Marshal(r.Errors)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO insight_results (`+resultColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)
 ON CONFLICT (scorecard, entity) DO UPDATE SET space=excluded.space, owner=excluded.owner, level=excluded.level, failed=excluded.failed, errors=excluded.errors,
 since=excluded.since, updated=excluded.updated`,
		r.Scorecard, r.Entity, r.Space, r.Owner, r.Level, spaced(r.Failed), string(reasons), store.Micros(r.Since), store.Micros(r.Updated))
	return fault.Wrap(err, "keep the result of %s", r.Entity)
}

func putChange(ctx context.Context, tx *store.Tx, m moving, at time.Time) error {
	r, gone := m.to, 0
	if r == nil {
		r, gone = &Result{Scorecard: m.from.Scorecard, Entity: m.from.Entity}, 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO insight_changes (scorecard, entity, time, level, failed, gone) VALUES ($1,$2,$3,$4,$5,$6)
 ON CONFLICT (entity, scorecard, time) DO UPDATE SET level=excluded.level, failed=excluded.failed, gone=excluded.gone`,
		r.Scorecard, r.Entity, store.Micros(at), r.Level, spaced(r.Failed), gone)
	return fault.Wrap(err, "keep the history of %s", r.Entity)
}

// addCounts counts what changed in a place, now and for the day.
func addCounts(ctx context.Context, tx *store.Tx, p place, delta Counts, day string) error {
	var c Counts
	var text string
	err := tx.QueryRow(ctx, `SELECT counts FROM insight_counts WHERE scorecard=$1 AND space=$2 AND owner=$3`+tx.ForUpdate(), p.scorecard, p.space, p.owner).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &c)
	} else if fault.Is(err, fault.NotFound) {
		err = nil
	}
	if err != nil {
		return fault.Wrap(err, "read the counts of %s", p.scorecard)
	}
	c.add(delta, 1)
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	query, args := `INSERT INTO insight_counts (scorecard, space, owner, counts) VALUES ($1,$2,$3,$4) ON CONFLICT (scorecard, space, owner) DO UPDATE SET counts=excluded.counts`, []any{p.scorecard, p.space, p.owner, string(raw)}
	if c.Entities == 0 {
		query, args = `DELETE FROM insight_counts WHERE scorecard=$1 AND space=$2 AND owner=$3`, args[:3]
	}
	if _, err := tx.Exec(ctx, query, args...); err != nil {
		return fault.Wrap(err, "count what %s says", p.scorecard)
	}
	_, err = tx.Exec(ctx, `INSERT INTO insight_days (scorecard, space, owner, day, counts) VALUES ($1,$2,$3,$4,$5)
 ON CONFLICT (scorecard, space, owner, day) DO UPDATE SET counts=excluded.counts`, p.scorecard, p.space, p.owner, day, string(raw))
	return fault.Wrap(err, "count what %s says today", p.scorecard)
}

// placed are the counts of a place, on a day or now.
type placed struct {
	space, owner, day string
	Counts
}

// countsOf gives the counts of a scorecard by space and owner. nil is all spaces, or all owners.
func countsOf(ctx context.Context, tx *store.Tx, scorecard string, spaces, owners []string) ([]placed, error) {
	w := &store.Where{}
	w.Equal("scorecard", scorecard)
	narrow(w, spaces, owners)
	rows, err := tx.Query(ctx, `SELECT space, owner, '', counts FROM insight_counts`+w.String()+` ORDER BY space, owner`, w.Args...)
	all, err := store.Collect(rows, err, scanPlaced)
	return all, fault.Wrap(err, "read the counts of %s", scorecard)
}

func narrow(w *store.Where, spaces, owners []string) {
	if spaces != nil {
		w.Add(w.In("space", spaces))
	}
	if owners != nil {
		w.Add(w.In("owner", owners))
	}
}

func scanPlaced(r store.Row) (p placed, err error) {
	var text string
	if err := r.Scan(&p.space, &p.owner, &p.day, &text); err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(text), &p.Counts)
}

func sum(all []placed) (c Counts) {
	c.add(Counts{}, 1)
	for _, p := range all {
		c.add(p.Counts, 1)
	}
	return c
}

// daysOf gives what was counted at the end of days, by day: the last one before from of each place, and all from then on.
func daysOf(ctx context.Context, tx *store.Tx, scorecard string, spaces, owners []string, from, to string) ([]placed, error) {
	w := &store.Where{}
	w.Equal("scorecard", scorecard)
	narrow(w, spaces, owners)
	before := w.Clone()
	w.Add("day >= " + w.Arg(from))
	w.Add("day <= " + w.Arg(to))
	rows, err := tx.Query(ctx, `SELECT space, owner, day, counts FROM insight_days`+w.String()+` ORDER BY day, space, owner`, w.Args...)
	after, err := store.Collect(rows, err, scanPlaced)
	if err != nil {
		return nil, fault.Wrap(err, "read the history of %s", scorecard)
	}
	before.Add("day < " + before.Arg(from))
	rows, err = tx.Query(ctx, `SELECT d.space, d.owner, d.day, d.counts FROM insight_days d JOIN (SELECT space, owner, MAX(day) AS day FROM insight_days`+before.String()+
		` GROUP BY space, owner) m ON m.space = d.space AND m.owner = d.owner AND m.day = d.day WHERE d.scorecard = `+before.Arg(scorecard)+` ORDER BY d.space, d.owner`, before.Args...)
	first, err := store.Collect(rows, err, scanPlaced)
	return append(first, after...), fault.Wrap(err, "read the history of %s", scorecard)
}

// trend gives the counts at the end of each day from the first that is known.
func trend(rows []placed, from, to time.Time) (days []Day) {
	type spot struct{ space, owner string }
	last := map[spot]Counts{}
	var all Counts
	next := 0
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		name := day.Format(time.DateOnly)
		for ; next < len(rows) && rows[next].day <= name; next++ {
			at := spot{rows[next].space, rows[next].owner}
			all.add(last[at], -1)
			all.add(rows[next].Counts, 1)
			last[at] = rows[next].Counts
		}
		if next > 0 {
			days = append(days, Day{name, Counts{all.Entities, maps.Clone(all.Levels), maps.Clone(all.Failed)}})
		}
	}
	return days
}

// Some rows are dropped at once, so that no transaction is long.
const droppedAtOnce = 1000

func forgetSome(ctx context.Context, tx *store.Tx, table, scorecard string) (int64, error) {
	var there int
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM insight_scorecards WHERE ref = $1`, scorecard).Scan(&there); err != nil || there > 0 {
		return 0, err // it is declared again
	}
	switch table {
	case "insight_results":
		return tx.Exec(ctx, `DELETE FROM insight_results WHERE scorecard = $1 AND entity IN (SELECT entity FROM insight_results WHERE scorecard = $1 ORDER BY entity LIMIT $2)`, scorecard, droppedAtOnce)
	case "insight_changes":
		return tx.Exec(ctx, `DELETE FROM insight_changes WHERE scorecard = $1 AND entity IN (SELECT entity FROM insight_changes WHERE scorecard = $1 ORDER BY entity LIMIT $2)`, scorecard, droppedAtOnce)
	case "insight_days":
		return tx.Exec(ctx, `DELETE FROM insight_days WHERE scorecard = $1 AND day IN (SELECT MIN(day) FROM insight_days WHERE scorecard = $1)`, scorecard)
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(`DELETE FROM %s WHERE scorecard = $1`, table), scorecard)
	return 0, err
}

// forgetOld drops a part of the changes and days before a time. The last day of a place stays, for as long as it holds.
func forgetOld(ctx context.Context, tx *store.Tx, before int64, day string) (int64, error) {
	changes, err := tx.Exec(ctx, `DELETE FROM insight_changes WHERE time < $1 AND time <= (SELECT MAX(time) FROM (SELECT time FROM insight_changes WHERE time < $1 ORDER BY time LIMIT $2) t)`, before, droppedAtOnce)
	if err != nil {
		return 0, err
	}
	days, err := tx.Exec(ctx, `DELETE FROM insight_days WHERE day < $1 AND EXISTS (SELECT 1 FROM insight_days n WHERE n.scorecard = insight_days.scorecard
 AND n.space = insight_days.space AND n.owner = insight_days.owner AND n.day > insight_days.day AND n.day <= $1)`, day)
	return changes + days, err
}
