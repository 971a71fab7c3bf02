package delivery

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestFilesOfAnApplication(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path string
		dir  *Directory
		file string
		want bool
	}{
		{"deploy", nil, "deploy/a.yaml", true},
		{"deploy", nil, "deploy/a.yml", true},
		{"deploy", nil, "deploy/a.json", true},
		{"deploy", nil, "deploy/a.txt", false},
		{"deploy", nil, "deploy/README.md", false},
		{"deploy", nil, "deploy/deep/a.yaml", false},
		{"", nil, "a.yaml", true},
		{"", nil, "deep/a.yaml", false},
		{"deploy", &Directory{Recurse: true}, "deploy/deep/a.yaml", true},
		{"deploy", &Directory{}, "deploy/deep/a.yaml", false},
		{"deploy", &Directory{Include: "a*.yaml"}, "deploy/ab.yaml", true},
		{"deploy", &Directory{Include: "a*.yaml"}, "deploy/b.yaml", false},
		{"deploy", &Directory{Recurse: true, Include: "a*.yaml"}, "deploy/deep/ab.yaml", true},
		{"deploy", &Directory{Recurse: true, Include: "deep/*"}, "deploy/deep/ab.yaml", true},
		{"deploy", &Directory{Include: "{a.yaml, b.yaml}"}, "deploy/b.yaml", true},
		{"deploy", &Directory{Exclude: "{a.yaml,b.yaml}"}, "deploy/b.yaml", false},
		{"deploy", &Directory{Include: "*", Exclude: "secret*"}, "deploy/secret.yaml", false},
	} {
		a := Application{Path: c.path, Spec: Spec{Source: Source{Directory: c.dir}}}
		if got := chosen(a, c.file); got != c.want {
			t.Errorf("%s of %s with %+v: %t, want %t", c.file, c.path, c.dir, got, c.want)
		}
	}
}

func TestAddressesOfHostedRepositories(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"/git/team/shop": "team/shop", "/git/team/shop.git": "team/shop", "/git/Team/Shop.git": "team/shop", "team/shop": "team/shop", "team/shop.git/": "team/shop",
		"https://roadbed.test/git/team/shop.git": "team/shop", "http://127.0.0.1:8080/git/team/shop": "team/shop",
		"HTTPS://Roadbed.Test/git/team/shop": "team/shop", "https://mars.test/git/team/shop": "", "//mars.test/git/team/shop": "", "/git//mars.test/shop": "",
		"https://github.com/team/shop": "", "https://roadbed.test/team/shop": "", "git@host:team/shop": "", "/git/shop": "", "": "", "/git/a/b/c": "",
		"file:///etc/git/passwd": "", "/git/../shop": "", "https://a b/git/team/shop": "", "/git/-x/shop": "",
	} {
		if got, ok := hosted(url, []string{"https://roadbed.test", "http://127.0.0.1:8080", ""}); got != want || ok != (want != "") {
			t.Errorf("hosted(%q) = %q, %t; want %q", url, got, ok, want)
		}
	}
}

