package stack

import (
	"fmt"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// TestWhatFailsOftenIsToldOnceAnHour for the same reason, and no type of a space has more told than its share.
func TestWhatFailsOftenIsToldOnceAnHour(t *testing.T) {
	t.Parallel()
	for _, kind := range troubleTypes() {
		if what := troubleOf(kind); what.what == "" || what.severity != "ERROR" && what.severity != "WARNING" {
			t.Errorf("%s says %+v", kind, what)
		}
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := time.Date(2026, 11, 30, 3, 10, 0, 0, time.UTC)
		s := &Service{Deps: Deps{DB: db, Now: func() time.Time { return now }}}
		why := "no answer"
		fresh := func(space, kind, subject string) (is bool) {
			t.Helper()
			err := db.Write(t.Context(), func(tx *store.Tx) (err error) {
				is, err = s.isFresh(t.Context(), tx, troubleArgs{Space: space, Type: kind, Subject: subject, Why: why})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return is
		}
		if !fresh("lab", "webhook.failed", "webhook:default/a") || fresh("lab", "webhook.failed", "webhook:default/a") || !fresh("lab", "location.failed", "webhook:default/a") {
			t.Error("it is not told once")
		}
		why = "refused"
		if !fresh("lab", "webhook.failed", "webhook:default/a") || fresh("lab", "webhook.failed", "webhook:default/a") {
			t.Error("another reason is not told once")
		}
		told := 2
		for i := range 100 {
			if fresh("lab", "webhook.failed", fmt.Sprintf("webhook:default/b-%d", i)) {
				told++
			}
		}
		if told != mostTroubles {
			t.Errorf("of one type of a space %d are told", told)
		}
		if !fresh("lab", "policy.failed", "policy:default/a") {
			t.Error("another type has no share")
		}
		if !fresh("default", "webhook.failed", "webhook:default/c") {
			t.Error("another space has no share")
		}
		now = now.Add(time.Hour)
		if !fresh("lab", "webhook.failed", "webhook:default/a") {
			t.Error("it is not told in the next hour")
		}
		now = now.Add(stale + 2*time.Hour)
		fresh("lab", "webhook.failed", "webhook:default/a")
		var kept int
		if err := db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), "SELECT count(*) FROM stack_troubles").Scan(&kept)
		}); err != nil || kept != 1 {
			t.Errorf("%d are kept, %v", kept, err)
		}
	}, Migrations())
}
