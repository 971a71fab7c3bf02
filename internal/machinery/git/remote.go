package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Remote is a repository elsewhere, as git reaches it.
type Remote struct {
	URL                string // https://…, without credentials
	Username, Password string // "" for a remote that needs none
	HTTP               bool   // http:// will do too
	Proxy              string // http://127.0.0.1:… that every connection goes through; "" for none
	CA                 string // file with the certificates that are trusted, in place of the system's; "" for those
}

// Limits bound one exchange with a remote; the zero value means the defaults.
type Limits struct {
	Pack     int64          // bytes that are received; 0 = 2 GB
	Refs     int            // references that the remote has; 0 = 50,000
	Time     time.Duration  // of the exchange; 0 = an hour
	Progress func(Progress) // is told how far it is, a few times a second at most; may be nil
}

// Progress tells how far an exchange is, in git's own words.
type Progress struct {
	Phase       string // such as "Receiving objects"
	Done, Total int64  // Total is 0 while it is not known
	Bytes       int64  // that were received or sent; 0 while it is not told
}

const (
	remoteRefs  = 50_000
	refLine     = 400 // bytes of the listing, for each reference
	stallBytes  = 1000
	stallTime   = 60 * time.Second
	helperInput = 8 << 10
)

// helper gives git the credentials, which it reads from a descriptor that it inherited: neither the command line nor the
// environment nor a file holds them. They can be read once; what was refused is not offered again.
const helper = `!f() { [ "$1" = get ] && cat <&3; }; f`

// check refuses what is not an address that git may go to.
func (r Remote) check() error {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || len(r.URL) > 2000 || strings.ContainsFunc(r.URL, func(c rune) bool { return c <= ' ' || unicode.IsControl(c) }):
		return fault.Errorf(fault.Invalid, "the address of the remote is none; write it like https://forge.example.com/OWNER/NAME.git")
	case u.User != nil:
		return fault.Errorf(fault.Invalid, "the address of the remote holds a user name or a password; give them beside it")
	case u.Scheme != "https" && (u.Scheme != "http" || !r.HTTP):
		return fault.Errorf(fault.Invalid, "the scheme of the remote's address is %q; use https", clip(u.Scheme))
	case u.Hostname() == "" || u.Fragment != "" || u.RawQuery != "":
		return fault.Errorf(fault.Invalid, "the address of the remote is none; write it like https://forge.example.com/OWNER/NAME.git")
	}
	for _, s := range []string{r.Username, r.Password} {
		if strings.ContainsAny(s, "\x00\r\n") || len(s) > helperInput/4 {
			return fault.Errorf(fault.Invalid, "the user name or the password for %s is none", u.Host)
		}
	}
	return nil
}

// host gives whom messages are about.
func (r Remote) host() string {
	if u, err := url.Parse(r.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return "the remote"
}

// config is what git is to know of the remote.
func (r Remote) config() [][2]string {
	redirects := "false"
	if r.Password == "" && r.Proxy != "" {
		redirects = "initial"
	}
	config := [][2]string{
		{"protocol.https.allow", "always"},
		// Credentials go to no other host than theirs; without any, it is the proxy that judges where a redirect leads.
		{"http.followRedirects", redirects},
		{"http.proxy", r.Proxy},
		{"http.lowSpeedLimit", strconv.Itoa(stallBytes)},
		{"http.lowSpeedTime", strconv.Itoa(int(stallTime.Seconds()))},
		{"transfer.bundleURI", "false"}, // nothing is loaded from where the remote says
		{"fetch.uriProtocols", ""},
		{"fetch.recurseSubmodules", "false"},
		{"push.recurseSubmodules", "no"},
		{"submodule.recurse", "false"},
		{"fetch.unpackLimit", "1"}, // one file, whose size is bounded
		{"fetch.writeCommitGraph", "false"},
		{"credential.helper", ""},
	}
	if r.HTTP {
		config = append(config, [2]string{"protocol.http.allow", "always"})
	}
	if r.Proxy != "" {
		config = append(config, [2]string{"http.proxyAuthMethod", "basic"})
	}
	if r.CA != "" {
		config = append(config, [2]string{"http.sslCAInfo", r.CA})
	}
	if r.Password != "" {
		config = append(config, [2]string{"credential.helper", helper})
	}
	return config
}

// credentials gives a descriptor that the helper reads them from.
func (r Remote) credentials() (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// It is less than a pipe takes at once.
	_, err = io.WriteString(write, "username="+cmp.Or(r.Username, "x")+"\npassword="+r.Password+"\n")
	write.Close()
	if err != nil {
		read.Close()
		return nil, err
	}
	return read, nil
}

// exchange runs a command that talks to a remote. smart is false when the remote was not talked to, or by git's old
// protocol of plain files, where every page is an empty list of references and nothing is checked as it is received.
func (g *Git) exchange(ctx context.Context, r Remote, l Limits, c call) (out []byte, smart bool, err error) {
	if err := r.check(); err != nil {
		return nil, false, err
	}
	select {
	case g.remotes <- struct{}{}:
		defer func() { <-g.remotes }()
	case <-ctx.Done():
		return nil, false, fault.Errorf(fault.Unavailable, "%d exchanges with remotes are under way already; it is tried again: %w", remotesAtOnce, ctx.Err())
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.Time, serveTime))
	defer cancel()
	c.forks, c.config = true, append(r.config(), c.config...)
	c.env = append(c.env, "GIT_TRACE_PACKET=2") // for teller
	if r.Password != "" {
		credentials, err := r.credentials()
		if err != nil {
			return nil, false, fault.Wrap(err, "hand over the credentials for %s", r.host())
		}
		defer credentials.Close()
		c.files = []*os.File{credentials} // descriptor 3
	}
	p := g.command(ctx, c)
	listing := &bounded{limit: c.limit, full: cancel}
	said := &teller{tell: l.Progress, hear: c.hears, kept: bounded{limit: errorBytes}}
	p.Stdout, p.Stderr = listing, said
	err = p.start()
	if err == nil {
		err = p.wait()
	}
	said.flush()
	switch {
	case listing.over:
		return nil, false, fault.Errorf(fault.TooLarge, "%s has more references than are read from it", r.host())
	case err != nil && ctx.Err() != nil && outer.Err() == nil:
		return nil, false, fault.Errorf(fault.Unavailable, "the exchange with %s took longer than %s; it is tried again", r.host(), cmp.Or(l.Time, serveTime))
	}
	return listing.Bytes(), said.smart, r.problem(g.problem(ctx, p, err, &said.kept))
}

