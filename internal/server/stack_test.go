package server

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// stackDocument gives a stack of the folder infra of crew/NAME.
func stackDocument(name, more string) string {
	return fmt.Sprintf(`apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: %s}
spec:
  owner: group:default/crew
  source: {repository: crew/%s, branch: main, path: infra}
  variables: {name: %s}
%s`, name, name, name, more)
}

// stack declares a stack whose repository holds a configuration, pushed by Alice, and gives its first run.
func (g *ground) stack(name, configuration, more string) string {
	g.t.Helper()
	commit := g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": configuration})
	g.apply(stackDocument(name, more))
	return g.stackRun(name, commit)
}

func (g *ground) stackRun(name, commit string) string {
	g.t.Helper()
	id, err := g.find(g.t.Context(), "stack", "stack:default/"+name, commit)
	if err != nil {
		g.t.Fatal(err)
	}
	return id
}

func (g *ground) stackNow(name string) client.Stack {
	g.t.Helper()
	s, err := client.Get[client.Stack](g.t.Context(), g.admin, "/stacks/default/"+name, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func (g *ground) output(name, output string) string {
	g.t.Helper()
	s := g.stackNow(name)
	if s.State == nil {
		return ""
	}
	return string(s.State.Outputs[output].Value)
}

// wantNoted fails the test unless something happened to a stack that often, by the ledger, which PostgreSQL seals a
// moment later.
func (g *ground) wantNoted(subject, kind string, want int) {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), 10*time.Second)
	defer stop()
	got := 0
	err := eventually(ctx, func() (bool, error) {
		all, err := client.All[client.Entry](ctx, g.admin, "/ledger", map[string][]string{"ref": {subject}, "type": {kind}})
		got = len(all)
		return got == want, err
	})
	if err != nil {
		g.t.Errorf("the ledger has %d entries of %s, want %d: %v", got, kind, want, err)
	}
}

// TestInfrastructureFromPushToDestruction tells the life of a stack with the real engine.
func TestInfrastructureFromPushToDestruction(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", lightInfra, "")
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "1 to create, 3 outputs change; waits for somebody to confirm it")
		for who, kind := range map[string]fault.Kind{"alice": fault.Denied, "rita": fault.Denied, "mallory": fault.NotFound} {
			if _, err := g.act(who, id, "confirm"); !fault.Is(err, kind) {
				t.Errorf("%s confirms: %v, want %v", who, err, kind)
			}
		}
		if s := g.stackNow("net"); s.State != nil {
			t.Fatalf("a plan left a state: %+v", s.State)
		}
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		first := g.stackNow("net")
		if first.State == nil || first.State.Resources != 1 || first.State.Run != id || first.Lock != "" || g.output("net", "endpoint") != `"net.region-one"` {
			t.Errorf("after the apply the stack is %+v", first)
		}
		if _, err := g.act("bob", id, "confirm"); !fault.Is(err, fault.Conflict) {
			t.Errorf("a finished run is confirmed: %v", err)
		}

		// A push beside its folder starts nothing; one into it a run, which Bob turns down.
		beside := g.push("alice", "crew/net", map[string]string{"README.md": "about"})
		second := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-two")})
		id = g.stackRun("net", second)
		g.wantRun(g.rests(id), "unconfirmed", "1 to change, 2 outputs change")
		if runs := g.runsAt("net", beside); len(runs) > 0 {
			t.Errorf("a push beside the folder started %v", runs)
		}
		if _, err := g.act("bob", id, "discard"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "discarded", "")
		if g.output("net", "region") != `"region-one"` {
			t.Errorf("a discarded run changed the stack to %s", g.output("net", "region"))
		}

		// A preview plans without the lock, also while a run waits; it is never confirmed.
		waiting, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "tracked"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(waiting.ID), "unconfirmed", "1 to change")
		preview, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "proposed"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(preview.ID), "finished", "1 to change")
		if _, err := g.act("bob", preview.ID, "confirm"); !fault.Is(err, fault.Conflict) {
			t.Errorf("a preview is confirmed: %v", err)
		}
		// Destruction waits for the lock until the other run has ended.
		destroy, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "destroy"})
		if err != nil {
			t.Fatal(err)
		}
		if destroy.State != "queued" {
			t.Errorf("a destruction is %s while another run holds the stack", destroy.State)
		}
		if _, err := g.act("alice", waiting.ID, "cancel"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(destroy.ID), "unconfirmed", "1 to destroy")
		if _, err := g.act("bob", destroy.ID, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, destroy.ID, ended), "finished", "applied: 1 to destroy")
		if s := g.stackNow("net"); s.State.Resources != 0 || len(s.State.Outputs) != 0 {
			t.Errorf("after the destruction the state holds %+v", s.State)
		}
	})
}

