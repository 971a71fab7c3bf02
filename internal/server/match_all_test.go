package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// matched is a change that can be held to what was seen.
type matched struct {
	what, method, path string
	body               any
	read               func() string // etag of what it changes, as it is now
	noted              func()        // what the platform does with it, or others beside it
	said               func()        // what somebody else says of it
}

// TestEveryChangeCanBeHeldToWhatWasSeen makes each change with the etag of before somebody else's, with the one of now and
// with any: the first does nothing, and what nobody said makes no etag old.
func TestEveryChangeCanBeHeldToWhatWasSeen(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		send := func(method, path, match string, in any) (status int, etag, text string) {
			var body []byte
			if in != nil {
				var err error
				if body, err = json.Marshal(in); err != nil {
					t.Error(err)
				}
			}
			request, err := http.NewRequestWithContext(ctx, method, d.url+"/api/v1"+path, bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return 0, "", ""
			}
			request.Header.Set("Authorization", "Bearer "+d.admin.Token)
			request.Header.Set("Content-Type", "application/json")
			if match != "" {
				request.Header.Set("If-Match", match)
			}
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return 0, "", ""
			}
			defer answer.Body.Close()
			said, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Error(err)
			}
			return answer.StatusCode, answer.Header.Get("ETag"), string(said)
		}
		must := func(method, path string, in any) string {
			t.Helper()
			status, _, text := send(method, path, "", in)
			if status >= 300 {
				t.Fatalf("%s %s gives %d %s", method, path, status, text)
			}
			return text
		}
		at := func(path string) func() string {
			return func() string {
				t.Helper()
				status, etag, text := send("GET", path, "", nil)
				if status != 200 || len(etag) < 3 {
					t.Fatalf("GET %s gives %d, the ETag %q, %s", path, status, etag, text)
				}
				return strings.Trim(etag, `"`)
			}
		}
		// of gives what one thing of a list says in a field.
		of := func(path, key, value, field string) func() string {
			return func() string {
				t.Helper()
				list, err := client.Get[client.List[map[string]any]](ctx, d.admin, path, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, one := range list.Items {
					if text, _ := one[field].(string); one[key] == value && text != "" {
						return text
					}
				}
				t.Fatalf("%s has nothing whose %s is %s: %v", path, key, value, list.Items)
				return ""
			}
		}
		const repo, spare, old, rules = "/repositories/crew/shop", "/repositories/crew/spare", "/repositories/crew/old", "/spaces/default/location-rules"
		describe := func(path, text string) { must("PATCH", path, map[string]string{"description": text}) }
		n := 0
		push := func() {
			n++
			d.push("alice", "crew/shop", map[string]string{"pushed.txt": fmt.Sprint(n)})
		}
		for _, name := range []string{"spare", "old"} {
			must("POST", "/repositories", map[string]string{"namespace": "crew", "name": name})
		}
		must("DELETE", old, nil)
		d.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: payments}, spec: {parent: default}}\n")
		p := d.propose("alice", "feature", map[string]string{"b.txt": "b\n"})
		d.branch("alice", "side", map[string]string{"c.txt": "c\n"})
		d.push("alice", "crew/shop", map[string]string{"catalog-info.yaml": fmt.Sprintf(shopComponent, 1)})
		must("POST", repo+"/tags", map[string]string{"name": "v1", "at": "main"})
		location, err := client.Post[client.Location](ctx, d.admin, "/locations", map[string]string{"repository": "crew/shop"})
		if err != nil {
			t.Fatal(err)
		}
		mirror, err := client.Post[client.Mirror](ctx, d.admin, repo+"/mirrors", map[string]string{"url": d.url + "/git/crew/none.git"})
		if err != nil {
			t.Fatal(err)
		}

		for _, c := range []matched{
			{
				what: "settings of a repository", method: "PATCH", path: repo, body: map[string]any{"description": "mine", "protected": true},
				read: at(repo), noted: push, said: func() { describe(repo, "theirs") },
			},
			{
				what: "a change that changes nothing", method: "PATCH", path: repo, body: map[string]any{},
				read: at(repo), noted: push, said: func() { describe(repo, "theirs again") },
			},
			{
				what: "words of a proposal", method: "PATCH", path: d.at(p.Number), body: map[string]any{"title": "mine"}, read: at(d.at(p.Number)),
				noted: func() {
					head := d.branch("alice", "feature", map[string]string{"b.txt": "more\n"})
					d.until(p.Number, "its new head", func(p client.ProposalDetail) bool { return p.Head == head })
					must("POST", d.at(p.Number, "comments"), map[string]string{"body": "well"})
				},
				said: func() { must("PATCH", d.at(p.Number), map[string]any{"body": "theirs"}) },
			},
			{
				what: "who looks after a proposal", method: "PATCH", path: d.at(p.Number), body: map[string]any{"assignees": []string{"user:default/alice"}}, read: at(d.at(p.Number)),
				noted: push, said: func() { must("PATCH", d.at(p.Number), map[string]any{"assignees": []string{"user:default/bob"}}) },
			},
			{
				what: "rules of a space", method: "PUT", path: rules, body: map[string]any{"kinds": []string{"Component", "API"}}, read: at(rules),
				noted: push, said: func() { must("PUT", rules, map[string]any{"kinds": []string{}, "orphans": "keep"}) },
			},
			{
				what: "a mirror", method: "DELETE", path: repo + "/mirrors/" + mirror.ID, read: of(repo+"/mirrors", "id", mirror.ID, "etag"),
				noted: func() {
					must("POST", repo+"/mirrors/"+mirror.ID+"/push", nil)
					for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
						list, err := client.Get[client.List[client.Mirror]](ctx, d.admin, repo+"/mirrors", nil)
						if err != nil || time.Now().After(deadline) {
							t.Fatalf("it was never pushed to: %+v, %v", list, err)
						}
						if list.Items[0].Attempts > 0 || list.Items[0].Pushed != nil {
							return
						}
					}
				},
			},
			{
				what: "a branch", method: "DELETE", path: repo + "/branches?name=side", read: of(repo+"/branches", "name", "side", "commit"),
				noted: push, said: func() { d.branch("alice", "side", map[string]string{"c.txt": "theirs\n"}) },
			},
			{
				what: "a tag", method: "DELETE", path: repo + "/tags?name=v1", read: of(repo+"/tags", "name", "v1", "etag"), noted: push,
				said: func() {
					dir := d.dir + "/alice/crew/shop"
					d.do("alice", dir, "tag", "--force", "v1")
					d.do("alice", dir, "push", "--quiet", "--force", "origin", "v1")
				},
			},
			{
				what: "a location", method: "DELETE", path: "/locations/" + location.ID, read: at("/locations/" + location.ID),
				noted: func() { must("POST", "/locations/"+location.ID+"/refresh", nil) },
				said: func() {
					must("PUT", "/locations/"+location.ID+"/rules", map[string]any{"kinds": []string{"Component"}})
				},
			},
			{
				what: "a repository", method: "DELETE", path: spare, read: at(spare),
				noted: func() { d.push("alice", "crew/spare", map[string]string{"a.txt": "a"}) }, said: func() { describe(spare, "theirs") },
			},
			{
				what: "a deleted repository for good", method: "DELETE", path: old + "?now=true", read: of("/repositories?deleted=true", "name", "old", "etag"), noted: push,
				said: func() { must("POST", old+"/restore", nil); describe(old, "theirs"); must("DELETE", old, nil) },
			},
		} {
			seen := c.read()
			c.noted()
			if now := c.read(); now != seen {
				t.Errorf("%s: the etag is %s and was %s, and nobody said anything", c.what, now, seen)
			}
			stale := "0123456789abcdef"
			if c.said != nil {
				c.said()
				stale = seen
			}
			now := c.read()
			if now == stale {
				t.Errorf("%s: the etag is still %s", c.what, now)
			}
			if status, _, text := send(c.method, c.path, `"`+stale+`"`, c.body); status != http.StatusPreconditionFailed || !strings.Contains(text, "read it again") {
				t.Errorf("%s, as it was seen before: %d %s", c.what, status, text)
			}
			if again := c.read(); again != now {
				t.Errorf("%s: what was refused has made %s of %s", c.what, again, now)
			}
			status, etag, text := send(c.method, c.path, `"`+now+`"`, c.body)
			if status >= 300 {
				t.Errorf("%s, as it is: %d %s", c.what, status, text)
			}
			if c.method == "DELETE" {
				if status, _, text := send(c.method, c.path, "*", c.body); status < 400 || status >= 500 {
					t.Errorf("%s that is gone: %d %s", c.what, status, text)
				}
				continue
			}
			if now = c.read(); strings.Trim(etag, `"`) != now {
				t.Errorf("%s: the change answers with the etag %s, and it is %s", c.what, etag, now)
			}
			if status, etag, text = send(c.method, c.path, "*", c.body); status >= 300 || strings.Trim(etag, `"`) != c.read() {
				t.Errorf("%s, whatever it is: %d, the etag %s, %s", c.what, status, etag, text)
			}
		}
		one := func(i int) any {
			return map[string]any{"kinds": []string{"Component", "API", "System", "Domain", "Resource", "Location"}[i : i+1]}
		}
		// Of several who have seen the same, one is first.
		for _, c := range []struct {
			method, path string
			body         func(i int) any
		}{
			{"PATCH", repo, func(i int) any { return map[string]any{"description": fmt.Sprint("of ", i)} }},
			{"PATCH", d.at(p.Number), func(i int) any { return map[string]any{"title": fmt.Sprint("of ", i)} }},
			{"PUT", rules, one},
			{"PUT", "/spaces/payments/location-rules", one}, // of which nobody has said anything yet
		} {
			seen := at(c.path)()
			answers := make([]int, 6)
			var all sync.WaitGroup
			for i := range answers {
				all.Go(func() { answers[i], _, _ = send(c.method, c.path, `"`+seen+`"`, c.body(i)) })
			}
			all.Wait()
			slices.Sort(answers)
			if answers[0] >= 300 || answers[1] != http.StatusPreconditionFailed || answers[5] != http.StatusPreconditionFailed {
				t.Errorf("six %s %s of what all have seen give %v", c.method, c.path, answers)
			}
		}
	})
}

// unheld are the changes that take no If-Match, and why nothing of another's is lost by them.
var unheld = map[string]string{
	"star": "the caller's own", "unstar": "the caller's own", "signOut": "the caller's own", "signOutEverywhere": "it ends what there is, whatever it is",
	"revokeToken": "a token never changes", "revokePoolToken": "a token never changes", "deleteMachine": "a machine never changes",
	"setMetric": "what was measured last holds", "removeMetric": "what was measured last holds", "pushFindings": "what was found last holds",
	"addProvider": "a package never changes; another one is refused", "removeProvider": "a package never changes",
	"setCheck": "what is said last of a check holds", "autoMergeProposal": "the whole of what it says is one word",
	"editProposalComment": "only its author changes it", "settleProposalTalk": "the whole of what it says is yes or no",
}
