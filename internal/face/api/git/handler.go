// Package git serves hosted repositories below /git/: NAMESPACE/NAME.git by git's smart HTTP protocol, as plain git
// clone and git push speak it, NAMESPACE/NAME/PATH as the file at the head of the default branch, and NAMESPACE/NAME,
// or a folder that ends in a slash, as the way to the repository's page in the portal. NAMESPACE/NAME.git/info/lfs/ is Git LFS.
//
// Who acts is told by the context, or else by the header Authorization: basic with any user name and a token as
// password (or the token as user name and no password), or bearer. A client that sends none is asked to.
package git

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	machinery "github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// fileLimit bounds a file that is shown, in bytes.
const fileLimit = 64 << 20

// Repositories is what this face asks of core/repository; each method asks for the rights of who acts in its context.
type Repositories interface {
	ServeGit(w http.ResponseWriter, r *http.Request, fullName, path string) error
	Resolve(ctx context.Context, fullName, rev string) (commit string, err error)
	ReadFile(ctx context.Context, fullName, rev, path string, limit int64) ([]byte, error)
	Moved(ctx context.Context, fullName string) (now string, err error)
}

// Handler serves what is below /git/; mount it there with the prefix kept.
type Handler struct {
	Repositories Repositories
	Large        LargeFiles
	Base         string // address by which people reach the server
	Seal         Sealer // of links to files of Git LFS; nil for none
	// Names gives how principals are shown, by id.
	Names func(ctx context.Context, ids []string) (map[string]string, error)
	// Authenticate gives who presents a token; Unauthenticated when nobody does.
	Authenticate func(ctx context.Context, token string) (actor.Principal, error)
	Log          *slog.Logger
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	ctx, err := h.authenticate(r)
	if err == nil {
		err = h.serve(w, r.WithContext(ctx))
	}
	if fault.Is(err, fault.NotFound) && h.follow(ctx, w, r) {
		return
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// follow leads whoever uses a former name of a repository to the one that it has now; git follows for a clone, a fetch and
// a push.
func (h *Handler) follow(ctx context.Context, w http.ResponseWriter, r *http.Request) bool {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/git/"), "/", 3)
	if len(parts) < 3 || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	now, err := h.Repositories.Moved(ctx, parts[0]+"/"+parts[1])
	if err != nil {
		return false
	}
	if strings.HasSuffix(parts[1], ".git") {
		now += ".git"
	}
	to := url.URL{Path: "/git/" + now + "/" + parts[2], RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
	return true
}

// serve tells git's requests from those for a file. A repository's address is taken with and without .git; only without
// it does it have files.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/git/"), "/", 3)
	whole := len(parts) == 2 || len(parts) == 3 && parts[2] == ""
	if whole && parts[0] != "" && parts[1] != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		page := url.URL{Path: "/repositories/" + parts[0] + "/" + strings.TrimSuffix(parts[1], ".git")}
		http.Redirect(w, r, page.String(), http.StatusFound)
		return nil
	}
	if len(parts) < 3 || !strings.HasPrefix(r.URL.Path, "/git/") {
		return fault.Errorf(fault.NotFound, "there is nothing at this address; clone /git/NAMESPACE/NAME.git, or read a file at /git/NAMESPACE/NAME/PATH")
	}
	name := parts[0] + "/" + parts[1]
	if strings.HasSuffix(parts[1], ".git") && strings.HasPrefix(parts[2], lfsPath) {
		return h.lfs(w, r, strings.TrimSuffix(name, ".git"), parts[2])
	}
	_, isGit := machinery.Wants(r, parts[2])
	if isGit {
		return h.Repositories.ServeGit(w, r, name, parts[2])
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are answered here", http.StatusMethodNotAllowed)
		return nil
	}
	if strings.HasSuffix(parts[1], ".git") {
		return fault.Errorf(fault.NotFound, "there is nothing at this address for a browser; use git 2.0 or newer")
	}
	if strings.HasSuffix(parts[2], "/") {
		query := url.Values{"path": {parts[2]}}
		if at := r.URL.Query().Get("ref"); at != "" {
			query.Set("ref", at)
		}
		page := url.URL{Path: "/repositories/" + name, RawQuery: query.Encode()}
		http.Redirect(w, r, page.String(), http.StatusFound)
		return nil
	}
	return h.file(w, r, name, parts[2])
}

// file answers with a file of the default branch, or of the branch, tag or commit in the query's ref.
func (h *Handler) file(w http.ResponseWriter, r *http.Request, name, file string) error {
	commit, err := h.Repositories.Resolve(r.Context(), name, r.URL.Query().Get("ref"))
	if err != nil {
		return err
	}
	content, err := h.Repositories.ReadFile(r.Context(), name, commit, file, fileLimit)
	if err != nil {
		return err
	}
	var shown io.ReadSeeker = bytes.NewReader(content)
	if large, ok, err := h.Large.LargeAt(r.Context(), name, content); err != nil {
		return err
	} else if ok {
		whole, begin, err := h.largeFile(r.Context(), name, large.OID)
		if err != nil {
			return err
		}
		defer whole.Close()
		shown, content = whole, begin
	}
	safe(w.Header(), file, content, false)
	w.Header().Set("ETag", `"`+commit+`"`)
	w.Header().Set("X-Roadbed-Commit", commit)
	paced, done := machinery.Paced(w)
	defer done()
	http.ServeContent(paced, r, "", time.Time{}, shown)
	return nil
}

// authenticate gives the request's context with who acts.
func (h *Handler) authenticate(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if actor.From(ctx).Kind != actor.Anonymous {
		return ctx, nil
	}
	if r.Header.Get("Authorization") == "" {
		return ctx, nil
	}
	token, scheme := tokenOf(r), strings.ToLower(r.Header.Get("Authorization"))
	if !strings.HasPrefix(scheme, "basic ") && !strings.HasPrefix(scheme, "bearer ") {
		return ctx, nil
	}
	p, err := h.admit(ctx, r, token)
	if err != nil {
		return nil, err
	}
	return actor.With(ctx, p), nil
}

// fail answers in plain text, which git shows to its user.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(fault.KindOf(err))
	if status == http.StatusUnauthorized && fault.IsForeign(err) { // git would forget credentials that are fine
		status = http.StatusFailedDependency
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="Roadbed: any user name, a token as password", charset="UTF-8"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	case http.StatusInternalServerError:
		h.Log.ErrorContext(r.Context(), "serve git", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	if strings.Contains(r.URL.Path, ".git/"+lfsPath) {
		if status == http.StatusUnauthorized {
			w.Header().Set("LFS-Authenticate", `Basic realm="Roadbed: any user name, a token as password", charset="UTF-8"`)
		}
		_ = writeLFS(w, status, lfsError{status, fault.Message(err)})
		return
	}
	http.Error(w, fault.Message(err), status)
}

func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Stale:
		return http.StatusPreconditionFailed
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Exhausted:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Canceled:
		return 499 // the client has gone
	}
	return http.StatusInternalServerError
}
