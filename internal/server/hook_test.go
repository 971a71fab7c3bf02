package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// signed is a delivery as Gitea sends it.
func signed(address, integration, secret, event, id, body string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, address+"/hooks/"+integration, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Gitea-Event", event)
	r.Header.Set("X-Gitea-Delivery", id)
	r.Header.Set("X-Gitea-Signature", hex.EncodeToString(sum.Sum(nil)))
	return r, nil
}

// deliver sends a delivery and gives the answer.
func deliver(t *testing.T, address, integration, secret, event, id, body string) (int, string) {
	t.Helper()
	r, err := signed(address, integration, secret, event, id, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// hooked is a ground with the integration default/forge of a kind, whose webhooks are signed with "hidden".
func hooked(g *ground, name, kind, url string) {
	g.t.Helper()
	if err := g.admin.Do(g.t.Context(), "PUT", "/secrets/default/"+name+"-hook", nil, map[string]string{"value": "hidden"}, nil); err != nil {
		g.t.Fatal(err)
	}
	g.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: " + name + "}, spec: {forge: " + kind + ", url: '" + url +
		"', token: {secretRef: default/" + name + "-token}, webhook: {secretRef: default/" + name + "-hook}}}")
}

// deliveries gives those of an integration, the newest first.
func (g *ground) deliveries(name string) []client.Delivery {
	g.t.Helper()
	all, err := client.All[client.Delivery](g.t.Context(), g.admin, "/integrations/default/"+name+"/deliveries", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return all
}

// handled waits until nothing waits any more, and gives the deliveries.
func (g *ground) handled(name string) (all []client.Delivery) {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), 2*time.Minute)
	defer stop()
	err := eventually(ctx, func() (bool, error) {
		all = g.deliveries(name)
		return !slices.ContainsFunc(all, func(d client.Delivery) bool { return d.State == "received" && d.Next == nil }), nil
	})
	if err != nil {
		g.t.Fatalf("deliveries wait still: %v: %+v", err, all)
	}
	return all
}

// told waits until the ledger has so many entries of a type.
func (g *ground) told(kind string, want int) {
	g.t.Helper()
	comesTrue(g.t, func() bool {
		all, err := client.All[client.Entry](g.t.Context(), g.admin, "/ledger", url.Values{"type": {kind}})
		return err == nil && len(all) == want
	}, fmt.Sprintf("the ledger has %d %s", want, kind))
}

func (g *ground) webhook(who, name string) client.Webhook {
	g.t.Helper()
	w, err := client.Get[client.Webhook](g.t.Context(), g.as[who], "/integrations/default/"+name+"/webhook", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return w
}

// A real Gitea is told of the webhook, with a secret that is made for it, and what it sends is taken; after another
// secret was put it is refused, and counted, until Gitea is told again.
func TestARealForgeSendsItsWebhooks(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		gitea := giteatest.Start(t)
		token := gitea.Person("ann", "write:repository", "write:issue", "write:organization", "read:user")
		gitea.Do("", http.MethodPost, "/admin/users/ann/repos", map[string]any{"name": "shop", "auto_init": true})
		g.house.Hooks.Address = g.url
		if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/gitea-token", nil, map[string]string{"value": token}, nil); err != nil {
			t.Fatal(err)
		}
		g.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: gitea}, spec: {forge: gitea, url: '" + gitea.URL +
			"', token: {secretRef: default/gitea-token}, webhook: {secretRef: default/made}}}")
		register := func(who string) error {
			h, err := client.Post[client.RegisteredWebhook](t.Context(), g.as[who], "/integrations/default/gitea/webhook", map[string]string{"repository": "ann/shop"})
			if err == nil && (h.URL != g.url+"/hooks/default/gitea" || !h.Active || !slices.Contains(h.Kinds, "push")) {
				t.Errorf("registered is %+v", h)
			}
			return err
		}
		if err := register("alice"); !fault.Is(err, fault.Denied) {
			t.Errorf("alice registers it: %v", err)
		}
		for range 2 {
			if err := register("admin"); err != nil {
				t.Fatal(err)
			}
		}
		commits := 0
		commit := func() {
			t.Helper()
			commits++
			gitea.Do(token, http.MethodPost, fmt.Sprintf("/repos/ann/shop/contents/file%d", commits), map[string]any{"content": "aGVsbG8K", "message": "change"})
		}
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
		defer stop()
		await := func(what string, is func() bool) {
			t.Helper()
			if err := eventually(ctx, func() (bool, error) { return is(), nil }); err != nil {
				t.Fatalf("%s: %v; the webhook is %+v, the deliveries are %+v", what, err, g.webhook("admin", "gitea"), g.deliveries("gitea"))
			}
		}
		pushes := func() (n int) {
			for _, d := range g.deliveries("gitea") {
				if d.Kind == "push" && d.Repository == "ann/shop" && d.Sender == "ann" && d.Outcome != "" && d.State != "failed" {
					n++
				}
			}
			return n
		}
		commit()
		await("a push", func() bool { return pushes() == 1 })
		if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/made", nil, map[string]string{"value": "another"}, nil); err != nil {
			t.Fatal(err)
		}
		commit()
		await("what is signed with the older secret", func() bool { return g.webhook("admin", "gitea").Refused.Count > 0 })
		if err := register("admin"); err != nil {
			t.Fatal(err)
		}
		commit()
		await("a push with the new secret", func() bool { return pushes() >= 2 })
		g.told("hook.registered", 3)
	})
}

