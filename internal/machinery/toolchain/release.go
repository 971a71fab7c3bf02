package toolchain

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/opentofu/tofudl"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// How long a download waits for the other side.
const (
	connecting = 10 * time.Second // for the name and the connection, and again for its encryption
	answering  = 20 * time.Second // for the beginning of an answer
	complete   = 5 * time.Minute  // for all of it
	listing    = 30 * time.Second // for a list of versions
)

// Bounds of what releases' sites give, in bytes.
const (
	mostList    = 32 << 20 // a list of all versions, or of checksums
	mostArchive = 512 << 20
	mostProgram = 1 << 30
)

// TerraformReleases is where HashiCorp has Terraform's releases.
const TerraformReleases = "https://releases.hashicorp.com"

// hashicorpKey is the public key with which HashiCorp signs its releases, as https://www.hashicorp.com/security gives it.
//
//go:embed hashicorp.asc
var hashicorpKey string

// site gives from where a program is downloaded.
func (c *Cache) site(name string) string {
	if mirror := c.mirror(name); mirror != "" || name == Terraform {
		return mirror
	}
	return map[string]string{OpenTofu: "https://get.opentofu.org", Kubectl: kubectlReleases, Terragrunt: terragruntReleases, Pulumi: pulumiReleases}[name]
}

// mirror gives the address that an operator has named for a program, without the name and password that may be in it; "" for
// none.
func (c *Cache) mirror(name string) string {
	address, _ := apart(c.named(name))
	return strings.TrimSuffix(address, "/")
}

func (c *Cache) named(name string) string {
	return map[string]string{OpenTofu: c.OpenTofu, Terraform: c.Terraform, Kubectl: c.Kubectl, Terragrunt: c.Terragrunt, Pulumi: c.Pulumi}[name]
}

// apart gives an address as it is told and kept, and what it has of a name and a password.
func apart(address string) (string, *url.Userinfo) {
	u, err := url.Parse(address)
	switch {
	case err == nil && u.User != nil:
		user := u.User
		u.User = nil
		return u.String(), user
	case err == nil:
		return address, nil
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address, nil
	}
	return scheme + "://" + rest[strings.LastIndex(rest, "@")+1:], nil
}

func (c *Cache) list(ctx context.Context, name string) ([]string, error) {
	client := c.client(name)
	defer client.CloseIdleConnections()
	switch {
	case name == Terraform:
		return c.listTerraform(ctx, client)
	case IsTool(name):
		return c.listTool(ctx, client, name)
	}
	dl, err := c.opentofu(client)
	if err != nil {
		return nil, err
	}
	all, err := dl.ListVersions(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(all))
	for _, v := range all {
		if ValidVersion(string(v.ID)) {
			out = append(out, string(v.ID))
		}
	}
	return out, nil
}

// client gives one of its own, so that nobody's is changed, and which reads no more than a release can have.
func (c *Cache) client(name string) *http.Client {
	var t *http.Transport
	switch {
	case c.HTTP != nil:
		t = c.HTTP.Clone()
	case c.Public != nil && IsTool(name) && c.mirror(name) == "":
		t = c.Public.Clone()
	default:
		t = &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: connecting}).DialContext}
	}
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.MinVersion = max(t.TLSClientConfig.MinVersion, tls.VersionTLS12)
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = connecting, answering
	mirror := bounded{Transport: t}
	if u, err := url.Parse(c.named(name)); err == nil && u.User != nil {
		mirror.of = u
	}
	client := &http.Client{Transport: mirror}
	if IsTool(name) { // whose checksums nothing but TLS vouches for
		client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
			if r.URL.Scheme != "https" {
				return fmt.Errorf("it leads to %s://%s, which is not HTTPS", r.URL.Scheme, r.URL.Host)
			}
			if len(via) >= 10 {
				return errors.New("it leads on and on")
			}
			return nil
		}
	}
	return client
}

