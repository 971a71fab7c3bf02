package remote

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// awaits is how long a request of a step waits for a server that can't be reached, before it is answered 502.
const awaits = 60 * time.Second

// Door gives what serves steps the platform's API: it hands their requests to the server, each with the step's own token.
// A server that can't be reached is waited for, as nothing of the request has been sent then.
func (h *Hub) Door() (http.Handler, error) {
	server, err := url.Parse(h.o.Server)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = server.Scheme, server.Host, ""
			r.Out.URL.Path = Prefix + "door" + r.In.URL.Path
			if r.In.URL.RawPath != "" {
				r.Out.URL.RawPath = Prefix + "door" + r.In.URL.RawPath
			}
			r.Out.Header.Set(HeaderName, h.o.Hello.Name)
			r.Out.Header.Set(HeaderLife, h.life)
			r.Out.Header.Del(HeaderToken)
			if token, err := h.o.Token(); err == nil {
				r.Out.Header.Set(HeaderToken, token)
			}
		},
		Transport:     waiting{h.o.HTTP},
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(h.o.Log.Handler(), slog.LevelDebug),
		ModifyResponse: func(r *http.Response) error {
			r.Header.Del(HeaderToken)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				h.o.Log.Warn("a step does not reach the server", "error", err)
			}
			http.Error(w, "the agent does not reach the server: "+strings.TrimSpace(err.Error()), http.StatusBadGateway)
		},
	}, nil
}

// waiting tries again what could not be sent at all.
type waiting struct{ http.RoundTripper }

func (t waiting) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		try := r.Clone(r.Context())
		if r.Body != nil && r.Body != http.NoBody {
			try.Body = kept{r.Body}
		}
		answer, err := t.RoundTripper.RoundTrip(try)
		if err == nil || !unsent(err) || time.Since(began)+pause > awaits {
			return answer, err
		}
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// kept is a body that a failed attempt does not close.
type kept struct{ io.Reader }

func (kept) Close() error { return nil }

func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && !errors.Is(err, context.Canceled)
}
