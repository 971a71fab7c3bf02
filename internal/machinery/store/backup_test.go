package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestBackupWhileWriting(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, things())
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var written atomic.Int64
	started := make(chan struct{})
	group.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			// Two rows in one transaction: a copy has both or none.
			err := db.Write(context.Background(), func(tx *store.Tx) error {
				if err := insert(context.Background(), tx, fmt.Sprintf("a%d", i)); err != nil {
					return err
				}
				return insert(context.Background(), tx, fmt.Sprintf("b%d", i))
			})
			if err != nil {
				t.Error(err)
				return
			}
			if written.Add(1) == 50 {
				close(started)
			}
		}
	})
	<-started
	path := filepath.Join(t.TempDir(), "copy.db")
	before := written.Load()
	err := db.Backup(context.Background(), path)
	cancel()
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the copy: %v %v", info, err)
	}
	copied := storetest.Open(t, "sqlite:"+path, things())
	if got := count(t, copied); got%2 != 0 || int64(got) < 2*before {
		t.Errorf("the copy has %d rows; want an even number of at least %d", got, 2*before)
	}
	if err := db.Backup(context.Background(), path); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second backup to the same file: %v", err)
	}
	left, _ := filepath.Glob(path + ".part*")
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

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
