package scaffold_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// try runs the steps, given as YAML, over files beside the template.
func (b *bench) try(steps string, files map[string]string, values map[string]any) (scaffold.DryRunResult, error) {
	b.t.Helper()
	d := scaffold.DryRun{Data: []byte(head + "  steps:\n" + steps), Values: values}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		d.Files = append(d.Files, scaffold.File{Path: name, Content: []byte(files[name]), Executable: strings.HasSuffix(name, ".sh")})
	}
	return b.DryRun(accesstest.As("alice"), d)
}

func contents(r scaffold.DryRunResult) map[string]string {
	files := map[string]string{}
	for _, f := range r.Files {
		files[f.Path] = string(f.Content)
		if f.Executable {
			files[f.Path] += " (executable)"
		}
		if f.Link {
			files[f.Path] += " (link)"
		}
	}
	return files
}

func TestFileActions(t *testing.T) {
	t.Parallel()
	b := one(t)
	files := map[string]string{
		"s/a.txt": "a ${{ values.x }}", "s/b/c.md": "c", "s/b/d.md": "d", "s/run.sh": "#!/bin/sh", "s/bin": "\x00${{ values.x }}", "s/t.yaml.njk": "{{ argo }} ${{ values.x }}",
		"one.txt": "one ${{ values.x }}", "s/{{cookiecutter.x}}/f": "{{ cookiecutter.x }} ${{ y }}",
	}
	const fetch = "  - {action: fetch:plain, input: {url: ./s}}\n"
	for _, c := range []struct {
		name, steps string
		want        map[string]string
	}{
		{"fetch:plain", fetch + "  - {action: fs:delete, input: {files: ['**/*.njk', '{{cookiecutter.x}}']}}\n", map[string]string{
			"a.txt": "a ${{ values.x }}", "b/c.md": "c", "b/d.md": "d", "run.sh": "#!/bin/sh (executable)", "bin": "\x00${{ values.x }}",
		}},
		{"fetch:template", "  - {action: fetch:template, input: {url: s, targetPath: out, values: {x: 1}, copyWithoutTemplating: ['b', '{*}/f', '*.njk']}}\n", map[string]string{
			"out/a.txt": "a 1", "out/b/c.md": "c", "out/b/d.md": "d", "out/run.sh": "#!/bin/sh (executable)", "out/bin": "\x00${{ values.x }}",
			"out/t.yaml.njk": "{{ argo }} ${{ values.x }}", "out/{{cookiecutter.x}}/f": "{{ cookiecutter.x }} ${{ y }}",
		}},
		{"templateFileExtension", "  - {action: fetch:template, input: {url: s, values: {x: 1}, templateFileExtension: njk}}\n" +
			"  - {action: fs:delete, input: {files: ['*', '!t.yaml', '!a.txt', b, '{*']}}\n", map[string]string{"t.yaml": "{{ argo }} 1", "a.txt": "a ${{ values.x }}"}},
		{"cookiecutter", "  - {action: fetch:template, input: {url: s, values: {x: hi}, cookiecutterCompat: true, targetPath: o}}\n" +
			"  - {action: fs:delete, input: {files: ['o/*', '!o/hi', 'o/b']}}\n", map[string]string{"o/hi/f": "hi $"}},
		{"fetch:template:file", "  - {action: fetch:template:file, input: {url: one.txt, targetPath: x/y.txt, values: {x: 2}}}\n" +
			"  - {action: fetch:template:file, input: {url: one.txt, targetPath: x/y.txt, values: {x: 3}}}\n", map[string]string{"x/y.txt": "one 2"}},
		{"replace", "  - {action: fetch:plain:file, input: {url: one.txt, targetPath: y.txt}}\n" +
			"  - {action: fetch:template:file, input: {url: one.txt, targetPath: y.txt, values: {x: 3}, replace: true}}\n", map[string]string{"y.txt": "one 3"}},
		{"fs:rename", fetch + "  - {action: fs:rename, input: {files: [{from: b, to: q/b}, {from: a.txt, to: q/b/c.md, overwrite: true}]}}\n" +
			"  - {action: fs:delete, input: {files: [run.sh, bin, '*.njk', '{*']}}\n", map[string]string{"q/b/c.md": "a ${{ values.x }}", "q/b/d.md": "d"}},
		{"fs:readdir", fetch + "  - {id: ls, action: fs:readdir, input: {paths: [b, .], recursive: false}}\n" +
			"  - {action: fs:delete, input: {files: ['**']}}\n" +
			"  - {action: catalog:write, input: {filePath: f, entity: {kind: X, metadata: {n: '${{ steps.ls.output.files | length }}', d: '${{ steps.ls.output.folders[0].path }}'}}}}\n",
			map[string]string{"f": "kind: X\nmetadata:\n  annotations:\n    backstage.io/source-template: template:default/t\n  d: b\n  \"n\": 6\n"}},
	} {
		got, err := b.try(c.steps, files, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !maps.Equal(contents(got), c.want) {
			t.Errorf("%s gives %q, want %q", c.name, contents(got), c.want)
		}
	}
}

func TestActionsRefuse(t *testing.T) {
	t.Parallel()
	b := one(t)
	files := map[string]string{"s/a.txt": "${{ values.x | nosuch }}", "s2/${{ values.path }}": "x", "p/a/b": "x", "p/c": "y"}
	for _, c := range []struct{ steps, want string }{
		{"  - {action: fetch:plain, input: {url: ../../etc}}\n", "leaves the template's repository"},
		{"  - {action: fetch:plain, input: {url: /etc/passwd}}\n", "is outside this installation"},
		{"  - {action: fetch:plain, input: {url: 'https://github.com/x/y/tree/main/z'}}\n", "is outside this installation"},
		{"  - {action: fetch:plain, input: {url: 'file:///etc/passwd'}}\n", "is outside this installation"},
		{"  - {action: fetch:plain, input: {url: nosuch}}\n", "there is no folder"},
		{"  - {action: fetch:plain, input: {url: p, targetPath: ../x}}\n", "leaves the workspace"},
		{"  - {action: fetch:plain, input: {url: p, targetPath: .git/hooks}}\n", "is git's own"},
		{"  - {action: fetch:template, input: {url: s}}\n", "s/a.txt:1:16: filter not found: nosuch"},
		{"  - {action: fetch:template, input: {url: s2, values: {path: ../../../etc/passwd}}}\n", "leaves the workspace"},
		{"  - {action: fetch:template, input: {url: s2, values: {path: .GIT/config}}}\n", "is git's own"},
		{"  - {action: fetch:template, input: {url: s, templateFileExtension: true, cookiecutterCompat: true}}\n", "can't be used together"},
		{"  - {action: fetch:plain, input: {url: p}}\n  - {action: fs:rename, input: {files: [{from: a, to: c}]}}\n", "is in the workspace already"},
		{"  - {action: fetch:plain, input: {url: p}}\n  - {action: fs:rename, input: {files: [{from: a, to: a/b}]}}\n", "can't be renamed"},
		{"  - {action: fetch:plain, input: {url: p}}\n  - {action: fs:rename, input: {files: [{from: c, to: a/b/d}]}}\n", "is a file, not a folder"},
		{"  - {action: fs:rename, input: {files: [{from: nosuch, to: d}]}}\n", "there is no nosuch"},
		{"  - {action: debug:log, each: '${{ 3 }}'}\n", "must give a list or a mapping"},
		{"  - {action: debug:log, each: '${{ range(500) }}'}\n", "at most 200"},
		{"  - {action: catalog:fetch, input: {entityRef: 'component:default/nosuch'}}\n", "there is no component:default/nosuch"},
		{"  - {action: fs:delete, input: {files: '${{ 3 }}'}}\n", "steps.step-1.input.files: got number, want array"},
		{"  - {action: debug:log, input: {message: '${{ 1 | parseEntityRef }}'}}\n", "steps.step-1.input.message: parseEntityRef: the entity reference 1 has no kind"},
	} {
		_, err := b.try(c.steps, files, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v, want %q", strings.TrimSpace(c.steps), err, c.want)
		}
	}
}

func TestDryRunMakesNothing(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", serviceFiles)
	got, err := b.DryRun(accesstest.As("alice"), scaffold.DryRun{Template: "service", Values: map[string]any{"name": "shop", "password": "hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	skipped := ""
	for _, s := range got.Steps {
		skipped += fmt.Sprint(s.ID, s.Skipped, " ")
	}
	if skipped != "fetchfalse eachfalse nevertrue publishtrue registertrue " {
		t.Errorf("steps are %s", skipped)
	}
	if contents(got)["shop.txt"] != "replicas: 2\n" || strings.Contains(got.Log, "hunter2") || !strings.Contains(got.Log, "publish:roadbed is left out") {
		t.Errorf("the dry run gives %q\n%s", contents(got), got.Log)
	}
	if _, err := b.git.Get(accesstest.As("adam"), "team/shop"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a dry run makes a repository: %v", err)
	}
	if _, err := b.DryRun(accesstest.As("rita"), scaffold.DryRun{Template: "service", Values: map[string]any{"name": "shop"}}); !fault.Is(err, fault.Denied) {
		t.Errorf("a reader may try out: %v", err)
	}
	if _, err := b.DryRun(context.Background(), scaffold.DryRun{Data: []byte(head)}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("nobody may try out: %v", err)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	b := one(t)
	steps := "  - {action: catalog:write, input: {filePath: f, entity: {v: '${{ parameters.e }}'}}}\n"
	for _, c := range []struct{ in, want string }{
		{"'h.test?owner=o&repo=r' | parseRepoUrl | dump", `{"host":"h.test","owner":"o","repo":"r"}`},
		{"'h.test?owner=/o/&repo=r' | projectSlug", "o/r"},
		{"'Group:ns/Name' | parseEntityRef | pick('name')", "Name"},
		{"'name' | parseEntityRef({defaultKind:'User'}) | dump", `{"kind":"User","name":"name","namespace":"default"}`},
		{"{a:[{b:1}] } | pick('a[0].b')", "1"},
		{"{a:1} | pick('b.c')", ""},
	} {
		got, err := b.try(strings.Replace(steps, "parameters.e", strings.ReplaceAll(c.in, "'", "''"), 1)+"", nil, nil)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		text := contents(got)["f"]
		if want := strings.TrimSpace(c.want); want != "" && !strings.Contains(text, want) || want == "" && strings.Contains(text, "\nv:") {
			t.Errorf("%s gives %s, want %s", c.in, text, c.want)
		}
	}
}
