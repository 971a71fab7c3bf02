package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// waiting is a workflow that waits for a person and then does a step.
const waiting = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: waits}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: ask, template: ask}
        - - {name: go, template: go}
    - name: ask
      suspend: {}
    - name: go
      container: {image: busybox, command: [sh, -c], args: ["echo went on"]}
`

// largeFile is a file of Git LFS, largeOID its name.
const (
	largeFile = "large"
	largeOID  = "d35c416a85b807e9b5384915d6ebb4a9f7352713efd89857b45a242f473728a9"
)

// eachDatabase runs a story on a new database of each kind, given as the option has it.
func eachDatabase(t *testing.T, story func(t *testing.T, database string)) {
	t.Helper()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			story(t, newDatabase(t, kind))
		})
	}
}

// newDatabase gives the address of a database without any rows. A server makes its tables in it, save on PostgreSQL, where
// that takes seconds: there they are copies.
func newDatabase(t *testing.T, kind string) string {
	t.Helper()
	if kind == "postgres" {
		return storetest.PostgresURL(t, Migrations()...)
	}
	return emptyDatabase(t, kind)
}

// emptyDatabase gives the address of a database without tables.
func emptyDatabase(t *testing.T, kind string) string {
	t.Helper()
	if kind == "postgres" {
		return storetest.PostgresURL(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), databaseName)
}

// typed runs a verb of the program and gives what it says.
func typed(t *testing.T, verb *cobra.Command, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	verb.SilenceUsage, verb.SilenceErrors = true, true
	verb.SetOut(&out)
	verb.SetErr(io.Discard)
	verb.SetArgs(args)
	err := verb.ExecuteContext(t.Context())
	return out.String(), err
}

// TestABackupOfARunningServerGoesOn restores a backup that was made while the server ran, into a database of either
// kind, and continues a workflow and a stack's run that waited for a person.
func TestABackupOfARunningServerGoesOn(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database = database
		h, server := openWith(t, o)
		api := client.New(server.URL, h.Options.AdminToken)
		started, err := client.Post[client.RunDetail](t.Context(), api, "/workflows/runs", map[string]string{"document": waiting})
		if err != nil {
			t.Fatal(err)
		}
		until(t, api, started.ID, func(r client.RunDetail) bool { return r.Waiting })
		other := waitingStack(t, h, api)
		system := actor.AsSystem(t.Context())
		if _, err := h.Repositories.Create(system, repository.NewRepository{Name: "shop"}); err != nil {
			t.Fatal(err)
		}
		if err := h.Repositories.PutLarge(system, "default/shop", largeOID, int64(len(largeFile)), strings.NewReader(largeFile)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "backup.tar.gz")
		out, err := typed(t, backupCommand("test"), file, "--data", h.Options.Data, "--database", database)
		if err != nil {
			t.Fatal(err)
		}
		var files int
		if _, err := fmt.Sscanf(out, "wrote "+file+": %d files. It holds the key of the secrets", &files); err != nil || files < 5 {
			t.Errorf("it says %q: %v", out, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others can read the backup: %v, %v", info, err)
		}
		for _, kind := range []string{"sqlite", "postgres"} {
			o := h.Options
			o.Data, o.Database = filepath.Join(t.TempDir(), "restored"), emptyDatabase(t, kind)
			continues(t, o, file, files, started.ID, other)
		}
		// The first server's runs are where they were.
		for _, id := range []string{started.ID, other} {
			if id == "" {
				continue
			}
			if r := until(t, api, id, func(client.RunDetail) bool { return true }); !r.Waiting {
				t.Errorf("the first server's run is %s", r.State)
			}
		}
	})
}

// continues restores a backup and brings its waiting runs to their ends; the stack's is "" where there is no engine.
func continues(t *testing.T, o Options, file string, files int, workflow, stack string) {
	t.Helper()
	restore := func(data string) (string, error) {
		return typed(t, restoreCommand("test"), file, "--data", data, "--database", o.Database)
	}
	want := fmt.Sprintf("restored %d files to %s; start the server with --data %s", files, o.Data, o.Data)
	if !strings.HasPrefix(o.Database, "sqlite:") {
		want += " and the same --database"
	}
	if out, err := restore(o.Data); err != nil || out != want+"\n" {
		t.Fatalf("it says %q, %v; want %q", out, err, want)
	}
	if out, err := restore(o.Data); !fault.Is(err, fault.Conflict) || out != "" {
		t.Errorf("a backup restored over what is there: %q, %v", out, err)
	}
	if out, err := restore(filepath.Join(t.TempDir(), "other")); !fault.Is(err, fault.Conflict) || out != "" {
		t.Errorf("a backup restored into a database that is not empty: %q, %v", out, err)
	}
	h, server := openWith(t, o)
	large, _, err := h.Repositories.OpenLarge(actor.AsSystem(t.Context()), "default/shop", largeOID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(large); err != nil || string(got) != largeFile {
		t.Errorf("the restored file of Git LFS is %q, %v", got, err)
	}
	large.Close()
	api := client.New(server.URL, o.AdminToken)
	for id, verb := range map[string]string{workflow: "approve", stack: "confirm"} {
		if id == "" {
			continue
		}
		r := until(t, api, id, func(r client.RunDetail) bool { return r.Waiting })
		if len(r.Can) == 0 {
			t.Fatalf("nothing can be done with the restored run: %+v", r)
		}
		if _, err := client.Post[client.RunDetail](t.Context(), api, "/runs/"+id+"/"+verb, nil); err != nil {
			t.Fatal(err)
		}
		r = until(t, api, id, func(r client.RunDetail) bool { return r.Terminal })
		if r.State != "succeeded" && r.State != "finished" {
			t.Errorf("the restored run ended as %s: %s", r.State, r.Reason)
		}
	}
	report, err := ledger.Verify(t.Context(), h.DB)
	if err != nil || report.Broken != nil {
		t.Errorf("the restored ledger: %+v, %v", report.Broken, err)
	}
}

// waitingStack has somebody bring a stack, whose run waits for the administrator; "" where there is no engine.
func waitingStack(t *testing.T, h *House, api *client.Client) string {
	t.Helper()
	if h.engine.path() == "" {
		return ""
	}
	people := strings.ReplaceAll(townPeople, "role: developer", "role: admin")
	const document = `apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: shop-infra}
