package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// DefaultRoom is what downloaded programs take together: some thirty engines.
const DefaultRoom = 4 << 30

// Options say where programs are from.
type Options struct {
	Dir       string   // of what is downloaded; made when something is
	Found     []string // paths of programs that the machine has, which may be none
	Download  bool     // what is missing
	OpenTofu  string   // address of a mirror of OpenTofu's releases; "" for OpenTofu's own
	Terraform string   // address of Terraform's releases, or of a mirror; "" where none is downloaded

	Kubectl, Terragrunt, Pulumi string // addresses of mirrors; "" for the makers' own

	OpenTofuKey, TerraformKey string // armored; "" for the makers' own

	HTTP   *http.Transport // nil: one of the cache's own
	Public *http.Transport // reaches the makers' own sites where no key signs what is there; nil: one of the cache's own
	Room   int64           // bytes; 0 for DefaultRoom
	Now    func() time.Time
	Log    *slog.Logger
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
	verified map[string][]stamp // by path: as it was when its checksum was right, and what is beside it
	found    map[string]Program // by path, of programs outside the folder
	stamps   map[string]stamp   // of those
	lists    map[string]list    // of available versions, by name
	asking   map[string]*asked  // of whom the lists are being asked for, by name
	bringing chan struct{}      // held by the one download at a time
	patience time.Duration      // with a program that is asked for its version
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

// New gives the cache in a folder, in which it removes what was left half by processes that were killed.
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
	c := &Cache{
		Options: o, verified: map[string][]stamp{}, found: map[string]Program{}, stamps: map[string]stamp{}, lists: map[string]list{},
		asking: map[string]*asked{}, bringing: make(chan struct{}, 1), patience: asking,
	}
	c.sweep()
	return c
}

const recordFile = "record.json"

// record is what is known of a program in the folder.
type record struct {
	SHA256 string            `json:"sha256"`
	From   string            `json:"from,omitempty"` // "" for one that somebody carried here
	Kept   time.Time         `json:"kept"`
	Listed string            `json:"listed,omitempty"` // what the maker's unsigned list said at the first download
	Beside map[string]string `json:"beside,omitempty"` // of files that belong to it, by name: their SHA-256

	Gone    bool `json:"gone,omitempty"`    // it was removed; what its maker said of it holds
	Carried bool `json:"carried,omitempty"` // somebody has carried it here since
}

// same tells whether files are as a record has them.
func (r record) same(o record) bool {
	return !r.Gone && r.SHA256 == o.SHA256 && maps.Equal(r.Beside, o.Beside)
}

func (c *Cache) dir(name, version string) string { return filepath.Join(c.Dir, name, version) }

// Path gives where a version stands, or would.
func (c *Cache) Path(name, version string) string { return filepath.Join(c.dir(name, version), name) }

// Local gives the programs that are on this machine, by name and the newest first. One that can't be asked for its
// version is left out. With names it is these programs alone.
func (c *Cache) Local(ctx context.Context, names ...string) []Program {
	if len(names) == 0 {
		names = Names()
	}
	var all []Program
	for _, path := range c.Found {
		if !slices.ContainsFunc(names, func(name string) bool { return mayBe(path, name) }) {
			continue
		}
		if p, ok := c.ask(ctx, path); ok && slices.Contains(names, p.Name) && !slices.ContainsFunc(all, func(o Program) bool { return o.Name == p.Name && o.Version == p.Version }) {
			all = append(all, p)
		}
	}
	for _, name := range names {
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
	for _, file := range p.beside() {
		if info, err := os.Stat(file); err == nil {
			p.Size += info.Size()
		}
	}
	if r, err := c.record(name, version); err == nil {
		p.Digest, p.From = r.SHA256, r.from()
	}
	return p, nil
}

// beside gives the files that belong to a program of the folder: of Pulumi its languages, and whatever its archive has of it.
func (p Program) beside() []string {
	if p.Name != Pulumi {
		return nil
	}
	entries, _ := os.ReadDir(filepath.Dir(p.Path)) // whoever takes the program says what is wrong
	var all []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), Pulumi+"-") {
			all = append(all, filepath.Join(filepath.Dir(p.Path), e.Name()))
		}
	}
	return all
}

// stamps gives how all files of a program look.
func (p Program) stamps() ([]stamp, error) {
	var all []stamp
	for _, file := range append([]string{p.Path}, p.beside()...) {
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		all = append(all, stampOf(info))
	}
	return all, nil
}

// hash gives the checksums of all files of a program.
func (p Program) hash() (r record, err error) {
	if r.SHA256, err = hashFile(p.Path); err != nil {
		return r, err
	}
	for _, file := range p.beside() {
		sum, err := hashFile(file)
		if err != nil {
			return r, err
		}
		if r.Beside == nil {
			r.Beside = map[string]string{}
		}
		r.Beside[filepath.Base(file)] = sum
	}
	return r, nil
}

func (c *Cache) record(name, version string) (r record, err error) {
	data, err := provider.ReadBounded(filepath.Join(c.dir(name, version), recordFile), 64<<10)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	r.From, _ = apart(r.From)
	return r, err
}

