package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of a module's folder.
const (
	mostBytes = 64 << 20 // of all files together
	mostFiles = 10_000
	mostDepth = 30
	mostRead  = 2 << 20 // bytes of a file that is looked into
)

// packed is a module's folder as an archive.
type packed struct {
	archive []byte // tar.gz; equal folders give equal bytes
	files   int
	texts   map[string][]byte // what is looked into: configuration of engines, and READMEs
}

type packedFile struct {
	name string
	mode int64
	data []byte
}

// pack makes the archive of a folder from a tar of it. What leads out, is a link, or exceeds the bounds is Invalid: a version is what
// everybody gets, so nothing is left out of it in silence. Folders that begin with a dot, such as .github, belong to the
// repository and not to the module.
func pack(stream io.Reader) (packed, error) {
	p := packed{texts: map[string][]byte{}}
	var files []packedFile
	total := int64(0)
	limited := &io.LimitedReader{R: stream, N: mostBytes + (mostFiles+2)*(16<<10)}
	archive := tar.NewReader(limited)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p, unread(limited, err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader || h.Typeflag == tar.TypeDir {
			continue
		}
		name, err := within(h.Name)
		if err != nil {
			return p, err
		}
		if strings.HasPrefix(name, ".") && strings.Contains(name, "/") || name == ".gitignore" || name == ".gitattributes" {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return p, fault.Errorf(fault.Invalid, "%.200q is a link or no file at all; engines don't unpack those, so put the file itself there", name)
		}
		if total += h.Size; total > mostBytes || len(files) == mostFiles {
			return p, fault.Errorf(fault.Invalid, "the folder has more than %d files or %d MiB; move what is no part of the module elsewhere", mostFiles, mostBytes>>20)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return p, unread(limited, err)
		}
		f := packedFile{name, 0o644, data}
		if h.Mode&0o111 != 0 {
			f.mode = 0o755
		}
		files = append(files, f)
		if wanted(name) && len(data) <= mostRead {
			p.texts[name] = data
		}
	}
	if _, err := io.CopyN(io.Discard, stream, 1<<20); err != nil && !errors.Is(err, io.EOF) { // what fills it up, so that who writes it comes to an end
		return p, fault.Wrap(err, "read the folder of the module")
	}
	if !slices.ContainsFunc(files, func(f packedFile) bool { return path.Dir(f.name) == "." && isConfiguration(f.name) }) {
		return p, fault.Errorf(fault.Invalid, "the folder has no configuration of its own (*.tf, *.tofu or *.tf.json); name the module's folder as spec.source.path")
	}
	slices.SortFunc(files, func(a, b packedFile) int { return strings.Compare(a.name, b.name) })
	p.files = len(files)
	var err error
	p.archive, err = write(files)
	return p, err
}

// unread tells of a folder that is too large by itself from one that could not be read now.
func unread(limited *io.LimitedReader, err error) error {
	if limited.N <= 0 {
		return fault.Errorf(fault.Invalid, "the folder is larger than %d MiB; move what is no part of the module elsewhere", mostBytes>>20)
	}
	return fault.Wrap(err, "read the folder of the module")
}

// within gives the clean form of a name in an archive.
func within(name string) (string, error) {
	clean, ok := folder(name)
	if !ok || clean == "" || strings.Count(clean, "/") >= mostDepth {
		return "", fault.Errorf(fault.Invalid, "the folder holds %.200q, which leads out of it or too deep", name)
	}
	return clean, nil
}

func write(files []packedFile) ([]byte, error) {
	var out bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(zipped)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := archive.WriteHeader(h); err != nil {
			return nil, fault.Errorf(fault.Invalid, "%.200q can't be packed: %w", f.name, err)
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func isConfiguration(name string) bool {
	return strings.HasSuffix(name, ".tf") || strings.HasSuffix(name, ".tf.json") || strings.HasSuffix(name, ".tofu")
}

func isReadme(name string) bool { return strings.EqualFold(path.Base(name), "README.md") }

// wanted tells whether a file is looked into.
func wanted(name string) bool { return isConfiguration(name) || isReadme(name) }
