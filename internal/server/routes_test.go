package server

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/kubernetestest"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestMain(m *testing.M) {
	process.Child()
	if filepath.Base(os.Args[0]) == "roadbed" || len(os.Args) > 1 && os.Args[1] == "git-credential" { // as a tool of a pipeline's steps, or of git
		os.Exit(crashTool(os.Args[1:]))
	}
	if filepath.Base(os.Args[0]) == stack.ToolInfracost {
		os.Exit(infracost(os.Args[1:]))
	}
	if args := os.Getenv(agentArgs); args != "" {
		os.Exit(crashTool(strings.Split(args, "\n")))
	}
	if data := os.Getenv(crashData); data != "" {
		os.Exit(crashServer(data))
	}
	if folder := kubernetestest.Folder(); folder != "" { // where a server finds kubectl
		if err := os.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
			panic(err)
		}
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
	lacktest.Programs()
	o := Defaults()
	o.Data, o.Download, o.AdminToken = t.TempDir(), false, "an-administrators-token-for-tests"
	o.Private = "127.0.0.0/8" // where the forges of tests are
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func openWith(t *testing.T, o Options) (*House, *httptest.Server) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	said := &warnings{}
	h, err := Open(ctx, o, "test", slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn})))
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
	if door, err = h.secureDoor(door); err != nil {
		t.Fatal(err)
	}
	inside := &httptest.Server{Listener: door, Config: &http.Server{Handler: h.DoorHandler()}}
	inside.Start()
	t.Cleanup(func() {
		server.Close()
		inside.Close()
		_ = os.Remove(filepath.Dir(h.door()))
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the house ended with %v", err)
		}
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		*h, server.Config.Handler, inside.Config.Handler = House{}, nil, nil // what cleans up is kept until all tests have ended
		if t.Failed() {
			t.Logf("the server warned of:\n%s", said.text)
		}
	})
	return h, server
}

// warnings are what a server says of trouble. Its last words are written before it is closed.
type warnings struct {
	mu   sync.Mutex
	text []byte
}

func (w *warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.text) < 64<<10 {
		w.text = append(w.text, p...)
	}
	return len(p), nil
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

// routes gives all operations that the API has, in the order of their paths.
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
	slices.SortFunc(all, func(a, b route) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method)) })
	return all
}

// filled puts values where the path has names; ids are those of a kind of things, by the path before them.
func filled(path string, ids map[string]string) string {
	head, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1/"), "/")
	id, name := ids[head], "none"
	if strings.Contains(path, "/comments/") {
		id = ids["comments"]
	}
	if head == "repositories" && strings.HasSuffix(path, "/restore") {
		name = "gone"
	}
	if id == "" {
		id = "run_00000000000000000000000000"
	}
	return strings.NewReplacer("{id}", id, "{namespace}", "default", "{name}", name, "{kind}", "component",
		"{agent}", "none", "{version}", "1.0.0", "{space}", "default", "{step}", cmp.Or(ids["steps"], "one"), "{number}", "1", "{commit}", ids["commits"]).Replace(path)
}

// queries are what routes need besides their path, about what furnish makes.
var queries = map[string]string{
	"listFacets": "?facet=kind", "getEntityGraph": "?root=component:default/none", "listChanges": "?from=2020-01-01T00:00:00Z",
	"readFile": "?path=trunk&ref=trunk", "signOutEverywhere": "?user=user:default/admin", "compare": "?base=trunk&head=feature",
	"deleteBranch": "?name=feature", "deleteTag": "?name=none", "searchFiles": "?text=trunk&ref=trunk", "blameFile": "?path=trunk&ref=trunk",
	"downloadFile": "?path=trunk&ref=trunk", "listTree": "?ref=trunk", "lastCommits": "?ref=trunk", "findFiles": "?ref=trunk",
	"downloadArchive": "?ref=trunk", "getCommit": "?ref=trunk", "diffCommit": "?ref=trunk", "listCommitProposals": "?ref=trunk",
	"listCommits": "?ref=trunk", "searchDocs": "?text=install", "search": "?facets=kind,type,owner,lifecycle,space,namespace", "downloadDocsFile": "?path=trunk",
	"getStateResource": "?address=terraform_data.one", "suggestEntity": "?target=/git/default/none",
}

// bodyOf gives a body that the schema accepts, so that the request comes as far as its rights.
func bodyOf(h *House, op *huma.Operation) string {
	if op.RequestBody == nil {
		return ""
	}
	content := op.RequestBody.Content["application/json"]
	if content == nil {
		return ""
	}
	body, err := json.Marshal(valueOf(h, "", content.Schema, 0))
	if err != nil {
		return ""
	}
	return string(body)
}

// fieldTexts are values for fields that are looked at before rights are asked.
var fieldTexts = map[string]string{
	"documents": "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x}, spec: {type: a, lifecycle: b, owner: c}}",
	"document":  waiting, "repository": "default/none", "commit": "trunk", "user": "user:default/admin", "owner": "user:default/admin", "path": "catalog-info.yaml",
	"refs": "component:default/none", "rego": "package roadbed.plan", "point": "plan", "space": "default",
	"addresses": "terraform_data.one",
}

