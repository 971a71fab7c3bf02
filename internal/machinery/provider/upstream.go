package provider

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	askingTime   = 30 * time.Second // for an answer that is not an archive
	fetchingTime = 15 * time.Minute // for an archive
	mostAnswer   = 16 << 20         // bytes of an answer that is not an archive
	indexFor     = 10 * time.Minute // how long a list of versions counts as the newest
	serviceFor   = time.Hour        // and what a host says of its services
	silentFor    = time.Minute      // how long nobody asks a host again that does not answer
	patience     = 10 * time.Second // after which it does not
)

// service is where a host serves providers.
type service struct {
	base string
	at   time.Time
}

// silence is why a host did not answer: it could not be reached, or took its time.
type silence struct {
	why string // without the address, which may be somebody's alone
	at  time.Time
}

// silences tells whether an error that came after a while is the host's silence.
func silences(err error, took time.Duration) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial" || errors.Is(err, context.DeadlineExceeded) && took >= patience
}

// told is a registry's list of a provider's versions.
type told struct {
	At       time.Time           `json:"at"`
	Versions map[string][]string `json:"versions"` // platforms
}

// release is a registry's list of a version's checksums.
type release struct {
	Sums   map[string]string `json:"sums"` // SHA-256 in hex, by platform
	Signed bool              `json:"signed"`
}

// away says that a registry can't be asked.
func away(n Name, err error) error {
	return fault.Errorf(fault.Unavailable, "ask the registry %s for %s: %w", n.Host, n, err)
}

// get reads what is at an address, decoded as JSON where into is not nil. What is not there is NotFound.
func (s *Store) get(ctx context.Context, address string, into any) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, askingTime)
	defer stop()
	body, err := s.request(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, mostAnswer+1))
	if err == nil && len(data) > mostAnswer {
		err = fmt.Errorf("%s answers with more than %d bytes", address, mostAnswer)
	}
	if err == nil && into != nil {
		if err = json.Unmarshal(data, into); err != nil {
			err = fmt.Errorf("%s answers with something else: %w", address, err)
		}
	}
	return data, err
}

func (s *Store) request(ctx context.Context, address string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is not https", address)
	}
	client := &http.Client{Transport: s.HTTP, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) >= 10 || next.URL.Scheme != "https" {
			return fmt.Errorf("it sends on to %s", next.URL.Redacted())
		}
		return nil
	}}
	s.lock.Lock()
	before := s.silent[r.URL.Host]
	s.lock.Unlock()
	if before.why != "" && s.Now().Sub(before.at) < silentFor {
		return nil, fmt.Errorf("%s did not answer: %s; it is asked again %s after that", r.URL.Host, before.why, silentFor)
	}
	began := time.Now()
	answer, err := client.Do(r)
	s.lock.Lock()
	delete(s.silent, r.URL.Host)
	if failed := new(url.Error); errors.As(err, &failed) && silences(err, time.Since(began)) {
		if at, wrong := url.Parse(failed.URL); wrong == nil { // where it was sent on to, perhaps
			s.silent[at.Host] = silence{failed.Err.Error(), s.Now()}
		}
	}
	s.lock.Unlock()
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusNotFound {
		answer.Body.Close()
		return nil, fault.Errorf(fault.NotFound, "%s has nothing there", address)
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("%s answers %s", address, answer.Status)
	}
	return answer.Body, nil
}

// base gives where a host serves providers.
func (s *Store) base(ctx context.Context, host string) (string, error) {
	s.lock.Lock()
	known := s.services[host]
	s.lock.Unlock()
	if known.base != "" && s.Now().Sub(known.at) < serviceFor {
		return known.base, nil
	}
	var services map[string]json.RawMessage
	home := "https://" + host + "/.well-known/terraform.json"
	if _, err := s.get(ctx, home, &services); err != nil {
		return "", err
	}
	var at string
	if err := json.Unmarshal(services["providers.v1"], &at); err != nil || at == "" {
		return "", fmt.Errorf("%s serves no providers", host)
	}
	base, err := resolve(home, at)
	if err != nil {
		return "", err
	}
	base = strings.TrimSuffix(base, "/")
	s.lock.Lock()
	s.services[host] = service{base, s.Now()}
	s.lock.Unlock()
	return base, nil
}

