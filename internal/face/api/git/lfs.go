package git

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	machinery "github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const (
	lfsType      = "application/vnd.git-lfs+json"
	lfsPath      = "info/lfs/"
	lfsBody      = 1 << 20 // of a request
	lfsAtOnce    = 1000    // files of one batch
	lfsLinkTime  = 15 * time.Minute
	lfsObjectDir = lfsPath + "objects/"
)

// LargeFiles is what this face asks of core/repository for Git LFS.
type LargeFiles interface {
	Batch(ctx context.Context, fullName string, write bool, asked []machinery.Pointer) ([]repository.Large, error)
	PutLarge(ctx context.Context, fullName, oid string, size int64, content io.Reader) error
	OpenLarge(ctx context.Context, fullName, oid string) (io.ReadSeekCloser, int64, error)
	LargeAt(ctx context.Context, fullName string, content []byte) (machinery.Pointer, bool, error)
	LockFile(ctx context.Context, fullName, path, ref string) (repository.FileLock, error)
	UnlockFile(ctx context.Context, fullName, id string, force bool) (repository.FileLock, error)
	FileLocks(ctx context.Context, fullName string, q repository.FileLockQuery, part page.Request) (page.Of[repository.FileLock], error)
}

// lfs answers Git LFS: the batch API with basic transfers, the transfers, and locks.
func (h *Handler) lfs(w http.ResponseWriter, r *http.Request, name, path string) error {
	oid, isObject := strings.CutPrefix(path, lfsObjectDir)
	oid, isVerify := strings.CutSuffix(oid, "/verify")
	id, isUnlock := strings.CutPrefix(path, lfsPath+"locks/")
	id, ends := strings.CutSuffix(id, "/unlock")
	isUnlock = isUnlock && ends
	post := r.Method == http.MethodPost
	switch {
	case path == lfsObjectDir+"batch" && post:
		return h.batch(w, r, name)
	case isObject && isVerify && post:
		return h.verify(w, r, name, oid)
	case isObject && r.Method == http.MethodPut:
		body := io.Reader(http.NoBody)
		if r.ContentLength != 0 {
			body = machinery.PacedBody(w, r)
		}
		if err := h.Large.PutLarge(r.Context(), name, oid, r.ContentLength, body); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	case isObject && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return h.download(w, r, name, oid)
	case path == lfsPath+"locks" && post:
		return h.lock(w, r, name)
	case path == lfsPath+"locks" && r.Method == http.MethodGet:
		q := r.URL.Query()
		limit, _ := strconv.Atoi(q.Get("limit")) // what is no number is no wish
		return h.locks(w, r, name, repository.FileLockQuery{ID: q.Get("id"), Path: q.Get("path")}, page.Request{Cursor: q.Get("cursor"), Limit: limit}, false)
	case path == lfsPath+"locks/verify" && post:
		var in struct {
			Cursor string `json:"cursor"`
			Limit  int    `json:"limit"`
		}
		if err := readLFS(r, &in); err != nil {
			return err
		}
		return h.locks(w, r, name, repository.FileLockQuery{}, page.Request{Cursor: in.Cursor, Limit: in.Limit}, true)
	case isUnlock && post:
		var in struct {
			Force bool `json:"force"`
		}
		if err := readLFS(r, &in); err != nil {
			return err
		}
		l, err := h.Large.UnlockFile(r.Context(), name, id, in.Force)
		if err != nil {
			return err
		}
		return h.writeLock(w, r, http.StatusOK, l, "")
	}
	return fault.Errorf(fault.NotFound, "Git LFS has nothing at this address")
}