spec:
  owner: group:default/crew
  source: {repository: crew/shop, branch: main, path: infra}
  variables: {name: shop}
`
	if _, err := client.Post[client.Repository](t.Context(), api, "/repositories", map[string]string{"namespace": "crew", "name": "shop"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Post[client.List[client.Applied]](t.Context(), api, "/apply", map[string]any{"documents": people, "source": "test"}); err != nil {
		t.Fatal(err)
	}
	token, err := client.Post[client.NewToken](t.Context(), api, "/tokens", map[string]any{"name": "test", "owner": "user:default/alice"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "infra", "main.tf"), lightInfra)
	w := &town{alice: client.New(api.URL, token.Secret)}
	// All of it is Alice's, so that the administrator may confirm it.
	if _, err := client.Post[client.List[client.Applied]](t.Context(), w.alice, "/apply", map[string]any{"documents": document, "source": "test"}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"commit", "--quiet", "--message", "infrastructure"},
		{"push", "--quiet", api.URL + "/git/crew/shop.git", "main"},
	} {
		if _, err := w.git(t.Context(), w.alice, dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	commit, err := w.git(t.Context(), w.alice, dir, "rev-parse", "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.find(t.Context(), "stack", "stack:default/shop-infra", commit)
	if err != nil {
		t.Fatal(err)
	}
	until(t, api, id, func(r client.RunDetail) bool { return r.Waiting || r.Terminal })
	return id
}

// until follows a run until it is as wanted.
func until(t *testing.T, api *client.Client, id string, wanted func(client.RunDetail) bool) (last client.RunDetail) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	err := api.Follow(ctx, "/runs/"+id+"/events", nil, func(e client.Event) (bool, error) {
		var r client.RunDetail
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return false, err
		}
		last = r
		return wanted(r), nil
	})
	if err != nil {
		t.Fatalf("the run does not get there: %v; it is %s: %s", err, last.State, last.Reason)
	}
	return last
}

func TestStatesAreRefusedWithoutAStack(t *testing.T) {
	t.Parallel()
	h, server := open(t)
	for _, method := range []string{http.MethodGet, http.MethodPost, "LOCK", "UNLOCK"} {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/api/state/default/none", strings.NewReader(`{"ID":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("anybody", h.Options.AdminToken)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s of a stack that is not there = %d", method, response.StatusCode)
		}
	}
}

// TestABackupHasWhatItsRowsName deletes and adds content in the middle of a backup: what was there before its rows were
// copied, and what came until then, is in it once.
func TestABackupHasWhatItsRowsName(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, _ *httptest.Server) {
		put := func(text string) string {
			t.Helper()
			address, _, err := h.Blob.Put(t.Context(), strings.NewReader(text), 0)
			if err != nil {
				t.Fatal(err)
			}
			return address
		}
		done := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(t.TempDir(), "backup.tar.gz")
		b, err := newBackup(h.Options.Data, file)
		done(err)
		defer b.leave()
		kept, pruned := put("kept"), put("pruned")
		done(b.contents(t.Context()))
		late := put("late")
		done(b.rows(t.Context(), h.DB))
		done(h.Blob.Delete(t.Context(), pruned))
		done(b.rest(t.Context(), h.DB))
		done(b.finish())

		o := h.Options
		o.Data = filepath.Join(t.TempDir(), "restored")
		o.Database = "sqlite:" + filepath.Join(o.Data, databaseName)
		files, err := restore(t.Context(), o, file, h.Log)
		if err != nil || files != b.files {
			t.Fatalf("%d files of %d are restored: %v", files, b.files, err)
		}
		restored, err := blob.OpenFiles(filepath.Join(o.Data, "blobs"))
		done(err)
		defer restored.Close()
		for address, want := range map[string]string{kept: "kept", pruned: "pruned", late: "late"} {
			content, _, err := restored.Open(t.Context(), address)
			if err != nil {
				t.Errorf("the content %q is not in the backup: %v", want, err)
				continue
			}
			got, err := io.ReadAll(content)
			content.Close()
			if err != nil || string(got) != want {
				t.Errorf("the content is %q, want %q: %v", got, want, err)
			}
		}
	})
}