// resolve gives an address that may be told relative to where it was told.
func resolve(from, to string) (string, error) {
	base, err := url.Parse(from)
	if err != nil {
		return "", err
	}
	u, err := base.Parse(to)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// index gives the versions of a provider that its registry has, with their platforms.
func (s *Store) index(ctx context.Context, n Name) (map[string][]string, error) {
	file := s.folder("upstream", n.path(), "index.json")
	var last told
	if data, err := ReadBounded(file, mostAnswer); err == nil && json.Unmarshal(data, &last) == nil && s.Now().Sub(last.At) < indexFor {
		return last.Versions, nil
	}
	v, err := s.once(ctx, "index "+n.String(), askingTime, func(ctx context.Context) (any, error) {
		base, err := s.base(ctx, n.Host)
		if err != nil {
			return nil, err
		}
		var answer struct {
			Versions []struct {
				Version   string
				Platforms []struct{ OS, Arch string }
			}
		}
		address := base + "/" + n.Namespace + "/" + n.Type + "/versions"
		if _, err := s.get(ctx, address, &answer); err != nil {
			return nil, err
		}
		now := told{At: s.Now().UTC(), Versions: map[string][]string{}}
		for _, v := range answer.Versions {
			for _, p := range v.Platforms {
				if one := (Package{n, v.Version, p.OS + "_" + p.Arch}); one.Check() == nil {
					now.Versions[one.Version] = append(now.Versions[one.Version], one.Platform)
				}
			}
		}
		data, err := json.Marshal(now)
		if err == nil {
			err = writeWhole(file, data)
		}
		return now.Versions, err
	})
	switch {
	case err == nil:
		return v.(map[string][]string), nil
	case fault.Is(err, fault.NotFound):
		return nil, err
	case last.Versions != nil:
		s.Log.Warn("a registry of providers can't be asked; what it has told last counts", "provider", n.String(), "error", err)
		return last.Versions, nil
	}
	return nil, away(n, err)
}

// once has one of those who ask at the same time do something, and the others wait for it. It goes on when who began it
// goes away.
func (s *Store) once(ctx context.Context, what string, most time.Duration, do func(context.Context) (any, error)) (any, error) {
	done := s.flights.DoChan(what, func() (any, error) {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), most)
		defer stop()
		return do(ctx)
	})
	select {
	case r := <-done:
		return r.Val, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// offer is what a registry tells of one package.
type offer struct {
	Filename  string
	URL       string `json:"download_url"`
	SHA256    string `json:"shasum"`
	Sums      string `json:"shasums_url"`
	Signature string `json:"shasums_signature_url"`
	Keys      struct {
		GPG []struct {
			Armor string `json:"ascii_armor"`
		} `json:"gpg_public_keys"`
	} `json:"signing_keys"`
}

func (s *Store) offer(ctx context.Context, p Package) (o offer, err error) {
	base, err := s.base(ctx, p.Host)
	if err != nil {
		return o, err
	}
	system, arch, _ := strings.Cut(p.Platform, "_")
	address := strings.Join([]string{base, p.Namespace, p.Type, p.Version, "download", system, arch}, "/")
	if _, err := s.get(ctx, address, &o); err != nil {
		return o, err
	}
	for _, link := range []*string{&o.URL, &o.Sums, &o.Signature} {
		if *link == "" {
			continue
		}
		if *link, err = resolve(address, *link); err != nil {
			return o, err
		}
	}
	return o, nil
}

// sums gives the checksums of a version: the list that its registry names, signed by a key that the registry names.
func (s *Store) sums(ctx context.Context, n Name, version string) (l release, err error) {
	file := s.folder("upstream", n.path(), version+".json")
	if data, err := ReadBounded(file, mostAnswer); err == nil && json.Unmarshal(data, &l) == nil {
		return l, nil
	}
	v, err := s.once(ctx, "sums "+n.String()+" "+version, 3*askingTime, func(ctx context.Context) (any, error) {
		versions, err := s.index(ctx, n)
		if err != nil {
			return nil, err
		}
		platforms := versions[version]
		if len(platforms) == 0 {
			return nil, fault.Errorf(fault.NotFound, "the registry %s has no %s %s", n.Host, n, version)
		}
		platform := platforms[0]
		if slices.Contains(platforms, Here()) {
			platform = Here()
		}
		o, err := s.offer(ctx, Package{n, version, platform})
		if err != nil {
			return nil, err
		}
		l, err := s.verified(ctx, n, version, o)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(l)
		if err == nil {
			err = writeWhole(file, data)
		}
		return l, err
	})
	if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) {
		return l, away(n, err)
	}
	l, _ = v.(release)
	return l, err
}

