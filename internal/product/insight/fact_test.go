package insight

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const measured = `
apiVersion: roadbed.dev/v1
kind: Scorecard
metadata: {name: ready, title: Ready}
spec:
  filter: {kinds: [component]}
  levels: [{name: bronze}, {name: silver}, {name: gold}]
  rules:
    - {id: scanned, level: bronze, expression: 'findings.filter(f, f.severity == "critical").size() == 0 && findings.all(f, f.source == "scanner" && f.title != "" && now - f.at < duration("720h"))'}
    - {id: covered, level: silver, expression: '!("coverage" in metrics) ? false : metrics.coverage.value >= 80.0 && metrics.coverage.unit == "%"'}
    - {id: lately, level: gold, expression: 'metrics.?coverage.?value.orValue(0) > 80 && now - metrics["coverage"].at < duration("168h")'}
`

func (b *bench) metric(who context.Context, entity, name string, value float64) {
	b.t.Helper()
	if _, err := b.SetMetric(who, named(entity), Metric{Name: name, Value: value, Unit: "%"}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) found(who context.Context, entity, source string, all ...Finding) {
	b.t.Helper()
	if _, err := b.PushFindings(who, named(entity), source, all); err != nil {
		b.t.Fatal(err)
	}
}

// facts tells all that is kept of what was told.
func (b *bench) told(entity string) string {
	b.t.Helper()
	metrics, err := b.Metrics(system(), named(entity), everything)
	if err != nil {
		b.t.Fatal(err)
	}
	findings, err := b.Findings(system(), named(entity), FindingQuery{}, everything)
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, m := range metrics.Items {
		all = append(all, fmt.Sprint(m.Name, " ", m.Value, m.Unit))
	}
	for _, f := range findings.Items {
		all = append(all, fmt.Sprint(f.Severity, " ", f.Source, " ", f.ID))
	}
	return strings.Join(all, ", ")
}

var (
	hole  = Finding{ID: "CVE-1", Severity: "critical", Title: "A hole", URL: "https://example.com/1"}
	crack = Finding{ID: "CVE-2", Severity: "low", Title: "A crack"}
)

// TestWhatOutsideSystemsTellIsJudged soon, shown by its weight, told once by the ledger, and gone with its entity.
func TestWhatOutsideSystemsTellIsJudged(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		scanner := as("scanner")
		b.apply("default", "cards", measured)
		b.apply("shop", "shop", component("a", "crew")+component("c", "crew"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [covered lately]", c: "bronze [covered lately]"})

		b.metric(scanner, a, "coverage", 80)
		b.metric(scanner, a, "coverage", 81.5)
		b.metric(scanner, c, "coverage", 80)
		b.found(scanner, c, "scanner", hole, crack)
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "gold []", c: " [scanned lately]"})
		if got := b.told(c); got != "coverage 80%, critical scanner CVE-1, low scanner CVE-2" {
			t.Errorf("of c there is kept %q", got)
		}

		// The same again writes nothing and has nothing judged; the ledger tells of sets and names, not of each value.
		b.later(time.Hour)
		b.found(scanner, c, "scanner", crack, hole)
		if b.isDue(c) {
			t.Error("a set that is as before is judged again")
		}
		first, err := b.Findings(as("lea"), named(c), FindingQuery{}, page.Request{Limit: 1})
		if err != nil || len(first.Items) != 1 || first.Items[0].ID != "CVE-1" || first.Items[0].At.After(b.clock().Add(-time.Hour)) || first.Counts["low"] != 1 || first.Next == "" {
			t.Errorf("lea finds of c %+v, %v", first, err)
		}
		rest, err := b.Findings(as("lea"), named(c), FindingQuery{}, page.Request{Cursor: first.Next})
		if err != nil || len(rest.Items) != 1 || rest.Items[0].ID != "CVE-2" || rest.Next != "" {
			t.Errorf("then lea finds of c %+v, %v", rest, err)
		}
		if low, err := b.Findings(as("lea"), named(c), FindingQuery{Severity: "low", Source: "scanner"}, everything); err != nil || len(low.Items) != 1 || low.Counts["critical"] != 1 {
			t.Errorf("of low ones lea finds %+v, %v", low, err)
		}
		b.found(scanner, c, "scanner", crack)
		b.found(scanner, c, "other", crack)
		b.judged()
		b.want(system(), ResultQuery{Failing: "scanned"}, map[string]string{c: " [scanned lately]"}) // for the other source
		b.found(scanner, c, "other")
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "gold []", c: "silver [lately]"})
		for kind, want := range map[string]int{"findings.changed": 4, "metric.added": 1, "metric.removed": 0} {
			if n := b.entries(kind, c); n != want {
				t.Errorf("the ledger has %d entries %s, want %d", n, kind, want)
			}
		}

		// An older value changes nothing, a newer one does; one that is removed is judged without.
		old, err := b.SetMetric(scanner, named(a), Metric{Name: "coverage", Value: 1, At: b.clock().Add(-48 * time.Hour)})
		if err != nil || old.Value != 81.5 {
			t.Errorf("an older value gives %+v, %v", old, err)
		}
		if err := b.RemoveMetric(scanner, named(a), "coverage"); err != nil {
			t.Fatal(err)
		}
		if err := b.RemoveMetric(scanner, named(a), "coverage"); !fault.Is(err, fault.NotFound) {
			t.Errorf("removed again: %v", err)
		}
		b.judged()
		b.want(system(), ResultQuery{Failing: "covered"}, map[string]string{a: "bronze [covered lately]"})

		// What is gone takes what was told of it along, also when no scorecard looks.
		b.apply("shop", "shop", component("a", "crew"))
		b.judged()
		b.apply("default", "cards", "")
		b.metric(scanner, a, "coverage", 1)
		b.found(scanner, a, "scanner", hole)
		b.judged()
		b.apply("shop", "shop", "")
		b.judged()
		if left := b.kept(); left != 0 {
			t.Errorf("what is gone leaves %d rows", left)
		}
		b.apply("shop", "shop", component("a", "crew"))
		if got := b.told(a); got != "" {
			t.Errorf("when it comes again it has %q", got)
		}

		// So does what was told at the moment at which it went.
		b.metric(scanner, a, "coverage", 1)
		b.apply("shop", "shop", "")
		if err := b.DB.Write(system(), func(tx *store.Tx) error {
			var head int64
			head, _, err := b.Ledger.Head(system(), tx)
			if err != nil {
				return err
			}
			return setPosition(system(), tx, head)
		}); err != nil {
			t.Fatal(err)
		}
		if err := b.day(system()); err != nil {
			t.Fatal(err)
		}
		if left := b.kept(); left != 0 {
			t.Errorf("after a day what is gone leaves %d rows", left)
		}
	})
}

