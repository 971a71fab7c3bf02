package server

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const scannedCard = `
apiVersion: roadbed.dev/v1
kind: Scorecard
metadata: {name: secure}
spec:
  filter: {kinds: [Component]}
  levels: [{name: bronze}, {name: silver}]
  rules:
    - {id: no-holes, level: bronze, expression: "findings.filter(f, f.severity == 'critical').size() == 0"}
    - {id: covered, level: silver, expression: "!('coverage' in metrics) ? false : metrics.coverage.value >= 80"}
---
{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: scanner}, spec: {permissions: ["metric:write", "finding:write"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: scanners}, spec: {role: scanner, space: default, subjects: ["machine:default/scanner"]}}
`

// TestAScannerTellsWhatItFinds has a machine push metrics and findings of an entity, which a scorecard judges and people read.
func TestAScannerTellsWhatItFinds(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	dir := t.TempDir()
	things, sarif, own := filepath.Join(dir, "things.yaml"), filepath.Join(dir, "scan.sarif"), filepath.Join(dir, "found.json")
	write(t, things, judgedThings+"---"+scannedCard)
	write(t, sarif, `{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x", "rules": [{"id": "CVE-1", "helpUri": "https://example.com/1", "properties": {"security-severity": "9.1"}}]}},
		"results": [{"ruleId": "CVE-1", "message": {"text": "A hole"}}, {"ruleId": "CVE-2", "level": "note", "message": {"text": "A crack"}}]}]}`)
	write(t, own, `{"findings": [{"id": "a", "severity": "grave", "title": "A"}]}`)
	sayAll(t, []said{{"apply -f " + things, 0, ""}, {"machine create default/scanner", 0, ""}})
	token := func(name, scopes string) string {
		t.Helper()
		code, out, problem := say("token create " + name + " --for machine:default/scanner " + scopes + " -o json")
		var made client.NewToken
		if err := json.Unmarshal([]byte(out), &made); code != 0 || err != nil {
			t.Fatal(code, problem, err)
		}
		return made.Secret
	}
	scanner, narrow := token("scanner", ""), token("narrow", "--scope metric:write=coverage")
	standing := func(says string) {
		t.Helper()
		t.Setenv("ROADBED_TOKEN", h.Options.AdminToken)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		out := ""
		if err := eventually(ctx, func() (bool, error) {
			_, out, _ = say("scorecard entities secure")
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, "component:default/plain") && strings.Join(strings.Fields(line)[2:], " ") == says {
					return true, nil
				}
			}
			return false, nil
		}); err != nil {
			t.Fatalf("plain does not come to %q:\n%s", says, out)
		}
	}
	standing("bronze covered")

	t.Setenv("ROADBED_TOKEN", narrow)
	sayAll(t, []said{
		{"metric set plain coverage 81.5 --unit %", 0, "81.5 %"},
		{"metric set plain other 1", 4, "component:default/plain"},
		{"finding push plain --source scan -f " + sarif, 4, "component:default/plain"},
		{"metric list plain", 4, "component:default/plain"},
	})
	t.Setenv("ROADBED_TOKEN", scanner)
	sayAll(t, []said{
		{"metric set plain drift -- -3", 0, "-3"},
		{"metric set plain coverage much", 2, "not a number"},
		{"metric set nothing coverage 1", 4, "nothing"},
		{"finding push plain --source scan -f " + sarif, 0, "1 critical, 1 low"},
		{"finding push plain --source own -f " + own, 1, "severity"},
		{"finding push plain --source own -f " + things, 1, "not JSON"},
		{"finding push plain --source own -f " + sarif + " --at-least grave", 2, "grave"},
	})
	standing("none no-holes")
	sayAll(t, []said{
		{"metric list plain", 0, "coverage"},
		{"finding list plain", 0, "A hole"},
		{"finding list plain --severity critical --source scan", 0, "CVE-1"},
		{"finding list plain --severity high", 0, "fewer flags"},
		{"metric remove plain drift", 0, "removed the metric drift"},
		{"metric remove plain drift", 4, "drift"},
		{"ledger --type findings.changed", 0, "component:default/plain"},
		{"finding push plain --source scan -f " + sarif + " --at-least critical", 0, "1 critical"},
	})
	write(t, own, `{"findings": []}`)
	sayAll(t, []said{{"finding push plain --source scan -f " + own, 0, "nothing"}, {"finding list plain", 0, "no findings of it"}})
	standing("silver -")
}
