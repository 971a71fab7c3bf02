package git_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestCloneAndPush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	first := b.commit("a", "README.md", "hello\n")
	b.must("a", "push", "-q", "origin", "HEAD:main")
	b.must("a", "tag", "-a", "v1", "-m", "first")
	second := b.commit("a", "dir/file.txt", "more\n")
	b.must("a", "push", "-q", "origin", "main", "v1", "HEAD:refs/heads/side")

	refs := b.refs()
	if refs["refs/heads/main"] != second || refs["refs/heads/side"] != second || refs["refs/tags/v1"] == "" || len(refs) != 3 {
		t.Fatalf("after the push there are %v", refs)
	}
	for _, version := range []string{"0", "1", "2"} {
		clone := "v" + version
		b.must("", "-c", "protocol.version="+version, "clone", "-q", b.url, clone)
		if got := b.must(clone, "rev-parse", "HEAD", "v1^{}"); got != second+"\n"+first {
			t.Errorf("protocol %s clones %s", version, got)
		}
	}
	b.must("", "clone", "-q", "--depth=1", b.url, "shallow")
	if got := b.must("shallow", "rev-list", "--count", "HEAD"); got != "1" {
		t.Errorf("a shallow clone has %s commits", got)
	}
	b.must("shallow", "fetch", "-q", "--unshallow")
	third := b.commit("shallow", "x", "x")
	b.must("shallow", "push", "-q", "origin", "main")
	b.must("", "clone", "-q", "--filter=blob:none", "--no-checkout", b.url, "partial")
	if got := b.must("partial", "rev-parse", "HEAD"); got != third {
		t.Errorf("a partial clone is at %s", got)
	}
	if got := b.must("partial", "rev-list", "--objects", "--missing=print", "HEAD"); !strings.Contains(got, "?") {
		t.Error("a clone with --filter=blob:none got the blobs")
	}
	b.must("partial", "checkout", "-q", "main")
	b.refused("not supported", "", "clone", "--no-checkout", "--filter=sparse:oid=main:README.md", b.url, "sparse")
	b.must("a", "fetch", "-q", "origin", first) // a commit by its hash
	b.must("a", "push", "-q", "origin", ":side", ":refs/tags/v1")
	if refs := b.refs(); len(refs) != 1 {
		t.Errorf("after the deletions there are %v", refs)
	}
	b.whole()
}

func TestPushBigAndGzip(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	noise := make([]byte, 5<<20) // more than http.postBuffer: a chunked body after a probe
	rand.Read(noise)
	head := b.commit("a", "noise", string(noise))
	b.must("a", "push", "-q", "origin", "HEAD:main")
	for i := range 60 { // enough "have" lines for a gzip request
		b.must("a", "branch", fmt.Sprintf("b%d", i))
	}
	b.must("a", "push", "-q", "--all", "origin")
	b.must("", "clone", "-q", b.url, "b")
	next := b.commit("a", "more", "more")
	b.must("a", "push", "-q", "origin", "main")
	b.must("b", "pull", "-q")
	if got := b.must("b", "rev-parse", "HEAD", "HEAD~1"); got != next+"\n"+head {
		t.Errorf("the second clone has %s", got)
	}
	b.whole()
}

