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
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// DefaultRoom is what downloaded programs take together: some thirty.
const DefaultRoom = 4 << 30

// Options say where programs are from.
type Options struct {
	Dir       string   // of what is downloaded; made when something is
	Found     []string // paths of programs that the machine has, which may be none
	Download  bool     // what is missing
	OpenTofu  string   // address of a mirror of OpenTofu's releases; "" for OpenTofu's own
	Terraform string   // address of Terraform's releases, or of a mirror; "" where none is downloaded

	OpenTofuKey, TerraformKey string // armored; "" for the makers' own

	HTTP *http.Transport // nil: one of the cache's own
	Room int64           // bytes; 0 for DefaultRoom
	Now  func() time.Time
	Log  *slog.Logger
}

// Program is one version of a program on this machine.
type Program struct {
	Name    string
	Version string
	Path    string
	Digest  string // SHA-256 in hex; "" of one that the machine has anyway
	From    string // the address from which it was downloaded; "" of one that was found or carried here
	Found   bool   // by the machine's PATH or the operator's options, and not in the folder
	Size    int64
}

// String gives what the program calls itself: "OpenTofu v1.12.6".
func (p Program) String() string { return Title(p.Name) + " v" + p.Version }

// Cache gives programs by their versions. All its methods may be called at the same time, by several processes.
type Cache struct {
	Options
	lock     sync.Mutex
	verified map[string]stamp   // by path: as it was when its checksum was right
	found    map[string]Program // by path, of programs outside the folder
	stamps   map[string]stamp   // of those
	lists    map[string]list    // of available versions, by name
}

// stamp is how a file looked.
type stamp struct {
	size  int64
	mtime time.Time
	inode uint64
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), mtime: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = st.Ino
	}
	return s
}