// The door takes what is signed, once, tells nothing to forgers, and shows people what came.
func TestTheDoorForWebhooks(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		hooked(g, "forge", "gitea", "http://127.0.0.1:1")
		push := `{"ref":"refs/heads/main","before":"1111111111111111111111111111111111111111","after":"2222222222222222222222222222222222222222","repository":{"id":7,"full_name":"acme/shop"},"sender":{"login":"octo"}}`
		send := func(integration, secret, event, id, body string) (int, string) {
			t.Helper()
			return deliver(t, g.url, integration, secret, event, id, body)
		}
		forged, words := send("default/forge", "guessed", "push", "1", push)
		none, same := send("default/none", "hidden", "push", "1", push)
		if forged != http.StatusUnauthorized || none != forged || words != same {
			t.Errorf("forged: %d %s; of no integration: %d %s", forged, words, none, same)
		}
		if code, answer := send("default/forge", "hidden", "push", "1", push); code != http.StatusAccepted {
			t.Fatalf("a push: %d %s", code, answer)
		}
		for _, id := range []string{"1", "2"} {
			if code, answer := send("Default/Forge", "hidden", "push", id, push); code != http.StatusOK {
				t.Errorf("again as %s: %d %s", id, code, answer)
			}
		}
		if code, answer := send("default/forge", "hidden", "push", "3", `{"ref":`); code != http.StatusAccepted {
			t.Errorf("what is signed and can't be read: %d %s", code, answer)
		}
		all := g.handled("forge")
		if len(all) != 2 || all[0].State != "failed" || all[1].Repeats != 2 || all[1].Kind != "push" || all[1].Repository != "acme/shop" {
			t.Fatalf("the deliveries are %+v", all)
		}
		path := fmt.Sprintf("/integrations/default/forge/deliveries/%d", all[1].Number)
		p, err := client.Get[client.DeliveryPayload](t.Context(), g.admin, path+"/payload", nil)
		if err != nil || string(p.JSON) != push || p.Headers["X-Gitea-Event"] != "push" || len(p.Headers) != 4 {
			t.Errorf("the payload is %+v, %v", p, err)
		}
		for _, c := range []struct {
			who    string
			ask    func(who *client.Client) error
			denied fault.Kind
		}{
			{"rita", func(c *client.Client) error {
				_, err := client.Get[client.Delivery](t.Context(), c, path, nil)
				return err
			}, 0},
			{"rita", func(c *client.Client) error {
				_, err := client.Get[client.DeliveryPayload](t.Context(), c, path+"/payload", nil)
				return err
			}, fault.Denied},
			{"alice", func(c *client.Client) error {
				_, err := client.Post[client.Delivery](t.Context(), c, path+"/redeliver", nil)
				return err
			}, fault.Denied},
			{"mallory", func(c *client.Client) error {
				_, err := client.Get[client.Delivery](t.Context(), c, path, nil)
				return err
			}, fault.NotFound},
			{"admin", func(c *client.Client) error {
				_, err := client.Post[client.Delivery](t.Context(), c, path+"/redeliver", nil)
				return err
			}, 0},
		} {
			if err := c.ask(g.as[c.who]); c.denied == 0 && err != nil || c.denied != 0 && !fault.Is(err, c.denied) {
				t.Errorf("%s: %v", c.who, err)
			}
		}
		g.handled("forge")
		w := g.webhook("admin", "forge")
		if w.Refused.Count != 1 || w.Refused.Reason == "" || w.Refused.Client != "127.0.0.1" || w.Waiting != 0 || w.Last == nil || !slices.Contains(w.Can, "redeliver") {
			t.Errorf("the webhook is %+v", w)
		}
		if w := g.webhook("rita", "forge"); len(w.Can) != 0 || w.Refused.Client != "" || w.Refused.Count != 1 {
			t.Errorf("for rita it is %+v", w)
		}
		code, _ := deliver(t, g.url, "default/none", "x", "push", "1", push) // one more
		g.told("hook.redelivered", 1)
		g.told("hook.failed", 1)
		response, err := http.Get(g.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if metrics := string(text); err != nil || code != http.StatusUnauthorized || !strings.Contains(metrics, `roadbed_webhooks_total{outcome="refused"} 3`) || !strings.Contains(metrics, `roadbed_webhooks_total{outcome="stored"} 2`) {
			t.Errorf("the metrics tell another story, %v", err)
		}
		// Another integration of the same name shows nothing of what came for this one.
		if err := g.admin.Do(t.Context(), http.MethodDelete, "/entities/integration/default/forge", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		hooked(g, "forge", "gitea", "http://127.0.0.1:1")
		comesTrue(t, func() bool { return len(g.deliveries("forge")) == 0 && g.webhook("admin", "forge").Refused.Count == 0 }, "what came for the former one is gone")
	})
}

