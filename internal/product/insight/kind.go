package insight

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of a Scorecard.
const (
	maxLevels     = 10
	maxRules      = 60
	maxFilter     = 100  // values of one field
	maxExpression = 2000 // characters
	maxText       = 4000 // characters of a description or remedy
	maxTitle      = 200
)

var (
	idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	colors    = []string{
		"gray", "red", "pink", "grape", "violet", "indigo", "blue", "cyan", "teal", "green", "lime", "yellow", "orange",
		"bronze", "silver", "gold", "platinum",
	}
)

// Kinds gives the documents of this room.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Scorecard", Plural: "scorecards",
		Description: "What is wanted of things, as rules in levels.",
		Validate: func(d document.Document) []fault.Detail {
			_, _, wrong := s.read(d)
			return wrong
		},
		Relations: func(d document.Document) []document.Relation { return owned(d) },
		Changed:   s.documentChanged,
	}, {
		APIVersions: []string{"roadbed.dev/v1"}, Name: "TechRadar", Plural: "techradars",
		Description: "Which technologies the company takes up, tries and leaves.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := readRadar(d)
			return wrong
		},
		Relations: func(d document.Document) []document.Relation { return owned(d) },
	}}
}

// owned gives the relation to who is named as owner.
func owned(d document.Document) []document.Relation {
	owner, err := ref.Parse(text(d, "owner"), "group", d.Ref().Namespace)
	if err != nil {
		return nil
	}
	return []document.Relation{{Type: "ownedBy", Target: owner}}
}

// mistakes gathers what is wrong with a document.
type mistakes struct {
	d     document.Document
	wrong []fault.Detail
}

func (m *mistakes) bad(message, hint string, at ...string) {
	m.wrong = append(m.wrong, m.d.At(message, hint, append([]string{"spec"}, at...)...))
}

func (m *mistakes) id(id string, seen map[string]bool, at ...string) {
	switch {
	case !idPattern.MatchString(id):
		m.bad(fmt.Sprintf("%q is not a name", id), "write lower-case letters, digits and dashes, at most 63", at...)
	case seen[id]:
		m.bad(fmt.Sprintf("%q is there twice", id), "give each a name of its own", at...)
	}
	seen[id] = true
}

func (m *mistakes) short(text string, most int, at ...string) {
	if len([]rune(text)) > most {
		m.bad(fmt.Sprintf("is longer than %d characters", most), "shorten it", at...)
	}
}

func (m *mistakes) color(color string, at ...string) {
	if color != "" && !slices.Contains(colors, color) {
		m.bad(fmt.Sprintf("%q is not a colour that is known", color), "take one of gray, red, pink, grape, violet, indigo, blue, cyan, teal, green, lime, yellow, orange, bronze, silver, gold, platinum", at...)
	}
}

func (m *mistakes) owner(owner string) {
	if owner == "" {
		return
	}
	if _, err := ref.Parse(owner, "group", m.d.Ref().Namespace); err != nil {
		m.bad(fmt.Sprintf("%q is not a reference", owner), "write group:NAMESPACE/NAME", "owner")
	}
}

// read gives what a Scorecard says, its rules ready to be asked, and what is wrong.
func (s *Service) read(d document.Document) (spec Spec, rules []compiled, wrong []fault.Detail) {
	if err := document.Decode(d, &spec); err != nil {
		return spec, nil, fault.Details(err)
	}
	m := &mistakes{d: d}
	m.owner(spec.Owner)
	m.filter(spec.Filter)
	levels := m.levels(spec.Levels)
	m.rules(spec.Rules, levels)
	rules, bad := compile(s.env, d, spec)
	return spec, rules, append(m.wrong, bad...)
}

func (m *mistakes) filter(f Filter) {
	for field, values := range map[string][]string{
		"kinds": f.Kinds, "types": f.Types, "lifecycles": f.Lifecycles, "owners": f.Owners, "systems": f.Systems, "namespaces": f.Namespaces, "tags": f.Tags,
	} {
		if len(values) > maxFilter {
			m.bad(fmt.Sprintf("has more than %d values", maxFilter), "use another field to choose by", "filter", field)
		}
		for i, v := range values {
			_, err := ref.Parse(v, "group", "default")
			if v == "" || (field == "owners" || field == "systems") && err != nil {
				m.bad(fmt.Sprintf("%q chooses nothing", v), "leave it out", "filter", field, strconv.Itoa(i))
			}
		}
	}
	if len(f.Labels) > maxFilter {
		m.bad(fmt.Sprintf("has more than %d values", maxFilter), "use another field to choose by", "filter", "labels")
	}
}

