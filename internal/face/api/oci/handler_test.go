package oci_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	face "github.com/roadbed-dev/roadbed/internal/face/api/oci"
	registry "github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// house is a registry with two people: "writer" may do all in team/, "reader" may only pull from team/shop.
type house struct {
	host string
	http *http.Client
}

func setup(t *testing.T) house {
	t.Helper()
	r, err := registry.Open(t.TempDir(), registry.Options{MaxBlob: 10 << 20})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&face.Handler{
		Registry: r,
		Authenticate: func(_ context.Context, token string) (actor.Principal, error) {
			if token != "writer" && token != "reader" {
				return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "the token is not valid")
			}
			return actor.Principal{ID: token, Kind: actor.User}, nil
		},
		Authorize: func(ctx context.Context, action, repository string) (string, error) {
			who := actor.From(ctx).ID
			switch {
			case who == "":
				return "", fault.Errorf(fault.Unauthenticated, "sign in")
			case who == "writer" && strings.HasPrefix(repository, "team/"), who == "reader" && repository == "team/shop" && action == face.Pull:
				return "kept/" + repository, nil
			}
			return "", fault.Errorf(fault.Denied, "no right to %s %s", action, repository)
		},
	})
	t.Cleanup(func() { server.Close(); r.Close() })
	return house{strings.TrimPrefix(server.URL, "http://"), server.Client()}
}

// do sends one request as who and gives the answer with its body read.
func (h house) do(t *testing.T, who, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+h.host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if who != "" {
		req.SetBasicAuth("anyone", who)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := h.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(content), "kept/") || strings.Contains(resp.Header.Get("Location"), "kept/") {
		t.Errorf("%s %s tells what the registry calls the repository: %v %s", method, path, resp.Header, content)
	}
	return resp, string(content)
}

