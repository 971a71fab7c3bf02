package scaffold_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// deepSecrets are all the secrets of deepValues; quotes and lines are what encodings change.
var deepSecrets = []string{
	"s3cr\"t-db", "4711471", "key \"one\"", "<key & two>", "label-9\n  second line", "tok'en-1", "lo\\ck-1", "till-1x", "safe-1x", "inner-1x", "npm-1\"x",
}

func deepValues() map[string]any {
	return map[string]any{
		"name": "shop", "mode": "closed", "lock": deepSecrets[6], "till": deepSecrets[7],
		"db":     map[string]any{"user": "sa", "password": deepSecrets[0]},
		"users":  []any{map[string]any{"login": "ann", "pin": 4711471}, map[string]any{"login": "bea"}},
		"keys":   []any{deepSecrets[2], deepSecrets[3]},
		"labels": map[string]any{"a": deepSecrets[4]},
		"shared": map[string]any{"token": deepSecrets[5]},
		"whole":  map[string]any{"inner": deepSecrets[9]},
		"safe":   map[string]any{"k1": deepSecrets[8], "other": "seen"},
	}
}

func TestSecretsOfAFormAreHiddenWhereverTheyAre(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.template("default", filesOf(t, "testdata"))
		d := b.use("alice", scaffold.NewRun{Template: "deep", Values: deepValues(), Secrets: map[string]any{"npm": deepSecrets[10]}})
		if d.Run.State != "finished" {
			t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		var all map[string]any
		lines := strings.SplitN(b.file("team/shop", "all.json.njk"), "\n", 2)
		if err := json.Unmarshal([]byte(lines[0]), &all); err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(deepValues())
		if got, _ := json.Marshal(all); string(got) != string(want) {
			t.Errorf("a step is given\n%s, want\n%s", got, want)
		}
		if got := lines[1]; got != strings.Join([]string{deepSecrets[6], deepSecrets[5], deepSecrets[10]}, "\n")+"\n" {
			t.Errorf("the secrets by name are %q", got)
		}
		var in scaffold.Input
		if err := json.Unmarshal(d.Run.Input, &in); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(in.Values); got != "map[db:map[user:sa] keys:[<nil> <nil>] labels:map[] mode:closed name:shop safe:map[other:seen] shared:map[] users:[map[login:ann] map[login:bea]]]" {
			t.Errorf("the values that are shown are %s", got)
		}
		if out := fmt.Sprint(output(t, d.Run)["text"]); !strings.Contains(out, "*** of sa: ") {
			t.Errorf("the outcome is %s", out)
		}
		stored := b.stored()
		for _, s := range d.Steps {
			log := b.log(d, s)
			stored += log
			if s.Key == "log" && (!strings.HasPrefix(log, "lock ***\n") || !strings.Contains(log, `"user": "sa"`)) {
				t.Errorf("the log is %q", log)
			}
		}
		for _, secret := range deepSecrets {
			for _, form := range []string{secret, quoted(secret), strings.ReplaceAll(secret, "\n", "\n    ")} {
				if strings.Contains(stored, form) {
					t.Errorf("%q can be read", form)
				}
			}
		}
	})
}

func quoted(text string) string {
	encoded, _ := json.Marshal(text)
	return string(encoded[1 : len(encoded)-1])
}

// stored gives all that the tables of runs, of golden paths and the ledger hold in the clear.
func (b *bench) stored() string {
	b.t.Helper()
	var all strings.Builder
	ctx := context.Background()
	for _, query := range []string{
		"SELECT input || output || reason || title FROM runs", "SELECT job || result || data || reason FROM run_steps",
		"SELECT form || document FROM scaffold_tasks", "SELECT form FROM scaffold_lineage", "SELECT data FROM scaffold_made",
		"SELECT data FROM ledger_entries",
	} {
		err := b.db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, query)
			texts, err := store.Collect(rows, err, func(row store.Row) (text string, err error) { return text, row.Scan(&text) })
			all.WriteString(strings.Join(texts, "\n"))
			return err
		})
		if err != nil {
			b.t.Fatalf("%s: %v", query, err)
		}
	}
	return all.String()
}

// log gives the log of a step's last try.
func (b *bench) log(d run.Detail, s run.Step) string {
	b.t.Helper()
	p := make([]byte, 100000)
	n, _, _, err := b.runs.ReadLog(accesstest.As("adam"), d.Run.ID, s.ID, s.Attempt, 0, p)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(p[:n])
}

func TestSecretsThatAreMissingOrWrongAreRefused(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", filesOf(t, "testdata"))
	for says, secrets := range map[string]map[string]any{"secrets.npm: is missing": nil, "secrets.npm: minLength": {"npm": "abc"}} {
		_, err := b.Start(accesstest.As("alice"), scaffold.NewRun{Template: "deep", Values: deepValues(), Secrets: secrets})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	form, err := b.ParameterSchema(accesstest.As("alice"), "deep")
	if err != nil || fmt.Sprint(form.Secrets["required"]) != "[npm]" {
		t.Errorf("the form does not tell of its secrets: %v, %v", form.Secrets, err)
	}
}

func TestAWrongSecretIsNotCited(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", map[string]string{"template.yaml": strings.Replace(serviceTemplate, "ui:field: Secret", "ui:field: Secret, pattern: '^[a-z]+$'", 1)})
	_, err := b.Start(accesstest.As("alice"), scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop", "password": `it's "h"`}})
	if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "it's") || strings.Contains(err.Error(), `it\'s`) || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("the error is %v", err)
	}
}

// sharing is a template of which an early step's output holds a secret that a later step needs.
const sharing = `apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: service, title: A service}
spec:
  type: service
  parameters:
    properties: {name: {type: string}, owner: {type: string, ui:field: Secret}}
  steps:
    - {id: fetch, action: fetch:plain, input: {url: ./skeleton}}
    - {id: publish, action: publish:roadbed, input: {repoUrl: 'roadbed?owner=${{ parameters.owner }}&repo=${{ parameters.name }}'}}
    - {id: register, action: catalog:register, input: {repoContentsUrl: '${{ steps.publish.output.repoContentsUrl }}', catalogInfoPath: /catalog-info.yaml, optional: true}}
  output: {links: [{title: Repository, url: '${{ steps.publish.output.remoteUrl }}'}]}
`

func TestOutputsHideSecretsFromPeopleOnly(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", map[string]string{"template.yaml": sharing, "skeleton/a.txt": "a"})
	d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop", "owner": "hushteam"}})
	if d.Run.State != "finished" {
		t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
	}
	if got := fmt.Sprint(output(t, d.Run)["links"]); got != "[map[title:Repository url:https://roadbed.test/git/***/shop.git]]" {
		t.Errorf("links are %s", got)
	}
	for _, s := range d.Steps {
		var data struct{ Output map[string]any }
		if err := json.Unmarshal(s.Result.Data, &data); err != nil || strings.Contains(fmt.Sprint(data.Output), "hushteam") {
			t.Errorf("step %s gives %v, %v", s.Key, data.Output, err)
		}
	}
}