func TestImagesAreFoundWhereverContainersStand(t *testing.T) {
	t.Parallel()
	docs, err := parse("a.yaml", []byte(`
apiVersion: apps/v1
kind: Deployment
spec: {template: {spec: {initContainers: [{image: a}], containers: [{image: b}, {name: none}, 7, {image: {deep: x}}]}}}
image: not one
other: [{containers: {image: nor this}}, {containers: [{image: c}]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []placedImage{{"a", "spec.template.spec.initContainers[0].image"}, {"b", "spec.template.spec.containers[0].image"}, {"c", "other[1].containers[0].image"}}
	if got := images(docs[0].Raw, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("images = %v", got)
	}
}

func TestOutputsAsAnEnvironment(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"database_url": "DATABASE_URL", "db-host": "DB_HOST", "a.b/c": "A_B_C", "ÄB": "_B", "x1": "X1"} {
		if got := envName(name); got != want {
			t.Errorf("envName(%q) = %q, want %q", name, got, want)
		}
	}
	for raw, want := range map[string]string{`"text"`: "text", `7`: "7", `["a", 1]`: `["a", 1]`, `true`: "true", `""`: ""} {
		if got := plain(json.RawMessage(raw)); got != want {
			t.Errorf("plain(%s) = %q, want %q", raw, got, want)
		}
	}
}

func TestOnlyPodsThatReadTheOutputsAreReplaced(t *testing.T) {
	t.Parallel()
	o := stackOutputs{name: "shop-infra-outputs", sum: "abc"}
	for text, want := range map[string]bool{
		"{apiVersion: v1, kind: Deployment, spec: {template: {spec: {containers: [{envFrom: [{configMapRef: {name: shop-infra-outputs}}]}]}}}}":  true,
		"{apiVersion: v1, kind: Deployment, spec: {template: {spec: {volumes: [{secret: {secretName: shop-infra-outputs}}]}}}}":                  true,
		"{apiVersion: v1, kind: Deployment, spec: {template: {metadata: {annotations: {a: b}}, spec: {volumes: [{name: shop-infra-outputs}]}}}}": true,
		"{apiVersion: v1, kind: Deployment, spec: {template: {spec: {containers: [{envFrom: [{configMapRef: {name: other}}]}]}}}}":               false,
		"{apiVersion: v1, kind: ConfigMap, spec: {template: {spec: shop-infra-outputs}}}":                                                        false,
		"{apiVersion: v1, kind: Deployment, spec: {template: shop-infra-outputs}}":                                                               false,
		"{apiVersion: v1, kind: Deployment}": false,
	} {
		docs, err := parse("a.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		before, err := copyTree(docs[0].Raw)
		if err != nil {
			t.Fatal(err)
		}
		o.stamp(docs[0].Raw)
		after, _ := json.Marshal(docs[0].Raw)
		if got := strings.Contains(string(after), `"roadbed.dev/outputs":"abc"`); got != want {
			t.Errorf("%s: stamped %t, want %t", text, got, want)
		}
		if !want {
			was, _ := json.Marshal(before)
			if string(was) != string(after) {
				t.Errorf("%s became %s", was, after)
			}
		}
	}
}

func TestNumbersStayAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	docs, err := parse("a.yaml", []byte("apiVersion: v1\nkind: X\na: 9007199254740993\nb: 1.5\nc: [1, -2]\nd: 1e3\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := copyTree(docs[0].Raw)
	if err != nil {
		t.Fatal(err)
	}
	if got["a"] != int64(9007199254740993) || got["b"] != 1.5 || !reflect.DeepEqual(got["c"], []any{int64(1), int64(-2)}) {
		t.Errorf("got %#v", got)
	}
}

func TestTheImageIsReplacedAndNothingElse(t *testing.T) {
	t.Parallel()
	const image, with = "registry.local/team/shop", "registry.local/team/shop@sha256:1"
	for text, want := range map[string]string{
		"      - image: registry.local/team/shop:unbuilt\n":                       "      - image: registry.local/team/shop@sha256:1\n",
		"image: \"registry.local/team/shop@sha256:0\" # set by the pipeline\r\n":  "image: \"registry.local/team/shop@sha256:1\" # set by the pipeline\r\n",
		"image: 'registry.local/team/shop'":                                       "image: 'registry.local/team/shop@sha256:1'",
		"containers: [{name: web, image: registry.local/team/shop:1, args: [a]}]": "containers: [{name: web, image: registry.local/team/shop@sha256:1, args: [a]}]",
		"{image: registry.local/team/shop}":                                       "{image: registry.local/team/shop@sha256:1}",
		`{"name": "web", "image": "registry.local/team/shop:1"}`:                  `{"name": "web", "image": "registry.local/team/shop@sha256:1"}`,
		"image: registry.local/team/shop2:1":                                      "",
		"image: registry.local/team/shop/deep:1":                                  "",
		"image: other.local/team/shop:1":                                          "",
		"# image: registry.local/team/shop:1":                                     "",
		"myimage: registry.local/team/shop:1":                                     "",
		"args: [registry.local/team/shop:1]":                                      "",
		"":                                                                        "",
	} {
		got, found := replaceImage([]byte(text), image, with)
		if want == "" {
			want = text
		}
		if string(got) != want || found != (want != text) {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	long := clip(strings.Repeat("ä", messageLimit))
	if len(long) > messageLimit+4 || !strings.HasSuffix(long, "ä…") || strings.ContainsRune(long, '\ufffd') {
		t.Errorf("clipped to %d bytes: …%q", len(long), long[len(long)-10:])
	}
	if got := clip("short"); got != "short" {
		t.Errorf("clip = %q", got)
	}
}

func TestNamespacesOfAnApplication(t *testing.T) {
	t.Parallel()
	a := Application{Ref: ref.Entity{Kind: "application", Namespace: "default", Name: "shop"}, Space: "payments"}
	if a.namespace() != "payments" || a.clusterName() != LocalCluster {
		t.Errorf("without a destination: %s of %s", a.namespace(), a.clusterName())
	}
	for text, ok := range map[string]bool{
		"{apiVersion: v1, kind: X, metadata: {name: a}}":                         true,
		"{apiVersion: v1, kind: X, metadata: {name: a, namespace: payments}}":    true,
		"{apiVersion: v1, kind: X, metadata: {name: a, namespace: ''}}":          true,
		"{apiVersion: v1, kind: Namespace, metadata: {name: payments}}":          true,
		"{apiVersion: v1, kind: X, metadata: {name: a, namespace: other}}":       false,
		"{apiVersion: v1, kind: X, metadata: {name: a, namespace: Payments}}":    false,
		"{apiVersion: v1, kind: Namespace, metadata: {name: default}}":           false,
		"{apiVersion: v1, kind: X, metadata: {name: a, namespace: 'payments '}}": false,
	} {
		docs, err := parse("a.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		err = ownNamespace(a.namespace(), docs)
		if (err == nil) != ok || (!ok && fault.Details(err)[0].Line != 1) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzParse holds what is read of a repository to its bounds, and what is kept to what was read.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\ndata: {a: &x b, c: *x}\n", `{"apiVersion": "v1", "kind": "X", "n": 1e400}`, "a: &a [*a]", "{apiVersion: v1, kind: X, a: [&b [1,2], *b, *b]}",
		"apiVersion: apps/v1\nkind: Deployment\nspec: {template: {metadata: [], spec: outputs}}", "? [a]\n: b", "a: !!binary eA==", "--- |\n x", "{apiVersion: v1, kind: X, spec: {containers: [{image: registry.local/a/b}]}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := parse("a.yaml", data)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.TooLarge {
				t.Fatalf("error %v is of kind %v", err, kind)
			}
			return
		}
		if len(docs) > objectLimit {
			t.Fatalf("%d objects", len(docs))
		}
		o := stackOutputs{name: "outputs", sum: "1"}
		for _, d := range docs {
			images(d.Raw, "")
			if treeSize(d.Raw) > 64*fileLimit {
				t.Fatalf("%d bytes became %d", len(data), treeSize(d.Raw))
			}
			again, err := copyTree(d.Raw)
			if err != nil {
				t.Fatal(err)
			}
			third, err := copyTree(again)
			if err != nil || !reflect.DeepEqual(again, third) {
				t.Fatalf("a copy differs: %v, %v, %v", again, third, err)
			}
			o.stamp(again)
		}
		ownNamespace("shop", docs)
	})
}

func TestASyncWaitsAsLongAsADeploymentGivesItself(t *testing.T) {
	t.Parallel()
	with := func(kind string, seconds int64) cluster.Object {
		return cluster.Object{Raw: map[string]any{"apiVersion": "apps/v1", "kind": kind, "spec": map[string]any{"progressDeadlineSeconds": seconds}}}
	}
	for want, objects := range map[time.Duration][]cluster.Object{
		10 * time.Minute: {with("Deployment", 30), {Raw: map[string]any{"kind": "Deployment"}}, with("Other", 7200)},
		61 * time.Minute: {with("Deployment", 30), with("Deployment", 3600)},
	} {
		if got := patience(objects); got != want {
			t.Errorf("it waits %s, want %s", got, want)
		}
	}
}
