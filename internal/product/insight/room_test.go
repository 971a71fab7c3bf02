package insight

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

var everything = page.Request{Limit: page.Most}

const ready = `
apiVersion: roadbed.dev/v1
kind: Scorecard
metadata: {name: ready, title: Ready}
spec:
  owner: company
  filter: {kinds: [component]}
  levels: [{name: bronze}, {name: silver}, {name: gold}]
  rules:
    - {id: owned, level: bronze, expression: owner != ""}
    - {id: used, level: silver, expression: 'relations.exists(r, r.type == "dependencyOf")', remedy: Use it.}
    - {id: built, level: gold, expression: 'runs.exists(r, r.kind == "build" && r.ended && now - r.finished < duration("720h"))'}
    - {id: documented, level: gold, expression: docs.pages > 0}
`

func component(name, owner string, needs ...string) string {
	return fmt.Sprintf("---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: %s}, spec: {type: service, lifecycle: production, owner: %q, dependsOn: [%s]}}\n",
		name, owner, strings.Join(needs, ", "))
}

const a, c, d = "component:default/a", "component:default/c", "component:default/d"

// TestScorecard is the story of what is judged: as documents, relations, runs and docs change.
func TestScorecard(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "cards", ready)
		b.apply("default", "all", component("a", "crew", c)+component("c", "crew")+"---\n{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: s}, spec: {owner: crew}}\n")
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built documented]", c: "silver [built documented]"})

		// The same again writes nothing.
		before := b.dump()
		b.judged()
		if err := b.DB.Write(system(), func(tx *store.Tx) error {
			_, err := tx.Exec(system(), `UPDATE insight_scorecards SET phase=1`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		b.judged()
		if after := b.dump(); after != before {
			t.Errorf("judged again, it writes\n%s\nthat was\n%s", after, before)
		}

		// A relation is a fact of both ends, when it comes and when it goes.
		b.apply("default", "all", component("a", "crew", d)+component("c", "crew")+component("d", "other"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built documented]", c: "bronze [used built documented]", d: "silver [built documented]"})
		if n := b.entries("scorecard.level-changed", c); n != 1 {
			t.Errorf("the ledger tells %d times that c has another level", n)
		}

		// Runs and docs.
		b.docs.docs[d] = Documented{Pages: 3}
		b.happens("docs.changed", "repository:x/y", nil, `{"site":"`+d+`"}`)
		b.judged()
		b.want(system(), ResultQuery{Level: "silver"}, map[string]string{d: "silver [built]"})
		err := b.DB.Write(system(), func(tx *store.Tx) error {
			_, _, err := b.Runs.Create(system(), tx, run.New{Kind: "build", Space: "default", Subject: d, Title: "build", Input: struct{}{}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		b.happens("run.state-changed", "run", []string{d, "repository:x/y"}, `{"terminal":true}`)
		b.judged()
		b.want(system(), ResultQuery{Level: "gold"}, map[string]string{d: "gold []"})

		// What is asked for the time is asked again, each day.
		b.later(31 * 24 * time.Hour)
		if err := b.day(system()); err != nil {
			t.Fatal(err)
		}
		b.judged()
		b.want(system(), ResultQuery{Failing: "built", Level: "silver"}, map[string]string{d: "silver [built]"})

		// The history tells all that.
		history, err := b.History(system(), named(d), "", page.Request{Limit: 2})
		if err != nil || len(history.Items) != 2 || history.Items[0].Level != "silver" || history.Items[1].Level != "gold" || history.Next == "" {
			t.Fatalf("the history of d is %+v, %v", history, err)
		}
		rest, err := b.History(system(), named(d), "ready", page.Request{Cursor: history.Next})
		if err != nil || len(rest.Items) != 2 || rest.Next != "" || rest.Items[1].Level != "silver" {
			t.Errorf("the rest of the history of d is %+v, %v", rest, err)
		}
		days, err := b.Trend(system(), named("scorecard:default/ready"), "", 40)
		if err != nil || len(days.Items) != 32 || days.Items[0].Counts.Levels["gold"] != 1 || days.Items[31].Counts.Levels["gold"] != 0 || days.Items[31].Counts.Levels["silver"] != 1 || days.Items[31].Counts.Failed["used"] != 2 {
			t.Errorf("%d days, %v: %+v", len(days.Items), err, days)
		}

		// What is gone, or no longer chosen, has no result.
		b.apply("default", "all", component("a", "crew"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built documented]"})
		b.apply("default", "cards", strings.Replace(ready, "{kinds: [component]}", "{kinds: [system]}", 1))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{})
		b.apply("default", "cards", "")
		b.judged()
		if left := b.dump(); left != "" {
			t.Errorf("a scorecard that is gone leaves\n%s", left)
		}
	})
}

// TestRights holds results, counts and teams to what the reader may see.
func TestRights(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		card := strings.Replace(ready, "[component]", "[component, techradar]", 1)
		const d = "techradar:default/d" // the one that nobody owns
		b.apply("default", "cards", card)
		b.apply("shop", "lab-cards", strings.NewReplacer("name: ready", "name: shop-only", "Ready", "Shop").Replace(card))
		b.apply("default", "all", component("a", "crew", c))
		b.apply("shop", "shop", component("c", "company"))
		b.apply("lab", "lab", `{apiVersion: roadbed.dev/v1, kind: TechRadar, metadata: {name: d}, spec: {quadrants: [{id: a}, {id: b}, {id: c}, {id: d}], rings: [{id: adopt}], entries: []}}`)
		b.judged()
		all := map[string]string{a: "bronze [used built documented]", c: "silver [built documented]", d: " [owned used built documented]"}
		b.want(as("rita"), ResultQuery{}, all)
		b.want(as("lea"), ResultQuery{}, map[string]string{c: all[c]})
		b.want(as("rita"), ResultQuery{Level: "none"}, map[string]string{d: all[d]})
		b.want(as("rita"), ResultQuery{Team: "company"}, map[string]string{a: all[a], c: all[c]})
		b.want(as("rita"), ResultQuery{Team: "crew", Failing: "used"}, map[string]string{a: all[a]})
		if _, err := b.Results(as("nobody"), named("scorecard:default/ready"), ResultQuery{}, everything); !fault.Is(err, fault.NotFound) {
			t.Errorf("nobody reads the results: %v", err)
		}
		for who, want := range map[string]string{"rita": "scorecard:default/ready 3, scorecard:default/shop-only 1", "lea": "scorecard:default/ready 1, scorecard:default/shop-only 1", "nobody": ""} {
			list, err := b.List(as(who), "", everything)
			var told []string
			for _, o := range list.Items {
				told = append(told, fmt.Sprint(o.Ref, " ", o.Counts.Entities))
			}
			if got := strings.Join(told, ", "); err != nil || got != want {
				t.Errorf("%s sees %q, %v; want %q", who, got, err, want)
			}
		}
		teams := func(who string) string {
			list, err := b.Teams(as(who), named("scorecard:default/ready"), everything)
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, x := range list.Items {
				told = append(told, fmt.Sprintf("%s %d/%d", x.Owner, x.Own.Entities, x.All.Entities))
			}
			return strings.Join(told, ", ")
		}
		if got := teams("rita"); got != " 1/1, group:default/company 1/2, group:default/crew 1/1" {
			t.Errorf("rita sees the teams %q", got)
		}
		if got := teams("lea"); got != "group:default/company 1/1" {
			t.Errorf("lea sees the teams %q", got)
		}
		standings, err := b.Standings(as("lea"), named(c), everything)
		if err != nil || len(standings.Items) != 2 || standings.Items[0].Result.Level != "silver" || standings.Items[0].Next != "gold" || len(standings.Items[0].Missing) != 2 {
			t.Errorf("lea is told of c %+v, %v", standings, err)
		}
		if _, err := b.Standings(as("lea"), named(a), everything); !fault.Is(err, fault.NotFound) {
			t.Errorf("lea is told of a: %v", err)
		}
		if days, err := b.Trend(as("lea"), named("scorecard:default/ready"), "", 7); err != nil || len(days.Items) != 1 || days.Items[0].Counts.Entities != 1 {
			t.Errorf("lea sees the days %+v, %v", days, err)
		}
	})
}

// TestPreview judges by what is not applied, and keeps nothing.
func TestPreview(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "all", component("a", "crew", c))
		b.apply("shop", "shop", component("c", "company"))
		read := func(text string) document.Document {
			documents, err := document.Parse("test.yaml", []byte(text), document.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			return documents[0]
		}
		p, err := b.Preview(as("rita"), "default", read(ready), nil)
		if err != nil || p.Counts.Entities != 2 || p.Counts.Levels["silver"] != 1 || !p.Whole || len(p.Results) != 2 {
			t.Errorf("the preview is %+v, %v", p, err)
		}
		one := named(c)
		if p, err := b.Preview(as("lea"), "shop", read(ready), &one); err != nil || !p.Chosen || p.Results[0].Level != "bronze" {
			t.Errorf("lea, who does not see a, is told %+v, %v", p, err)
		}
		one = named(a)
		if _, err := b.Preview(as("lea"), "shop", read(ready), &one); !fault.Is(err, fault.NotFound) {
			t.Errorf("lea is told of a: %v", err)
		}
		if _, err := b.Preview(as("lea"), "default", read(ready), nil); !fault.Is(err, fault.Denied) && !fault.Is(err, fault.NotFound) {
			t.Errorf("lea looks at the root space: %v", err)
		}
		wrong := strings.Replace(ready, `owner != ""`, `owner ~ ""`, 1)
		if _, err := b.Preview(as("rita"), "default", read(wrong), nil); !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(fault.Details(err)), "rule owned, column 7") {
			t.Errorf("what can't be read is taken: %v", err)
		}
		if left := b.dump(); left != "" {
			t.Errorf("a preview leaves\n%s", left)
		}
	})
}