func (r Remote) notSmart() error {
	return fault.Errorf(fault.Invalid, "%s does not answer as git's smart HTTP protocol; is it the address of a repository?", r.host())
}

// answers are what git and the libraries below it say of a remote, by their kinds. The first that fits is taken.
var answers = []struct {
	said *regexp.Regexp
	kind fault.Kind
	word string
}{
	{regexp.MustCompile(`(?i)CONNECT tunnel failed|HTTP code \d+ from proxy|Received HTTP/\S+ \d+ from proxy`), fault.Denied, "the server may not connect to %s; its option for outside addresses says which it may"},
	{regexp.MustCompile(`(?i)Authentication failed|could not read (Username|Password)|returned error: 401`), fault.Unauthenticated, "%s does not take the credentials; give new ones"},
	{regexp.MustCompile(`returned error: 403`), fault.Denied, "%s takes the credentials, and they may not do this; give them the right, or others"},
	{regexp.MustCompile(`returned error: 404|repository '[^']*' not found|Repository not found`), fault.NotFound, "%s has no such repository, or the credentials may not see it"},
	{regexp.MustCompile(`returned error: 429`), fault.Exhausted, "%s is asked too often; it is tried again later"},
	{regexp.MustCompile(`returned error: 30[12378]|url base from redirection`), fault.Conflict, "%s says that the repository has moved; name its new address"},
	{regexp.MustCompile(`fsck error|fsckObjects|error in object|fatal: pack (has|is)|did not receive expected object|bad object|missing necessary objects`), fault.Invalid, "%s sends what git's checks refuse"},
	{regexp.MustCompile(`(?i)not our ref|couldn't find remote ref|unadvertised object`), fault.NotFound, "%s has not what was asked for"},
	{regexp.MustCompile(`(?i)SSL certificate|certificate verif|SSL_connect|TLS`), fault.Unavailable, "no safe connection to %s can be made"},
	{regexp.MustCompile(`not valid: is this a git repository|invalid server response|protocol error`), fault.Invalid, "%s does not answer as git; is it the address of a repository?"},
}

// problem tells what went wrong between git and the remote.
func (r Remote) problem(err error) error {
	var exit *exitError
	if !errors.As(err, &exit) {
		return err
	}
	said := tidy(exit.stderr)
	for _, a := range answers {
		if a.said.MatchString(said) {
			return fault.Foreign(fault.Errorf(a.kind, a.word+": %s", r.host(), said))
		}
	}
	return fault.Errorf(fault.Unavailable, "%s does not answer as it should: %s", r.host(), said)
}

// tidy makes what a remote says fit for a message: it is somebody else's text.
func tidy(said string) string {
	said = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(said, "?"))
	said = strings.Join(strings.Fields(said), " ")
	if len(said) > 500 {
		said = strings.ToValidUTF8(said[:500], "") + "…"
	}
	return said
}

// teller keeps what a command says on its standard error, save how far it is, which it tells, and the packets that it
// traces, which only the smart protocol has.
type teller struct {
	kept  bounded
	tell  func(Progress)
	hear  func(string)
	line  []byte
	told  time.Time
	last  Progress
	smart bool
}

var progressLine = regexp.MustCompile(`^(?:remote: )?([A-Z][a-z]+ing [a-z ]+): +(?:\d+% \((\d+)/(\d+)\)|(\d+))(?:, ([0-9.]+) (bytes|KiB|MiB|GiB))?`)

