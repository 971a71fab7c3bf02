package provider

import (
	"context"
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
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// DefaultRoom is what fetched packages take together, packed and unpacked each.
const DefaultRoom = 20 << 30

// Options say where packages are from.
type Options struct {
	Dir       string
	Upstreams []string          // hosts of the registries that may be asked; none: only what somebody has put there
	HTTP      http.RoundTripper // to the registries, and where they send on to
	Room      int64             // bytes; 0 for DefaultRoom
	Now       func() time.Time
	Log       *slog.Logger
}

// Store keeps packages. All its methods may be called at the same time. The folder is one process's.
type Store struct {
	Options
	flights  singleflight.Group
	tidying  sync.RWMutex // is held for writing while Tidy looks for what has no package, which one that is being kept has not yet
	lock     sync.Mutex   // guards what follows
	records  map[string]Record
	services map[string]service // of registries, by host
	silent   map[string]silence // by host
}

// Record is what is known of a package that is kept.
type Record struct {
	SHA256 string    `json:"sha256"` // of the archive, in hex
	H1     string    `json:"h1"`     // "h1:…", of what is in it
	Size   int64     `json:"size"`
	Time   time.Time `json:"time"`             // of the file, by which it is known again
	From   string    `json:"from,omitempty"`   // the registry it was fetched from; "" of what somebody has put here
	Signed bool      `json:"signed,omitempty"` // the registry's list of checksums was
	Kept   time.Time `json:"kept"`
}

// Hashes gives both hashes of a package as lock files have them.
func (r Record) Hashes() []string { return []string{r.H1, "zh:" + r.SHA256} }

// Kept is a package that is kept.
type Kept struct {
	Package
	Record
}

// Open gives the store in a folder, which it makes.
func Open(o Options) (*Store, error) {
	if o.Room <= 0 {
		o.Room = DefaultRoom
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{Options: o, records: map[string]Record{}, services: map[string]service{}, silent: map[string]silence{}}
	if err := os.RemoveAll(s.folder("temporary")); err != nil { // what an earlier life has left
		return nil, fault.Errorf(fault.Unavailable, "clear the folder of providers: %w", err)
	}
	for _, dir := range []string{"packages", "records", "upstream", "unpacked", "temporary"} {
		if err := os.MkdirAll(s.folder(dir), 0o755); err != nil {
			return nil, fault.Errorf(fault.Unavailable, "make the folder of providers: %w", err)
		}
	}
	return s, nil
}

func (s *Store) folder(parts ...string) string {
	return filepath.Join(append([]string{s.Dir}, parts...)...)
}

func (s *Store) archive(p Package) string { return s.folder("packages", p.path(), p.File()) }
func (s *Store) noted(p Package) string   { return s.folder("records", p.path(), p.File()+".json") }

func (s *Store) unpacked(p Package) string {
	return s.folder("unpacked", p.path(), p.Version, p.Platform)
}

// Shared is the folder that engines may be shown as a filesystem mirror.
func (s *Store) Shared() string { return s.folder("unpacked") }

// Hash gives the hash of what engines are shown of a version on this platform; "" for nothing.
func (s *Store) Hash(n Name, version string) string {
	p := Package{n, version, Here()}
	if p.Check() != nil {
		return ""
	}
	if _, err := os.Stat(s.unpacked(p)); err != nil {
		return ""
	}
	r, err := s.readRecord(p)
	if err != nil {
		return ""
	}
	s.touch(p) // who takes it from the folder does not ask for it
	return r.H1
}

// here gives the packages of a provider that are kept.
func (s *Store) here(n Name) (all []Package) {
	entries, _ := os.ReadDir(s.folder("packages", n.path())) // none: nothing is kept
	for _, e := range entries {
		kind, version, platform, err := ParseFile(e.Name())
		if err == nil && kind == n.Type && e.Type().IsRegular() {
			all = append(all, Package{n, version, platform})
		}
	}
	return all
}

// Versions gives the versions of a provider with their platforms: those that are kept, and those of its registry where it
// may be asked. NotFound when there are none.
func (s *Store) Versions(ctx context.Context, n Name) (map[string][]string, error) {
	out := map[string][]string{}
	for _, p := range s.here(n) {
		out[p.Version] = append(out[p.Version], p.Platform)
		if p.Platform == Here() {
			s.touch(p)
		}
	}
	if s.asks(n) {
		index, err := s.index(ctx, n)
		if err != nil && len(out) == 0 {
			return nil, err
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			s.Log.Warn("a registry of providers can't be asked; what is kept counts", "provider", n.String(), "error", err)
		}
		for version, platforms := range index {
			out[version] = append(out[version], platforms...)
		}
	}
	for version := range out {
		slices.Sort(out[version])
		out[version] = slices.Compact(out[version])
	}
	if len(out) == 0 {
		return nil, s.none(n)
	}
	return out, nil
}

// none says that a provider is not here, and why it is not fetched.
func (s *Store) none(n Name) error {
	if len(s.Upstreams) == 0 {
		return fault.Errorf(fault.NotFound, "the mirror has no %s, and fetches nothing: have it added (roadbed mirror add)", n)
	}
	return fault.Errorf(fault.NotFound, "the mirror has no %s, and may not ask %s for it; it asks %s", n, n.Host, strings.Join(s.Upstreams, ", "))
}

func (s *Store) asks(n Name) bool { return slices.Contains(s.Upstreams, n.Host) }

// Archives gives the hashes of each platform's package of a version, as far as they are known. NotFound when there are none.
func (s *Store) Archives(ctx context.Context, n Name, version string) (map[string][]string, error) {
	if !versionPattern.MatchString(version) {
		return nil, fault.Errorf(fault.NotFound, "%.100q is no version of a provider", version)
	}
	out := map[string][]string{}
	for _, p := range s.here(n) {
		if p.Version != version {
			continue
		}
		r, err := s.recordOf(p)
		if err != nil {
			s.Log.Error("a package of a provider can't be given", "package", p.String(), "error", err)
			continue
		}
		out[p.Platform] = r.Hashes()
	}
	if s.asks(n) {
		l, err := s.sums(ctx, n, version)
		if err != nil && len(out) == 0 {
			return nil, err
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			s.Log.Warn("a registry of providers can't be asked; what is kept counts", "provider", n.String(), "error", err)
		}
		for platform, sum := range l.Sums {
			if _, kept := out[platform]; !kept {
				out[platform] = []string{"zh:" + sum}
			}
		}
	}
	if len(out) == 0 {
		return nil, fault.Errorf(fault.NotFound, "the mirror has no %s %s, and knows of none", n, version)
	}
	return out, nil
}

// Open gives an archive, which is fetched where it is not kept. NotFound when there is none.
func (s *Store) Open(ctx context.Context, p Package) (*os.File, Record, error) {
	if err := p.Check(); err != nil {
		return nil, Record{}, fault.Errorf(fault.NotFound, "%w", err)
	}
	for {
		r, err := s.known(p, true)
		if err == nil {
			f, err := os.Open(s.archive(p))
			if err == nil {
				s.touch(p)
				return f, r, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, r, fault.Errorf(fault.Unavailable, "read %s: %w", p, err)
			}
			continue // it went at this moment
		}
		if !fault.Is(err, fault.NotFound) {
			return nil, r, err
		}
		if !s.asks(p.Name) {
			return nil, r, s.none(p.Name)
		}
		if err := s.fetch(ctx, p); err != nil {
			return nil, r, err
		}
	}
}

// touch notes that a package was asked for.
func (s *Store) touch(p Package) {
	_ = os.Chtimes(s.noted(p), time.Time{}, s.Now()) // the order of use is all that is lost
}

func (s *Store) readRecord(p Package) (r Record, err error) {
	data, err := ReadBounded(s.noted(p), 64<<10)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// recordOf gives what is known of a package that is kept; NotFound when it is not. One that was put there by hand is looked
// at first, and so is one whose file has changed since it was: see look.
func (s *Store) recordOf(p Package) (Record, error) { return s.known(p, false) }

// known is recordOf; with verify a package is looked at once in each life of the process, whatever its record says.
func (s *Store) known(p Package, verify bool) (Record, error) {
	file := s.archive(p)
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() {
		return Record{}, fault.Errorf(fault.NotFound, "the mirror has no %s", p)
	}
	s.lock.Lock()
	r, right := s.records[file]
	s.lock.Unlock()
	if !right && !verify {
		r, err = s.readRecord(p)
		right = err == nil
	}
	if right && r.Size == info.Size() && r.Time.Equal(info.ModTime()) {
		return r, nil
	}
	v, err, _ := s.flights.Do("look "+file, func() (any, error) { return s.look(p, info) })
	if err != nil {
		return Record{}, err
	}
	return v.(Record), nil
}

// look hashes a package. One that is not as its record says is removed where it was fetched, and refused else.
func (s *Store) look(p Package, info fs.FileInfo) (Record, error) {
	file := s.archive(p)
	sum, err := hashFile(file)
	if err != nil {
		return Record{}, fault.Errorf(fault.Unavailable, "read %s: %w", p, err)
	}
	r, err := s.readRecord(p)
	switch {
	case err == nil && r.SHA256 == sum:
	case err == nil && r.From != "":
		s.Log.Error("a package of a provider was not as it was fetched, and is removed", "package", p.String(), "is", sum, "was", r.SHA256)
		s.remove(p)
		return Record{}, fault.Errorf(fault.NotFound, "%s was changed since it was fetched, and is removed", p)
	case err == nil:
		return Record{}, fault.Errorf(fault.Conflict, "%s is not the file that was added (its SHA-256 is %s and was %s); remove it from the mirror, and add it again", p, sum, r.SHA256)
	default:
		r = Record{SHA256: sum, Kept: s.Now().UTC()}
		if r.H1, err = examine(file, p.Type); err != nil {
			return Record{}, fault.Wrap(err, "%s", file)
		}
		s.Log.Info("a package of a provider was put into the mirror's folder", "package", p.String(), "sha256", sum)
	}
	r.Size, r.Time = info.Size(), info.ModTime()
	return r, s.note(p, r, file)
}

// note keeps a record, and unpacks what is for this platform.
func (s *Store) note(p Package, r Record, archive string) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = writeWhole(s.noted(p), data)
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "note the checksum of %s: %w", p, err)
	}
	s.lock.Lock()
	s.records[s.archive(p)] = r
	s.lock.Unlock()
	if p.Platform == Here() {
		if err := s.unpack(context.Background(), p, archive, r.H1); err != nil {
			s.Log.Warn("a provider is not shared between runs; each unpacks it", "package", p.String(), "error", err)
		}
	}
	return nil
}