func TestPreReceiveDecides(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seen := make(chan []git.Update, 10)
	judge := func(ctx context.Context, in git.Incoming) error {
		seen <- in.Updates
		for _, u := range in.Updates {
			if u.Deletes() {
				return fault.Errorf(fault.Denied, "%s\nmust stay", u.Ref)
			}
			if u.Creates() {
				continue
			}
			forward, err := in.IsAncestor(ctx, u.Old, u.New)
			if err != nil {
				return err
			}
			if !forward {
				return fault.Errorf(fault.Denied, "%s only goes forward", u.Ref)
			}
		}
		return nil
	}
	b.serve(git.ServeOptions{Write: true, PreReceive: judge})
	b.must("", "clone", "-q", b.url, "a")
	first := b.commit("a", "x", "1")
	b.must("a", "push", "-q", "origin", "HEAD:main", "HEAD:side")
	if got := <-seen; len(got) != 2 || got[0] != (git.Update{Ref: "refs/heads/main", Old: git.Zero, New: first}) {
		t.Errorf("the first push showed %v", got)
	}
	second := b.commit("a", "x", "2")
	b.must("a", "push", "-q", "origin", "main")
	b.must("a", "reset", "-q", "--hard", first)
	b.commit("a", "x", "3")
	b.refused("non-fast-forward", "a", "push", "origin", "main") // git's own client
	b.refused("roadbed: refs/heads/main only goes forward", "a", "push", "--force", "origin", "main", "HEAD:refs/heads/other")
	b.refused("roadbed: refs/heads/side must stay", "a", "push", "origin", ":side")
	b.serve(git.ServeOptions{Write: true, PreReceive: func(context.Context, git.Incoming) error { return errors.New("secret /path") }})
	b.refused("roadbed: internal error", "a", "push", "origin", "HEAD:refs/heads/third")
	if refs := b.refs(); refs["refs/heads/main"] != second || len(refs) != 2 {
		t.Errorf("the refused pushes left %v", refs)
	}
	b.serve(git.ServeOptions{Write: true})
	b.refused("deletion of the current branch prohibited", "a", "push", "origin", ":main")
	b.must("a", "push", "-q", "--force", "origin", "main")
	b.whole()
}

func TestPushOnDiskIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	b.commit("a", "x", "1")
	b.refused("hook declined", "a", "push", b.dir, "HEAD:main")
	if refs := b.refs(); len(refs) != 0 {
		t.Errorf("a push past the server left %v", refs)
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	b.commit("a", "x", "1")
	b.refused("hidden ref", "a", "push", "origin", "HEAD:refs/roadbed/x")
	b.serve(git.ServeOptions{})
	b.refused("403", "a", "push", "origin", "HEAD:main")
	b.serve(git.ServeOptions{Write: true, MaxInput: 1 << 10})
	noise := make([]byte, 3<<20)
	rand.Read(noise)
	b.commit("a", "noise", string(noise))
	b.refused("remote: roadbed: a push has at most 1 KiB here; push it in parts", "a", "push", "origin", "HEAD:main")
	b.must("a", "checkout", "-q", "--detach")
	for i := range 200 { // an index-pack, not an unpack-objects
		b.write(filepath.Join("a", fmt.Sprint("f", i)), fmt.Sprint(i))
	}
	b.commit("a", "last", "x")
	b.refused("remote: roadbed: a push has at most 1 KiB here; push it in parts", "a", "push", "--progress", "origin", "HEAD:refs/heads/progress")
	b.serve(git.ServeOptions{Write: true})

	// A tree with .git in it, which git's client makes only by plumbing.
	blob := b.must("a", "hash-object", "-w", "x")
	tree := b.mktree("a", "100644 blob "+blob+"\t.GIT\n")
	commit := b.must("a", "commit-tree", "-m", "evil", tree)
	b.refused("hasDotgit", "a", "push", "origin", commit+":refs/heads/evil")
	if refs := b.refs(); len(refs) != 0 {
		t.Errorf("the refused pushes left %v", refs)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "objects", "*incoming*")); len(left) != 0 {
		t.Errorf("the refused pushes left %v", left)
	}

	for _, c := range []struct{ method, path, contentType, encoding, body string }{
		{"GET", "/info/refs", "", "", ""},
		{"GET", "/info/refs?service=git-upload-archive", "", "", ""},
		{"GET", "/git-upload-pack", "", "", ""},
		{"POST", "/git-upload-pack", "text/plain", "", "0000"},
		{"POST", "/git-receive-pack", "application/x-git-receive-pack-request", "br", "0000"},
		{"POST", "/git-receive-pack", "application/x-git-receive-pack-request", "gzip", "0000"},
		{"POST", "/../objects/info/packs", "", "", ""},
	} {
		r, _ := http.NewRequest(c.method, b.url+c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		r.Header.Set("Content-Encoding", c.encoding)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			t.Errorf("%s %s was answered", c.method, c.path)
		}
	}
}

