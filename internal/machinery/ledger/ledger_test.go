package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestAppendIsSealedInOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		ctx := actor.With(context.Background(), actor.Principal{ID: "pri_x", Kind: actor.Workload, Run: "run_x"})
		ctx = ledger.WithCause(ctx, "led_cause")
		err := db.Write(ctx, func(tx *store.Tx) error {
			for _, subject := range []string{"a", "b", "c"} {
				if _, err := l.Append(ctx, tx, ledger.Entry{Type: "run.created", Subject: subject, Space: "default",
					Data: json.RawMessage(`{ "x":  1 }`)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		sealed(t, l)
		entries := list(t, db, l, ledger.Query{})
		if len(entries) != 3 {
			t.Fatalf("%d entries, want 3", len(entries))
		}
		var previous []byte
		for i, e := range entries {
			if e.Position != int64(i+1) || e.Subject != string(rune('a'+i)) || !bytes.Equal(e.Previous, previous) {
				t.Errorf("entry %d is %+v", i+1, e)
			}
			if e.Actor != "pri_x" || e.Run != "run_x" || e.Cause != "led_cause" || string(e.Data) != `{"x":1}` {
				t.Errorf("entry %d lacks what the context knows: %+v", i+1, e)
			}
			previous = e.Hash
		}
	})
}

func TestUndoneChangeLeavesNoEntry(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		ctx := context.Background()
		refused := fault.Errorf(fault.Denied, "no")
		err := db.Write(ctx, func(tx *store.Tx) error {
			if _, err := l.Append(ctx, tx, ledger.Entry{Type: "thing.changed"}); err != nil {
				return err
			}
			return refused
		})
		if !fault.Is(err, fault.Denied) {
			t.Fatalf("error = %v", err)
		}
		sealed(t, l)
		if got := list(t, db, l, ledger.Query{}); len(got) != 0 {
			t.Errorf("the ledger has %d entries of a change that was undone", len(got))
		}
	})
}

func TestAppendRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		ctx := context.Background()
		for name, c := range map[string]struct {
			entry ledger.Entry
			kind  fault.Kind
		}{
			"data":    {ledger.Entry{Type: "thing.changed", Data: json.RawMessage(`"` + strings.Repeat("x", ledger.MaxData) + `"`)}, fault.TooLarge},
			"refs":    {ledger.Entry{Type: "thing.changed", Refs: make([]string, ledger.MaxRefs+1)}, fault.TooLarge},
			"subject": {ledger.Entry{Type: "thing.changed", Subject: strings.Repeat("x", 2000)}, fault.TooLarge},
			"type":    {ledger.Entry{Type: "Thing"}, fault.Internal},
			"json":    {ledger.Entry{Type: "thing.changed", Data: json.RawMessage(`{`)}, fault.Internal},
		} {
			err := db.Write(ctx, func(tx *store.Tx) error {
				_, err := l.Append(ctx, tx, c.entry)
				return err
			})
			if !fault.Is(err, c.kind) {
				t.Errorf("%s: error = %v, want %v", name, err, c.kind)
			}
		}
	})
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		appendAll(t, db, l,
			ledger.Entry{Type: "run.created", Subject: "run_1", Run: "run_1", Space: "a", Actor: "pri_1", Refs: []string{"stack:default/x"}},
			ledger.Entry{Type: "run.ended", Subject: "run_1", Run: "run_1", Space: "a", Actor: "system"},
			ledger.Entry{Type: "runner.added", Subject: "stack:default/x", Space: "b", Actor: "pri_1"},
			ledger.Entry{Type: "stack.applied", Subject: "stack:default/x", Space: "", Actor: "pri_2", Refs: []string{"stack:default/x", "run_1"}},
		)
		sealed(t, l)
		for name, c := range map[string]struct {
			query ledger.Query
			want  []int64
		}{
			"all":        {ledger.Query{}, []int64{1, 2, 3, 4}},
			"descending": {ledger.Query{Descending: true, Limit: 2}, []int64{4, 3}},
			"between":    {ledger.Query{After: 1, Before: 4}, []int64{2, 3}},
			"exact type": {ledger.Query{Types: []string{"run.created", "stack.applied"}}, []int64{1, 4}},
			"prefix":     {ledger.Query{Types: []string{"run."}}, []int64{1, 2}},
			"ref":        {ledger.Query{Ref: "stack:default/x"}, []int64{1, 3, 4}},
			"ref newest": {ledger.Query{Ref: "stack:default/x", Descending: true, Limit: 1}, []int64{4}},
			"run":        {ledger.Query{Run: "run_1"}, []int64{1, 2}},
			"actor":      {ledger.Query{Actor: "pri_1"}, []int64{1, 3}},
			"system":     {ledger.Query{Actor: "system"}, []int64{2}},
			"spaces":     {ledger.Query{Spaces: []string{"b", ""}}, []int64{3, 4}},
			"no space":   {ledger.Query{Spaces: []string{}}, nil},
			"since":      {ledger.Query{Since: time.Now().Add(time.Hour)}, nil},
		} {
			var got []int64
			for _, e := range list(t, db, l, c.query) {
				got = append(got, e.Position)
			}
			if len(got) != len(c.want) {
				t.Errorf("%s: positions %v, want %v", name, got, c.want)
				continue
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%s: positions %v, want %v", name, got, c.want)
					break
				}
			}
		}
	})
}

func TestWaitReturnsWhenSomethingIsSealed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *store.DB) {
		l := newLedger(t, db)
		start(t, l)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for i := range 20 {
			done := make(chan error, 1)
			go func() { done <- l.Wait(ctx, int64(i)) }()
			appendAll(t, db, l, numbered(i, 1)...)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got := list(t, db, l, ledger.Query{After: int64(i)}); len(got) != 1 {
				t.Fatalf("after Wait %d there are %d new entries, want 1", i, len(got))
			}
		}
		cancel()
		if err := l.Wait(ctx, 1000); !fault.Is(err, fault.Canceled) {
			t.Errorf("Wait with an ended context: %v", err)
		}
	})
}
