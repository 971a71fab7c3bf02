package catalog

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	pastAtOnce = 100  // versions that are read together
	pastMost   = 5000 // that are looked through for one part of a list; the next part goes on behind them
)

// madeAt gives when and by whom entities were made, by reference and uid.
const madeAt = `WITH wanted(ref, uid) AS (VALUES %s)
SELECT wanted.ref, c.time, c.actor FROM wanted JOIN entity_versions c ON c.ref = wanted.ref
AND c.version = (SELECT o.version FROM entity_versions o WHERE o.ref = wanted.ref AND o.uid = wanted.uid ORDER BY o.version LIMIT 1)`

func made(versions []storedVersion) statement {
	var c conditions
	for _, v := range versions {
		c.parts = append(c.parts, "("+c.arg(v.ref.String())+", "+c.arg(v.uid)+")")
	}
	return statement{fmt.Sprintf(madeAt, strings.Join(c.parts, ", ")), c.args}
}

// latestAt says that a version is the last one until a time.
const latestAt = `NOT EXISTS (SELECT 1 FROM entity_versions n WHERE n.ref = v.ref AND n.version > v.version AND n.time <= `

// GetAt gives an entity as it was at a time, also one that is gone by now. It needs entity:read, today, in the space that
// it had; otherwise, and when it was not there, it is fault.NotFound. Of the relations that others declared then it gives
// those whose entity had a space that the reader may see today; Cut says that they are not all. There is no status. What is
// forgotten of a person stays so.
func (s *Service) GetAt(ctx context.Context, r ref.Entity, at time.Time) (e Entity, err error) {
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return e, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		v, err := versionAt(ctx, tx, r, at)
		if err != nil {
			return err
		}
		if v == nil || v.document == nil || !visible.Has(v.space) {
			return notThen(r, at)
		}
		list, err := s.past(ctx, tx, []storedVersion{*v})
		if err == nil {
			e = list[0]
		}
		return err
	})
	if err == nil {
		err = s.addInverseAt(ctx, &e, at, visible)
	}
	return e, err
}

const oneAt = `SELECT ` + versionColumns + ` FROM ` + versionTables + ` WHERE v.ref = $1 AND v.time <= $2 ORDER BY v.version DESC LIMIT 1`

// versionAt gives the last version until a time, nil when there is none.
func versionAt(ctx context.Context, tx *store.Tx, r ref.Entity, at time.Time) (*storedVersion, error) {
	rows, err := tx.Query(ctx, oneAt, r.String(), store.Micros(at))
	found, err := store.Collect(rows, err, scanVersion)
	if err != nil || len(found) == 0 {
		return nil, fault.Wrap(err, "read %s as it was", r)
	}
	return &found[0], nil
}

// past makes entities of versions, each of another one.
func (s *Service) past(ctx context.Context, tx *store.Tx, versions []storedVersion) ([]Entity, error) {
	if len(versions) == 0 {
		return nil, nil
	}
	list := make([]Entity, len(versions))
	at := make(map[string]int, len(versions))
	for i := range versions {
		v := &versions[i]
		e := Entity{Ref: v.ref, UID: v.uid, Space: v.space, Source: v.Source, Document: *v.document, Updated: v.Time, UpdatedBy: v.Actor, Version: v.Number, Commit: v.Commit}
		e.Etag = etag(v.document.JSON())
		declared, owner := v.related(s)
		e.Relations, e.Owner = sorted(declared), owner
		if text, ok := v.document.Spec["type"].(string); ok {
			e.Type = clip(strings.ToLower(text))
		}
		if id, ok := strings.CutPrefix(v.Source, locationPrefix); ok {
			e.File = File{Location: id, Repository: v.Repository}
		}
		list[i], at[v.ref.String()] = e, i
	}
	m := made(versions)
	rows, err := tx.Query(ctx, m.sql, m.args...)
	_, err = store.Collect(rows, err, func(r store.Row) (none struct{}, err error) {
		var name, by string
		var created int64
		if err := r.Scan(&name, &created, &by); err != nil {
			return none, err
		}
		e := &list[at[name]]
		e.Created, e.CreatedBy = store.FromMicros(created), by
		return none, nil
	})
	return list, fault.Wrap(err, "read when entities were made")
}

// related gives what a version with a document relates to.
func (v *storedVersion) related(s *Service) (declared []document.Relation, owner ref.Entity) {
	if v.declared == nil {
		v.declared = s.declares(*v.document)
	}
	return v.declared, change{declared: v.declared}.owner()
}

