package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func insert(ctx context.Context, tx *store.Tx, id string) error {
	_, err := tx.Exec(ctx, "INSERT INTO things (id, name) VALUES ($1, $2)", id, "name of "+id)
	return err
}

func count(t *testing.T, db *store.DB) int {
	t.Helper()
	var n int
	ctx := context.Background()
	err := db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT COUNT(*) FROM things").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Many write at the same time; those that return an error, panic, break a constraint or are cancelled
// leave nothing, and all others everything.
func TestOneWritersMisfortuneIsItsOwn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		refused := errors.New("refused")
		good, ends := 0, map[string]func(context.CancelFunc) error{
			"error":  func(context.CancelFunc) error { return refused },
			"panic":  func(context.CancelFunc) error { panic("at the disco") },
			"cancel": func(cancel context.CancelFunc) error { cancel(); return nil },
			"good":   func(context.CancelFunc) error { return nil },
		}
		var group sync.WaitGroup
		for i := range 60 {
			for name, end := range ends {
				if name == "good" {
					good++
				}
				group.Go(func() {
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					defer func() {
						if p := recover(); (p != nil) != (name == "panic") {
							t.Errorf("%s: panic = %v", name, p)
						}
					}()
					err := db.Write(ctx, func(tx *store.Tx) error {
						if err := insert(ctx, tx, fmt.Sprintf("%s-%d", name, i)); err != nil {
							return err
						}
						return end(cancel)
					})
					if (err == nil) != (name == "good") {
						t.Errorf("%s: error = %v", name, err)
					}
				})
			}
		}
		group.Wait()
		if got := count(t, db); got != good {
			t.Errorf("%d rows, want %d", got, good)
		}
	}, things())
}

func TestEndOfGoroutineInsideWrite(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		var group sync.WaitGroup
		group.Go(func() {
			db.Write(ctx, func(tx *store.Tx) error {
				insert(ctx, tx, "lost")
				(&testing.T{}).SkipNow() // ends the goroutine, as t.Fatal does
				return nil
			})
		})
		group.Wait()
		if err := db.Write(ctx, func(tx *store.Tx) error { return insert(ctx, tx, "kept") }); err != nil {
			t.Fatal(err)
		}
		if got := count(t, db); got != 1 {
			t.Errorf("%d rows, want 1", got)
		}
	}, things())
}

func TestWriteInsideWriteIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Write(ctx, func(tx *store.Tx) error {
			tx.OnCommit(func() {
				if err := db.Write(ctx, func(*store.Tx) error { return nil }); err == nil {
					t.Error("a hook could write")
				}
			})
			return db.Write(ctx, func(*store.Tx) error { t.Error("the inner function ran"); return nil })
		})
		if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "already inside a Write") {
			t.Errorf("error = %v", err)
		}
		// In another goroutine it is no nesting.
		if err := db.Write(ctx, func(*store.Tx) error { return nil }); err != nil {
			t.Errorf("the next Write: %v", err)
		}
	}, things())
}

func TestReadInsideWriteSeesItsChanges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Write(ctx, func(tx *store.Tx) error {
			if err := insert(ctx, tx, "a"); err != nil {
				return err
			}
			if got := count(t, db); got != 1 {
				t.Errorf("inside: %d rows, want 1", got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}, things())
}

func TestReadIsASnapshot(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Read(ctx, func(tx *store.Tx) error {
			before := count(t, db)
			if err := db.Write(ctx, func(tx *store.Tx) error { return insert(ctx, tx, "a") }); err != nil {
				return err
			}
			if after := count(t, db); before != 0 || after != 0 {
				t.Errorf("rows before %d, after %d; want none in this snapshot", before, after)
			}
			_, err := tx.Exec(ctx, "DELETE FROM things")
			return err
		})
		if err == nil {
			t.Error("a Read could delete")
		}
		if got := count(t, db); got != 1 {
			t.Errorf("%d rows, want 1", got)
		}
	}, things())
}