// bounded ends answers that are larger than any release. It tells a mirror the name and password of its address, which are in
// no address besides: those are told and kept.
type bounded struct {
	*http.Transport
	of *url.URL // nil for a mirror without
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.of != nil && r.URL.Scheme == b.of.Scheme && r.URL.Host == b.of.Host && r.Header.Get("Authorization") == "" {
		password, _ := b.of.User.Password()
		r = r.Clone(r.Context())
		r.SetBasicAuth(b.of.User.Username(), password)
	}
	answer, err := b.Transport.RoundTrip(r)
	if err == nil {
		answer.Body = &cut{answer.Body, mostArchive}
	}
	return answer, err
}

type cut struct {
	io.ReadCloser
	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, fmt.Errorf("the answer has more than %d bytes", mostArchive)
	}
	return n, err
}

// download brings a program into a folder, whose checksum is that of a list which its maker has signed, or, where makers sign none,
// that its maker's site tells.
func (c *Cache) download(ctx context.Context, name, version, dir string) (b brought, err error) {
	ctx, stop := context.WithTimeout(ctx, complete)
	defer stop()
	client := c.client(name)
	defer client.CloseIdleConnections()
	switch {
	case IsTool(name):
		b, err = c.downloadTool(ctx, client, name, version, dir)
	case name == Terraform:
		b.sum, err = c.downloadTerraform(ctx, client, version, dir)
	default:
		b.sum, err = c.downloadOpenTofu(ctx, client, version, dir)
	}
	b.from, b.dir = c.site(name), dir
	if err != nil && IsTool(name) {
		return b, fault.Errorf(fault.Unavailable, "download %s %s from %s: %w; without a network, %s", Title(name), version, b.from, err, c.carry(name, version))
	}
	if err != nil {
		return b, fault.Errorf(fault.Unavailable, "download %s %s from %s: %w; without a network, run make tools or put %s on the PATH, %s",
			Title(name), version, b.from, err, name, c.carry(name, version))
	}
	return b, nil
}

func (c *Cache) opentofu(client *http.Client) (tofudl.Downloader, error) {
	from := []tofudl.ConfigOpt{tofudl.ConfigHTTPClient(client)}
	if base := c.mirror(OpenTofu); base != "" {
		from = append(from, tofudl.ConfigAPIURL(base+"/api.json"), tofudl.ConfigDownloadMirrorURLTemplate(base+"/v{{ .Version }}/{{ .Artifact }}"))
	}
	if c.OpenTofuKey != "" {
		from = append(from, tofudl.ConfigGPGKey(c.OpenTofuKey))
	}
	dl, err := tofudl.New(from...)
	return dl, fault.Wrap(err, "prepare the download of OpenTofu")
}

func (c *Cache) downloadOpenTofu(ctx context.Context, client *http.Client, version, dir string) (sum string, err error) {
	dl, err := c.opentofu(client)
	if err != nil {
		return "", err
	}
	program, err := dl.Download(ctx, tofudl.DownloadOptVersion(tofudl.Version(version)))
	if err != nil {
		return "", err
	}
	sum, _, err = writeProgram(filepath.Join(dir, OpenTofu), bytes.NewReader(program), mostProgram)
	return sum, err
}

// platform is this machine as archives are called.
func platform() string { return runtime.GOOS + "_" + runtime.GOARCH }

func (c *Cache) listTerraform(ctx context.Context, client *http.Client) ([]string, error) {
	data, err := c.fetch(ctx, client, mostList, Terraform, "index.json")
	if err != nil {
		return nil, err
	}
	var index struct {
		Versions map[string]struct {
			Builds []struct{ OS, Arch string }
		}
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("index.json is no list of releases: %w", err)
	}
	var out []string
	for v, release := range index.Versions {
		for _, b := range release.Builds {
			if ValidVersion(v) && b.OS == runtime.GOOS && b.Arch == runtime.GOARCH {
				out = append(out, v)
				break
			}
		}
	}
	return out, nil
}

