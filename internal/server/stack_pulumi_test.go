package server

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// pulumiVersion is the version of Pulumi that `make pulumi` builds.
const pulumiVersion = "3.274.1"

// pulumiGround is a ground whose pool has Pulumi, its language YAML and the provider of shelves, and nothing of that on PATH.
func pulumiGround(t *testing.T, database string, network bool) *ground {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "roadbed", "pulumi-"+pulumiVersion)
	for _, name := range []string{"pulumi", "pulumi-language-yaml", "pulumi-resource-shelf"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			lacktest.Skip(t, "there is no %s; run make pulumi", name)
		}
	}
	o := options(t)
	o.Network, o.pulumi = network, filepath.Join(folder, "pulumi")
	if database != "" {
		o.Database = database
	}
	h, server := openWith(t, o)
	return newGround(t, h, server)
}

// shelf is where items of the provider lie: their bodies, by id. An item whose text is "refused" is, and one whose body is
// unreadable nobody gets.
type shelf struct {
	url   string
	mu    sync.Mutex
	items map[string]string
}

const unreadable = "unreadable"

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{items: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.TrimPrefix(r.URL.Path, "/")
	body, there := s.items[id]
	switch r.Method {
	case http.MethodPut:
		b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil || strings.Contains(string(b), `"text":"refused"`) {
			http.Error(w, "no", http.StatusConflict)
			return
		}
		s.items[id] = string(b)
	case http.MethodDelete:
		delete(s.items, id)
	default:
		if !there {
			http.NotFound(w, r)
			return
		}
		if body == unreadable {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, body) // a client that is gone needs none
	}
}

// all gives what lies there, in order.
func (s *shelf) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Values(s.items))
}

// put lays an item there in the place of the one whose body has a text; "" takes it away.
func (s *shelf) put(with, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, is := range s.items {
		switch {
		case !strings.Contains(is, with):
		case body == "":
			delete(s.items, id)
		default:
			s.items[id] = body
		}
	}
}

// pulumiProgram keeps a secret, and makes one thing of another that is not known before it is there. Where it says that its
// state be kept is overruled.
const pulumiProgram = `name: shop
runtime: yaml
backend: {url: "file:///nowhere"}
config:
  says: {type: string}
  sizes: {type: array, items: {type: integer}}
resources:
  first:
    type: shelf:Item
    properties:
      name: one
      text: ${says}
      word: {fn::secret: a-word-nobody-sees}
  second:
    type: shelf:Item
    properties: {name: two, text: "${first.key}"}
outputs:
  says: ${first.text}
  many: ${sizes}
  key: ${first.key}
`