func ended(r client.RunDetail) bool { return r.Terminal }

func (g *ground) runsAt(name, commit string) []client.Run {
	g.t.Helper()
	page, err := client.Get[client.List[client.Run]](g.t.Context(), g.admin, "/runs", map[string][]string{"subject": {"stack:default/" + name}, "commit": {commit}})
	if err != nil {
		g.t.Fatal(err)
	}
	return page.Items
}

// TestAStackDeploysByItselfWhereNoApprovalIsAskedFor takes the shipped approval policy away.
func TestAStackDeploysByItselfWhereNoApprovalIsAskedFor(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		id := g.stack("net", lightInfra, "  autodeploy: true\n")
		g.wantRun(g.rests(id), "finished", "applied: 1 to create")
	})
}

// TestARepositoryCantTakeItsStateElsewhere overrides the platform's backend in several ways.
func TestARepositoryCantTakeItsStateElsewhere(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", lightInfra, "")
		g.rests(id)
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
		for name, content := range map[string]string{
			"zz_override.tf":                     "terraform {\n  backend \"local\" {}\n}\n",
			"zzz_override.tf":                    "terraform {\n  backend /* x */ \"http\" {\n    lock_method = \"LOCK\"\n  }\n}\n",
			"roadbed_backend_override.tofu.json": `{"terraform":{"backend":{"local":{}}}}`,
		} {
			if strings.HasSuffix(name, ".tofu.json") && !strings.HasSuffix(g.house.engine.path(), "tofu") {
				continue // Terraform reads no such file
			}
			r := g.rests(g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/" + name: content})))
			if r.State != "failed" || !strings.Contains(g.log(r.ID, "plan"), "names a backend") {
				t.Errorf("with %s the run is %s: %s\n%s", name, r.State, r.Reason, g.log(r.ID, "plan"))
			}
			g.do("alice", filepath.Join(g.dir, "alice", "crew/net"), "rm", "--quiet", "-f", "infra/"+name)
		}
	})
}

// TestWhatPoliciesSayOfAPlan has one policy deny and another hold back what would deploy by itself.
func TestWhatPoliciesSayOfAPlan(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", strings.ReplaceAll(lightInfra, "database", "protected"), "  autodeploy: true\n")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create") // the shipped approval policy wants somebody else, whatever the stack says
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		changed := g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		id = g.stackRun("net", changed)
		g.wantRun(g.rests(id), "failed", "a plan policy denies: terraform_data.protected is protected and would be deleted")
		if g.stackNow("net").State.Resources != 1 {
			t.Error("a denied plan changed the stack")
		}
		g.wantNoted("stack:default/net", "stack.state-written", 1)
		if _, err := g.act("bob", id, "confirm"); !fault.Is(err, fault.Conflict) {
			t.Errorf("a denied run is confirmed: %v", err)
		}
		// A warning takes the word of a person, although the stack deploys by itself.
		g.apply(`apiVersion: roadbed.dev/v1
kind: Policy
metadata: {name: outputs}
spec:
  point: plan
  rego: |
    package roadbed.plan
    warn contains "something changes" if count(input.terraform.resource_changes) > 0
`)
		warned := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(strings.ReplaceAll(lightInfra, "database", "protected"), "region-one", "region-two")})
		id = g.stackRun("net", warned)
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "1 to change")
		if len(r.Warnings) != 1 || r.Warnings[0] != "something changes" {
			t.Errorf("its warnings are %q", r.Warnings)
		}
		if _, err := g.act("bob", id, "reject"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.act("admin", id, "confirm"); !fault.Is(err, fault.Denied) || !strings.Contains(fault.Message(err), "a reviewer rejected the run") {
			t.Errorf("a rejected run is confirmed: %v", err)
		}
		if _, err := g.act("bob", id, "approve"); err != nil { // he thinks better of it
			t.Fatal(err)
		}
		if _, err := g.act("alice", id, "confirm"); err != nil { // with his approval the author may
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to change")
	})
}