// from gives from where a program that is there was downloaded; "" where somebody has carried it.
func (r record) from() string {
	if r.Gone || r.Carried {
		return ""
	}
	return r.From
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
	p, err := c.take(ctx, name, version, log)
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
		if !mayBe(path, name) {
			continue
		}
		if p, ok := c.ask(ctx, path); ok && p.Name == name && p.Version == version {
			return p, true
		}
	}
	return Program{}, false
}

// Machine gives the version of a program that the machine has anyway, the first that is found; "" for none.
func (c *Cache) Machine(ctx context.Context, name string) string {
	for _, path := range c.Found {
		if !mayBe(path, name) {
			continue
		}
		if p, ok := c.ask(ctx, path); ok && p.Name == name {
			return p.Version
		}
	}
	return ""
}

// carry says how a version comes here by hand.
func (c *Cache) carry(name, version string) string {
	if IsTool(name) {
		return c.install(name, Title(name)+" "+version, version)
	}
	return "or put the program at " + c.Path(name, version)
}

// install says how a program that is no engine comes here by hand.
func (c *Cache) install(name, asked, version string) string {
	path := c.Path(name, version)
	if name == Pulumi {
		path += ", with its pulumi-language-* beside it"
	}
	return fmt.Sprintf("install %s on the machine's PATH and start the server or agent again, or put the program at %s", asked, path)
}

// may tells why nothing is downloaded of a program.
func (c *Cache) may(name string) error {
	switch {
	case !c.Download:
		return errors.New("this server downloads no programs (--download-engine=false)")
	case name == Terraform && c.Terraform == "":
		return errors.New("this server downloads no Terraform, whose licence is for its operator to accept: see --terraform-releases")
	}
	return nil
}

// take gives a program of the folder whose checksum is right. ErrNotExist when it is not there; one that was changed is
// removed, which is Conflict.
func (c *Cache) take(ctx context.Context, name, version string, log io.Writer) (Program, error) {
	p, err := c.look(name, version, false)
	if !errors.Is(err, errUnsure) {
		return p, err
	}
	unlock, err := c.hold(ctx, name, version, log)
	if err != nil {
		return Program{}, err
	}
	defer unlock()
	return c.look(name, version, true)
}

// errUnsure is of a program that has no record, or is not as its record says: another process may be at it.
var errUnsure = errors.New("it may be replaced at this moment")

// look is take; held where the caller holds the version, so that nobody else changes anything meanwhile.
func (c *Cache) look(name, version string, held bool) (Program, error) {
	p, err := c.kept(name, version)
	if err != nil {
		return p, err
	}
	now, err := p.stamps()
	if err != nil {
		return p, err
	}
	c.lock.Lock()
	right := slices.Equal(c.verified[p.Path], now)
	c.lock.Unlock()
	if !right {
		if p, err = c.verify(p, held); err != nil {
			return p, err
		}
		c.lock.Lock()
		c.verified[p.Path] = now
		c.lock.Unlock()
	}
	_ = os.Chtimes(filepath.Dir(p.Path), time.Time{}, c.Now()) // the order of use is all that is lost
	return p, nil
}

// verify compares a program with its record. One without, which somebody has carried here, gets it. It changes nothing where
// the version is not held.
func (c *Cache) verify(p Program, held bool) (Program, error) {
	is, err := p.hash()
	switch {
	case errors.Is(err, fs.ErrNotExist) && !held:
		return p, errUnsure
	case err != nil:
		return p, fault.Errorf(fault.Unavailable, "read %s: %w", p.Path, err)
	}
	r, err := c.record(p.Name, p.Version)
	switch {
	case err == nil && r.same(is):
		p.Digest, p.From = is.SHA256, r.from()
		return p, nil
	case !held:
		return p, errUnsure
	case errors.Is(err, fs.ErrNotExist):
		p.Digest, is.Kept = is.SHA256, c.Now().UTC()
		return p, c.note(p.Name, p.Version, is)
	case err == nil && r.Gone && r.SHA256 == is.SHA256: // what was downloaded once, with whatever belongs to it
		p.Digest, p.From = is.SHA256, ""
		r.Gone, r.Carried, r.Beside = false, true, is.Beside
		return p, c.note(p.Name, p.Version, r)
	case err == nil && r.Gone:
		return p, fault.Errorf(fault.Unavailable, "%s is not what was first downloaded as %s %s, on %s from %s: its SHA-256 is %s and was %s; when you know why, remove %s",
			p.Path, Title(p.Name), p.Version, r.Kept.Format(time.DateOnly), r.From, is.SHA256, r.SHA256, filepath.Join(c.dir(p.Name, p.Version), recordFile))
	}
	changed := fmt.Sprintf("its SHA-256 is %s and was %s", is.SHA256, r.SHA256)
	if is.SHA256 == r.SHA256 {
		changed = "what is beside it is something else"
	}
	if err := c.remove(p.Name, p.Version); err != nil {
		return p, fault.Errorf(fault.Unavailable, "remove %s, which is not as it was kept: %w", p.Path, err)
	}
	c.Log.Error("a program was not as it was kept, and is removed", "path", p.Path, "is", is.SHA256, "was", r.SHA256)
	return p, fault.Errorf(fault.Conflict, "%s was changed since it was kept (%s), and is removed", p.Path, changed)
}
