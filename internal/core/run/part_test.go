package run_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// marked is the kind of these tests with traits: its steps are marks, and "over" is one of runs that have ended.
func marked() run.Kind {
	k := kind()
	k.Name = "marked"
	k.Traits = func(r run.Run) run.Traits {
		var p plan
		if json.Unmarshal(r.Input, &p) != nil {
			return run.Traits{}
		}
		t := run.Traits{Marks: append([]string{"no mark"}, p.Steps...), Text: "Of " + p.Output}
		if r.Terminal {
			t.Marks = append(t.Marks, "over")
		}
		return t
	}
	return k
}

// TestRunsAreListedByTheirPlaceAndTraits, counted within what the reader may see.
func TestRunsAreListedByTheirPlaceAndTraits(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		b.runs.Register(marked())
		subjects := []run.Of{{Space: "default", Subject: "stack:default/a"}, {Space: "default", Subject: "stack:far/b"}, {Space: "other", Subject: "stack:default/a"}}
		var ids []string
		for i := range 12 {
			of := subjects[i%3]
			p := plan{WakeAfter: time.Hour, Output: fmt.Sprintf("Ä%d", i)}
			if p.Steps = []string{"even"}; i%2 == 1 {
				p.Steps = []string{"Odd", "x%"}
			}
			err := b.db.Write(b.ctx, func(tx *store.Tx) error {
				r, _, err := b.runs.Create(b.ctx, tx, run.New{
					Kind: "marked", Space: of.Space, Subject: of.Subject, Title: "run", Input: p, Actor: fmt.Sprint("usr_", i%4), Lock: of.Space + of.Subject, Source: run.Source{Commit: fmt.Sprintf("%03d", i)},
				})
				ids = append(ids, r.ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range []int{4, 11} {
			if err := b.runs.Cancel(b.ctx, ids[i]); err != nil {
				t.Fatal(err)
			}
		}
		has := func(marks ...string) [][]run.Choice { return [][]run.Choice{{{Has: marks}}} }
		for name, c := range map[string]struct {
			more run.More
			want int
		}{
			"all": {run.More{}, 12}, "a mark": {run.More{Any: has("Odd")}, 6}, "of another case": {run.More{Any: has("odd")}, 0}, "a part of one": {run.More{Any: has("x")}, 0},
			"two": {run.More{Any: has("Odd", "x%")}, 6}, "with a space": {run.More{Any: has("no mark")}, 0}, "none": {run.More{Any: [][]run.Choice{{}}}, 0},
			"not": {run.More{Any: [][]run.Choice{{{Not: []string{"Odd"}}}}}, 6}, "either": {run.More{Any: [][]run.Choice{{{Has: []string{"Odd"}}, {States: []string{"canceled"}}}}}, 7},
			"both":  {run.More{Any: [][]run.Choice{{{Has: []string{"Odd"}}}, {{Has: []string{"over"}}}}}, 1},
			"names": {run.More{Names: []string{"b"}}, 4}, "no names": {run.More{Names: []string{}}, 0}, "actors": {run.More{Actors: func(w *store.Where, column string) string { return w.In(column, []string{"usr_1", "usr_9"}) }}, 3},
			"commit": {run.More{Beginning: "00"}, 10}, "a wild commit": {run.More{Beginning: "%"}, 0}, "text": {run.More{Texts: []string{"oF ä1"}}, 3}, "one of texts": {run.More{Texts: []string{"ä3", "ä4"}}, 2},
			"what no database keeps": {run.More{Texts: []string{"\x00"}, Beginning: "\xff"}, 12},
		} {
			list, total, err := b.runs.Part(b.ctx, run.Query{Kinds: []string{"marked"}, More: c.more}, page.Place{Limit: 20})
			if err != nil || len(list) != c.want || total != c.want {
				t.Errorf("%s: %d of %d, %v; want %d", name, len(list), total, err, c.want)
			}
		}
		list, total, err := b.runs.Part(b.ctx, run.Query{}, page.Place{Offset: 5, Limit: 2})
		if err != nil || total != 12 || len(list) != 2 || list[0].Run.ID != ids[6] || list[1].Run.ID != ids[5] {
			t.Errorf("from the fifth: %+v of %d, %v", list, total, err)
		}
		if n, err := b.runs.Count(b.ctx, run.Query{Open: true}); err != nil || n != 10 {
			t.Errorf("%d are open, %v", n, err)
		}

		world := accesstest.New(t, b.db, b.access)
		world.Space("other", "default")
		world.User("rita")
		world.User("mallory")
		world.Bind("reader", "other", "user:default/rita")
		reader, nobody := accesstest.As("rita"), accesstest.As("mallory")
		if n, err := b.runs.Count(reader, run.Query{}); err != nil || n != 4 {
			t.Errorf("a reader of one space counts %d, %v", n, err)
		}
		if n, err := b.runs.Count(nobody, run.Query{}); err != nil || n != 0 {
			t.Errorf("who may read nothing counts %d, %v", n, err)
		}

		err = db.Read(b.ctx, func(tx *store.Tx) error {
			newest, err := b.runs.EndTx(b.ctx, tx, append(subjects, run.Of{Space: "none", Subject: "stack:default/a"}), run.Query{More: run.More{Any: has("even")}}, true)
			if err != nil || len(newest) != 3 || newest[subjects[0]].ID != ids[6] || newest[subjects[1]].ID != ids[10] || newest[subjects[2]].ID != ids[8] {
				t.Errorf("the newest are %+v, %v", newest, err)
			}
			oldest, err := b.runs.EndTx(b.ctx, tx, subjects[1:2], run.Query{Kinds: []string{"marked"}, States: []string{"canceled"}}, false)
			if err != nil || len(oldest) != 1 || oldest[subjects[1]].ID != ids[4] {
				t.Errorf("the oldest is %+v, %v", oldest, err)
			}
			holders, err := b.runs.HoldersTx(b.ctx, tx, []string{"defaultstack:default/a", "nobody's"})
			if err != nil || len(holders) != 1 || holders["defaultstack:default/a"].ID != ids[0] {
				t.Errorf("the holders are %+v, %v", holders, err)
			}
			counts, err := b.runs.CountsTx(b.ctx, tx, "marked", subjects)
			if err != nil || counts[subjects[0]] != 4 || counts[subjects[2]] != 4 {
				t.Errorf("the counts are %v, %v", counts, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}, rooms()...)
}
