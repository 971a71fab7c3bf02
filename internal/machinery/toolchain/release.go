package toolchain

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
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

// How long a list of versions counts as the newest, and that it could not be read.
const (
	keptFor = time.Hour
	awayFor = time.Minute
)

// list is what a releases' site has told last.
type list struct {
	From     string    `json:"from"`
	At       time.Time `json:"at"`
	Versions []string  `json:"versions"` // with a build for this platform, the newest first

	tried time.Time // when it could not be read last
	away  error
}

// Available gives the versions of a program that can be downloaded, the newest first. A list that is an hour old at most
// is not asked for again; where the site is away, the last list counts. Unavailable where nothing may be downloaded, or there
// is no list.
func (c *Cache) Available(ctx context.Context, name string) ([]string, error) {
	if err := c.may(name); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "%w", err)
	}
	c.lock.Lock()
	l, known := c.lists[name]
	c.lock.Unlock()
	file := filepath.Join(c.Dir, name, "versions.json")
	if !known {
		if data, err := provider.ReadBounded(file, mostList); err == nil {
			known = json.Unmarshal(data, &l) == nil
		}
	}
	from := c.site(name)
	known = known && l.From == from && l.Versions != nil
	if known && (c.Now().Sub(l.At) < keptFor || c.Now().Sub(l.tried) < awayFor) {
		return l.Versions, nil
	}
	if l.away != nil && c.Now().Sub(l.tried) < awayFor {
		return nil, l.away
	}
	ctx, stop := context.WithTimeout(ctx, listing)
	defer stop()
	versions, err := c.list(ctx, name)
	if err != nil {
		err = fault.Errorf(fault.Unavailable, "read which versions of %s there are at %s: %w", Title(name), from, err)
		l.tried, l.away = c.Now(), err
		c.remember(name, l)
		if known {
			c.Log.Warn("the list of a program's versions can't be read; the last one counts", "name", name, "from", from, "error", err)
			return l.Versions, nil
		}
		return nil, err
	}
	Sort(versions)
	l = list{From: from, At: c.Now().UTC(), Versions: versions}
	c.remember(name, l)
	if data, err := json.Marshal(l); err == nil && os.MkdirAll(filepath.Dir(file), 0o755) == nil {
		_ = writeWhole(file, data) // it is asked for again
	}
	return versions, nil
}

func (c *Cache) remember(name string, l list) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.lists[name] = l
}

// site gives from where a program is downloaded.
func (c *Cache) site(name string) string {
	if mirror := c.mirror(name); mirror != "" || name == Terraform {
		return mirror
	}
	return map[string]string{OpenTofu: "https://get.opentofu.org", Kubectl: kubectlReleases, Terragrunt: terragruntReleases, Pulumi: pulumiReleases}[name]
}

// mirror gives the address that an operator has named for a program; "" for none.
func (c *Cache) mirror(name string) string {
	return strings.TrimSuffix(map[string]string{OpenTofu: c.OpenTofu, Terraform: c.Terraform, Kubectl: c.Kubectl, Terragrunt: c.Terragrunt, Pulumi: c.Pulumi}[name], "/")
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
	client := &http.Client{Transport: bounded{t}}
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

// bounded ends answers that are larger than any release.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
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

// download gives a program whose checksum is that of a list which its maker has signed, or, where makers sign none, that its
// maker's site tells.
func (c *Cache) download(ctx context.Context, name, version string) (b brought, err error) {
	ctx, stop := context.WithTimeout(ctx, complete)
	defer stop()
	client := c.client(name)
	defer client.CloseIdleConnections()
	switch {
	case IsTool(name):
		b, err = c.downloadTool(ctx, client, name, version)
	case name == Terraform:
		b.program, err = c.downloadTerraform(ctx, client, version)
	default:
		b.program, err = c.downloadOpenTofu(ctx, client, version)
	}
	b.from = c.site(name)
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
	if c.OpenTofu != "" {
		base := strings.TrimSuffix(c.OpenTofu, "/")
		from = append(from, tofudl.ConfigAPIURL(base+"/api.json"), tofudl.ConfigDownloadMirrorURLTemplate(base+"/v{{ .Version }}/{{ .Artifact }}"))
	}
	if c.OpenTofuKey != "" {
		from = append(from, tofudl.ConfigGPGKey(c.OpenTofuKey))
	}
	dl, err := tofudl.New(from...)
	return dl, fault.Wrap(err, "prepare the download of OpenTofu")
}

func (c *Cache) downloadOpenTofu(ctx context.Context, client *http.Client, version string) ([]byte, error) {
	dl, err := c.opentofu(client)
	if err != nil {
		return nil, err
	}
	return dl.Download(ctx, tofudl.DownloadOptVersion(tofudl.Version(version)))
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

func (c *Cache) downloadTerraform(ctx context.Context, client *http.Client, version string) ([]byte, error) {
	prefix := Terraform + "_" + version + "_"
	sums, err := c.fetch(ctx, client, mostList, Terraform, version, prefix+"SHA256SUMS")
	if err != nil {
		return nil, err
	}
	signature, err := c.fetch(ctx, client, 1<<20, Terraform, version, prefix+"SHA256SUMS.sig")
	if err != nil {
		return nil, err
	}
	key := c.TerraformKey
	if key == "" {
		key = hashicorpKey
	}
	if err := signedBy(key, sums, signature); err != nil {
		return nil, fmt.Errorf("the list of checksums is not signed by Terraform's maker: %w", err)
	}
	archive := prefix + platform() + ".zip"
	want, ok := sumOf(sums, archive)
	if !ok {
		return nil, fmt.Errorf("there is no %s among the checksums", archive)
	}
	data, err := c.fetch(ctx, client, mostArchive, Terraform, version, archive)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
		return nil, fmt.Errorf("the SHA-256 of %s is %s; the signed list says %s", archive, hex.EncodeToString(sum[:]), want)
	}
	return programOf(data, Terraform)
}

// fetch reads what is below the address of Terraform's releases.
func (c *Cache) fetch(ctx context.Context, client *http.Client, most int64, parts ...string) ([]byte, error) {
	address, err := url.JoinPath(c.site(Terraform), parts...)
	if err != nil {
		return nil, err
	}
	return get(ctx, client, most, address)
}

// get reads what is at an address.
func get(ctx context.Context, client *http.Client, most int64, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, refusal{address, answer.Status, answer.StatusCode}
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", address, most)
	}
	return data, err
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

// programOf takes the program out of an archive.
func programOf(archive []byte, name string) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("the archive can't be read: %w", err)
	}
	f, err := z.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the archive has no %s: %w", name, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	program, err := io.ReadAll(io.LimitReader(f, mostProgram+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the archive can't be read: %w", err)
	case len(program) > mostProgram:
		return nil, fmt.Errorf("the program has more than %d bytes", mostProgram)
	case len(program) == 0:
		return nil, errors.New("the program is empty")
	}
	return program, nil
}
