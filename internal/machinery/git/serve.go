package git

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The paths of smart HTTP below a repository's address.
const (
	PathInfoRefs    = "info/refs"
	PathUploadPack  = "git-upload-pack"
	PathReceivePack = "git-receive-pack"
)

const (
	uploadInput  = 64 << 20        // of what a fetch asks for, unpacked
	commandInput = 8 << 20         // of the references that a push names, beside its pack
	defaultPack  = 2 << 30         // of a pushed pack
	idleTime     = 2 * time.Minute // between two reads or writes of the client
	drainInput   = 64 << 20        // read and dropped after an early end, so that the client sees the answer
	drainTime    = 10 * time.Second
)

// ServeOptions says what a client may do and who is asked about a push.
type ServeOptions struct {
	Path     string // PathInfoRefs, PathUploadPack or PathReceivePack
	Write    bool   // the client may push
	MaxInput int64  // bytes of a pushed pack; 0 = 2 GB

	// PreReceive is called when a push has been received and checked, before any reference moves. An error refuses
	// all of it and its message is shown to the client. From its return to Ended the references may move, and
	// neither the end of the request nor that of ctx stops that half way.
	PreReceive func(ctx context.Context, in Incoming) error
	// Ended is called when no reference will move any more, before the client has the end of its answer and however long
	// it takes to read it. May be nil.
	Ended func()
}

// Wants tells what a request to a path of smart HTTP would do. ok is false for what is none.
func Wants(r *http.Request, path string) (write, ok bool) {
	switch {
	case path == PathInfoRefs && r.Method == http.MethodGet:
		service := r.URL.Query().Get("service")
		return service == PathReceivePack, service == PathReceivePack || service == PathUploadPack
	case path == PathUploadPack && r.Method == http.MethodPost:
		return false, true
	case path == PathReceivePack && r.Method == http.MethodPost:
		return true, true
	}
	return false, false
}

// Serve answers one request of git's smart HTTP protocol (versions 0 to 2). An error means that nothing has been
// written to w yet: fault.Invalid, Denied, NotFound, Exhausted when too many are being served. What goes wrong later is
// told to the client in the protocol, and logged.
func (g *Git) Serve(w http.ResponseWriter, r *http.Request, dir string, o ServeOptions) error {
	write, ok := Wants(r, o.Path)
	if !ok {
		return fault.Errorf(fault.Invalid, "this is not a request of git's smart HTTP protocol; use git 2.0 or newer")
	}
	if write && !o.Write {
		return fault.Errorf(fault.Denied, "you may not push to this repository")
	}
	select {
	case g.serving <- struct{}{}:
		defer func() { <-g.serving }()
	default:
		return fault.Errorf(fault.Exhausted, "%d clones and pushes are being served; try again in a moment", serveAtOnce)
	}
	if o.Path == PathInfoRefs {
		return g.advertise(w, r, dir, write)
	}
	s := session{git: g, w: w, control: http.NewResponseController(w), dir: dir, options: o, protocol: protocol(r)}
	if err := s.open(r, write); err != nil {
		return err
	}
	if write {
		return s.receive(r.Context())
	}
	return s.upload(r.Context())
}

// protocol gives the environment in which the client's wish for a version of the protocol reaches git.
func protocol(r *http.Request) []string {
	switch v := r.Header.Get("Git-Protocol"); v {
	case "version=1", "version=2":
		return []string{"GIT_PROTOCOL=" + v}
	}
	return nil
}

// advertise answers the first request of every clone, fetch and push.
func (g *Git) advertise(w http.ResponseWriter, r *http.Request, dir string, write bool) error {
	service, head := "upload-pack", "001e# service=git-upload-pack\n0000"
	if write {
		service, head = "receive-pack", "001f# service=git-receive-pack\n0000"
	}
	out, err := g.output(r.Context(), call{
		dir: dir, env: protocol(r), limit: refsBytes, args: []string{service, "--stateless-rpc", "--advertise-refs", "."},
	})
	if err != nil {
		return fault.Wrap(err, "advertise references")
	}
	uncached(w, "application/x-git-"+service+"-advertisement")
	if !write && r.Header.Get("Git-Protocol") == "version=2" {
		head = "" // version 2 needs no announcement of the service
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(head)+len(out)))
	if _, err := io.WriteString(w, head); err == nil {
		_, _ = w.Write(out) // the client has gone
	}
	return nil
}

func uncached(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
}

// session is one POST of a fetch or a push.
type session struct {
	git      *Git
	w        http.ResponseWriter
	control  *http.ResponseController
	dir      string
	options  ServeOptions
	protocol []string
	body     io.ReadCloser // as it came
	input    io.Reader     // unpacked and bounded
	result   string        // content type of the answer
}

// open checks the request's headers and bounds its body.
func (s *session) open(r *http.Request, write bool) error {
	service, limit := "upload-pack", int64(uploadInput)
	if write {
		service = "receive-pack"
		if s.options.MaxInput <= 0 {
			s.options.MaxInput = defaultPack
		}
		limit = s.options.MaxInput + commandInput
	}
	if want := "application/x-git-" + service + "-request"; r.Header.Get("Content-Type") != want {
		return fault.Errorf(fault.Invalid, "the content type of this request is %s", want)
	}
	s.result = "application/x-git-" + service + "-result"
	s.body = r.Body
	s.input = &patient{r: r.Body, control: s.control}
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(s.input)
		if err != nil {
			return fault.Errorf(fault.Invalid, "the request's body is not gzip: %w", err)
		}
		s.input = unpacked
	default:
		return fault.Errorf(fault.Invalid, "the content encoding %q is not known; send gzip or none", clip(r.Header.Get("Content-Encoding")))
	}
	s.input = &capped{r: s.input, left: limit}
	return nil
}

// upload serves a clone or fetch.
func (s *session) upload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, serveTime)
	defer cancel()
	cmd := s.git.command(ctx, call{dir: s.dir, forks: true, env: s.protocol, args: []string{"upload-pack", "--stateless-rpc", "--strict", "."}})
	return s.run(ctx, cmd, nil, nil)
}

// patient lets every read take idleTime, however long the whole takes.
type patient struct {
	r       io.Reader
	control *http.ResponseController
}

func (p *patient) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(idleTime)) // not every writer has deadlines
	n, err := p.r.Read(b)
	if err != nil {
		// What the server watches for after the body, the client's going, has no deadline.
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// capped fails, rather than ends, at its limit: a cut body must not look whole.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the body is too large: %w", errOutputLimit)
	}
	n, err := c.r.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	return n, err
}

// answer streams a process' output to the client; it begins the response at the first byte.
type answer struct {
	s     *session
	begun bool
	keep  bool // swallow what can't be sent: a push must not end by a broken pipe between two references
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		uncached(a.s.w, a.s.result)
	}
	_ = a.s.control.SetWriteDeadline(time.Now().Add(idleTime)) // not every writer has deadlines
	n, err := a.s.w.Write(p)
	if err == nil {
		_ = a.s.control.Flush()
	}
	if a.keep {
		return len(p), nil
	}
	return n, err
}
