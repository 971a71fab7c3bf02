package server

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// uploadedStack gives a stack without a repository.
func uploadedStack(name, more string) string {
	return fmt.Sprintf("apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: %s}\nspec:\n  owner: group:default/crew\n  source: {upload: true}\n  variables: {name: %[1]s}\n%s", name, more)
}

func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for name, content := range files {
		h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(content))}
		if to, link := strings.CutPrefix(content, "-> "); link {
			h.Typeflag, h.Linkname, h.Size, content = tar.TypeSymlink, to, 0, ""
		}
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (g *ground) upload(who, name string, archive []byte) (c client.Configuration, err error) {
	body := client.Raw{Type: "application/gzip", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }}
	err = g.as[who].Do(g.t.Context(), http.MethodPost, "/stacks/default/"+name+"/configurations", nil, body, &c)
	return c, err
}

func (g *ground) startUpload(who, name, kind, configuration string) (client.RunDetail, error) {
	return client.Post[client.RunDetail](g.t.Context(), g.as[who], "/stacks/default/"+name+"/runs", map[string]string{"type": kind, "configuration": configuration})
}

// TestAnUploadedFolderIsPlannedInPlaceOfACommit previews a folder that nobody has committed.
func TestAnUploadedFolderIsPlannedInPlaceOfACommit(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.rests(g.stack("net", lightInfra, ""))
		more := strings.ReplaceAll(lightInfra, "region-one", "region-two") + "\nresource \"terraform_data\" \"more\" {}\n"
		sent, err := g.upload("alice", "net", tarball(t, map[string]string{"infra/main.tf": more}))
		if err != nil || sent.Status != "uploaded" || !sent.Preview || sent.Entries != 1 || !strings.HasPrefix(sent.Digest, "sha256:") {
			t.Fatalf("the upload is %+v, %v", sent, err)
		}
		r, err := g.startUpload("alice", "net", "proposed", sent.ID)
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(r.ID), "finished", "2 to create")
		for _, kind := range []string{"tracked", "destroy"} {
			if _, err := g.startUpload("alice", "net", kind, sent.ID); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "applies nothing that is uploaded") {
				t.Errorf("a %s run of an upload: %v", kind, err)
			}
		}
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "mallory": fault.NotFound} {
			if _, err := g.upload(who, "net", tarball(t, map[string]string{"main.tf": ""})); !fault.Is(err, kind) {
				t.Errorf("%s uploads: %v", who, err)
			}
			if _, err := g.startUpload(who, "net", "proposed", sent.ID); !fault.Is(err, kind) {
				t.Errorf("%s plans an upload: %v", who, err)
			}
		}
		// What belongs to another stack is not there.
		g.apply(uploadedStack("other", ""))
		if _, err := g.startUpload("alice", "other", "proposed", sent.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("an upload to another stack is planned: %v", err)
		}
		for what, c := range map[string]struct {
			files map[string]string
			says  string
		}{
			"parent":   {map[string]string{"../main.tf": ""}, "outside"},
			"absolute": {map[string]string{"/etc/main.tf": ""}, "outside"},
			"link":     {map[string]string{"l": "-> ../../etc/passwd"}, "leads out"},
			"bomb":     {map[string]string{"zeros": strings.Repeat("\x00", 513<<20)}, "too large when unpacked"},
		} {
			if what == "bomb" && testing.Short() {
				continue
			}
			if _, err := g.upload("alice", "net", tarball(t, c.files)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; want %q", what, err, c.says)
			}
		}
		if _, err := g.upload("alice", "net", []byte("no archive")); !fault.Is(err, fault.Invalid) {
			t.Errorf("no archive: %v", err)
		}
		all, err := client.All[client.Configuration](t.Context(), g.alice, "/stacks/default/net/configurations", nil)
		if err != nil || len(all) < 5 || all[0].Status != "errored" || all[0].Error == "" || all[len(all)-1].ID != sent.ID {
			t.Errorf("the uploads are %+v, %v", all, err)
		}
	})
}

// TestAStackWithoutARepositoryAppliesWhatIsUploaded from its first upload to its destruction.
func TestAStackWithoutARepositoryAppliesWhatIsUploaded(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.apply(uploadedStack("net", ""))
		begin := map[string]string{"type": "tracked"}
		if _, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", begin); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "nothing was uploaded") {
			t.Errorf("a run of nothing: %v", err)
		}
		sent, err := g.upload("alice", "net", tarball(t, map[string]string{"main.tf": lightInfra}))
		if err != nil || sent.Preview {
			t.Fatalf("%+v, %v", sent, err)
		}
		r, err := g.startUpload("alice", "net", "tracked", sent.ID)
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(r.ID), "unconfirmed", "1 to create")
		if _, err := g.act("alice", r.ID, "confirm"); !fault.Is(err, fault.Denied) {
			t.Errorf("who uploaded confirms alone: %v", err)
		}
		if _, err := g.act("bob", r.ID, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, r.ID, ended), "finished", "applied: 1 to create")
		g.applied("net", r.ID)
		if g.output("net", "region") != `"region-one"` {
			t.Errorf("the output is %s", g.output("net", "region"))
		}
		// The same archive is kept once; what bob begins of it is still alice's.
		again, err := g.upload("alice", "net", tarball(t, map[string]string{"main.tf": lightInfra}))
		if err != nil || again.Digest != sent.Digest || again.ID == sent.ID {
			t.Errorf("again: %+v, %v", again, err)
		}
		destroy, err := client.Post[client.RunDetail](t.Context(), g.bob, "/stacks/default/net/runs", map[string]string{"type": "destroy"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(destroy.ID), "unconfirmed", "1 to destroy")
		if _, err := g.act("alice", destroy.ID, "confirm"); !fault.Is(err, fault.Denied) {
			t.Errorf("whose upload it is confirms: %v", err)
		}
		if _, err := g.act("admin", destroy.ID, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, destroy.ID, ended), "finished", "applied: 1 to destroy")
	})
}

