package delivery_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pipelineKind is a run whose one step waits for nobody; it stands for product/workflow.
var pipelineKind = run.Kind{
	Name: "pipeline", Initial: "running", States: map[string]run.State{"running": {Next: []string{"done"}}, "done": {Terminal: true}},
	Advance: func(*run.View) error { return nil },
}

// pipeline starts a run of a commit and gives a function that has it commit an image's digest.
func (b *bench) pipeline(repository, commit string) func(file, image, digest string) worker.Result {
	b.t.Helper()
	var r run.Run
	b.write(func(tx *store.Tx) (err error) {
		r, _, err = b.runs.Create(actor.AsSystem(b.t.Context()), tx, run.New{
			Kind: "pipeline", Space: "default", Source: run.Source{Repository: repository, Commit: commit, Ref: "refs/heads/main"},
		})
		return err
	})
	return func(file, image, digest string) worker.Result {
		b.t.Helper()
		args, _ := json.Marshal(map[string]string{"file": file, "image": image, "digest": digest})
		input, _ := json.Marshal(map[string]json.RawMessage{"args": args})
		result, err := b.DeployImage(actor.AsSystem(b.t.Context()), worker.Lease{Run: r.ID, Job: worker.Job{Input: input}}, &b.logs)
		if err != nil {
			b.t.Fatal(err)
		}
		return result
	}
}

func (b *bench) head(repository string) string {
	b.t.Helper()
	head, err := b.git.Platform().Head(b.t.Context(), repository, "main")
	if err != nil {
		b.t.Fatal(err)
	}
	return head
}

func (b *bench) file(repository, path string) string {
	b.t.Helper()
	data, err := b.git.Platform().ReadFile(b.t.Context(), repository, b.head(repository), path, 1<<20)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func digest(of string) string { return "sha256:" + strings.Repeat(of, 64) }

func TestTheDigestOfAPipelineIsCommittedAsThePlatform(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.runs.Register(pipelineKind)
		b.repository("default", "team/shop")
		text := "# kept as it is\n" + strings.Replace(web("shop.test", "1", ""), "team/shop:1", "team/shop:unbuilt", 1)
		first := b.commit("alice", "team/shop", map[string]string{"deploy/web.yaml": text})
		deploy := b.pipeline("team/shop", first)
		done := deploy("deploy/web.yaml", "team/shop", digest("a"))
		head := b.head("team/shop")
		if done.ExitCode != 0 || done.Outputs["commit"] != head || head == first {
			t.Fatalf("result = %+v, head %s", done, head)
		}
		if want := strings.Replace(text, "shop:unbuilt", "shop@"+digest("a"), 1); b.file("team/shop", "deploy/web.yaml") != want {
			t.Errorf("the file is\n%s\nwant\n%s", b.file("team/shop", "deploy/web.yaml"), want)
		}
		own, err := b.git.Platform().IsPlatformCommit(t.Context(), "team/shop", head)
		if err != nil || !own {
			t.Errorf("the commit counts as a person's, so that it would start a pipeline: %v", err)
		}
		var pushes []ledger.Entry
		err = b.db.Read(t.Context(), func(tx *store.Tx) error {
			if b.db.Dialect() == store.Postgres {
				return nil // it is sealed later
			}
			pushes, err = b.ledger.List(t.Context(), tx, ledger.Query{Types: []string{"repository.pushed"}, Limit: 10})
			return err
		})
		if err != nil || b.db.Dialect() == store.SQLite && (len(pushes) != 2 || !strings.Contains(string(pushes[1].Data), `"platform":true`) || strings.Contains(string(pushes[0].Data), `"platform":true`)) {
			t.Errorf("pushes = %+v, %v", pushes, err)
		}

		// Once more, as after a crash: nothing is committed twice.
		if again := deploy("deploy/web.yaml", "registry.local/team/shop", digest("a")); again.ExitCode != 0 || again.Outputs["commit"] != head || b.head("team/shop") != head {
			t.Errorf("again = %+v, head %s", again, b.head("team/shop"))
		}
	})
}

func TestAnOlderPipelineDoesNotUndoANewerOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.runs.Register(pipelineKind)
		b.repository("default", "team/shop")
		text := strings.Replace(web("shop.test", "1", ""), "team/shop:1", "team/shop:unbuilt", 1)
		older := b.pipeline("team/shop", b.commit("alice", "team/shop", map[string]string{"deploy/web.yaml": text}))
		newer := b.pipeline("team/shop", b.commit("alice", "team/shop", map[string]string{"main.go": "package main"}))
		if late := older("deploy/web.yaml", "team/shop", digest("a")); late.ExitCode != 0 || late.Message != "a newer commit is there" {
			t.Errorf("late = %+v", late)
		}
		if done := newer("deploy/web.yaml", "team/shop", digest("b")); done.ExitCode != 0 || done.Outputs["commit"] != b.head("team/shop") {
			t.Errorf("done = %+v", done)
		}
		// Now the head is the platform's own commit, but on top of the newer one.
		if late := older("deploy/web.yaml", "team/shop", digest("a")); late.ExitCode != 0 || late.Message != "a newer commit is there" {
			t.Errorf("later still = %+v", late)
		}
		if text := b.file("team/shop", "deploy/web.yaml"); !strings.Contains(text, digest("b")) {
			t.Errorf("the older image is back: %s", text)
		}
	})
}

func TestAWrongImageIsRefusedBeforeAnythingIsCommitted(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.runs.Register(pipelineKind)
	b.repository("default", "team/shop")
	first := b.commit("alice", "team/shop", map[string]string{"deploy/web.yaml": settings("a", "red")})
	deploy := b.pipeline("team/shop", first)
	for _, c := range []struct{ file, image, digest, says string }{
		{"deploy/web.yaml", "team/shop", "latest", "must be sha256: and 64"},
		{"deploy/web.yaml", "Team", digest("a"), "must be NAMESPACE/NAME"},
		{"../x.yaml", "team/shop", digest("a"), "must be a path within"},
		{"..", "team/shop", digest("a"), "must be a path within"},
		{"/etc/passwd", "team/shop", digest("a"), "must be a path within"},
		{"deploy//web.yaml", "team/shop", digest("a"), "must be a path within"},
		{"deploy/none.yaml", "team/shop", digest("a"), "read deploy/none.yaml"},
		{"deploy/web.yaml", "team/shop", digest("a"), "names no image registry.local/team/shop; add it"},
	} {
		if got := deploy(c.file, c.image, c.digest); got.ExitCode != 1 || !strings.Contains(got.Message, c.says) {
			t.Errorf("%v gives %+v; want %q", c, got, c.says)
		}
	}
	if b.head("team/shop") != first {
		t.Error("something was committed")
	}
	errorWith(t, delivery.CheckDeployImage(json.RawMessage(`{"file": "a.yaml", "imago": "x"}`)), fault.Invalid, "takes file, image and digest")
	errorWith(t, delivery.CheckDeployImage(json.RawMessage(`{"file": "a.yaml", "image": "team/shop", "digest": "latest"}`)), fault.Invalid, "64 hexadecimal digits")
	if err := delivery.CheckDeployImage(json.RawMessage(`{"file": "a.yaml", "image": "team/shop", "digest": "{{tasks.pack.outputs.parameters.digest}}"}`)); err != nil {
		t.Error(err)
	}
}