// TestOnlyWhatIsOnTheBranchIsApplied starts runs at commits beside it.
func TestOnlyWhatIsOnTheBranchIsApplied(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		before := g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		head := g.push("alice", "crew/net", map[string]string{"README.md": "about"})
		clone := filepath.Join(g.dir, "alice", "crew/net")
		g.do("alice", clone, "switch", "--quiet", "--create", "aside")
		write(t, filepath.Join(clone, "infra", "main.tf"), strings.ReplaceAll(lightInfra, "region-one", "region-two"))
		g.do("alice", clone, "commit", "--quiet", "--all", "--message", "aside")
		g.do("alice", clone, "push", "--quiet", "origin", "aside")
		aside := g.do("alice", clone, "rev-parse", "HEAD")
		g.apply(stackDocument("net", ""))
		g.rests(g.stackRun("net", head))
		start := func(kind, commit string) error {
			_, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/net/runs", map[string]string{"type": kind, "commit": commit})
			return err
		}
		for _, kind := range []string{"tracked", "destroy"} {
			if err := start(kind, aside); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "is not on branch main") {
				t.Errorf("a %s run beside the branch: %v", kind, err)
			}
			if err := start(kind, before); err != nil {
				t.Errorf("a %s run at an earlier commit: %v", kind, err)
			}
		}
		if err := start("proposed", aside); err != nil {
			t.Errorf("a preview beside the branch: %v", err)
		}
	})
}

// TestAStackGetsTheEngineThatItAsksFor asks for the one that is there, and for the other.
func TestAStackGetsTheEngineThatItAsksFor(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		here, other := "terraform", "tofu"
		if strings.HasSuffix(g.house.engine.path(), "tofu") {
			here, other = other, here
		}
		g.wantRun(g.rests(g.stack("net", lightInfra, "  engine: {name: "+here+"}\n")), "unconfirmed", "1 to create")
		id := g.stack("web", lightInfra, "  engine: {name: "+other+"}\n")
		switch r := g.rests(id); r.State {
		case "unconfirmed": // the machine has it, too
			if says := map[string]string{"tofu": "roadbed: OpenTofu v", "terraform": "roadbed: Terraform v"}[other]; !strings.Contains(g.log(id, "plan"), says) {
				t.Errorf("asked for %s, the run says:\n%s", other, g.log(id, "plan"))
			}
		default:
			g.wantRun(r, "failed", "there is no ")
		}
	})
}

