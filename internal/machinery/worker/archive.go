package worker

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds are what an archive may hold at most.
type Bounds struct {
	Bytes   int64 // of all files together, unpacked
	Entries int
	Depth   int // folders in a path
}

// Contents is what an archive holds.
type Contents struct {
	Bytes   int64 // of all files together, unpacked
	Entries int
}

// padding is what the form of a tar takes beside its files, in bytes an entry: headers, long names, what fills up blocks.
const padding = 16 << 10

// CheckArchive reads a tar.gz to its end and refuses what a worker would refuse when it unpacks it: names and links that
// lead out, devices, and more than the bounds allow, which it counts as it reads.
func CheckArchive(r io.Reader, most Bounds) (Contents, error) {
	var c Contents
	plain, err := gzip.NewReader(r)
	if err != nil {
		return c, fault.Errorf(fault.Invalid, "the archive is not a tar.gz: %w", err)
	}
	limited := &io.LimitedReader{R: plain, N: most.Bytes + int64(most.Entries+2)*padding}
	archive := tar.NewReader(limited)
	for {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return c, drained(limited)
		case err != nil && limited.N <= 0:
			return c, errUnpacked
		case err != nil:
			return c, fault.Errorf(fault.Invalid, "read the archive: %w", err)
		case h.Typeflag == tar.TypeXGlobalHeader:
			continue
		}
		if c.Entries++; c.Entries > most.Entries {
			return c, fault.Errorf(fault.TooLarge, "the archive has more than %d entries; leave out what a plan does not need, such as by .terraformignore", most.Entries)
		}
		if err := acceptable(h, most); err != nil {
			return c, err
		}
		if c.Bytes += h.Size; h.Size < 0 || c.Bytes > most.Bytes {
			return c, errUnpacked
		}
	}
}

var errUnpacked = fault.Errorf(fault.TooLarge, "the archive is too large when unpacked; leave out what a plan does not need, such as by .terraformignore")

// drained reads what follows the end of a tar, so that the sum of the gzip is looked at.
func drained(r *io.LimitedReader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fault.Errorf(fault.Invalid, "read the end of the archive: %w", err)
	}
	if r.N <= 0 {
		return errUnpacked
	}
	return nil
}

// acceptable tells whether an entry may be unpacked, by its header alone.
func acceptable(h *tar.Header, most Bounds) error {
	name, err := inside(h.Name, most.Depth)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeReg:
		return nil
	case tar.TypeSymlink:
		if !leadsInside(name, h.Linkname) {
			return fault.Errorf(fault.Invalid, "%q is a link to %q, which leads out of the archive; make it relative, to something inside", h.Name, h.Linkname)
		}
		return nil
	case tar.TypeLink:
		_, err := inside(h.Linkname, most.Depth)
		return err
	}
	return fault.Errorf(fault.Invalid, "%q is neither a file, a folder nor a link", h.Name)
}
