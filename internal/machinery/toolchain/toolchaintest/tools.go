package toolchaintest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
)

// Mirror gives the address of a program's releases, as an operator names a mirror of them.
func (s *Site) Mirror(name string) string { return s.URL + "/" + name }

// Trusted gives the setting of another process's environment by which it trusts the site.
func (s *Site) Trusted(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return "SSL_CERT_FILE=" + file
}

// Tool adds versions of kubectl, Terragrunt or Pulumi, which say what they are and nothing else.
func (s *Site) Tool(t testing.TB, name string, versions ...string) {
	t.Helper()
	for _, v := range versions {
		files := map[string][]byte{name: Program(name, v)}
		if name == toolchain.Pulumi {
			files["pulumi-language-yaml"] = []byte("#!/bin/sh\n# of " + v + "\n")
		}
		s.Release(t, name, v, files)
	}
}

// Release adds a version of kubectl, Terragrunt or Pulumi, or puts another in its place, with the lists that tell of it: of
// these files, of which only Pulumi has more than one.
func (s *Site) Release(t testing.TB, name, version string, files map[string][]byte) {
	t.Helper()
	sum := func(data []byte) string {
		sum := sha256.Sum256(data)
		return hex.EncodeToString(sum[:])
	}
	more := map[string][]byte{}
	switch name {
	case toolchain.Kubectl:
		at := "kubectl/v" + version + "/bin/" + runtime.GOOS + "/" + runtime.GOARCH + "/kubectl"
		more[at], more[at+".sha256"] = files[name], []byte(sum(files[name]))
	case toolchain.Terragrunt:
		file, at := "terragrunt_"+runtime.GOOS+"_"+runtime.GOARCH, "terragrunt/v"+version+"/"
		more[at+file], more[at+"SHA256SUMS"] = files[name], fmt.Appendf(nil, "%064d  terragrunt_plan9_386\n%s  %s\n", 7, sum(files[name]), file)
	default:
		arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
		if arch == "" {
			arch = runtime.GOARCH
		}
		file := "pulumi-v" + version + "-" + runtime.GOOS + "-" + arch + ".tar.gz"
		archive := packed(t, files)
		more["pulumi/"+file], more["pulumi/pulumi-"+version+"-checksums.txt"] = archive, fmt.Appendf(nil, "%s  %s\n", sum(archive), file)
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	maps.Copy(s.files, more)
	if s.tools == nil {
		s.tools = map[string][]string{}
	}
	if !slices.Contains(s.tools[name], version) {
		s.tools[name] = append(s.tools[name], version)
	}
	toolchain.Sort(s.tools[name])
	type release struct {
		Tag        string `json:"tag_name"`
		Prerelease bool   `json:"prerelease"`
	}
	list := []release{{"v99.0.0", true}, {"sdk/v98.0.0", false}}
	for _, v := range s.tools[name] {
		list = append(list, release{"v" + v, false})
		if minor := v[:strings.LastIndex(v, ".")]; name == toolchain.Kubectl {
			newest := slices.IndexFunc(s.tools[name], func(o string) bool { return strings.HasPrefix(o, minor+".") })
			s.files["kubectl/stable-"+minor+".txt"] = []byte("v" + s.tools[name][newest])
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	switch newest := s.tools[name][0]; name {
	case toolchain.Kubectl:
		s.files["kubectl/stable.txt"] = []byte("v" + newest)
	case toolchain.Pulumi:
		s.files["pulumi/latest-version"] = []byte(newest + "\n")
	}
	if name != toolchain.Kubectl {
		s.files[name+"/releases.json"] = data
	}
}

// packed gives an archive as Pulumi's are, with what is passed over too.
func packed(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	add := func(h tar.Header, data []byte) {
		h.Size, h.Mode = int64(len(data)), 0o755
		err := w.WriteHeader(&h)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add(tar.Header{Name: "pulumi/", Typeflag: tar.TypeDir}, nil)
	add(tar.Header{Name: "pulumi/../../pulumi-outside", Typeflag: tar.TypeReg}, []byte("x"))
	add(tar.Header{Name: "pulumi/pulumi-link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, nil)
	add(tar.Header{Name: "pulumi/README.md", Typeflag: tar.TypeReg}, []byte("words\n"))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add(tar.Header{Name: path.Join("pulumi", name), Typeflag: tar.TypeReg}, files[name])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Has tells whether there is a file of a name, in whatever folder.
func (s *Site) Has(file string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	for at := range s.files {
		if path.Base(at) == file {
			return true
		}
	}
	return false
}

// Leads has a path lead to another address.
func (s *Site) Leads(file, to string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.leads == nil {
		s.leads = map[string]string{}
	}
	s.leads[file] = to
}
