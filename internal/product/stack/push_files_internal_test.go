package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// changes is a repository of which it is known only what its commits change.
type changes struct {
	Repositories
	of  map[string][]string // by the older commit
	why error
}

func (c *changes) SpaceOf(context.Context, string) (string, error) { return "default", nil }
func (c *changes) Head(context.Context, string, string) (string, error) {
	return "new", nil
}
func (c *changes) Pusher(context.Context, string, string, string) (string, error) {
	return "pri_a", nil
}
func (c *changes) Pushers(context.Context, string, string, string, string) ([]string, bool, error) {
	return []string{"pri_a"}, true, nil
}

func (c *changes) ReadFiles(context.Context, string, string, []string, int64) (map[string][]byte, error) {
	return nil, nil
}

func (c *changes) CommitAt(context.Context, string, string) (git.Commit, error) {
	return git.Commit{Parents: []string{"parent"}}, nil
}

func (c *changes) ChangedPaths(_ context.Context, _, from, _ string) ([]string, error) {
	if c.why != nil {
		return nil, c.why
	}
	paths, known := c.of[from]
	if !known {
		return nil, fault.Errorf(fault.NotFound, "compare %s: it is not in the repository", from)
	}
	return slices.Clone(paths), nil
}

// TestAPolicyLeavesOutNoPushForWhatItCouldNotSee: what can't be read is read again, and of many files all are shown.
func TestAPolicyLeavesOutNoPushForWhatItCouldNotSee(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := actor.AsSystem(t.Context())
		log := storetest.Log(t)
		blobs, err := blob.OpenFiles(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		book := ledger.New(db, time.Now, log)
		rights := access.New(db, book, time.Now, log)
		policies := policy.New(db, blobs, rights, book, time.Now, log)
		files := &changes{}
		s := &Service{Deps: Deps{DB: db, Runs: &run.Service{}, Repositories: files, Now: time.Now, Ledger: book, Access: rights, Policy: policies, Blob: blobs}}
		var net Stack
		inRows(t, db, func(r rows) {
			r.stack("net", "default", `{"watch":["modules/**"]}`)
			r.exec("UPDATE stacks SET seen = 'old' WHERE ref = 'stack:default/net'")
			r.exec(`INSERT INTO policy_policies (ref, space, point, rego, version, description, disabled, attached, source)
 VALUES ('policy:default/p', 'default', 'push', $1, '1', '', 0, '{}', '')`, `package spacelift
track { affected }
ignore { not affected }
fail { input.push.affected_files[_] == "never" }
message = sprintf("%d files", [count(input.push.affected_files)]) { true }
affected { startswith(input.push.affected_files[_], "infra/") }
`)
		})
		read := func() {
			t.Helper()
			err := db.Read(ctx, func(tx *store.Tx) (err error) {
				net, err = getStack(ctx, tx, ref.New("stack", "default", "net"), "")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		one := func(query string, into any) {
			t.Helper()
			if err := db.Read(ctx, func(tx *store.Tx) error { return tx.QueryRow(ctx, query).Scan(into) }); err != nil {
				t.Fatal(err)
			}
		}
		decisions := func() (n int) {
			t.Helper()
			one("SELECT count(*) FROM policy_decisions", &n)
			return n
		}
		says := func() (said string) {
			t.Helper()
			one("SELECT message FROM stacks", &said)
			return said
		}

		for _, kind := range []fault.Kind{fault.Unavailable, fault.Internal} {
			files.why = fault.Errorf(kind, "it does not answer")
			if err := s.reconcile(ctx, "stack:default/net"); !fault.Is(err, kind) {
				t.Errorf("with files that can't be read (%s) the look gives %v", kind, err)
			}
		}
		if read(); net.Seen != "old" || decisions() != 0 {
			t.Errorf("the stack has seen %q, by %d decisions, though nobody knows what the push changes", net.Seen, decisions())
		}
		files.why, files.of = nil, map[string][]string{"old": {"docs/a.md"}}
		if err := s.reconcile(ctx, "stack:default/net"); err != nil {
			t.Fatal(err)
		}
		if read(); net.Seen != "new" || decisions() != 1 || says() != "1 files" {
			t.Errorf("when they can be read it has seen %q, by %d decisions, and says %q", net.Seen, decisions(), says())
		}

		others := make([]string, 0, 120_000)
		for i := range cap(others) {
			others = append(others, fmt.Sprintf("a/%06d", i))
		}
		with := func(n int, more ...string) []string { return append(slices.Clone(others[:n]), more...) }
		net.Path = "net"
		for name, c := range map[string]struct {
			old       string
			of        map[string][]string
			kind      string
			fails     bool
			asked     int
			says, not string
		}{
			"few":                       {"old", map[string][]string{"old": with(10)}, "", false, 1, "10 files", "leave out"},
			"one part":                  {"old", map[string][]string{"old": with(9_999, "infra/x")}, Tracked, false, 1, "10000 files", "leave out"},
			"in the last part":          {"old", map[string][]string{"old": with(25_000, "infra/x")}, Tracked, false, 3, "5001 files", "leave out"},
			"in no part":                {"old", map[string][]string{"old": with(25_000)}, "", false, 3, "10000 files", "leave out"},
			"fails in the second part":  {"old", map[string][]string{"old": with(15_000, "never")}, "", true, 2, "5001 files", "leave out"},
			"more than are shown":       {"old", map[string][]string{"old": with(120_000, "infra/x")}, "", false, 10, "push policies leave out this push, but it changes 120001 files, and policies have seen 100000 of them; if the others matter here, begin a run with `roadbed stack apply default/net`; 10000 files", "-"},
			"after a commit that went":  {"gone", map[string][]string{repository.Zero: with(10, "infra/x")}, Tracked, false, 1, "11 files", "leave out"},
			"after none":                {repository.Zero, map[string][]string{"parent": {"infra/x"}}, Tracked, false, 1, "1 files", "leave out"},
			"what it watches is before": {"old", map[string][]string{"old": with(15_000, "infra/x", "modules/y", "net/z")}, Tracked, false, 2, "5003 files", "leave out"},
		} {
			files.of = c.of
			before := decisions()
			e, err := s.effectOf(ctx, net, pushArgs{Ref: "refs/heads/main", Old: c.old, New: "new"}, nil, effect{})
			if err != nil || e.kind() != c.kind || e.Fail != c.fails || decisions()-before != c.asked || !strings.Contains(e.Message, c.says) || strings.Contains(e.Message, c.not) {
				t.Errorf("%s: %+v, %v, after %d questions", name, e, err, decisions()-before)
			}
		}
		files.of = map[string][]string{"old": with(15_000, "infra/x", "modules/y", "net/z")}
		if first, err := s.affected(ctx, net, pushArgs{Old: "old", New: "new"}); err != nil || !slices.Equal(first.part(0)[:3], []string{"modules/y", "net/z", "a/000000"}) {
			t.Errorf("the first are %q, %v", first.files[:3], err)
		}
		files.why = fault.Errorf(fault.TooLarge, "too many")
		e, err := s.effectOf(ctx, net, pushArgs{Proposal: 3, Old: "old", New: "new"}, &ProposalFacts{State: "open"}, effect{Propose: true})
		if err != nil || e.kind() != "" || !strings.Contains(e.Message, "leave out this head of the proposal, but nobody can tell which files it changes") || !strings.Contains(e.Message, "say /roadbed plan -stack default/net") {
			t.Errorf("of more than can be told: %+v, %v", e, err)
		}
	}, run.Migrations(), Migrations(), ledger.Migrations(), access.Migrations(), policy.Migrations())
}
