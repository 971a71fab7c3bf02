package backstage_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/face/api/backstage"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is the catalog's API over a catalog with real repositories. A token is token- and the name of who it is; token-system
// is the platform itself.
type bench struct {
	t            testing.TB
	url          string
	base         string
	catalog      *catalog.Service
	repositories *repository.Service
	queue        *queue.Queue
	described    *description
	handler      http.Handler
	ledger       *ledger.Ledger
}

const people = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: admins}, spec: {role: admin, subjects: ['user:default/adam']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: developers}, spec: {role: developer, subjects: ['user:default/alice']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: readers}, spec: {role: reader, subjects: ['user:default/rita']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lab-developers}, spec: {role: developer, space: lab, subjects: ['user:default/carol']}}
`

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	eachDB(t, func(t *testing.T, db *store.DB) { fn(t, setup(t, db)) })
}

func eachDB(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	storetest.Each(t, fn, rooms()...)
}

func rooms() []store.Migrations {
	return []store.Migrations{ledger.Migrations(), queue.Migrations(), access.Migrations(), identity.Migrations(), catalog.Migrations(), repository.Migrations()}
}

func setup(t testing.TB, db *store.DB) *bench { return serve(t, db, nil) }

// serve gives a server; one beside another has its repositories.
func serve(t testing.TB, db *store.DB, beside *bench) *bench {
	t.Helper()
	log := storetest.Log(t)
	l := ledger.New(db, time.Now, log)
	b := &bench{ledger: l, t: t, queue: queue.New(db, log), described: readDescription(t)}
	kinds := document.NewRegistry()
	rights := access.New(db, l, time.Now, log)
	for _, k := range access.Kinds(rights) {
		kinds.Register(k)
	}
	b.catalog = catalog.New(db, kinds, rights, l, b.queue, time.Now, log)
	program, err := git.New("", log)
	if err != nil {
		t.Fatal(err)
	}
	if beside != nil {
		b.repositories = beside.repositories
	} else if b.repositories, err = repository.New(db, rights, l, program, t.TempDir(), time.Now, log); err != nil {
		t.Fatal(err)
	}
	b.base = "https://roadbed.test"
	b.catalog.Read(b.repositories.Platform())
	b.catalog.Know(identity.New(db, rights, l, time.Now, log))
	b.catalog.Addresses(b.base)
	b.handler = backstage.New(b.catalog, b.repositories, authenticate, b.base+"/", log)
	server := httptest.NewServer(b.handler)
	t.Cleanup(func() {
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	b.url = server.URL + backstage.Prefix
	return b
}

func authenticate(_ context.Context, token string) (actor.Principal, error) {
	who, ok := strings.CutPrefix(token, "token-")
	switch {
	case !ok:
		return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "the token is not valid")
	case who == "system":
		return actor.From(actor.AsSystem(context.Background())), nil
	}
	return actor.From(accesstest.As(who)), nil
}

func (b *bench) apply(space, source, yaml string) {
	b.t.Helper()
	documents, err := document.Parse("test.yaml", []byte(yaml), document.Limits{})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.catalog.Apply(actor.AsSystem(b.t.Context()), catalog.Apply{Space: space, Source: source, Documents: documents}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) applyFile(name string) {
	b.t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		b.t.Fatal(err)
	}
	b.apply("default", "test", string(text))
}

// answer is what the API said.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	text   string
}

// ask sends a request, such as "GET /entities", as somebody; "" is nobody. A body is text, or a value to be written as JSON.
func (b *bench) ask(who, do string, body ...any) answer {
	b.t.Helper()
	method, path, _ := strings.Cut(do, " ")
	var content io.Reader
	sent := ""
	if len(body) > 0 {
		text, ok := body[0].(string)
		if !ok {
			data, err := json.Marshal(body[0])
			if err != nil {
				b.t.Fatal(err)
			}
			text = string(data)
		}
		content, sent = strings.NewReader(text), text
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, content)
	if err != nil {
		b.t.Fatal(err)
	}
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer token-"+who)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatalf("%s: %v", do, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatalf("%s: %v", do, err)
	}
	a := answer{b.t, response.StatusCode, response.Header, string(text)}
	selected := strings.Contains(do, "fields=") || strings.Contains(sent, `"fields":["`) // parts of entities are described nowhere
	if why := b.described.refuses(do, a); why != "" && !selected {
		b.t.Errorf("%s is not answered as Backstage describes it: %s: %s", do, why, text)
	}
	return a
}

// is wants a status.
func (a answer) is(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("status %d, want %d: %s", a.status, status, a.text)
	}
	return a
}

// fails wants an error in Backstage's form, with words in its message.
func (a answer) fails(status int, name string, words ...string) {
	a.t.Helper()
	var problem struct {
		Error    struct{ Name, Message string }
		Request  struct{ Method, URL string }
		Response struct{ StatusCode int }
	}
	a.is(status).read(&problem)
	if problem.Error.Name != name || problem.Response.StatusCode != status || problem.Request.Method == "" || !strings.HasPrefix(problem.Request.URL, "/") {
		a.t.Errorf("the error is %s", a.text)
	}
	for _, word := range words {
		if !strings.Contains(problem.Error.Message, word) {
			a.t.Errorf("%q is not in %q", word, problem.Error.Message)
		}
	}
}

func (a answer) read(into any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.text), into); err != nil {
		a.t.Fatalf("%v: %s", err, a.text)
	}
}

// entity is what the tests look at.
type entity struct {
	Kind     string
	Metadata struct {
		Name, Namespace, UID, Etag string
		Annotations                map[string]string
	}
	Relations []struct{ Type, TargetRef string }
	Status    struct {
		Items []struct {
			Type, Level, Message string
			Error                struct{ Name, Message string }
		}
	}
}

func names(list []*entity) string {
	var all []string
	for _, e := range list {
		if e == nil {
			all = append(all, "null")
			continue
		}
		all = append(all, e.Metadata.Name)
	}
	return strings.Join(all, " ")
}

// askWith is ask with a header Authorization of its own.
func (b *bench) askWith(do, authorization string) answer {
	b.t.Helper()
	method, path, _ := strings.Cut(do, " ")
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{b.t, response.StatusCode, response.Header, string(text)}
}