// New gives the cache in a folder.
func New(o Options) *Cache {
	if o.Room <= 0 {
		o.Room = DefaultRoom
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Cache{Options: o, verified: map[string]stamp{}, found: map[string]Program{}, stamps: map[string]stamp{}, lists: map[string]list{}}
}

// record is what is known of a program in the folder.
type record struct {
	SHA256 string    `json:"sha256"`
	From   string    `json:"from,omitempty"` // "" for one that somebody carried here
	Kept   time.Time `json:"kept"`
}

func (c *Cache) dir(name, version string) string { return filepath.Join(c.Dir, name, version) }

// Path gives where a version stands, or would.
func (c *Cache) Path(name, version string) string { return filepath.Join(c.dir(name, version), name) }

// Local gives the programs that are on this machine, by name and the newest first. One that can't be asked for its
// version is left out.
func (c *Cache) Local(ctx context.Context) []Program {
	var all []Program
	for _, path := range c.Found {
		if p, ok := c.ask(ctx, path); ok && !slices.ContainsFunc(all, func(o Program) bool { return o.Name == p.Name && o.Version == p.Version }) {
			all = append(all, p)
		}
	}
	for _, name := range Names() {
		entries, _ := os.ReadDir(filepath.Join(c.Dir, name)) // none: nothing is there
		for _, e := range entries {
			if !ValidVersion(e.Name()) || slices.ContainsFunc(all, func(o Program) bool { return o.Name == name && o.Version == e.Name() }) {
				continue
			}
			if p, err := c.kept(name, e.Name()); err == nil {
				all = append(all, p)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Program) int {
		if a.Name != b.Name {
			return slices.Index(Names(), a.Name) - slices.Index(Names(), b.Name)
		}
		return Compare(b.Version, a.Version)
	})
	return all
}

// kept gives a program of the folder as its record says, without a look at what it holds.
func (c *Cache) kept(name, version string) (Program, error) {
	path := c.Path(name, version)
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
		err = fmt.Errorf("%s is not a program: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return Program{}, err
	}
	p := Program{Name: name, Version: version, Path: path, Size: info.Size()}
	if r, err := c.record(name, version); err == nil {
		p.Digest, p.From = r.SHA256, r.From
	}
	return p, nil
}

func (c *Cache) record(name, version string) (r record, err error) {
	data, err := provider.ReadBounded(filepath.Join(c.dir(name, version), "record.json"), 64<<10)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// Get gives a version of a program, which it downloads where it is not here and that is allowed. What it does is told
// to log. Unavailable when it can't be had.
func (c *Cache) Get(ctx context.Context, name, version string, log io.Writer) (Program, error) {
	if err := Check(name, version); err != nil {
		return Program{}, err
	}
	if p, ok := c.among(ctx, name, version); ok {
		return p, nil
	}
	p, err := c.take(name, version)
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !fault.Is(err, fault.Conflict) {
		return p, err
	}
	if fault.Is(err, fault.Conflict) {
		fmt.Fprintf(log, "roadbed: %s\n", fault.Message(err))
	}
	if err := c.may(name); err != nil {
		return Program{}, fault.Errorf(fault.Unavailable, "%s %s is not here, and %w; %s", Title(name), version, err, c.carry(name, version))
	}
	return c.bring(ctx, name, version, log)
}

// among gives a version that the machine has anyway.
func (c *Cache) among(ctx context.Context, name, version string) (Program, bool) {
	for _, path := range c.Found {
		if p, ok := c.ask(ctx, path); ok && p.Name == name && p.Version == version {
			return p, true
		}
	}
	return Program{}, false
}

// carry says how a version comes here by hand.
func (c *Cache) carry(name, version string) string {
	return "or put the program at " + c.Path(name, version)
}

// may tells why nothing is downloaded of a program.
func (c *Cache) may(name string) error {
	switch {
	case !c.Download:
		return errors.New("this server downloads no engines (--download-engine=false)")
	case name == Terraform && c.Terraform == "":
		return errors.New("this server downloads no Terraform, whose licence is for its operator to accept: see --terraform-releases")
	}
	return nil
}

// take gives a program of the folder whose checksum is right. ErrNotExist when it is not there; one that was changed is
// removed, which is Conflict.
func (c *Cache) take(name, version string) (Program, error) {
	p, err := c.kept(name, version)
	if err != nil {
		return p, err
	}
	info, err := os.Stat(p.Path)
	if err != nil {
		return p, err
	}
	now := stampOf(info)
	c.lock.Lock()
	right := c.verified[p.Path] == now
	c.lock.Unlock()
	if !right {
		if p, err = c.verify(p); err != nil {
			return p, err
		}
		c.lock.Lock()
		c.verified[p.Path] = now
		c.lock.Unlock()
	}
	_ = os.Chtimes(filepath.Dir(p.Path), time.Time{}, c.Now()) // the order of use is all that is lost
	return p, nil
}

// verify compares a program with its record. One without, which somebody has carried here, gets it.
func (c *Cache) verify(p Program) (Program, error) {
	sum, err := hashFile(p.Path)
	if err != nil {
		return p, fault.Errorf(fault.Unavailable, "read %s: %w", p.Path, err)
	}
	r, err := c.record(p.Name, p.Version)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Digest = sum
		return p, c.note(p.Name, p.Version, record{SHA256: sum, Kept: c.Now().UTC()})
	case err == nil && r.SHA256 == sum:
		p.Digest, p.From = sum, r.From
		return p, nil
	}
	if err := os.RemoveAll(filepath.Dir(p.Path)); err != nil {
		return p, fault.Errorf(fault.Unavailable, "remove %s, which is not as it was kept: %w", p.Path, err)
	}
	c.Log.Error("an engine was not as it was kept, and is removed", "path", p.Path, "is", sum, "was", r.SHA256)
	return p, fault.Errorf(fault.Conflict, "%s was changed since it was kept (its SHA-256 is %s and was %s), and is removed", p.Path, sum, r.SHA256)
}

func (c *Cache) note(name, version string, r record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return fault.Wrap(writeWhole(filepath.Join(c.dir(name, version), "record.json"), data), "note the checksum of %s %s", Title(name), version)
}

// bring downloads a version, unless another does or did meanwhile.
func (c *Cache) bring(ctx context.Context, name, version string, log io.Writer) (Program, error) {
	unlock, err := c.hold(ctx, name, version, log)
	if err != nil {
		return Program{}, err
	}
	defer unlock()
	if p, err := c.take(name, version); err == nil {
		return p, nil
	}
	fmt.Fprintf(log, "roadbed: downloading %s %s\n", Title(name), version)
	begun := c.Now()
	program, from, err := c.download(ctx, name, version)
	if err != nil {
		return Program{}, err
	}
	p, err := c.keep(name, version, program, from)
	if err == nil {
		fmt.Fprintf(log, "roadbed: downloaded %s %s from %s in %s; its signature and checksum are right\n", Title(name), version, from, c.Now().Sub(begun).Round(100*time.Millisecond))
	}
	return p, err
}

// keep puts a program into the folder with the record of its checksum. Whoever calls it holds the version.
func (c *Cache) keep(name, version string, program []byte, from string) (Program, error) {
	temp, err := os.MkdirTemp(filepath.Join(c.Dir, name), ".part-*")
	if err != nil {
		return Program{}, fault.Errorf(fault.Unavailable, "keep %s %s: %w", Title(name), version, err)
	}
	defer os.RemoveAll(temp)
	sum := sha256.Sum256(program)
	r, err := json.Marshal(record{SHA256: hex.EncodeToString(sum[:]), From: from, Kept: c.Now().UTC()})
	if err == nil {
		err = errors.Join(os.Chmod(temp, 0o755), writeWhole(filepath.Join(temp, "record.json"), r), writeProgram(filepath.Join(temp, name), program))
	}
	dir := c.dir(name, version)
	if err == nil {
		err = os.RemoveAll(dir) // what is left there is no program
	}
	if err == nil {
		err = os.Rename(temp, dir)
	}
	if err != nil {
		return Program{}, fault.Errorf(fault.Unavailable, "keep %s %s: %w", Title(name), version, err)
	}
	c.Log.Info("keeps an engine that was not here", "name", name, "version", version, "from", from, "sha256", hex.EncodeToString(sum[:]))
	c.prune(dir)
	return c.take(name, version)
}

// hold makes sure that one alone brings a version.
func (c *Cache) hold(ctx context.Context, name, version string, log io.Writer) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Join(c.Dir, name), 0o755); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "make the folder of engines: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(c.Dir, name, "."+version+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "lock %s %s: %w", Title(name), version, err)
	}
	for told := false; ; told = true {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() {
				_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // a program that is being started may hold the file for a moment
				f.Close()
			}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fault.Errorf(fault.Unavailable, "lock %s %s: %w", Title(name), version, err)
		}
		if !told {
			fmt.Fprintf(log, "roadbed: waiting for %s %s, which is being downloaded\n", Title(name), version)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// prune removes what was downloaded and used longest ago until the rest fits, save one.
func (c *Cache) prune(but string) {
	type old struct {
		dir  string
		used time.Time
		size int64
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
				all = append(all, old{dir, info.ModTime(), p.Size})
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
		if err := os.RemoveAll(o.dir); err != nil { // a step that has it shown goes on
			c.Log.Warn("remove an engine that nobody has used for long", "dir", o.dir, "error", err)
			continue
		}
		total -= o.size
	}
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
	temp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// writeProgram writes one so that it is on the disk before it gets its name: the record beside it would tell otherwise.
func writeProgram(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o755) // whatever the umask
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