// declares gives the relations of a document, by its kind as that is now.
func (s *Service) declares(d document.Document) []document.Relation {
	kind, known := s.registry.ByName(d.Kind)
	if !known || kind.Relations == nil {
		return []document.Relation{}
	}
	return unique(kind.Relations(d))
}

// ofThePast refuses what is known of now alone.
func (q Query) ofThePast() error {
	if q.Below || q.Failed || q.Orphan || q.Starred || len(q.Gaps) > 0 || q.Location != "" || q.Sort != "" {
		return fault.Errorf(fault.Invalid, "what could not be taken in, what nothing declares any more, what a location led to, the groups below one, gaps, stars and other orders are known of now alone; leave failed, orphan, location, below, gap, starred and sort away, or the time")
	}
	return nil
}

// listAt looks through the versions that were the last ones at a time.
func (s *Service) listAt(ctx context.Context, q Query) (list Page, err error) {
	if err := q.ofThePast(); err != nil {
		return list, err
	}
	m, err := s.matcher(ctx, q)
	if err != nil {
		return list, err
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return list, err
	}
	after, err := q.position()
	if err != nil {
		return list, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	from := ""
	if after != nil {
		from = after.Ref
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		found, next, err := m.look(ctx, tx, from, limit, visible)
		if err != nil {
			return err
		}
		if list.Items, err = s.past(ctx, tx, found); next != "" {
			list.Next = q.cursor(index.Position{Ref: next})
		}
		return err
	})
	return list, fault.Wrap(err, "list entities as they were")
}

// look gives what matches of the versions behind a reference, at most limit; and behind what to go on, "" at the end.
func (m matcher) look(ctx context.Context, tx *store.Tx, from string, limit int, visible access.Set) (found []storedVersion, next string, err error) {
	for looked := 0; ; {
		some, err := versionsOf(ctx, tx, m.window(from, visible))
		if err != nil {
			return nil, "", err
		}
		for i := range some {
			v := &some[i]
			if from = v.ref.String(); !m.matches(v) {
				continue
			}
			if len(found) == limit {
				return found, found[limit-1].ref.String(), nil
			}
			found = append(found, *v)
		}
		if looked += len(some); len(some) < pastAtOnce {
			return found, "", nil
		}
		if looked >= m.s.pastMost {
			return found, from, nil
		}
	}
}

// statement reads versions.
type statement struct {
	sql  string
	args []any
}

func versionsOf(ctx context.Context, tx *store.Tx, s statement) ([]storedVersion, error) {
	rows, err := tx.Query(ctx, s.sql, s.args...)
	return store.Collect(rows, err, scanVersion)
}

// matcher holds versions to a query.
type matcher struct {
	s          *Service
	q          Query
	kinds      []string
	owners     []ref.Entity
	systems    []ref.Entity
	mine       []ref.Entity // nil for anybody's
	namespaces []string
	types      []string
	lifecycles []string
	tags       []string
	words      []string
}

func lower(words []string) []string {
	var all []string
	for _, w := range words {
		all = append(all, strings.ToLower(w))
	}
	return all
}

func (s *Service) matcher(ctx context.Context, q Query) (m matcher, err error) {
	m = matcher{s: s, q: q, kinds: s.kindNames(q.Kinds), words: strings.Fields(strings.ToLower(q.Text))}
	if m.owners, err = references(q.Owner, "group"); err != nil {
		return m, err
	}
	if m.systems, err = references(q.System, "system"); err != nil {
		return m, err
	}
	m.namespaces, m.types, m.lifecycles, m.tags = lower(q.Namespace), lower(q.Type), lower(q.Lifecycle), lower(q.Tags)
	if q.Mine {
		m.mine = owners(ctx)
	}
	if len(q.Text) > maxText || len(m.words) > maxWords {
		return m, fault.Errorf(fault.Invalid, "the text to look for is too long; at most %d words and %d characters are taken", maxWords, maxText)
	}
	if len(q.Refs) > maxRefs {
		return m, fault.Errorf(fault.TooLarge, "%d references are too many for one list; at most %d are taken", len(q.Refs), maxRefs)
	}
	return m, nil
}

// window gives versions that were the last ones at a time, behind a reference.
func (m matcher) window(after string, visible access.Set) statement {
	var c conditions
	c.add("v.ref > $%d", after)
	c.add("v.time <= $%d", store.Micros(m.q.At))
	c.parts = append(c.parts, latestAt+"$2)", "v.action <> 'deleted'", "v.document <> ''")
	m.sql(&c, visible)
	limit := c.arg(pastAtOnce)
	return statement{`SELECT ` + versionColumns + ` FROM ` + versionTables + ` WHERE ` + c.String() + ` ORDER BY v.ref LIMIT ` + limit, c.args}
}

