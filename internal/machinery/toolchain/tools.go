package toolchain

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where the makers of kubectl, Terragrunt and Pulumi have their releases. They sign no list of checksums with a key that is
// known here: a checksum is what the maker's own site tells, by TLS.
const (
	kubectlReleases    = "https://dl.k8s.io/release"
	terragruntReleases = "https://github.com/gruntwork-io/terragrunt/releases/download"
	terragruntList     = "https://api.github.com/repos/gruntwork-io/terragrunt/releases"
	pulumiReleases     = "https://get.pulumi.com/releases/sdk"
	pulumiSums         = "https://github.com/pulumi/pulumi/releases/download"
	pulumiList         = "https://api.github.com/repos/pulumi/pulumi/releases"
	pulumiLatest       = "https://www.pulumi.com/latest-version"
)

// Bounds of what is read of these.
const (
	mostPages   = 10      // of a list of releases
	pageOf      = 100     // releases
	mostMinors  = 16      // of kubectl whose newest patch is listed
	mostLists   = 100     // that are remembered
	mostWord    = 4 << 10 // bytes of a file that has a version, or a checksum
	mostFiles   = 100     // of Pulumi's archive
	perPage     = "?per_page=100&page="
	releaseList = "releases.json" // of a mirror
)

// listTool gives the versions of a program that its maker's site tells of.
func (c *Cache) listTool(ctx context.Context, client *http.Client, name string) ([]string, error) {
	mirror := c.mirror(name)
	switch {
	case name == Kubectl:
		return c.listKubectl(ctx, client)
	case name == Terragrunt && mirror == "":
		return listReleases(ctx, client, terragruntList, perPage)
	case name == Terragrunt:
		return listReleases(ctx, client, mirror+"/"+releaseList, "")
	}
	at, list, pages := pulumiLatest, pulumiList, perPage
	if mirror != "" {
		at, list, pages = mirror+"/latest-version", mirror+"/"+releaseList, ""
	}
	latest, err := wordAt(ctx, client, at)
	if err != nil {
		return nil, err
	}
	all, err := listReleases(ctx, client, list, pages)
	if err != nil { // the newest is known, and whoever wants another writes it in full
		c.Log.Warn("the list of a program's versions can't be read; its newest is known", "name", name, "from", list, "error", err)
	}
	if !slices.Contains(all, latest) {
		all = append(all, latest)
	}
	return all, nil
}

