package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// person is an ordinary user with a token.
type person struct {
	ref, name string
	api       *client.Client
}

// job is the main job: what is made has random names, so that nothing can be known beforehand.
type job struct {
	*teller
	server     *server
	dir        string
	admin      *client.Client
	alice, bob person
	team       string // group
	space      string
	service    string // its name
	serviceURL string
	commits    []string // as they went live
}

func newJob(s *server, dir string, t *teller) *job {
	suffix := strings.ToLower(rand.Text())[:5]
	return &job{
		teller: t, server: s, dir: dir, admin: client.New(s.url, s.token),
		team: "team-" + suffix, space: "space-" + suffix, service: "shop-" + suffix,
		alice: person{ref: "user:default/alice-" + suffix, name: "Alice"}, bob: person{ref: "user:default/bob-" + suffix, name: "Bob"},
	}
}

func (j *job) run(ctx context.Context) error {
	for _, chapter := range []struct {
		title string
		do    func(ctx context.Context) error
	}{
		{"An administrator makes a space, a group and two users", j.people},
		{"Alice uses the golden path \"Go service\"", j.goldenPath},
		{"The push starts the repository's pipeline", j.pipeline},
		{"Its infrastructure waits for review", j.infrastructure},
		{"The service runs", j.running},
		{"A second commit goes live without a dropped request", j.secondCommit},
		{"A third commit is not healthy and is rolled back", j.thirdCommit},
		{"The service's page tells all of it", j.page},
	} {
		j.chapter(chapter.title)
		if err := chapter.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(chapter.title[:1])+chapter.title[1:], err)
		}
	}
	return nil
}

func (j *job) people(ctx context.Context) error {
	_, alice, _ := strings.Cut(j.alice.ref, "/")
	_, bob, _ := strings.Cut(j.bob.ref, "/")
	documents := fmt.Sprintf(`apiVersion: roadbed.dev/v1
kind: Space
metadata: {name: %[1]s, description: Where the demo works}
spec: {parent: default}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: %[2]s}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: %[3]s}
spec: {profile: {displayName: Alice}, memberOf: [%[2]s]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: %[4]s}
spec: {profile: {displayName: Bob}, memberOf: [%[2]s]}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: %[2]s-develops}
spec: {role: developer, space: %[1]s, subjects: ["group:default/%[2]s"]}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: %[2]s-reads}
spec: {role: reader, space: default, subjects: ["group:default/%[2]s"]}
`, j.space, j.team, alice, bob)
	_, err := client.Post[client.List[client.Applied]](ctx, j.admin, "/apply", map[string]any{"documents": documents, "source": "demo"})
	if err != nil {
		return err
	}
	j.step("space %s, group %s, users %s and %s, with the role developer in the space", j.space, j.team, alice, bob)
	for _, p := range []*person{&j.alice, &j.bob} {
		t, err := client.Post[client.NewToken](ctx, j.admin, "/tokens", map[string]any{"name": "demo", "owner": p.ref})
		if err != nil {
			return err
		}
		p.api = client.New(j.server.url, t.Secret)
	}
	j.step("a token for each of them; from here on they act themselves")
	return nil
}

func (j *job) goldenPath(ctx context.Context) error {
	r, err := client.Post[client.RunDetail](ctx, j.alice.api, "/templates/default/go-service/runs", map[string]any{"values": map[string]any{
		"name": j.service, "description": "Made by the demo", "owner": "group:default/" + j.team, "space": j.space, "greeting": "hello from " + j.service,
	}})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	r, err = j.follow(ctx, j.alice.api, r.ID, func(s client.Step) {
		if !seen[s.ID] {
			seen[s.ID] = true
			j.step("%s", s.Title)
		}
	})
	if err != nil {
		return err
	}
	if r.State != "finished" {
		return fmt.Errorf("the golden path ended as %s: %s", r.State, r.Reason)
	}
	e, err := client.Get[client.Entity](ctx, j.alice.api, "/entities/component/default/"+j.service, nil)
	if err != nil {
		return err
	}
	j.step("%s is in the catalog, owned by %s", e.Ref, e.Owner)
	if _, err := j.git(ctx, j.alice, j.dir, "clone", "--quiet", j.cloneURL(), "work"); err != nil {
		return err
	}
	j.step("plain git clones %s/git/%s.git", j.server.url, j.repository())
	return nil
}

func (j *job) repository() string { return j.team + "/" + j.service }

func (j *job) cloneURL() string { return j.server.url + "/git/" + j.repository() + ".git" }

// follow watches a run to its end, telling each step that ends, and stops early where it waits for a person.
func (j *job) follow(ctx context.Context, api *client.Client, id string, ended func(client.Step)) (r client.RunDetail, err error) {
	err = api.FollowRun(ctx, id, func(now client.RunDetail) (bool, error) {
		r = now
		for _, s := range now.Steps {
			if s.State == "succeeded" && ended != nil {
				ended(s)
			}
		}
		return now.Terminal || now.Waiting, nil
	})
	return r, err
}

