package ledger_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// victimURL has this binary append to the database of that address until it is killed; see TestKilledServer.
const victimURL = "ROADBED_TEST_LEDGER_VICTIM"

func TestMain(m *testing.M) {
	if url := os.Getenv(victimURL); url != "" {
		fmt.Fprintln(os.Stderr, victim(url, os.Getenv(victimURL+"_NAME")))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// victim appends with several callers, tells each success on a line, and serves a subscriber.
func victim(url, name string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, url, storetest.Log(nil))
	if err != nil {
		return err
	}
	l := newLedger(nil, db)
	l.Subscribe("witness", nil, func(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
		return note(ctx, tx, "witness", e)
	})
	go l.Run(ctx)
	failed := make(chan error, 8)
	var print sync.Mutex
	for caller := range 8 {
		go func() {
			for i := 0; ; i++ {
				subject := fmt.Sprintf("%s/%d/%d", name, caller, i)
				err := db.Write(ctx, func(tx *store.Tx) error {
					_, err := l.Append(ctx, tx, ledger.Entry{Type: "thing.changed", Subject: subject, Refs: []string{"x"}})
					return err
				})
				if err != nil {
					failed <- err
					return
				}
				print.Lock()
				fmt.Println(subject)
				print.Unlock()
			}
		}()
	}
	return <-failed
}
