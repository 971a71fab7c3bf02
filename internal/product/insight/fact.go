package insight

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Rights to tell something of an entity, in its space. A token may be narrowed to one metric or one source of findings:
// metric:write=coverage, finding:write=scanner.
const (
	MetricRight  = "metric:write"
	FindingRight = "finding:write"
)

// Bounds of what is told of one entity. Lengths are characters.
const (
	MostMetrics  = 100
	MostFindings = 1000 // of all sources
	maxUnit      = 30
	maxFinding   = 200 // of an id
	maxFound     = 500 // of a title
	maxAhead     = 10 * time.Minute
)

var factName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_.-]{0,62}$`)

// severities from the worst to the least.
var severities = [...]string{"critical", "high", "medium", "low", "info"}

// Severities gives how bad a finding may be, the worst first.
func Severities() []string { return slices.Clone(severities[:]) }

// Metric is a number that an outside system has measured.
type Metric struct {
	Name  string
	Value float64
	Unit  string
	URL   string // where to look; "" for none
	At    time.Time
}

// Finding is something that an outside system has found to be wrong.
type Finding struct {
	Source   string
	ID       string // within the source
	Severity string // one of Severities
	Title    string
	URL      string // where to look; "" for none
	At       time.Time
}

func (f Finding) rank() int { return slices.Index(severities[:], f.Severity) }

// says tells whether two findings say the same, whenever they were found.
func (f Finding) says(o Finding) bool {
	f.At, o.At = time.Time{}, time.Time{}
	return f == o
}

// untidy tells what is wrong with a text that is shown on one line.
func untidy(text string, most int) string {
	switch {
	case len([]rune(text)) > most:
		return fmt.Sprintf("is longer than %d characters", most)
	case strings.ContainsFunc(text, unicode.IsControl):
		return "has control characters, or more than one line"
	}
	return ""
}

func badName(what, name string) error {
	return fault.Errorf(fault.Invalid, "%.100q is not the name of a %s; begin with a letter, and go on with letters, digits, '_', '.' and '-', at most 63", name, what)
}

// moment gives a time that was told, as the database keeps it; now where none was.
func (s *Service) moment(at time.Time) (time.Time, string) {
	now := s.Now()
	switch {
	case at.IsZero():
		at = now
	case at.After(now.Add(maxAhead)):
		return at, "is in the future"
	case at.Year() < 1970:
		return at, "is before 1970"
	}
	return store.FromMicros(store.Micros(at)), ""
}

// told has something written of an entity by whoever may: right for the object in the entity's space. Who may not read it either
// learns that there is nothing. check looks at what is to be written.
func (s *Service) told(ctx context.Context, right, object string, name ref.Entity, check func() error, write func(tx *store.Tx, space string) error) error {
	if _, err := s.Access.Spaces(ctx, right); err != nil {
		return err
	}
	known, err := s.Catalog.Known(actor.AsSystem(ctx), []string{name.String()})
	if err != nil {
		return err
	}
	space := known[0].Space
	if space == "" {
		return access.NotFound("entity " + name.String())
	}
	if err := s.Access.AuthorizeObject(ctx, right, space, object); err != nil {
		if fault.Is(err, fault.Denied) && !s.Access.May(ctx, readRight, space) {
			return access.NotFound("entity " + name.String())
		}
		return err
	}
	if err := check(); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := holdFacts(ctx, tx, name.String(), s.Now()); err != nil {
			return err
		}
		e, err := s.Catalog.GetTx(ctx, tx, name)
		switch {
		case fault.Is(err, fault.NotFound):
			return access.NotFound("entity " + name.String())
		case err != nil:
			return err
		case e.Space != space:
			return fault.Errorf(fault.Conflict, "%s has moved to another space at the same moment; send it again", name)
		}
		return write(tx, space)
	})
}

// asked has an entity judged again, if a scorecard may ask for what has changed of it.
func (s *Service) asked(ctx context.Context, tx *store.Tx, name ref.Entity, variable string) error {
	var some int
	err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT ref FROM insight_scorecards WHERE `+store.Has("spec", "$1")+` LIMIT 1) s`, variable).Scan(&some)
	if err != nil || some == 0 {
		return fault.Wrap(err, "look for scorecards that ask for %s", variable)
	}
	if err := s.due(ctx, tx, name.String(), ref.NewID("due", s.Now())); err != nil {
		return err
	}
	return s.wake(ctx, tx)
}

func (s *Service) tell(ctx context.Context, tx *store.Tx, kind, space string, name ref.Entity, what map[string]any) error {
	data, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: kind, Subject: name.String(), Data: data})
	return err
}

