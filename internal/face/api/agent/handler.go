package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker/remote"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Deps are what the handler stands on.
type Deps struct {
	Pools    *pool.Service
	Identity *identity.Service
	Archives run.Archives
	Door     http.Handler // the API as steps have it; it is told by identity.AtDoor
	Engines  Engines
	Status   func(err error) int
	Now      func() time.Time
	Log      *slog.Logger
}

// Handler serves agents.
type Handler struct {
	Deps
	mux *http.ServeMux
}

// New gives the handler.
func New(d Deps) *Handler {
	h := &Handler{d, http.NewServeMux()}
	h.mux.HandleFunc("POST "+remote.Prefix+"hello", h.answering(h.hello))
	for pattern, do := range map[string]func(c call) (any, error){
		"POST bye":                        h.bye,
		"POST lease":                      h.lease,
		"POST leases/{lease}/return":      giveBack,
		"POST leases/{lease}/renew":       renew,
		"GET leases/{lease}/cancel":       h.cancel,
		"GET leases/{lease}/log":          logSize,
		"PUT leases/{lease}/log":          appendLog,
		"POST leases/{lease}/report":      report,
		"PUT leases/{lease}/blobs":        putBlob,
		"GET leases/{lease}/blobs/{blob}": getBlob,
		"GET leases/{lease}/archive":      archive,
		"GET leases/{lease}/engine":       h.engine,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		h.mux.HandleFunc(method+" "+remote.Prefix+path, h.answering(func(w http.ResponseWriter, r *http.Request) (any, error) {
			hub, err := h.hub(r, r.Header.Get("Authorization"))
			if err != nil {
				return nil, err
			}
			return do(call{r.Context(), w, r, hub, r.PathValue("lease")})
		}))
	}
	h.mux.HandleFunc(remote.Prefix+"door/", h.door)
	return h
}

// Waits tells whether a request waits for something to happen, so that a server that ends lets it go.
func Waits(r *http.Request) bool {
	path, ok := strings.CutPrefix(r.URL.Path, remote.Prefix)
	return ok && (path == "lease" || strings.HasSuffix(path, "/cancel"))
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// call is a request about the work of an agent.
type call struct {
	ctx   context.Context
	w     http.ResponseWriter
	r     *http.Request
	hub   *run.AgentHub
	lease string
}

// stream is an answer that is no JSON.
type stream struct{ io.ReadCloser }

// answering writes what was done, or why not.
func (h *Handler) answering(do func(w http.ResponseWriter, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		out, err := do(w, r)
		switch out := out.(type) {
		case nil:
		case stream:
			defer out.Close()
			if err == nil {
				h.send(w, r, out)
				return
			}
		}
		switch {
		case err != nil:
			h.fail(w, r, err)
		case out == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(out) // the agent is gone when this can't be written
		}
	}
}

// send gives a stream whole, or breaks the connection, so that the agent knows that it is not.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, from io.Reader) {
	w.Header().Set("Content-Type", "application/octet-stream")
	paced, done := git.Paced(w)
	_, err := io.Copy(paced, from)
	done()
	if err != nil {
		if r.Context().Err() == nil {
			h.Log.WarnContext(r.Context(), "give an agent what its step needs", "path", r.URL.Path, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	kind := fault.KindOf(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) { // the server ends, or the agent is gone
		err = fault.Errorf(fault.Unavailable, "the server ends; ask again")
		kind = fault.Unavailable
	}
	if kind == fault.Internal {
		h.Log.ErrorContext(r.Context(), "a request of an agent ended with an internal error", "path", r.URL.Path, "error", err)
	}
	w.Header().Set(remote.HeaderFault, kind.String())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(h.Status(err))
	message := fault.Message(err)
	for _, d := range fault.Details(err) {
		message += "\n  " + d.String()
	}
	_ = json.NewEncoder(w).Encode(remote.Fault{Message: message}) // the agent is gone when this can't be written
}

// hub gives what the agent works by that asks.
func (h *Handler) hub(r *http.Request, header string) (*run.AgentHub, error) {
	token, _ := strings.CutPrefix(header, "Bearer ")
	return h.Pools.Hub(r.Context(), h.Archives, token, r.Header.Get(remote.HeaderName), r.Header.Get(remote.HeaderLife))
}

// read gives a body of at most limit bytes.
func read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, io.NopCloser(git.PacedBody(w, r)), limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, fault.Errorf(fault.TooLarge, "the body is larger than %d bytes", limit)
	}
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "the request was cut short: %w", err)
	}
	return data, nil
}

func decode(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	data, err := read(w, r, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fault.Errorf(fault.Invalid, "the body is not what it should be: %w", err)
	}
	return nil
}

func (h *Handler) hello(w http.ResponseWriter, r *http.Request) (any, error) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, err := h.Pools.Known(r.Context(), token); err != nil { // before anything of it is read
		return nil, err
	}
	var in remote.Hello
	if err := decode(w, r, remote.MaxHello, &in); err != nil {
		return nil, err
	}
	got, err := h.Pools.Greet(r.Context(), token, pool.Greeting{
		Name: in.Name, Home: in.Home, Life: in.Life, Leaving: in.Leaving,
		About: pool.About{Version: in.Version, System: in.System, Executor: in.Executor, Parallel: in.Parallel, Tools: in.Tools, Host: in.Host},
	})
	if err != nil {
		return nil, err
	}
	return remote.Welcome{Pool: got.Pool, Drained: got.Drained, Ends: got.Ends, Hello: int(pool.Hello.Seconds()), System: system()}, nil
}

