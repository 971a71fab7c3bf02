package toolchain

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// asking is how long a program may take to tell its version.
const asking = 10 * time.Second

// Says gives the first line of what a program answers when it is asked for its version, such as "OpenTofu v1.12.6"; ""
// when it does not tell.
func Says(ctx context.Context, program string) string {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	return says(ctx, program)
}

func says(ctx context.Context, program string) string {
	first, _, _ := strings.Cut(answer(ctx, program, "version"), "\n")
	if len(first) > 100 {
		return ""
	}
	return strings.TrimSpace(first)
}

// answer gives what a program writes; "" where it fails.
func answer(ctx context.Context, program string, words ...string) string {
	c := exec.CommandContext(ctx, program, words...)
	c.Dir = "/"
	c.Env = []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin", "CHECKPOINT_DISABLE=1", "PULUMI_SKIP_UPDATE_CHECK=true"}
	c.WaitDelay = time.Second
	out, err := c.Output()
	if err != nil {
		return ""
	}
	return string(out)
}

// How programs that are no engines tell their version. What a distributor adds to it does not count; what comes before a
// release does.
var (
	kubectlSays    = regexp.MustCompile(`"gitVersion": *"v([^"]{1,80})"`)
	terragruntSays = regexp.MustCompile(`version v?([0-9]\S{0,80})`)
	pulumiSays     = regexp.MustCompile(`^v?([0-9]\S{0,80})`)
	distributed    = regexp.MustCompile(`^([0-9]+\.[0-9]+\.[0-9]+)[-+]`)
	unfinished     = regexp.MustCompile(`-(alpha|beta|rc|dev)`)
)

// Is tells which program a file is, by what that says of itself; of kubectl, Terragrunt and Pulumi, which tell a version
// alone, by the file's name.
func Is(ctx context.Context, path string) (name, version string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	return is(ctx, path)
}

func is(ctx context.Context, path string) (name, version string, ok bool) {
	var m []string
	switch name = filepath.Base(path); name {
	case Kubectl:
		m = kubectlSays.FindStringSubmatch(answer(ctx, path, "version", "--client", "--output=json"))
	case Terragrunt:
		m = terragruntSays.FindStringSubmatch(answer(ctx, path, "--version"))
	case Pulumi:
		m = pulumiSays.FindStringSubmatch(answer(ctx, path, "version"))
	default:
		return Parse(says(ctx, path))
	}
	if m == nil {
		return "", "", false
	}
	version = Plain(m[1])
	return name, version, ValidVersion(version)
}

// Plain gives a version as a program of kubectl, Terragrunt or Pulumi tells it, without what a distributor has added to it.
func Plain(version string) string {
	if d := distributed.FindStringSubmatch(version); d != nil && !unfinished.MatchString(version) {
		return d[1]
	}
	return version
}

// mayBe tells whether a file may be a program, without asking it.
func mayBe(path, name string) bool {
	if base := filepath.Base(path); IsTool(base) {
		return base == name
	}
	return !IsTool(name)
}

// ask gives what a program of the machine is; it is asked again when its file has changed, or when it took too long: the machine
// may have been busy.
func (c *Cache) ask(ctx context.Context, path string) (Program, bool) {
	info, err := os.Stat(path)
	if path == "" || err != nil {
		return Program{}, false
	}
	now := stampOf(info)
	c.lock.Lock()
	p, known := c.found[path]
	known = known && c.stamps[path] == now
	c.lock.Unlock()
	if known {
		return p, p.Name != ""
	}
	within, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	name, version, ok := is(within, path)
	switch {
	case ctx.Err() != nil:
		return Program{}, false
	case !ok && within.Err() != nil:
		c.Log.Warn("a program does not tell its version in time", "path", path, "time", c.patience)
		return Program{}, false
	}
	p = Program{}
	if ok {
		p = Program{Name: name, Version: version, Path: path, Found: true, Size: info.Size()}
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.found[path], c.stamps[path] = p, now
	return p, ok
}
