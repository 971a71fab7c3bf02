package workflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestLintPointsAtTheLine checks bad input: line of the file, what is wrong, and what to do.
func TestLintPointsAtTheLine(t *testing.T) {
	t.Parallel()
	s := workflow.ForTest(nil, "deploy-image")
	s.Most = execute.Limits{Memory: 16 << 30, Time: 12 * time.Hour}
	for spec, want := range map[string]string{
		"entrypoint: nothing\ntemplates:\n- {name: a, suspend: {}}":                                                                                                                                                  `5: there is no template "nothing" (there are: a)`,
		"templates:\n- {name: a, suspend: {}}":                                                                                                                                                                       `4: entrypoint is missing (name the template to start with)`,
		"entrypoint: a\ntemplates:\n- name: a\n  containr: {}":                                                                                                                                                       `8: unknown field (did you mean container?)`,
		"entrypoint: a\ntemplates:\n- name: a\n  daemon: true\n  container: {command: [x]}":                                                                                                                          `8: daemon is not supported (start the service within the step that needs it)`,
		"entrypoint: a\ntemplates:\n- name: a\n  container:\n    image: x":                                                                                                                                           `8: command is missing`,
		"entrypoint: a\ntemplates:\n- name: a\n  suspend: {}\n  container: {command: [x]}":                                                                                                                           `7: a template is one thing, not 2`,
		"entrypoint: a\ntemplates:\n- name: a\n  container:\n    command: [x]\n    args:\n    - '{{inputs.parameters.b}}'":                                                                                           `11: {{inputs.parameters.b}} names nothing that is known here`,
		"entrypoint: a\ntemplates:\n- name: a\n  container:\n    command: ['{{=1 +}}']":                                                                                                                              `9: the expression "1 +" is wrong`,
		"entrypoint: a\ntemplates:\n- name: a\n  container:\n    command: [x]\n    volumeMounts: []":                                                                                                                 `10: volumeMounts is not supported`,
		"entrypoint: a\ntemplates:\n- name: a\n  metadata:\n    annotations:\n      roadbed.dev/checkout: /etc\n  container: {command: [x]}":                                                                         `10: roadbed.dev/checkout: "/etc" is not a path below /work`,
		"entrypoint: a\ntemplates:\n- name: a\n  outputs:\n    artifacts:\n    - {name: x, path: /etc/passwd}\n  container: {command: [x]}":                                                                          `10: path "/etc/passwd" is not below /work or /tmp`,
		"entrypoint: a\ntemplates:\n- name: a\n  plugin:\n    other/thing: {}":                                                                                                                                       `9: there is no plugin "other/thing" (there are: roadbed/deploy-image)`,
		"entrypoint: a\ntemplates:\n- name: a\n  retryStrategy:\n    retryPolicy: Sometimes\n  container: {command: [x]}":                                                                                            `9: "Sometimes" is not a policy`,
		"entrypoint: a\npriority: 2147483648\ntemplates:\n- {name: a, suspend: {}}":                                                                                                                                  `6: 2147483648 is no priority`,
		"entrypoint: a\ntemplates:\n- name: a\n  metadata:\n    annotations:\n      roadbed.dev/door: 'true'\n      roadbed.dev/scopes: run:read=\n  container: {command: [x]}":                                      `11: roadbed.dev/scopes: scope "run:read=" is not one`,
		"entrypoint: a\ntemplates:\n- name: a\n  container:\n    command: [x]\n    resources:\n      limits:\n        memory: 17Gi":                                                                                  `12: resources.limits.memory: 17Gi is over 16384 MiB, the most that a step may have here`,
		"entrypoint: a\ntemplates:\n- name: a\n  container:\n    command: [x]\n    resources:\n      limits:\n        memory: nan":                                                                                   `12: resources.limits.memory: "nan" is not a quantity`,
		"entrypoint: a\ntemplates:\n- name: a\n  container:\n    command: [x]\n    resources:\n      limits:\n        memory: 9e9Ti":                                                                                 `12: resources.limits.memory: "9e9Ti" is not a quantity`,
		"entrypoint: a\ntemplates:\n- name: a\n  activeDeadlineSeconds: 43201\n  container: {command: [x]}":                                                                                                          `8: activeDeadlineSeconds: 43201 is over 12h0m0s`,
		"entrypoint: a\ntemplates:\n- name: a\n  script: {command: [x], source: x}\n  timeout: 1d":                                                                                                                   `9: timeout: 1d is over 12h0m0s`,
		"entrypoint: a\nhooks:\n  exit: {template: z}\ntemplates:\n- {name: a, suspend: {}}":                                                                                                                         `7: there is no template "z" (there are: a)`,
		"entrypoint: a\nhooks:\n  exit:\n    template: b\n    arguments: {parameters: [{name: other, value: x}]}\ntemplates:\n- {name: a, suspend: {}}\n- {name: b, inputs: {parameters: [{name: p}]}, suspend: {}}": `9: template b wants the parameter "p"`,
		"entrypoint: a\nhooks:\n  exit:\n    template: a\n    arguments:\n      parameters:\n      - {name: p, value: '{{steps.x.status}}'}\ntemplates:\n- {name: a, suspend: {}}":                                   `11: {{steps.x.status}} names nothing that is known here`,
		"entrypoint: a\nonExit: b\ntemplates:\n- {name: a, suspend: {}}\n- {name: b, inputs: {parameters: [{name: p}]}, suspend: {}}":                                                                                `6: template b takes the parameter "p", which the workflow doesn't have`,
		dag("- {name: x, template: b}\n- {name: x, template: b}"):                                                                                                                                                    `11: "x" is not a name for a task, or is there twice`,
		dag("- {name: x, template: b, depends: y}"):                                                                                                                                                                  `10: there is no task "y" (there are: x)`,
		dag("- {name: x, template: b, depends: 'x ||'}"):                                                                                                                                                             `10: depends ends too early`,
		dag("- {name: x, template: b, depends: z}\n- {name: y, template: b, depends: x}\n- {name: z, template: b, depends: y}"):                                                                                      `9: tasks depend on one another in a circle: x → z → y → x`,
		dag("- {name: x, template: c}"): `10: there is no template "c"`,
		dag("- {name: x, template: b}\n- {name: y, template: b, when: '{{tasks.x.status}} == Failed'}"):                                                             `11: {{tasks.x.status}} names nothing that is known here (only what comes before may be named)`,
		dag("- {name: x, template: b}\n- {name: y, template: b, depends: x, when: '{{tasks.x.outputs.parameters.p}} == 1'}"):                                        `11: {{tasks.x.outputs.parameters.p}}: x puts no such thing out`,
		dag("- {name: x, template: b, when: 'a =='}"):                                                                                                               `10: the condition "a ==" is wrong`,
		dag("- {name: x, template: b, hooks: {running: {template: b}}}"):                                                                                            `10: hook running is not supported (only the hook exit is supported)`,
		dag("- {name: x, template: b, withItems: [1], withParam: '[]'}"):                                                                                            `10: a task has one of withItems, withParam and withSequence`,
		dag("- {name: x, template: b, arguments: {artifacts: [{name: a, from: '{{tasks.y.outputs.artifacts.a}}'}]}}"):                                               `10: "{{tasks.y.outputs.artifacts.a}}" names no artifact`,
		"entrypoint: a\ntemplates:\n- name: a\n  steps:\n  - - {name: x, template: b}\n- name: b\n  inputs: {parameters: [{name: p}]}\n  container: {command: [x]}": `9: template b wants the parameter "p"`,
		"entrypoint: a\ntemplates:\n- name: a\n  steps:\n  - - {name: x, template: a, depends: y}":                                                                  `9: a step can't have depends`,
	} {
		text := "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n" + indent(spec)
		_, err := s.Lint("w.yaml", []byte(text))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s\n%v, want invalid", text, err)
			continue
		}
		found := slices.ContainsFunc(fault.Details(err), func(d fault.Detail) bool {
			message := fmt.Sprintf("%d: %s", d.Line, d.Message)
			if d.Hint != "" {
				message += " (" + d.Hint + ")"
			}
			return d.File == "w.yaml" && strings.HasPrefix(message, want)
		})
		if !found {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}

func dag(tasks string) string {
	return "entrypoint: a\ntemplates:\n- name: a\n  dag:\n    tasks:\n" + indent(indent(tasks)) + "\n- name: b\n  container: {command: [x]}"
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(text, "\n", "\n  ")
}

func TestLintWarnsOfWhatHasNoEffect(t *testing.T) {
	t.Parallel()
	s := workflow.ForTest(nil)
	report, err := s.Lint("w.yaml", []byte(`
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: a
  serviceAccountName: robot
  templateDefaults: {timeout: 30s, retryStrategy: {limit: 2}}
  templates:
    - name: a
      nodeSelector: {disk: ssd}
      container: {image: x, command: [echo], imagePullPolicy: Always}
`))
	if err != nil || len(report.Warnings) != 3 || len(report.Names) != 1 || report.Names[0] != "Workflow/hello" {
		t.Fatalf("report = %+v, %v", report, err)
	}
	if w := report.Warnings[0].String(); !strings.HasPrefix(w, "w.yaml:7:") || !strings.Contains(w, "serviceAccountName has no effect here") {
		t.Errorf("warning = %s", w)
	}
}

func TestTheKindRegistersAndRelates(t *testing.T) {
	t.Parallel()
	registry := document.NewRegistry()
	for _, k := range workflow.Kinds(workflow.ForTest(nil)) {
		registry.Register(k)
	}
	documents, err := document.Parse("t.yaml", []byte(`
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: build, annotations: {roadbed.dev/owner: payments}}
spec:
  templates:
    - name: main
      steps:
        - - {name: a, templateRef: {name: shared, template: t}}
          - {name: b, templateRef: {name: Payments/deploy, template: t}}
    - {name: bad, container: {command: [x], args: ["{{inputs.parameters.missing}}"]}}
`), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	k, wrong := registry.Check(documents[0])
	if len(wrong) != 1 || wrong[0].Line != 11 {
		t.Errorf("wrong = %v, want the tag of line 11", wrong)
	}
	if got := fmt.Sprint(k.Relations(documents[0])); got != "[{ownedBy group:default/payments} {dependsOn workflowtemplate:payments/deploy} {dependsOn workflowtemplate:default/shared}]" {
		t.Errorf("relations = %s", got)
	}
}
