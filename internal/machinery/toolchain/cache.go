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
	return &Cache{Options: o, verified: map[string][]stamp{}, found: map[string]Program{}, stamps: map[string]stamp{}, lists: map[string]list{}}
}

const recordFile = "record.json"

// record is what is known of a program in the folder.
type record struct {
	SHA256 string            `json:"sha256"`
	From   string            `json:"from,omitempty"` // "" for one that somebody carried here
	Kept   time.Time         `json:"kept"`
	Listed string            `json:"listed,omitempty"` // what the maker's unsigned list said at the first download
	Beside map[string]string `json:"beside,omitempty"` // of files that belong to it, by name: their SHA-256
}

// same tells whether files are as a record has them.
func (r record) same(o record) bool { return r.SHA256 == o.SHA256 && maps.Equal(r.Beside, o.Beside) }

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
		p.Digest, p.From = r.SHA256, r.From
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
func (c *Cache) take(name, version string) (Program, error) {
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
	is, err := p.hash()
	if err != nil {
		return p, fault.Errorf(fault.Unavailable, "read %s: %w", p.Path, err)
	}
	r, err := c.record(p.Name, p.Version)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Digest, is.Kept = is.SHA256, c.Now().UTC()
		return p, c.note(p.Name, p.Version, is)
	case err == nil && r.same(is):
		p.Digest, p.From = is.SHA256, r.From
		return p, nil
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

// remove takes a version away. What its maker's unsigned list said of it stays known: see pinned.
func (c *Cache) remove(name, version string) error {
	dir := c.dir(name, version)
	if r, err := c.record(name, version); err != nil || r.Listed == "" {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
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
	if p, err := c.take(name, version); err == nil {
		return p, nil
	}
	fmt.Fprintf(log, "roadbed: downloading %s %s\n", Title(name), version)
	begun := c.Now()
	b, err := c.download(ctx, name, version)
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

// brought is a program that has come.
type brought struct {
	program []byte
	beside  map[string][]byte // files that belong to it, by name
	from    string
	listed  string // the checksum of what was downloaded, by an unsigned list; "" where a key has signed it
}

// keep puts a program into the folder with the record of its checksum. Whoever calls it holds the version.
func (c *Cache) keep(name, version string, b brought) (Program, error) {
	temp, err := os.MkdirTemp(filepath.Join(c.Dir, name), ".part-*")
	if err != nil {
		return Program{}, fault.Errorf(fault.Unavailable, "keep %s %s: %w", Title(name), version, err)
	}
	defer os.RemoveAll(temp)
	note := record{SHA256: sumIn(b.program), From: b.from, Kept: c.Now().UTC(), Listed: b.listed}
	if old, err := c.record(name, version); err == nil && old.Listed != "" && b.listed == "" { // it comes from a server
		if old.SHA256 != note.SHA256 {
			return Program{}, fault.Errorf(fault.Conflict, "the SHA-256 of %s %s, as it came from %s, is %s, and was %s when it was first downloaded here; it is not taken", Title(name), version, b.from, note.SHA256, old.SHA256)
		}
		note.Listed = old.Listed
	}
	for file, data := range b.beside {
		if note.Beside == nil {
			note.Beside = map[string]string{}
		}
		note.Beside[file] = sumIn(data)
		if err := writeProgram(filepath.Join(temp, file), data); err != nil {
			return Program{}, fault.Errorf(fault.Unavailable, "keep %s %s: %w", Title(name), version, err)
		}
	}
	r, err := json.Marshal(note)
	if err == nil {
		err = errors.Join(os.Chmod(temp, 0o755), writeWhole(filepath.Join(temp, recordFile), r), writeProgram(filepath.Join(temp, name), b.program))
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
	c.Log.Info("keeps a program that was not here", "name", name, "version", version, "from", b.from, "sha256", note.SHA256)
	c.prune(dir)
	return c.take(name, version)
}

// hold makes sure that one alone brings a version.
func (c *Cache) hold(ctx context.Context, name, version string, log io.Writer) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Join(c.Dir, name), 0o755); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "make the folder of programs: %w", err)
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
		if err := c.remove(o.of.Name, o.of.Version); err != nil { // a step that has it shown goes on
			c.Log.Warn("remove a program that nobody has used for long", "dir", o.dir, "error", err)
			continue
		}
		total -= o.of.Size
	}
}

func sumIn(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
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
