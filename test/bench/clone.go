package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	cloneRounds   = 7
	shallowClones = 50
)

// cloneFigures compares clones over Roadbed with those over git http-backend behind nginx, and with the git program's own
// from a file:// address; and has many clone at the same time.
func cloneFigures(ctx context.Context, b *bench) error {
	source, err := largeRepository(ctx)
	if err != nil {
		return err
	}
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	other, err := newPlain(ctx, filepath.Join(b.dir, "plain"))
	if err != nil {
		return err
	}
	defer other.stop()
	me, err := newPerson(filepath.Join(b.dir, "home"), s.api.Token)
	if err != nil {
		return err
	}
	type side struct {
		name, url string
		took      spread
	}
	r, err := client.Post[client.Repository](ctx, s.api, "/repositories", map[string]string{"name": "large"})
	if err != nil {
		return err
	}
	own := filepath.Join(b.dir, "own.git")
	if _, err := me.git(ctx, "", "init", "--quiet", "--bare", "--initial-branch=main", own); err != nil {
		return err
	}
	sides := []*side{{name: "clone_roadbed", url: r.CloneURL}, {name: "clone_git_file", url: "file://" + own}}
	if other != nil {
		address, err := other.repository(ctx, me, "large.git")
		if err != nil {
			return err
		}
		sides = append(sides, &side{name: "clone_http_backend", url: address})
	}
	for _, s := range sides { // each has the repository as a push brings it
		if _, err := me.git(ctx, source, "push", "--quiet", s.url, "main"); err != nil {
			return err
		}
	}
	for round := range cloneRounds {
		for _, i := range turn(round, len(sides)) {
			target := filepath.Join(b.dir, "clone")
			took, err := me.timed(ctx, "", "clone", "--quiet", "--no-checkout", sides[i].url, target)
			if err != nil {
				return err
			}
			if round > 0 { // the first warms the disk's cache
				sides[i].took = append(sides[i].took, took)
			}
			if err := os.RemoveAll(target); err != nil {
				return err
			}
		}
	}
	for _, s := range sides {
		figure(s.name+"_p50", s.took.at(0.5), "ms")
	}
	b.most("clone_to_git_file", sides[0].took.ratio(sides[1].took), 1.1, "times")
	if len(sides) > 2 {
		figure("clone_to_http_backend", sides[0].took.ratio(sides[2].took), "times")
	}
	for _, i := range []int{0, len(sides) - 1} {
		took, failed := shallow(ctx, me, sides[i].url, filepath.Join(b.dir, "shallow"))
		name := fmt.Sprintf("%d_shallow_%s", shallowClones, sides[i].name)
		figure(name, took.Seconds(), "s")
		if i == 0 {
			b.most(name+"_failures", float64(failed), 0, "clones")
		} else {
			figure(name+"_failures", float64(failed), "clones")
		}
	}
	return nil
}

// shallow has many clone at the same time, and gives how many could not.
func shallow(ctx context.Context, me *person, url, dir string) (took time.Duration, failed int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	began := time.Now()
	for i := range shallowClones {
		all.Go(func() {
			_, err := me.git(ctx, "", "clone", "--quiet", "--depth", "1", "--no-checkout", url, filepath.Join(dir, fmt.Sprint(i)))
			if err == nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			failed++
			fmt.Fprintln(os.Stderr, "bench:", err)
		})
	}
	all.Wait()
	took = time.Since(began)
	_ = os.RemoveAll(dir) // of a folder that goes anyway
	return took, failed
}

// The large repository: blobs that don't compress, most of them in the past, and many small files with a history.
const (
	largeName    = "large-1.git" // a new name whenever what is in it changes
	largeCommits = 2000
	largeFiles   = 3000
	largeBlobs   = 90
	largeBlob    = 1 << 20
)

// largeRepository gives a repository of 100 MB, which is made once and kept where builds keep theirs.
func largeRepository(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "roadbed", "bench")
	whole := filepath.Join(dir, largeName)
	if _, err := os.Stat(whole); err == nil {
		return whole, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	draft, err := os.MkdirTemp(dir, "draft-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(draft)
	me, err := newPerson(filepath.Join(draft, "home"), "")
	if err != nil {
		return "", err
	}
	made := filepath.Join(draft, largeName)
	if _, err := me.git(ctx, "", "init", "--quiet", "--bare", "--initial-branch=main", made); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, "git", "fast-import", "--quiet")
	c.Dir, c.Env, c.Stderr = made, me.env, os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	err = writeHistory(in)
	in.Close()
	if ended := c.Wait(); err == nil {
		err = ended
	}
	if err != nil {
		return "", fmt.Errorf("make the large repository: %w", err)
	}
	if _, err := me.git(ctx, made, "repack", "-a", "-d", "-q", "--depth=50", "--window=10"); err != nil {
		return "", err
	}
	return whole, os.Rename(made, whole)
}

// writeHistory writes what git fast-import reads; it is the same each time.
func writeHistory(to io.Writer) error {
	out := bufio.NewWriterSize(to, 1<<20)
	random := rand.New(rand.NewChaCha8([32]byte{1}))
	bytes := rand.NewChaCha8([32]byte{2})
	text := func() string {
		s := ""
		for range 40 + random.IntN(80) {
			s += fmt.Sprintf("%x some line of text %x\n", random.Uint32(), random.IntN(100))
		}
		return s
	}
	file := func(path, content string) {
		fmt.Fprintf(out, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
	}
	path := func(i int) string { return fmt.Sprintf("src/part%02d/file%04d.txt", i%60, i) }
	kept := make([]string, largeFiles)
	for i := range largeCommits {
		message := fmt.Sprintf("change %d", i)
		fmt.Fprintf(out, "commit refs/heads/main\ncommitter Bench <bench@example.com> %d +0000\ndata %d\n%s\n", 1_700_000_000+i*60, len(message), message)
		if i == 0 {
			for n := range largeFiles {
				kept[n] = text()
				file(path(n), kept[n])
			}
		}
		for range 3 {
			n := random.IntN(largeFiles)
			kept[n] += text()[:200]
			file(path(n), kept[n])
		}
		if i%(largeCommits/largeBlobs) == 0 {
			blob := make([]byte, largeBlob+1)
			_, _ = bytes.Read(blob) // never fails
			fmt.Fprintf(out, "M 100644 inline assets/blob%d.bin\ndata %d\n", i%7, len(blob)-1)
			blob[len(blob)-1] = '\n'
			if _, err := out.Write(blob); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}