func (b *bench) kept() (rows int) {
	b.t.Helper()
	err := b.DB.Read(context.Background(), func(tx *store.Tx) error {
		return tx.QueryRow(context.Background(), `SELECT (SELECT COUNT(*) FROM insight_facts) + (SELECT COUNT(*) FROM insight_metrics) + (SELECT COUNT(*) FROM insight_findings)`).Scan(&rows)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return rows
}

func (b *bench) isDue(entity string) bool {
	b.t.Helper()
	var n int
	err := b.DB.Read(context.Background(), func(tx *store.Tx) error {
		return tx.QueryRow(context.Background(), `SELECT COUNT(*) FROM insight_due WHERE item = $1`, entity).Scan(&n)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n > 0
}

// TestNothingIsJudgedForWhatNoRuleAsks: a metric that is written each minute costs no judging then, and no entry.
func TestNothingIsJudgedForWhatNoRuleAsks(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "cards", ready)
		b.apply("shop", "shop", component("a", "crew"))
		b.judged()
		for i := range 5 {
			b.metric(as("scanner"), a, "latency", float64(i))
		}
		b.found(as("scanner"), a, "scanner", hole)
		if b.isDue(a) {
			t.Error("a is to be judged, and no rule asks for what has changed")
		}
		if n := b.entries("metric.added", a); n != 1 {
			t.Errorf("the ledger tells %d times of the metric", n)
		}
	})
}

// TestWhoMayTellWhat holds writers to their right, their space and, by the scopes of a token, to their own names; and readers to what
// they may see.
func TestWhoMayTellWhat(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apply("shop", "shop", component("a", "crew"))
		b.apply("lab", "lab", component("c", "crew"))
		const fine = fault.Internal // nobody is to get it
		narrowed := func(scopes ...string) context.Context {
			return actor.With(context.Background(), actor.Principal{ID: "pri_scanner", Kind: actor.User, Ref: named("user:default/scanner"), Scopes: scopes})
		}
		for _, x := range []struct {
			who             context.Context
			entity          string
			metric, finding fault.Kind
		}{
			{as("scanner"), a, fine, fine},
			{as("scanner"), c, fault.NotFound, fault.NotFound},
			{as("scanner"), d, fault.NotFound, fault.NotFound},
			{as("lea"), a, fault.Denied, fault.Denied}, // she reads there
			{as("lea"), c, fault.NotFound, fault.NotFound},
			{as("nobody"), a, fault.NotFound, fault.NotFound},
			{context.Background(), a, fault.Unauthenticated, fault.Unauthenticated},
			{narrowed("metric:write=coverage"), a, fine, fault.NotFound},
			{narrowed("metric:write=other", "finding:write=scanner"), a, fault.NotFound, fine},
			{narrowed("source:push", "entity:write"), a, fault.NotFound, fault.NotFound},
		} {
			is := func(err error, want fault.Kind) bool {
				return want == fine && err == nil || want != fine && err != nil && fault.Is(err, want)
			}
			if _, err := b.SetMetric(x.who, named(x.entity), Metric{Name: "coverage", Value: 1}); !is(err, x.metric) {
				t.Errorf("%v measures %s: %v", actor.From(x.who), x.entity, err)
			}
			if _, err := b.PushFindings(x.who, named(x.entity), "scanner", []Finding{hole}); !is(err, x.finding) {
				t.Errorf("%v finds of %s: %v", actor.From(x.who), x.entity, err)
			}
			if x.metric != fine {
				if err := b.RemoveMetric(x.who, named(x.entity), "coverage"); !is(err, x.metric) {
					t.Errorf("%v removes of %s: %v", actor.From(x.who), x.entity, err)
				}
			}
		}
		for who, want := range map[string]int{"lea": 1, "scanner": 0} {
			metrics, err := b.Metrics(as(who), named(a), everything)
			findings, worse := b.Findings(as(who), named(a), FindingQuery{}, everything)
			if len(metrics.Items) != want || len(findings.Items) != want || fault.Is(err, fault.NotFound) != (want == 0) || fault.Is(worse, fault.NotFound) != (want == 0) {
				t.Errorf("%s reads %+v, %v and %+v, %v", who, metrics, err, findings, worse)
			}
		}
		// What an entity has tells nobody who has not the space.
		b.found(system(), c, "scanner", hole)
		if _, err := b.Findings(as("lea"), named(c), FindingQuery{}, everything); !fault.Is(err, fault.NotFound) {
			t.Errorf("lea reads what was found of c: %v", err)
		}
	})
}

