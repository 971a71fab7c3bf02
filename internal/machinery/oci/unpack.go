package oci

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// whiteout is how a layer says that something of the layers below is gone.
const (
	whiteout       = ".wh."
	opaqueWhiteout = ".wh..wh..opq"
)

// UnpackLimits bound what an image may become on disk. A zero field means its default.
type UnpackLimits struct {
	Bytes   int64 // of all files together; 4 GiB
	Entries int   // files, folders and links of all layers; 200,000
	Layers  int   // 128
}

// Unpack extracts an image's layers into dest, which must not exist, and gives its configuration. It appears whole
// or not at all: a kill leaves dest+".part", which the next call for that dest removes; two calls for one dest at a
// time are the caller's to prevent. Every layer is checked against the image's configuration.
//
// Nothing is written outside dest whatever the layers say; owners, devices, pipes and set-user-id bits are left out.
// Invalid when the image is malformed, TooLarge over a limit.
func Unpack(ctx context.Context, image v1.Image, dest string, limits UnpackLimits) (Config, error) {
	config, err := ConfigOf(image)
	if err != nil {
		return Config{}, err
	}
	if _, err := os.Lstat(dest); err == nil {
		return Config{}, fault.Errorf(fault.Conflict, "unpack an image: %s exists already", dest)
	}
	part := dest + ".part"
	if err := removeTree(part); err != nil {
		return Config{}, fault.Wrap(err, "clear what an earlier unpack left")
	}
	if err := os.Mkdir(part, 0o755); err != nil {
		return Config{}, fault.Wrap(err, "make the folder of the image")
	}
	err = unpackLayers(ctx, image, part, limits)
	if err == nil {
		err = os.Rename(part, dest)
	}
	if err != nil {
		return Config{}, errors.Join(fault.Wrap(err, "unpack image %s", config.Digest), removeTree(part))
	}
	return config, nil
}

// removeTree removes dir also where its folders deny their owner.
func removeTree(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	_ = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return root.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

func unpackLayers(ctx context.Context, image v1.Image, dir string, limits UnpackLimits) error {
	if limits.Bytes == 0 {
		limits.Bytes = 4 << 30
	}
	if limits.Entries == 0 {
		limits.Entries = 200_000
	}
	if limits.Layers == 0 {
		limits.Layers = 128
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	if len(layers) > limits.Layers {
		return fault.Errorf(fault.TooLarge, "it has %d layers, over the limit of %d", len(layers), limits.Layers)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	if len(config.RootFS.DiffIDs) != len(layers) {
		return fault.Errorf(fault.Invalid, "it has %d layers, but its configuration says %d", len(layers), len(config.RootFS.DiffIDs))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x := &extractor{root: root, bytes: limits.Bytes, entries: limits.Entries}
	for i, l := range layers {
		if err := x.layer(ctx, l, config.RootFS.DiffIDs[i]); err != nil {
			return fault.Wrap(err, "layer %d of %d", i+1, len(layers))
		}
	}
	return nil
}

// extractor writes layers one above the other.
type extractor struct {
	root    *os.Root
	bytes   int64 // that may still come
	entries int
	fresh   map[string]bool // what the current layer has made and the folders above it, which its whiteouts spare
	gone    map[string]bool // whiteouts of the current layer that are done
}

func (x *extractor) layer(ctx context.Context, l v1.Layer, want v1.Hash) error {
	plain, err := l.Uncompressed()
	if err != nil {
		return fault.Errorf(fault.Invalid, "decompress: %w", err)
	}
	defer plain.Close()
	// Names, padding and zeros that tar skips count as well, so that a tiny layer can't keep us busy for hours.
	bounded := &io.LimitedReader{R: cancelReader{ctx, plain}, N: x.bytes + int64(x.entries)*1024 + 1<<20}
	digest := sha256.New()
	stream := io.TeeReader(bounded, digest)
	x.fresh, x.gone = map[string]bool{}, map[string]bool{}
	if err := x.entriesOf(tar.NewReader(stream)); err != nil {
		if bounded.N <= 0 {
			return fault.Errorf(fault.TooLarge, "the layer is over the limit of size")
		}
		return err
	}
	if _, err := io.Copy(io.Discard, stream); err != nil {
		return fault.Errorf(fault.Invalid, "read the end of the layer: %w", err)
	}
	if got := sum(digest); got != want {
		return fault.Errorf(fault.Invalid, "its content has digest %s, but the image's configuration says %s", got, want)
	}
	return nil
}

func (x *extractor) entriesOf(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Errorf(fault.Invalid, "read the layer: %w", err)
		}
		if x.entries--; x.entries < 0 {
			return fault.Errorf(fault.TooLarge, "it has too many files")
		}
		if err := x.entry(t, h); err != nil {
			return fault.Wrap(layerFault(err), "%q", clip(h.Name))
		}
	}
}

// layerFault tells a layer that can't be what it says from a machine that can't write it.
func layerFault(err error) error {
	for _, e := range []error{fs.ErrNotExist, fs.ErrExist, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL} {
		if errors.Is(err, e) {
			return fault.Errorf(fault.Invalid, "it doesn't fit what came before: %w", err)
		}
	}
	return err
}

func (x *extractor) entry(t *tar.Reader, h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeDir, tar.TypeSymlink, tar.TypeLink:
	default:
		return nil // devices and pipes are the runtime's to give; global headers say nothing about files
	}
	name, err := x.inside(h.Name)
	if err != nil || name == "." {
		return err
	}
	dir, base := path.Split(name)
	if strings.HasPrefix(base, whiteout) {
		return x.remove(path.Clean("./"+dir), base)
	}
	if err := x.mark(name); err != nil {
		return err
	}
	if dir != "" {
		if err := x.root.MkdirAll(path.Clean(dir), 0o755); err != nil {
			return err
		}
	}
	if h.Typeflag == tar.TypeDir {
		return x.dir(name, h)
	}
	if err := x.root.RemoveAll(name); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return x.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		target, err := x.inside(h.Linkname)
		if err != nil {
			return err
		}
		return x.root.Link(target, name)
	}
	return x.file(t, name, h)
}

