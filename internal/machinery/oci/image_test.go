package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// source makes a folder with a program and data whose times and modes differ from call to call.
func source(t *testing.T, stamp time.Time) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]fs.FileMode{"app": 0o700, "data/b.txt": 0o600, "data/a.txt": 0o664} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("content of "+name), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.txt", filepath.Join(dir, "data", "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func pack(t *testing.T, dir string) v1.Image {
	t.Helper()
	image, err := oci.Pack(t.Context(), oci.PackOptions{
		Files:      []oci.PackFile{{Source: filepath.Join(dir, "app"), Path: "/app"}, {Source: filepath.Join(dir, "data"), Path: "/srv/data"}},
		CACerts:    filepath.Join(dir, "data", "b.txt"),
		Entrypoint: []string{"/app"}, Env: []string{"A=b"}, Dir: "/srv", User: "65532:65532", Ports: []string{"8080", "53/udp"},
		Labels:   map[string]string{oci.LabelRevision: "abc"},
		Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestPackIsReproducible(t *testing.T) {
	t.Parallel()
	first := pack(t, source(t, time.Unix(1, 0)))
	second := pack(t, source(t, time.Unix(1e9, 0)))
	a, errA := first.Digest()
	b, errB := second.Digest()
	if errA != nil || errB != nil || a != b {
		t.Errorf("the same content gives %s and %s (%v, %v)", a, b, errA, errB)
	}
	if err := validate.Image(first); err != nil {
		t.Errorf("the image is not well-formed: %v", err)
	}
}

func TestPackRefusesWhatCannotRun(t *testing.T) {
	t.Parallel()
	dir := source(t, time.Unix(1, 0))
	app := filepath.Join(dir, "app")
	run := []string{"/app"}
	for what, o := range map[string]oci.PackOptions{
		"nothing to run":      {Files: []oci.PackFile{{Source: app, Path: "/app"}}},
		"a missing source":    {Entrypoint: run, Files: []oci.PackFile{{Source: app + "x", Path: "/app"}}},
		"a relative path":     {Entrypoint: run, Files: []oci.PackFile{{Source: app, Path: "app"}}},
		"two for one path":    {Entrypoint: run, Files: []oci.PackFile{{Source: app, Path: "/app"}, {Source: app, Path: "/app"}}},
		"a bad port":          {Entrypoint: run, Ports: []string{"http"}},
		"a bad variable":      {Entrypoint: run, Env: []string{"A"}},
		"a relative work dir": {Entrypoint: run, Dir: "srv"},
	} {
		if _, err := oci.Pack(t.Context(), o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", what, err)
		}
	}
}

func TestUnpackGivesWhatWasPacked(t *testing.T) {
	t.Parallel()
	dest := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(dest+".part", 0o700); err != nil { // what a kill left
		t.Fatal(err)
	}
	image := pack(t, source(t, time.Unix(1, 0)))
	config, err := oci.Unpack(t.Context(), image, dest, oci.UnpackLimits{})
	if err != nil {
		t.Fatal(err)
	}
	want := oci.Config{
		Digest: config.Digest, Entrypoint: []string{"/app"}, Env: []string{"A=b"}, Dir: "/srv", User: "65532:65532",
		Ports: []string{"53/udp", "8080/tcp"}, Labels: map[string]string{oci.LabelRevision: "abc"}, OS: "linux", Arch: "amd64",
	}
	if config.User != want.User || !slices.Equal(config.Ports, want.Ports) || !slices.Equal(config.Entrypoint, want.Entrypoint) ||
		!slices.Equal(config.Env, want.Env) || config.Dir != want.Dir || config.Labels[oci.LabelRevision] != "abc" || config.Arch != "amd64" {
		t.Errorf("config = %+v, want %+v", config, want)
	}
	content, err := os.ReadFile(filepath.Join(dest, "srv/data/link"))
	if err != nil || string(content) != "content of data/a.txt" {
		t.Errorf("through the link: %q, %v", content, err)
	}
	info, err := os.Stat(filepath.Join(dest, "app"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program: %v, %v", info, err)
	}
	if _, err := oci.Unpack(t.Context(), image, dest, oci.UnpackLimits{}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second time: %v, want conflict", err)
	}
}

// entry is one thing in a test's layer: type, name, and content or target.
type entry struct {
	kind       byte
	name, what string
}

func layered(t testing.TB, layers ...[]entry) v1.Image {
	t.Helper()
	image := empty.Image
	for _, entries := range layers {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, e := range entries {
			h := &tar.Header{Typeflag: e.kind, Name: e.name, Mode: 0o4755}
			if e.kind == tar.TypeReg {
				h.Size = int64(len(e.what))
			} else {
				h.Linkname = e.what
			}
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if e.kind == tar.TypeReg {
				if _, err := io.WriteString(w, e.what); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		image = withLayer(t, image, b.Bytes())
	}
	return image
}

func withLayer(t testing.TB, image v1.Image, content []byte) v1.Image {
	t.Helper()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err = mutate.AppendLayers(image, layer)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestUnpackNeverLeavesItsFolder(t *testing.T) {
	t.Parallel()
	for what, entries := range map[string][]entry{
		"dots":                    {{tar.TypeReg, "../evil", "x"}},
		"dots inside":             {{tar.TypeReg, "a/../../evil", "x"}},
		"link target with dots":   {{tar.TypeLink, "a", "../outside"}},
		"whiteout of the root":    {{tar.TypeReg, ".wh..", ""}},
		"whiteout of its folder":  {{tar.TypeReg, "a/.wh..", ""}, {tar.TypeReg, "a/.wh...", ""}},
		"link to a missing file":  {{tar.TypeLink, "a", "/etc/passwd"}},
		"a loop of links":         {{tar.TypeSymlink, "a", "b"}, {tar.TypeSymlink, "b", "a"}, {tar.TypeReg, "a/x", "x"}},
		"a file used as a folder": {{tar.TypeReg, "a", "x"}, {tar.TypeReg, "a/b", "x"}},
		"deep":                    {{tar.TypeReg, strings.Repeat("a/", 300) + "b", "x"}},
	} {
		outer := t.TempDir()
		if err := os.WriteFile(filepath.Join(outer, "outside"), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := oci.Unpack(t.Context(), layered(t, entries), filepath.Join(outer, "root"), oci.UnpackLimits{})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", what, err)
		}
		if left := list(t, outer); !slices.Equal(left, []string{"outside"}) {
			t.Errorf("%s: left %v", what, left)
		}
	}
}

func TestUnpackFollowsLinksWithinTheImage(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	image := layered(t,
		[]entry{{tar.TypeDir, "usr/bin/", ""}, {tar.TypeSymlink, "bin", "/usr/bin"}, {tar.TypeSymlink, "up", "../../.."}},
		[]entry{{tar.TypeReg, "bin/sh", "shell"}, {tar.TypeReg, "up/file", "at the root"}, {tar.TypeLink, "sh2", "/bin/sh"}, {tar.TypeChar, "dev/sda", ""}},
	)
	dest := filepath.Join(outer, "root")
	if _, err := oci.Unpack(t.Context(), image, dest, oci.UnpackLimits{}); err != nil {
		t.Fatal(err)
	}
	want := []string{"bin", "file", "sh2", "up", "usr", "usr/bin", "usr/bin/sh"}
	if got := list(t, dest); !slices.Equal(got, want) {
		t.Errorf("unpacked %v, want %v", got, want)
	}
	if info, err := os.Stat(filepath.Join(dest, "sh2")); err != nil || info.Mode()&fs.ModeSetuid != 0 {
		t.Errorf("set-user-id bit: %v, %v", info, err)
	}
	if got := list(t, outer); len(got) != len(want)+1 {
		t.Errorf("beside the image there is %v", got)
	}
}

func TestWhiteoutsSpeakOfTheLayersBelow(t *testing.T) {
	t.Parallel()
	image := layered(t,
		[]entry{{tar.TypeReg, "a", "1"}, {tar.TypeReg, "d/old", "1"}, {tar.TypeReg, "d/sub/old", "1"}, {tar.TypeReg, "e/old", "1"}},
		[]entry{
			{tar.TypeReg, ".wh.a", ""}, {tar.TypeReg, "d/new", "2"}, {tar.TypeReg, "d/sub/new", "2"}, {tar.TypeReg, "d/.wh..wh..opq", ""},
			{tar.TypeReg, ".wh.e", ""}, {tar.TypeReg, "e/new", "2"}, {tar.TypeReg, ".wh.missing", ""},
		},
	)
	dest := filepath.Join(t.TempDir(), "root")
	if _, err := oci.Unpack(t.Context(), image, dest, oci.UnpackLimits{}); err != nil {
		t.Fatal(err)
	}
	want := []string{"d", "d/new", "d/sub", "d/sub/new", "e", "e/new"}
	if got := list(t, dest); !slices.Equal(got, want) {
		t.Errorf("unpacked %v, want %v", got, want)
	}
}

func TestUnpackIsBounded(t *testing.T) {
	t.Parallel()
	many := make([]entry, 0, 50)
	for i := range 50 {
		many = append(many, entry{tar.TypeReg, strings.Repeat("a", i+1), ""})
	}
	zeros := withLayer(t, empty.Image, make([]byte, 4<<20)) // an end of archive that goes on and on
	for what, c := range map[string]struct {
		image  v1.Image
		limits oci.UnpackLimits
	}{
		"bytes":        {layered(t, []entry{{tar.TypeReg, "a", strings.Repeat("x", 600)}}, []entry{{tar.TypeReg, "b", strings.Repeat("x", 600)}}), oci.UnpackLimits{Bytes: 1000}},
		"entries":      {layered(t, many), oci.UnpackLimits{Entries: 49}},
		"made folders": {layered(t, []entry{{tar.TypeReg, strings.Repeat("a/", 50) + "b", ""}}), oci.UnpackLimits{Entries: 49}},
		"layers":       {layered(t, nil, nil), oci.UnpackLimits{Layers: 1}},
	} {
		dest := filepath.Join(t.TempDir(), "root")
		if _, err := oci.Unpack(t.Context(), c.image, dest, c.limits); !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: %v, want too large", what, err)
		}
	}
	if _, err := oci.Unpack(t.Context(), zeros, filepath.Join(t.TempDir(), "root"), oci.UnpackLimits{Bytes: 1000, Entries: 10}); err == nil {
		t.Error("a layer of zeros over the limit is taken")
	}
}

// TestAStoredImageIsChecked changes a layer behind the registry's back.
func TestAStoredImageIsChecked(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	r := open(t, dir, oci.Options{})
	var plain, compressed bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: "app", Typeflag: tar.TypeReg, Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	z := gzip.NewWriter(&compressed)
	z.Write(plain.Bytes())
	z.Close()
	config := []byte(`{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/app"]},"rootfs":{"type":"layers","diff_ids":["` + string(digest(plain.Bytes())) + `"]}}`)
	c, l := put(t, r, "shop", config), put(t, r, "shop", compressed.Bytes())
	content := manifestOf(c, len(config), l, compressed.Len(), "")
	if _, err := r.PutManifest(ctx, "shop", "v1", oci.TypeImage, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	index := `{"schemaVersion":2,"manifests":[{"mediaType":"` + oci.TypeImage + `","digest":"` + string(digest(content)) + `","size":1,"platform":{"os":"linux","architecture":"amd64"}}]}`
	if _, err := r.PutManifest(ctx, "shop", "multi", oci.TypeIndex, strings.NewReader(index)); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"v1", "multi"} {
		image, err := r.Image(ctx, "shop", tag, v1.Platform{OS: "linux", Architecture: "amd64"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := oci.Unpack(ctx, image, filepath.Join(t.TempDir(), "root"), oci.UnpackLimits{})
		if err != nil || got.Digest != digest(content) || !slices.Equal(got.Entrypoint, []string{"/app"}) {
			t.Errorf("%s: %+v, %v", tag, got, err)
		}
	}
	if _, err := r.Image(ctx, "shop", "multi", v1.Platform{OS: "linux", Architecture: "arm64"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("another platform: %v, want not found", err)
	}
	hex := strings.TrimPrefix(string(l), "sha256:")
	z.Reset(&compressed)
	compressed.Reset()
	z.Write(append(plain.Bytes(), make([]byte, 512)...))
	z.Close()
	if err := os.WriteFile(filepath.Join(dir, "blobs/sha256", hex[:2], hex), compressed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	image, err := r.Image(ctx, "shop", "v1", v1.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oci.Unpack(ctx, image, filepath.Join(t.TempDir(), "root"), oci.UnpackLimits{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a changed layer: %v, want invalid", err)
	}
}

// list gives all paths below dir, in order.
func list(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if p != dir {
			relative, _ := filepath.Rel(dir, p)
			found = append(found, relative)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// FuzzUnpack takes any bytes as a layer: nothing but the image's folder may appear.
func FuzzUnpack(f *testing.F) {
	for _, entries := range [][]entry{
		{{tar.TypeReg, "a/b", "x"}, {tar.TypeSymlink, "l", "/a"}, {tar.TypeReg, "l/c", "y"}},
		{{tar.TypeReg, "../a", "x"}},
		{{tar.TypeLink, "h", "a"}, {tar.TypeReg, ".wh.a", ""}, {tar.TypeReg, "d/.wh..wh..opq", ""}},
	} {
		layers, err := layered(f, entries).Layers()
		if err != nil {
			f.Fatal(err)
		}
		plain, err := layers[0].Uncompressed()
		if err != nil {
			f.Fatal(err)
		}
		content, err := io.ReadAll(plain)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		outer := t.TempDir()
		_, err := oci.Unpack(t.Context(), withLayer(t, empty.Image, content), filepath.Join(outer, "root"), oci.UnpackLimits{Bytes: 1 << 20, Entries: 100})
		left, readErr := os.ReadDir(outer)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err != nil && len(left) != 0 || err == nil && (len(left) != 1 || left[0].Name() != "root") {
			t.Errorf("%v, and left %v", err, left)
		}
	})
}