// verified reads the list of a version's checksums. Conflict when it is not signed as it should be.
func (s *Store) verified(ctx context.Context, n Name, version string, o offer) (release, error) {
	l := release{Sums: map[string]string{}}
	list, err := s.get(ctx, o.Sums, nil)
	if err != nil {
		return l, err
	}
	if len(o.Keys.GPG) > 0 {
		signature, err := s.get(ctx, o.Signature, nil)
		if err != nil {
			return l, err
		}
		for _, key := range o.Keys.GPG {
			ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(key.Armor))
			if err != nil {
				continue
			}
			if Signed(ring, list, signature) == nil {
				l.Signed = true
				break
			}
		}
		if !l.Signed {
			return l, fault.Errorf(fault.Conflict, "the checksums of %s %s are signed by none of the keys that %s names for it; nothing of it is taken", n, version, n.Host)
		}
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		if len(f) != 2 || len(f[0]) != 64 {
			continue
		}
		kind, v, platform, err := ParseFile(strings.TrimPrefix(f[1], "*"))
		if _, bad := hex.DecodeString(f[0]); err == nil && bad == nil && kind == n.Type && v == version {
			l.Sums[platform] = strings.ToLower(f[0])
		}
	}
	return l, nil
}

// Signed checks a detached signature. One of a key that has expired since is good, as it is to engines: what was released
// does not change by that.
func Signed(ring openpgp.EntityList, text, signature []byte) error {
	sig, _, err := openpgp.VerifyDetachedSignature(ring, bytes.NewReader(text), bytes.NewReader(signature), nil)
	if errors.Is(err, pgperrors.ErrKeyExpired) && sig != nil {
		then := &packet.Config{Time: func() time.Time { return sig.CreationTime }}
		_, _, err = openpgp.VerifyDetachedSignature(ring, bytes.NewReader(text), bytes.NewReader(signature), then)
	}
	return err
}

// fetch brings a package from its registry, once for all who ask for it meanwhile.
func (s *Store) fetch(ctx context.Context, p Package) error {
	_, err := s.once(ctx, "fetch "+p.String(), fetchingTime, func(ctx context.Context) (any, error) {
		if _, err := s.recordOf(p); err == nil {
			return nil, nil
		}
		l, err := s.sums(ctx, p.Name, p.Version)
		if err != nil {
			return nil, err
		}
		want := l.Sums[p.Platform]
		o, err := s.offer(ctx, p)
		switch {
		case fault.Is(err, fault.NotFound):
			return nil, err
		case err != nil:
			return nil, away(p.Name, err)
		case want == "":
			return nil, fault.Errorf(fault.Conflict, "there is no checksum of %s in the list of its registry; it is not taken", p)
		}
		return nil, s.fetchFrom(ctx, p, o.URL, want, l.Signed)
	})
	return err
}

func (s *Store) fetchFrom(ctx context.Context, p Package, address, want string, signed bool) error {
	begun := s.Now()
	body, err := s.request(ctx, address)
	if err != nil {
		return away(p.Name, err)
	}
	defer body.Close()
	temp, sum, size, err := s.receive(body)
	if fault.Is(err, fault.Internal) { // its connection broke
		return away(p.Name, err)
	}
	if err != nil {
		return fault.Wrap(err, "fetch %s", p)
	}
	defer os.Remove(temp)
	if sum != want {
		return fault.Errorf(fault.Conflict, "the SHA-256 of %s, as it came from %s, is %s; its registry's list says %s, so that it is not taken", p, address, sum, want)
	}
	if _, err := s.keep(p, temp, Record{SHA256: sum, From: p.Host, Signed: signed}); err != nil {
		return err
	}
	s.Log.Info("fetched a provider", "package", p.String(), "bytes", size, "sha256", sum, "signed", signed, "took", s.Now().Sub(begun).Round(time.Millisecond))
	s.prune(p)
	return nil
}

func sumOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}
