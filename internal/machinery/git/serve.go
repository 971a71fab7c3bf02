package git

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
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
	uploadInput  = 64 << 20 // of what a fetch asks for, unpacked
	commandInput = 8 << 20  // of the references that a push names, beside its pack
	defaultPack  = 2 << 30  // of a pushed pack
	drainInput   = 64 << 20 // read and dropped after an early end, so that the client sees the answer
	drainTime    = 10 * time.Second
)

// ServeOptions says what a client may do and who is asked about a push.
type ServeOptions struct {
	Path     string // PathInfoRefs, PathUploadPack or PathReceivePack
	Client   string // whose share of what is served at the same time this is of; clients without a name have one together
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
// written to w yet: fault.Invalid, Denied, NotFound, Exhausted when the client is being served its share already, Unavailable
// when too many are. What goes wrong later is told to the client in the protocol, and logged. A client that stops, or takes
// or sends next to nothing, is given up.
func (g *Git) Serve(w http.ResponseWriter, r *http.Request, dir string, o ServeOptions) error {
	write, ok := Wants(r, o.Path)
	if !ok {
		return fault.Errorf(fault.Invalid, "this is not a request of git's smart HTTP protocol; use git 2.0 or newer")
	}
	if write && !o.Write {
		return fault.Errorf(fault.Denied, "you may not push to this repository")
	}
	leave, err := g.serving.enter(r.Context(), o.Client)
	if err != nil {
		return err
	}
	defer leave()
	s := &session{git: g, w: w, control: http.NewResponseController(w), dir: dir, options: o, protocol: protocol(r), end: time.Now().Add(serveTime)}
	if o.Path == PathInfoRefs {
		return s.advertise(r, write)
	}
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
func (s *session) advertise(r *http.Request, write bool) error {
	service := "upload-pack"
	s.head = "001e# service=git-upload-pack\n0000"
	if write {
		service, s.head = "receive-pack", "001f# service=git-receive-pack\n0000"
	} else if r.Header.Get("Git-Protocol") == "version=2" {
		s.head = "" // version 2 needs no announcement of the service
	}
	s.result = "application/x-git-" + service + "-advertisement"
	s.body, s.input = http.NoBody, http.NoBody
	ctx, cancel := context.WithDeadline(r.Context(), s.end)
	defer cancel()
	cmd := s.git.command(ctx, call{dir: s.dir, env: s.protocol, args: []string{service, "--stateless-rpc", "--advertise-refs", "."}})
	return s.run(ctx, cmd, nil, nil)
}

// session is one request.
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
	head     string        // of the answer, before what git says
	end      time.Time

	channels atomic.Bool // the client takes messages beside git's answer
	notice   atomic.Pointer[string]
	noticed  bool // it was sent
}

// open checks the request's headers and bounds its body.
func (s *session) open(r *http.Request, write bool) error {
	service, limit := "upload-pack", int64(uploadInput)
	if write {
		service = "receive-pack"
		if s.options.MaxInput <= 0 {
			s.options.MaxInput = defaultPack
		}
		limit = s.options.MaxInput
	}
	if want := "application/x-git-" + service + "-request"; r.Header.Get("Content-Type") != want {
		return fault.Errorf(fault.Invalid, "the content type of this request is %s", want)
	}
	s.result = "application/x-git-" + service + "-result"
	s.body = r.Body
	s.input = &patient{r: r.Body, control: s.control, pace: s.pace()}
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
	if !write {
		s.input = &capped{r: s.input, left: limit}
		return nil
	}
	body := bufio.NewReaderSize(s.input, 64<<10)
	s.input = &sparing{s: s, body: body, r: &capped{r: body, left: limit, over: func() {
		s.give(fmt.Sprintf("a push has at most %s here; push it in parts, older commits first, or keep large files by Git LFS", Bytes(limit)))
	}}}
	return nil
}

// upload serves a clone or fetch.
func (s *session) upload(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, s.end)
	defer cancel()
	cmd := s.git.command(ctx, call{dir: s.dir, forks: true, env: s.protocol, args: []string{"upload-pack", "--stateless-rpc", "--strict", "."}})
	return s.run(ctx, cmd, nil, nil)
}

func (s *session) pace() pace { return pace{idle: s.git.idle, end: s.end} }

// capped fails, rather than ends, at its limit: a cut body must not look whole.
type capped struct {
	r    io.Reader
	left int64
	over func() // called when there is more; may be nil
}

func (c *capped) Read(b []byte) (int, error) {
	if c.left <= 0 {
		var more [1]byte
		if n, err := io.ReadFull(c.r, more[:]); n == 0 {
			return 0, err // it ends here
		}
		if c.over != nil {
			c.over()
		}
		return 0, fmt.Errorf("the body is too large: %w", errOutputLimit)
	}
	n, err := c.r.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	return n, err
}
