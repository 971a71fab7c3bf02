package demo

import (
	"context"
	"encoding/json"
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
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// git runs the git program as a person, with the token as a password that is in no command line, and without what this
// machine's user has set: a proxy, hooks, a key that signs commits.
func (j *job) git(ctx context.Context, p person, dir string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "git", args...)
	c.Dir = dir
	c.WaitDelay = time.Second
	c.Env = append(environment("GIT_", "GIT_EXEC_PATH"), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Bearer "+p.api.Token,
		"GIT_CONFIG_KEY_1=http.proxy", "GIT_CONFIG_VALUE_1=", "GIT_AUTHOR_NAME="+p.name, "GIT_AUTHOR_EMAIL="+strings.ToLower(p.name)+"@example.com",
		"GIT_COMMITTER_NAME="+p.name, "GIT_COMMITTER_EMAIL="+strings.ToLower(p.name)+"@example.com")
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (j *job) work() string { return filepath.Join(j.dir, "work") }

func (j *job) head(ctx context.Context) (string, error) {
	return j.git(ctx, j.alice, j.work(), "rev-parse", "HEAD")
}

// change edits a file, commits and pushes as Alice, and gives the commit.
func (j *job) change(ctx context.Context, file, message string, edit func(text string) string) (string, error) {
	if _, err := j.git(ctx, j.alice, j.work(), "pull", "--quiet", "--rebase"); err != nil {
		return "", err
	}
	path := filepath.Join(j.work(), file)
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	changed := edit(string(data))
	if changed == string(data) {
		return "", fmt.Errorf("the change of %s changes nothing", file)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		return "", err
	}
	if _, err := j.git(ctx, j.alice, j.work(), "commit", "--quiet", "--all", "--message", message); err != nil {
		return "", err
	}
	if _, err := j.git(ctx, j.alice, j.work(), "push", "--quiet"); err != nil {
		return "", err
	}
	return j.head(ctx)
}

// reply is what the service answers.
type reply struct {
	Service  string            `json:"service"`
	Commit   string            `json:"commit"`
	Greeting string            `json:"greeting"`
	Outputs  map[string]string `json:"outputs"`
}

// errNotServing says that the service does not answer as it should.
var errNotServing = errors.New("the service does not answer")

// call asks the service by its host name, at the server's own port.
func (j *job) call(ctx context.Context) (r reply, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.serviceURL, nil)
	if err != nil {
		return r, err
	}
	response, err := j.caller().Do(request)
	if err != nil {
		return r, fmt.Errorf("%w: %w", errNotServing, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return r, fmt.Errorf("%w: %w", errNotServing, err)
	}
	if response.StatusCode != http.StatusOK {
		return r, fmt.Errorf("%w: %s: %s", errNotServing, response.Status, data)
	}
	return r, json.Unmarshal(data, &r)
}

// caller resolves names below localhost as browsers and curl do, whatever this machine's resolver thinks of them.
func (j *job) caller() *http.Client {
	address := strings.TrimPrefix(j.server.url, "http://")
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
		DisableKeepAlives: true,
	}}
}

// awaitApplication waits until the application is as wanted.
func (j *job) awaitApplication(ctx context.Context, wanted func(a client.ApplicationDetail) bool) (client.ApplicationDetail, error) {
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	var last client.ApplicationDetail
	err := j.alice.api.Follow(ctx, "/applications/default/"+j.service+"/events", nil, func(e client.Event) (bool, error) {
		var now client.ApplicationDetail
		if err := json.Unmarshal(e.Data, &now); err != nil {
			return false, err
		}
		last = now
		return wanted(last), nil
	})
	if err != nil {
		return last, fmt.Errorf("%w; the application is %s at %.8s and %s: %s %s; its history %+v", err, last.Sync, last.Revision, last.Health, last.Why, last.Message, last.History)
	}
	return last, nil
}

func deployed(a client.ApplicationDetail) bool {
	return a.Sync == "Synced" && a.Health == "Healthy" && len(a.URLs) > 0 && len(a.History) > 0 && a.History[0].State == "succeeded" && a.History[0].Commit == a.Revision
}

func (j *job) running(ctx context.Context) error {
	a, err := j.awaitApplication(ctx, deployed)
	if err != nil {
		return err
	}
	j.step("%s is %s and %s at %.8s", a.Ref, a.Sync, a.Health, a.Revision)
	for _, o := range a.Tree {
		j.step("%s %s: %s %s", o.Kind, o.Name, o.Health, o.Ready)
	}
	j.serviceURL = a.URLs[0]
	commit, err := j.head(ctx)
	if err != nil {
		return err
	}
	return j.answers(ctx, commit)
}

