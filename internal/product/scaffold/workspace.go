package scaffold

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of a workspace.
const (
	workspaceFiles = 5_000
	workspaceBytes = 32 << 20
)

// Modes of files, as git has them.
const (
	modeFile = "100644"
	modeExec = "100755"
	modeLink = "120000"
)

// workspace is the files that a golden path works on. It lives in memory and never on a disk, so no path and no link
// in it can reach anything of the server.
type workspace struct {
	files map[string]file // by clean, relative path
	size  int
	dirty bool // changed since it was read
}

type file struct {
	mode string
	data []byte // of a link, its target
}

func newWorkspace() *workspace { return &workspace{files: map[string]file{}} }

// safePath gives a path within the workspace in its clean form; "" is the workspace itself.
func safePath(name string) (string, error) {
	clean := path.Clean(name)
	switch {
	case name == "" || clean == ".":
		return "", nil
	case path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(clean, 0) || len(clean) > 1000:
		return "", fault.Errorf(fault.Invalid, "the path %q leaves the workspace; write one within it", clip(name, 200))
	}
	for _, part := range strings.Split(clean, "/") {
		if strings.EqualFold(part, ".git") {
			return "", fault.Errorf(fault.Invalid, "the path %q is git's own; choose another name", clip(name, 200))
		}
	}
	return clean, nil
}

// put writes a file at a safe path.
func (w *workspace) put(name string, f file) error {
	name, err := safePath(name)
	if err != nil {
		return err
	}
	if name == "" {
		return fault.Errorf(fault.Invalid, "a file needs a name")
	}
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		if _, taken := w.files[parent]; taken {
			return fault.Errorf(fault.Conflict, "%s can't be written: %s is a file, not a folder", name, parent)
		}
	}
	if w.isDir(name) {
		return fault.Errorf(fault.Conflict, "%s can't be written: it is a folder", name)
	}
	w.drop(name)
	if len(w.files) >= workspaceFiles || w.size+len(f.data) > workspaceBytes {
		return fault.Errorf(fault.TooLarge, "the workspace is over %d files or %d MB; fetch less", workspaceFiles, workspaceBytes>>20)
	}
	if f.mode == "" {
		f.mode = modeFile
	}
	w.files[name] = f
	w.size += len(f.data)
	w.dirty = true
	return nil
}

func (w *workspace) drop(name string) {
	if old, ok := w.files[name]; ok {
		w.size -= len(old.data)
		delete(w.files, name)
		w.dirty = true
	}
}

// isDir tells whether files are below name; the workspace itself always is a folder.
func (w *workspace) isDir(name string) bool {
	if name == "" {
		return true
	}
	for other := range w.files {
		if strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// names gives all paths in order.
func (w *workspace) names() []string { return slices.Sorted(maps.Keys(w.files)) }

// below gives the files of a folder by their path within it.
func (w *workspace) below(dir string) map[string]file {
	found := map[string]file{}
	for name, f := range w.files {
		if dir == "" {
			found[name] = f
		} else if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			found[rest] = f
		}
	}
	return found
}

// pack gives the workspace as tar.gz; the same files give the same bytes.
func (w *workspace) pack() ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, name := range w.names() {
		f := w.files[name]
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(f.data)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		switch f.mode {
		case modeExec:
			header.Mode = 0o755
		case modeLink:
			header.Typeflag, header.Linkname, header.Size = tar.TypeSymlink, string(f.data), 0
		}
		err := archive.WriteHeader(header)
		if err == nil && header.Size > 0 {
			_, err = archive.Write(f.data)
		}
		if err != nil {
			return nil, fmt.Errorf("pack the workspace: %w", err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		return nil, fmt.Errorf("pack the workspace: %w", err)
	}
	return out.Bytes(), nil
}

// unpack reads what pack gave.
func unpack(packed []byte) (*workspace, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read the workspace: %w", err)
	}
	w := newWorkspace()
	if err := readTar(zip, w.put); err != nil {
		return nil, fault.Wrap(err, "read the workspace")
	}
	w.dirty = false
	return w, nil
}

// readTar gives the files and links of a tar stream to put, within the bounds of a workspace.
func readTar(r io.Reader, put func(name string, f file) error) error {
	archive := tar.NewReader(io.LimitReader(r, workspaceBytes+workspaceFiles*2048))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.Errorf(fault.TooLarge, "the files are over %d MB; fetch less", workspaceBytes>>20)
		}
		if err != nil {
			return err
		}
		f := file{mode: modeFile}
		switch header.Typeflag {
		case tar.TypeReg:
			if header.FileInfo().Mode()&fs.ModePerm&0o100 != 0 {
				f.mode = modeExec
			}
			if f.data, err = io.ReadAll(io.LimitReader(archive, workspaceBytes+1)); err != nil {
				return err
			}
		case tar.TypeSymlink:
			f.mode, f.data = modeLink, []byte(header.Linkname)
		default:
			continue // folders come with their files
		}
		if err := put(header.Name, f); err != nil {
			return err
		}
	}
}

// changes gives the files below dir as the changes of a first commit.
func (w *workspace) changes(dir string) []git.FileChange {
	files := w.below(dir)
	var changes []git.FileChange
	for _, name := range slices.Sorted(maps.Keys(files)) {
		changes = append(changes, git.FileChange{Path: name, Content: files[name].data, Mode: files[name].mode})
	}
	return changes
}
