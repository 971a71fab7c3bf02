package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
)

// light are small programs that the test builds: the service, and an engine for its infrastructure, unless
// ROADBED_CRASH_ENGINE names a real one.
type light struct{ service, engine string }

func buildLight(t *testing.T) (l light) {
	t.Helper()
	dir := t.TempDir()
	for name, path := range map[string]*string{"lightservice": &l.service, "lightengine": &l.engine} {
		*path = filepath.Join(dir, name)
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", *path, "./testdata/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v: %s", name, err, out)
		}
	}
	if real := os.Getenv("ROADBED_CRASH_ENGINE"); real != "" {
		l.engine = real
	}
	return l
}

// lightPipeline does what the shipped one does, save that it takes a program that is built already.
const lightPipeline = `apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: "${{ values.name }}-pipeline"}
spec:
  entrypoint: pipeline
  templates:
    - name: pipeline
      dag:
        tasks:
          - {name: test, template: test}
          - {name: build, template: build}
          - name: pack
            template: pack
            depends: test && build
            arguments:
              artifacts: [{name: app, from: "{{tasks.build.outputs.artifacts.app}}"}]
          - name: deploy
            template: deploy
            depends: pack
            arguments:
              parameters: [{name: digest, value: "{{tasks.pack.outputs.parameters.digest}}"}]
    - name: test
      metadata: {annotations: {roadbed.dev/checkout: /work/src}}
      container: {image: busybox, command: [sh, -ec], args: ["grep -q GREETING deploy/configmap.yaml"]}
    - name: build
      metadata: {annotations: {roadbed.dev/checkout: /work/src}}
      container: {image: busybox, command: [sh, -ec], args: ["mkdir -p /work/out && cp bin/app /work/out/app"]}
      outputs: {artifacts: [{name: app, path: /work/out/app}]}
    - name: pack
      inputs: {artifacts: [{name: app, path: /work/in/app, mode: 0755}]}
      metadata: {annotations: {roadbed.dev/tools: roadbed, roadbed.dev/door: "true", roadbed.dev/scopes: artifact:write}}
      container:
        image: roadbed
        command: [sh, -ec]
        args:
          - >-
            echo $ROADBED_COMMIT > /work/commit;
            roadbed image pack --file /work/in/app=/app --file /work/commit=/commit --entrypoint /app
            --push registry.local/${{ values.repository }}:$ROADBED_COMMIT --digest-file /work/digest
      outputs: {parameters: [{name: digest, valueFrom: {path: /work/digest}}]}
    - name: deploy
      inputs: {parameters: [{name: digest}]}
      plugin:
        roadbed/deploy-image: {file: deploy/deployment.yaml, image: "${{ values.repository }}", digest: "{{inputs.parameters.digest}}"}
`

// lightInfra is infrastructure whose id shows when it was made twice.
const lightInfra = `variable "name" {
  type = string
}

variable "region" {
  type    = string
  default = "region-one"
}

resource "terraform_data" "database" {
  input = "${var.name}.${var.region}"
}

output "id" {
  value = terraform_data.database.id
}

output "endpoint" {
  value = terraform_data.database.output
}

output "region" {
  value = var.region
}
`

// writeLightPath writes the shipped golden path with a light pipeline, light infrastructure and a program that is
// built already, as the template light-service.
func writeLightPath(t *testing.T, dir, service string) {
	t.Helper()
	files, err := scaffold.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	const from = "go-service/"
	for name, data := range files {
		name, ok := strings.CutPrefix(name, from)
		if !ok || strings.HasPrefix(name, "skeleton/main") || strings.HasPrefix(name, "skeleton/go.mod") || strings.HasPrefix(name, "skeleton/docs") {
			continue
		}
		text := string(data)
		switch name {
		case "template.yaml":
			text = strings.ReplaceAll(strings.ReplaceAll(text, "go-service", "light-service"), "Go service", "Light service")
		case "skeleton/.roadbed/pipeline.yaml.njk":
			text = lightPipeline
		case "skeleton/infra/main.tf.njk":
			text = lightInfra
		case "skeleton/catalog-info.yaml.njk":
			text = strings.ReplaceAll(text, "go-service", "light-service")
		case "skeleton/deploy/deployment.yaml.njk":
			text = strings.Replace(text, "terminationGracePeriodSeconds: 15", "terminationGracePeriodSeconds: 2", 1)
		}
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	program, err := os.ReadFile(service)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "skeleton", "bin", "app"), string(program))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
