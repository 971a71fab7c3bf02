package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// town is who works with a server that is killed, and what they were told is done.
type town struct {
	address           string
	dir               string // of clones
	admin, alice, bob *client.Client
	retries           atomic.Int64
	backs             chan struct{} // told when a sync begins that will be rolled back, once somebody listens
	listens           atomic.Bool
	tell              func(format string, args ...any)

	mu    sync.Mutex
	built []service
}

// service is a finished main job.
type service struct {
	name   string
	runs   map[string]string // run by what it is for
	good   string            // the platform's commit that is deployed since the second was
	answer string            // of the second
}

const townTeam = "crew"

const townPeople = `{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: crew}, spec: {type: team, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: alice}, spec: {memberOf: [crew]}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: bob}, spec: {memberOf: [crew]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: crew-develops}, spec: {role: developer, space: default, subjects: ["group:default/crew"]}}
`

// found makes the people and the golden path, before the killing begins.
func (v *victim) found(t *testing.T) *town {
	t.Helper()
	base := "http://" + v.address
	w := &town{address: v.address, dir: t.TempDir(), admin: client.New(base, crashToken), backs: make(chan struct{}, lanes), tell: t.Logf}
	if _, err := client.Post[client.List[client.Applied]](t.Context(), w.admin, "/apply", map[string]any{"documents": townPeople, "source": "people"}); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]**client.Client{"alice": &w.alice, "bob": &w.bob} {
		token, err := client.Post[client.NewToken](t.Context(), w.admin, "/tokens", map[string]any{"name": "test", "owner": "user:default/" + name})
		if err != nil {
			t.Fatal(err)
		}
		*to = client.New(base, token.Secret)
	}
	if _, err := client.Post[client.Repository](t.Context(), w.admin, "/repositories", map[string]string{"namespace": "town", "name": "paths"}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(w.dir, "paths")
	writeLightPath(t, dir, v.light.service)
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"commit", "--quiet", "--message", "a light path"},
		{"push", "--quiet", base + "/git/town/paths.git", "main"},
	} {
		if _, err := w.git(t.Context(), w.admin, dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	l, err := client.Post[client.Location](t.Context(), w.admin, "/locations", map[string]string{"repository": "town/paths", "path": "template.yaml"})
	if err != nil || l.Error != "" {
		t.Fatal(err, l.Error)
	}
	return w
}

func (w *town) git(ctx context.Context, who *client.Client, dir string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "git", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader",
		"GIT_CONFIG_VALUE_0=Authorization: Bearer "+who.Token, "GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@example.com",
		"GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com")
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// insist repeats a request until the server, which is killed now and then, has answered it.
func insist[T any](ctx context.Context, ask func() (T, error)) (out T, err error) {
	waiting := eventually(ctx, func() (bool, error) {
		var decided *fault.Error
		out, err = ask()
		if err != nil && (!errors.As(err, &decided) || fault.Is(err, fault.Unavailable)) {
			return false, nil
		}
		return true, nil
	})
	if waiting != nil {
		err = fmt.Errorf("%w; the last answer: %w", waiting, err)
	}
	return out, err
}

func (w *town) run(ctx context.Context, id string) (client.RunDetail, error) {
	return insist(ctx, func() (client.RunDetail, error) { return client.Get[client.RunDetail](ctx, w.alice, "/runs/"+id, nil) })
}

// post does something to a run. A Conflict says that it was done, or has become impossible: the run tells.
func (w *town) post(ctx context.Context, who *client.Client, id, verb string) error {
	_, err := insist(ctx, func() (client.RunDetail, error) {
		return client.Post[client.RunDetail](ctx, who, "/runs/"+id+"/"+verb, nil)
	})
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// settle follows a run to its good end: Bob confirms what waits, and Alice retries what had lost a step.
func (w *town) settle(ctx context.Context, id, good string) error {
	var last client.RunDetail
	err := eventually(ctx, func() (bool, error) {
		var err error
		if last, err = w.run(ctx, id); err != nil {
			return false, err
		}
		switch {
		case last.Terminal && last.State == good:
			w.tell("%s %s run %s is %s", time.Now().Format("04:05.000"), last.Kind, id, good)
			return true, nil
		case last.Terminal && strings.Contains(last.Reason, "was lost"):
			w.retries.Add(1)
			return false, w.post(ctx, w.alice, id, "retry")
		case last.Terminal:
			return false, fmt.Errorf("%s run %s ended as %s: %s\n%s", last.Kind, id, last.State, last.Reason, w.logs(ctx, last))
		case last.Waiting:
			return false, w.post(ctx, w.bob, id, "confirm")
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("%w; %s run %s is %s: %s; steps %s", err, last.Kind, id, last.State, last.Reason, steps(last))
	}
	return nil
}

func steps(r client.RunDetail) string {
	var b strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "[%s %s attempt %d %s]", s.Key, s.State, s.Attempt, s.Reason)
	}
	return b.String()
}

// logs gives what failed steps wrote.
func (w *town) logs(ctx context.Context, r client.RunDetail) string {
	var b strings.Builder
	for _, s := range r.Steps {
		if s.State != "failed" {
			continue
		}
		var log []byte
		_, err := insist(ctx, func() (any, error) {
			return nil, w.alice.Do(ctx, "GET", "/runs/"+r.ID+"/steps/"+s.ID+"/log", nil, nil, &log)
		})
		fmt.Fprintf(&b, "--- %s: %s (%v)\n", s.Key, log, err)
	}
	return b.String()
}

// find waits for the one run of a kind at a commit.
func (w *town) find(ctx context.Context, kind, subject, commit string) (string, error) {
	id := ""
	err := eventually(ctx, func() (bool, error) {
		page, err := insist(ctx, func() (client.List[client.Run], error) {
			return client.Get[client.List[client.Run]](ctx, w.alice, "/runs", url.Values{"kind": {kind}, "subject": {subject}, "commit": {commit}})
		})
		if err != nil || len(page.Items) == 0 {
			return false, err
		}
		if len(page.Items) > 1 {
			return false, fmt.Errorf("commit %.8s has %d runs of kind %s", commit, len(page.Items), kind)
		}
		id = page.Items[0].ID
		return true, nil
	})
	if err != nil {
		return "", fmt.Errorf("a run of kind %s for %s at %.8s: %w", kind, subject, commit, err)
	}
	return id, nil
}

// findAbove waits for the run of a stack at a commit, or at one of the platform on top of it: a look at the branch that
// came late, because it had to be repeated, finds that one at its head.
func (w *town) findAbove(ctx context.Context, kind, subject, commit string) (id string, err error) {
	name := strings.TrimSuffix(strings.TrimPrefix(subject, "stack:default/"), "-infra")
	err = eventually(ctx, func() (bool, error) {
		page, err := insist(ctx, func() (client.List[client.Run], error) {
			return client.Get[client.List[client.Run]](ctx, w.alice, "/runs", url.Values{"kind": {kind}, "subject": {subject}})
		})
		if err != nil || len(page.Items) == 0 {
			return false, err
		}
		newest := page.Items[0]
		if newest.Source.Commit != commit {
			dir := filepath.Join(w.dir, name)
			if _, err := w.git(ctx, w.alice, dir, "fetch", "--quiet"); err != nil {
				return false, nil // the server is away
			}
			if _, err := w.git(ctx, w.alice, dir, "merge-base", "--is-ancestor", commit, newest.Source.Commit); err != nil {
				return false, nil
			}
		}
		id = newest.ID
		return true, nil
	})
	return id, err
}

// keyed marks requests as one and the same, however often they are sent.
type keyed struct{ key string }

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Idempotency-Key", k.key)
	return http.DefaultTransport.RoundTrip(r)
}

// await waits until the ledger has so many entries more, or for as long as that.
func (w *town) await(ctx context.Context, entries int, limit time.Duration) {
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	_ = w.admin.Follow(ctx, "/ledger/events", nil, func(client.Event) (bool, error) { // its end is as good as its result
		entries--
		return entries <= 0, nil
	})
}

// mainJob goes from the golden path to a service whose second commit is live, also after a third whose health does not
// come.
func (w *town) mainJob(ctx context.Context, name string) error {
	s := service{name: name, runs: map[string]string{}}
	api := *w.alice
	api.HTTP = &http.Client{Transport: keyed{"golden-path-" + name}}
	made, err := insist(ctx, func() (client.RunDetail, error) {
		return client.Post[client.RunDetail](ctx, &api, "/templates/default/light-service/runs", map[string]any{"values": map[string]any{
			"name": name, "owner": "group:default/" + townTeam, "greeting": "first", "replicas": 1,
		}})
	})
	if err != nil {
		return err
	}
	s.runs["golden path"] = made.ID
	if err := w.settle(ctx, made.ID, "finished"); err != nil {
		return err
	}
	dir := filepath.Join(w.dir, name)
	_, err = w.patiently(ctx, func() (string, error) {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
		return w.git(ctx, w.alice, w.dir, "clone", "--quiet", "http://"+w.address+"/git/"+townTeam+"/"+name+".git", name)
	})
	if err != nil {
		return err
	}
	commit, err := w.git(ctx, w.alice, dir, "rev-list", "--max-parents=0", "HEAD")
	if err != nil {
		return err
	}
	if err := w.goLive(ctx, &s, commit, commit+"|first|"+name+".region-one|region-one"); err != nil {
		return fmt.Errorf("the first commit: %w", err)
	}
	commit, err = w.change(ctx, dir, "the second", [3]string{"deploy/configmap.yaml", "first", "second"}, [3]string{"infra/main.tf", "region-one", "region-two"})
	if err != nil {
		return err
	}
	if err := w.goLive(ctx, &s, commit, commit+"|second|"+name+".region-two|region-two"); err != nil {
		return fmt.Errorf("the second commit: %w", err)
	}
	commit, err = w.change(ctx, dir, "the third, which asks for health where nobody listens",
		[3]string{"deploy/deployment.yaml", "path: /healthz, port: http", "path: /healthz, port: 8081"},
		[3]string{"deploy/deployment.yaml", "progressDeadlineSeconds: 60", "progressDeadlineSeconds: 2"})
	if err != nil {
		return err
	}
	if err := w.goBack(ctx, &s, commit); err != nil {
		return fmt.Errorf("the third commit: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.built = append(w.built, s)
	return nil
}

// patiently repeats what git does until the server lets it.
func (w *town) patiently(ctx context.Context, do func() (string, error)) (out string, err error) {
	waiting := eventually(ctx, func() (bool, error) {
		out, err = do()
		return err == nil, nil
	})
	if waiting != nil {
		return "", fmt.Errorf("%w: %w", waiting, err)
	}
	return out, nil
}

// change replaces texts, each given as its file, what is there and what takes its place; commits that, and pushes it.
func (w *town) change(ctx context.Context, dir, message string, changes ...[3]string) (string, error) {
	if _, err := w.patiently(ctx, func() (string, error) { return w.git(ctx, w.alice, dir, "pull", "--quiet", "--rebase") }); err != nil {
		return "", err
	}
	for _, c := range changes {
		path := filepath.Join(dir, filepath.FromSlash(c[0]))
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if !strings.Contains(string(data), c[1]) {
			return "", fmt.Errorf("%s does not say %q: %s", c[0], c[1], data)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(data), c[1], c[2])), 0o644); err != nil {
			return "", err
		}
	}
	if _, err := w.git(ctx, w.alice, dir, "commit", "--quiet", "--all", "--message", message); err != nil {
		return "", err
	}
	// A push whose answer got lost is pushed again, and is up to date.
	if _, err := w.patiently(ctx, func() (string, error) { return w.git(ctx, w.alice, dir, "push", "--quiet") }); err != nil {
		return "", err
	}
	return w.git(ctx, w.alice, dir, "rev-parse", "HEAD")
}

// goLive follows a commit: its pipeline passes, its infrastructure is applied, and the service answers with both.
func (w *town) goLive(ctx context.Context, s *service, commit, answer string) error {
	for kind, is := range map[string][2]string{
		"workflow": {"component:default/" + s.name, "succeeded"}, "stack": {"stack:default/" + s.name + "-infra", "finished"},
	} {
		find := w.find
		if kind == "stack" {
			find = w.findAbove
		}
		id, err := find(ctx, kind, is[0], commit)
		if err != nil {
			return err
		}
		s.runs[kind+" of "+commit] = id
		if err := w.settle(ctx, id, is[1]); err != nil {
			return err
		}
	}
	a, err := w.answers(ctx, s.name, "Synced", answer)
	s.good, s.answer = a.Revision, answer
	return err
}

// goBack follows a commit whose health does not come: its pipeline passes, its sync ends as failed, and the service
// answers as it did before.
func (w *town) goBack(ctx context.Context, s *service, commit string) error {
	id, err := w.find(ctx, "workflow", "component:default/"+s.name, commit)
	if err != nil {
		return err
	}
	s.runs["workflow of "+commit] = id
	if err := w.settle(ctx, id, "succeeded"); err != nil {
		return err
	}
	if w.listens.Load() { // no more jobs begin then, so that there is room for each
		w.backs <- struct{}{}
	}
	var last client.Run
	err = eventually(ctx, func() (bool, error) {
		page, err := insist(ctx, func() (client.List[client.Run], error) {
			return client.Get[client.List[client.Run]](ctx, w.alice, "/runs", url.Values{"kind": {"sync"}, "subject": {"application:default/" + s.name}, "limit": {"1"}})
		})
		if err != nil || len(page.Items) == 0 {
			return false, err
		}
		last = page.Items[0]
		return last.Terminal && last.Source.Commit != s.good, nil
	})
	if err != nil {
		return fmt.Errorf("%w; the last sync is %s: %s", err, last.State, last.Reason)
	}
	w.tell("%s sync run %s is %s: %s", time.Now().Format("04:05.000"), last.ID, last.State, last.Reason)
	if last.State != "failed" || !strings.HasPrefix(last.Reason, s.wentBack()) {
		return fmt.Errorf("sync run %s ended as %s: %s", last.ID, last.State, last.Reason)
	}
	return w.stays(ctx, *s)
}

// wentBack is how the reason of the sync begins that was rolled back to the second commit.
func (s service) wentBack() string { return fmt.Sprintf("rolled back to %.8s: ", s.good) }

// stays waits until a service that was rolled back answers as it did before, and holds that nothing else is deployed.
func (w *town) stays(ctx context.Context, s service) error {
	a, err := w.answers(ctx, s.name, "OutOfSync", s.answer)
	if err != nil {
		return err
	}
	if a.Revision != s.good || len(a.History) == 0 || a.History[0].State != "rolled-back" || !strings.HasSuffix(a.Message, fmt.Sprintf("did not become healthy and was rolled back to %.8s", s.good)) {
		return fmt.Errorf("the application is at %.8s, not %.8s: %s; its history %+v", a.Revision, s.good, a.Message, a.History)
	}
	return nil
}

// answers waits until the application is deployed, well, and answers as it should.
func (w *town) answers(ctx context.Context, name, state, answer string) (a client.ApplicationDetail, err error) {
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
	defer stop()
	got := ""
	err = eventually(ctx, func() (bool, error) {
		var err error
		a, err = insist(ctx, func() (client.ApplicationDetail, error) {
			return client.Get[client.ApplicationDetail](ctx, w.alice, "/applications/default/"+name, nil)
		})
		if err != nil || a.Sync != state || a.Health != "Healthy" {
			return false, err
		}
		got, err = w.call(ctx, name)
		return err == nil && got == answer, nil
	})
	w.tell("%s %s answers %s", time.Now().Format("04:05.000"), name, got)
	if err != nil {
		err = fmt.Errorf("%w; the application is %s at %.8s and %s: %s %s; it answers %q, not %q; its history %+v", err, a.Sync, a.Revision, a.Health, a.Why, a.Message, got, answer, a.History)
	}
	return a, err
}

// call asks a service by its host name at the server's own port.
func (w *town) call(ctx context.Context, name string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+name+".localhost/", nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, w.address)
	}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %w", response.Status, text, err)
	}
	return string(text), nil
}

// rest waits until no run is open and every service still answers.
func (w *town) rest(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	var open client.List[client.Run]
	err := eventually(ctx, func() (bool, error) {
		var err error
		open, err = insist(ctx, func() (client.List[client.Run], error) {
			return client.Get[client.List[client.Run]](ctx, w.admin, "/runs", url.Values{"open": {"true"}})
		})
		return len(open.Items) == 0, err
	})
	if err != nil {
		return fmt.Errorf("runs do not end: %w: %+v", err, open.Items)
	}
	for _, s := range w.built {
		if err := w.stays(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}
