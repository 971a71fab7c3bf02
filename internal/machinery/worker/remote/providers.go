package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// MirrorPrefix is where a server gives engines providers, at the door too.
const MirrorPrefix = "/v1/providers-mirror/"

// Bounds of what is remembered of the mirror's answers.
const (
	mostMirror = 4 << 20          // bytes of an answer that is no archive
	offerTime  = 50 * time.Minute // the server's own addresses are good for an hour
	mostOffers = 5_000
)

// Providers is the door's mirror of providers: the server's, with a cache of archives in between. What it tells is what the server
// tells the step that asks, by the step's own token; an archive is taken from the cache only when its SHA-256 is the one that
// the server has told. What is kept is compared with the server's before a step begins, so that what was taken out of the
// server's mirror, or replaced there, goes here too.
type Providers struct {
	Kept *provider.Store
	Door http.Handler // the server's API, as steps have it
	Now  func() time.Time
	Log  *slog.Logger

	mu     sync.Mutex
	offers map[string]offer // by the folder of their archives' paths, which has a pass in it
}

// offer is a version of a provider that the server has offered a step.
type offer struct {
	name    provider.Name
	version string
	sums    map[string]string // SHA-256 in hex, by platform
	token   string            // Authorization of the step
	until   time.Time
}

func (p *Providers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, mine := strings.CutPrefix(r.URL.Path, MirrorPrefix)
	parts := strings.Split(rest, "/")
	if !mine || r.Method != http.MethodGet && r.Method != http.MethodHead || len(parts) < 4 || len(parts) > 5 {
		p.Door.ServeHTTP(w, r)
		return
	}
	n, err := provider.ParseName(strings.Join(parts[:3], "/"))
	version, isJSON := strings.CutSuffix(parts[3], ".json")
	switch {
	case err != nil:
		p.Door.ServeHTTP(w, r)
	case len(parts) == 5:
		p.archive(w, r)
	case isJSON && version != "index":
		p.version(w, r, n, version)
	default:
		p.Door.ServeHTTP(w, r)
	}
}

// answer is what the door says, kept in memory up to a bound.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	cut    bool
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(s int)   { a.status = s }
func (a *answer) Write(b []byte) (int, error) {
	if a.body.Len()+len(b) > mostMirror {
		a.cut = true
		return 0, errors.New("the answer of the mirror is too long")
	}
	return a.body.Write(b)
}

func (p *Providers) ask(r *http.Request) *answer {
	a := &answer{header: http.Header{}, status: http.StatusOK}
	p.Door.ServeHTTP(a, r)
	if a.cut {
		a.status = http.StatusBadGateway
		a.body.Reset()
		a.body.WriteString("the answer of the mirror is too long\n")
		a.header = http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	}
	return a
}

// archived is an archive as the mirror protocol has it.
type archived struct {
	URL    string   `json:"url"`
	Hashes []string `json:"hashes"`
}

