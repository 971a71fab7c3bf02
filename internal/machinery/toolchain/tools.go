package toolchain

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
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

// listTool gives the versions of a program that its maker's site tells of; with an error those that it told of before that.
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
	if !slices.Contains(all, latest) {
		all = append(all, latest)
	}
	return all, err
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
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// newestOf gives the newest patch of a minor version of kubectl; none where there is none. What the site has said counts for
// an hour, and of so many minor versions that nobody fills the memory. Where the site has just failed, for whatever version, it is
// not asked again.
func (c *Cache) newestOf(ctx context.Context, minor string) ([]string, error) {
	c.lock.Lock()
	failed := c.lists[Kubectl]
	if c.Now().Sub(failed.tried) >= awayFor {
		failed = c.lists[kubectlMinors]
	}
	away := failed.away
	if c.Now().Sub(failed.tried) >= awayFor {
		away = nil
	}
	c.lock.Unlock()
	l, err := c.listed(ctx, kubectlMinors+minor, away, func(ctx context.Context, last list) list {
		client := c.client(Kubectl)
		defer client.CloseIdleConnections()
		v, err := wordAt(ctx, client, c.site(Kubectl)+"/stable-"+minor+".txt")
		switch {
		case err == nil:
			return list{At: c.Now(), Versions: []string{v}}
		case errors.Is(err, fs.ErrNotExist):
			return list{At: c.Now()}
		}
		l := list{At: last.At, Versions: last.Versions, tried: c.Now(), away: fault.Errorf(fault.Unavailable, "read which versions of kubectl %s there are at %s: %w", minor, c.site(Kubectl), err)}
		c.lock.Lock()
		c.lists[kubectlMinors] = list{tried: l.tried, away: l.away}
		c.lock.Unlock()
		return l
	})
	if err == nil && len(l.Versions) == 0 {
		err = l.away
	}
	return l.Versions, err
}

// kubectlMinors is how the names of lists of one minor version begin, and the name of the last of these that failed.
const kubectlMinors = Kubectl + " "

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
// comes before a release, which nobody gets who does not write it in full. With an error it gives what it has read before.
func listReleases(ctx context.Context, client *http.Client, address, pages string) ([]string, error) {
	var all []string
	for page := 1; page <= mostPages; page++ {
		at := address
		if pages != "" {
			at += pages + strconv.Itoa(page)
		}
		data, err := get(ctx, client, mostList, at)
		if err != nil {
			return all, err
		}
		var releases []struct {
			Tag        string `json:"tag_name"`
			Draft      bool
			Prerelease bool
		}
		if err := json.Unmarshal(data, &releases); err != nil {
			return all, fmt.Errorf("%s is no list of releases: %w", at, err)
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
func (c *Cache) downloadTool(ctx context.Context, client *http.Client, name, version, dir string) (b brought, err error) {
	base, mirror := c.site(name), c.mirror(name)
	var file, sums, what string // addresses, and what the list of checksums calls the file
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
	to := filepath.Join(dir, name)
	if name == Pulumi {
		to = filepath.Join(dir, partly+"archive")
	}
	sum, size, err := fetchTo(ctx, client, file, to)
	switch {
	case err != nil:
		return b, err
	case sum != b.listed:
		return b, fmt.Errorf("the SHA-256 of %s is %s; %s says %s", path.Base(file), sum, sums, b.listed)
	case size == 0:
		return b, errors.New("the program is empty")
	case name != Pulumi:
		b.sum = sum
		return b, nil
	}
	archive, err := os.Open(to)
	if err != nil {
		return b, err
	}
	defer archive.Close()
	b.sum, b.beside, err = pulumiOf(archive, dir)
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

// pulumiOf takes Pulumi's programs out of its archive, into a folder: pulumi, and the pulumi-* that it runs, which are looked for
// beside it. It gives their checksums.
func pulumiOf(archive io.Reader, into string) (program string, beside map[string]string, err error) {
	z, err := gzip.NewReader(archive)
	if err != nil {
		return "", nil, fmt.Errorf("the archive can't be read: %w", err)
	}
	beside, left := map[string]string{}, int64(mostProgram)
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", nil, fmt.Errorf("the archive can't be read: %w", err)
		}
		dir, name := path.Split(path.Clean(h.Name))
		if h.Typeflag != tar.TypeReg || dir != Pulumi+"/" || name != Pulumi && !pulumiFile.MatchString(name) {
			continue
		}
		if len(beside) >= mostFiles {
			return "", nil, fmt.Errorf("the archive has more than %d programs", mostFiles)
		}
		sum, size, err := writeProgram(filepath.Join(into, name), files, left)
		left -= size
		switch {
		case left < 0:
			return "", nil, fmt.Errorf("its programs have more than %d bytes", mostProgram)
		case err != nil:
			return "", nil, fmt.Errorf("the archive can't be read: %w", err)
		case name != Pulumi:
			beside[name] = sum
		case size > 0:
			program = sum
		}
	}
	if program == "" {
		return "", nil, fmt.Errorf("the archive has no %s/%s", Pulumi, Pulumi)
	}
	return program, beside, nil
}

var pulumiFile = regexp.MustCompile(`^pulumi-[A-Za-z0-9._-]{1,100}$`)
