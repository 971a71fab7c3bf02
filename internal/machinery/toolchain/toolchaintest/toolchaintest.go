// Package toolchaintest is a releases' site for tests.
package toolchaintest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/gopenpgp/v2/crypto"
	"github.com/opentofu/tofudl"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
)

// Site is a server with the layouts of the makers' releases, and their keys: OpenTofu's and Terraform's at its top, those of
// the others, as mirrors have them, below kubectl, terragrunt and pulumi.
type Site struct {
	*httptest.Server
	TerraformKey, OpenTofuKey string       // armored
	Asked                     atomic.Int64 // requests for archives
	lock                      sync.Mutex
	files                     map[string][]byte   // that are there, by path
	tools                     map[string][]string // versions of the others, the newest first
	leads                     map[string]string   // other addresses, by path
	wrong                     string              // of which a byte is changed on the way
}

// New starts one with programs of these versions, which say what they are and nothing else. It ends with the test.
func New(t testing.TB, terraform, tofu []string) *Site {
	t.Helper()
	s := &Site{files: map[string][]byte{}}
	s.terraform(t, terraform)
	s.opentofu(t, tofu)
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.lock.Lock()
		data, ok := s.files[strings.TrimPrefix(r.URL.Path, "/")]
		wrong := s.wrong == filepath.Base(r.URL.Path)
		to := s.leads[strings.TrimPrefix(r.URL.Path, "/")]
		s.lock.Unlock()
		if to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		if strings.HasSuffix(r.URL.Path, ".zip") || strings.HasSuffix(r.URL.Path, ".tar.gz") || strings.HasSuffix(r.URL.Path, "/kubectl") || strings.HasPrefix(filepath.Base(r.URL.Path), "terragrunt_") {
			s.Asked.Add(1)
		}
		if wrong {
			data = bytes.Clone(data)
			data[len(data)/2] ^= 1
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s
}

// Wrong has a byte of a file changed on the way, and of no other.
func (s *Site) Wrong(file string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.wrong = file
}

// Transport reaches it.
func (s *Site) Transport() *http.Transport { return s.Client().Transport.(*http.Transport) }

// Program is one that tells its version, and with any other verb fails and tells that.
func Program(name, version string) []byte {
	switch name {
	case toolchain.Kubectl:
		return fmt.Appendf(nil, "#!/bin/sh\necho '{\"clientVersion\": {\"gitVersion\": \"v%s\"}}'\n[ \"$1\" = version ]\n", version)
	case toolchain.Terragrunt:
		return fmt.Appendf(nil, "#!/bin/sh\necho 'terragrunt version v%s'\n[ \"$1\" = --version ]\n", version)
	case toolchain.Pulumi:
		return fmt.Appendf(nil, "#!/bin/sh\necho v%s\n[ \"$1\" = version ]\n", version)
	}
	return fmt.Appendf(nil, "#!/bin/sh\necho '%s v%s'\necho 'on %s_%s'\n[ \"$1\" = version ] || { echo \"asked to $1\"; exit 3; }\n", toolchain.Title(name), version, runtime.GOOS, runtime.GOARCH)
}

func (s *Site) terraform(t testing.TB, versions []string) {
	t.Helper()
	key, err := openpgp.NewEntity("Releases", "", "releases@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	w, err := armor.Encode(&public, openpgp.PublicKeyType, nil)
	if err == nil {
		err = key.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.TerraformKey = public.String()
	type build struct{ OS, Arch string }
	index := map[string]map[string][]build{}
	for _, v := range versions {
		var archive bytes.Buffer
		z := zip.NewWriter(&archive)
		for name, content := range map[string][]byte{"LICENSE.txt": []byte("words\n"), "terraform": Program(toolchain.Terraform, v)} {
			f, err := z.Create(name)
			if err == nil {
				_, err = f.Write(content)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		prefix := "terraform/" + v + "/terraform_" + v + "_"
		file := prefix + runtime.GOOS + "_" + runtime.GOARCH + ".zip"
		sum := sha256.Sum256(archive.Bytes())
		sums := fmt.Appendf(nil, "%s  %s\n%064d  terraform_%s_plan9_386.zip\n", hex.EncodeToString(sum[:]), filepath.Base(file), 7, v)
		var signature bytes.Buffer
		if err := openpgp.DetachSign(&signature, key, bytes.NewReader(sums), nil); err != nil {
			t.Fatal(err)
		}
		s.files[file], s.files[prefix+"SHA256SUMS"], s.files[prefix+"SHA256SUMS.sig"] = archive.Bytes(), sums, signature.Bytes()
		index[v] = map[string][]build{"builds": {{runtime.GOOS, runtime.GOARCH}, {"plan9", "386"}}}
	}
	index["9.9.9"] = map[string][]build{"builds": {{"plan9", "386"}}} // for others alone
	if s.files["terraform/index.json"], err = json.Marshal(map[string]any{"name": "terraform", "versions": index}); err != nil {
		t.Fatal(err)
	}
}

func (s *Site) opentofu(t testing.TB, versions []string) {
	t.Helper()
	key, err := crypto.GenerateKey("Releases", "releases@example.com", "x25519", 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.OpenTofuKey, err = key.GetArmoredPublicKey(); err != nil {
		t.Fatal(err)
	}
	if len(versions) == 0 {
		return
	}
	dir := t.TempDir()
	storage, err := tofudl.NewFilesystemStorage(dir)
	if err != nil {
		t.Fatal(err)
	}
	mirror, err := tofudl.NewMirror(tofudl.MirrorConfig{GPGKey: s.OpenTofuKey}, storage, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		builder, err := tofudl.NewReleaseBuilder(key)
		if err == nil {
			err = builder.PackageBinary(tofudl.PlatformAuto, tofudl.ArchitectureAuto, Program(toolchain.OpenTofu, v), map[string][]byte{})
		}
		if err == nil {
			err = builder.Build(t.Context(), tofudl.Version(v), mirror)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	front := httptest.NewServer(mirror)
	defer front.Close()
	take := func(path string) []byte {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := front.Client().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		data, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, answer.Status, err)
		}
		return data
	}
	s.files["api.json"] = take("api.json")
	var list struct {
		Versions []struct {
			ID    string
			Files []string
		}
	}
	if err := json.Unmarshal(s.files["api.json"], &list); err != nil {
		t.Fatal(err)
	}
	for _, v := range list.Versions {
		for _, f := range v.Files {
			s.files["v"+v.ID+"/"+f] = take("v" + v.ID + "/" + f)
		}
	}
}
