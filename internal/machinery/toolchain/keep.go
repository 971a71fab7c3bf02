package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// remove takes a version away. What its maker's unsigned list said of it stays known: see pinned. Whoever calls it holds the
// version.
func (c *Cache) remove(name, version string) error {
	dir := c.dir(name, version)
	r, err := c.record(name, version)
	if err != nil || r.Listed == "" {
		return os.RemoveAll(dir)
	}
	if err := c.clear(name, version); err != nil {
		return err
	}
	r.Gone, r.Carried, r.Beside = true, false, nil
	return c.note(name, version, r)
}

// clear takes away all of a version but its record, the program first.
func (c *Cache) clear(name, version string) error {
	dir := c.dir(name, version)
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != recordFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func (c *Cache) note(name, version string, r record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return fault.Wrap(writeWhole(filepath.Join(c.dir(name, version), recordFile), data), "note the checksum of %s %s", Title(name), version)
}

// bring downloads a version, unless another does or did meanwhile.
func (c *Cache) bring(ctx context.Context, name, version string, log io.Writer) (Program, error) {
	unlock, err := c.hold(ctx, name, version, log)
	if err != nil {
		return Program{}, err
	}
	defer unlock()
	if p, err := c.look(name, version, true); err == nil {
		return p, nil
	}
	done, err := c.turn(ctx, name, version, log)
	if err != nil {
		return Program{}, err
	}
	defer done()
	fmt.Fprintf(log, "roadbed: downloading %s %s\n", Title(name), version)
	begun := c.Now()
	dir, err := c.part(name, version)
	if err != nil {
		return Program{}, err
	}
	defer os.RemoveAll(dir)
	b, err := c.download(ctx, name, version, dir)
	if err != nil {
		return Program{}, err
	}
	p, err := c.keep(name, version, b)
	if err == nil {
		right := "its signature and checksum are right"
		if b.listed != "" {
			right = "its checksum is right"
		}
		fmt.Fprintf(log, "roadbed: downloaded %s %s from %s in %s; %s\n", Title(name), version, b.from, c.Now().Sub(begun).Round(100*time.Millisecond), right)
	}
	return p, err
}

// turn waits until no other version is being downloaded by this process: archives of engines are held in memory.
func (c *Cache) turn(ctx context.Context, name, version string, log io.Writer) (done func(), err error) {
	done = func() { <-c.bringing }
	select {
	case c.bringing <- struct{}{}:
		return done, nil
	default:
	}
	fmt.Fprintf(log, "roadbed: %s %s is downloaded as soon as another download is done\n", Title(name), version)
	select {
	case c.bringing <- struct{}{}:
		return done, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// part makes the folder in which a version is until it is whole. Whoever calls it holds the version.
func (c *Cache) part(name, version string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(c.Dir, name), partly+version+"-*")
	if err != nil {
		return "", fault.Errorf(fault.Unavailable, "keep %s %s: %w", Title(name), version, err)
	}
	return dir, nil
}

// partly is how the names of files and folders begin that are not whole yet.
const partly = ".part-"

// brought is a program that has come.
type brought struct {
	dir    string // in which it is, with the files that belong to it
	sum    string
	beside map[string]string // checksums of those files, by name
	from   string
	listed string // the checksum of what was downloaded, by an unsigned list; "" where a key has signed it
}

// keep puts a program into the folder with the record of its checksum. Whoever calls it holds the version.
func (c *Cache) keep(name, version string, b brought) (Program, error) {
	note := record{SHA256: b.sum, From: b.from, Kept: c.Now().UTC(), Listed: b.listed, Beside: b.beside}
	if old, err := c.record(name, version); err == nil && old.Listed != "" && b.listed == "" { // it comes from a server
		if old.SHA256 != note.SHA256 {
			return Program{}, fault.Errorf(fault.Conflict, "the SHA-256 of %s %s, as it came from %s, is %s, and was %s when it was first downloaded here; it is not taken", Title(name), version, b.from, note.SHA256, old.SHA256)
		}
		note.Listed = old.Listed
	}
	if err := c.move(name, version, b, note); err != nil {
		return Program{}, fault.Errorf(fault.Unavailable, "keep %s %s: %w", Title(name), version, err)
	}
	c.Log.Info("keeps a program that was not here", "name", name, "version", version, "from", b.from, "sha256", note.SHA256)
	c.prune(c.dir(name, version))
	return c.look(name, version, true)
}

// move puts a program where it stands, as the last of its files, so that it is there whole or not at all. The record of the one
// before stays until it is replaced: without it, another program would be trusted as if it were the first.
func (c *Cache) move(name, version string, b brought, note record) error {
	dir := c.dir(name, version)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
		return err
	}
	if err := c.clear(name, version); err != nil {
		return err
	}
	for file := range b.beside {
		if err := os.Rename(filepath.Join(b.dir, file), filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	if err := c.note(name, version, note); err != nil {
		return err
	}
	return os.Rename(filepath.Join(b.dir, name), filepath.Join(dir, name))
}

// hold makes sure that one alone brings a version, or removes it.
func (c *Cache) hold(ctx context.Context, name, version string, log io.Writer) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Join(c.Dir, name), 0o755); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "make the folder of programs: %w", err)
	}
	for told := false; ; told = true {
		unlock, err := c.tryHold(name, version)
		if err != nil {
			return nil, fault.Errorf(fault.Unavailable, "lock %s %s: %w", Title(name), version, err)
		}
		if unlock != nil {
			return unlock, nil
		}
		if !told {
			fmt.Fprintf(log, "roadbed: waiting for %s %s, which is being downloaded\n", Title(name), version)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tryHold gives nil where another holds the version.
func (c *Cache) tryHold(name, version string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(c.Dir, name, "."+version+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, f.Close()
	case err != nil:
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // a program that is being started may hold the file for a moment
		f.Close()
	}, nil
}

// prune removes what was downloaded and used longest ago until the rest fits, save one, and what others are at.
func (c *Cache) prune(but string) {
	type old struct {
		dir  string
		used time.Time
		of   Program
	}
	var all []old
	total := int64(0)
	for _, name := range Names() {
		entries, _ := os.ReadDir(filepath.Join(c.Dir, name))
		for _, e := range entries {
			if !ValidVersion(e.Name()) {
				continue
			}
			p, err := c.kept(name, e.Name())
			if err != nil || p.From == "" {
				continue
			}
			dir := filepath.Dir(p.Path)
			if info, err := os.Stat(dir); err == nil {
				total += p.Size
				all = append(all, old{dir, info.ModTime(), p})
			}
		}
	}
	slices.SortFunc(all, func(a, b old) int { return a.used.Compare(b.used) })
	for _, o := range all {
		if total <= c.Room {
			return
		}
		if o.dir == but {
			continue
		}
		unlock, err := c.tryHold(o.of.Name, o.of.Version)
		if err == nil && unlock == nil {
			continue
		}
		if err == nil {
			err = c.remove(o.of.Name, o.of.Version) // a step that has it shown goes on
			unlock()
		}
		if err != nil {
			c.Log.Warn("remove a program that nobody has used for long", "dir", o.dir, "error", err)
			continue
		}
		total -= o.of.Size
	}
}

// leftFor is how long a file is written at most that another is going to replace.
const leftFor = time.Hour

// sweep removes what processes that were killed have left half: of versions that nobody brings, and files that are old.
func (c *Cache) sweep() {
	for _, name := range Names() {
		entries, _ := os.ReadDir(filepath.Join(c.Dir, name)) // none: nothing is there
		for _, e := range entries {
			path := filepath.Join(c.Dir, name, e.Name())
			if ValidVersion(e.Name()) {
				inside, _ := filepath.Glob(filepath.Join(path, partly+"*")) // the pattern is right
				for _, file := range inside {
					c.sweepOld(file)
				}
				continue
			}
			rest, is := strings.CutPrefix(e.Name(), partly)
			if !is {
				continue
			}
			version := rest[:max(strings.LastIndex(rest, "-"), 0)]
			if !ValidVersion(version) {
				c.sweepOld(path)
				continue
			}
			unlock, err := c.tryHold(name, version)
			if err == nil && unlock == nil {
				continue
			}
			if err == nil {
				err = os.RemoveAll(path)
				unlock()
			}
			c.swept(path, err)
		}
	}
}

func (c *Cache) sweepOld(path string) {
	if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > leftFor {
		c.swept(path, os.RemoveAll(path))
	}
}

func (c *Cache) swept(path string, err error) {
	if err != nil {
		c.Log.Warn("remove what was left of a download", "path", path, "error", err)
		return
	}
	c.Log.Info("removed what was left of a download", "path", path)
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// writeWhole writes a file that is there whole or as it was.
func writeWhole(path string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), partly+"*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// tooLarge is what has more bytes than that.
type tooLarge int64

func (t tooLarge) Error() string { return fmt.Sprintf("it has more than %d MiB", int64(t)>>20) }

// writeProgram writes what is read into a new file and gives its SHA-256, so that it is on the disk before it gets its name: the
// record beside it would tell otherwise.
func writeProgram(path string, from io.Reader, most int64) (sum string, size int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(f, h), io.LimitReader(from, most+1))
	if err == nil && size > most {
		err = tooLarge(most)
	}
	if err == nil {
		err = f.Chmod(0o755) // whatever the umask
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", size, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}
