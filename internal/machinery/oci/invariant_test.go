package oci_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/machinery/oci"
)

// TestAKillLeavesAWholeRegistry cuts a push short at each of its writes: it copies the folder between the steps and
// opens every copy as a server would after a kill.
func TestAKillLeavesAWholeRegistry(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	r := open(t, dir, oci.Options{})
	image(t, r, "shop", "v1", "before")
	check := func(when string) {
		t.Helper()
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, "tmp", "half"), []byte("ha"), 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, copied, oci.Options{})
		scan(t, copied, when)
		if _, err := again.Manifest(ctx, "shop", "v1"); err != nil {
			t.Errorf("%s: what was there before: %v", when, err)
		}
		image(t, again, "shop", "v2", "after") // the pusher tries again
	}
	layer := []byte("after")
	id, err := r.StartUpload(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	check("upload started")
	if _, err := r.Append(ctx, "shop", id, 0, bytes.NewReader(layer[:2])); err != nil {
		t.Fatal(err)
	}
	check("half a layer")
	if _, err := r.Finish(ctx, "shop", id, 2, bytes.NewReader(layer[2:]), digest(layer)); err != nil {
		t.Fatal(err)
	}
	check("layer done")
	image(t, r, "shop", "v2", "after")
	check("all done")
}

// scan checks the invariants of the folder: content is what its name says, links and tags name content.
func scan(t testing.TB, dir, when string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		parent := filepath.Base(filepath.Dir(p))
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		named := "sha256:" + e.Name()
		switch {
		case strings.Contains(p, "/blobs/sha256/"):
			if string(digest(content)) != named {
				t.Errorf("%s: %s has other content", when, p)
			}
			return nil
		case parent == "_tags":
			named = string(content)
		case parent != "_blobs" && parent != "_manifests":
			return nil
		}
		hex := strings.TrimPrefix(named, "sha256:")
		if _, err := os.Stat(filepath.Join(dir, "blobs/sha256", hex[:2], hex)); err != nil {
			t.Errorf("%s: %s names what is not there", when, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// memory is a folder in which making a file durable costs nothing, if this machine has one.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// TestAnyOrderKeepsTheInvariants pushes, tags, deletes and collects in random order.
func TestAnyOrderKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(memory(), "oci")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		now := time.Now()
		r := open(t, dir, oci.Options{Now: func() time.Time { return now }})
		tags := map[string]oci.Digest{}
		layers := rapid.SampledFrom([]string{"a", "b", "c"})
		names := rapid.SampledFrom([]string{"x", "x/y", "z"})
		rt.Repeat(map[string]func(*rapid.T){
			"push": func(rt *rapid.T) {
				name, layer := names.Draw(rt, "name"), layers.Draw(rt, "layer")
				tags[name+":"+layer] = image(t, r, name, layer, layer)
			},
			"delete": func(rt *rapid.T) {
				name, layer := names.Draw(rt, "name"), layers.Draw(rt, "layer")
				err := r.DeleteManifest(context.Background(), name, layer)
				if _, there := tags[name+":"+layer]; there != (err == nil) {
					rt.Fatalf("delete %s:%s: %v", name, layer, err)
				}
				delete(tags, name+":"+layer)
			},
			"wait": func(*rapid.T) { now = now.Add(13 * time.Hour) },
			"collect": func(rt *rapid.T) {
				if _, err := r.Collect(context.Background()); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				for at, want := range tags {
					name, tag, _ := strings.Cut(at, ":")
					m, err := r.Manifest(context.Background(), name, tag)
					if err != nil || m.Digest != want {
						rt.Fatalf("%s = %s, %v; want %s", at, m.Digest, err, want)
					}
					if _, err := r.OpenBlob(context.Background(), name, digest([]byte(tag))); err != nil {
						rt.Fatalf("layer of %s: %v", at, err)
					}
				}
			},
		})
		scan(t, dir, "at the end")
	})
}