// SetMetric keeps a number of an entity; one that was measured before what is kept changes nothing. It gives what is kept. The ledger
// tells of a metric that is new, not of its values. Permission: metric:write in the entity's space; who may not read the entity
// either gets fault.NotFound. fault.Conflict for more metrics than are kept of an entity.
func (s *Service) SetMetric(ctx context.Context, name ref.Entity, m Metric) (Metric, error) {
	check := func() error { return s.checkMetric(&m) }
	err := s.told(ctx, MetricRight, m.Name, name, check, func(tx *store.Tx, space string) error {
		all, err := metricsOf(ctx, tx, []string{name.String()})
		if err != nil {
			return err
		}
		kept := all[name.String()]
		at := slices.IndexFunc(kept, func(o Metric) bool { return o.Name == m.Name })
		switch {
		case at < 0 && len(kept) >= MostMetrics:
			return fault.Errorf(fault.Conflict, "%s has %d metrics, which is as many as are kept; remove some first", name, len(kept))
		case at >= 0 && (kept[at] == m || m.At.Before(kept[at].At)):
			m = kept[at]
			return nil
		}
		if err := putMetric(ctx, tx, name.String(), m); err != nil {
			return err
		}
		if at < 0 {
			if err := s.tell(ctx, tx, "metric.added", space, name, map[string]any{"metric": m.Name}); err != nil {
				return err
			}
		}
		return s.asked(ctx, tx, name, "metrics")
	})
	return m, err
}

func (s *Service) checkMetric(m *Metric) error {
	if !factName.MatchString(m.Name) {
		return badName("metric", m.Name)
	}
	if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
		return fault.Errorf(fault.Invalid, "the value of a metric is a number")
	}
	if wrong := untidy(m.Unit, maxUnit); wrong != "" {
		return fault.Errorf(fault.Invalid, "the unit of %s %s", m.Name, wrong)
	}
	if m.URL != "" && !isAddress(m.URL) {
		return fault.Errorf(fault.Invalid, "%.200q is not an address; write https://…", m.URL)
	}
	var wrong string
	if m.At, wrong = s.moment(m.At); wrong != "" {
		return fault.Errorf(fault.Invalid, "the time of %s %s", m.Name, wrong)
	}
	return nil
}

// RemoveMetric forgets a number of an entity. Rights are those of SetMetric; fault.NotFound when there is none of that name.
func (s *Service) RemoveMetric(ctx context.Context, name ref.Entity, metric string) error {
	return s.told(ctx, MetricRight, metric, name, func() error { return nil }, func(tx *store.Tx, space string) error {
		n, err := tx.Exec(ctx, `DELETE FROM insight_metrics WHERE entity = $1 AND name = $2`, name.String(), metric)
		if err != nil {
			return fault.Wrap(err, "remove a metric of %s", name)
		}
		if n == 0 {
			return fault.Errorf(fault.NotFound, "%s has no metric %.100q", name, metric)
		}
		if err := s.tell(ctx, tx, "metric.removed", space, name, map[string]any{"metric": metric}); err != nil {
			return err
		}
		return s.asked(ctx, tx, name, "metrics")
	})
}

// Metrics gives what is measured of an entity, by name. Permission: entity:read for the entity; otherwise fault.NotFound.
func (s *Service) Metrics(ctx context.Context, name ref.Entity, part page.Request) (page.Of[Metric], error) {
	var all map[string][]Metric
	if _, err := s.Catalog.Get(ctx, name); err != nil {
		return page.Of[Metric]{}, err
	}
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		all, err = metricsOf(ctx, tx, []string{name.String()})
		return err
	})
	return page.From(all[name.String()], part, func(m Metric) string { return m.Name }), err
}

// PushFindings keeps all that a source has found of an entity; what is not among it goes. A finding that had no time of its own and
// comes again keeps the one that it has. The ledger tells of a set that is another than before, save for times. It gives how many
// the source has found by severity. Permission: finding:write in the entity's space; who may not read the entity either gets
// fault.NotFound. fault.Conflict for more findings than are kept of an entity.
func (s *Service) PushFindings(ctx context.Context, name ref.Entity, source string, found []Finding) (counts map[string]int, err error) {
	found = slices.Clone(found)
	check := func() error { return s.checkFindings(source, found) }
	err = s.told(ctx, FindingRight, source, name, check, func(tx *store.Tx, space string) error {
		all, err := findingsOf(ctx, tx, []string{name.String()})
		if err != nil {
			return err
		}
		before, others := map[string]Finding{}, 0
		for _, f := range all[name.String()] {
			if f.Source == source {
				before[f.ID] = f
			} else {
				others++
			}
		}
		if others+len(found) > MostFindings {
			return fault.Errorf(fault.Conflict, "%s would have %d findings of all sources, and at most %d are kept; send the worst alone", name, others+len(found), MostFindings)
		}
		counts = severityCounts(found)
		written, removed, changed := s.compare(before, found)
		if len(written)+len(removed) == 0 {
			return nil
		}
		if err := putFindings(ctx, tx, name.String(), source, written, removed); err != nil {
			return err
		}
		if changed {
			what := map[string]any{"source": source}
			for severity, n := range counts {
				what[severity] = n
			}
			if err := s.tell(ctx, tx, "findings.changed", space, name, what); err != nil {
				return err
			}
		}
		return s.asked(ctx, tx, name, "findings")
	})
	return counts, err
}

