package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// A server is killed (kill -9) at some point of its work, several times over. What it had told to be done is
// in the ledger, the ledger is whole, and after the restart the subscriber has seen each entry once, in order.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/roadbed.db" },
		"postgres": func(t testing.TB) string { return storetest.PostgresURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := open(t)
			db := storetest.Open(t, url, ledger.Migrations(), seenRows())
			var told []string
			for life := range 6 {
				told = append(told, killAfter(t, url, fmt.Sprint(life), 1+life*life*40)...)
			}
			l := newLedger(t, db)
			l.Subscribe("witness", nil, func(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
				return note(ctx, tx, "witness", e)
			})
			sealed(t, l)
			start(t, l)
			subjects := map[string]bool{}
			var after int64
			for {
				page := list(t, db, l, ledger.Query{After: after, Limit: 1000})
				if len(page) == 0 {
					break
				}
				for _, e := range page {
					subjects[e.Subject], after = true, e.Position
				}
			}
			for _, s := range told {
				if !subjects[s] {
					t.Fatalf("%s was told to be done and is not in the ledger", s)
				}
			}
			waitSeen(t, db, "witness", int(after))
			for i, s := range seenBy(t, db, "witness") {
				if s.position != int64(i+1) {
					t.Fatalf("the subscriber saw position %d as number %d", s.position, i+1)
				}
			}
			if report, err := ledger.Verify(context.Background(), db); err != nil || report.Broken != nil || report.Head < after {
				t.Fatalf("verify: %+v %+v %v", report, report.Broken, err)
			}
		})
	}
}

// killAfter starts a server, kills it once it has told of so many entries, and gives all of which it told.
func killAfter(t *testing.T, url, name string, lines int) (told []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), victimURL+"="+url, victimURL+"_NAME="+name)
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(out)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
		told = append(told, strings.TrimSuffix(line, "\n"))
		if len(told) == lines {
			if err := command.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = command.Wait() // it was killed
	if len(told) < lines {
		t.Fatalf("the server told of %d entries, want %d: %s", len(told), lines, problems.String())
	}
	return told
}
