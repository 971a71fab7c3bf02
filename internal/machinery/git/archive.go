package git

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Archive gives the files below subpath in a commit (a full hash, HEAD or a full reference) as a tar stream whose names
// are relative to subpath. Modification times are the commit's, so that the same commit always gives the same bytes.
// The reader must be closed; that ends the command. It fails with fault.NotFound when there is nothing at subpath.
func (g *Git) Archive(ctx context.Context, dir, commit, subpath string) (io.ReadCloser, error) {
	if err := revision(commit); err != nil {
		return nil, err
	}
	subpath, err := CheckPath(subpath)
	if err != nil {
		return nil, err
	}
	objects, err := g.batch(ctx, dir, 1<<10, false, []string{commit + "^{commit}", commit + ":" + subpath})
	if err != nil {
		return nil, fault.Wrap(err, "archive %s", commit)
	}
	if objects[0].kind == "" {
		return nil, fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	}
	if objects[1].kind != "tree" {
		return nil, fault.Errorf(fault.NotFound, "there is no folder %q at %s", clip(subpath), commit)
	}
	args := []string{"--literal-pathspecs", "archive", "--format=tar", objects[0].hash, "--"}
	if subpath != "" {
		args = append(args, subpath)
	}
	return g.stream(ctx, call{dir: dir, args: args}, func(w io.Writer, r io.Reader) error { return relative(w, r, subpath) })
}

// Formats of a download.
const (
	FormatZip = "zip"
	FormatTar = "tar.gz"
)

// Download gives all files of a commit as an archive that a browser takes, below a folder of its own. The reader must be
// closed. It fails with fault.NotFound when there is no such commit, fault.Invalid for another format.
func (g *Git) Download(ctx context.Context, dir, commit, format, folder string) (io.ReadCloser, error) {
	if format != FormatZip && format != FormatTar {
		return nil, fault.Errorf(fault.Invalid, "%q is no format of an archive; take zip or tar.gz", clip(format))
	}
	if err := checkNewPath(folder); err != nil {
		return nil, err
	}
	if err := revision(commit); err != nil {
		return nil, err
	}
	objects, err := g.batch(ctx, dir, 1<<10, false, []string{commit + "^{commit}"})
	if err != nil {
		return nil, fault.Wrap(err, "archive %s", commit)
	}
	if objects[0].kind == "" {
		return nil, fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	}
	return g.served(ctx, call{dir: dir, forks: true, args: []string{"archive", "--format=" + format, "--prefix=" + folder + "/", objects[0].hash}})
}

// served streams the output of a command as it is, when it is the client's turn.
func (g *Git) served(ctx context.Context, c call) (io.ReadCloser, error) {
	leave, err := g.serving.enter(ctx, g.client)
	if err != nil {
		return nil, err
	}
	out, err := g.stream(ctx, c, whole)
	if err != nil {
		leave()
		return nil, err
	}
	return &leaving{out, sync.OnceFunc(leave)}, nil
}

// leaving gives the client's slot back when it is closed.
type leaving struct {
	io.ReadCloser
	leave func()
}

func (l *leaving) Close() error {
	defer l.leave()
	return l.ReadCloser.Close()
}

// whole copies a stream as it is.
func whole(w io.Writer, r io.Reader) error {
	_, err := io.Copy(w, r)
	return err
}

// stream runs a command whose output is read as it comes, after through has had it. The reader must be closed; that ends
// the command.
func (g *Git) stream(ctx context.Context, c call, through func(w io.Writer, r io.Reader) error) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, serveTime)
	cmd := g.command(ctx, c)
	complaint := &bounded{limit: errorBytes}
	cmd.Stderr = complaint
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, fault.Wrap(err, "start git %s", cmd.Args[1])
	}
	out, in := io.Pipe()
	a := &stream{PipeReader: out, cancel: cancel, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(a.done)
		err := cmd.start()
		started <- err
		if err != nil {
			return
		}
		err = through(in, stdout)
		if err != nil {
			cancel() // nobody reads on, so git would wait for ever
		}
		if waited := cmd.wait(); waited != nil && (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) {
			err = g.problem(ctx, cmd, waited, complaint)
		}
		in.CloseWithError(err)
	}()
	if err := <-started; err != nil {
		cancel()
		return nil, fault.Wrap(err, "start git %s", cmd.Args[1])
	}
	return a, nil
}

// stream is the output of a command that still runs.
type stream struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once
}

// Close ends the command, when it still runs, and waits for it.
func (a *stream) Close() error {
	a.once.Do(func() {
		a.PipeReader.Close()
		a.cancel()
		<-a.done
	})
	return nil
}

// relative copies a tar stream and takes prefix from its names; what is not below prefix, and git's global header, is
// left out.
func relative(w io.Writer, r io.Reader, prefix string) error {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	if prefix != "" {
		prefix += "/"
	}
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			// What follows the end mark is read too, else git would die of a broken pipe.
			if _, err := io.Copy(io.Discard, r); err != nil {
				return fmt.Errorf("read the archive: %w", err)
			}
			return out.Close()
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		name, ok := strings.CutPrefix(h.Name, prefix)
		if h.Typeflag == tar.TypeXGlobalHeader || !ok || name == "" {
			continue
		}
		h.Name, h.Format, h.PAXRecords = name, tar.FormatUnknown, nil
		h.Uname, h.Gname = "", ""
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}