// TestWhatIsToldIsBounded in number and in size, with the place of what is wrong.
func TestWhatIsToldIsBounded(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "all", component("a", "crew"))
		long := strings.Repeat("x", maxFound+1)
		for message, m := range map[string]Metric{
			"not the name":    {Name: "a b"},
			"longer than":     {Name: "a", Unit: long},
			"control":         {Name: "a", Unit: "\x00"},
			"not an address":  {Name: "a", URL: "javascript:alert(1)"},
			"in the future":   {Name: "a", At: b.clock().Add(time.Hour)},
			"is before 1970":  {Name: "a", At: time.Unix(-1, 0).UTC()},
			"not the name of": {Name: strings.Repeat("x", 64)},
		} {
			if _, err := b.SetMetric(system(), named(a), m); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), message) {
				t.Errorf("%+v is taken: %v", m, err)
			}
		}
		wrong := []Finding{hole, {ID: "CVE-1", Severity: "bad", Title: long, URL: "ftp://x", At: b.clock().Add(time.Hour)}, {Title: "two\nlines", Severity: "low"}}
		_, err := b.PushFindings(system(), named(a), "scanner", wrong)
		var told []string
		for _, d := range fault.Details(err) {
			told = append(told, d.Field+" "+d.Message)
		}
		want := `findings.1.id "CVE-1" is there twice; findings.1.severity "bad" is none; findings.1.title is longer than 500 characters; findings.1.url "ftp://x" is not an address; ` +
			`findings.1.at is in the future; findings.2.id is missing; findings.2.title has control characters, or more than one line`
		if got := strings.Join(told, "; "); got != want || !fault.Is(err, fault.Invalid) {
			t.Errorf("of what is wrong it is said\n%s\nwant\n%s", got, want)
		}
		if _, err := b.PushFindings(system(), named(a), "my scanner", nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("a source of that name is taken: %v", err)
		}
		if got := b.told(a); got != "" {
			t.Errorf("what is wrong leaves %q", got)
		}

		for i := range MostMetrics {
			b.metric(system(), a, fmt.Sprint("m", i), 1)
		}
		if _, err := b.SetMetric(system(), named(a), Metric{Name: "more"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("one more than are kept: %v", err)
		}
		b.metric(system(), a, "m1", 2)
		many := make([]Finding, MostFindings+1)
		for i := range many {
			many[i] = Finding{ID: fmt.Sprint("F-", i), Severity: severities[i%len(severities)], Title: strings.Repeat("x", maxFound)}
		}
		if _, err := b.PushFindings(system(), named(a), "scanner", many); !fault.Is(err, fault.TooLarge) {
			t.Errorf("more than are kept: %v", err)
		}
		b.found(system(), a, "scanner", many[:MostFindings]...)
		if _, err := b.PushFindings(system(), named(a), "other", []Finding{hole}); !fault.Is(err, fault.Conflict) {
			t.Errorf("one more of another source: %v", err)
		}
		if counts, err := b.PushFindings(system(), named(a), "scanner", many[1:]); err != nil || counts["low"] != MostFindings/len(severities) {
			t.Errorf("another set of as many: %v, %v", counts, err)
		}

		// The rules that everybody writes can be asked of as many.
		b.apply("default", "cards", `
{apiVersion: roadbed.dev/v1, kind: Scorecard, metadata: {name: ready}, spec: {levels: [{name: gold}], filter: {kinds: [component]}, rules: [
  {id: none, level: gold, expression: 'findings.filter(f, f.severity == "critical").size() == 0'},
  {id: few, level: gold, expression: 'findings.filter(f, f.severity == "critical" || f.severity == "high").size() < 1000'}]}}`)
		b.judged()
		list, err := b.Standings(system(), named(a), everything)
		if err != nil || len(list.Items) != 1 || len(list.Items[0].Result.Errors) != 0 || strings.Join(list.Items[0].Result.Failed, " ") != "none" {
			t.Errorf("of a thousand findings it is said %+v, %v", list, err)
		}
	})
}