func (t *teller) Write(p []byte) (int, error) {
	for rest := p; ; {
		i := bytes.IndexAny(rest, "\r\n")
		if i < 0 {
			t.add(rest)
			return len(p), nil
		}
		t.add(rest[:i])
		t.flush()
		rest = rest[i+1:]
	}
}

func (t *teller) add(p []byte) { t.line = append(t.line, p[:min(len(p), recordBytes-len(t.line))]...) }

func (t *teller) flush() {
	line := string(t.line)
	t.line = t.line[:0]
	if !strings.HasPrefix(line, "remote: ") && strings.Contains(line, " packet: ") {
		t.smart = true
		return
	}
	m := progressLine.FindStringSubmatch(line)
	if m == nil {
		if words, is := strings.CutPrefix(line, "remote: "); is && t.hear != nil {
			t.hear(words)
		}
		if line != "" {
			_, _ = t.kept.Write([]byte(line + "\n"))
		}
		return
	}
	now := Progress{Phase: m[1]}
	now.Done, _ = strconv.ParseInt(m[2]+m[4], 10, 64) // one of them is empty
	now.Total, _ = strconv.ParseInt(m[3], 10, 64)
	if size, err := strconv.ParseFloat(m[5], 64); err == nil {
		now.Bytes = int64(size * map[string]float64{"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[m[6]])
	}
	ended := now.Total > 0 && now.Done == now.Total
	if t.tell == nil || now == t.last || now.Phase == t.last.Phase && !ended && time.Since(t.told) < 200*time.Millisecond {
		return
	}
	t.last, t.told = now, time.Now()
	t.tell(now)
}

// List gives the references of a remote below the prefixes (such as refs/heads/), with their hashes. What can't be the
// name of a reference here is left out. It fails with fault.TooLarge when there are too many, and as Fetch does.
func (g *Git) List(ctx context.Context, r Remote, prefixes []string, l Limits) (map[string]string, error) {
	return g.list(ctx, r, prefixes, l)
}

func (g *Git) list(ctx context.Context, r Remote, prefixes []string, l Limits) (map[string]string, error) {
	limit := cmp.Or(l.Refs, remoteRefs)
	args := []string{"ls-remote", "--quiet", "--refs"}
	known := true
	var narrow []string
	for _, prefix := range prefixes {
		switch prefix { // the remote leaves the others out itself
		case "refs/heads/":
			narrow = append(narrow, "--heads")
		case "refs/tags/":
			narrow = append(narrow, "--tags")
		default:
			known = false
		}
	}
	bytes := int64(limit) * refLine
	if known {
		args = append(args, narrow...)
	} else {
		bytes *= 4
	}
	out, smart, err := g.exchange(ctx, r, l, call{dir: "/", args: append(args, "--", r.URL), limit: bytes})
	if err == nil && !smart {
		err = r.notSmart()
	}
	if err != nil {
		return nil, fault.Wrap(err, "ask for the references")
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		hash, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || !IsHash(hash) || !mirrored(name, prefixes) {
			continue
		}
		if refs[name] = hash; len(refs) > limit {
			return nil, fault.Errorf(fault.TooLarge, "%s has more than %d branches and tags there; delete some that are not needed", r.host(), limit)
		}
	}
	return refs, nil
}

// mirrored tells whether a reference is one that is brought: by its prefix, and as a push of it would be taken.
func mirrored(name string, prefixes []string) bool {
	if CheckRef(name) != nil || strings.HasPrefix(name, hiddenPrefix) || strings.HasPrefix(name, ProposalPrefix) {
		return false
	}
	if _, short, _ := strings.Cut(strings.TrimPrefix(name, "refs/"), "/"); IsHash(short) {
		return false // can't be told from a commit
	}
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// RemoteHead gives the short name of the branch that a remote's HEAD leads to; "" when it tells none.
func (g *Git) RemoteHead(ctx context.Context, r Remote, l Limits) (branch string, err error) {
	out, _, err := g.exchange(ctx, r, l, call{dir: "/", args: []string{"ls-remote", "--quiet", "--symref", "--", r.URL, "HEAD"}, limit: 64 << 10})
	if err != nil {
		return "", fault.Wrap(err, "ask for the default branch")
	}
	for line := range strings.Lines(string(out)) {
		if target, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "ref: refs/heads/"); ok {
			if branch, name, _ := strings.Cut(target, "\t"); name == "HEAD" && CheckBranch(branch) == nil {
				return branch, nil
			}
		}
	}
	return "", nil
}

// String leaves the credentials out, wherever a remote is printed.
func (r Remote) String() string { return r.URL }

// GoString is String.
func (r Remote) GoString() string { return fmt.Sprintf("git.Remote{%q}", r.URL) }

// LogValue is String.
func (r Remote) LogValue() slog.Value { return slog.StringValue(r.URL) }
