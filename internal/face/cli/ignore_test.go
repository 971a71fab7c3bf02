package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhatTerraformignoreLeavesOut(t *testing.T) {
	t.Parallel()
	rules := readIgnore("# a comment\n\n*.log\n!keep.log\n/top.txt\nbuild/\na/**/z\ndocs/*.md\n")
	for name, want := range map[string]bool{
		"x.log": true, "a/x.log": true, "keep.log": false, "a/keep.log": false, "top.txt": true, "a/top.txt": false,
		"build/": true, "a/build/": true, "build": false, "a/z": true, "a/b/c/z": true, "z": false, "docs/x.md": true, "docs/a/x.md": false,
	} {
		plain, folder := strings.CutSuffix(name, "/")
		if got := rules.leavesOut(plain, folder); got != want {
			t.Errorf("%s is left out: %t, want %t", name, got, want)
		}
	}
}

func TestAFolderIsPackedWithoutWhatIsIgnored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"main.tf": "1", "run.sh": "2", "sub/a.tf": "3", ".terraform/x": "4", "sub/.terraform/y": "5", ".git/config": "6", "secret.tf": "7", ".terraformignore": "secret.tf\n",
	} {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Join(dir, "run.sh"), 0o700), os.Symlink("main.tf", filepath.Join(dir, "link.tf"))); err != nil {
		t.Fatal(err)
	}
	first, err := pack(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pack(t.Context(), dir)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("the same folder gives other bytes, %v", err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		entry := h.Name
		if h.Typeflag == tar.TypeSymlink {
			entry += " -> " + h.Linkname
		}
		if h.Mode&0o111 != 0 {
			entry += " x"
		}
		got = append(got, entry)
	}
	if want := []string{".terraformignore", "link.tf -> main.tf", "main.tf", "run.sh x", "sub/a.tf"}; !slices.Equal(got, want) {
		t.Errorf("packed are %q, want %q", got, want)
	}
	for _, c := range []struct{ folder, within, want string }{{dir, "", dir}, {dir, "sub", dir}, {filepath.Join(dir, "sub"), "sub", dir + "/"}, {filepath.Join(dir, "sub"), "other", ""}} {
		root, err := sourceRoot(c.folder, c.within)
		if root != c.want || (err != nil) != (c.want == "") {
			t.Errorf("of %s the stack's %q is below %q, %v", c.folder, c.within, root, err)
		}
	}
}
