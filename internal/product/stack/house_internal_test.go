package stack

import (
	"context"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// branches are repositories whose branches are all at one head.
type branches struct {
	Repositories
	head    string
	changed []string
	asked   func(ctx context.Context, repository string) error // as something is read of it; nil for nothing
}

func (b *branches) SpaceOf(ctx context.Context, repository string) (string, error) {
	if b.asked != nil {
		if err := b.asked(ctx, repository); err != nil {
			return "", err
		}
	}
	return access.Root, nil
}
func (b *branches) Head(context.Context, string, string) (string, error) { return b.head, nil }
func (b *branches) ChangedPaths(context.Context, string, string, string) ([]string, error) {
	return b.changed, nil
}
func (b *branches) ReadFiles(ctx context.Context, repository, _ string, _ []string, _ int64) (map[string][]byte, error) {
	if b.asked != nil {
		return nil, b.asked(ctx, repository)
	}
	return nil, nil
}
func (b *branches) Glob(context.Context, string, string, string) ([]string, error) { return nil, nil }
func (b *branches) IsAncestor(context.Context, string, string, string) (bool, error) {
	return true, nil
}
func (b *branches) Pusher(context.Context, string, string, string) (string, error) {
	return "user:default/otto", nil
}
func (b *branches) Pushers(context.Context, string, string, string, string) ([]string, bool, error) {
	return []string{"user:default/otto"}, true, nil
}
func (b *branches) CommitAt(context.Context, string, string) (git.Commit, error) {
	return git.Commit{}, nil
}

// ground is the room with those that it stands on, as far as runs are begun, and nothing is done.
type ground struct {
	*testing.T
	s   *Service
	ctx context.Context // the platform's
}

func eachGround(t *testing.T, outside Repositories, do func(g ground)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := storetest.Log(t)
		book := ledger.New(db, time.Now, log)
		rights := access.New(db, book, time.Now, log)
		do(ground{t, New(Deps{
			DB: db, Ledger: book, Queue: queue.New(db, log), Access: rights, Policy: policy.New(db, nil, rights, book, time.Now, log),
			Runs: run.NewService(run.Deps{DB: db, Ledger: book, Access: rights, Now: time.Now, Log: log}), Repositories: outside, Now: time.Now, Log: log,
		}), actor.AsSystem(t.Context())})
	}, run.Migrations(), Migrations(), ledger.Migrations(), queue.Migrations(), access.Migrations(), policy.Migrations())
}

// rows does something in a transaction.
func (g ground) rows(do func(r rows)) {
	g.Helper()
	if err := g.s.DB.Write(g.ctx, func(tx *store.Tx) error {
		do(rows{g.T, g.s, tx})
		return nil
	}); err != nil {
		g.Fatal(err)
	}
}

// says gives what the page of a stack says.
func (g ground) says(name string) string {
	g.Helper()
	o, err := g.s.Get(g.ctx, ref.New("stack", "default", name))
	if err != nil {
		g.Fatal(err)
	}
	return o.Message
}

// begun gives the runs of a stack.
func (g ground) begun(name string) (all []run.Run) {
	g.Helper()
	if err := g.s.DB.Read(g.ctx, func(tx *store.Tx) (err error) {
		page, err := g.s.Runs.ListTx(g.ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: ref.New("stack", "default", name).String(), Limit: 100})
		all = page.Runs
		return err
	}); err != nil {
		g.Fatal(err)
	}
	return all
}

// keeps has a run that was killed keep the locks of a stack, and gives what its page says of that.
func (g ground) keeps(name string) (said string) {
	g.Helper()
	g.rows(func(r rows) {
		stack, err := getStack(g.ctx, r.tx, ref.New("stack", "default", name), "")
		if err != nil {
			g.Fatal(err)
		}
		id := ref.NewID(ref.Run, time.Now())
		r.run(id, stack, Tracked, failed)
		r.step(id, "apply", "failed", 1, worker.Job{Kind: worker.KindCommand, Changes: true}, worker.Result{ExitCode: 137})
		r.exec("UPDATE runs SET lock_name = $2 WHERE id = $1", id, LockName(stack.Ref))
		killed, err := r.s.Runs.GetTx(g.ctx, r.tx, id)
		if err == nil {
			err = r.s.holdUnsaved(g.ctx, r.tx, killed)
		}
		if err != nil {
			g.Fatal(err)
		}
	})
	return g.says(name)
}
