package stack

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// TestWhatIsOutsideIsWaitedForSomeDays has nobody mark it, and then somebody who is late.
func TestWhatIsOutsideIsWaitedForSomeDays(t *testing.T) {
	t.Parallel()
	k := Kind()
	begun := time.Unix(1000, 123456789).UTC()
	end := func(from time.Time) time.Time { return store.FromMicros(store.Micros(from.Add(externalLife))) } // as it is kept
	v := run.NewView(k, run.Run{ID: "run_1", Lock: "stack:x", Input: json.RawMessage(`{"type": "tracked", "stack": "stack:default/net", "external": ["image", "chart"]}`)}, begun)
	advance := func() {
		t.Helper()
		for range 3 {
			if v.Run.Terminal {
				return
			}
			if err := k.Advance(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	said := func(name, status string) {
		t.Helper()
		settleExternal(v, map[string]External{name: {Name: name, Status: status, Marked: v.Now}})
		advance()
	}
	advance()
	said("image", MarkSkipped)
	if v.Run.State != queued || k.Turn(v) != run.TurnAside || !v.Run.Wake.Equal(end(begun)) {
		t.Fatalf("it is %s, at turn %d until %s", v.Run.State, k.Turn(v), v.Run.Wake)
	}
	v.Now = begun.Add(externalLife - time.Second)
	if advance(); v.Run.State != queued {
		t.Fatalf("before its time is over it is %s", v.Run.State)
	}
	v.Now = begun.Add(externalLife)
	if advance(); v.Run.State != failed || v.Run.Reason != "nobody marked chart within 7 days; retry it to wait anew" {
		t.Fatalf("after a week it is %s: %s", v.Run.State, v.Run.Reason)
	}
	said("chart", MarkFinished)
	if v.Run.State != failed {
		t.Fatalf("what is said too late makes it %s", v.Run.State)
	}
	if err := k.Retry(v); err != nil {
		t.Fatal(err)
	}
	advance()
	if v.Run.State != queued || !v.Run.Wake.Equal(end(v.Now)) {
		t.Fatalf("retried, it is %s until %s", v.Run.State, v.Run.Wake)
	}
	said("chart", MarkFinished)
	if v.Run.State != queued || k.Turn(v) != run.TurnTakes || !v.Run.Wake.IsZero() {
		t.Fatalf("with all of it, it is %s at turn %d, until %s", v.Run.State, k.Turn(v), v.Run.Wake)
	}
	supersede(v, "run_2")
	if advance(); v.Run.State != canceled || !strings.Contains(v.Run.Reason, "run run_2, which was begun after it") {
		t.Fatalf("superseded before its turn it is %s: %s", v.Run.State, v.Run.Reason)
	}
	if err := k.Retry(v); err != nil {
		t.Fatal(err)
	}
	v.Locked = true
	if advance(); v.Run.State != planning {
		t.Errorf("whoever retries it all the same has it %s: %s", v.Run.State, v.Run.Reason)
	}
}
