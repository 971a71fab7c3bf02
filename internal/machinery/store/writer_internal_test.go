package store

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Long writes that wait when the writer is stopped are served, each of which the one before has held.
func TestTheStopServesAllLongWrites(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "roadbed.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const longs = 5
	var all sync.WaitGroup
	begun, stopped := make(chan struct{}), make(chan struct{})
	all.Go(func() {
		err := db.Write(ctx, func(*Tx) error {
			close(begun)
			<-stopped
			<-time.After(2 * groupTime) // so that none of them joins its commit
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	for range longs {
		all.Go(func() {
			if err := db.Write(Long(ctx), func(*Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	for db.Stats().Waiting < longs {
		runtime.Gosched()
	}
	all.Go(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	<-db.engine.(*lite).writer.quit
	close(stopped)
	all.Wait()
}

// What follows upon a commit goes before a long write that waits, but not for ever.
func TestALongWriteLetsPassWhatFollows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		time, most time.Duration
		want       string
	}{
		{"in time", time.Minute, time.Hour, "[long followed next long]"},
		{"too late", time.Minute, 0, "[long followed long next]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			db, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "roadbed.db"), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			w := db.engine.(*lite).writer
			w.followTime, w.followMost = c.time, c.most
			var order []string // of the writer's, one after another
			write := func(ctx context.Context, name string, wait func()) {
				err := db.Write(ctx, func(*Tx) error {
					wait()
					order = append(order, name)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
			wait := func(n int64) func() {
				return func() {
					for db.Stats().Waiting < n {
						runtime.Gosched()
					}
				}
			}
			none := func() {}
			second := make(chan struct{})
			var all sync.WaitGroup
			begun := make(chan struct{})
			all.Go(func() {
				write(Long(ctx), "long", func() {
					close(begun)
					wait(2)() // the two below
				})
			})
			<-begun
			all.Go(func() {
				write(Followed(ctx), "followed", none)
				if c.most == 0 {
					<-second
				}
				write(ctx, "next", none)
			})
			wait(1)()
			all.Go(func() {
				write(Long(ctx), "long", none)
				close(second)
			})
			all.Wait()
			if got := fmt.Sprint(order); got != c.want {
				t.Errorf("they were written as %s, want %s", got, c.want)
			}
		})
	}
}

// What goes ahead is written before those that came earlier, and is committed before any of them begins.
func TestWhatGoesAheadIsWrittenAndCommittedFirst(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "roadbed.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all sync.WaitGroup
	begun, ahead := make(chan struct{}), make(chan struct{})
	write := func(ctx context.Context, fn func()) {
		if err := db.Write(ctx, func(*Tx) error { fn(); return nil }); err != nil {
			t.Error(err)
		}
	}
	waits := func(n int64) {
		for db.Stats().Waiting < n {
			runtime.Gosched()
		}
	}
	all.Go(func() {
		write(ctx, func() {
			close(begun)
			waits(4)
		})
	})
	<-begun
	for _, ctx := range []context.Context{ctx, ctx, Long(ctx)} {
		all.Go(func() {
			write(ctx, func() {
				select {
				case <-ahead:
				case <-time.After(10 * time.Second):
					t.Error("it is written before what goes ahead is committed")
				}
			})
		})
	}
	waits(3)
	all.Go(func() {
		write(Ahead(ctx), func() {})
		close(ahead)
	})
	all.Wait()
}
