package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv("QUEUE_TEST_CHILD"); url != "" {
		child(url)
	}
	os.Exit(m.Run())
}

// child inserts notes and does them, until it is killed.
func child(url string) {
	ctx := context.Background()
	db, err := store.Open(ctx, url, quiet())
	if err != nil {
		panic(err)
	}
	// Each life of the server is an hour after the one before, so that the leases of the killed have ended.
	round, _ := strconv.Atoi(os.Getenv("QUEUE_TEST_ROUND"))
	q := queue.NewAt(db, func() time.Time { return time.Now().Add(time.Duration(round) * time.Hour) }, quiet())
	handleNotes(q, db, func() { fmt.Println("did") })
	go q.Run(ctx)
	for i := round * 1_000_000; ; i++ {
		err := db.Write(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO notes (text) VALUES ($1)`, strconv.Itoa(i)); err != nil {
				return err
			}
			return q.Insert(ctx, tx, "note", note{strconv.Itoa(i)}, queue.InsertOptions{Unique: strconv.Itoa(i % 7)})
		})
		if err != nil {
			panic(err)
		}
	}
}

// handleNotes is level-triggered: a job makes all notes done that there are.
func handleNotes(q *queue.Queue, db *store.DB, told func()) {
	queue.Handle(q, "note", queue.HandleOptions{}, func(ctx context.Context, n note) error {
		err := db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE notes SET done = done + 1 WHERE done = 0`)
			return err
		})
		told()
		return err
	})
}

func notes() store.Migrations {
	return store.Migrations{Room: "notes", FS: os.DirFS("testdata")}
}

func TestKilledInTheMiddleOfJobs(t *testing.T) {
	t.Parallel()
	crash := func(t *testing.T, url string) {
		db := storetest.Open(t, url, queue.Migrations(), notes())
		const rounds = 4
		for round := range rounds {
			kill(t, url, round, 1+rand.IntN(40))
		}
		q := queue.NewAt(db, func() time.Time { return time.Now().Add(rounds * time.Hour) }, storetest.Log(t))
		handleNotes(q, db, func() {})
		if _, err := q.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		count(t, db, queue.Counts{})
		var open, all int
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT SUM(CASE WHEN done = 0 THEN 1 ELSE 0 END), COUNT(*) FROM notes`).Scan(&open, &all)
		})
		if err != nil || open != 0 || all == 0 {
			t.Errorf("%d of %d notes were lost, %v", open, all, err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		crash(t, "sqlite:"+filepath.Join(t.TempDir(), "crash.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		crash(t, storetest.PostgresURL(t))
	})
}

func kill(t *testing.T, url string, round, after int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "QUEUE_TEST_CHILD="+url, "QUEUE_TEST_ROUND="+strconv.Itoa(round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	r := bufio.NewReader(out)
	for range after {
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
}
