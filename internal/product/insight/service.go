package insight

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/cel"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Documented is what rules see of an entity's docs.
type Documented struct {
	Pages  int // 0: it has none
	Broken int // links that lead nowhere
}

// Documentation is what this room needs of docs.
type Documentation interface {
	// Of gives the docs of an entity, without asking for rights.
	Of(ctx context.Context, e ref.Entity) (Documented, error)
	// Reads gives them as the reader may see them.
	Reads(ctx context.Context, e ref.Entity) (Documented, error)
	// Entities gives the references of those whose docs a site is.
	Entities(ctx context.Context, site string) ([]string, error)
}

// Deps are the rooms this one stands on.
type Deps struct {
	DB      *store.DB
	Ledger  *ledger.Ledger
	Queue   *queue.Queue
	Access  *access.Service
	Catalog *catalog.Service
	Runs    *run.Service
	Docs    Documentation
	Now     func() time.Time
	Log     *slog.Logger
}

// Service keeps scorecards. It is safe for concurrent use.
type Service struct {
	Deps
	env          *cel.Env
	mostGroups   int // that are looked at below a group, or above
	mostPointing int // that are judged one by one when what they point at changes

	mu     sync.Mutex
	ready  map[string]readied // by the scorecard's reference
	latest ref.Entity         // whose turn was the last
}

type readied struct {
	generation string
	rules      []compiled
	wrong      string // why they can't be asked
}

// New builds the room and registers its jobs and subscriptions.
func New(d Deps) *Service {
	s := &Service{Deps: d, env: newEnvironment(), mostGroups: index.MaxNodes, mostPointing: pointing, ready: map[string]readied{}}
	s.subscribe()
	return s
}

// noLevel is how a question names what has no level.
const noLevel = "none"

// read is the right that everything here takes.
const readRight = "entity:read"

// cards gives the scorecards that can judge, with their rules ready. The others say why they can't.
func (s *Service) cards(ctx context.Context) (cards []card, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		cards, err = allCards(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fault.Wrap(err, "read the scorecards")
	}
	s.prepare(cards)
	for i := range cards {
		c := &cards[i]
		if c.Error == c.wrong {
			continue
		}
		c.Error, c.phase, c.last = c.wrong, 1, ""
		if err := s.DB.Write(ctx, func(tx *store.Tx) error { return setError(ctx, tx, *c) }); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(cards, func(c card) bool { return c.wrong != "" }), nil
}

// prepare makes the rules of scorecards ready, or says what is wrong with them.
func (s *Service) prepare(cards []card) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := make(map[string]readied, len(cards))
	for i := range cards {
		c := &cards[i]
		if c.wrong != "" {
			continue
		}
		r, is := s.ready[c.Ref.String()]
		if !is || r.generation != c.generation {
			var wrong []fault.Detail
			r = readied{generation: c.generation}
			if r.rules, wrong = compile(s.env, document.Document{}, c.Spec); len(wrong) > 0 {
				r.wrong = clipped(wrong[0].Message + "; change it, and apply the scorecard again")
			}
		}
		ready[c.Ref.String()], c.rules, c.wrong = r, r.rules, r.wrong
	}
	s.ready = ready
}

// reader is who asks: the spaces whose entities he may see, and the owners that he asks for.
type reader struct {
	spaces access.Set
	owners []string // nil: all
	cut    bool     // there are more of them
}

func (r reader) spaceList() []string {
	if r.spaces.All {
		return nil
	}
	return append([]string{}, r.spaces.List()...)
}

// reader gives who asks. team narrows to what a group, with the groups below it, or a user owns.
func (s *Service) reader(ctx context.Context, team string) (r reader, err error) {
	if r.spaces, err = s.Access.Spaces(ctx, readRight); err != nil || team == "" {
		return r, err
	}
	t, err := ref.Parse(team, "group", ref.DefaultNamespace)
	if err != nil {
		return r, err
	}
	r.owners, r.cut, err = s.below(ctx, t.String())
	return r, err
}

