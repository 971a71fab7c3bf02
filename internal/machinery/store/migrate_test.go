package store_test

import (
	"context"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// Several servers may start on one database at the same time, and again later.
func TestMigrateTogetherAndAgain(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	var group sync.WaitGroup
	for range 4 {
		db := storetest.Open(t, url)
		group.Go(func() {
			for range 2 {
				if err := db.Migrate(context.Background(), things(), values()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := count(t, storetest.Open(t, url)); got != 0 {
		t.Errorf("%d rows", got)
	}
}