// listKubectl gives the newest patch of the newest minor versions: there is no list of all.
func (c *Cache) listKubectl(ctx context.Context, client *http.Client) ([]string, error) {
	newest, err := wordAt(ctx, client, c.site(Kubectl)+"/stable.txt")
	if err != nil {
		return nil, err
	}
	all := []string{newest}
	parts := strings.Split(newest, ".")
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil, err
	}
	for n := minor - 1; n >= 0 && minor-n < mostMinors; n-- {
		v, err := wordAt(ctx, client, fmt.Sprintf("%s/stable-%s.%d.txt", c.site(Kubectl), parts[0], n))
		if errors.Is(err, fs.ErrNotExist) { // a mirror need not have all
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// newestOf gives the newest patch of a minor version of kubectl; none where that is not known. What the site has said counts for
// an hour, and of so many minor versions that nobody fills the memory.
func (c *Cache) newestOf(ctx context.Context, minor string) []string {
	key := Kubectl + " " + minor
	c.lock.Lock()
	l, known := c.lists[key]
	full := len(c.lists) >= mostLists
	c.lock.Unlock()
	switch {
	case known && c.Now().Sub(l.At) < keptFor, known && c.Now().Sub(l.tried) < awayFor, !known && full:
		return l.Versions
	}
	ctx, stop := context.WithTimeout(ctx, listing)
	defer stop()
	client := c.client(Kubectl)
	defer client.CloseIdleConnections()
	v, err := wordAt(ctx, client, c.site(Kubectl)+"/stable-"+minor+".txt")
	switch {
	case err == nil:
		l = list{At: c.Now(), Versions: []string{v}}
	case errors.Is(err, fs.ErrNotExist):
		l = list{At: c.Now()}
	default:
		l.tried = c.Now()
	}
	c.remember(key, l)
	return l.Versions
}

// wordAt reads a version at an address. ErrNotExist where there is nothing.
func wordAt(ctx context.Context, client *http.Client, address string) (string, error) {
	data, err := get(ctx, client, mostWord, address)
	if err != nil {
		return "", err
	}
	v := strings.TrimPrefix(strings.TrimSpace(string(data)), "v")
	if !ValidVersion(v) {
		return "", fmt.Errorf("%s says %.60q, which is no version", address, v)
	}
	return v, nil
}

// listReleases reads a list as GitHub gives it, page by page where there are pages. What is a draft is left out, and what
// comes before a release, which nobody gets who does not write it in full.
func listReleases(ctx context.Context, client *http.Client, address, pages string) ([]string, error) {
	var all []string
	for page := 1; page <= mostPages; page++ {
		at := address
		if pages != "" {
			at += pages + strconv.Itoa(page)
		}
		data, err := get(ctx, client, mostList, at)
		if err != nil {
			return nil, err
		}
		var releases []struct {
			Tag        string `json:"tag_name"`
			Draft      bool
			Prerelease bool
		}
		if err := json.Unmarshal(data, &releases); err != nil {
			return nil, fmt.Errorf("%s is no list of releases: %w", at, err)
		}
		for _, r := range releases {
			if v := strings.TrimPrefix(r.Tag, "v"); ValidVersion(v) && !r.Draft && !r.Prerelease && !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
		if pages == "" || len(releases) < pageOf {
			break
		}
	}
	return all, nil
}

// downloadTool gives a program whose checksum is what its maker's site tells now, and what it told at the first download.
func (c *Cache) downloadTool(ctx context.Context, client *http.Client, name, version string) (b brought, err error) {
	base, mirror := c.site(name), c.mirror(name)
	var file, sums, what string // addresses, and what the list of checksums calls the file
	most := int64(mostArchive)
	switch name {
	case Kubectl:
		file = fmt.Sprintf("%s/v%s/bin/%s/%s/kubectl", base, version, runtime.GOOS, runtime.GOARCH)
		sums = file + ".sha256"
	case Terragrunt:
		what = "terragrunt_" + platform()
		file, sums = base+"/v"+version+"/"+what, base+"/v"+version+"/SHA256SUMS"
	default:
		arch := runtime.GOARCH
		if arch == "amd64" {
			arch = "x64"
		}
		what = fmt.Sprintf("pulumi-v%s-%s-%s.tar.gz", version, runtime.GOOS, arch)
		file, sums = base+"/"+what, fmt.Sprintf("%s/v%s/pulumi-%s-checksums.txt", pulumiSums, version, version)
		if mirror != "" {
			sums = fmt.Sprintf("%s/pulumi-%s-checksums.txt", mirror, version)
		}
	}
	list, err := get(ctx, client, mostList, sums)
	if err != nil {
		return b, err
	}
	if what == "" { // of that file alone
		b.listed = strings.ToLower(strings.TrimSpace(string(list)))
	} else {
		b.listed, _ = sumOf(list, what)
	}
	if !checksum.MatchString(b.listed) {
		return b, fmt.Errorf("%s has no SHA-256 of %s", sums, path.Base(file))
	}
	if err := c.pinned(name, version, b.listed); err != nil {
		return b, err
	}
	data, err := get(ctx, client, most, file)
	if err != nil {
		return b, err
	}
	if sum := sumIn(data); sum != b.listed {
		return b, fmt.Errorf("the SHA-256 of %s is %s; %s says %s", path.Base(file), sum, sums, b.listed)
	}
	if name == Pulumi {
		b.program, b.beside, err = pulumiOf(data)
		return b, err
	}
	if b.program = data; len(data) == 0 {
		err = errors.New("the program is empty")
	}
	return b, err
}

var checksum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// pinned fails where the maker's site tells another checksum of a version than it did at the first download here: nobody has
// signed either, and a release does not change.
func (c *Cache) pinned(name, version, listed string) error {
	r, err := c.record(name, version)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && (r.Listed == "" || r.Listed == listed):
		return nil
	case err != nil:
		return fmt.Errorf("what was known of it can't be read: %w", err)
	}
	return fault.Errorf(fault.Conflict, "its checksum is told as %s, and was %s when it was first downloaded, on %s from %s; a release does not change, and nothing is taken. When you know why, remove %s",
		listed, r.Listed, r.Kept.Format("2006-01-02"), r.From, path.Join(c.dir(name, version), recordFile))
}

// pulumiOf takes Pulumi's programs out of its archive: pulumi, and the pulumi-* that it runs, which are looked for beside it.
func pulumiOf(archive []byte) (program []byte, beside map[string][]byte, err error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, nil, fmt.Errorf("the archive can't be read: %w", err)
	}
	beside, left := map[string][]byte{}, int64(mostProgram)
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the archive can't be read: %w", err)
		}
		dir, name := path.Split(path.Clean(h.Name))
		if h.Typeflag != tar.TypeReg || dir != Pulumi+"/" || name != Pulumi && !pulumiFile.MatchString(name) {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(files, left+1))
		left -= int64(len(data))
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("the archive can't be read: %w", err)
		case left < 0:
			return nil, nil, fmt.Errorf("its programs have more than %d bytes", mostProgram)
		case len(beside) >= mostFiles:
			return nil, nil, fmt.Errorf("the archive has more than %d programs", mostFiles)
		case name == Pulumi:
			program = data
		default:
			beside[name] = data
		}
	}
	if len(program) == 0 {
		return nil, nil, fmt.Errorf("the archive has no %s/%s", Pulumi, Pulumi)
	}
	return program, beside, nil
}

var pulumiFile = regexp.MustCompile(`^pulumi-[A-Za-z0-9._-]{1,100}$`)