// Whatever is sent instead of git's lines is answered, and changes nothing.
func TestBadLines(t *testing.T) {
	t.Parallel()
	b := setup(t)
	head, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	b.serve(git.ServeOptions{Write: true, PreReceive: func(context.Context, git.Incoming) error { return nil }})
	line := func(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
	update := git.Zero + " " + head + " refs/heads/"
	var many strings.Builder
	for i := range 60_000 {
		many.WriteString(line(update + fmt.Sprint("b", i)))
	}
	for _, body := range []string{
		"", "0", "0000", "0001", "0002", "0003", "0004", "zzzz", "ffff", "-001", "0000PACK", strings.Repeat("0004", 1000),
		line("want " + head), line("want "+head+"\n") + "0000" + line("have zzz\n"), line("command=ls-refs\n"), line("command=\x00\n") + "0000",
		line(update + "x\x00atomic"), line("x") + "0000", line(update+"a\nb\x00report-status") + "0000", line("shallow "+head) + "0000",
		line("push-cert\x00") + "0000", line(update+"x\x00push-options report-status") + "0000" + line("evil") + "0000",
		many.String() + "0000", // more than a push may change
	} {
		for _, service := range []string{"upload-pack", "receive-pack"} {
			for _, version := range []string{"", "version=1", "version=2"} {
				r, _ := http.NewRequest("POST", b.url+"/git-"+service, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/x-git-"+service+"-request")
				r.Header.Set("Git-Protocol", version)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Errorf("%s %.40q: %v", service, body, err)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}
		if refs := b.refs(); len(refs) != 1 || refs["refs/heads/main"] != head {
			t.Errorf("%.40q left %v", body, refs)
		}
	}
	b.whole()
}

// A pack of some kilobytes that unpacks to much more than there may be ends its push and nothing else.
func TestABombIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is bounded on Linux only")
	}
	b := setup(t)
	b.git.SetMemory(64 << 20)
	const size = 256 << 20
	var pack bytes.Buffer
	pack.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x01")
	left, kind := uint64(size), byte(2) // a tree, which git holds whole
	first := kind<<4 | byte(left&15)
	for left >>= 4; left > 0; left >>= 7 {
		pack.WriteByte(first | 0x80)
		first = byte(left & 0x7f)
	}
	pack.WriteByte(first)
	z, _ := zlib.NewWriterLevel(&pack, zlib.BestSpeed)
	for zeros := make([]byte, 1<<20); left < size; left += 1 << 20 {
		z.Write(zeros)
	}
	z.Close()
	sum := sha1.Sum(pack.Bytes())
	pack.Write(sum[:])
	line := git.Zero + " " + strings.Repeat("1", 40) + " refs/heads/bomb\x00 report-status side-band-64k"
	answer := b.post(fmt.Appendf(nil, "%04x%s0000%s", len(line)+4, line, pack.Bytes()), "")
	if !strings.Contains(answer, "Out of memory") || !strings.Contains(answer, "ng refs/heads/bomb") {
		t.Errorf("a bomb of %d bytes was answered %q", pack.Len(), answer)
	}
	b.whole()
}

// mktree writes a tree that git add would refuse.
func (b *bench) mktree(clone, listing string) string {
	b.t.Helper()
	b.write("listing", listing)
	return b.must(clone, "-c", "core.protectNTFS=false", "-c", "alias.mk=!git mktree <"+filepath.Join(b.home, "listing"), "mk")
}

// push gives the body of a push of one reference with the pack of a commit.
func (b *bench) push(ref, old, hash string) []byte {
	b.t.Helper()
	line := old + " " + hash + " " + ref + "\x00 report-status atomic"
	var body bytes.Buffer
	fmt.Fprintf(&body, "%04x%s0000", len(line)+4, line)
	b.must("a", "-c", "alias.pk=!echo "+hash+" | git pack-objects --revs --stdout >"+filepath.Join(b.home, "pack"), "pk")
	pack, err := os.ReadFile(filepath.Join(b.home, "pack"))
	if err != nil {
		b.t.Fatal(err)
	}
	body.Write(pack)
	return body.Bytes()
}

func (b *bench) post(body []byte, encoding string) string {
	b.t.Helper()
	r, _ := http.NewRequest("POST", b.url+"/git-receive-pack", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	r.Header.Set("Content-Encoding", encoding)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	return string(answer)
}

func TestRawPush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.serve(git.ServeOptions{Write: true, PreReceive: func(context.Context, git.Incoming) error { return nil }})
	b.must("", "clone", "-q", b.url, "a")
	head := b.commit("a", "x", "1")
	for _, bad := range []string{"refs/heads/../../x", "../x", "refs/heads/a..b", "HEAD", "refs/heads/x.lock", "refs/heads/", "/refs/heads/x"} {
		if answer := b.post(b.push(bad, git.Zero, head), ""); strings.Contains(answer, "ok "+bad) {
			t.Errorf("a push to %q was answered %q", bad, answer)
		}
	}
	whole := b.push("refs/heads/main", git.Zero, head)
	broken := bytes.Clone(whole)
	broken[len(broken)-1] ^= 1
	b.post(broken, "")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(whole)
	z.Close()
	b.post(zipped.Bytes()[:zipped.Len()-4], "gzip") // the checksum is missing, but the pack is whole
	if refs := b.refs(); refs["refs/heads/main"] != "" && refs["refs/heads/main"] != head || len(refs) > 1 {
		t.Errorf("the broken pushes left %v", refs)
	}
	if answer := b.post(b.push("refs/heads/zip", git.Zero, head), ""); !strings.Contains(answer, "ok refs/heads/zip") {
		t.Errorf("a push was answered %q", answer)
	}
	b.whole()
}

// A connection that breaks in the middle of a push changes nothing, wherever it breaks.
func TestPushCutInTheMiddle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	asked := make(chan struct{}, 100)
	b.serve(git.ServeOptions{Write: true, PreReceive: func(context.Context, git.Incoming) error { asked <- struct{}{}; return nil }})
	b.must("", "clone", "-q", b.url, "a")
	head := b.commit("a", "x", strings.Repeat("some text\n", 1000))
	body := b.push("refs/heads/main", git.Zero, head)
	address, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []int{0, 10, 100, len(body) / 2, len(body) - 21, len(body) - 1} {
		conn, err := net.Dial("tcp", address.Host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /repo.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-git-receive-pack-request\r\nContent-Length: %d\r\n\r\n", len(body))
		conn.Write(body[:part])
		conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn) // until the server is done with it
		conn.Close()
	}
	if len(asked) != 0 || len(b.refs()) != 0 {
		t.Errorf("cut pushes were offered %d times and left %v", len(asked), b.refs())
	}
	if answer := b.post(body, ""); !strings.Contains(answer, "ok refs/heads/main") {
		t.Errorf("the whole push was answered %q", answer)
	}
	b.whole()
}

