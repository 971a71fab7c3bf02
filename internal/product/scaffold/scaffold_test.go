package scaffold_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const serviceTemplate = `apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: service, title: A service}
spec:
  type: service
  owner: group:default/platform
  parameters:
    - title: About it
      required: [name]
      properties:
        name: {type: string, pattern: '^[a-z][a-z0-9-]*$', minLength: 2}
        replicas: {type: integer, default: 2, minimum: 1}
        tags: {type: array, items: {type: string}, default: [a, b]}
        password: {type: string, ui:field: Secret}
  steps:
    - id: fetch
      action: fetch:template
      input:
        url: ./skeleton
        copyWithoutTemplating: [static/**]
        values: {name: '${{ parameters.name }}', replicas: '${{ parameters.replicas }}', by: '${{ user.ref }}', password: '${{ parameters.password }}'}
    - id: each
      action: debug:log
      each: ${{ parameters.tags }}
      if: ${{ each.value != 'b' }}
      input: {message: 'tag ${{ each.value }} ${{ parameters.password }}'}
    - id: never
      if: ${{ parameters.replicas > 100 }}
      action: fs:delete
      input: {files: ['**']}
    - id: publish
      name: Publish ${{ parameters.name }}
      action: publish:roadbed
      input: {repoUrl: 'roadbed?owner=team&repo=${{ parameters.name }}', description: 'It is ${{ parameters.name }}'}
    - id: register
      action: catalog:register
      input: {repoContentsUrl: '${{ steps.publish.output.repoContentsUrl }}', catalogInfoPath: /catalog-info.yaml}
  output:
    links:
      - {title: Repository, url: '${{ steps.publish.output.remoteUrl }}'}
      - {title: Catalog, entityRef: '${{ steps.register.output.entityRef }}'}
      - {title: Never, url: x, if: '${{ parameters.replicas > 100 }}'}
`

var serviceFiles = map[string]string{
	"service/template.yaml": serviceTemplate,
	"service/skeleton/catalog-info.yaml": `apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: "${{ values.name }}"}
spec: {type: service, owner: "${{ values.by }}", lifecycle: experimental}
`,
	"service/skeleton/${{ values.name }}.txt":                         "replicas: ${{ values.replicas }}{# gone #}\n",
	"service/skeleton/static/keep.txt":                                "${{ values.name }} {{ argo }}\n",
	"service/skeleton/{% if values.replicas > 5 %}big.txt{% endif %}": "big",
}

func TestGoldenPath(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.template("default", serviceFiles)
		d := b.use("alice", scaffold.NewRun{Template: "template:default/service", Values: map[string]any{"name": "shop", "password": "hunter2"}})
		if d.Run.State != "finished" {
			t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		if got := b.file("team/shop", "shop.txt"); got != "replicas: 2\n" {
			t.Errorf("shop.txt is %q", got)
		}
		if got := b.file("team/shop", "static/keep.txt"); got != "${{ values.name }} {{ argo }}\n" {
			t.Errorf("a file that is to be copied is %q", got)
		}
		if got := b.file("team/shop", "catalog-info.yaml"); !strings.Contains(got, `owner: "user:default/alice"`) {
			t.Errorf("the catalog file does not know who uses the template: %s", got)
		}
		if _, err := b.git.ReadFile(accesstest.As("adam"), "team/shop", "", "big.txt", 100); !fault.Is(err, fault.NotFound) {
			t.Errorf("a file whose name renders to nothing is there: %v", err)
		}
		if _, err := b.catalog.Get(accesstest.As("rita"), ref.New("component", "", "shop")); err != nil {
			t.Errorf("the component is not registered: %v", err)
		}
		out := output(t, d.Run)
		if got := fmt.Sprint(out["links"]); got != "[map[title:Repository url:https://roadbed.test/git/team/shop.git] map[entityRef:component:default/shop title:Catalog]]" {
			t.Errorf("links are %s", got)
		}
		if made, ok := out["made"].([]any); !ok || len(made) != 2 {
			t.Errorf("made is %v", out["made"])
		}
		checkNoSecret(t, b, d, "hunter2")
		checkLineage(t, b, d.Run.ID)
	})
}