func TestRadars(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "radar", `
apiVersion: roadbed.dev/v1
kind: TechRadar
metadata: {name: tech, title: Technology}
spec:
  quadrants: [{id: languages}, {id: tools}, {id: platforms}, {id: ways}]
  rings: [{id: adopt}, {id: hold}]
  entries: [{id: go, quadrant: languages, ring: adopt, tag: go}, {id: perl, quadrant: languages, ring: hold}]
`)
		b.apply("shop", "shop", "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x, tags: [go]}, spec: {type: service, lifecycle: production, owner: crew}}")
		r, err := b.Radar(as("rita"), named("techradar:default/tech"))
		if err != nil || r.Title != "Technology" || len(r.Spec.Entries) != 2 || r.Users["go"] != 1 {
			t.Errorf("the radar is %+v, %v", r, err)
		}
		if _, err := b.Radar(as("lea"), named("techradar:default/tech")); !fault.Is(err, fault.NotFound) {
			t.Errorf("lea sees the radar: %v", err)
		}
		if list, err := b.Radars(as("lea"), everything); err != nil || len(list.Items) != 0 {
			t.Errorf("lea sees the radars %+v, %v", list, err)
		}
	})
}

// happens tells the room of an entry, as the ledger does.
func (b *bench) happens(kind, subject string, refs []string, data string) {
	b.t.Helper()
	err := b.DB.Write(system(), func(tx *store.Tx) error {
		return b.happened(system(), tx, ledger.Entry{ID: "led_" + b.clock().String(), Type: kind, Subject: subject, Refs: refs, Data: []byte(data)})
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) entries(kind, subject string) int {
	b.t.Helper()
	var list []ledger.Entry
	if _, err := b.Ledger.Seal(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	err := b.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		list, err = b.Ledger.List(context.Background(), tx, ledger.Query{Types: []string{kind}, Ref: subject, Limit: 100})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return len(list)
}

// dump tells all that is kept of what was judged.
func (b *bench) dump() string {
	b.t.Helper()
	var all strings.Builder
	for _, query := range []string{
		`SELECT scorecard, entity, level, failed, updated FROM insight_results ORDER BY scorecard, entity`,
		`SELECT scorecard, entity, level, failed, time FROM insight_changes ORDER BY scorecard, entity, time`,
		`SELECT scorecard, space, owner, counts, 0 FROM insight_counts ORDER BY scorecard, space, owner`,
		`SELECT scorecard, space, owner || ' ' || day, counts, 0 FROM insight_days ORDER BY scorecard, space, owner, day`,
	} {
		err := b.DB.Read(context.Background(), func(tx *store.Tx) error {
			rows, err := tx.Query(context.Background(), query)
			_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
				var s [4]string
				var n int64
				err := r.Scan(&s[0], &s[1], &s[2], &s[3], &n)
				fmt.Fprintln(&all, s, n)
				return struct{}{}, err
			})
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return all.String()
}

// TestOneThatKeepsChangingLeavesTheOthersTheirTurn has a scorecard judged beside one that is never done.
func TestOneThatKeepsChangingLeavesTheOthersTheirTurn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "all", component("a", "crew", c)+component("c", "crew"))
		b.judged()
		b.apply("default", "cards", ready)
		changes := 0
		change := func() {
			changes++
			b.apply("default", "first", strings.Replace(strings.Replace(ready, "name: ready", "name: first", 1), "docs.pages > 0", fmt.Sprintf("docs.pages > %d", changes), 1))
		}
		b.docs.asked = change
		step := func() {
			t.Helper()
			if _, err := b.Ledger.Seal(system()); err != nil {
				t.Fatal(err)
			}
			if _, err := b.step(system()); err != nil && !errors.Is(err, errChanged) {
				t.Fatal(err)
			}
		}
		change()
		const partsOfTwo = 6 // what changed, entities and results of each
		for range partsOfTwo {
			step()
		}
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built documented]", c: "silver [built documented]"})

		// What changes in the catalog is judged by the one that stays.
		b.docs.asked = nil
		b.judged()
		b.docs.asked = change
		b.apply("default", "all", component("a", "crew")+component("c", "crew"))
		step()
		b.docs.asked = nil
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built documented]", c: "bronze [used built documented]"})
		b.judged()
	})
}