// TestAPulumiProgramIsPreviewedReviewedAndUpdated tells the life of a stack of Pulumi's, by the real program. What it makes
// lies on a server, where others change it.
func TestAPulumiProgramIsPreviewedReviewedAndUpdated(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		g, there := pulumiGround(t, database, true), newShelf(t)
		if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/passphrase", nil, map[string]any{"value": "open-sesame"}, nil); err != nil {
			t.Fatal(err)
		}
		g.policy("no-secrets", "plan", `deny["it sees what is secret"] { contains(json.marshal(input), "a-word-nobody-sees") }
warn[m] {
  s := input.pulumi.steps[_]
  s.type == "shelf:index:Item"
  m := sprintf("%s %s", [s.op, s.urn])
}`, "")
		more := "  vendor: {pulumi: {stackName: prod}}\n  network: true\n  environment: [{name: PULUMI_CONFIG_PASSPHRASE, secretRef: default/passphrase}, {name: SHELF, value: '" + there.url + "'}]\n"
		declare := func(says string) string {
			return more + "  variables: {says: " + says + ", sizes: [1, 2]}\n"
		}
		files := map[string]string{"Pulumi.yaml": pulumiProgram}
		id := g.tool("shop", declare("hello"), files)
		g.wantRun(g.rests(id), "unconfirmed", "3 to create, 3 outputs change; waits for somebody to confirm it")
		p := g.plan(id)
		if p.Vendor != "pulumi" || len(p.Changes) != 3 || p.Changes[0].Address != "pulumi:pulumi:Stack.shop-prod" || p.Changes[1].Address != "shelf:index:Item.first" {
			t.Fatalf("the plan is %s", asJSON(t, p))
		}
		if after := asJSON(t, p.Changes[1].After); after != `{"name":"one","text":"hello","word":"(sensitive value)"}` {
			t.Errorf("the first item will be %s", after)
		}
		if after := asJSON(t, p.Changes[2].After); !strings.Contains(after, `"name":"two"`) || strings.Contains(after, "04da6b54") {
			t.Errorf("the second item will be %s, unknown %s", after, asJSON(t, p.Changes[2].AfterUnknown))
		}
		noSecret := func(id string, steps ...string) {
			t.Helper()
			for _, step := range steps {
				if log := g.log(id, step); strings.Contains(log, "a-word-nobody-sees") || strings.Contains(log, "open-sesame") || strings.Contains(log, "key-") {
					t.Errorf("the log of %s has what is secret:\n%s", step, log)
				}
			}
		}
		noSecret(id, "plan")
		if all := asJSON(t, p); strings.Contains(all, "a-word-nobody-sees") || strings.Contains(all, "ciphertext") {
			t.Errorf("the plan has what is secret: %s", all)
		}
		if got := there.all(); len(got) > 0 {
			t.Fatalf("before anybody has confirmed it there are %q", got)
		}
		g.wantRun(g.confirms(id), "finished", "applied: 3 to create")
		noSecret(id, "apply")
		if got := there.all(); len(got) != 2 || got[0] != `{"name":"one","text":"hello"}` || !strings.HasPrefix(got[1], `{"name":"two","text":"key-`) {
			t.Errorf("there are %q", got)
		}
		s := g.stackNow("shop")
		if s.State == nil || s.State.Resources != 2 || string(s.State.Outputs["says"].Value) != `"hello"` || string(s.State.Outputs["many"].Value) != "[1,2]" ||
			!s.State.Outputs["key"].Sensitive || s.State.Outputs["key"].Value != nil {
			t.Fatalf("the stack has %s", asJSON(t, s.State))
		}
		g.wantAddresses("admin", "?stack=default/shop", "shop shelf:index:Item.first", "shop shelf:index:Item.second")

		// Nothing has drifted, until somebody changes what is there, or takes it away. A run mends it.
		g.wantRun(g.drifts("shop"), "finished", "no drift")
		there.put(`"name":"one"`, `{"name":"one","text":"by hand"}`)
		g.wantRun(g.drifts("shop"), "finished", "drifted: 1 to change")
		there.put(`"name":"two"`, "")
		look := g.drifts("shop")
		g.wantRun(look, "finished", "drifted: 1 to create, 1 to change")
		g.followed("stack.ends", "run.state-changed", look.ID, `"finished"`)
		if got := g.marks(""); got["shelf:index:Item.first"] != "update" || got["shelf:index:Item.second"] != "create" {
			t.Errorf("marked is %v", got)
		}
		again, err := g.begins("shop", "tracked")
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(again.ID), "unconfirmed", "1 to create, 1 to change")
		g.wantRun(g.confirms(again.ID), "finished", "applied: 1 to create, 1 to change")
		if got := there.all(); len(got) != 2 || got[0] != `{"name":"one","text":"hello"}` {
			t.Errorf("there are %q", got)
		}

		// What can't be changed is replaced, and what is made of it changes. Outputs may be all that does.
		files["Pulumi.yaml"] = strings.Replace(pulumiProgram, "name: one", "name: uno", 1)
		id = g.stackRun("shop", g.pushTool("shop", files))
		g.wantRun(g.rests(id), "unconfirmed", "1 to change, 1 to replace, 1 output changes")
		g.wantRun(g.confirms(id), "finished", "applied: 1 to change, 1 to replace")
		noSecret(id, "plan", "apply")
		if got := there.all(); len(got) != 2 || !strings.HasPrefix(got[0], `{"name":"two","text":"key-`) || got[1] != `{"name":"uno","text":"hello"}` {
			t.Errorf("there are %q", got)
		}
		files["Pulumi.yaml"] += "  more: [1, {a: b}]\n"
		id = g.stackRun("shop", g.pushTool("shop", files))
		g.wantRun(g.rests(id), "unconfirmed", "1 output changes")
		if o := g.plan(id).Outputs; len(o) != 1 || o[0].Action != "create" || asJSON(t, o[0].After) != `[1,{"a":"b"}]` {
			t.Errorf("of outputs the plan says %s", asJSON(t, o))
		}
		g.wantRun(g.confirms(id), "finished", "applied")
		if got := g.output("shop", "more"); got != `[1,{"a":"b"}]` {
			t.Errorf("the output is %s", got)
		}
		files["note.md"] = "of no effect\n"
		g.wantRun(g.rests(g.stackRun("shop", g.pushTool("shop", files))), "finished", "nothing to change")

		// An update that fails half way leaves what it has made.
		files["Pulumi.yaml"] = strings.Replace(files["Pulumi.yaml"], "outputs:", `  third:
    type: shelf:Item
    properties: {name: three, text: fine}
  fourth:
    type: shelf:Item
    properties: {name: four, text: refused}
    options: {dependsOn: ["${third}"]}
outputs:`, 1)
		id = g.stackRun("shop", g.pushTool("shop", files))
		g.wantRun(g.rests(id), "unconfirmed", "2 to create")
		g.wantRun(g.confirms(id), "failed", "applying: shelf:index:Item (fourth): ")
		if log := g.log(id, "apply"); !strings.Contains(log, "the shelf says 409") {
			t.Errorf("the apply says\n%s", log)
		}
		if s := g.stackNow("shop"); s.State.Resources != 3 {
			t.Errorf("after an update that failed the state has %d resources, want 3", s.State.Resources)
		}
		files["Pulumi.yaml"] = strings.Replace(files["Pulumi.yaml"], "refused", "taken", 1)
		id = g.stackRun("shop", g.pushTool("shop", files))
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		g.wantRun(g.confirms(id), "finished", "applied: 1 to create")

		// A program that can't be previewed says why. A task works on the state.
		files["Pulumi.yaml"] += "  wrong: ${nothing}\n"
		id = g.stackRun("shop", g.pushTool("shop", files))
		g.wantRun(g.rests(id), "failed", `resource or variable named "nothing"`)
		if log := g.log(id, "plan"); !strings.Contains(log, `"nothing"`) {
			t.Errorf("the preview says\n%s", log)
		}
		task, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/shop/runs", map[string]any{
			"type": "task", "command": "pulumi stack ls && pulumi state delete --yes urn:pulumi:prod::shop::shelf:index:Item::fourth",
		})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, task.ID, ended), "finished", "the command is done")
		if s := g.stackNow("shop"); s.State.Resources != 3 {
			t.Errorf("after the task the state has %d resources, want 3", s.State.Resources)
		}

		task, err = client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/shop/runs", map[string]any{
			"type": "task", "command": "pulumi state delete --yes urn:pulumi:prod::shop::shelf:index:Item::nothing\npulumi stack ls",
		})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, task.ID, ended), "failed", "")

		destroy, err := g.begins("shop", "destroy")
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(destroy.ID), "unconfirmed", "4 to destroy")
		if all := asJSON(t, g.plan(destroy.ID)); strings.Contains(all, "a-word-nobody-sees") || !strings.Contains(all, "shelf:index:Item.first") {
			t.Errorf("the plan of the destruction is %s", all)
		}
		g.wantRun(g.confirms(destroy.ID), "finished", "applied: 4 to destroy")
		noSecret(destroy.ID, "plan", "apply")
		if got := there.all(); len(got) != 1 || !strings.Contains(got[0], "four") {
			t.Errorf("what is left is %q, want what the task has had Pulumi forget", got)
		}
		if s := g.stackNow("shop"); s.State.Resources != 0 || len(s.State.Outputs) > 0 {
			t.Errorf("after the destruction the state is %s", asJSON(t, s.State))
		}
		if destroy, err = g.begins("shop", "destroy"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(destroy.ID), "finished", "")
	})
}