// sql adds what the database can tell.
func (m matcher) sql(c *conditions, visible access.Set) {
	c.visible("v.space", visible)
	if len(m.q.Space) > 0 {
		c.parts = append(c.parts, c.among("v.space", m.q.Space))
	}
	if m.q.Source != "" {
		c.add("v.source = $%d", m.q.Source)
	}
	if len(m.q.Refs) > 0 {
		c.parts = append(c.parts, c.among("v.ref", texts(m.q.Refs)))
	}
	var any []string
	for _, kind := range m.kinds {
		any = append(any, "substr(v.ref, 1, "+c.arg(len(kind)+1)+") = "+c.arg(kind+":"))
	}
	if len(any) > 0 {
		c.parts = append(c.parts, "("+strings.Join(any, " OR ")+")")
	}
}

// matches holds a version to the query, also to what sql has the database tell.
func (m matcher) matches(v *storedVersion) bool {
	if !wanted(m.namespaces, v.ref.Namespace) || !wanted(m.kinds, v.ref.Kind) || !wanted(m.q.Space, v.space) || !wanted(m.q.Refs, v.ref) || m.q.Source != "" && v.Source != m.q.Source {
		return false
	}
	if m.mine == nil && len(m.owners)+len(m.systems)+len(m.types)+len(m.lifecycles)+len(m.tags)+len(m.words) == 0 {
		return true
	}
	d := v.document
	if d == nil {
		return false
	}
	for field, wanted := range map[string][]string{"type": m.types, "lifecycle": m.lifecycles} {
		if text, _ := d.Spec[field].(string); len(wanted) > 0 && !slices.Contains(wanted, strings.ToLower(text)) {
			return false
		}
	}
	if has := lower(d.Metadata.Tags); slices.ContainsFunc(m.tags, func(tag string) bool { return !slices.Contains(has, tag) }) {
		return false
	}
	if !m.relates(v) {
		return false
	}
	if len(m.words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join(append([]string{d.Metadata.Name, d.Metadata.Title, d.Metadata.Description}, d.Metadata.Tags...), "\n"))
	return !slices.ContainsFunc(m.words, func(w string) bool { return !strings.Contains(text, w) })
}

// wanted tells whether a value is one of some; of none every one is.
func wanted[T comparable](some []T, value T) bool {
	return len(some) == 0 || slices.Contains(some, value)
}

// relates holds the owner and the system of a version to a query.
func (m matcher) relates(v *storedVersion) bool {
	if len(m.owners)+len(m.systems) == 0 && m.mine == nil {
		return true
	}
	relations, owner := v.related(m.s)
	if len(m.owners) > 0 && !slices.Contains(m.owners, owner) || m.mine != nil && !slices.Contains(m.mine, owner) {
		return false
	}
	return len(m.systems) == 0 || slices.ContainsFunc(relations, func(r document.Relation) bool {
		return r.Type == "partOf" && slices.Contains(m.systems, r.Target)
	})
}

// Between is what became of an entity from one time to another.
type Between struct {
	Ref    ref.Entity
	Kind   string // of its document
	Space  string
	Action Action // Created, Updated or Deleted
	Last   Version
	Count  int                   // of versions between the times
	Diff   []document.Difference // from the first time to the second
}

// Changes gives what differs in the catalog between two times, what changed last first: of each entity its state at the
// one against that at the other, and who brought the last version and by which commit. Rights are those of today in the
// spaces that versions had. Of the query Kinds, Space, Owner, Type, Text, Namespace and Refs count; what was deleted is
// held to how it was. A part may have fewer items than asked for and still go on.
func (s *Service) Changes(ctx context.Context, q Query, from, to time.Time, part page.Request) (list page.Of[Between], err error) {
	if !from.Before(to) {
		return list, fault.Errorf(fault.Invalid, "the changes are those from a time to a later one; %s is not before %s", from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
	}
	m, err := s.matcher(ctx, q)
	if err != nil {
		return list, err
	}
	at, err := placeIn(part.Cursor)
	if err != nil {
		return list, err
	}
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return list, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		for looked := 0; ; {
			some, err := versionsOf(ctx, tx, m.changed(from, to, at, visible))
			if err != nil {
				return err
			}
			for few := range slices.Chunk(some, part.Window()) {
				was, err := befores(ctx, tx, few, from, to, visible)
				if err != nil {
					return err
				}
				for _, v := range few {
					b, ok := m.between(v, was[v.ref])
					if ok && len(list.Items) == part.Size() {
						list.Next = at.String()
						return nil
					}
					if at = (&place{store.Micros(v.Time), v.ref.String()}); ok {
						list.Items = append(list.Items, b)
					}
				}
			}
			if looked += len(some); len(some) < pastAtOnce {
				return nil
			}
			if looked >= s.pastMost {
				list.Next = at.String()
				return nil
			}
		}
	})
	return list, fault.Wrap(err, "list what changed")
}