// TestConfigurationThatIsWrongSaysWhere pushes what no engine takes, then what it takes.
func TestConfigurationThatIsWrongSaysWhere(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", "resource \"terraform_data\" \"x\" {\n  input = nothing\n}\n", "")
		r := g.rests(id)
		g.wantRun(r, "failed", "planning: ")
		if log := g.log(id, "plan"); !strings.Contains(log, "main.tf line 2") {
			t.Errorf("the log does not say where:\n%s", log)
		}
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		g.wantRun(g.rests(g.stackRun("net", commit)), "unconfirmed", "1 to create")
		for where, document := range map[string]string{
			"6:48 spec.source.path":        strings.ReplaceAll(stackDocument("bad", ""), "path: infra", "path: ../x"),
			"6:12 spec.source.repository":  strings.ReplaceAll(stackDocument("bad", ""), "crew/bad", "https://example.com/bad"),
			"8:18 spec.environment.0.name": stackDocument("bad", "  environment: [{name: TF_HTTP_ADDRESS, value: x}]\n"),
			"8:17 spec.environment.0":      stackDocument("bad", "  environment: [{name: X, value: x, secretRef: default/x}]\n"),
			"8:12 spec.engine.name":        stackDocument("bad", "  engine: {name: pulumi}\n"),
			"8:12 spec.limits.time":        stackDocument("bad", "  limits: {time: 600}\n"),
			"8:23 spec.limits.time":        stackDocument("bad", "  limits: {memory: 0, time: 600ns}\n"),
			"8:3 spec.unknown2":            stackDocument("bad", "  unknown2: 1\n"),
		} {
			err := g.try("alice", document)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(fault.Details(err)), where) {
				t.Errorf("want an error at %s: %v %v", where, err, fault.Details(err))
			}
		}
	})
}

// secretInfra has values that nobody may read but the configuration itself.
const secretInfra = `variable "name" { type = string }

variable "password" {
  type      = string
  sensitive = true
}

resource "terraform_data" "account" {
  input = { user = var.name, password = "made-${var.password}" }
}

output "password" {
  value     = "out-${var.password}"
  sensitive = true
}

output "user" {
  value = var.name
}
`

// TestASecretOfThePlatformIsGivenToNoRun: whoever may name it in a document does not come to know it.
func TestASecretOfThePlatformIsGivenToNoRun(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		set := func(body map[string]any) {
			t.Helper()
			if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/forge", nil, body, nil); err != nil {
				t.Fatal(err)
			}
		}
		set(map[string]any{"value": "hush-4711-hush", "platform": true})
		set(map[string]any{"value": "hush-4712-hush"}) // which keeps whom it is for
		secrets, err := client.Get[client.List[client.SecretInfo]](t.Context(), g.admin, "/secrets/default", nil)
		if err != nil || len(secrets.Items) != 1 || !secrets.Items[0].Platform || secrets.Items[0].Shared {
			t.Fatalf("the secrets are %+v, %v", secrets.Items, err)
		}
		id := g.stack("net", secretInfra, "  environment: [{name: TF_VAR_password, secretRef: default/forge}]\n")
		if r := until(t, g.admin, id, ended); r.State != "failed" || !strings.Contains(r.Reason, "secret default/forge is for the platform's own connections, and no run is given it") {
			t.Errorf("the run is %s: %s", r.State, r.Reason)
		}
	})
}