// Read never waits for the writer, not even for one that holds its turn.
func TestReadWhileWriting(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		inside, leave := make(chan struct{}), make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			err := db.Write(ctx, func(tx *store.Tx) error {
				err := insert(ctx, tx, "a")
				close(inside)
				<-leave
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-inside
		if got := count(t, db); got != 0 {
			t.Errorf("%d rows before the commit", got)
		}
		close(leave)
		group.Wait()
		if got := count(t, db); got != 1 {
			t.Errorf("%d rows after the commit", got)
		}
	}, things())
}

func TestWriteThatWaitsCanBeCancelled(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, things())
	ctx := context.Background()
	inside, leave := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		db.Write(ctx, func(tx *store.Tx) error {
			close(inside)
			<-leave
			return nil
		})
	})
	<-inside
	late, cancel := context.WithCancel(ctx)
	result := make(chan error, 1)
	group.Go(func() {
		result <- db.Write(late, func(tx *store.Tx) error { t.Error("the cancelled function ran"); return nil })
	})
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	close(leave)
	group.Wait()
	if err := db.Write(ctx, func(tx *store.Tx) error { return insert(ctx, tx, "a") }); err != nil {
		t.Error(err)
	}
}

func TestNoCommitWaitsForALongWriteThatCameLater(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, things())
	begun, leave, before := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	write := func(ctx context.Context, fn func()) {
		if err := db.Write(ctx, func(*store.Tx) error { fn(); return nil }); err != nil {
			t.Error(err)
		}
	}
	all.Go(func() { write(t.Context(), func() { close(begun); <-leave }) })
	<-begun
	all.Go(func() { write(t.Context(), func() {}); close(before) })
	for db.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	late := time.AfterFunc(20*time.Second, func() { panic("a commit waits for a long write that came later") })
	defer late.Stop()
	all.Go(func() { write(store.Long(t.Context()), func() { <-before }) })
	for db.Stats().Waiting < 2 {
		runtime.Gosched()
	}
	close(leave)
	all.Wait()
}

func TestThoseThatWaitForALongWriteShareItsCommit(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t, things())
	before := db.Stats().Commits
	var all sync.WaitGroup
	begun := make(chan struct{})
	all.Go(func() {
		err := db.Write(store.Long(t.Context()), func(*store.Tx) error {
			close(begun)
			for db.Stats().Waiting < 3 {
				runtime.Gosched()
			}
			<-time.After(50 * time.Millisecond) // longer than a commit waits for others otherwise
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	for range 3 {
		all.Go(func() {
			if err := db.Write(t.Context(), func(*store.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := db.Stats().Commits - before; n != 1 {
		t.Errorf("there were %d commits", n)
	}
}

func TestHooksRunInOrderAfterTheCommitOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		var ran []int
		db.Write(ctx, func(tx *store.Tx) error {
			tx.OnCommit(func() { t.Error("the hook of an undone transaction ran") })
			return errors.New("no")
		})
		err := db.Write(ctx, func(tx *store.Tx) error {
			for i := range 3 {
				tx.OnCommit(func() { ran = append(ran, i) })
			}
			tx.OnCommit(func() { panic("a bad hook") })
			tx.OnCommit(func() { ran = append(ran, 3) })
			return insert(ctx, tx, "a")
		})
		if err != nil || fmt.Sprint(ran) != "[0 1 2 3]" {
			t.Errorf("hooks = %v, error = %v", ran, err)
		}
	}, things())
}

func TestCallsAfterClose(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		var group sync.WaitGroup
		for range 50 { // whatever is under way ends with or without success, but ends
			group.Go(func() {
				for i := range 20 {
					err := db.Write(ctx, func(tx *store.Tx) error { _, err := tx.Exec(ctx, "DELETE FROM things"); return err })
					if err == nil {
						err = db.Read(ctx, func(tx *store.Tx) error { _, err := tx.Exec(ctx, "SELECT 1"); return err })
					}
					if err != nil && !fault.Is(err, fault.Unavailable) {
						t.Errorf("%d: error = %v", i, err)
					}
				}
			})
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		group.Wait()
		if err := db.Write(ctx, func(*store.Tx) error { return nil }); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Write after Close: %v", err)
		}
		if err := db.Read(ctx, func(*store.Tx) error { return nil }); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Read after Close: %v", err)
		}
	}, things())
}