// TestWhatCannotBeReadHoldsUpNothing else: neither docs of an entity, nor a scorecard that another release has taken.
func TestWhatCannotBeReadHoldsUpNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.docs.docs[a], b.docs.docs[c] = Documented{Pages: 1}, Documented{Pages: 1}
		b.apply("default", "cards", ready)
		b.apply("default", "other", strings.Replace(ready, "name: ready", "name: able", 1))
		b.apply("default", "all", component("a", "crew", c)+component("c", "crew"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built]", c: "silver [built]"})

		// The docs of c can't be read, and others have changed.
		b.docs.failed[c] = fault.Errorf(fault.Unavailable, "the docs are away")
		b.docs.docs[a], b.docs.docs[c] = Documented{}, Documented{}
		for _, site := range []string{a, c} {
			b.happens("docs.changed", "repository:x/y", nil, `{"site":"`+site+`"}`)
		}
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built documented]", c: "silver [built]"})
		standing := func(name string) string {
			t.Helper()
			list, err := b.Standings(system(), named(name), everything)
			if err != nil || len(list.Items) != 2 {
				t.Fatalf("%s has the standings %+v, %v", name, list, err)
			}
			return list.Items[1].Result.Errors["documented"]
		}
		if got := standing(c); got != "docs can't be read now; it is tried again" {
			t.Errorf("the result of c says %q", got)
		}
		before := b.dump()
		b.judged()
		if after := b.dump(); after != before {
			t.Errorf("judged again, it writes\n%s\nthat was\n%s", after, before)
		}
		delete(b.docs.failed, c)
		b.later(time.Hour)
		if err := b.day(system()); err != nil {
			t.Fatal(err)
		}
		if n, err := b.Queue.Work(system()); err != nil || n == 0 {
			t.Errorf("it is not tried again: %d jobs, %v", n, err)
		}
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built documented]", c: "silver [built documented]"})
		if got := standing(c); got != "" {
			t.Errorf("when its docs can be read, the result of c says %q", got)
		}

		// The first of two scorecards does not compile any more.
		spoil := func(from, to string) {
			t.Helper()
			if err := b.DB.Write(system(), func(tx *store.Tx) error {
				_, err := tx.Exec(system(), `UPDATE insight_scorecards SET spec = REPLACE(spec, $1, $2), generation = generation || 'x' WHERE ref = 'scorecard:default/able'`, from, to)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		wrong := func() string {
			t.Helper()
			o, err := b.Get(as("rita"), named("scorecard:default/able"), "")
			if err != nil || o.Counts.Entities != 2 {
				t.Errorf("it is %+v, %v", o, err)
			}
			return o.Error
		}
		spoil("docs.pages", "pages")
		b.apply("default", "all", component("a", "crew")+component("c", "crew"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used built documented]", c: "bronze [used built documented]"})
		if got := wrong(); !strings.Contains(got, "rule documented") || !strings.Contains(got, "apply the scorecard again") {
			t.Errorf("the scorecard says %q", got)
		}
		spoil("pages", "docs.pages")
		b.judged()
		if list, err := b.Standings(system(), named(c), everything); err != nil || len(list.Items) != 2 || list.Items[0].Result.Level != "bronze" {
			t.Errorf("when it compiles, it does not judge what has changed meanwhile: %+v, %v", list.Items, err)
		}
		if got := wrong(); got != "" {
			t.Errorf("when it compiles, the scorecard says %q", got)
		}
		spoil(`"levels"`, `levels`)
		b.judged()
		if got := wrong(); !strings.Contains(got, "apply it again") {
			t.Errorf("a scorecard that can't be read says %q", got)
		}
	})
}

// TestRunsOfOtherSpacesDoNotCount has an entity judged by what runs in its own space alone.
func TestRunsOfOtherSpacesDoNotCount(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.docs.docs[c] = Documented{Pages: 1}
		b.apply("default", "cards", ready)
		b.apply("shop", "shop", component("c", "crew"))
		b.apply("default", "all", component("a", "crew", c))
		ran := func(space string) {
			t.Helper()
			err := b.DB.Write(system(), func(tx *store.Tx) error {
				_, _, err := b.Runs.Create(system(), tx, run.New{Kind: "build", Space: space, Subject: c, Title: "build", Input: struct{}{}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			b.happens("run.state-changed", "run", []string{c}, `{"terminal":true}`)
			b.judged()
		}
		for _, space := range []string{"lab", "default"} {
			ran(space)
			b.want(system(), ResultQuery{Level: "silver"}, map[string]string{c: "silver [built]"})
		}
		ran("shop")
		b.want(system(), ResultQuery{Level: "gold"}, map[string]string{c: "gold []"})
	})
}

// TestANewRuleThatCannotBeAskedFails, for what was judged without it and now lifts nothing.
func TestANewRuleThatCannotBeAskedFails(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const documented = "    - {id: documented, level: gold, expression: docs.pages > 0}\n"
		const built = `runs.exists(r, r.kind == "build" && r.ended && now - r.finished < duration("720h"))`
		easy := strings.Replace(ready, built, "size(runs) == 0", 1)
		b.docs.docs[c] = Documented{Pages: 1}
		b.apply("default", "cards", strings.Replace(easy, documented, "", 1))
		b.apply("default", "all", component("a", "crew", c)+component("c", "crew"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [used]", c: "gold []"})

		// A rule comes while the docs can't be read: again, and in part.
		b.docs.failed[c] = fault.Errorf(fault.Unavailable, "the docs are away")
		b.apply("default", "cards", easy)
		b.apply("default", "cards", strings.Replace(easy, "title: Ready", "title: Very ready", 1))
		b.apply("default", "cards", strings.Replace(easy, `owner != ""`, `owner != "nobody"`, 1))
		b.judged()
		fails := map[string]string{a: "bronze [used documented]", c: "silver [documented]"}
		b.want(system(), ResultQuery{}, fails)
		again := func() {
			t.Helper()
			b.later(time.Hour)
			if err := b.day(system()); err != nil {
				t.Fatal(err)
			}
			b.judged()
		}
		again()
		b.want(system(), ResultQuery{}, fails)

		// What has passed it stays when other rules change, and not when it is another.
		delete(b.docs.failed, c)
		again()
		passes := map[string]string{a: "bronze [used documented]", c: "gold []"}
		b.want(system(), ResultQuery{}, passes)
		b.docs.failed[c] = fault.Errorf(fault.Unavailable, "the docs are away")
		b.apply("default", "cards", strings.Replace(easy, `owner != ""`, `owner != "none"`, 1))
		b.judged()
		b.want(system(), ResultQuery{}, passes)
		b.apply("default", "cards", strings.Replace(easy, "docs.pages > 0", "docs.pages > 9", 1))
		b.judged()
		b.want(system(), ResultQuery{}, fails)
	})
}