// TestAFolderIsPreviewedAtTheTerminal packs a work tree, follows the run, and ends with the exit code of what is planned.
func TestAFolderIsPreviewedAtTheTerminal(t *testing.T) {
	h, server := open(t)
	needs(t, h.engine.path())
	previewAtTerminal(t, h, server)
}

func previewAtTerminal(t *testing.T, h *House, server *httptest.Server) {
	t.Helper()
	g := newGround(t, h, server)
	g.rests(g.stack("net", lightInfra, ""))
	atTerminal(t, server.URL, g.as["alice"].Token)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"infra/main.tf": lightInfra, "infra/secret.tf": "this is { no configuration", ".gitignore": "secret.tf\n", ".terraformignore": "*.bad.tf\n",
		"infra/x.bad.tf": "neither is { this", "infra/.terraform/modules/y.tf": "nor { this",
	} {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), content)
	}
	if out, err := exec.CommandContext(t.Context(), "git", "init", "--quiet", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	sayAll(t, []said{
		{"stack plan net --local " + dir, 0, "1 to create"},
		{"stack plan net --local " + filepath.Join(dir, "infra"), 0, "terraform_data"},
		{"stack plan net --detailed-exitcode --local " + dir, 2, "1 to create"},
		{"stack plan net --local " + t.TempDir(), 2, "the stack's folder is infra"},
		{"stack plan net --commit main --local " + dir, 2, "keep one of them"},
		{"stack plan nothing --local " + dir, 4, "nothing"},
	})
	seen := at(g.saw("plan", g.runsOf("net", "proposed")[0].ID), "spacelift", "run")
	if at(seen, "based_on_local_workspace") != true || at(seen, "triggered_by") != g.idOf("alice") || at(seen, "type") != "PROPOSED" {
		t.Errorf("policies see a preview of a folder as %v", seen)
	}
	write(t, filepath.Join(dir, "infra", "broken.tf"), "resource {")
	sayAll(t, []said{{"stack plan net --local " + dir, 1, "broken.tf"}})
}