// keep puts an archive that was received into its place.
func (s *Store) keep(p Package, temp string, r Record) (Record, error) {
	s.tidying.RLock()
	defer s.tidying.RUnlock()
	var err error
	if r.H1, err = examine(temp, p.Type); err != nil {
		return r, fault.Wrap(err, "%s", p)
	}
	info, err := os.Stat(temp)
	if err == nil {
		err = os.Chmod(temp, 0o644)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.archive(p)), 0o755)
	}
	if err != nil {
		return r, fault.Errorf(fault.Unavailable, "keep %s: %w", p, err)
	}
	r.Size, r.Time, r.Kept = info.Size(), info.ModTime(), s.Now().UTC()
	if err := s.note(p, r, temp); err != nil { // first, so that nobody finds the archive without it
		return r, err
	}
	if err := os.Rename(temp, s.archive(p)); err != nil {
		return r, fault.Errorf(fault.Unavailable, "keep %s: %w", p, err)
	}
	return r, nil
}

// Add keeps a package that somebody brings; the same again is kept once, and is not fresh. Conflict when there is another
// archive of it.
func (s *Store) Add(p Package, content io.Reader) (r Record, fresh bool, err error) {
	if err := p.Check(); err != nil {
		return r, false, err
	}
	temp, sum, _, err := s.receive(content)
	if err != nil {
		return r, false, err
	}
	defer os.Remove(temp)
	v, err, _ := s.flights.Do("add "+s.archive(p), func() (any, error) {
		r, err := s.recordOf(p)
		switch {
		case err == nil && r.SHA256 != sum:
			return r, fault.Errorf(fault.Conflict, "the mirror has another archive of %s (its SHA-256 is %s; this one's is %s); remove it first", p, r.SHA256, sum)
		case err == nil && r.From != "": // from now on it stays
			r.From, r.Signed, fresh = "", false, true
			return r, s.note(p, r, s.archive(p))
		case err == nil || !fault.Is(err, fault.NotFound):
			return r, err
		}
		fresh = true
		return s.keep(p, temp, Record{SHA256: sum})
	})
	if err == nil && v.(Record).SHA256 != sum {
		err = fault.Errorf(fault.Conflict, "another archive of %s was added at this moment", p)
	}
	if err != nil {
		return Record{}, false, err
	}
	return v.(Record), fresh, nil
}