func (h *Handler) bye(c call) (any, error) {
	token, _ := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	return nil, h.Pools.Bye(c.ctx, token, c.r.Header.Get(remote.HeaderName), c.r.Header.Get(remote.HeaderLife))
}

// waiting gives how long a request may wait, in which its answer is written.
func waiting(c call) time.Duration {
	ms, err := strconv.ParseInt(c.r.URL.Query().Get("wait"), 10, 64)
	if err != nil || ms < 0 {
		return remote.MaxWait
	}
	return min(time.Duration(ms)*time.Millisecond, remote.MaxWait)
}

func (h *Handler) lease(c call) (any, error) {
	l, err := c.hub.LeaseAs(c.ctx, c.r.URL.Query().Get("id"), waiting(c))
	if err != nil || l == nil {
		return nil, err
	}
	return remote.FromLease(*l, h.Now()), nil
}

func giveBack(c call) (any, error) { return nil, c.hub.Return(c.ctx, c.lease) }

func renew(c call) (any, error) {
	canceled, err := c.hub.Heartbeat(c.ctx, c.lease)
	return remote.Canceled{Canceled: canceled}, err
}

// cancel waits for a cancel.
func (h *Handler) cancel(c call) (any, error) {
	ctx, stop := context.WithTimeout(c.ctx, waiting(c))
	defer stop()
	err := c.hub.AwaitCancel(ctx, c.lease)
	if ctx.Err() != nil && c.ctx.Err() == nil {
		return remote.Canceled{}, nil
	}
	return remote.Canceled{Canceled: err == nil}, err
}

func logSize(c call) (any, error) {
	size, err := c.hub.LogSize(c.ctx, c.lease)
	return remote.LogSize{Size: size}, err
}

func appendLog(c call) (any, error) {
	offset, err := strconv.ParseInt(c.r.URL.Query().Get("offset"), 10, 64)
	if err != nil || offset < 0 {
		return nil, fault.Errorf(fault.Invalid, "offset is missing; it is a number of bytes")
	}
	p, err := read(c.w, c.r, remote.MaxChunk)
	if err != nil {
		return nil, err
	}
	return nil, c.hub.Log(c.ctx, c.lease, offset, p)
}

func report(c call) (any, error) {
	var in remote.Result
	if err := c.hub.Check(c.ctx, c.lease); err != nil { // before much of it is read
		return nil, err
	}
	if err := decode(c.w, c.r, remote.MaxResult, &in); err != nil {
		return nil, err
	}
	return nil, c.hub.Report(c.ctx, c.lease, in.Whole())
}

func putBlob(c call) (any, error) {
	body := &counting{r: git.PacedBody(c.w, c.r)}
	digest, size, err := c.hub.PutBlob(c.ctx, c.lease, body)
	if err != nil && body.err != nil && !errors.Is(body.err, io.EOF) {
		err = fault.Errorf(fault.Unavailable, "the request was cut short: %w", body.err)
	}
	return remote.Stored{Digest: digest, Size: size}, err
}

// counting remembers how reading ended.
type counting struct {
	r   io.Reader
	err error
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil {
		c.err = err
	}
	return n, err
}

func getBlob(c call) (any, error) {
	r, err := c.hub.GetBlob(c.ctx, c.lease, c.r.PathValue("blob"))
	if err != nil {
		return nil, err
	}
	return stream{r}, nil
}

func archive(c call) (any, error) {
	q := c.r.URL.Query()
	r, err := c.hub.Archive(c.ctx, c.lease, q.Get("repository"), q.Get("commit"), q.Get("subpath"))
	if err != nil {
		return nil, err
	}
	return stream{r}, nil
}

// door hands a request of a step that the agent holds to the API as steps have it.
func (h *Handler) door(w http.ResponseWriter, r *http.Request) {
	if err := h.mayPass(r); err != nil {
		h.fail(w, r, err)
		return
	}
	for _, name := range []string{remote.HeaderToken, remote.HeaderName, remote.HeaderLife} {
		r.Header.Del(name)
	}
	http.StripPrefix(strings.TrimSuffix(remote.Prefix, "/")+"/door", h.Door).ServeHTTP(w, r)
}

// mayPass looks at both tokens: the agent's, and the step's, which has to be of a step that the agent has now.
func (h *Handler) mayPass(r *http.Request) error {
	hub, err := h.hub(r, "Bearer "+r.Header.Get(remote.HeaderToken))
	if err != nil {
		return err
	}
	step, err := h.Identity.Authenticate(identity.AtDoor(r.Context()), identity.Bearer(r.Header.Get("Authorization"), r.BasicAuth))
	if err != nil {
		return err
	}
	if step.Kind != actor.Workload {
		return fault.Errorf(fault.Unauthenticated, "at the door only the token of a step is taken")
	}
	held, err := hub.Holds(r.Context(), step.ID)
	if err == nil && !held {
		err = fault.Errorf(fault.Denied, "this agent does not have the step whose token was shown")
	}
	return err
}