func (c *Cache) downloadTerraform(ctx context.Context, client *http.Client, version, dir string) (sum string, err error) {
	prefix := Terraform + "_" + version + "_"
	sums, err := c.fetch(ctx, client, mostList, Terraform, version, prefix+"SHA256SUMS")
	if err != nil {
		return "", err
	}
	signature, err := c.fetch(ctx, client, 1<<20, Terraform, version, prefix+"SHA256SUMS.sig")
	if err != nil {
		return "", err
	}
	key := c.TerraformKey
	if key == "" {
		key = hashicorpKey
	}
	if err := signedBy(key, sums, signature); err != nil {
		return "", fmt.Errorf("the list of checksums is not signed by Terraform's maker: %w", err)
	}
	archive := prefix + platform() + ".zip"
	want, ok := sumOf(sums, archive)
	if !ok {
		return "", fmt.Errorf("there is no %s among the checksums", archive)
	}
	address, err := url.JoinPath(c.site(Terraform), Terraform, version, archive)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, partly+"archive")
	sum, _, err = fetchTo(ctx, client, address, file)
	if err != nil {
		return "", err
	}
	if sum != want {
		return "", fmt.Errorf("the SHA-256 of %s is %s; the signed list says %s", archive, sum, want)
	}
	return programOf(file, Terraform, dir)
}

// fetch reads what is below the address of Terraform's releases.
func (c *Cache) fetch(ctx context.Context, client *http.Client, most int64, parts ...string) ([]byte, error) {
	address, err := url.JoinPath(c.site(Terraform), parts...)
	if err != nil {
		return nil, err
	}
	return get(ctx, client, most, address)
}

// open asks for what is at an address.
func open(ctx context.Context, client *http.Client, address string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, refusal{address, answer.Status, answer.StatusCode}
	}
	return answer.Body, nil
}

// get reads what is at an address.
func get(ctx context.Context, client *http.Client, most int64, address string) ([]byte, error) {
	body, err := open(ctx, client, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", address, most)
	}
	return data, err
}

// fetchTo writes what is at an address to a new file, and gives its SHA-256.
func fetchTo(ctx context.Context, client *http.Client, address, file string) (sum string, size int64, err error) {
	body, err := open(ctx, client, address)
	if err != nil {
		return "", 0, err
	}
	defer body.Close()
	return writeProgram(file, body, mostArchive)
}

// refusal is an answer that is none.
type refusal struct {
	address, status string
	code            int
}

func (r refusal) Error() string { return r.address + " answers " + r.status }

// Is tells of what is not there that it does not exist.
func (r refusal) Is(target error) bool {
	return target == fs.ErrNotExist && r.code == http.StatusNotFound
}

// signedBy checks a detached signature, which may be armored.
func signedBy(key string, signed, signature []byte) error {
	ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(key))
	if err != nil {
		return fmt.Errorf("the key can't be read: %w", err)
	}
	if bytes.HasPrefix(signature, []byte("-----BEGIN")) {
		block, err := armor.Decode(bytes.NewReader(signature))
		if err != nil {
			return fmt.Errorf("the signature can't be read: %w", err)
		}
		if signature, err = io.ReadAll(block.Body); err != nil {
			return fmt.Errorf("the signature can't be read: %w", err)
		}
	}
	return provider.Signed(ring, signed, signature)
}

// sumOf finds the checksum of a file in a list as sha256sum writes it.
func sumOf(sums []byte, file string) (string, bool) {
	for line := range strings.Lines(string(sums)) {
		if f := strings.Fields(line); len(f) == 2 && strings.TrimPrefix(f[1], "*") == file {
			return strings.ToLower(f[0]), true
		}
	}
	return "", false
}

// programOf takes the program out of an archive, into a folder.
func programOf(archive, name, dir string) (sum string, err error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return "", fmt.Errorf("the archive can't be read: %w", err)
	}
	defer func() { _ = z.Close() }() // it was only read
	f, err := z.Open(name)
	if err != nil {
		return "", fmt.Errorf("the archive has no %s: %w", name, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	sum, size, err := writeProgram(filepath.Join(dir, name), f, mostProgram)
	switch {
	case err != nil:
		return "", fmt.Errorf("take the program out of the archive: %w", err)
	case size == 0:
		return "", errors.New("the program is empty")
	}
	return sum, nil
}