// Remove takes a package away. NotFound when it is not kept.
func (s *Store) Remove(p Package) error {
	if err := p.Check(); err != nil {
		return err
	}
	if _, err := os.Lstat(s.archive(p)); err != nil {
		return fault.Errorf(fault.NotFound, "the mirror has no %s", p)
	}
	s.remove(p)
	return nil
}

func (s *Store) remove(p Package) {
	s.lock.Lock()
	delete(s.records, s.archive(p))
	s.lock.Unlock()
	for _, path := range []string{s.archive(p), s.noted(p), s.unpacked(p)} {
		if err := os.RemoveAll(path); err != nil {
			s.Log.Error("remove a package of a provider", "path", path, "error", err)
		}
	}
}

// List gives what is kept, in the order of names.
func (s *Store) List() (all []Kept) {
	files, _ := filepath.Glob(s.folder("packages", "*", "*", "*", "*.zip"))
	for _, file := range files {
		relative, err := filepath.Rel(s.folder("packages"), filepath.Dir(file))
		if err != nil {
			continue
		}
		n, err := ParseName(filepath.ToSlash(relative))
		kind, version, platform, wrong := ParseFile(filepath.Base(file))
		if err != nil || wrong != nil || kind != n.Type {
			continue
		}
		p := Package{n, version, platform}
		if r, err := s.recordOf(p); err == nil {
			all = append(all, Kept{p, r})
		}
	}
	return all
}

