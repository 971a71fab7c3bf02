package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

func TestNotifyWakesAfterTheCommit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		wake, stop := db.Listen("things")
		_ = db.Write(ctx, func(tx *store.Tx) error {
			db.Notify(tx, "things")
			return errors.New("undone")
		})
		if err := db.Write(ctx, func(tx *store.Tx) error {
			db.Notify(tx, "things")
			return insert(ctx, tx, "a")
		}); err != nil {
			t.Fatal(err)
		}
		<-wake
		if got := count(t, db); got != 1 {
			t.Errorf("%d rows after the wake, want 1", got)
		}
		stop()
		stop()
	}, things())
}