// changed gives the last visible versions between two times, the newest first.
func (m matcher) changed(from, to time.Time, at *place, visible access.Set) statement {
	var c conditions
	c.add("v.time > $%d", store.Micros(from))
	c.add("v.time <= $%d", store.Micros(to))
	if at != nil {
		n := c.arg(at.Time)
		c.parts = append(c.parts, "(v.time, v.ref) < ("+n+", "+c.arg(at.Ref)+")")
	}
	later := latestAt + "$2"
	if !visible.All {
		later += " AND " + c.among("n.space", visible.List())
	}
	c.parts = append(c.parts, later+")")
	m.sql(&c, visible)
	limit := c.arg(pastAtOnce)
	return statement{`SELECT ` + versionColumns + ` FROM ` + versionTables + ` WHERE ` + c.String() + ` ORDER BY v.time DESC, v.ref DESC LIMIT ` + limit, c.args}
}

// earlier is how an entity was before a time, and how many versions it has had since.
type earlier struct {
	document *document.Document // nil when it was not there
	since    int
}

// befores gives, of entities with a version between two times, how they were before the first, and their visible versions until
// the second.
func befores(ctx context.Context, tx *store.Tx, last []storedVersion, from, to time.Time, visible access.Set) (map[ref.Entity]earlier, error) {
	names := make([]string, len(last))
	for i, v := range last {
		names[i] = v.ref.String()
	}
	c := conditions{}
	c.add("v.time <= $%d", store.Micros(from))
	c.parts = append(c.parts, c.among("v.ref", names))
	c.visible("v.space", visible)
	later := latestAt + "$1"
	if !visible.All {
		later += " AND " + c.among("n.space", visible.List())
	}
	c.parts = append(c.parts, later+")")
	found, err := versionsOf(ctx, tx, statement{`SELECT ` + versionColumns + ` FROM ` + versionTables + ` WHERE ` + c.String(), c.args})
	if err != nil {
		return nil, err
	}
	was := make(map[ref.Entity]earlier, len(last))
	for _, v := range found {
		was[v.ref] = earlier{document: v.document}
	}
	n := conditions{}
	n.add("time > $%d", store.Micros(from))
	n.add("time <= $%d", store.Micros(to))
	n.parts = append(n.parts, n.among("ref", names))
	n.visible("space", visible)
	rows, err := tx.Query(ctx, `SELECT ref, COUNT(*) FROM entity_versions WHERE `+n.String()+` GROUP BY ref`, n.args...)
	_, err = store.Collect(rows, err, func(r store.Row) (none struct{}, err error) {
		var name string
		var count int
		if err = r.Scan(&name, &count); err == nil {
			of := parseStored(name)
			was[of] = earlier{was[of].document, count}
		}
		return none, err
	})
	return was, err
}

// between compares an entity's last version with how it was; ok is false where nothing differs, or the query does not want it.
func (m matcher) between(last storedVersion, was earlier) (b Between, ok bool) {
	if last.ref.Kind == userKind && last.document == nil {
		return b, false // a person who is gone is named by the ledger's opaque id alone
	}
	before := was.document
	b = Between{Ref: last.ref, Space: last.space, Last: last.Version, Count: was.since}
	shown := last
	switch {
	case before == nil && last.document == nil:
		return b, false
	case before == nil:
		b.Action = Created
	case last.document == nil:
		b.Action, shown.document = Deleted, before
	default:
		b.Action, b.Diff = Updated, document.Diff(before, last.document)
		ok = len(b.Diff) > 0
	}
	if !ok && b.Action == Updated || !m.matches(&shown) {
		return b, false
	}
	b.Kind = shown.document.Kind
	return b, true
}

// place is where a list of changes goes on.
type place struct {
	Time int64  `json:"t"`
	Ref  string `json:"r"`
}

func (p *place) String() string {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // a number and a text
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func placeIn(cursor string) (*place, error) {
	if cursor == "" {
		return nil, nil
	}
	var p place
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil || p.Ref == "" {
		return nil, fault.Errorf(fault.Invalid, "the cursor is not from this list; start again without it")
	}
	return &p, nil
}