func (h house) reference(t *testing.T, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(h.host+"/"+s, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func as(who string) remote.Option {
	return remote.WithAuth(&authn.Basic{Username: "anyone", Password: who})
}

func TestPackPushPullUnpack(t *testing.T) {
	t.Parallel()
	h, dir := setup(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app"), []byte("a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	image, err := registry.Pack(t.Context(), registry.PackOptions{
		Files: []registry.PackFile{{Source: filepath.Join(dir, "app"), Path: "/app"}}, Entrypoint: []string{"/app"},
		Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
	})
	if err != nil {
		t.Fatal(err)
	}
	writer := registry.Remote{Host: h.host, PlainHTTP: true, User: "anyone", Password: "writer"}
	d, err := writer.Push(t.Context(), image, "registry.local/team/shop:v1")
	if err != nil {
		t.Fatal(err)
	}
	reader := registry.Remote{Host: h.host, PlainHTTP: true, User: "x", Password: "reader"}
	pulled, err := reader.Pull(t.Context(), "registry.local/team/shop@"+string(d), nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := registry.Unpack(t.Context(), pulled, filepath.Join(dir, "root"), registry.UnpackLimits{})
	if err != nil || config.Digest != d {
		t.Fatalf("unpack: %+v, %v; want digest %s", config, err, d)
	}
	content, err := os.ReadFile(filepath.Join(dir, "root", "app"))
	if err != nil || string(content) != "a program" {
		t.Errorf("the program is %q, %v", content, err)
	}
	for what, c := range map[string]struct {
		remote registry.Remote
		ref    string
		want   fault.Kind
	}{
		"a reader":        {reader, "registry.local/team/shop:v2", fault.Denied},
		"nobody":          {registry.Remote{Host: h.host, PlainHTTP: true}, "registry.local/team/shop:v2", fault.Unauthenticated},
		"a wrong token":   {registry.Remote{Host: h.host, PlainHTTP: true, User: "a", Password: "b"}, "registry.local/team/shop:v2", fault.Unauthenticated},
		"elsewhere":       {writer, "registry.local/other/shop:v2", fault.Denied},
		"a bad reference": {writer, "registry.local/Team/shop:v2", fault.Invalid},
		"nothing answers": {registry.Remote{Host: "127.0.0.1:1", PlainHTTP: true}, "registry.local/team/shop:v2", fault.Unavailable},
	} {
		if _, err := c.remote.Push(t.Context(), image, c.ref); !fault.Is(err, c.want) {
			t.Errorf("push by %s: %v, want %v", what, err, c.want)
		}
	}
	if _, err := reader.Pull(t.Context(), "registry.local/team/shop:none", nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("pull of nothing: %v, want not found", err)
	}
}

func TestAClientPushesIndexesMountsAndReferrers(t *testing.T) {
	t.Parallel()
	h := setup(t)
	index, err := random.Index(2000, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	ref := h.reference(t, "team/multi:v1")
	if err := remote.WriteIndex(ref, index, as("writer")); err != nil {
		t.Fatal(err)
	}
	back, err := remote.Index(ref, as("writer"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(back); err != nil {
		t.Errorf("the index that came back: %v", err)
	}

	image, err := random.Image(5000, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(h.reference(t, "team/shop:v1"), image, as("writer")); err != nil {
		t.Fatal(err)
	}
	stored, err := remote.Image(h.reference(t, "team/shop:v1"), as("writer"))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(h.reference(t, "team/copy:v1"), stored, as("writer")); err != nil { // mounts its layers
		t.Fatal(err)
	}
	copied, err := remote.Image(h.reference(t, "team/copy:v1"), as("writer"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(copied); err != nil {
		t.Errorf("the copy: %v", err)
	}

	subject, err := remote.Head(h.reference(t, "team/shop:v1"), as("writer"))
	if err != nil {
		t.Fatal(err)
	}
	signature := mutate.Subject(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/x-signature"), *subject).(v1.Image)
	if err := remote.Write(h.reference(t, "team/shop:signature"), signature, as("writer")); err != nil {
		t.Fatal(err)
	}
	found, err := remote.Referrers(h.reference(t, "team/shop@"+subject.Digest.String()).(name.Digest), as("reader"))
	if err != nil {
		t.Fatal(err)
	}
	listed, err := found.IndexManifest()
	if err != nil || len(listed.Manifests) != 1 || listed.Manifests[0].ArtifactType != "application/x-signature" {
		t.Errorf("referrers = %+v, %v", listed, err)
	}
	tags, err := remote.List(h.reference(t, "team/shop").Context(), as("reader"), remote.WithPageSize(1))
	if err != nil || strings.Join(tags, " ") != "signature v1" {
		t.Errorf("tags = %v, %v", tags, err)
	}
	if err := remote.Delete(h.reference(t, "team/shop:v1"), as("reader")); err == nil {
		t.Error("a reader deleted a tag")
	}
	if err := remote.Delete(h.reference(t, "team/shop@"+subject.Digest.String()), as("writer")); err != nil {
		t.Error(err)
	}
	if _, err := remote.Head(h.reference(t, "team/shop:v1"), as("writer")); err == nil {
		t.Error("the tag outlived its manifest")
	}
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TestTheProtocol walks through what the distribution specification asks for, request by request.
func TestTheProtocol(t *testing.T) {
	t.Parallel()
	h := setup(t)
	blob := "hello world"
	expect := func(what string, resp *http.Response, status int, code, body string) {
		t.Helper()
		if resp.StatusCode != status {
			t.Errorf("%s: status %d, want %d: %s", what, resp.StatusCode, status, body)
		}
		if code == "" {
			return
		}
		var e struct{ Errors []struct{ Code string } }
		if err := json.Unmarshal([]byte(body), &e); err != nil || len(e.Errors) == 0 || e.Errors[0].Code != code {
			t.Errorf("%s: body %q, want code %s", what, body, code)
		}
	}
	resp, body := h.do(t, "", "GET", "/v2/", "")
	expect("greeting of nobody", resp, 401, "UNAUTHORIZED", body)
	if !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("challenge = %q", resp.Header.Get("WWW-Authenticate"))
	}
	resp, body = h.do(t, "reader", "GET", "/v2/", "")
	expect("greeting", resp, 200, "", body)
	resp, body = h.do(t, "", "GET", "/v2/team/shop/tags/list", "")
	expect("tags of nobody", resp, 401, "UNAUTHORIZED", body)
	resp, body = h.do(t, "writer", "GET", "/v2/team/shop/tags/list", "")
	expect("tags of no repository", resp, 404, "NAME_UNKNOWN", body)
	resp, body = h.do(t, "writer", "GET", "/v2/_catalog", "")
	expect("catalog", resp, 404, "UNSUPPORTED", body)
	resp, body = h.do(t, "writer", "GET", "/v2/Team/shop/tags/list", "")
	expect("bad name", resp, 400, "NAME_INVALID", body)
	resp, body = h.do(t, "writer", "GET", "/v2/team/shop/blobs/"+hash(blob), "")
	expect("no blob", resp, 404, "BLOB_UNKNOWN", body)
	resp, body = h.do(t, "writer", "GET", "/v2/team/shop/blobs/md5:abc", "")
	expect("bad digest", resp, 400, "DIGEST_INVALID", body)
	resp, body = h.do(t, "reader", "POST", "/v2/team/shop/blobs/uploads/", "")
	expect("upload by a reader", resp, 403, "DENIED", body)
	resp, body = h.do(t, "writer", "PUT", "/v2/team/shop/tags/list", "")
	expect("method", resp, 405, "UNSUPPORTED", body)

	// One request.
	resp, body = h.do(t, "writer", "POST", "/v2/team/shop/blobs/uploads/?digest="+hash("x"), "y")
	expect("one request, wrong digest", resp, 400, "DIGEST_INVALID", body)
	resp, body = h.do(t, "writer", "POST", "/v2/team/shop/blobs/uploads/?digest="+hash("x"), "x")
	expect("one request", resp, 201, "", body)
	if resp.Header.Get("Docker-Content-Digest") != hash("x") || resp.Header.Get("Location") != "/v2/team/shop/blobs/"+hash("x") {
		t.Errorf("headers = %v", resp.Header)
	}

	// Chunks.
	resp, body = h.do(t, "writer", "POST", "/v2/team/shop/blobs/uploads", "")
	expect("start", resp, 202, "", body)
	at := resp.Header.Get("Location")
	resp, body = h.do(t, "writer", "PATCH", at, blob[:5], "Content-Range", "0-4")
	expect("first chunk", resp, 202, "", body)
	if got := resp.Header.Get("Range"); got != "0-4" {
		t.Errorf("range = %q, want 0-4", got)
	}
	resp, body = h.do(t, "writer", "PATCH", at, blob[7:], "Content-Range", "7-10")
	expect("a gap", resp, 416, "BLOB_UPLOAD_INVALID", body)
	if got := resp.Header.Get("Range"); got != "0-4" {
		t.Errorf("range after a gap = %q, want 0-4", got)
	}
	resp, body = h.do(t, "writer", "PATCH", at, blob[5:], "Content-Range", "5-99")
	expect("a range of another length", resp, 400, "BLOB_UPLOAD_INVALID", body)
	resp, body = h.do(t, "writer", "GET", at, "")
	expect("state", resp, 204, "", body)
	resp, body = h.do(t, "writer", "PUT", at, "", "Content-Range", "x")
	expect("finish without digest", resp, 400, "DIGEST_INVALID", body)
	resp, body = h.do(t, "writer", "PUT", at+"?digest="+hash(blob), blob[7:], "Content-Range", "7-10")
	expect("a gap at the end", resp, 416, "BLOB_UPLOAD_INVALID", body)
	if got := resp.Header.Get("Range"); got != "0-4" {
		t.Errorf("after a gap at the end the range is %q", got)
	}
	resp, body = h.do(t, "writer", "PUT", at+"?digest="+hash(blob), blob[5:], "Content-Range", "5-10")
	expect("finish", resp, 201, "", body)
	resp, body = h.do(t, "writer", "GET", at, "")
	expect("the finished upload", resp, 404, "BLOB_UPLOAD_UNKNOWN", body)
	resp, body = h.do(t, "reader", "GET", "/v2/team/shop/blobs/"+hash(blob), "", "Range", "bytes=6-")
	expect("part of a blob", resp, 206, "", body)
	if body != "world" {
		t.Errorf("part = %q", body)
	}
	resp, body = h.do(t, "reader", "HEAD", "/v2/team/shop/blobs/"+hash(blob), "")
	expect("head", resp, 200, "", body)
	if resp.ContentLength != int64(len(blob)) {
		t.Errorf("length = %d", resp.ContentLength)
	}

	// Cancelled, and too large.
	resp, _ = h.do(t, "writer", "POST", "/v2/team/shop/blobs/uploads/", "")
	resp, body = h.do(t, "writer", "DELETE", resp.Header.Get("Location"), "")
	expect("cancel", resp, 204, "", body)
	resp, _ = h.do(t, "writer", "POST", "/v2/team/shop/blobs/uploads/", "")
	resp, body = h.do(t, "writer", "PATCH", resp.Header.Get("Location"), string(bytes.Repeat([]byte("x"), 11<<20)))
	expect("too large", resp, 413, "SIZE_INVALID", body)

	// Mounts from where the caller may not pull become uploads.
	resp, body = h.do(t, "writer", "POST", "/v2/team/two/blobs/uploads/?mount="+hash(blob)+"&from=team/shop", "")
	expect("mount", resp, 201, "", body)
	resp, body = h.do(t, "writer", "POST", "/v2/team/two/blobs/uploads/?mount="+hash(blob)+"&from=other/shop", "")
	expect("mount from elsewhere", resp, 202, "", body)

	// Manifests.
	resp, body = h.do(t, "writer", "PUT", "/v2/team/shop/manifests/v1", "{", "Content-Type", registry.TypeImage)
	expect("bad manifest", resp, 400, "MANIFEST_INVALID", body)
	missing := `{"schemaVersion":2,"config":{"digest":"` + hash("config") + `"},"layers":[]}`
	resp, body = h.do(t, "writer", "PUT", "/v2/team/shop/manifests/v1", missing, "Content-Type", registry.TypeImage)
	expect("missing config", resp, 400, "MANIFEST_BLOB_UNKNOWN", body)
	good := `{"schemaVersion":2,"config":{"digest":"` + hash(blob) + `"},"layers":[]}`
	resp, body = h.do(t, "reader", "PUT", "/v2/team/shop/manifests/v1", good, "Content-Type", registry.TypeImage)
	expect("manifest by a reader", resp, 403, "DENIED", body)
	resp, body = h.do(t, "writer", "PUT", "/v2/team/shop/manifests/v1", good, "Content-Type", registry.TypeImage)
	expect("manifest", resp, 201, "", body)
	resp, body = h.do(t, "reader", "GET", "/v2/team/shop/manifests/v1", "")
	expect("get manifest", resp, 200, "", body)
	if body != good || resp.Header.Get("Content-Type") != registry.TypeImage || resp.Header.Get("Docker-Content-Digest") != hash(good) {
		t.Errorf("manifest %q with %v", body, resp.Header)
	}
	resp, body = h.do(t, "reader", "GET", "/v2/team/shop/manifests/none", "")
	expect("no manifest", resp, 404, "MANIFEST_UNKNOWN", body)
	resp, body = h.do(t, "reader", "DELETE", "/v2/team/shop/manifests/v1", "")
	expect("delete by a reader", resp, 403, "DENIED", body)
	resp, body = h.do(t, "writer", "DELETE", "/v2/team/shop/manifests/v1", "")
	expect("delete a tag", resp, 202, "", body)
	resp, body = h.do(t, "writer", "GET", "/v2/team/shop/tags/list?n=x", "")
	expect("bad page", resp, 400, "PAGINATION_NUMBER_INVALID", body)
}

// FuzzPath sends any path and method as someone with no right at all: nothing may be answered but a refusal.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"/v2/a/blobs/uploads/x", "/v2/a/manifests/v1", "/v2/a/tags/list", "/v2/", "/v2/blobs/uploads/blobs/x", "/v2/a/manifests/manifests/x", "/v2//blobs/"} {
		for _, m := range []string{"GET", "PUT", "POST", "PATCH", "DELETE", "HEAD"} {
			f.Add(m, p)
		}
	}
	r, err := registry.Open(f.TempDir(), registry.Options{})
	if err != nil {
		f.Fatal(err)
	}
	handler := &face.Handler{
		Registry: r,
		Authenticate: func(context.Context, string) (actor.Principal, error) {
			return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "no")
		},
		Authorize: func(context.Context, string, string) (string, error) { return "", fault.Errorf(fault.Denied, "no") },
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		req := httptest.NewRequest("GET", "/", nil)
		req.Method, req.URL.Path = method, path
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code < 400 || w.Code >= 500 {
			t.Errorf("%s %q: status %d", method, path, w.Code)
		}
	})
}

// While one request writes to an upload nobody can be told where to go on.
func TestAnUploadHasOneWriter(t *testing.T) {
	t.Parallel()
	h := setup(t)
	resp, body := h.do(t, "writer", "POST", "/v2/team/shop/blobs/uploads/", "")
	if resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp.Status, body)
	}
	at := resp.Header.Get("Location")

	// The server asks for the body of a request once it writes to the upload.
	rest, more := io.Pipe()
	defer more.Close()
	writes, done := make(chan struct{}), make(chan error, 1)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { close(writes); return nil },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, "http://"+h.host+at, rest)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("anyone", "writer")
	req.Header.Set("Expect", "100-continue")
	go func() {
		resp, err := h.http.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted || resp.Header.Get("Range") != "0-4" {
				err = fault.Errorf(fault.Internal, "%s, %v", resp.Status, resp.Header)
			}
		}
		done <- err
	}()
	select {
	case <-writes:
	case err := <-done:
		t.Fatalf("the first writer: %v", err)
	}

	for _, method := range []string{"PATCH", "PUT", "GET"} {
		address := at
		if method == "PUT" {
			address += "?digest=sha256:" + strings.Repeat("0", 64)
		}
		resp, body := h.do(t, "writer", method, address, "")
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Range") != "" || !strings.Contains(body, "TOOMANYREQUESTS") {
			t.Errorf("%s beside another writer: %s, range %q, %s", method, resp.Status, resp.Header.Get("Range"), body)
		}
	}
	if _, err := io.WriteString(more, "hello"); err != nil {
		t.Fatal(err)
	}
	more.Close()
	if err := <-done; err != nil {
		t.Errorf("the first writer: %v", err)
	}
}
