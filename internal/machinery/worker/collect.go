package worker

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const defaultOutput = 1 << 30 // bytes

// collector takes outputs out of a workspace that a step has left. Nothing in it is trusted: links do not lead
// out, and what is not a file is not opened in a way that waits.
type collector struct {
	root   *os.Root
	filled map[string]stamps // what was there before the command, by the names of outputs of what is new
	sealed bool              // what is put is sealed
	put    func(ctx context.Context, r io.Reader) (string, int64, error)
	note   func(format string, args ...any) // into the step's log
	// patiently does again what fails while something that it needs is away.
	patiently func(ctx context.Context, do func() error) error
}

// texts parts outputs into those that are texts, which are taken at once, and the others.
func texts(outputs []Output) (said, rest []Output) {
	for _, o := range outputs {
		if o.Kind == OutputText {
			said = append(said, o)
		} else {
			rest = append(rest, o)
		}
	}
	return said, rest
}

// into collects outputs; where that fails, so does a step that had succeeded, and the log of any says why. What a step that
// failed did not write is no failure of that. A canceled step's outputs are wanted, too: ctx is that of one whose step is lost.
func (c collector) into(ctx context.Context, outputs []Output, result *Result) {
	err := c.collect(ctx, outputs, result)
	if err == nil {
		return
	}
	if result.ExitCode == 0 {
		result.ExitCode, result.Reason, result.Message = 1, ReasonOutput, err.Error()
	}
	c.note("%s", err.Error())
}

// collect puts outputs into result. It goes on after an error, and gives all.
func (c collector) collect(ctx context.Context, outputs []Output, result *Result) error {
	if result.Outputs == nil {
		result.Outputs, result.Artifacts = map[string]string{}, map[string]Artifact{}
	}
	var all []error
	for _, o := range outputs {
		err := c.patiently(ctx, func() error { return c.one(ctx, o, result) })
		if errors.Is(err, fs.ErrNotExist) {
			if o.Optional || result.ExitCode != 0 {
				continue
			}
			err = fault.Errorf(fault.Invalid, "it is missing: the step did not write %s", o.Path)
		}
		if err != nil {
			all = append(all, fault.Wrap(err, "output %s", o.Name))
		}
	}
	return errors.Join(all...)
}

func (c collector) one(ctx context.Context, o Output, result *Result) error {
	name, err := below(o.Path)
	if err != nil {
		return err
	}
	limit := o.MaxBytes
	if limit <= 0 {
		limit = defaultOutput
	}
	switch o.Kind {
	case OutputText:
		limit = min(limit, MaxText)
		text, err := c.text(name, limit)
		if err == nil {
			result.Outputs[o.Name] = text
		}
		return err
	case OutputFile:
		f, size, err := c.open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if size > limit {
			return fault.Errorf(fault.TooLarge, "%s has %d bytes; %d are allowed", o.Path, size, limit)
		}
		return c.store(ctx, o, io.LimitReader(f, limit), result)
	case OutputTree:
		return c.tree(ctx, o, name, limit, result)
	case OutputNew:
		return c.fresh(ctx, o, name, limit, result)
	case OutputAny:
		info, err := c.root.Stat(name)
		if err != nil {
			return err
		}
		if o.Kind = OutputFile; info.IsDir() {
			o.Kind = OutputTree
		}
		return c.one(ctx, o, result)
	}
	return fault.Errorf(fault.Invalid, "its kind %q is none of text, file, tree, any and new", o.Kind)
}

// below gives a path relative to the workspace.
func below(p string) (string, error) {
	rel := p
	if path.IsAbs(p) {
		if p != execute.WorkDir && !strings.HasPrefix(p, execute.WorkDir+"/") {
			return "", fault.Errorf(fault.Invalid, "%s is not below %s", p, execute.WorkDir)
		}
		rel = strings.TrimPrefix(strings.TrimPrefix(p, execute.WorkDir), "/")
	}
	rel = path.Clean(rel)
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fault.Errorf(fault.Invalid, "%s is not below %s", p, execute.WorkDir)
	}
	return rel, nil
}

// open gives a regular file. A pipe, socket or device is refused without waiting for its other end.
func (c collector) open(name string) (*os.File, int64, error) {
	f, err := c.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.Errorf(fault.Invalid, "%s is not a file", name)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func (c collector) text(name string, limit int64) (string, error) {
	f, _, err := c.open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(b)) > limit {
		return "", fault.Errorf(fault.TooLarge, "%s has more than %d bytes; use an output of kind file", name, limit)
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return "", fault.Errorf(fault.Invalid, "%s is not text; use an output of kind file", name)
	}
	return string(b), nil
}

func (c collector) store(ctx context.Context, o Output, r io.Reader, result *Result) error {
	digest, size, err := c.put(ctx, r)
	if err == nil {
		result.Artifacts[o.Name] = Artifact{Digest: digest, Size: size, Kind: o.Kind, Sealed: c.sealed}
	}
	return err
}

func (c collector) tree(ctx context.Context, o Output, name string, limit int64, result *Result) error {
	info, err := c.root.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fault.Errorf(fault.Invalid, "%s is not a folder", o.Path)
	}
	return c.packed(ctx, o, result, func(w io.Writer) error { return c.pack(ctx, w, name, limit) })
}

// errUnread is why packing ends whose packet is not taken any more.
var errUnread = errors.New("nobody reads on")

// packed stores what pack writes.
func (c collector) packed(ctx context.Context, o Output, result *Result, pack func(w io.Writer) error) error {
	reader, writer := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := pack(writer)
		writer.CloseWithError(err)
		packed <- err
	}()
	err := c.store(ctx, o, reader, result)
	reader.CloseWithError(errUnread)
	if packErr := <-packed; packErr != nil && (err == nil || !errors.Is(packErr, errUnread)) {
		delete(result.Artifacts, o.Name)
		return packErr
	}
	return err
}

// pack writes a folder as tar.gz with nothing in it that depends on when and by whom it was made.
func (c collector) pack(ctx context.Context, w io.Writer, dir string, limit int64) error {
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	entries := defaultBounds().entries
	err := fs.WalkDir(c.root.FS(), dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || p == dir {
			return err
		}
		if entries--; entries < 0 {
			return fault.Errorf(fault.TooLarge, "%s has too many entries", dir)
		}
		rel := strings.TrimPrefix(p, dir+"/")
		if dir == "." {
			rel = p
		}
		return c.add(archive, p, rel, d, &limit)
	})
	return errors.Join(err, archive.Close(), zip.Close())
}

func (c collector) add(archive *tar.Writer, p, rel string, d fs.DirEntry, left *int64) error {
	switch {
	case d.IsDir():
		return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: rel + "/", Mode: 0o755})
	case d.Type()&fs.ModeSymlink != 0:
		to, err := c.root.Readlink(p)
		if err != nil {
			return err
		}
		if !leadsInside(rel, to) {
			c.note("%s is left out: the link to %s leads out of the output", p, to)
			return nil
		}
		return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: rel, Linkname: to, Mode: 0o777})
	case !d.Type().IsRegular():
		c.note("%s is left out: it is neither a file, a folder nor a link", p)
		return nil
	}
	f, size, err := c.open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	if *left -= size; *left < 0 {
		return fault.Errorf(fault.TooLarge, "the folder is larger than allowed")
	}
	mode := int64(0o644)
	if info, err := f.Stat(); err == nil && info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: rel, Size: size, Mode: mode}); err != nil {
		return err
	}
	if _, err := io.CopyN(archive, f, size); err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	return nil
}
