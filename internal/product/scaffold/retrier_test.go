package scaffold_test

import (
	"context"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// with gives somebody who has presented a token.
func with(who, token string) context.Context {
	p := actor.From(accesstest.As(who))
	p.Token = token
	return actor.With(context.Background(), p)
}

// push commits a file to a repository.
func (b *bench) push(who context.Context, repository, name, content string) {
	b.t.Helper()
	parent, err := b.git.Resolve(who, repository, "")
	if fault.Is(err, fault.NotFound) {
		parent, err = "", nil
	}
	if err == nil {
		_, err = b.git.CommitFiles(who, repository, git.CommitRequest{
			Branch: "main", Parent: parent, Message: "push", Changes: []git.FileChange{{Path: name, Content: []byte(content)}},
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// mend pushes what a failing run misses.
func (b *bench) mend() {
	b.t.Helper()
	b.push(accesstest.As("alice"), "team/shop", "nosuch.yaml",
		"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: late}\nspec: {type: service, owner: x, lifecycle: y}\n")
}

// actors gives who made what, as the ledger has it: what is not sealed yet, too.
func (b *bench) actors(kind string) string {
	b.t.Helper()
	var all []string
	err := b.db.Read(context.Background(), func(tx *store.Tx) error {
		rows, err := tx.Query(context.Background(), "SELECT actor FROM ledger_entries WHERE type = $1 ORDER BY position", kind)
		all, err = store.Collect(rows, err, func(row store.Row) (who string, err error) {
			err = row.Scan(&who)
			return who, err
		})
		if err != nil || len(all) > 0 {
			return err
		}
		rows, err = tx.Query(context.Background(), "SELECT entry FROM ledger_pending ORDER BY number")
		pending, err := store.Collect(rows, err, func(row store.Row) (entry string, err error) {
			err = row.Scan(&entry)
			return entry, err
		})
		for _, entry := range pending {
			if strings.Contains(entry, `"`+kind+`"`) {
				for _, who := range []string{"alice", "bob"} {
					if id := actor.From(accesstest.As(who)).ID; strings.Contains(entry, `"`+id+`"`) {
						all = append(all, id)
					}
				}
			}
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestWhoeverContinuesARunActsByTheirOwnRights(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.library()
		b.template("default", map[string]string{"template.yaml": fetching, "skeleton/a.txt": "a"})
		d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
		b.mend()
		for _, scope := range []string{"run:*", "template:use"} {
			if err := b.runs.Retry(accesstest.As("bob", scope, "run:read"), d.Run.ID); !fault.Is(err, fault.Denied) {
				t.Errorf("with %s alone a run can be continued: %v", scope, err)
			}
		}
		step := actor.With(t.Context(), actor.Principal{ID: "stp_x", Kind: actor.Workload, Scopes: []string{"run:*", "template:use"}, Space: "default"})
		if err := b.runs.Retry(step, d.Run.ID); !fault.Is(err, fault.Denied) {
			t.Errorf("a step can continue a golden path: %v", err)
		}
		// What bob's token may not, the run may no more, though alice could.
		if err := b.runs.Retry(accesstest.As("bob", "run:*", "template:*", "repository:*", "entity:*"), d.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		if d = b.detail(d.Run.ID); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "location:write") {
			t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		if err := b.runs.Retry(accesstest.As("bob"), d.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.people.gone["alice"] = true // nobody asks for her
		b.drain()
		if d = b.detail(d.Run.ID); d.Run.State != "finished" {
			t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		alice, bob := actor.From(accesstest.As("alice")).ID, actor.From(accesstest.As("bob")).ID
		if got := b.actors("scaffold.made"); got != alice+" "+alice+" "+bob {
			t.Errorf("the ledger says that it was made by %s", got)
		}
		if got := b.actors("run.retried"); got != bob+" "+bob {
			t.Errorf("the ledger says that it was retried by %s", got)
		}
		if d.Run.Actor != alice {
			t.Errorf("the run was started by %s", d.Run.Actor)
		}
		for _, s := range d.Steps {
			p := make([]byte, 1<<10)
			n, _, _, err := b.runs.ReadLog(accesstest.As("adam"), d.Run.ID, s.ID, 0, 0, p)
			if told := strings.Contains(string(p[:n]), "works as user:default/bob, who continued the run"); err != nil || told != strings.Contains("register again second scaffold.outcome", s.Key) {
				t.Errorf("the log of %s is %q, %v", s.Key, p[:n], err)
			}
		}
	})
}

// A run works in somebody's name while they are there, and what they presented stands.
func TestARunEndsWithTheTokenThatItWorksBy(t *testing.T) {
	t.Parallel()
	for why, end := range map[string]func(p *people){
		"has ended": func(p *people) { p.ended["tok_1"] = true },
		"is gone":   func(p *people) { p.gone["alice"] = true },
	} {
		each(t, func(t *testing.T, b *bench) {
			b.template("default", serviceFiles)
			id, err := b.Start(with("alice", "tok_1"), scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
			if err != nil {
				t.Fatal(err)
			}
			end(b.people)
			b.drain()
			if d := b.detail(id); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, why) || !strings.Contains(d.Run.Reason, "nothing was made") {
				t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
			}
			// One who continues it ends with their token just so.
			if err := b.runs.Retry(with("bob", "tok_2"), id); err != nil {
				t.Fatal(err)
			}
			b.people.ended["tok_2"] = true
			b.drain()
			if d := b.detail(id); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "has ended; retry it with one of your own") {
				t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
			}
			if err := b.runs.Retry(with("bob", "tok_3"), id); err != nil {
				t.Fatal(err)
			}
			b.drain()
			if d := b.detail(id); d.Run.State != "finished" {
				t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
			}
		})
	}
}

func TestAnUndoEndsWithTheTokenThatItWorksBy(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", map[string]string{"template.yaml": failing, "skeleton/a.txt": "a"})
	d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
	if err := b.Undo(with("bob", "tok_1"), d.Run.ID); err != nil {
		t.Fatal(err)
	}
	b.people.ended["tok_1"] = true
	b.drain()
	if d = b.detail(d.Run.ID); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "has ended") {
		t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
	}
	b.file("team/shop", "a.txt")
}

// fetching reads another repository before it fails, and once more when it goes on.
var fetching = strings.Replace(failing, "  output:\n", `    - id: again
      action: fetch:plain
      input: {url: 'https://roadbed.test/git/lib/parts/tree/main', targetPath: later}
    - id: second
      action: publish:roadbed
      input: {repoUrl: 'roadbed?owner=team&repo=second', sourcePath: later}
  output:
`, 1)

func TestWhatIsPushedMeanwhileDoesNotGetIntoARunThatGoesOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.library()
		b.template("default", map[string]string{"template.yaml": strings.Replace(fetching, "url: ./skeleton", "url: /git/lib/parts", 1)})
		d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
		b.push(accesstest.As("bob"), "lib/parts", "a.txt", "bad")
		b.mend()
		if err := b.runs.Retry(accesstest.As("alice"), d.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		if d = b.detail(d.Run.ID); d.Run.State != "finished" {
			t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		if got := b.file("team/second", "a.txt"); got != "good" {
			t.Errorf("what was pushed after the run had read there is published: %q", got)
		}
		// A new run reads what is there now.
		b.push(accesstest.As("alice"), "team/shop", "x", "x")
		if got, err := b.DryRun(accesstest.As("alice"), scaffold.DryRun{Template: "service", Values: map[string]any{"name": "third"}}); err != nil || len(got.Files) == 0 || string(got.Files[0].Content) != "bad" {
			t.Errorf("a dry run now gives %+v, %v", got, err)
		}
	})
}

// library makes the repository from which others are made.
func (b *bench) library() {
	b.t.Helper()
	if _, err := b.git.Create(accesstest.As("bob"), repository.NewRepository{Space: "default", Namespace: "lib", Name: "parts"}); err != nil {
		b.t.Fatal(err)
	}
	b.push(accesstest.As("bob"), "lib/parts", "a.txt", "good")
	b.faults.count = 0
}

func TestAnotherRepositoryOfTheNameDoesNotGetIntoARunThatGoesOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.library()
		b.template("default", map[string]string{"template.yaml": strings.Replace(fetching, "url: ./skeleton", "url: /git/lib/parts", 1)})
		d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
		if err := b.git.Purge(actor.AsSystem(t.Context()), "lib/parts"); err != nil {
			t.Fatal(err)
		}
		b.library()
		b.mend()
		if err := b.runs.Retry(accesstest.As("alice"), d.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		if d = b.detail(d.Run.ID); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "lib/parts is another one than the run has read before") {
			t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
	})
}