// checkNoSecret looks for a secret of the form wherever people can look.
func checkNoSecret(t *testing.T, b *bench, d run.Detail, secret string) {
	t.Helper()
	seen := string(d.Run.Input) + string(d.Run.Output) + d.Run.Reason + d.Run.Title
	for _, s := range d.Steps {
		seen += string(s.Result.Data) + s.Result.Message + string(s.Job.Input)
		p := make([]byte, 10000)
		n, _, _, err := b.runs.ReadLog(accesstest.As("adam"), d.Run.ID, s.ID, s.Attempt, 0, p)
		if err != nil {
			t.Fatal(err)
		}
		if s.Key == "each" && string(p[:n]) != "round 1 of 1\ntag a ***\n" {
			t.Errorf("the log of the repeated step is %q", p[:n])
		}
		seen += string(p[:n])
	}
	if strings.Contains(seen, secret) {
		t.Error("the secret of the form can be seen")
	}
}

func checkLineage(t *testing.T, b *bench, runID string) {
	t.Helper()
	for _, thing := range []string{"template:default/service", "team/shop", "repository:team/shop", "component:default/shop"} {
		found, err := b.LineageOf(accesstest.As("rita"), thing, 10)
		if err != nil || len(found) != 1 {
			t.Errorf("lineage of %s: %v, %v", thing, found, err)
			continue
		}
		l := found[0]
		if l.Run != runID || l.Template != "template:default/service" || l.Commit == "" || l.Values["name"] != "shop" || l.Values["password"] != nil || len(l.Made) != 2 || l.Finished.IsZero() {
			t.Errorf("lineage of %s is %+v", thing, l)
		}
	}
	if found, err := b.LineageOf(accesstest.As("carol"), "team/shop", 10); err != nil || len(found) != 0 {
		t.Errorf("somebody without rights sees %v, %v", found, err)
	}
}

func TestStartRefusesBeforeAnythingHappens(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", serviceFiles)
	b.world.Space("closed", "default")
	b.template("closed", map[string]string{"template.yaml": strings.Replace(serviceTemplate, "name: service,", "name: private,", 1)})
	good := map[string]any{"name": "shop"}
	for _, c := range []struct {
		name, who string
		run       scaffold.NewRun
		kind      fault.Kind
		says      string
	}{
		{"nobody", "", scaffold.NewRun{Template: "service", Values: good}, fault.Unauthenticated, ""},
		{"a reader", "rita", scaffold.NewRun{Template: "service", Values: good}, fault.Denied, ""},
		{"another space", "carol", scaffold.NewRun{Template: "service", Values: good}, fault.Denied, ""},
		{"a template that may not be seen", "carol", scaffold.NewRun{Template: "private", Values: good, Space: "lab"}, fault.NotFound, ""},
		{"no template", "alice", scaffold.NewRun{Template: "nosuch", Values: good}, fault.NotFound, ""},
		{"no values", "alice", scaffold.NewRun{Template: "service"}, fault.Invalid, "parameters.name: is missing"},
		{"a wrong value", "alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "Shop"}}, fault.Invalid, "parameters.name: 'Shop' does not match pattern"},
		{"two wrong values", "alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop", "replicas": 0, "tags": "x"}}, fault.Invalid, "parameters.tags: got string, want array"},
		{"a space that isn't", "alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop", "space": "nosuch"}}, fault.NotFound, ""},
		{"not a template", "alice", scaffold.NewRun{Template: "component:default/x", Values: good}, fault.Invalid, ""},
	} {
		ctx := context.Background()
		if c.who != "" {
			ctx = accesstest.As(c.who)
		}
		_, err := b.Start(ctx, c.run)
		if !fault.Is(err, c.kind) && !(c.kind == fault.NotFound && fault.Is(err, fault.Denied)) {
			t.Errorf("%s: %v, want %v", c.name, err, c.kind)
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", c.name, err, c.says)
		}
	}
	page, err := b.runs.List(accesstest.As("adam"), run.Query{Limit: 10})
	if err != nil || len(page.Runs) != 0 {
		t.Errorf("refused starts left runs: %v, %v", page.Runs, err)
	}
}

func TestBrokenTemplateNamesItsLine(t *testing.T) {
	t.Parallel()
	b := one(t)
	broken := strings.Replace(serviceTemplate, "${{ parameters.replicas > 100 }}\n      action: fs:delete", "${{ parameters.replicas > }}\n      action: fs:del", 1)
	b.template("default", map[string]string{"template.yaml": broken})
	_, err := b.Start(accesstest.As("alice"), scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("a broken template starts: %v", err)
	}
	text := err.Error()
	for _, want := range []string{"template.yaml:28:", `action "fs:del" is not installed here`, "fs:delete", "template.yaml:29:", "unexpected token"} {
		if !strings.Contains(text, want) {
			t.Errorf("the error does not say %q:\n%s", want, text)
		}
	}
}

