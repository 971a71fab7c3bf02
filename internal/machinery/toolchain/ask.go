package toolchain

import (
	"context"
	"os"
	"os/exec"
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
	c := exec.CommandContext(ctx, program, "version")
	c.Dir = "/"
	c.Env = []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin", "CHECKPOINT_DISABLE=1"}
	c.WaitDelay = time.Second
	out, err := c.Output()
	first, _, _ := strings.Cut(string(out), "\n")
	if err != nil || len(first) > 100 {
		return ""
	}
	return strings.TrimSpace(first)
}

// ask gives what a program of the machine is; it is asked again when its file has changed.
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
	name, version, ok := Parse(Says(ctx, path))
	if ctx.Err() != nil {
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