type lfsObject struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`

	Authenticated bool                 `json:"authenticated,omitempty"`
	Actions       map[string]lfsAction `json:"actions,omitempty"`
	Error         *lfsError            `json:"error,omitempty"`
}

type lfsAction struct {
	Href    string            `json:"href"`
	Header  map[string]string `json:"header,omitempty"`
	Expires int               `json:"expires_in,omitempty"`
}

type lfsError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// batch says where files are to be fetched from, or sent to.
func (h *Handler) batch(w http.ResponseWriter, r *http.Request, name string) error {
	var in struct {
		Operation string      `json:"operation"`
		Transfers []string    `json:"transfers"`
		Hash      string      `json:"hash_algo"`
		Objects   []lfsObject `json:"objects"`
	}
	if err := readLFS(r, &in); err != nil {
		return err
	}
	upload := in.Operation == "upload"
	switch {
	case !upload && in.Operation != "download":
		return fault.Errorf(fault.Invalid, "the operation %.100q is neither upload nor download", in.Operation)
	case in.Hash != "" && in.Hash != "sha256":
		return fault.Errorf(fault.Conflict, "files are known by sha256 here, not by %.100q", in.Hash)
	case len(in.Transfers) > 0 && !slices.Contains(in.Transfers, "basic"):
		return fault.Errorf(fault.Invalid, "files are transferred by basic only")
	case len(in.Objects) > lfsAtOnce:
		return fault.Errorf(fault.TooLarge, "a batch has at most %d files", lfsAtOnce)
	}
	asked := make([]machinery.Pointer, len(in.Objects))
	for i, o := range in.Objects {
		asked[i] = machinery.Pointer{OID: o.OID, Size: o.Size}
	}
	files, err := h.Large.Batch(r.Context(), name, upload, asked)
	if err != nil {
		return err
	}
	out := make([]lfsObject, len(files))
	for i, f := range files {
		o := lfsObject{OID: f.OID, Size: f.Size}
		switch {
		case f.Err != nil:
			o.Error = &lfsError{statusOf(fault.KindOf(f.Err)), fault.Message(f.Err)}
		case !upload:
			o.Actions, o.Authenticated = map[string]lfsAction{"download": h.action(r, name, http.MethodGet, f.OID)}, true
		case !f.Here:
			o.Actions = map[string]lfsAction{"upload": h.action(r, name, http.MethodPut, f.OID), "verify": h.action(r, name, http.MethodPost, f.OID+"/verify")}
			o.Authenticated = true
		}
		out[i] = o
	}
	return writeLFS(w, http.StatusOK, map[string]any{"transfer": "basic", "objects": out, "hash_algo": "sha256"})
}

// action gives an address with what opens it for a while.
func (h *Handler) action(r *http.Request, name, method, tail string) lfsAction {
	scheme := "http"
	if base, err := url.Parse(h.Base); r.TLS != nil || err == nil && base.Scheme == "https" && base.Host == r.Host {
		scheme = "https"
	}
	address := url.URL{Scheme: scheme, Host: r.Host, Path: "/git/" + name + ".git/" + lfsObjectDir + tail}
	a := lfsAction{Href: address.String()}
	if pass := h.pass(r, method, address.Path); pass != "" {
		a.Header, a.Expires = map[string]string{"Authorization": "Bearer " + pass}, int(lfsLinkTime.Seconds())
	}
	return a
}

// verify tells a client whether what it sent has come.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request, name, oid string) error {
	var in lfsObject
	if err := readLFS(r, &in); err != nil {
		return err
	}
	files, err := h.Large.Batch(r.Context(), name, true, []machinery.Pointer{{OID: oid, Size: in.Size}})
	switch {
	case err != nil:
		return err
	case in.OID != oid || !files[0].Here:
		return fault.Errorf(fault.NotFound, "the file %.100s of Git LFS has not come; push again", oid)
	case files[0].Size != in.Size:
		return fault.Errorf(fault.Invalid, "the file %s of Git LFS has %d bytes, not %d", oid, files[0].Size, in.Size)
	}
	return writeLFS(w, http.StatusOK, struct{}{})
}

func (h *Handler) download(w http.ResponseWriter, r *http.Request, name, oid string) error {
	content, _, err := h.Large.OpenLarge(r.Context(), name, oid)
	if err != nil {
		return err
	}
	defer content.Close()
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cache-Control", "private, no-cache")
	header.Set("ETag", `"`+oid+`"`)
	paced, done := machinery.Paced(w)
	defer done()
	http.ServeContent(paced, r, "", time.Time{}, content)
	return nil
}

// largeFile opens a file of Git LFS, and gives its beginning too.
func (h *Handler) largeFile(ctx context.Context, name, oid string) (content io.ReadSeekCloser, begin []byte, err error) {
	content, _, err = h.Large.OpenLarge(ctx, name, oid)
	if err != nil {
		return nil, nil, err
	}
	begin = make([]byte, sniffed)
	n, err := io.ReadFull(content, begin)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		_, err = content.Seek(0, io.SeekStart)
	}
	if err != nil {
		content.Close()
		return nil, nil, err
	}
	return content, begin[:n], nil
}

type lfsLock struct {
	ID     string            `json:"id"`
	Path   string            `json:"path"`
	Locked time.Time         `json:"locked_at"`
	Owner  map[string]string `json:"owner"`
}

func (h *Handler) lock(w http.ResponseWriter, r *http.Request, name string) error {
	var in struct {
		Path string `json:"path"`
		Ref  struct {
			Name string `json:"name"`
		} `json:"ref"`
	}
	if err := readLFS(r, &in); err != nil {
		return err
	}
	l, err := h.Large.LockFile(r.Context(), name, in.Path, in.Ref.Name)
	if fault.Is(err, fault.Conflict) && l.ID != "" {
		return h.writeLock(w, r, http.StatusConflict, l, fault.Message(err))
	}
	if err != nil {
		return err
	}
	return h.writeLock(w, r, http.StatusCreated, l, "")
}

func (h *Handler) writeLock(w http.ResponseWriter, r *http.Request, status int, l repository.FileLock, message string) error {
	wire, err := h.wireLocks(r.Context(), []repository.FileLock{l})
	if err != nil {
		return err
	}
	out := map[string]any{"lock": wire[0]}
	if message != "" {
		out["message"] = message
	}
	return writeLFS(w, status, out)
}

// locks gives locks; split, those of the caller and those of others.
func (h *Handler) locks(w http.ResponseWriter, r *http.Request, name string, q repository.FileLockQuery, part page.Request, split bool) error {
	list, err := h.Large.FileLocks(r.Context(), name, q, part)
	if err != nil {
		return err
	}
	wire, err := h.wireLocks(r.Context(), list.Items)
	if err != nil {
		return err
	}
	out := map[string]any{}
	if list.Next != "" {
		out["next_cursor"] = list.Next
	}
	if !split {
		out["locks"] = wire
		return writeLFS(w, http.StatusOK, out)
	}
	ours, theirs := []lfsLock{}, []lfsLock{}
	for i, l := range list.Items {
		if l.Owner == actor.From(r.Context()).ID {
			ours = append(ours, wire[i])
		} else {
			theirs = append(theirs, wire[i])
		}
	}
	out["ours"], out["theirs"] = ours, theirs
	return writeLFS(w, http.StatusOK, out)
}

func (h *Handler) wireLocks(ctx context.Context, locks []repository.FileLock) ([]lfsLock, error) {
	ids := make([]string, len(locks))
	for i, l := range locks {
		ids[i] = l.Owner
	}
	names, err := h.Names(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]lfsLock, len(locks))
	for i, l := range locks {
		out[i] = lfsLock{l.ID, l.Path, l.Created.UTC(), map[string]string{"name": names[l.Owner]}}
	}
	return out, nil
}

// readLFS reads the body of a request.
func readLFS(r *http.Request, into any) error {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != lfsType && media != "application/json" {
		return fault.Errorf(fault.Invalid, "the content type of this request is %s", lfsType)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, lfsBody))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return fault.Errorf(fault.TooLarge, "the body has at most %d bytes", lfsBody)
	}
	if err != nil {
		return fault.Errorf(fault.Canceled, "read the request: %w", err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fault.Errorf(fault.Invalid, "the body is not what Git LFS sends: %w", err)
	}
	return nil
}

func writeLFS(w http.ResponseWriter, status int, body any) error {
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(body); err != nil {
		return err
	}
	w.Header().Set("Content-Type", lfsType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a client that has gone
	return nil
}