// The command line shows deliveries and what they said, and has them handled again.
func TestTheCommandLineOfWebhooks(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	hooked(g, "forge", "gitea", "http://127.0.0.1:1")
	for id, body := range map[string]string{"1": `{"ref":"refs/heads/main","repository":{"id":7,"full_name":"acme/shop"},"sender":{"login":"octo"}}`, "2": `{"ref":`} {
		if code, answer := deliver(t, g.url, "default/forge", "hidden", "push", id, body); code != http.StatusAccepted {
			t.Fatalf("%d %s", code, answer)
		}
	}
	failed := 0
	for _, d := range g.handled("forge") {
		if d.State == "failed" {
			failed = int(d.Number)
		}
	}
	atTerminal(t, server.URL, h.Options.AdminToken)
	for line, want := range map[string]string{
		"integration deliveries forge --state failed": "failed", "integration deliveries forge --kind push": "acme/shop",
		fmt.Sprint("integration delivery forge ", failed):             "can't be read",
		fmt.Sprint("integration delivery forge --payload ", failed):   `{"ref":`,
		fmt.Sprint("integration delivery forge ", failed, " -o json"): `"state": "failed"`,
	} {
		code, out, problem := say(line)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("roadbed %s = %d %s %s", line, code, out, problem)
		}
	}
	if code, _, problem := say(fmt.Sprint("integration redeliver forge ", failed)); code != 0 || !strings.Contains(problem, "handled again") {
		t.Errorf("redelivered: %d %s", code, problem)
	}
	for line, want := range map[string]int{
		"integration redeliver forge x": 1, "integration redeliver forge 99999": 4, "integration hook forge": 2, "integration hook none a/b": 4, "integration hook forge a/b --organization c": 2,
	} {
		if code, out, problem := say(line); code != want || problem == "" {
			t.Errorf("roadbed %s = %d %s %s", line, code, out, problem)
		}
	}
}