// A client that sends no more of what it has promised, and reads nothing, keeps a push neither from its end nor from
// being told of.
func TestAPushEndsWithoutItsClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ended := make(chan map[string]string, 1)
	b.serve(git.ServeOptions{
		Write: true, PreReceive: func(context.Context, git.Incoming) error { return nil }, Ended: func() { ended <- b.refs() },
	})
	b.must("", "clone", "-q", b.url, "a")
	head := b.commit("a", "x", "1")
	body := b.push("refs/heads/main", git.Zero, head)
	address, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /repo.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-git-receive-pack-request\r\nContent-Length: %d\r\n\r\n", len(body)+1<<20)
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	if refs := <-ended; refs["refs/heads/main"] != head {
		t.Errorf("it ended with %v", refs)
	}
}

// A client that goes away after the word was given does not stop a push half way.
func TestPushGoesOnWithoutItsClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	head := b.commit("a", "x", "1")
	var body bytes.Buffer
	const branches = 300
	for i := range branches {
		line := fmt.Sprintf("%s %s refs/heads/b%d", git.Zero, head, i)
		if i == 0 {
			line += "\x00 report-status"
		}
		fmt.Fprintf(&body, "%04x%s", len(line)+4, line)
	}
	body.WriteString("0000")
	_, pack, _ := bytes.Cut(b.push("refs/heads/x", git.Zero, head), []byte("0000PACK"))
	body.Write(append([]byte("PACK"), pack...))

	ctx, hangUp := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "POST", b.url+"/git-receive-pack", &body)
	r.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	served := make(chan error, 1)
	go func() {
		served <- b.git.Serve(nobody{}, r, b.dir, git.ServeOptions{
			Path: git.PathReceivePack, Write: true,
			PreReceive: func(context.Context, git.Incoming) error { return nil },
		})
	}()
	for len(b.refs()) == 0 { // each turn takes as long as git does
	}
	hangUp()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if got := len(b.refs()); got != branches {
		t.Errorf("%d of %d branches were made", got, branches)
	}
	b.whole()
}

