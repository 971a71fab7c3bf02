package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Here gives a version of a program that is on this machine; NotFound for one that is not.
func (c *Cache) Here(ctx context.Context, name, version string) (Program, error) {
	if err := Check(name, version); err != nil {
		return Program{}, err
	}
	if p, ok := c.among(ctx, name, version); ok {
		return p, nil
	}
	p, err := c.take(ctx, name, version, io.Discard)
	if errors.Is(err, fs.ErrNotExist) || fault.Is(err, fault.Conflict) {
		return Program{}, fault.Errorf(fault.NotFound, "%s %s is not here", Title(name), version)
	}
	return p, err
}

// Read opens a program and gives its SHA-256 in hex.
func (p Program) Read() (f *os.File, sum string, err error) {
	if f, err = os.Open(p.Path); err != nil {
		return nil, "", fault.Errorf(fault.Unavailable, "read %s: %w", p.Path, err)
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, "", fault.Errorf(fault.Unavailable, "read %s: %w", p.Path, err)
	}
	return f, hex.EncodeToString(h.Sum(nil)), nil
}

// Received is a program that comes from somewhere, with the SHA-256 that it has to have.
type Received struct {
	Body io.ReadCloser
	Sum  string // in hex
}

// Receive keeps a version of a program that comes from another machine of the caller's, such as its server, once for all who
// ask meanwhile. Conflict when what comes has not the checksum that was told with it, or is another program.
func (c *Cache) Receive(ctx context.Context, name, version, from string, log io.Writer, open func(ctx context.Context) (Received, error)) (Program, error) {
	if err := Check(name, version); err != nil {
		return Program{}, err
	}
	unlock, err := c.hold(ctx, name, version, log)
	if err != nil {
		return Program{}, err
	}
	defer unlock()
	if p, err := c.look(name, version, true); err == nil {
		return p, nil
	}
	from, _ = apart(from)
	begun := c.Now()
	ctx, stop := context.WithTimeout(ctx, complete)
	defer stop()
	r, err := open(ctx)
	if err != nil {
		return Program{}, err
	}
	defer r.Body.Close()
	dir, err := c.part(name, version)
	if err != nil {
		return Program{}, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, name)
	got, _, err := writeProgram(path, r.Body, mostProgram)
	switch large := tooLarge(0); {
	case errors.As(err, &large):
		return Program{}, fault.Errorf(fault.TooLarge, "%s %s, as %s gives it: %w", Title(name), version, from, err)
	case err != nil:
		return Program{}, fault.Errorf(fault.Unavailable, "fetch %s %s from %s: %w", Title(name), version, from, err)
	case got != r.Sum:
		return Program{}, fault.Errorf(fault.Conflict, "the SHA-256 of %s %s, as it came from %s, is %s and not %s; it is not taken", Title(name), version, from, got, r.Sum)
	}
	n, v, ok := Is(ctx, path)
	for range 5 { // a process that is being started may hold the file that was written a moment ago
		if ok || ctx.Err() != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
		n, v, ok = Is(ctx, path)
	}
	if !ok || n != name || v != version {
		return Program{}, fault.Errorf(fault.Conflict, "what %s gives as %s %s calls itself %q on this machine; it is not taken", from, Title(name), version, strings.TrimSpace(n+" "+v))
	}
	p, err := c.keep(name, version, brought{dir: dir, sum: got, from: from})
	if err != nil {
		return Program{}, err
	}
	fmt.Fprintf(log, "roadbed: fetched %s %s from %s in %s; its checksum is right\n", Title(name), version, from, c.Now().Sub(begun).Round(100*time.Millisecond))
	return p, nil
}