// Every webhook of the corpus is taken, read, and ends in a state; none of GitHub's or GitLab's fails.
func TestEveryWebhookOfTheCorpus(t *testing.T) {
	corpus := lacktest.Corpus(t, "webhooks")
	index, err := os.ReadFile(filepath.Join(corpus, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	eachGround(t, false, func(t *testing.T, g *ground) {
		hooked(g, "github", "github", "https://github.invalid")
		hooked(g, "gitlab", "gitlab", "https://gitlab.invalid")
		hooked(g, "gitea", "gitea", "https://gitea.invalid")
		sent := map[string]map[string]bool{"github": {}, "gitlab": {}, "gitea": {}}
		for i, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
			f := strings.Split(line, "\t")
			body, err := os.ReadFile(filepath.Join(corpus, f[0]))
			if err != nil {
				t.Fatal(err)
			}
			name, event := f[1], f[2]
			if sent[name] == nil {
				name = "gitea" // which reads Forgejo's and Gogs', and refuses the others' as any that it can't read
			}
			if path := strings.Split(f[0], "/"); path[1] == "octokit__webhooks" {
				event = path[2]
			}
			r, err := signed(g.url, "default/"+name, "hidden", event, fmt.Sprint(i), string(body))
			if err != nil {
				t.Fatal(err)
			}
			switch name {
			case "github":
				r.Header.Set("X-Github-Event", event)
				r.Header.Set("X-Github-Delivery", fmt.Sprint(i))
				r.Header.Set("X-Hub-Signature-256", "sha256="+r.Header.Get("X-Gitea-Signature"))
			case "gitlab":
				r.Header.Set("X-Gitlab-Token", "hidden")
				r.Header.Set("Idempotency-Key", fmt.Sprint(i))
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			want := http.StatusAccepted
			if sent[name][string(body)] {
				want = http.StatusOK
			}
			sent[name][string(body)] = true
			if response.StatusCode != want {
				t.Errorf("%s: %s, want %d", f[0], response.Status, want)
			}
		}
		for name, bodies := range sent {
			all := g.handled(name)
			if len(all) != len(bodies) || len(all) < 20 {
				t.Errorf("%s has %d deliveries of %d", name, len(all), len(bodies))
			}
			for _, d := range all {
				if d.State == "failed" && name != "gitea" {
					t.Errorf("%s: %+v", name, d)
				}
			}
		}
	})
}

// A server that is killed while forges send loses nothing that it has answered, and handles it when it lives again.
func TestAKilledServerLosesNoWebhook(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		v := newVictim(t, light{}, database)
		g := groundAt(t, "http://"+v.address, crashToken)
		hooked(g, "forge", "gitea", "http://127.0.0.1:1")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		senders, ctx := errgroup.WithContext(ctx)
		var answered sync.Map
		answers := make(chan struct{}, 1<<16)
		for sender := range 8 {
			senders.Go(func() error {
				for i := 0; ctx.Err() == nil; i++ {
					id := fmt.Sprintf("%d-%d", sender, i)
					body := fmt.Sprintf(`{"ref":"refs/heads/b%s","before":"","after":"2222222222222222222222222222222222222222","repository":{"id":%d,"full_name":"acme/r%d"}}`, id, sender+1, sender)
					r, err := signed(g.url, "default/forge", "hidden", "push", id, body)
					if err != nil {
						return err
					}
					response, err := http.DefaultClient.Do(r)
					if err != nil {
						i-- // nobody has answered: it is sent again
						continue
					}
					response.Body.Close()
					switch response.StatusCode {
					case http.StatusAccepted, http.StatusOK:
						answered.Store(id, true)
						answers <- struct{}{}
					case http.StatusServiceUnavailable:
						i--
					default:
						return fmt.Errorf("%s: %s", id, response.Status)
					}
				}
				return nil
			})
		}
		random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
		for range 5 {
			v.awaitReady(t)
			for len(answers) > 0 {
				<-answers
			}
			for range 20 + random.IntN(60) { // killed amid answers, however slow the machine is
				select {
				case <-answers:
				case <-v.ended:
					t.Fatal("the server ended by itself")
				case <-ctx.Done():
					t.Fatal(senders.Wait())
				}
			}
			v.restart(t)
		}
		v.awaitReady(t)
		stop()
		if err := senders.Wait(); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, d := range g.handled("forge") {
			got[d.Delivery]++
			if d.State != "ignored" && d.State != "done" || d.Repository == "" {
				t.Errorf("one ended as %+v", d)
			}
		}
		n := 0
		answered.Range(func(id, _ any) bool {
			if n++; got[id.(string)] != 1 {
				t.Errorf("%s was answered, and is there %d times", id, got[id.(string)])
			}
			return true
		})
		if t.Logf("%d were answered, %d are there", n, len(got)); n < 100 || len(got) < n {
			t.Errorf("%d were answered, %d are there", n, len(got))
		}
	})
}