// below gives a group with those below it. cut tells that there are more.
func (s *Service) below(ctx context.Context, team string) (names []string, cut bool, err error) {
	g, err := s.groups(ctx, team, "parentOf")
	names = []string{team}
	for _, n := range g.Nodes {
		if n.Ref != team {
			names = append(names, n.Ref)
		}
	}
	return names, isCut(g), err
}

func (s *Service) groups(ctx context.Context, from, way string) (index.Graph, error) {
	return s.Catalog.Walk(ctx, index.Walk{From: []string{from}, Follow: []string{way}, Depth: index.MaxDepth, Nodes: s.mostGroups})
}

func isCut(g index.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n index.Node) bool { return n.More })
}

// sees tells whether a scorecard may be seen: who may read entities in its space or below is told what is wanted of them.
func (s *Service) sees(ctx context.Context, spaces access.Set, space string) (bool, error) {
	if spaces.Has(space) {
		return true, nil
	}
	for _, below := range spaces.List() {
		if within, err := s.Access.Within(ctx, below, space); within || err != nil {
			return within, err
		}
	}
	return false, nil
}

// Overview is a scorecard with what it says of the entities that the reader may see.
type Overview struct {
	Scorecard
	Counts Counts
	Cut    bool // there are more groups below the team than are counted
}

// List gives the scorecards that the reader may see, by reference. team narrows their counts to what a group, with the groups
// below it, or a user owns. Permission: entity:read in the scorecard's space or below; others are left out.
func (s *Service) List(ctx context.Context, team string, part page.Request) (page.Of[Overview], error) {
	var none page.Of[Overview]
	r, err := s.reader(ctx, team)
	if err != nil {
		return none, err
	}
	var all []card
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err = allCards(ctx, tx)
		return err
	})
	if err != nil {
		return none, fault.Wrap(err, "read the scorecards")
	}
	var seen []Overview
	for _, c := range all {
		may, err := s.sees(ctx, r.spaces, c.Space)
		if err != nil {
			return none, err
		}
		if may {
			seen = append(seen, Overview{Scorecard: c.Scorecard, Cut: r.cut})
		}
	}
	list := page.From(seen, part, func(o Overview) string { return o.Ref.String() })
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		for i := range list.Items {
			counts, err := countsOf(ctx, tx, list.Items[i].Ref.String(), r.spaceList(), r.owners)
			if err != nil {
				return err
			}
			list.Items[i].Counts = sum(counts)
		}
		return nil
	})
	return list, err
}

// Get gives a scorecard; see List. One that the reader may not see is fault.NotFound.
func (s *Service) Get(ctx context.Context, name ref.Entity, team string) (Overview, error) {
	r, err := s.reader(ctx, team)
	if err != nil {
		return Overview{}, err
	}
	return s.overview(ctx, name, r)
}

func (s *Service) overview(ctx context.Context, name ref.Entity, r reader) (o Overview, err error) {
	var c card
	var counts []placed
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		c, err = store.One(tx.QueryRow(ctx, `SELECT `+cardColumns+` FROM insight_scorecards WHERE ref = $1`, name.String()), scanCard, "scorecard %s", name)
		if err != nil {
			return err
		}
		counts, err = countsOf(ctx, tx, name.String(), r.spaceList(), r.owners)
		return err
	})
	if err == nil || fault.Is(err, fault.NotFound) {
		may, wrong := s.sees(ctx, r.spaces, c.Space)
		if wrong != nil {
			return o, wrong
		}
		if err != nil || !may {
			return o, access.NotFound("scorecard " + name.String())
		}
	}
	return Overview{c.Scorecard, sum(counts), r.cut}, err
}

// Day is what was counted at the end of a day, UTC.
type Day struct {
	Day    string // YYYY-MM-DD
	Counts Counts
}

// Days are counts day by day.
type Days struct {
	Items []Day
	Cut   bool // see Overview
}