// TestSensitiveValuesOfAStackAreNowhereToRead looks for a secret in all that is shown and in all that is stored.
func TestSensitiveValuesOfAStackAreNowhereToRead(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		const password = "hush-4711-hush"
		if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/db-password", nil, map[string]string{"value": password}, nil); err != nil {
			t.Fatal(err)
		}
		id := g.stack("net", secretInfra, "  environment: [{name: TF_VAR_password, secretRef: default/db-password}]\n")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create, 2 outputs change")
		for _, path := range []string{"/runs/" + id, "/runs/" + id + "/plan", "/runs/" + id + "/steps/plan/log", "/decisions"} {
			var shown []byte
			if err := g.admin.Do(t.Context(), "GET", path, nil, nil, &shown); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(shown, []byte(password)) {
				t.Errorf("GET %s shows the secret:\n%s", path, shown)
			}
		}
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
		if s := g.stackNow("net"); !s.State.Outputs["password"].Sensitive || s.State.Outputs["password"].Value != nil || g.output("net", "user") != `"net"` {
			t.Errorf("the outputs are %+v", s.State.Outputs)
		}
		// Neither the database, nor the blobs, nor what the worker left holds it in the clear.
		err := filepath.WalkDir(g.house.Options.Data, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // files come and go while the server works
			}
			if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(password)) {
				t.Errorf("%s holds the secret in the clear", path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestAStackReadsOnlyWhatItsSpaceMay declares stacks over other people's repositories.
func TestAStackReadsOnlyWhatItsSpaceMay(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}\n")
		g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		_, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{"documents": stackDocument("net", ""), "source": "lab", "space": "lab"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/net/runs", map[string]string{"type": "proposed"}); !fault.Is(err, fault.Denied) {
			t.Errorf("a stack of lab runs over a repository of default: %v", err)
		}
		err = eventually(t.Context(), func() (bool, error) { return g.stackNow("net").Message != "", nil })
		if err != nil {
			t.Fatal(err)
		}
		if s := g.stackNow("net"); !strings.Contains(s.Message, "may not use repository crew/net") || s.LastRun != nil {
			t.Errorf("the stack says %q, its last run is %+v", s.Message, s.LastRun)
		}
		if err := g.try("mallory", stackDocument("other", "")); !fault.Is(err, fault.Denied) {
			t.Errorf("somebody without rights declares a stack: %v", err)
		}
		for _, path := range []string{"/stacks/default/net", "/stacks/default/net/states"} {
			if _, err := client.Get[any](t.Context(), g.as["mallory"], path, nil); !fault.Is(err, fault.NotFound) {
				t.Errorf("GET %s by somebody without rights: %v", path, err)
			}
		}
		for _, who := range []string{"rita", "mallory"} {
			if _, err := client.Post[client.RunDetail](t.Context(), g.as[who], "/stacks/default/net/runs", map[string]string{"type": "tracked"}); !fault.Is(err, fault.Denied) && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s starts a run: %v", who, err)
			}
		}
	})
}

// TestWhatARepositoryBringsInTheEnginesFolderIsNotUsed has a repository choose another workspace by the file that the
// engine would keep in .terraform; programs that lie there as providers are passed over with it.
func TestWhatARepositoryBringsInTheEnginesFolderIsNotUsed(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra, "infra/.terraform/environment": "elsewhere"})
		g.apply(stackDocument("net", ""))
		g.wantRun(g.rests(g.stackRun("net", commit)), "unconfirmed", "1 to create")
	})
}

// TestAPlanReadsItsStateAndWritesNone holds the tokens of a run's steps to what each needs.
func TestAPlanReadsItsStateAndWritesNone(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", lightInfra, "")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		scopes := map[string]string{}
		if err := g.house.DB.Read(t.Context(), func(tx *store.Tx) error {
			steps, err := g.house.Runs.StepsTx(t.Context(), tx, id)
			for _, s := range steps {
				scopes[s.Key] = fmt.Sprint(s.Job.Door, s.Job.Scopes)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"plan": "true [module:read provider:read stack:state-read=default/net mirror:read stack:state-lock=default/net]", "judge": "false []"}; !maps.Equal(scopes, want) {
			t.Errorf("the steps may %v, want %v", scopes, want)
		}
		plan := actor.With(t.Context(), actor.Principal{Kind: actor.Workload, ID: "plan", Run: id, Space: "default", Scopes: []string{"stack:state-read=default/net", "stack:state-lock=default/net"}})
		net, info := ref.New("stack", "default", "net"), []byte(`{"ID": "one"}`)
		if err := g.house.Stacks.Lock(plan, net, info); err != nil {
			t.Errorf("lock: %v", err)
		}
		if _, _, err := g.house.Stacks.State(plan, net); !fault.Is(err, fault.NotFound) {
			t.Errorf("read what is not there yet: %v", err)
		}
		if err := g.house.Stacks.WriteState(plan, net, "one", "", []byte(stateFile(1, "l", "a"))); !fault.Is(err, fault.Denied) {
			t.Errorf("write: %v", err)
		}
		if err := g.house.Stacks.Unlock(plan, net, info, false); err != nil {
			t.Errorf("unlock: %v", err)
		}
		if _, _, err := g.house.Stacks.State(plan, ref.New("stack", "default", "other")); err == nil {
			t.Error("another stack's state is read")
		}
	})
}