// find waits for a run of a kind at a commit.
func (j *job) find(ctx context.Context, kind, subject, commit string) (client.Run, error) {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for {
		page, err := client.Get[client.List[client.Run]](ctx, j.alice.api, "/runs", url.Values{"kind": {kind}, "subject": {subject}, "commit": {commit}})
		if err != nil {
			return client.Run{}, err
		}
		if len(page.Items) > 0 {
			return page.Items[0], nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return client.Run{}, fmt.Errorf("no %s run of %s at %.8s began", kind, subject, commit)
		}
	}
}

func (j *job) pipeline(ctx context.Context) error {
	commit, err := j.head(ctx)
	if err != nil {
		return err
	}
	return j.built(ctx, commit)
}

// built waits until the pipeline of a commit has passed, telling its steps and the end of their logs.
func (j *job) built(ctx context.Context, commit string) error {
	found, err := j.find(ctx, "workflow", "component:default/"+j.service, commit)
	if err != nil {
		return err
	}
	j.step("pipeline of %.8s: %s", commit, found.ID)
	told := map[string]bool{}
	r, err := j.follow(ctx, j.alice.api, found.ID, func(s client.Step) {
		if !told[s.ID] {
			told[s.ID] = true
			j.step("%s: %s", s.Title, s.State)
			j.lastLines(ctx, found.ID, s, 2)
		}
	})
	if err != nil {
		return err
	}
	if r.State != "succeeded" {
		j.failures(ctx, r)
		return fmt.Errorf("the pipeline ended as %s: %s", r.State, r.Reason)
	}
	return nil
}

// failures shows how the logs of the steps end that failed.
func (j *job) failures(ctx context.Context, r client.RunDetail) {
	for _, s := range r.Steps {
		if s.State == "failed" {
			j.step("%s: %s", s.Title, s.State)
			j.lastLines(ctx, r.ID, s, 20)
		}
	}
}

// lastLines shows how a step's log ends. What the platform itself has to say there matters where a step fails.
func (j *job) lastLines(ctx context.Context, run string, step client.Step, lines int) {
	var text []byte
	if err := j.alice.api.Do(ctx, "GET", "/runs/"+run+"/steps/"+step.ID+"/log", nil, nil, &text); err != nil {
		return
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	all = slices.DeleteFunc(all, func(line string) bool {
		return line == "" || (step.State == "succeeded" && strings.HasPrefix(line, "roadbed: "))
	})
	if len(all) > 0 {
		j.quote(strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
}

func (j *job) infrastructure(ctx context.Context) error {
	stack := "stack:default/" + j.service + "-infra"
	page, err := client.Get[client.List[client.Run]](ctx, j.alice.api, "/runs", url.Values{"kind": {"stack"}, "subject": {stack}})
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		return fmt.Errorf("%s has no run", stack)
	}
	id := page.Items[0].ID
	r, err := j.follow(ctx, j.alice.api, id, nil)
	if err != nil {
		return err
	}
	if !r.Waiting {
		j.failures(ctx, r)
		return fmt.Errorf("the stack's run is %s: %s", r.State, r.Reason)
	}
	for _, d := range r.Decisions {
		j.step("policies at the point %s: %s", d.Point, strings.Join(d.Policies, ", "))
	}
	j.step("%s", r.Reason)
	_, err = client.Post[client.RunDetail](ctx, j.alice.api, "/runs/"+id+"/confirm", nil)
	if !fault.Is(err, fault.Denied) {
		return fmt.Errorf("an author could confirm her own run: %w", err)
	}
	j.step("Alice may not confirm it herself: %s", fault.Message(err))
	if _, err := client.Post[client.RunDetail](ctx, j.bob.api, "/runs/"+id+"/confirm", map[string]string{"note": "looks right"}); err != nil {
		return err
	}
	j.step("Bob confirms")
	if r, err = j.follow(ctx, j.bob.api, id, nil); err != nil {
		return err
	}
	if r.State != "finished" {
		j.failures(ctx, r)
		return fmt.Errorf("the stack's run ended as %s: %s", r.State, r.Reason)
	}
	j.step("%s", r.Reason)
	s, err := client.Get[client.Stack](ctx, j.bob.api, "/stacks/default/"+j.service+"-infra", nil)
	if err != nil {
		return err
	}
	if s.State == nil || len(s.State.Outputs) == 0 {
		return fmt.Errorf("the stack has no outputs")
	}
	outputs, err := json.Marshal(s.State.Outputs)
	if err != nil {
		return err
	}
	j.step("state %d with outputs %s", s.State.Serial, outputs)
	return nil
}
