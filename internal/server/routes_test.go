package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestMain(m *testing.M) {
	process.Child()
	if filepath.Base(os.Args[0]) == "roadbed" { // as a tool of a pipeline's steps
		os.Exit(crashTool(os.Args[1:]))
	}
	if data := os.Getenv(crashData); data != "" {
		os.Exit(crashServer(data))
	}
	os.Exit(m.Run())
}

// open builds a house on a folder of the test's own, set up and with its actors running.
func open(t *testing.T) (*House, *httptest.Server) {
	t.Helper()
	return openWith(t, options(t))
}

// eachHouse tells a story of a house on each kind of database.
func eachHouse(t *testing.T, story func(t *testing.T, h *House, server *httptest.Server)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database = database
		h, server := openWith(t, o)
		story(t, h, server)
	})
}

func options(t *testing.T) Options {
	t.Helper()
	o := Defaults()
	o.Data, o.Download, o.AdminToken = t.TempDir(), false, "an-administrators-token-for-tests"
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func openWith(t *testing.T, o Options) (*House, *httptest.Server) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	h, err := Open(ctx, o, "test", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetUp(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	server := httptest.NewServer(h.Handler())
	if err := os.MkdirAll(filepath.Dir(h.door()), 0o700); err != nil {
		t.Fatal(err)
	}
	door, err := net.Listen("unix", h.door())
	if err != nil {
		t.Fatal(err)
	}
	inside := &httptest.Server{Listener: door, Config: &http.Server{Handler: h.DoorHandler()}}
	inside.Start()
	t.Cleanup(func() {
		server.Close()
		inside.Close()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the house ended with %v", err)
		}
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h, server
}

// person makes a user without any right and gives a token.
func person(t *testing.T, h *House, name string) string {
	t.Helper()
	ctx := actor.AsSystem(context.Background())
	docs, err := document.Parse("test", []byte("{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: "+name+"}, spec: {memberOf: []}}"), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Catalog.Apply(ctx, catalog.Apply{Space: access.Root, Source: "test:people", Documents: docs}); err != nil {
		t.Fatal(err)
	}
	_, secret, err := h.Identity.CreateToken(ctx, identity.NewToken{Principal: ref.New("user", "default", name), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func do(t *testing.T, server *httptest.Server, method, path, token, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	response, err := http.DefaultClient.Do(request.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	p := make([]byte, 4096)
	n, _ := io.ReadFull(response.Body, p) // the beginning is enough
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		stop()
	}
	return response.StatusCode, string(p[:n])
}

type route struct {
	method, path string
	op           *huma.Operation
}

func routes(h *House) []route {
	var all []route
	for path, item := range h.API.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodDelete: item.Delete, http.MethodPatch: item.Patch,
		} {
			if op != nil {
				all = append(all, route{method, path, op})
			}
		}
	}
	return all
}

// filled puts values where the path has names.
func filled(path string) string {
	return strings.NewReplacer("{id}", "run_00000000000000000000000000", "{namespace}", "default", "{name}", "none", "{kind}", "component",
		"{space}", "default", "{step}", "one").Replace(path)
}

// TestEveryRouteRefusesWithoutRights walks all that the API says it has.
func TestEveryRouteRefusesWithoutRights(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		nobody := person(t, h, "mallory")
		// What a person without any right may do: know of itself, and get lists that are empty.
		own := map[string]bool{"whoami": true, "getStatus": true, "signOut": true, "listTokens": true, "createToken": true, "listKinds": true,
			"createSignInLink": true, "lintWorkflow": true, "lintTemplate": true, "getHome": true}
		seen := 0
		for _, r := range routes(h) {
			if r.op.Metadata["public"] == true {
				continue
			}
			seen++
			path := filled(r.path)
			if code, body := do(t, server, r.method, path, "", ""); code != http.StatusUnauthorized {
				t.Errorf("%s %s answers nobody with %d %.200s", r.method, path, code, body)
			}
			if strings.HasSuffix(path, "/events") {
				continue
			}
			if r.method == http.MethodGet {
				if code, body := do(t, server, r.method, path, h.Options.AdminToken, ""); code >= 500 {
					t.Errorf("%s %s answers the administrator with %d %.300s", r.method, path, code, body)
				}
			}
			if own[r.op.OperationID] {
				continue
			}
			code, body := do(t, server, r.method, path, nobody, bodyOf(r.op))
			if code < 300 && !empty(body) {
				t.Errorf("%s %s answers a person without rights with %d %.300s", r.method, path, code, body)
			}
			if code >= 500 {
				t.Errorf("%s %s answers a person without rights with %d %.300s", r.method, path, code, body)
			}
		}
		if seen < 50 {
			t.Errorf("only %d routes were walked", seen)
		}
	})
}

// bodyOf gives a body that the schema accepts, as far as a guess goes.
func bodyOf(op *huma.Operation) string {
	if op.RequestBody == nil {
		return ""
	}
	return `{"code":"x","user":"user:default/admin","name":"none","documents":"{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x}, spec: {type: a, lifecycle: b, owner: c}}",` +
		`"repository":"default/none","values":{},"value":"x","revision":"x","point":"plan","rego":"package roadbed","kinds":[],"file":"x","document":"x","note":"x","type":"tracked"}`
}

// empty tells whether an answer is a list of nothing.
func empty(body string) bool {
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	return body == "" || json.NewDecoder(bytes.NewReader([]byte(body))).Decode(&list) == nil && len(list.Items) == 0 && strings.Contains(body, `"items"`)
}

// TestListsDontCountWhatTheReaderMayNotSee holds totals and facets to rights too.
func TestListsDontCountWhatTheReaderMayNotSee(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		nobody := person(t, h, "mallory")
		for _, path := range []string{"/api/v1/entities", "/api/v1/facets?facet=kind", "/api/v1/repositories", "/api/v1/runs", "/api/v1/stacks", "/api/v1/applications", "/api/v1/ledger", "/api/v1/spaces", "/api/v1/locations", "/api/v1/decisions"} {
			code, body := do(t, server, http.MethodGet, path, nobody, "")
			if code < 300 && (!empty(body) || strings.Contains(body, `"total":`) && !strings.Contains(body, `"total":0`)) {
				t.Errorf("GET %s tells a person without rights %.300s", path, body)
			}
			if code, body := do(t, server, http.MethodGet, path, h.Options.AdminToken, ""); code != http.StatusOK {
				t.Errorf("GET %s answers the administrator with %d %.200s", path, code, body)
			}
		}
		code, body := do(t, server, http.MethodGet, "/api/v1/entities", h.Options.AdminToken, "")
		if code != http.StatusOK || empty(body) {
			t.Errorf("the administrator sees no entity: %d %.200s", code, body)
		}
	})
}

// TestSessionsNeedTheirSecondProof holds changes from a browser to the CSRF token.
func TestSessionsNeedTheirSecondProof(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		code, err := h.Identity.SignInLink(actor.AsSystem(context.Background()), access.FirstAdmin())
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Post(server.URL+"/api/v1/session", "application/json", strings.NewReader(`{"code":"`+code+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var me struct{ CSRF string }
		if err := json.NewDecoder(response.Body).Decode(&me); err != nil || response.StatusCode != http.StatusOK || me.CSRF == "" {
			t.Fatalf("sign-in = %d, %v", response.StatusCode, err)
		}
		cookie := response.Cookies()[0]
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie = %+v", cookie)
		}
		send := func(method, csrf string) int {
			request, err := http.NewRequest(method, server.URL+"/api/v1/signin-links", strings.NewReader(`{"user":"user:default/admin"}`))
			if err != nil {
				t.Fatal(err)
			}
			if method == http.MethodGet {
				request.URL.Path = "/api/v1/whoami"
			}
			request.AddCookie(cookie)
			request.Header.Set("Content-Type", "application/json")
			if csrf != "" {
				request.Header.Set("X-CSRF-Token", csrf)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			return response.StatusCode
		}
		if got := send(http.MethodGet, ""); got != http.StatusOK {
			t.Errorf("reading with the cookie = %d", got)
		}
		if got := send(http.MethodPost, ""); got != http.StatusForbidden {
			t.Errorf("changing without the second proof = %d", got)
		}
		if got := send(http.MethodPost, "wrong"); got != http.StatusForbidden {
			t.Errorf("changing with a wrong proof = %d", got)
		}
		if got := send(http.MethodPost, me.CSRF); got >= 300 {
			t.Errorf("changing with the proof = %d", got)
		}
		again, err := http.Post(server.URL+"/api/v1/session", "application/json", strings.NewReader(`{"code":"`+code+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		again.Body.Close()
		if again.StatusCode != http.StatusUnauthorized {
			t.Errorf("the link works twice: %d", again.StatusCode)
		}
	})
}

// TestWhereThingsAre looks at what lies beside the API.
func TestWhereThingsAre(t *testing.T) {
	t.Parallel()
	h, server := open(t)
	for path, want := range map[string]string{
		"/healthz": "ok", "/readyz": "ok", "/metrics": `roadbed_jobs{state="dead"} 0`, "/openapi.json": `{"components":`, "/docs": "<h1>Roadbed API</h1>", "/": "<title>Roadbed",
	} {
		code, body := do(t, server, http.MethodGet, path, "", "")
		if path == "/metrics" { // what is counted comes after Go's own figures
			response, err := http.Get(server.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			data, _ := io.ReadAll(response.Body)
			response.Body.Close()
			body = string(data)
		}
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s = %d %.200s, want %s in it", path, code, body, want)
		}
	}
	if code, _ := do(t, server, http.MethodGet, "/api/state/default/none", "", ""); code != http.StatusUnauthorized {
		t.Errorf("a state answers nobody with %d", code)
	}
	if code, _ := do(t, server, http.MethodGet, "/v2/", "", ""); code != http.StatusUnauthorized {
		t.Errorf("the registry answers nobody with %d", code)
	}
	if code, _ := do(t, server, http.MethodGet, "/git/roadbed/golden-paths.git/info/refs?service=git-upload-pack", "", ""); code != http.StatusUnauthorized {
		t.Errorf("git answers nobody with %d", code)
	}
	key, err := os.Stat(filepath.Join(h.Options.Data, "keys", "age.key"))
	if err != nil || key.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", key.Mode(), err)
	}
}