// Trend gives the counts of a scorecard at the end of each of the last days, from the first that is known, at most 400. Rights
// are those of List, today.
func (s *Service) Trend(ctx context.Context, name ref.Entity, team string, days int) (Days, error) {
	r, err := s.reader(ctx, team)
	if err != nil {
		return Days{}, err
	}
	if _, err := s.overview(ctx, name, r); err != nil {
		return Days{}, err
	}
	to := s.Now().UTC().Truncate(24 * time.Hour)
	from := to.AddDate(0, 0, 1-min(max(days, 1), keptDays))
	var rows []placed
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err = daysOf(ctx, tx, name.String(), r.spaceList(), r.owners, from.Format(time.DateOnly), to.Format(time.DateOnly))
		return err
	})
	return Days{trend(rows, from, to), r.cut}, err
}

// ResultQuery chooses results of a scorecard.
type ResultQuery struct {
	Level   string // name; "none" is without one; "" is any
	Team    string // group, with the groups below it, or user
	Failing string // id of a rule
}

// Results are a part of what a scorecard says of entities.
type Results struct {
	page.Of[Result]
	Cut bool // see Overview
}

// Results gives what a scorecard says of entities, by reference. Permission: entity:read for each; others are left out.
func (s *Service) Results(ctx context.Context, name ref.Entity, q ResultQuery, part page.Request) (Results, error) {
	var none Results
	r, err := s.reader(ctx, q.Team)
	if err != nil {
		return none, err
	}
	if _, err := s.overview(ctx, name, r); err != nil {
		return none, err
	}
	if q.Failing != "" && !idPattern.MatchString(q.Failing) {
		return none, fault.Errorf(fault.Invalid, "%.100q is not the id of a rule", q.Failing)
	}
	w := &store.Where{}
	w.Equal("scorecard", name.String())
	narrow(w, r.spaceList(), r.owners)
	switch q.Level {
	case "":
	case noLevel:
		w.Add("level = ''")
	default:
		w.Equal("level", q.Level)
	}
	if q.Failing != "" {
		w.Add(w.Has("failed", " "+q.Failing+" "))
	}
	w.After("entity", part.Cursor)
	var list []Result
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+resultColumns+` FROM insight_results`+w.String()+` ORDER BY entity LIMIT `+w.Arg(part.Window()), w.Args...)
		list, err = store.Collect(rows, err, scanResult)
		return err
	})
	return Results{page.Cut(list, part, func(r Result) string { return r.Entity }), r.cut}, fault.Wrap(err, "list what %s says", name)
}

// Team is what a scorecard says of what an owner has.
type Team struct {
	Owner string // reference; "" is what has none
	Own   Counts
	All   Counts // with the groups below
	Cut   bool   // not all groups above this owner could be looked at, so that those count too little
}

// Teams gives what a scorecard says by owner, by reference, and by the groups above them, as far as the reader may see.
// Permission: entity:read for what is counted.
func (s *Service) Teams(ctx context.Context, name ref.Entity, part page.Request) (page.Of[Team], error) {
	var none page.Of[Team]
	r, err := s.reader(ctx, "")
	if err != nil {
		return none, err
	}
	if _, err := s.overview(ctx, name, r); err != nil {
		return none, err
	}
	var counts []placed
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		counts, err = countsOf(ctx, tx, name.String(), r.spaceList(), nil)
		return err
	})
	if err != nil {
		return none, err
	}
	teams := map[string]*Team{}
	team := func(owner string) *Team {
		if teams[owner] == nil {
			teams[owner] = &Team{Owner: owner}
		}
		return teams[owner]
	}
	for _, p := range counts {
		team(p.owner).Own.add(p.Counts, 1)
	}
	for _, owner := range owners(counts) {
		up, cut, err := s.above(ctx, owner)
		if err != nil {
			return none, err
		}
		teams[owner].Cut = cut
		for _, t := range up {
			team(t).All.add(teams[owner].Own, 1)
		}
	}
	all := make([]Team, 0, len(teams))
	for _, t := range teams {
		all = append(all, *t)
	}
	return page.From(all, part, func(t Team) string { return t.Owner + " " }), nil // what has no owner has a key, too
}

