// Package providertest is a registry of providers for tests, as the public ones answer, under any host's name.
package providertest

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// Registry answers as a registry does. Its fields are changed before it is asked, or under Lock.
type Registry struct {
	sync.Mutex
	server *httptest.Server
	key    *openpgp.Entity
	public string

	Unsigned bool              // it names no keys
	Forged   bool              // it signs by another key than it names
	Wrong    map[string]bool   // files of which a byte is changed on the way
	Asked    map[string]int    // how often each path was asked for
	archives map[string][]byte // by file
	versions map[string]map[string][]string
}

// New starts one. It ends with the test.
func New(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{Wrong: map[string]bool{}, Asked: map[string]int{}, archives: map[string][]byte{}, versions: map[string]map[string][]string{}}
	var err error
	if r.key, err = openpgp.NewEntity("Providers", "", "providers@example.com", nil); err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	w, err := armor.Encode(&public, openpgp.PublicKeyType, nil)
	if err == nil {
		err = r.key.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r.public = public.String()
	r.server = httptest.NewTLSServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.server.Close)
	return r
}

// Close ends it early, as a network does that goes away.
func (r *Registry) Close() { r.server.Close() }

// Transport reaches it whatever host is asked.
func (r *Registry) Transport() *http.Transport {
	own := r.server.Client().Transport.(*http.Transport)
	address := r.server.Listener.Addr().String()
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: own.TLSClientConfig.RootCAs, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
}

// Archive makes the archive of a provider with these files in it, besides its program.
func Archive(t testing.TB, kind, version string, program []byte, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name string, mode uint32, content []byte) {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o644)
		if mode != 0 {
			h.SetMode(0o755)
		}
		f, err := z.CreateHeader(h)
		if err == nil {
			_, err = f.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("terraform-provider-"+kind+"_v"+version, 1, program)
	for name, content := range files {
		add(name, 0, []byte(content))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Add offers a package of NAMESPACE/TYPE.
func (r *Registry) Add(provider, version, platform string, archive []byte) {
	r.Lock()
	defer r.Unlock()
	if r.versions[provider] == nil {
		r.versions[provider] = map[string][]string{}
	}
	r.versions[provider][version] = append(r.versions[provider][version], platform)
	r.archives[file(provider, version, platform)] = archive
}

func file(provider, version, platform string) string {
	_, kind, _ := strings.Cut(provider, "/")
	return "terraform-provider-" + kind + "_" + version + "_" + platform + ".zip"
}

// Count tells how often archives were asked for.
func (r *Registry) Count() (n int) {
	r.Lock()
	defer r.Unlock()
	for path, times := range r.Asked {
		if strings.HasSuffix(path, ".zip") {
			n += times
		}
	}
	return n
}

func (r *Registry) serve(w http.ResponseWriter, q *http.Request) {
	r.Lock()
	defer r.Unlock()
	r.Asked[q.URL.Path]++
	say := func(v any) {
		if err := json.NewEncoder(w).Encode(v); err != nil {
			panic(err)
		}
	}
	if q.URL.Path == "/.well-known/terraform.json" {
		say(map[string]string{"providers.v1": "/v1/providers/"})
		return
	}
	if name, ok := strings.CutPrefix(q.URL.Path, "/files/"); ok {
		r.give(w, name)
		return
	}
	parts := strings.Split(strings.TrimPrefix(q.URL.Path, "/v1/providers/"), "/")
	if len(parts) < 3 || r.versions[parts[0]+"/"+parts[1]] == nil {
		http.NotFound(w, q)
		return
	}
	provider := parts[0] + "/" + parts[1]
	type platform struct {
		OS   string `json:"os"`
		Arch string `json:"arch"`
	}
	switch {
	case len(parts) == 3 && parts[2] == "versions":
		var all []map[string]any
		for version, platforms := range r.versions[provider] {
			var list []platform
			for _, p := range platforms {
				system, arch, _ := strings.Cut(p, "_")
				list = append(list, platform{system, arch})
			}
			all = append(all, map[string]any{"version": version, "protocols": []string{"5.0"}, "platforms": list})
		}
		say(map[string]any{"versions": all})
	case len(parts) == 6 && parts[3] == "download":
		name := file(provider, parts[2], parts[4]+"_"+parts[5])
		archive, ok := r.archives[name]
		if !ok {
			http.NotFound(w, q)
			return
		}
		sum := sha256.Sum256(archive)
		keys := []map[string]string{{"ascii_armor": r.public}}
		if r.Unsigned {
			keys = nil
		}
		sums := "/files/" + provider + "/" + parts[2] + "/SHA256SUMS"
		say(map[string]any{
			"filename": name, "download_url": "/files/" + name, "shasum": hex.EncodeToString(sum[:]), "shasums_url": sums, "shasums_signature_url": sums + ".sig",
			"signing_keys": map[string]any{"gpg_public_keys": keys},
		})
	default:
		http.NotFound(w, q)
	}
}

// give serves archives, and the lists of their checksums.
func (r *Registry) give(w http.ResponseWriter, name string) {
	data, ok := r.archives[name]
	if path, list := strings.CutSuffix(strings.TrimSuffix(name, ".sig"), "/SHA256SUMS"); list {
		parts := strings.Split(path, "/")
		provider := parts[0] + "/" + parts[1]
		for _, p := range r.versions[provider][parts[2]] {
			f := file(provider, parts[2], p)
			sum := sha256.Sum256(r.archives[f])
			data = fmt.Appendf(data, "%s  %s\n", hex.EncodeToString(sum[:]), f)
		}
		ok = true
		if strings.HasSuffix(name, ".sig") {
			data = r.sign(data)
		}
	}
	if !ok {
		http.Error(w, "nothing", http.StatusNotFound)
		return
	}
	if r.Wrong[name[strings.LastIndexByte(name, '/')+1:]] {
		data = bytes.Clone(data)
		data[len(data)/2] ^= 1
	}
	_, _ = w.Write(data) //nolint:gosec // archives and lists that the test has made, for engines
}

func (r *Registry) sign(data []byte) []byte {
	key := r.key
	if r.Forged {
		var err error
		if key, err = openpgp.NewEntity("Somebody", "", "somebody@example.com", nil); err != nil {
			panic(err)
		}
	}
	var signature bytes.Buffer
	if err := openpgp.DetachSign(&signature, key, bytes.NewReader(data), nil); err != nil {
		panic(err)
	}
	return signature.Bytes()
}