// nobody is a client that has gone.
type nobody struct{}

func (nobody) Header() http.Header       { return http.Header{} }
func (nobody) WriteHeader(int)           {}
func (nobody) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// What comes with git push -o reaches whoever decides, as it was given and in its number and length bounded, and what they
// say is shown. Nothing in an option passes for what git itself says of the push.
func TestPushOptions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seen := make(chan git.Incoming, 1)
	b.serve(git.ServeOptions{Write: true, PreReceive: func(_ context.Context, in git.Incoming) error {
		seen <- in
		for _, o := range in.Options {
			in.Say("heard %s\n\x1b[31m", o)
		}
		return nil
	}})
	b.must("", "clone", "-q", b.url, "a")
	head := b.commit("a", "x", "1")
	said := b.must("a", "push", "-o", "ci.skip", "-o", "a b=$(touch evil); 'c'", "-o", "", "origin", "HEAD:main")
	if in := <-seen; len(in.Options) != 3 || in.Options[0] != "ci.skip" || in.Options[1] != "a b=$(touch evil); 'c'" || in.Options[2] != "" {
		t.Errorf("the options are %q", in.Options)
	}
	if !strings.Contains(said, "remote: heard ci.skip  [31m") || !strings.Contains(said, "remote: heard a b=$(touch evil); 'c'") {
		t.Errorf("the client was told\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "evil")); err == nil {
		t.Error("an option was run")
	}
	many := []string{"push"}
	for i := range 51 {
		many = append(many, "-o", fmt.Sprint(i))
	}
	b.refused("at most 50 options", "a", append(many, "origin", "HEAD:second")...)
	b.refused("at most 1000 bytes", "a", "push", "-o", strings.Repeat("x", 1001), "origin", "HEAD:second")

	// Options with lines of their own, which git's client refuses to send.
	line := fmt.Sprintf("%s %s refs/heads/third\x00 report-status push-options", git.Zero, head)
	option := "x\nend 0\n" + git.Zero + " " + head + " refs/heads/fourth\nend 7"
	pack := b.push("refs/heads/third", git.Zero, head)
	pack = pack[bytes.Index(pack, []byte("PACK")):]
	body := fmt.Appendf(nil, "%04x%s0000%04x%s0000%s", len(line)+4, line, len(option)+4, option, pack)
	b.post(body, "")
	if in := <-seen; len(in.Updates) != 1 || in.Updates[0].Ref != "refs/heads/third" || len(in.Options) != 1 || in.Options[0] != "x" {
		t.Errorf("an option with lines gave %q and %q", in.Updates, in.Options)
	}
	if refs := b.refs(); len(refs) != 2 || refs["refs/heads/third"] != head {
		t.Errorf("there are %v", refs)
	}
	b.whole()
}

