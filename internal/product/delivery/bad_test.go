package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func TestWrongManifestsAreRefusedBeforeAnythingIsApplied(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.repository("default", "team/shop")
	good := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
	b.apply("default", application("shop", "team/shop", automated))
	for _, c := range []struct{ what, text, says string }{
		{"no YAML", "a: [", "deploy/bad.yaml:1"},
		{"a tab", "apiVersion: v1\n\tkind: x", "indent with spaces"},
		{"a key twice", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nkind: Secret\n", "deploy/bad.yaml:4"},
		{"an unknown field", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, prots: [{port: 80}]}\n", "deploy/bad.yaml:4:30: spec.prots: Service/web is not a field of Service (did you mean ports?)"},
		{"a wrong type", strings.Replace(broken, "progressDeadlineSeconds: 1", "progressDeadlineSeconds: soon", 1), "whole number"},
		{"an unknown kind", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\n", "the node does not run Job"},
		{"no kind", "metadata: {name: x}\n", "deploy/bad.yaml:1"},
		{"no name", settings("a", "red") + "---\napiVersion: v1\nkind: ConfigMap\n", "deploy/bad.yaml:6:1: metadata.name: is missing"},
		{"a field deep down", strings.Replace(broken, `image: "nowhere.test/web:1"`, `image: "nowhere.test/web:1", ports: [{containerPort: 99999}]`, 1), "deploy/bad.yaml:9:75: spec.template.spec.containers[0].ports[0].containerPort"},
		{"an object twice", settings("x", "red") + "---\n" + settings("x", "blue"), "deploy/bad.yaml:8:12: metadata.name: core/ConfigMap/shop/x is there twice"},
		{"a list", "- a\n- b\n", "must be a mapping"},
		{"a bomb", bomb(), "values, aliases expanded"},
		{"many values", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: &a [" + strings.Repeat("1,", 5000) + "1]\n" + repeat(60, "  b%d: *a\n"), "values, aliases expanded"},
		{"too large", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: " + strings.Repeat("x", 1<<20), "limit is"},
		{"larger still", strings.Repeat("# comment\n", 220_000), "deploy/bad.yaml"},
	} {
		head := b.push("team/shop", map[string]string{"deploy/bad.yaml": c.text, "deploy/a.yaml": settings("a", "blue")})
		st := b.status(shop)
		if st.Synced != good || !strings.Contains(st.Message, c.says) {
			t.Errorf("%s: at %s, %.500q; want %q", c.what, st.Synced, st.Message, c.says)
		}
		runs := b.syncs(shop)
		if last := runs[len(runs)-1]; last.State != "failed" || last.Source.Commit != head || b.colour("a") != "red" {
			t.Errorf("%s: the run is %s, a is %q", c.what, last.State, b.colour("a"))
		}
		before := len(runs)
		b.apply("default", application("shop", "team/shop", automated)) // a look
		if after := len(b.syncs(shop)); after != before {
			t.Errorf("%s: it was tried again", c.what)
		}
	}
	head := b.push("team/shop", map[string]string{"deploy/bad.yaml": "# nothing\n", "deploy/a.yaml": settings("a", "blue")})
	b.want(shop, "Synced", "Healthy", head, "")
}

// bomb is a document whose aliases stand for a million values.
func bomb() string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nl0: &l0 [1,1,1,1,1,1,1,1,1,1]\n"
	for i := range 6 {
		text += fmt.Sprintf("l%d: &l%d [%s*l%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*l%d,", i), 9), i)
	}
	return text
}

func repeat(n int, format string) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, format, i)
	}
	return out.String()
}