// TestUploadsThatNobodyUsesGo forgets what was uploaded long ago and never planned, and nothing that somebody may want still.
func TestUploadsThatNobodyUsesGo(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		ctx := t.Context()
		g.rests(g.stack("net", lightInfra, ""))
		g.apply(uploadedStack("alone", ""))
		archives := map[string][]byte{}
		sent := func(name, text string) (client.Configuration, string) {
			t.Helper()
			if archives[text] == nil {
				archives[text] = tarball(t, map[string]string{"infra/main.tf": lightInfra, "main.tf": lightInfra, "x": text})
			}
			c, err := g.upload("alice", name, archives[text])
			if err != nil {
				t.Fatal(err)
			}
			kept := ""
			if err := g.house.DB.Read(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(ctx, "SELECT kept FROM stack_configurations WHERE id = $1", c.ID).Scan(&kept)
			}); err != nil {
				t.Fatal(err)
			}
			return c, kept
		}
		unused, ofUnused := sent("net", "unused")
		used, ofUsed := sent("net", "used")
		twice, ofTwice := sent("net", "twice")
		held, ofHeld := sent("net", "held")
		away, ofAway := sent("net", "away")
		first, ofFirst := sent("alone", "first")
		last, ofLast := sent("alone", "last")
		r, err := g.startUpload("alice", "net", "proposed", used.ID)
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(r.ID), "finished", "to create")
		if r, err = g.startUpload("alice", "net", "proposed", held.ID); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(r.ID), "finished", "to create")
		beside, same := sent("net", "held") // of which no run is begun
		if same != ofHeld {
			t.Errorf("the same archive is kept as %s and %s", ofHeld, same)
		}
		for _, c := range []client.Configuration{held, away} {
			if err := g.house.Stacks.ArchiveConfiguration(actor.AsSystem(ctx), c.ID); err != nil {
				t.Fatal(err)
			}
		}
		drop := func() {
			t.Helper()
			if err := g.house.Stacks.DropUploads(actor.AsSystem(ctx)); err != nil {
				t.Fatal(err)
			}
		}
		drop()
		g.wantNoted("stack:default/net", "stack.configurations-forgotten", 0)
		if c, err := g.house.Stacks.Configuration(actor.AsSystem(ctx), unused.ID); err != nil || c.Status != "uploaded" {
			t.Errorf("a new upload is %+v, %v", c, err)
		}
		if err := g.house.DB.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE stack_configurations SET created = created - $1", int64(8*24*time.Hour/time.Microsecond))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		again, same := sent("net", "twice") // is kept once, by the older one
		if same != ofTwice {
			t.Errorf("the same archive is kept as %s and %s", ofTwice, same)
		}
		drop()
		for _, name := range []string{"net", "alone"} {
			g.wantNoted("stack:default/"+name, "stack.configurations-forgotten", 1)
		}
		for what, c := range map[string]struct {
			id, kept    string
			there, blob bool
		}{
			"unused": {unused.ID, ofUnused, false, false}, "used": {used.ID, ofUsed, true, true}, "twice": {twice.ID, ofTwice, false, true}, "twice, again": {again.ID, ofTwice, true, true},
			"archived, of a run": {held.ID, ofHeld, true, true}, "the same, unused": {beside.ID, ofHeld, false, true}, "archived and unused": {away.ID, ofAway, false, false},
			"of a stack that applies": {first.ID, ofFirst, false, false}, "its newest": {last.ID, ofLast, true, true},
		} {
			_, err := g.house.Stacks.Configuration(actor.AsSystem(ctx), c.id)
			if c.there != (err == nil) || !c.there && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
			content, _, err := g.house.Blob.Open(ctx, c.kept)
			if err == nil {
				content.Close()
			}
			if c.blob != (err == nil) {
				t.Errorf("%s: its content: %v", what, err)
			}
		}
		if _, err := g.startUpload("alice", "net", "proposed", unused.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("a forgotten upload is planned: %v", err)
		}
		if r, err = g.startUpload("alice", "net", "proposed", again.ID); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(r.ID), "finished", "to create")
	})
}

// TestAStackWithoutARepositoryIsRunByOthers: by a schedule, a dependency and a destruction with dependents, always of the upload
// that was applied last.
func TestAStackWithoutARepositoryIsRunByOthers(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		net := g.stack("net", above, "")
		g.finish(net)
		g.apply(uploadedStack("shop", uses+"  schedules: [{do: tracked, after: 1h}, {do: drift, after: 2h, reconcile: true}]\n"))
		g.later("shop", time.Hour)
		g.saysSoon("shop", "nothing that was uploaded to it is applied yet")
		g.wantNoted("stack:default/shop", "stack.schedule-failed", 1)

		sent, err := g.upload("alice", "shop", tarball(t, map[string]string{"main.tf": below}))
		if err != nil {
			t.Fatal(err)
		}
		r, err := g.startUpload("alice", "shop", "tracked", sent.ID)
		if err != nil {
			t.Fatal(err)
		}
		g.finish(r.ID)
		g.applied("shop", r.ID)
		if _, err := g.upload("alice", "shop", tarball(t, map[string]string{"main.tf": "not { what is applied"})); err != nil {
			t.Fatal(err)
		}
		begin := func(who string, body map[string]any) client.RunDetail {
			t.Helper()
			r, err := client.Post[client.RunDetail](t.Context(), g.as[who], "/stacks/default/shop/runs", body)
			if err != nil {
				t.Fatal(err)
			}
			return until(t, g.admin, r.ID, ended)
		}
		if drift := begin("alice", map[string]any{"type": "drift"}); drift.State != "finished" || !strings.Contains(string(drift.Input), sent.ID) {
			t.Errorf("the look is %s: %s, of %s", drift.State, drift.Reason, drift.Input)
		}
		g.wantRun(begin("admin", map[string]any{"type": "task", "command": "tofu state rm terraform_data.shop"}), "finished", "the command is done")
		g.later("shop", time.Hour)
		g.wantRun(until(t, g.admin, g.nth("shop", "drift", 2), ended), "finished", "drifted: 1 to create")
		again := g.nth("shop", "tracked", 2) // what has drifted
		g.finish(again)
		g.applied("shop", again)

		g.finish(g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(above, "region-one", "region-two")})))
		g.finish(g.nth("shop", "tracked", 3)) // which depends on it
		if got := g.output("shop", "says"); got != `"shop at region-two with 26"` {
			t.Errorf("after the change it says %s", got)
		}
		first, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/net/runs", map[string]any{"type": "destroy", "dependents": true})
		if err != nil || first.Subject != "stack:default/shop" {
			t.Fatalf("the first to go is %s (%v)", first.Subject, err)
		}
		g.finish(first.ID)
		g.finish(g.nth("net", "destroy", 1))
		if k := g.stackNow("shop"); k.State.Resources != 0 {
			t.Errorf("%d resources are left", k.State.Resources)
		}
	})
}
