package provider

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of an archive.
const (
	MostArchive  = 1 << 30 // bytes
	mostUnpacked = 4 << 30 // bytes
	mostFiles    = 10_000
)

// receive writes an archive into a file of the folder, and gives its SHA-256 in hex. More than MostArchive is TooLarge.
func (s *Store) receive(r io.Reader) (file, sum string, size int64, err error) {
	f, err := os.CreateTemp(s.folder("temporary"), "archive-*")
	if err != nil {
		return "", "", 0, fault.Errorf(fault.Unavailable, "keep a provider: %w", err)
	}
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(f, h), io.LimitReader(r, MostArchive+1))
	if err == nil && size > MostArchive {
		err = fault.Errorf(fault.TooLarge, "an archive of a provider has at most %d MiB", MostArchive>>20)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name()) // the next start clears the folder
		return "", "", 0, err
	}
	return f.Name(), hex.EncodeToString(h.Sum(nil)), size, nil
}

// examine holds an archive to its form, and gives its hash as engines write it into lock files. Invalid when it is no
// archive of a provider.
func examine(file, kind string) (h1 string, err error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "it is no zip archive: %w", err)
	}
	defer func() { _ = z.Close() }() // it was only read
	if err := sound(&z.Reader, kind); err != nil {
		return "", err
	}
	h1, err = dirhash.HashZip(file, dirhash.Hash1)
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "the archive can't be read: %w", err)
	}
	return h1, nil
}

// sound looks at what an archive says of its files; that they are no larger is seen to by who reads them.
func sound(z *zip.Reader, kind string) error {
	if len(z.File) > mostFiles {
		return fault.Errorf(fault.TooLarge, "the archive has %d files; at most %d are taken", len(z.File), mostFiles)
	}
	total, program := uint64(0), false
	for _, f := range z.File {
		if !filepath.IsLocal(f.Name) || path.Clean(f.Name) != strings.TrimSuffix(f.Name, "/") || strings.ContainsAny(f.Name, "\\\x00\n") {
			return fault.Errorf(fault.Invalid, "the archive has a file %.100q, which would lie outside of its folder", f.Name)
		}
		if mode := f.Mode(); !mode.IsRegular() && !mode.IsDir() {
			return fault.Errorf(fault.Invalid, "%.100q in the archive is neither a file nor a folder", f.Name)
		}
		if f.UncompressedSize64 > mostUnpacked {
			total = mostUnpacked
		}
		if total += f.UncompressedSize64; total > mostUnpacked {
			return fault.Errorf(fault.TooLarge, "the archive unpacks to more than %d MiB", mostUnpacked>>20)
		}
		program = program || f.Mode().IsRegular() && strings.HasPrefix(f.Name, "terraform-provider-"+kind)
	}
	if !program {
		return fault.Errorf(fault.Invalid, "the archive has no program terraform-provider-%s", kind)
	}
	return nil
}

// unpack puts what is in an archive beside it, for engines to link to, when it is not there. It has the archive's hash,
// or is not there.
func (s *Store) unpack(ctx context.Context, p Package, archive, h1 string) error {
	to := s.unpacked(p)
	if _, err := os.Stat(to); err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = z.Close() }()                 // it was only read
	if err := sound(&z.Reader, p.Type); err != nil { // the file may be another by now
		return err
	}
	temp, err := os.MkdirTemp(s.folder("temporary"), "unpack-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(temp)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range z.File {
		if err := extract(root, f); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
	}
	is, err := dirhash.HashDir(temp, "", dirhash.Hash1)
	if err != nil {
		return err
	}
	if is != h1 { // as of one that has entries for folders, which its hash counts and a folder's does not
		return fmt.Errorf("unpacked, its hash is %s and not %s", is, h1)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(temp, to)
}

func extract(root *os.Root, f *zip.File) error {
	if f.Mode().IsDir() {
		return root.MkdirAll(strings.TrimSuffix(f.Name, "/"), 0o755)
	}
	if err := root.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if f.Mode()&0o111 != 0 || strings.HasPrefix(f.Name, "terraform-provider-") { // some are packed without the bit, as engines know
		mode = 0o755
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(f.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // zip ends it at the size that sound has added up
	if err == nil {
		err = out.Chmod(mode)
	}
	return errors.Join(err, out.Close())
}