func TestTooManyFilesAndObjectsAreRefused(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.repository("default", "team/shop")
	files := map[string]string{}
	for i := range 1001 {
		files[fmt.Sprintf("deploy/%d.yaml", i)] = "# nothing\n"
	}
	b.push("team/shop", files)
	b.apply("default", application("shop", "team/shop", automated))
	b.want(shop, "OutOfSync", "Missing", "", "deploy holds 1001 files; at most 1000 are read; split the application")

	files = map[string]string{"few/all.yaml": repeat(501, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%d}\n---\n"), "many/all.yaml": repeat(2001, "{kind: X, metadata: {name: a%d}}\n---\n")}
	b.push("team/shop", files)
	b.apply("default", strings.Replace(application("shop", "team/shop", automated), "path: deploy", "path: few", 1))
	b.want(shop, "OutOfSync", "Missing", "", "over the node's limit of 500")
	b.apply("default", strings.Replace(application("shop", "team/shop", automated), "path: deploy", "path: many", 1))
	b.want(shop, "OutOfSync", "Missing", "", "more than 2000 documents")
}

func TestLinksInTheRepositoryStayWithinIt(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.repository("default", "team/shop")
	link := func(name, target string) git.FileChange {
		return git.FileChange{Path: name, Mode: "120000", Content: []byte(target)}
	}
	b.commitChanges("alice", "team/shop", []git.FileChange{{Path: "base/a.yaml", Content: []byte(settings("a", "red"))}, link("deploy/a.yaml", "../base/a.yaml"), link("linked", "base")})
	b.apply("default", application("shop", "team/shop", automated))
	if b.colour("a") != "red" {
		t.Errorf("a is %q: %s", b.colour("a"), b.status(shop).Message)
	}
	for name, target := range map[string]string{"deploy/out.yaml": "../../../../etc/passwd", "deploy/abs.yaml": "/etc/passwd", "deploy/self.yaml": "self.yaml", "deploy/none.yaml": "nothing.yaml"} {
		b.commitChanges("alice", "team/shop", []git.FileChange{link(name, target)})
		b.drain()
		if st := b.status(shop); !strings.Contains(st.Message, name) || strings.Contains(st.Message, "root:") {
			t.Errorf("%s: message = %q", name, st.Message)
		}
		b.commitChanges("alice", "team/shop", []git.FileChange{{Path: name, Delete: true}})
		b.drain()
	}
	b.apply("default", strings.Replace(application("shop", "team/shop", automated), "path: deploy", "path: linked", 1))
	if st := b.status(shop); !strings.Contains(st.Message, "linked of team/shop holds no manifest") {
		t.Errorf("message = %q", st.Message)
	}
}

func TestWrongDocumentsAreRefusedWithTheirLine(t *testing.T) {
	t.Parallel()
	b := one(t)
	good := application("shop", "team/shop", automated)
	for _, c := range []struct{ what, from, to, says string }{
		{"an unknown field", "path: deploy", "pat: deploy", "app.yaml:8"},
		{"helm", "path: deploy", "path: deploy, helm: {}", "helm"},
		{"a project", "project: default", "project: other", `app.yaml:7:3: spec.project: project "other" does not exist (write default)`},
		{"another host", "/git/team/shop", "https://github.com/team/shop", "is not a hosted repository (write /git/NAMESPACE/NAME)"},
		{"a namesake elsewhere", "/git/team/shop", "https://mars.test/git/team/shop", "is not a hosted repository"},
		{"a path outside", "path: deploy", "path: ../x", "is not a folder of the repository"},
		{"a path through", "path: deploy", "path: a/../../x", "is not a folder of the repository"},
		{"a hidden way out", "path: deploy", "path: a/../b", "is not a folder of the repository"},
		{"an absolute path", "path: deploy", "path: /etc", "is not a folder of the repository"},
		{"a path with a break", "path: deploy", `path: "a\nb"`, "is not a folder of the repository"},
		{"a long path", "path: deploy", "path: " + strings.Repeat("x", 501), "is not a folder of the repository"},
		{"an option as a branch", "targetRevision: main", "targetRevision: --upload-pack=x", "is not a branch"},
		{"a range as a branch", "targetRevision: main", "targetRevision: a..b", "is not a branch"},
		{"a bad pattern", "path: deploy", `path: deploy, directory: {include: "[a"}`, "is not a pattern of files"},
		{"another cluster", "name: local", "name: mars", `app.yaml:9:3: spec.destination: cluster "mars" is unknown (known: local)`},
		{"no cluster", "name: local, ", "", "needs either name or server"},
		{"two clusters", "name: local", "name: local, server: https://kubernetes.default.svc", "needs either name or server"},
		{"another server", "name: local", "server: https://mars.test", `cluster "https://mars.test" is unknown`},
		{"a bad namespace", "namespace: shop", "namespace: Shop_1", "is not the name of a namespace"},
		{"an unknown option", "{prune: true, selfHeal: true}", "{}, syncOptions: [ServerSideApply=true]", "ServerSideApply=true"},
		{"a history without end", "project: default", "project: default\n  revisionHistoryLimit: 100000", "keep 1 to 200 revisions"},
		{"a stack that is none", "annotations: {", `annotations: {roadbed.dev/stack: "component:default/x", `, "is not a stack (write stack:NAMESPACE/NAME)"},
	} {
		err := b.try("default", strings.Replace(good, c.from, c.to, 1))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "app.yaml:") {
			t.Errorf("%s: %v; want %q with a line", c.what, err, c.says)
		}
	}
	if list, err := b.List(accesstest.As("adam"), page.Request{}); err != nil || len(list.Items) != 0 {
		t.Errorf("list = %v, %v", list, err)
	}
	for _, c := range [][2]string{
		{"/git/team/shop", "https://roadbed.test/git/team/shop.git"}, {"/git/team/shop", "team/shop"}, {"name: local", "server: https://kubernetes.default.svc"},
		{"targetRevision: main", "targetRevision: release/1.0"}, {", targetRevision: main", ""}, {"path: deploy", "path: ./deploy/"}, {"path: deploy, ", ""},
		{"{prune: true, selfHeal: true}", "{}, syncOptions: [CreateNamespace=true, Prune=false]"},
	} {
		if err := b.try("default", strings.Replace(good, c[0], c[1], 1)); err != nil {
			t.Errorf("%s: %v", c[1], err)
		}
	}
}