func owners(counts []placed) (names []string) {
	for _, p := range counts {
		names = append(names, p.owner)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// above gives an owner with the groups above. cut tells that there are more.
func (s *Service) above(ctx context.Context, owner string) (names []string, cut bool, err error) {
	names = []string{owner}
	if !strings.HasPrefix(owner, "group:") {
		return names, false, nil
	}
	g, err := s.groups(ctx, owner, "childOf")
	for _, n := range g.Nodes {
		if n.Ref != owner && n.Exists {
			names = append(names, n.Ref)
		}
	}
	return names, isCut(g), err
}

// Standing is what a scorecard says of an entity, and what to do about it.
type Standing struct {
	Scorecard Scorecard
	Result    Result
	Next      string // the level above; "" when there is none
	Missing   []Rule // of that level, which are to be passed
}

// Standings gives what all scorecards say of an entity, by reference. Permission: entity:read for the entity; otherwise
// fault.NotFound.
func (s *Service) Standings(ctx context.Context, name ref.Entity, part page.Request) (page.Of[Standing], error) {
	var none page.Of[Standing]
	if _, err := s.Catalog.Get(ctx, name); err != nil {
		return none, err
	}
	var cards []card
	var results map[key]Result
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if cards, err = allCards(ctx, tx); err != nil {
			return err
		}
		results, err = resultsOf(ctx, tx, cardNames(cards), []string{name.String()})
		return err
	})
	if err != nil {
		return none, err
	}
	var list []Standing
	for _, c := range cards {
		r, judged := results[key{c.Ref.String(), name.String()}]
		if !judged {
			continue
		}
		list = append(list, Standing{Scorecard: c.Scorecard, Result: r, Next: c.Spec.next(r.Level), Missing: c.Spec.missing(r.Level, r.Failed)})
	}
	return page.From(list, part, func(s Standing) string { return s.Result.Scorecard }), nil
}

// Changed is a moment at which a scorecard began to say something else of an entity.
type Changed struct {
	Scorecard string
	Time      time.Time
	Level     string // "" for none
	Failed    []string
	Gone      bool // it was not judged any more
}

// History gives how a scorecard, or all of them, judged an entity, the newest first. Permission: entity:read for the entity;
// otherwise fault.NotFound.
func (s *Service) History(ctx context.Context, name ref.Entity, scorecard string, part page.Request) (page.Of[Changed], error) {
	var none page.Of[Changed]
	if _, err := s.Catalog.Get(ctx, name); err != nil {
		return none, err
	}
	w := &store.Where{}
	w.Equal("entity", name.String())
	if scorecard != "" {
		r, err := ref.Parse(scorecard, "scorecard", ref.DefaultNamespace)
		if err != nil {
			return none, err
		}
		w.Equal("scorecard", r.String())
	}
	if part.Cursor != "" {
		at, of, _ := strings.Cut(part.Cursor, " ")
		n, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return none, fault.Errorf(fault.Invalid, "cursor %.100q is not one that a list gave", part.Cursor)
		}
		w.Add("(time < " + w.Arg(n) + " OR time = " + w.Arg(n) + " AND scorecard > " + w.Arg(of) + ")")
	}
	var list []Changed
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT scorecard, time, level, failed, gone FROM insight_changes`+w.String()+` ORDER BY time DESC, scorecard LIMIT `+w.Arg(part.Window()), w.Args...)
		list, err = store.Collect(rows, err, func(r store.Row) (c Changed, err error) {
			var at, gone int64
			var failed string
			err = r.Scan(&c.Scorecard, &at, &c.Level, &failed, &gone)
			c.Time, c.Failed, c.Gone = store.FromMicros(at), strings.Fields(failed), gone == 1
			return c, err
		})
		return err
	})
	return page.Cut(list, part, func(c Changed) string { return strconv.FormatInt(store.Micros(c.Time), 10) + " " + c.Scorecard }), fault.Wrap(err, "read how %s was judged", name)
}