// Tidy removes what is over the room, and what is unpacked or noted of packages that are not there any more, as when
// somebody has taken them out by hand. It tells how much.
func (s *Store) Tidy() (removed int) {
	before := len(s.List())
	s.prune(Package{})
	removed = before - len(s.List())
	s.tidying.Lock()
	defer s.tidying.Unlock()
	for _, pattern := range []string{"unpacked/*/*/*/*/*", "records/*/*/*/*.json"} {
		paths, _ := filepath.Glob(s.folder(filepath.FromSlash(pattern))) // the pattern is right
		for _, path := range paths {
			p, ok := s.packageOf(path)
			if !ok {
				continue
			}
			if _, err := os.Lstat(s.archive(p)); errors.Is(err, fs.ErrNotExist) {
				s.remove(p)
				removed++
			}
		}
	}
	return removed
}

// packageOf reads of which package something unpacked or noted is.
func (s *Store) packageOf(path string) (Package, bool) {
	relative, err := filepath.Rel(s.Dir, path)
	parts := strings.Split(filepath.ToSlash(relative), "/")
	if err != nil || len(parts) < 5 {
		return Package{}, false
	}
	p := Package{Name: Name{parts[1], parts[2], parts[3]}}
	if len(parts) == 6 {
		p.Version, p.Platform = parts[4], parts[5]
	} else if _, p.Version, p.Platform, err = ParseFile(strings.TrimSuffix(parts[4], ".json")); err != nil {
		return Package{}, false
	}
	return p, p.Check() == nil
}

// prune removes what was fetched and asked for longest ago until the rest fits, save one.
func (s *Store) prune(but Package) {
	type old struct {
		Kept
		used time.Time
	}
	var all []old
	total := int64(0)
	for _, k := range s.List() {
		if k.From == "" {
			continue
		}
		total += k.Size
		if info, err := os.Stat(s.noted(k.Package)); err == nil {
			all = append(all, old{k, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b old) int { return a.used.Compare(b.used) })
	for _, o := range all {
		if total <= s.Room {
			return
		}
		if o.Package == but {
			continue
		}
		s.remove(o.Package)
		total -= o.Size
		s.Log.Info("removed a provider that nobody has asked for longest", "package", o.Package.String(), "bytes", o.Size)
	}
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sumOf(f)
}

// ReadBounded reads a file of at most so many bytes.
func ReadBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, err
}

// writeWhole writes a file that is there whole or as it was.
func writeWhole(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