// answers checks that the service tells the commit it was built from and the output of the stack.
func (j *job) answers(ctx context.Context, commit string) error {
	r, err := j.call(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	j.step("curl %s", j.serviceURL)
	j.quote(string(text))
	if r.Commit != commit {
		return fmt.Errorf("the service tells commit %s, not %s", r.Commit, commit)
	}
	s, err := client.Get[client.Stack](ctx, j.alice.api, "/stacks/default/"+j.service+"-infra", nil)
	if err != nil {
		return err
	}
	for name, v := range s.State.Outputs {
		var want string
		if json.Unmarshal(v.Value, &want) == nil && r.Outputs[name] != want {
			return fmt.Errorf("the service tells output %s as %q, not %q", name, r.Outputs[name], want)
		}
	}
	j.commits = append(j.commits, commit)
	return nil
}

// load asks the service without pause until stop, and counts.
type load struct {
	good, bad atomic.Int64
	first     atomic.Pointer[error]
	stop      context.CancelFunc
	ended     chan struct{}
}

func (j *job) load(ctx context.Context) *load {
	ctx, stop := context.WithCancel(ctx)
	l := &load{stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		for ctx.Err() == nil {
			switch _, err := j.call(ctx); {
			case ctx.Err() != nil:
			case err != nil:
				l.bad.Add(1)
				l.first.CompareAndSwap(nil, &err)
			default:
				l.good.Add(1)
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	return l
}

// result ends the load; an error is the first request that was dropped.
func (l *load) result() (int64, error) {
	l.stop()
	<-l.ended
	if first := l.first.Load(); first != nil {
		return l.good.Load(), fmt.Errorf("%d of %d requests were dropped; the first: %w", l.bad.Load(), l.bad.Load()+l.good.Load(), *first)
	}
	return l.good.Load(), nil
}

func (j *job) secondCommit(ctx context.Context) error {
	before, err := client.Get[client.ApplicationDetail](ctx, j.alice.api, "/applications/default/"+j.service, nil)
	if err != nil {
		return err
	}
	l := j.load(ctx)
	defer l.stop()
	commit, err := j.change(ctx, "deploy/configmap.yaml", "greet the second time", func(text string) string {
		return strings.Replace(text, "hello from", "hello again from", 1)
	})
	if err != nil {
		return err
	}
	j.step("Alice pushes %.8s", commit)
	if err := j.built(ctx, commit); err != nil {
		return err
	}
	a, err := j.awaitApplication(ctx, func(a client.ApplicationDetail) bool {
		return deployed(a) && a.Revision != before.Revision && a.Revision != commit
	})
	if err != nil {
		return err
	}
	j.step("the platform committed the new image as %.8s, and synced it", a.Revision)
	if err := j.answers(ctx, commit); err != nil {
		return err
	}
	n, err := l.result()
	if err != nil {
		return err
	}
	j.step("%d requests in the meantime, none dropped", n)
	return nil
}

func (j *job) thirdCommit(ctx context.Context) error {
	before, err := client.Get[client.ApplicationDetail](ctx, j.alice.api, "/applications/default/"+j.service, nil)
	if err != nil {
		return err
	}
	l := j.load(ctx)
	defer l.stop()
	commit, err := j.change(ctx, "deploy/deployment.yaml", "ask for health where there is none", func(text string) string {
		text = strings.Replace(text, "progressDeadlineSeconds: 60", "progressDeadlineSeconds: 10", 1)
		return strings.Replace(text, "path: /healthz", "path: /no-such-page", 1)
	})
	if err != nil {
		return err
	}
	j.step("Alice pushes %.8s, whose health check fails", commit)
	if err := j.built(ctx, commit); err != nil {
		return err
	}
	a, err := j.awaitApplication(ctx, func(a client.ApplicationDetail) bool {
		return len(a.History) > 0 && a.History[0].State == "rolled-back" && a.Health == "Healthy" && a.Revision == before.Revision
	})
	if err != nil {
		return err
	}
	j.step("%s", a.Message)
	page, err := client.Get[client.List[client.Run]](ctx, j.alice.api, "/runs", url.Values{"kind": {"sync"}, "subject": {a.Ref}, "limit": {"1"}})
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		return fmt.Errorf("there is no run of the sync")
	}
	r, err := j.follow(ctx, j.alice.api, page.Items[0].ID, nil) // it ends a moment after the application is well again
	if err != nil {
		return err
	}
	if r.State != "failed" {
		return fmt.Errorf("the sync ended as %s: %s", r.State, r.Reason)
	}
	j.step("its run says: %s", r.Reason)
	if err := j.answers(ctx, j.commits[len(j.commits)-1]); err != nil {
		return err
	}
	n, err := l.result()
	if err != nil {
		return err
	}
	j.step("%d requests in the meantime, none dropped", n)
	return nil
}

func (j *job) page(ctx context.Context) error {
	e, err := client.Get[client.Entity](ctx, j.bob.api, "/entities/component/default/"+j.service, nil)
	if err != nil {
		return err
	}
	for _, r := range e.Relations {
		j.step("%s %s", r.Type, r.Target)
	}
	entries, err := client.Get[client.List[client.Entry]](ctx, j.bob.api, "/ledger", url.Values{"ref": {e.Ref}, "limit": {"200"}})
	if err != nil {
		return err
	}
	if len(entries.Items) == 0 {
		return fmt.Errorf("the ledger tells nothing of %s", e.Ref)
	}
	j.step("%d entries of the ledger tell its history; the newest:", len(entries.Items))
	for _, x := range entries.Items[:min(5, len(entries.Items))] {
		j.quote(fmt.Sprintf("%s  %-23s %-8s %s", x.Time.Local().Format("15:04:05"), x.Type, x.Actor.Name, x.Subject))
	}
	v, err := client.Get[client.Verification](ctx, j.admin, "/ledger/verify", nil)
	if err != nil {
		return err
	}
	if !v.Whole {
		return fmt.Errorf("the ledger is broken at %d: %s", v.BrokenAt, v.Why)
	}
	j.step("the ledger is whole: %d entries, head %.16s", v.Entries, v.HeadHash)
	return nil
}
