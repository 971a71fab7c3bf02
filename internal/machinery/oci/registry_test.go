package oci_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func digest(p []byte) oci.Digest {
	sum := sha256.Sum256(p)
	return oci.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

func open(t testing.TB, dir string, o oci.Options) *oci.Registry {
	t.Helper()
	r, err := oci.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// put pushes a blob in one piece.
func put(t testing.TB, r *oci.Registry, name string, content []byte) oci.Digest {
	t.Helper()
	id, err := r.StartUpload(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Finish(t.Context(), name, id, -1, bytes.NewReader(content), digest(content)); err != nil {
		t.Fatal(err)
	}
	return digest(content)
}

// image pushes an image of one layer and gives its digest.
func image(t testing.TB, r *oci.Registry, name, tag, layer string) oci.Digest {
	t.Helper()
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	c, l := put(t, r, name, config), put(t, r, name, []byte(layer))
	m, err := r.PutManifest(t.Context(), name, tag, oci.TypeImage, bytes.NewReader(manifestOf(c, len(config), l, len(layer), "")))
	if err != nil {
		t.Fatal(err)
	}
	return m.Digest
}

func manifestOf(config oci.Digest, configSize int, layer oci.Digest, layerSize int, subject oci.Digest) []byte {
	m := map[string]any{
		"schemaVersion": 2, "mediaType": oci.TypeImage,
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": configSize},
		"layers": []any{map[string]any{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": layerSize}},
	}
	if subject != "" {
		m["subject"] = map[string]any{"mediaType": oci.TypeImage, "digest": subject, "size": 1}
	}
	content, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return content
}

func TestABlobIsWhatItsDigestSays(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := open(t, t.TempDir(), oci.Options{MaxBlob: 100})
	id, err := r.StartUpload(ctx, "team/shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Finish(ctx, "team/shop", id, -1, strings.NewReader("other"), digest([]byte("hello"))); !fault.Is(err, fault.Invalid) {
		t.Errorf("content of another digest: %v, want invalid", err)
	}
	if _, err := r.UploadSize(ctx, "team/shop", id); !fault.Is(err, fault.NotFound) {
		t.Errorf("the refused upload: %v, want not found", err)
	}
	d := put(t, r, "team/shop", []byte("hello"))
	b, err := r.OpenBlob(ctx, "team/shop", d)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if content, err := io.ReadAll(b); err != nil || string(content) != "hello" || b.Size != 5 {
		t.Errorf("blob = %q of %d, %v", content, b.Size, err)
	}
	id, err = r.StartUpload(ctx, "team/shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Append(ctx, "team/shop", id, 0, bytes.NewReader(make([]byte, 101))); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a blob over the limit: %v, want too large", err)
	}
}

func TestAnotherRepositoryHandsOutNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := open(t, t.TempDir(), oci.Options{})
	d := put(t, r, "team/secret", []byte("hello"))
	if _, err := r.OpenBlob(ctx, "team/other", d); !fault.Is(err, fault.NotFound) {
		t.Errorf("blob of another repository: %v, want not found", err)
	}
	id, err := r.StartUpload(ctx, "team/secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Append(ctx, "team/other", id, 0, strings.NewReader("x")); !fault.Is(err, fault.NotFound) {
		t.Errorf("upload of another repository: %v, want not found", err)
	}
	if err := r.Mount(ctx, "team/secret", "team/other", d); err != nil {
		t.Fatal(err)
	}
	if _, err := r.StatBlob(ctx, "team/other", d); err != nil {
		t.Errorf("mounted blob: %v", err)
	}
}

func TestChunksResumeAfterABreakAndARestart(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	r := open(t, dir, oci.Options{})
	id, err := r.StartUpload(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if size, err := r.Append(ctx, "shop", id, 0, strings.NewReader("hello ")); err != nil || size != 6 {
		t.Fatalf("first chunk: %d, %v", size, err)
	}
	if _, err := r.Append(ctx, "shop", id, 3, strings.NewReader("xxx")); !fault.Is(err, fault.Conflict) {
		t.Errorf("a chunk at the wrong place: %v, want conflict", err)
	}
	broken := io.MultiReader(strings.NewReader("wor"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := r.Append(ctx, "shop", id, 6, broken); !fault.Is(err, fault.Canceled) {
		t.Errorf("a chunk that breaks off: %v, want canceled", err)
	}
	r.Close()
	r = open(t, dir, oci.Options{})
	size, err := r.UploadSize(ctx, "shop", id)
	if err != nil || size != 9 {
		t.Fatalf("after a restart %d bytes are there, %v; want 9", size, err)
	}
	if _, err := r.Finish(ctx, "shop", id, 9, strings.NewReader("ld"), digest([]byte("hello world"))); err != nil {
		t.Fatal(err)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	now := time.Now()
	o := oci.Options{MaxUploads: 2, Now: func() time.Time { return now }}
	r := open(t, dir, o)
	for range 2 {
		if _, err := r.StartUpload(ctx, "shop"); err != nil {
			t.Fatal(err)
		}
	}
	r.Close()
	r = open(t, dir, o)
	if _, err := r.StartUpload(ctx, "shop"); !fault.Is(err, fault.Exhausted) {
		t.Errorf("a third upload: %v, want exhausted", err)
	}
	now = now.Add(2 * time.Hour)
	if c, err := r.Collect(ctx); err != nil || c.Uploads != 2 {
		t.Errorf("collected %+v, %v; want 2 uploads", c, err)
	}
	if _, err := r.StartUpload(ctx, "shop"); err != nil {
		t.Errorf("after collecting: %v", err)
	}
}

func TestAManifestNamesOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := open(t, t.TempDir(), oci.Options{MaxManifest: 2000})
	here := put(t, r, "shop", []byte("layer"))
	missing := digest([]byte("missing"))
	for what, c := range map[string]struct {
		reference, mediaType, body string
		kind                       fault.Kind
	}{
		"missing config":  {"v1", oci.TypeImage, string(manifestOf(missing, 7, here, 5, "")), fault.Invalid},
		"not json":        {"v1", oci.TypeImage, "{", fault.Invalid},
		"schema 1":        {"v1", oci.TypeImage, `{"schemaVersion":1}`, fault.Invalid},
		"no config":       {"v1", oci.TypeImage, `{"schemaVersion":2}`, fault.Invalid},
		"unknown type":    {"v1", "text/plain", `{"schemaVersion":2}`, fault.Invalid},
		"two types":       {"v1", oci.TypeIndex, `{"schemaVersion":2,"mediaType":"` + oci.TypeImage + `"}`, fault.Invalid},
		"bad digest":      {"v1", oci.TypeIndex, `{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x"}]}`, fault.Invalid},
		"missing child":   {"v1", oci.TypeIndex, `{"schemaVersion":2,"manifests":[{"digest":"` + string(missing) + `"}]}`, fault.Invalid},
		"bad tag":         {"../v1", oci.TypeIndex, `{"schemaVersion":2}`, fault.Invalid},
		"another digest":  {string(missing), oci.TypeIndex, `{"schemaVersion":2}`, fault.Invalid},
		"too large":       {"v1", oci.TypeIndex, `{"schemaVersion":2,"x":"` + strings.Repeat("x", 2000) + `"}`, fault.TooLarge},
		"blob as a child": {"v1", oci.TypeIndex, `{"schemaVersion":2,"manifests":[{"digest":"` + string(here) + `"}]}`, fault.Invalid},
	} {
		if _, err := r.PutManifest(ctx, "shop", c.reference, c.mediaType, strings.NewReader(c.body)); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", what, err, c.kind)
		}
	}
	if _, _, err := r.Tags(ctx, "shop", "", 10); !fault.Is(err, fault.NotFound) {
		t.Errorf("tags of a repository without manifests: %v, want not found", err)
	}
}

func TestTagsMoveAndDigestsStay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := open(t, t.TempDir(), oci.Options{})
	first := image(t, r, "shop", "latest", "one")
	second := image(t, r, "shop", "latest", "two")
	image(t, r, "shop", "b", "two")
	image(t, r, "shop", "a", "two")
	if got, err := r.Resolve(ctx, "shop", "latest"); err != nil || got != second {
		t.Errorf("latest = %s, %v; want %s", got, err, second)
	}
	if _, err := r.Manifest(ctx, "shop", string(first)); err != nil {
		t.Errorf("the first image, by digest: %v", err)
	}
	tags, more, err := r.Tags(ctx, "shop", "a", 1)
	if err != nil || !more || len(tags) != 1 || tags[0] != "b" {
		t.Errorf("tags after a = %v, %v, %v; want b and more", tags, more, err)
	}
	if err := r.DeleteManifest(ctx, "shop", "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Manifest(ctx, "shop", "b"); err != nil {
		t.Errorf("deleting one tag took another: %v", err)
	}
	if err := r.DeleteManifest(ctx, "shop", string(second)); err != nil {
		t.Fatal(err)
	}
	if tags, _, err := r.Tags(ctx, "shop", "", 10); err != nil || len(tags) != 0 {
		t.Errorf("tags after deleting their manifest = %v, %v", tags, err)
	}
}

func TestReferrersAreFound(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := open(t, t.TempDir(), oci.Options{})
	subject := image(t, r, "shop", "v1", "program")
	config, sbom := put(t, r, "shop", []byte("{}")), put(t, r, "shop", []byte("an SBOM"))
	content := manifestOf(config, 2, sbom, 7, subject)
	m, err := r.PutManifest(ctx, "shop", string(digest(content)), oci.TypeImage, bytes.NewReader(content))
	if err != nil || m.Subject != subject {
		t.Fatalf("put: %+v, %v", m, err)
	}
	found, err := r.Referrers(ctx, "shop", subject, "")
	if err != nil || len(found) != 1 || found[0].Digest != m.Digest || found[0].ArtifactType != "application/vnd.oci.image.config.v1+json" {
		t.Errorf("referrers = %+v, %v", found, err)
	}
	if found, err := r.Referrers(ctx, "shop", subject, "another/type"); err != nil || len(found) != 0 {
		t.Errorf("referrers of another type = %+v, %v", found, err)
	}
	if err := r.DeleteManifest(ctx, "shop", string(m.Digest)); err != nil {
		t.Fatal(err)
	}
	if found, err := r.Referrers(ctx, "shop", subject, ""); err != nil || len(found) != 0 {
		t.Errorf("referrers after deletion = %+v, %v", found, err)
	}
}

func TestCollectRemovesOnlyWhatNothingNames(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Now()
	r := open(t, t.TempDir(), oci.Options{Now: func() time.Time { return now }})
	kept := image(t, r, "shop", "v1", "kept")
	gone := image(t, r, "shop", "v2", "gone")
	orphan := put(t, r, "shop", []byte("orphan"))
	if err := r.DeleteManifest(ctx, "shop", string(gone)); err != nil {
		t.Fatal(err)
	}
	if c, err := r.Collect(ctx); err != nil || c != (oci.Collected{}) {
		t.Errorf("within the time of grace: %+v, %v", c, err)
	}
	now = now.Add(25 * time.Hour)
	reused := put(t, r, "shop", []byte("reused")) // a push that is still going on
	now = now.Add(time.Hour)
	c, err := r.Collect(ctx)
	if err != nil || c.Blobs != 3 || c.Links != 2 { // the orphan, the deleted manifest and its layer
		t.Errorf("collected %+v, %v", c, err)
	}
	for d, there := range map[oci.Digest]bool{digest([]byte("kept")): true, digest([]byte("gone")): false, orphan: false, reused: true} {
		if _, err := r.StatBlob(ctx, "shop", d); (err == nil) != there {
			t.Errorf("blob %s: %v, want there = %v", d, err, there)
		}
	}
	if _, err := r.Manifest(ctx, "shop", string(kept)); err != nil {
		t.Errorf("the kept manifest: %v", err)
	}
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"registry.local/team/shop:v1", "localhost:5000/a@sha256:" + strings.Repeat("0", 64), "[::1]:5000/a", "a/b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := oci.ParseReference(s)
		if err != nil {
			return
		}
		again, err := oci.ParseReference(r.String())
		if err != nil || again != r {
			t.Errorf("%q parses to %+v, which parses to %+v, %v", s, r, again, err)
		}
		if strings.Contains(r.Repository, "..") || strings.HasPrefix(r.Repository, "/") || oci.CheckName(r.Repository) != nil {
			t.Errorf("%q gives the repository %q", s, r.Repository)
		}
	})
}

func FuzzPutManifest(f *testing.F) {
	f.Add(oci.TypeImage, manifestOf(digest([]byte("c")), 1, digest([]byte("l")), 1, ""))
	f.Add(oci.TypeIndex, []byte(`{"schemaVersion":2,"manifests":[]}`))
	f.Fuzz(func(t *testing.T, mediaType string, body []byte) {
		dir := t.TempDir()
		r := open(t, dir, oci.Options{})
		m, err := r.PutManifest(t.Context(), "shop", "v1", mediaType, bytes.NewReader(body))
		if err != nil {
			if fault.KindOf(err) == fault.Internal {
				t.Errorf("%q: %v is not told to the sender", body, err)
			}
			return
		}
		got, err := r.Manifest(t.Context(), "shop", "v1")
		if err != nil || !bytes.Equal(got.Content, body) || got.Digest != m.Digest {
			t.Errorf("stored %q, got %q, %v", body, got.Content, err)
		}
		scan(t, dir, "after a manifest")
	})
}