// Clones in part and of late commits work in each of their forms; what no reference leads to is not to be had in the
// protocol that checks it.
func TestPartialAndShallowClones(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	for i := range 5 {
		b.write(filepath.Join("a", "dir", fmt.Sprint(i)), strings.Repeat(fmt.Sprint(i), 1000*i))
		b.must("a", "add", "-A")
		b.must("a", "-c", fmt.Sprintf("alias.at=!GIT_COMMITTER_DATE='2026-01-0%dT12:00:00Z' git commit -q -m %d", i+1, i), "at")
	}
	b.must("a", "push", "-q", "origin", "HEAD:main", "HEAD~3:refs/heads/old")
	head := b.must("a", "rev-parse", "HEAD")
	count := func(clone string) string { b.t.Helper(); return b.must(clone, "rev-list", "--count", "HEAD") }
	missing := func(clone string) int {
		b.t.Helper()
		return strings.Count(b.must(clone, "rev-list", "--objects", "--missing=print", "HEAD"), "?")
	}
	for _, version := range []string{"0", "2"} {
		clone := func(name string, args ...string) string {
			b.t.Helper()
			b.must("", append(append([]string{"-c", "protocol.version=" + version, "clone", "-q"}, args...), b.url, name+version)...)
			return name + version
		}
		if n := missing(clone("blobless", "--filter=blob:none", "--no-checkout")); n == 0 {
			t.Errorf("protocol %s: a clone without files misses none", version)
		}
		if n := missing(clone("small", "--filter=blob:limit=2k", "--no-checkout")); n != 2 {
			t.Errorf("protocol %s: a clone without large files misses %d", version, n)
		}
		treeless := clone("treeless", "--filter=tree:0", "--no-checkout")
		if got := count(treeless); got != "5" {
			t.Errorf("protocol %s: a clone without trees has %s commits", version, got)
		}
		b.must(treeless, "checkout", "-q", "main") // fetches what it needs
		b.must(treeless, "log", "-p", "--stat")
		shallow := clone("shallow", "--depth=2")
		since := clone("since", "--shallow-since=2026-01-03T00:00:00Z")
		exclude := clone("exclude", "--shallow-exclude=old")
		if count(shallow) != "2" || count(since) != "3" || count(exclude) != "3" {
			t.Errorf("protocol %s: shallow clones have %s, %s and %s commits", version, count(shallow), count(since), count(exclude))
		}
		b.must(shallow, "fetch", "-q", "--deepen=1")
		b.must(since, "fetch", "-q", "--unshallow")
		if count(shallow) != "3" || count(since) != "5" {
			t.Errorf("protocol %s: they were deepened to %s and %s commits", version, count(shallow), count(since))
		}
		next := b.commit(shallow, "late"+version, version) // a push from a shallow clone
		b.must(shallow, "push", "-q", "origin", "HEAD:refs/heads/late"+version)
		if got := b.refs()["refs/heads/late"+version]; got != next {
			t.Errorf("protocol %s: a push from a shallow clone is at %s", version, got)
		}
		for _, c := range []string{treeless, shallow, since} {
			b.must(c, "fsck", "--connectivity-only")
		}
	}
	gone := b.commit("a", "gone", "x")
	b.must("a", "push", "-q", "origin", "HEAD:refs/heads/gone")
	b.must("a", "push", "-q", "origin", ":gone")
	b.must("", "init", "-q", "other")
	b.must("other", "-c", "protocol.version=0", "fetch", "-q", b.url, head) // a commit that a branch leads to
	b.refused("not our ref", "other", "-c", "protocol.version=0", "fetch", b.url, gone)
	b.whole()
}
