package scaffold_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

var goService = map[string]any{
	"name": "shop-api", "title": `The "shop": API`, "owner": "group:default/Payments", "system": "sales",
	"greeting": `It's #1: "hi" {{ not argo }}`, "replicas": 3, "port": 9090,
}

func (b *bench) install() {
	b.t.Helper()
	if changed, err := b.InstallShipped(context.Background(), messages{b}); err != nil || changed {
		b.t.Fatalf("install the golden paths: %v, %v", changed, err)
	}
	b.faults.count = 0
}

type messages struct{ *bench }

func (m messages) Message(ctx context.Context, repository, commit string) (string, error) {
	log, err := m.git.Log(ctx, repository, commit, "", page.Request{Limit: 1})
	if err != nil {
		return "", err
	}
	return log.Items[0].Message, nil
}

// written puts the files of a dry run into a folder.
func written(t *testing.T, files []scaffold.File) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		name := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func command(t *testing.T, dir string, env []string, argv ...string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

func TestGoServiceIsWellFormed(t *testing.T) {
	t.Parallel()
	b := one(t)
	files, err := scaffold.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	lint, err := b.Lint(context.Background(), "template.yaml", files["go-service/template.yaml"], scaffold.LintOptions{})
	if err != nil || len(lint.Errors)+len(lint.Warnings) > 0 || len(lint.Templates) != 1 {
		t.Errorf("the shipped template: %v, %v, %v", lint.Errors, lint.Warnings, err)
	}
}

func TestGoServiceBuildsAndTests(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.install()
	for _, values := range []map[string]any{goService, {"name": "a1", "owner": "team"}} {
		out, err := b.DryRun(accesstest.As("alice"), scaffold.DryRun{Template: "go-service", Values: values})
		if err != nil {
			t.Fatal(err)
		}
		dir := written(t, out.Files)
		env := []string{"GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off", "CGO_ENABLED=0"}
		command(t, dir, env, "gofmt", "-l", "-d", ".")
		command(t, dir, env, "go", "vet", "./...")
		command(t, dir, env, "go", "test", "./...")
		command(t, dir, env, "go", "build", "-ldflags", "-s -w -X main.commit=abc", "-o", filepath.Join(t.TempDir(), "app"), ".")
		for _, f := range out.Files {
			if strings.Contains(string(f.Content), "${{") || strings.HasSuffix(f.Path, ".njk") {
				t.Errorf("%s is not rendered whole", f.Path)
			}
		}
	}
}

func TestGoServiceInfrastructure(t *testing.T) {
	t.Parallel()
	engine, err := stack.FindEngine(os.Getenv("ROADBED_ENGINE"), stack.BuiltEngine())
	if err != nil {
		t.Fatal(err)
	}
	if engine == "" {
		lacktest.Skip(t, "there is neither OpenTofu nor Terraform: the infrastructure is not validated; run make tools")
	}
	b := one(t)
	b.install()
	out, err := b.DryRun(accesstest.As("alice"), scaffold.DryRun{Template: "go-service", Values: goService})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(written(t, out.Files), "infra")
	rc := filepath.Join(t.TempDir(), "rc")
	if err := os.WriteFile(rc, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"TF_CLI_CONFIG_FILE=" + rc, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	command(t, dir, env, engine, "fmt", "-check", "-diff")
	command(t, dir, env, engine, "init", "-backend=false", "-input=false")
	command(t, dir, env, engine, "validate")
	command(t, dir, env, engine, "apply", "-auto-approve", "-input=false")
	cmd := exec.Command(engine, "output", "-raw", "endpoint")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if got, err := cmd.Output(); err != nil || string(got) != "shop-api-db.local.internal:5432/shop_api" {
		t.Errorf("the endpoint is %q, %v", got, err)
	}
}

func TestGoServiceDocuments(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.install()
	d := b.use("alice", scaffold.NewRun{Template: "go-service", Values: goService})
	if d.Run.State != "finished" {
		t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
	}
	if d.Run.Title != "Go service: shop-api" {
		t.Errorf("the run's title is %q", d.Run.Title)
	}
	found := map[string]document.Document{}
	for _, file := range []string{
		"catalog-info.yaml", ".roadbed/pipeline.yaml", ".roadbed/trigger.yaml", ".roadbed/stack.yaml", ".roadbed/application.yaml",
		"deploy/configmap.yaml", "deploy/deployment.yaml", "deploy/service.yaml", "deploy/ingress.yaml",
	} {
		documents, err := document.Parse(file, []byte(b.file("payments/shop-api", file)), document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range documents {
			if wrong := d.Check(); len(wrong) > 0 {
				t.Errorf("%s: %v", file, wrong)
			}
			found[d.Kind] = d
		}
	}
	for kind, want := range map[string]string{
		"Component":        "annotations.roadbed.dev/repository=payments/shop-api",
		"Location":         "spec.targets=[./.roadbed/*.yaml]",
		"Trigger":          "spec.on=map[push:map[branches:[main] repository:payments/shop-api]]",
		"Stack":            "spec.source=map[branch:main path:infra repository:payments/shop-api]",
		"Application":      "annotations.roadbed.dev/stack=stack:default/shop-api-infra",
		"WorkflowTemplate": "spec.entrypoint=pipeline",
		"Deployment":       "spec.replicas=3",
	} {
		doc, ok := found[kind]
		field, value, _ := strings.Cut(want, "=")
		var got string
		if name, isAnnotation := strings.CutPrefix(field, "annotations."); isAnnotation {
			got = doc.Metadata.Annotations[name]
		} else {
			got = fmt.Sprint(doc.Spec[strings.TrimPrefix(field, "spec.")])
		}
		if !ok || got != value {
			t.Errorf("%s: %s is %q, want %q", kind, field, got, value)
		}
	}
	if got := found["ConfigMap"].Rest["data"]; fmt.Sprint(got) != `map[GREETING:It's #1: "hi" {{ not argo }}]` {
		t.Errorf("the greeting is %v", got)
	}
	if got := found["Component"]; got.Metadata.Title != `The "shop": API` || got.Spec["system"] != "sales" {
		t.Errorf("the component is %+v", got)
	}
	if _, err := b.catalog.Get(accesstest.As("alice"), ref.New("component", "", "shop-api")); err != nil {
		t.Error(err)
	}
}

func TestShippedGoldenPathsKeepWhatPeopleChange(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.install()
	system := actor.AsSystem(context.Background())
	first, err := b.git.Resolve(system, scaffold.ShippedRepository, "")
	if err != nil {
		t.Fatal(err)
	}
	b.install() // a second start changes nothing
	if again, err := b.git.Resolve(system, scaffold.ShippedRepository, ""); err != nil || again != first {
		t.Errorf("a second start moves the head from %s to %s, %v", first, again, err)
	}
	// An older version of the product had another file, and not the same template.
	older := git.CommitRequest{Branch: "main", Parent: first, Message: "older\n\nRoadbed-Shipped: golden paths\n", Changes: []git.FileChange{
		{Path: "go-service/template.yaml", Content: []byte("old")}, {Path: "gone/template.yaml", Content: []byte("old")},
	}}
	if _, err := b.git.CommitFiles(system, scaffold.ShippedRepository, older); err != nil {
		t.Fatal(err)
	}
	b.install()
	if got := b.file(scaffold.ShippedRepository, "go-service/template.yaml"); got == "old" {
		t.Error("a newer version is not installed")
	}
	head, err := b.git.Resolve(system, scaffold.ShippedRepository, "")
	if err != nil {
		t.Fatal(err)
	}
	mine := git.CommitRequest{Branch: "main", Parent: head, Message: "ours", Changes: []git.FileChange{{Path: "go-service/skeleton/ours.txt", Content: []byte("x")}}}
	if _, err := b.git.CommitFiles(accesstest.As("alice"), scaffold.ShippedRepository, mine); err != nil {
		t.Fatal(err)
	}
	changed, err := b.InstallShipped(context.Background(), messages{b})
	if err != nil || !changed {
		t.Errorf("what people changed is not noticed: %v, %v", changed, err)
	}
	b.file(scaffold.ShippedRepository, "go-service/skeleton/ours.txt")
}