// told reads the archives of a version as the mirror protocol has them.
func (a *answer) told() (archives map[string]archived, ok bool) {
	var out struct {
		Archives map[string]archived `json:"archives"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body.Bytes(), &out) != nil {
		return nil, false
	}
	return out.Archives, true
}

// version gives what the server tells of a version, and remembers which archives it offers.
func (p *Providers) version(w http.ResponseWriter, r *http.Request, n provider.Name, version string) {
	r.Header.Del("Accept-Encoding") // it is read here
	a := p.ask(r)
	if archives, ok := a.told(); ok && r.Method == http.MethodGet {
		p.remember(r, n, version, archives)
	}
	maps.Copy(w.Header(), a.header)
	w.Header().Del("Content-Length")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the engine is gone when this can't be written
}

func (p *Providers) remember(r *http.Request, n provider.Name, version string, archives map[string]archived) {
	base := path.Dir(r.URL.Path)
	now := p.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.offers == nil {
		p.offers = map[string]offer{}
	}
	for platform, a := range archives {
		one := provider.Package{Name: n, Version: version, Platform: platform}
		folder, file := path.Split(a.URL)
		sum := zipHash(a.Hashes)
		if one.Check() != nil || file != one.File() || folder == "" || strings.Count(folder, "/") != 1 || sum == "" {
			continue
		}
		at := base + "/" + folder
		o, known := p.offers[at]
		if !known {
			p.forget(now)
			o = offer{n, version, map[string]string{}, r.Header.Get("Authorization"), now.Add(offerTime)}
		}
		o.sums[platform] = sum
		p.offers[at] = o
	}
}

// forget makes room for one more offer: those that have ended go, else the oldest.
func (p *Providers) forget(now time.Time) {
	if len(p.offers) < mostOffers {
		return
	}
	oldest, first := "", time.Time{}
	for at, o := range p.offers {
		switch {
		case !now.Before(o.until):
			delete(p.offers, at)
		case oldest == "" || o.until.Before(first):
			oldest, first = at, o.until
		}
	}
	if len(p.offers) >= mostOffers {
		delete(p.offers, oldest)
	}
}

// offered gives the package that an address is of, as it was offered, with its SHA-256 and the token of the step.
func (p *Providers) offered(address string) (one provider.Package, sum, token string, ok bool) {
	folder, file := path.Split(address)
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.offers[folder]
	if !ok || !p.Now().Before(o.until) {
		return one, "", "", false
	}
	_, version, platform, err := provider.ParseFile(file)
	one = provider.Package{Name: o.name, Version: version, Platform: platform}
	sum = o.sums[platform]
	return one, sum, o.token, err == nil && version == o.version && file == one.File() && sum != ""
}

// zipHash gives the SHA-256 of an archive among the hashes of a package.
func zipHash(hashes []string) string {
	for _, h := range hashes {
		if sum, ok := strings.CutPrefix(h, "zh:"); ok && len(sum) == 64 {
			return sum
		}
	}
	return ""
}

// archive gives one that was offered, from what is kept; engines send no token for it. One that was not is the server's to refuse.
func (p *Providers) archive(w http.ResponseWriter, r *http.Request) {
	one, sum, token, ok := p.offered(r.URL.Path)
	if !ok {
		p.Door.ServeHTTP(w, r)
		return
	}
	err := p.Kept.Bring(r.Context(), one, sum, "the server's mirror", func(ctx context.Context) (io.ReadCloser, error) { return p.fetch(ctx, r, one, token) })
	if err == nil {
		if err = p.give(w, r, one, sum); err == nil {
			return
		}
	}
	if r.Context().Err() == nil {
		p.Log.Warn("give a step a provider", "package", one.String(), "error", err)
	}
	http.Error(w, fault.Message(err), http.StatusBadGateway)
}

// give answers with an archive that is kept.
func (p *Providers) give(w http.ResponseWriter, r *http.Request, one provider.Package, sum string) error {
	f, record, err := p.Kept.Open(r.Context(), one)
	if err != nil {
		return err
	}
	defer f.Close()
	if record.SHA256 != sum {
		return fault.Errorf(fault.Unavailable, "%s was replaced at this moment", one)
	}
	w.Header().Set("Content-Type", "application/zip")
	http.ServeContent(w, r, one.File(), record.Time, f)
	return nil
}

// fetch asks the server for an archive with the token of the step to which it was offered.
func (p *Providers) fetch(ctx context.Context, r *http.Request, one provider.Package, token string) (io.ReadCloser, error) {
	q := r.Clone(ctx)
	q.Method, q.Body, q.Header = http.MethodGet, http.NoBody, http.Header{"Authorization": {token}}
	read, write := io.Pipe()
	s := &streamed{header: http.Header{}, to: write, begun: make(chan int, 1)}
	go func() {
		defer func() {
			if v := recover(); v != nil { // how a proxy ends an answer that breaks
				s.end(errors.New("the connection to the server broke"))
			}
		}()
		p.Door.ServeHTTP(s, q)
		s.end(nil)
	}()
	status := <-s.begun
	if status == http.StatusOK {
		return read, nil
	}
	said, _ := io.ReadAll(io.LimitReader(read, 1000)) // what there is of it
	read.Close()
	kind := fault.Unavailable
	if status == http.StatusNotFound || status == http.StatusForbidden || status == http.StatusUnauthorized {
		kind = fault.NotFound
	}
	return nil, fault.Errorf(kind, "the server does not give %s: %s", one, strings.TrimSpace(string(said)))
}

// streamed is an answer that is read while it comes.
type streamed struct {
	header http.Header
	to     *io.PipeWriter
	begun  chan int
	once   sync.Once
}

func (s *streamed) Header() http.Header { return s.header }
func (s *streamed) WriteHeader(status int) {
	s.once.Do(func() { s.begun <- status })
}
func (s *streamed) Flush() {}
func (s *streamed) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	return s.to.Write(b)
}
func (s *streamed) end(err error) {
	s.WriteHeader(http.StatusOK)
	_ = s.to.CloseWithError(err) // never fails
}

// Compare drops what is kept for this machine that the server has no more, or has another archive of: engines link to what is
// unpacked, and ask nobody. It is for a step that is about to begin, whose token is given. A server that can't be asked, or does
// not tell the step, leaves all as it is.
func (p *Providers) Compare(ctx context.Context, token string) {
	var all errgroup.Group
	all.SetLimit(8)
	for _, k := range p.Kept.List() {
		if k.Platform != provider.Here() {
			continue
		}
		all.Go(func() error {
			q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://door"+MirrorPrefix+k.Name.String()+"/"+k.Version+".json", nil)
			if err != nil {
				return nil // it names no address, and nobody could have asked for it
			}
			q.Header.Set("Authorization", "Bearer "+token)
			a := p.ask(q)
			archives, ok := a.told()
			if !ok && (a.status != http.StatusNotFound || a.header.Get(HeaderFault) != fault.NotFound.String()) || zipHash(archives[k.Platform].Hashes) == k.SHA256 {
				return nil
			}
			p.Log.Info("a provider is dropped, since the server's mirror has it no more as it was", "package", k.Package.String())
			if err := p.Kept.Remove(k.Package); err != nil && !fault.Is(err, fault.NotFound) {
				p.Log.Warn("drop a provider", "package", k.Package.String(), "error", err)
			}
			return nil
		})
	}
	_ = all.Wait() // none fails
}