func valueOf(h *House, name string, s *huma.Schema, depth int) any {
	if s.Ref != "" {
		s = h.API.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	switch {
	case fieldTexts[name] != "" && s.Type == huma.TypeString:
		return fieldTexts[name]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == huma.TypeString && s.Format == "date-time":
		return "2030-01-01T00:00:00Z"
	case s.Type == huma.TypeString:
		return "none"
	case s.Type == huma.TypeInteger || s.Type == huma.TypeNumber:
		return 1
	case s.Type == huma.TypeBoolean:
		return false
	case s.Type == huma.TypeArray && fieldTexts[name] != "":
		return []any{fieldTexts[name]}
	case s.Type == huma.TypeArray:
		return []any{}
	}
	object := map[string]any{}
	for field, property := range s.Properties {
		if slices.Contains(s.Required, field) || fieldTexts[field] != "" && depth == 0 {
			object[field] = valueOf(h, field, property, depth+1)
		}
	}
	return object
}

// empty tells whether an answer is a list of nothing, or counts to nothing.
func empty(body string) bool {
	var answer map[string]any
	return json.Unmarshal([]byte(body), &answer) == nil && hollow(answer)
}

// hollow tells whether a value of JSON is a zero, or holds nothing else.
func hollow(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, one := range v {
			if !hollow(one) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	}
	return v == nil || v == 0.0 || v == false || v == ""
}

// TestListsDontCountWhatTheReaderMayNotSee asks every list of a house that has something of each, and holds totals and
// facets to rights too.
func TestListsDontCountWhatTheReaderMayNotSee(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		nobody := person(t, h, "mallory")
		ids := furnish(t, h, server)
		seen, full := 0, 0
		for _, r := range routes(h) {
			id := r.op.OperationID
			if !strings.HasPrefix(id, "list") && id != "search" {
				continue
			}
			seen++
			if r.method != http.MethodGet {
				t.Errorf("%s is a %s", id, r.method)
			}
			path := filled(r.path, ids) + queries[id]
			code, body := do(t, server, r.method, path, h.Options.AdminToken, "")
			if code != http.StatusOK && (id != "listOffers" || code != http.StatusServiceUnavailable) { // of a forge that does not answer
				t.Errorf("GET %s answers the administrator with %d %.200s", path, code, body)
			}
			if code == http.StatusOK && !empty(body) {
				full++
			} else {
				t.Logf("GET %s lists nothing: %d %.200s", path, code, body)
			}
			if id == "listKinds" || id == "listPolicyPoints" || id == "listTokens" { // anybody's, and one's own
				continue
			}
			code, body = do(t, server, r.method, path, nobody, "")
			if code == http.StatusForbidden || code == http.StatusNotFound {
				continue
			}
			type counts []struct{ Count int }
			var list struct {
				Items  []json.RawMessage
				Total  int
				In     counts
				Facets map[string]counts
			}
			if err := json.Unmarshal([]byte(body), &list); err != nil || code != http.StatusOK || list.Items == nil {
				t.Errorf("GET %s answers a person without rights with %d %.300s", path, code, body)
			}
			counted := list.Total
			for _, all := range append(slices.Collect(maps.Values(list.Facets)), list.In) {
				for _, c := range all {
					counted += c.Count
				}
			}
			if len(list.Items) > 0 || counted > 0 {
				t.Errorf("GET %s tells a person without rights %.300s", path, body)
			}
		}
		t.Logf("%d of %d lists have something", full, seen)
		if seen < 40 || full < 30 {
			t.Errorf("%d lists were walked, of which %d have something", seen, full)
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
		"/healthz": "ok", "/readyz": "ok", "/metrics": `roadbed_jobs{state="dead"} 0`, "/openapi.json": `{"components":`, "/api/docs": "<h1>Roadbed API</h1>", "/": "<title>Roadbed",
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

// TestTheAPIDescribesItself holds the document of the API to what its readers need: each operation says what it is, what
// it needs and how it fails; lists are paged, what makes something can be repeated, and what changes something can be held
// to what was seen of it.
func TestTheAPIDescribesItself(t *testing.T) {
	h, server := open(t)
	operations := 0
	for path, item := range h.API.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op == nil {
				continue
			}
			operations++
			has := func(name string) bool {
				return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == name })
			}
			switch {
			case op.Summary == "" || !strings.Contains(op.Description, "Permission: "):
				t.Errorf("%s %s says neither what it is nor what it needs: %q %q", method, path, op.Summary, op.Description)
			case op.Responses["401"] == nil && op.Responses["default"] == nil:
				t.Errorf("%s %s does not say how it fails", method, path)
			case (method == "POST" || method == "PUT" || method == "DELETE") && op.OperationID != "signIn" && !has("Idempotency-Key"):
				t.Errorf("%s %s can't be repeated", method, path)
			case !(has("limit") && has("cursor")) && strings.HasPrefix(op.OperationID, "list") && !whole[op.OperationID]:
				t.Errorf("%s %s is a list without a cursor", method, path)
			case has("If-Match") != (op.Responses["412"] != nil):
				t.Errorf("%s %s takes If-Match: %v; tells of 412: %v", method, path, has("If-Match"), op.Responses["412"] != nil)
			}
			if _, free := unheld[op.OperationID]; (method == "PUT" || method == "PATCH" || method == "DELETE") && has("If-Match") == free {
				t.Errorf("%s %s takes If-Match: %v; as one that needs none it is listed: %v", method, path, has("If-Match"), free)
			}
		}
	}
	if operations < 70 {
		t.Errorf("only %d operations are described", operations)
	}
	for _, c := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "/api/v1/nothing", 404, "there is nothing at /api/v1/nothing; /api/docs on this server lists"}, {"PATCH", "/api/v1/runs", 405, "it takes GET, HEAD"},
		{"POST", "/api/v1/apply", 422, ""}, {"GET", "/api/v1/runs/run_x", 404, ""},
	} {
		request, err := http.NewRequest(c.method, server.URL+c.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+h.Options.AdminToken)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != c.code || answer.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(body), c.says) {
			t.Errorf("%s %s gives %s %s %s", c.method, c.path, answer.Status, answer.Header.Get("Content-Type"), body)
		}
	}
}

// whole are lists that are bounded by what they are of.
var whole = map[string]bool{"listFacets": true, "listTree": true}
