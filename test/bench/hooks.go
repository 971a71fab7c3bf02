package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	hookSenders = 24               // connections
	hookTime    = 15 * time.Second // of sending, on each side of which nothing is counted
	hookWarm    = 2 * time.Second
	hookSecret  = "the secret of a benchmark"
)

// hookFigures sends GitHub's pushes of a hundred repositories, each signed and unlike any other, as fast as they are
// answered, and kills the server in the middle. What was answered must be there afterwards, once, and come to be handled.
func hookFigures(ctx context.Context, b *bench) error {
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer func() { s.stop() }()
	for name, value := range map[string]string{"bench-hook": hookSecret, "bench-token": "none"} {
		if err := s.api.Do(ctx, http.MethodPut, "/secrets/default/"+name, nil, map[string]string{"value": value}, nil); err != nil {
			return err
		}
	}
	const integration = "{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: bench}, spec: {forge: github, url: 'https://github.invalid', token: {secretRef: default/bench-token}, webhook: {secretRef: default/bench-hook}}}"
	if err := s.api.Do(ctx, http.MethodPost, "/apply", nil, map[string]string{"source": "bench", "documents": integration}, nil); err != nil {
		return err
	}
	f := &flood{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hookSenders}}, answered: map[string]bool{}}
	if err := f.send(ctx, s.api.URL, hookWarm); err != nil {
		return err
	}
	f.took = nil
	began := time.Now()
	if err := f.send(ctx, s.api.URL, hookTime); err != nil {
		return err
	}
	b.least("webhooks_stored_per_second", float64(len(f.took))/time.Since(began).Seconds(), 1000, "/s")
	figure("webhook_answer_p50", f.took.at(0.5), "ms")
	b.most("webhook_answer_p99", f.took.at(0.99), 50, "ms")

	kill := time.AfterFunc(time.Second, func() { _ = s.command.Process.Kill() })
	defer kill.Stop()
	if err := f.send(ctx, s.api.URL, 3*time.Second); err != nil {
		return err
	}
	_ = s.command.Wait() // it was killed
	if s, err = start(ctx, b.dir); err != nil {
		return err
	}
	return f.check(ctx, s.api, b)
}

// least prints a figure that is to be at least a bound.
func (b *bench) least(name string, value, bound float64, unit string) {
	figure(name, value, unit)
	if value < bound {
		b.missed = append(b.missed, fmt.Sprintf("%s is %.3f %s, and is to be at least %g", name, value, unit, bound))
	}
}

// flood sends deliveries and notes which were answered.
type flood struct {
	client *http.Client
	number atomic.Int64

	mu       sync.Mutex
	took     spread
	answered map[string]bool
}

// send sends for some time. A connection that breaks, as by the end of the server, ends its sender.
func (f *flood) send(ctx context.Context, url string, long time.Duration) error {
	end := time.Now().Add(long)
	senders, ctx := errgroup.WithContext(ctx)
	for range hookSenders {
		senders.Go(func() error {
			for time.Now().Before(end) {
				if broken, err := f.one(ctx, url); broken || err != nil {
					return err
				}
			}
			return nil
		})
	}
	return senders.Wait()
}

func (f *flood) one(ctx context.Context, url string) (broken bool, err error) {
	number := f.number.Add(1)
	id, body := fmt.Sprintf("bench-%d", number), pushed(number)
	sum := hmac.New(sha256.New, []byte(hookSecret))
	sum.Write([]byte(body))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/hooks/default/bench", strings.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-GitHub-Delivery", id)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum.Sum(nil)))
	began := time.Now()
	response, err := f.client.Do(r)
	if err != nil {
		return true, nil
	}
	took := time.Since(began)
	text, _ := io.ReadAll(response.Body) // of what is answered with 202 nothing more is needed
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return false, fmt.Errorf("a webhook is answered with %s: %s", response.Status, text)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = append(f.took, took)
	f.answered[id] = true
	return false, nil
}

// pushed is a push of three commits, as large as GitHub's usually are.
func pushed(number int64) string {
	hash := fmt.Sprintf("%040x", number)
	var b strings.Builder
	fmt.Fprintf(&b, `{"ref":"refs/heads/main","before":"%040x","after":"%s","repository":{"id":%d,"full_name":"acme/service-%d","name":"service-%d","private":true,"default_branch":"main"`,
		number-1, hash, 1000+number%100, number%100, number%100)
	for _, what := range []string{"forks", "keys", "collaborators", "teams", "hooks", "issue_events", "events", "assignees", "branches", "tags", "blobs", "git_tags", "git_refs", "trees", "statuses", "languages",
		"stargazers", "contributors", "subscribers", "subscription", "commits", "git_commits", "comments", "issue_comment", "contents", "compare", "merges", "archive", "downloads", "issues", "pulls", "milestones", "notifications", "labels", "releases", "deployments"} {
		fmt.Fprintf(&b, `,"%s_url":"https://api.github.com/repos/acme/service-%d/%s{/sha}"`, what, number%100, what)
	}
	b.WriteString(`},"pusher":{"name":"octo","email":"octo@example.com"},"sender":{"login":"octo","id":5},"forced":false,"commits":[`)
	for i := range 3 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%038x%02d","message":"change %d of delivery %d","timestamp":"2026-01-01T00:00:00Z","url":"https://github.com/acme/service/commit/%s",
"author":{"name":"Octo","email":"octo@example.com","username":"octo"},"committer":{"name":"Octo","email":"octo@example.com","username":"octo"},"added":["cmd/%d.go"],"removed":[],"modified":["go.mod","internal/%d.go"]}`, number, i, i, number, hash, number, number)
	}
	b.WriteString("]}")
	return b.String()
}

// check looks for all that was answered, and waits until it is handled.
func (f *flood) check(ctx context.Context, api *client.Client, b *bench) error {
	began := time.Now()
	for {
		w, err := client.Get[client.Webhook](ctx, api, "/integrations/default/bench/webhook", nil)
		if err != nil {
			return err
		}
		if w.Waiting == 0 {
			break
		}
		if time.Since(began) > 5*time.Minute {
			return fmt.Errorf("%d webhooks are not handled five minutes after the last one came", w.Waiting)
		}
		time.Sleep(100 * time.Millisecond)
	}
	figure("webhooks_handled_after", time.Since(began).Seconds(), "s")
	there := map[string]int{}
	for d, err := range client.Each[client.Delivery](ctx, api, "/integrations/default/bench/deliveries", nil) {
		if err != nil {
			return err
		}
		there[d.Delivery]++
	}
	lost, twice := 0, 0
	for id := range f.answered {
		if there[id] == 0 {
			lost++
		}
		if there[id] > 1 {
			twice++
		}
	}
	figure("webhooks_answered", float64(len(f.answered)), "deliveries")
	b.most("webhooks_lost_by_a_kill", float64(lost), 0, "deliveries")
	b.most("webhooks_twice_after_a_kill", float64(twice), 0, "deliveries")
	return nil
}
