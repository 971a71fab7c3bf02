package worker

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// bounds of what is unpacked into a workspace.
type bounds struct {
	bytes   int64 // of all files together
	entries int
	depth   int // folders in a path
}

func defaultBounds() bounds { return bounds{bytes: 4 << 30, entries: 500_000, depth: 100} }

// unpack writes a tar below the folder dir of root. It refuses what could reach or hurt anything else: names and
// links that lead out, devices, and more than the bounds allow, which it lowers by what was taken.
func unpack(root *os.Root, dir string, r io.Reader, b *bounds) error {
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Errorf(fault.Invalid, "read the archive: %w", err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if b.entries--; b.entries < 0 {
			return fault.Errorf(fault.TooLarge, "the archive has too many entries")
		}
		name, err := inside(h.Name, b.depth)
		if err != nil {
			return err
		}
		if name == "." {
			continue
		}
		if err := extract(root, dir, name, h, archive, b); err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
}

// inside gives the clean form of an archive's name.
func inside(name string, depth int) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(name, 0) || strings.ContainsRune(name, '\\') {
		return "", fault.Errorf(fault.Invalid, "the archive names %q, which is outside of it", name)
	}
	if strings.Count(clean, "/") >= depth {
		return "", fault.Errorf(fault.TooLarge, "the archive nests too deep at %.100q", name)
	}
	return clean, nil
}

func extract(root *os.Root, dir, name string, h *tar.Header, r io.Reader, b *bounds) error {
	target := path.Join(dir, name)
	if h.Typeflag != tar.TypeDir {
		if err := root.MkdirAll(path.Dir(target), 0o755); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if is, err := root.Lstat(target); err == nil && !is.IsDir() {
			if err := root.Remove(target); err != nil {
				return err
			}
		}
		return root.MkdirAll(target, 0o755)
	case tar.TypeReg:
		return extractFile(root, target, h, r, b)
	case tar.TypeSymlink:
		if !leadsInside(name, h.Linkname) {
			return fault.Errorf(fault.Invalid, "the link to %q leads out of the archive; make it relative, to something inside", h.Linkname)
		}
		if err := root.RemoveAll(target); err != nil {
			return err
		}
		return root.Symlink(h.Linkname, target)
	case tar.TypeLink:
		from, err := inside(h.Linkname, b.depth)
		if err != nil {
			return err
		}
		if err := root.RemoveAll(target); err != nil {
			return err
		}
		return root.Link(path.Join(dir, from), target)
	}
	return fault.Errorf(fault.Invalid, "it is neither a file, a folder nor a link")
}

func extractFile(root *os.Root, target string, h *tar.Header, r io.Reader, b *bounds) error {
	if b.bytes -= h.Size; b.bytes < 0 || h.Size < 0 {
		return fault.Errorf(fault.TooLarge, "the archive is too large when unpacked")
	}
	if err := root.RemoveAll(target); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if h.Mode&0o111 != 0 {
		mode = 0o755
	}
	f, err := root.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, r, h.Size)
	err = errors.Join(err, f.Close())
	if err == nil && !h.ModTime.IsZero() {
		err = root.Chtimes(target, h.ModTime, h.ModTime)
	}
	return err
}

// replace makes room for a file; what is there is not followed.
func replace(root *os.Root, target string) error {
	if err := root.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// leadsInside tells whether a link at name stays in its tree, by its text alone.
func leadsInside(name, to string) bool {
	if to == "" || path.IsAbs(to) || strings.ContainsRune(to, 0) {
		return false
	}
	clean := path.Join(path.Dir(name), to)
	return clean != ".." && !strings.HasPrefix(clean, "../")
}