func TestTemplateOfTheSpaceAboveIsUsed(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", serviceFiles)
	form, err := b.ParameterSchema(accesstest.As("carol"), "service")
	if err != nil || form.Title != "A service" || len(form.Pages) != 1 {
		t.Errorf("the form is %+v, %v", form, err)
	}
	d := b.use("carol", scaffold.NewRun{Template: "service", Space: "lab", Values: map[string]any{"name": "shop"}})
	if d.Run.State != "finished" || d.Run.Space != "lab" {
		t.Fatalf("the run in %s is %s: %s", d.Run.Space, d.Run.State, d.Run.Reason)
	}
	if r, err := b.git.Get(accesstest.As("carol"), "team/shop"); err != nil || r.Space != "lab" {
		t.Errorf("the repository is in space %s, %v", r.Space, err)
	}
}

func TestSecondStartWithTheSameKey(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", serviceFiles)
	n := scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}, Key: "once"}
	first, err := b.Start(accesstest.As("alice"), n)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Start(accesstest.As("alice"), n)
	if err != nil || again != first {
		t.Errorf("the second start gives %s, %v; want %s", again, err, first)
	}
	other, err := b.Start(accesstest.As("bob"), n)
	if err != nil || other == first {
		t.Errorf("somebody else's start with that key gives %s, %v", other, err)
	}
}

func TestRightsAreAskedAgainAtEachStep(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", serviceFiles)
	id, err := b.Start(accesstest.As("alice"), scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	b.people.gone["alice"] = true
	b.drain()
	if d := b.detail(id); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "is gone") {
		t.Errorf("the run of somebody who is gone is %s: %s", d.Run.State, d.Run.Reason)
	}
}

func TestTokenStaysNarrow(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", serviceFiles)
	alice := actor.From(accesstest.As("alice"))
	alice.Scopes = []string{"template:use", "entity:read", "run:read"}
	id, err := b.Start(actor.With(context.Background(), alice), scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	b.drain()
	d := b.detail(id)
	if d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "repository:create") || !strings.Contains(d.Run.Reason, "nothing was made") {
		t.Errorf("a run of a narrow token is %s: %s", d.Run.State, d.Run.Reason)
	}
}

func TestTakenNameIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", serviceFiles)
	first := b.use("bob", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
	if first.Run.State != "finished" {
		t.Fatal(first.Run.Reason)
	}
	second := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
	if second.Run.State != "failed" || !strings.Contains(second.Run.Reason, "team/shop exists already") || !strings.Contains(second.Run.Reason, "nothing was made") {
		t.Errorf("the run is %s: %s", second.Run.State, second.Run.Reason)
	}
	if err := b.Undo(accesstest.As("alice"), second.Run.ID); err != nil {
		t.Fatal(err)
	}
	b.drain()
	if d := b.detail(second.Run.ID); d.Run.State != "undone" {
		t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
	}
	b.file("team/shop", "shop.txt") // bob's is still there
}

// sealed counts the runs that have secrets.
func (b *bench) sealed() (n int) {
	b.t.Helper()
	err := b.db.Read(context.Background(), func(tx *store.Tx) error {
		return tx.QueryRow(context.Background(), "SELECT COUNT(*) FROM scaffold_tasks WHERE sealed IS NOT NULL").Scan(&n)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestSecretsOfOldRunsAreDropped(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", map[string]string{"template.yaml": failing, "skeleton/a.txt": "a"})
	d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop", "password": "hunter2"}})
	if err := b.Expire(context.Background()); err != nil || b.sealed() != 1 {
		t.Fatalf("the secrets of a run that may go on are dropped: %v", err)
	}
	b.late = 15 * 24 * time.Hour
	if err := b.Expire(context.Background()); err != nil || b.sealed() != 0 {
		t.Fatalf("the secrets of an old run are kept: %v", err)
	}
	if err := b.runs.Retry(accesstest.As("alice"), d.Run.ID); err != nil {
		t.Fatal(err)
	}
	b.drain()
	if d = b.detail(d.Run.ID); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "too old to be continued") {
		t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
	}
}

func BenchmarkGoldenPath(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms...))
	bench.install()
	n := 0
	for b.Loop() {
		n++
		d := bench.use("alice", scaffold.NewRun{Template: "go-service", Values: map[string]any{"name": fmt.Sprint("shop-", n), "owner": "team"}})
		if d.Run.State != "finished" {
			b.Fatal(d.Run.Reason)
		}
	}
}