func (m *mistakes) levels(levels []Level) map[string]bool {
	seen := map[string]bool{}
	if len(levels) == 0 || len(levels) > maxLevels {
		m.bad(fmt.Sprintf("needs 1 to %d levels, the lowest first", maxLevels), "write levels: [{name: bronze}, {name: silver}, {name: gold}]", "levels")
	}
	for i, l := range levels {
		at := []string{"levels", strconv.Itoa(i)}
		if l.Name == noLevel {
			m.bad(`"none" is what has no level`, "choose another name", append(at, "name")...)
		}
		m.id(l.Name, seen, append(at, "name")...)
		m.short(l.Title, maxTitle, append(at, "title")...)
		m.color(l.Color, append(at, "color")...)
	}
	return seen
}

func (m *mistakes) rules(rules []Rule, levels map[string]bool) {
	if len(rules) == 0 || len(rules) > maxRules {
		m.bad(fmt.Sprintf("needs 1 to %d rules", maxRules), "write rules: [{id: has-owner, level: bronze, expression: owner != \"\"}]", "rules")
	}
	seen := map[string]bool{}
	for i, r := range rules {
		at := func(field string) []string { return []string{"rules", strconv.Itoa(i), field} }
		m.id(r.ID, seen, at("id")...)
		if !levels[r.Level] {
			m.bad(fmt.Sprintf("%q is none of the levels", r.Level), "write the name of one", at("level")...)
		}
		m.short(r.Title, maxTitle, at("title")...)
		m.short(r.Description, maxText, at("description")...)
		m.short(r.Remedy, maxText, at("remedy")...)
	}
}

// generation names what decides: two specs of the same judge alike.
func (s Spec) generation(namespace string) string {
	levels := make([]string, len(s.Levels))
	for i, l := range s.Levels {
		levels[i] = l.Name
	}
	rules := make([][3]string, len(s.Rules))
	for i, r := range s.Rules {
		rules[i] = [3]string{r.ID, r.Level, r.Expression}
	}
	raw, err := json.Marshal([]any{namespace, s.Filter, levels, rules})
	if err != nil {
		panic(err) // texts
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:12])
}

// documentChanged keeps the row of a scorecard, in the transaction of its document, and has entities judged.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		if _, err := tx.Exec(ctx, `DELETE FROM insight_scorecards WHERE ref = $1`, c.Ref.String()); err != nil {
			return fault.Wrap(err, "forget scorecard %s", c.Ref)
		}
		if err := s.due(ctx, tx, dueForget+c.Ref.String(), c.Entry); err != nil {
			return err
		}
		return s.wake(ctx, tx)
	}
	spec, _, wrong := s.read(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Scorecard %s is not valid", c.New.Metadata.Name), wrong...)
	}
	var owner string
	for _, r := range owned(*c.New) {
		owner = r.Target.String()
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode scorecard %s", c.Ref)
	}
	fresh, err := freshRules(ctx, tx, c.Ref.String(), spec)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO insight_scorecards (ref, space, owner, title, description, spec, generation, updated, fresh) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)
 ON CONFLICT (ref) DO UPDATE SET space=excluded.space, owner=excluded.owner, title=excluded.title, description=excluded.description, spec=excluded.spec,
 generation=excluded.generation, updated=excluded.updated, fresh=excluded.fresh,
 phase = CASE WHEN insight_scorecards.generation = excluded.generation THEN insight_scorecards.phase ELSE 1 END,
 last_ref = CASE WHEN insight_scorecards.generation = excluded.generation THEN insight_scorecards.last_ref ELSE '' END`,
		c.Ref.String(), c.Space, owner, c.New.Metadata.Title, c.New.Metadata.Description, string(raw), c.Space+" "+spec.generation(c.Ref.Namespace), store.Micros(s.Now()), spaced(fresh))
	if err != nil {
		return fault.Wrap(err, "keep scorecard %s", c.Ref)
	}
	return s.wake(ctx, tx)
}