// TestAPulumiProgramIsReadWithoutANetwork has steps that reach nothing at all, no passphrase, a configuration that only a hook
// knows, and a name with an organization.
func TestAPulumiProgramIsReadWithoutANetwork(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		g := pulumiGround(t, database, false)
		if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/word", nil, map[string]any{"value": "a-word-nobody-sees"}, nil); err != nil {
			t.Fatal(err)
		}
		more := `  vendor: {pulumi: {stackName: acme/shop/prod}}
  environment: [{name: WORD, secretRef: default/word}]
  hooks: {afterInit: ['pulumi config set --secret word "$WORD"']}
  variables: {password: "correct horse battery staple 7!", sizes: {eu: 3, us: "07"}}
`
		files := map[string]string{"Pulumi.yaml": `name: shop
runtime: yaml
config:
  word: {type: string, secret: true}
  password: {type: string}
  sizes: {type: object}
resources:
  only:
    type: shelf:Item
    properties: {name: one, text: "${password}", word: "${word}"}
outputs:
  word: ${only.word}
  eu: ${sizes.eu}
`}
		id := g.tool("shop", more, files)
		g.wantRun(g.rests(id), "unconfirmed", "2 to create, 2 outputs change")
		if all := asJSON(t, g.plan(id)); strings.Contains(all, "a-word-nobody-sees") || strings.Contains(all, "ciphertext") {
			t.Errorf("the plan has what is secret: %s", all)
		}
		g.wantRun(g.confirms(id), "finished", "applied: 2 to create")
		s := g.stackNow("shop")
		if s.State == nil || s.State.Resources != 1 || !s.State.Outputs["word"].Sensitive || string(s.State.Outputs["eu"].Value) != "3" {
			t.Fatalf("the stack has %s", asJSON(t, s.State))
		}
		for _, step := range []string{"plan", "apply"} {
			if log := g.log(id, step); strings.Contains(log, "a-word-nobody-sees") {
				t.Errorf("the log of %s has what is secret:\n%s", step, log)
			}
		}
		g.wantRun(g.drifts("shop"), "finished", "no drift")
		destroy, err := g.begins("shop", "destroy")
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(destroy.ID), "unconfirmed", "2 to destroy")
		g.wantRun(g.confirms(destroy.ID), "finished", "applied: 2 to destroy")
	})
}