// compare gives what of a set is to be written, what of the one before goes, and whether more than times are others.
func (s *Service) compare(before map[string]Finding, found []Finding) (written []Finding, removed []string, changed bool) {
	now, _ := s.moment(time.Time{})
	for _, f := range found {
		was, is := before[f.ID]
		delete(before, f.ID)
		if f.At.IsZero() {
			if f.At = now; is {
				f.At = was.At
			}
		}
		if !is || !f.says(was) || !f.At.Equal(was.At) {
			written = append(written, f)
		}
		changed = changed || !is || !f.says(was)
	}
	for id := range before {
		removed = append(removed, id)
	}
	slices.Sort(removed)
	return written, removed, changed || len(removed) > 0
}

func (s *Service) checkFindings(source string, found []Finding) error {
	if !factName.MatchString(source) {
		return badName("source", source)
	}
	if len(found) > MostFindings {
		return fault.Errorf(fault.TooLarge, "%d findings are too many; at most %d are kept of an entity, so send the worst alone", len(found), MostFindings)
	}
	var wrong []fault.Detail
	seen := map[string]bool{}
	for i := range found {
		f := &found[i]
		bad := func(field, message, hint string) {
			if message != "" {
				wrong = append(wrong, fault.Detail{Field: "findings." + strconv.Itoa(i) + "." + field, Message: message, Hint: hint})
			}
		}
		f.Source = source
		switch {
		case f.ID == "":
			bad("id", "is missing", "write what tells it from the others of the source")
		case seen[f.ID]:
			bad("id", fmt.Sprintf("%.100q is there twice", f.ID), "give each one of its own")
		}
		seen[f.ID] = true
		bad("id", untidy(f.ID, maxFinding), "shorten it to one line")
		if f.rank() < 0 {
			bad("severity", fmt.Sprintf("%.100q is none", f.Severity), "write one of "+strings.Join(severities[:], ", "))
		}
		if f.Title == "" {
			bad("title", "is missing", "say what is wrong")
		}
		bad("title", untidy(f.Title, maxFound), "shorten it to one line")
		if f.URL != "" && !isAddress(f.URL) {
			bad("url", fmt.Sprintf("%.200q is not an address", f.URL), "write https://…")
		}
		if !f.At.IsZero() {
			var message string
			f.At, message = s.moment(f.At)
			bad("at", message, "leave it out, and it is when this arrives")
		}
		if len(wrong) >= page.Usual {
			break
		}
	}
	if len(wrong) > 0 {
		return fault.At("the findings are not valid", wrong...)
	}
	return nil
}

func severityCounts(found []Finding) map[string]int {
	counts := map[string]int{}
	for _, f := range found {
		counts[f.Severity]++
	}
	return counts
}

// FindingQuery chooses findings.
type FindingQuery struct {
	Source   string // "" for all
	Severity string // "" for all
}

// FoundPage is a part of what was found. Counts are by severity, of all that the source, or all of them, have found.
type FoundPage struct {
	page.Of[Finding]
	Counts map[string]int
}

// Findings gives what was found of an entity: the most severe first, then by source and id. Permission: entity:read for the entity;
// otherwise fault.NotFound.
func (s *Service) Findings(ctx context.Context, name ref.Entity, q FindingQuery, part page.Request) (FoundPage, error) {
	if _, err := s.Catalog.Get(ctx, name); err != nil {
		return FoundPage{}, err
	}
	var kept map[string][]Finding
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		kept, err = findingsOf(ctx, tx, []string{name.String()})
		return err
	})
	all := slices.DeleteFunc(kept[name.String()], func(f Finding) bool { return q.Source != "" && f.Source != q.Source })
	counts := severityCounts(all)
	all = slices.DeleteFunc(all, func(f Finding) bool { return q.Severity != "" && f.Severity != q.Severity })
	return FoundPage{page.From(all, part, func(f Finding) string { return fmt.Sprintf("%d %s %s", f.rank(), f.Source, f.ID) }), counts}, err
}
