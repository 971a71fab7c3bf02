package catalog

import (
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
)

// What is asked for once is done at once, and what is asked for thousands of times is done once in each pause.
func TestAPaceIsKept(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_000_000, 0)
	p := pace{pause: 30 * time.Second}
	for i, c := range []struct{ now, at time.Duration }{
		{0, 0}, {time.Second, 30 * time.Second}, {2 * time.Second, 30 * time.Second}, {29 * time.Second, 30 * time.Second},
		{30 * time.Second, time.Minute}, {59 * time.Second, time.Minute}, {5 * time.Minute, 5 * time.Minute}, {5*time.Minute + 1, 5*time.Minute + 30*time.Second},
	} {
		if at := p.next(start.Add(c.now)).Sub(start); at != c.at {
			t.Errorf("%d: what is asked for after %s is done after %s, want %s", i, c.now, at, c.at)
		}
	}
}

// Files that named a repository before it was there, or before their space could read it, are read again.
func TestWhatBringsNewPages(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]bool{
		"repository.connected {}": true, "repository.restored {}": true, "repository.transferred {}": true,
		`repository.changed {"remote":"acme/store"}`: true, `repository.changed {"archived":true}`: false, "repository.pushed {}": false, "repository.deleted {}": false,
	} {
		for i := range what {
			if what[i] == ' ' {
				got, err := hasNewPage(ledger.Entry{Type: what[:i], Data: []byte(what[i:])})
				if err != nil || got != want {
					t.Errorf("%s: %v, %v", what, got, err)
				}
				break
			}
		}
	}
}