// mark notes that this layer makes name; folders that it makes in passing count as entries too.
func (x *extractor) mark(name string) error {
	x.fresh[name] = true
	for dir := path.Dir(name); dir != "." && !x.fresh[dir]; dir = path.Dir(dir) {
		x.fresh[dir] = true
		if x.entries--; x.entries < 0 {
			return fault.Errorf(fault.TooLarge, "it has too many files")
		}
	}
	return nil
}

func (x *extractor) dir(name string, h *tar.Header) error {
	info, err := x.root.Lstat(name)
	if err == nil && !info.IsDir() {
		if err := x.root.Remove(name); err != nil {
			return err
		}
	}
	if err != nil || !info.IsDir() {
		if err := x.root.Mkdir(name, 0o755); err != nil {
			return err
		}
	}
	return x.root.Chmod(name, fs.FileMode(h.Mode)&0o777|0o700) // later entries and layers write into it
}

func (x *extractor) file(t *tar.Reader, name string, h *tar.Header) error {
	if h.Size > x.bytes {
		return fault.Errorf(fault.TooLarge, "it makes the image over the limit of size")
	}
	x.bytes -= h.Size
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, t)
	if err != nil {
		err = fault.Errorf(fault.Invalid, "read the file: %w", err)
	} else {
		err = f.Chmod(fs.FileMode(h.Mode) & 0o777)
	}
	return errors.Join(err, f.Close())
}

// remove does what a whiteout in dir says.
func (x *extractor) remove(dir, base string) error {
	if x.gone[dir+"/"+base] {
		return nil
	}
	x.gone[dir+"/"+base] = true
	if base != opaqueWhiteout {
		name := path.Join(dir, strings.TrimPrefix(base, whiteout))
		if name == "." || name == dir || strings.HasPrefix(name, "..") {
			return fault.Errorf(fault.Invalid, "a whiteout that names nothing")
		}
		return x.removeOld(name)
	}
	entries, err := fs.ReadDir(x.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		err = errors.Join(err, x.removeOld(path.Join(dir, e.Name())))
	}
	return err
}

// removeOld removes name save what this layer has put there: a whiteout speaks of the layers below, wherever in
// its layer it stands.
func (x *extractor) removeOld(name string) error {
	if !x.fresh[name] {
		return x.root.RemoveAll(name)
	}
	info, err := x.root.Lstat(name)
	if err != nil || !info.IsDir() {
		return nil
	}
	entries, err := fs.ReadDir(x.root.FS(), name)
	for _, e := range entries {
		err = errors.Join(err, x.removeOld(path.Join(name, e.Name())))
	}
	return err
}

const (
	maxPath  = 4096
	maxDepth = 256
	maxLinks = 40
)

// inside gives where name leads within the image, with the links on the way resolved as a runtime would whose root
// is the image; the last part is not followed. It never leads out, and os.Root holds to that a second time.
func (x *extractor) inside(name string) (string, error) {
	if len(name) > maxPath || strings.Count(name, "/") > maxDepth || strings.ContainsRune(name, 0) {
		return "", fault.Errorf(fault.Invalid, "the path is too long, too deep or holds a zero byte")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fault.Errorf(fault.Invalid, "the path leads out of the image")
		}
	}
	rest := strings.Split(strings.TrimPrefix(path.Clean("/"+name), "/"), "/")
	at, links := ".", 0
	for len(rest) > 1 {
		step := rest[0]
		rest = rest[1:]
		if step == "" || step == "." {
			continue
		}
		if step == ".." { // of a link's target: above the root is the root
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, step)
		info, err := x.root.Lstat(next)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := x.root.Readlink(next)
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks || len(target) > maxPath {
			return "", fault.Errorf(fault.Invalid, "the path goes through too many links")
		}
		if path.IsAbs(target) {
			at = "."
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return path.Join(at, rest[0]), nil
}
