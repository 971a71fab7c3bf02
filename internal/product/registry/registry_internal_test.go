package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestVersionsGoAsSemanticVersioningHasThem(t *testing.T) {
	t.Parallel()
	rising := []string{"0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.2", "1.0.10", "1.2.0", "10.0.0"}
	for i, a := range rising {
		if !ValidVersion(a) {
			t.Errorf("%s is no version", a)
		}
		for j, b := range rising {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := CompareVersions(a, b); got != want {
				t.Errorf("CompareVersions(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
	}
	for _, text := range []string{"", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3+build", "1.2.3-", "1.2.3-../../etc", "1.2.3/..", "1.2.3 ", "1.2.99999999999999999999", "1.2.3-" + strings.Repeat("a", 200)} {
		if ValidVersion(text) {
			t.Errorf("%q is a version", text)
		}
	}
	for tag, want := range map[string]string{"v1.2.3": "1.2.3", "1.2.3": "1.2.3", "release": "", "v1.2": "", "../v1.2.3": "", "vv1.2.3": ""} {
		if got := ofTag(tag, ""); got != want {
			t.Errorf("the tag %s makes %q, want %q", tag, got, want)
		}
	}
	if got := ofTag("network/v2.0.0", "network/"); got != "2.0.0" {
		t.Errorf("a tag of a monorepo makes %q", got)
	}
	if got := ofTag("v2.0.0", "network/"); got != "" {
		t.Errorf("a tag of another module makes %q", got)
	}
}

// TestAVersionIsReadyWhenAllItsTestsPassed, whatever the order in which they end.
func TestAVersionIsReadyWhenAllItsTestsPassed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 8).Draw(t, "tests")
		tests := make([]Test, n)
		for i := range tests {
			tests[i] = Test{TestSpec: TestSpec{ID: itoa(i)}, State: TestWaiting}
			for j := range i {
				if rapid.IntRange(0, 3).Draw(t, "depends") == 0 {
					tests[i].DependsOn = append(tests[i].DependsOn, itoa(j))
				}
			}
		}
		state, begin := settle(tests)
		for range 50 {
			for _, i := range begin {
				for _, before := range tests[i].DependsOn {
					if k := slices.IndexFunc(tests, func(t Test) bool { return t.ID == before }); tests[k].State != TestPassed {
						t.Fatalf("test %d begins, and %s is %s", i, before, tests[k].State)
					}
				}
				tests[i].State = TestRunning
			}
			var running []int
			for i := range tests {
				if tests[i].State == TestRunning {
					running = append(running, i)
				}
			}
			if len(running) == 0 {
				break
			}
			tests[rapid.SampledFrom(running).Draw(t, "ends")].State = rapid.SampledFrom([]TestState{TestPassed, TestPassed, TestFailed}).Draw(t, "how")
			state, begin = settle(tests)
		}
		want := Ready
		for _, test := range tests {
			if !test.State.done() {
				t.Fatalf("test %s stays %s", test.ID, test.State)
			}
			if test.State != TestPassed {
				want = Failed
			}
		}
		if state != want || len(begin) > 0 {
			t.Fatalf("the version is %s with %v to begin, want %s: %+v", state, begin, want, tests)
		}
	})
}

type entry struct {
	name string
	kind byte
	link string
	data string
}

func tarOf(t testing.TB, entries ...entry) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.data)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestAFolderIsPackedTheSameWayEachTime(t *testing.T) {
	t.Parallel()
	a, err := pack(tarOf(t, entry{name: "main.tf", data: "a"}, entry{name: "modules/x/x.tf", data: "b"}, entry{name: ".github/workflows/ci.yml", data: "c"}, entry{name: "README.md", data: "# Hello"}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := pack(tarOf(t, entry{name: "README.md", data: "# Hello"}, entry{name: "modules/", kind: tar.TypeDir}, entry{name: "modules/x/x.tf", data: "b"}, entry{name: "main.tf", data: "a"}))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.archive, b.archive) || a.files != 3 {
		t.Errorf("equal folders give %d and %d bytes, of %d files", len(a.archive), len(b.archive), a.files)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(a.archive))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if want := []string{"README.md", "main.tf", "modules/x/x.tf"}; !slices.Equal(names, want) {
		t.Errorf("the archive holds %v, want %v", names, want)
	}
}

func TestWhatLeadsOutIsNotPacked(t *testing.T) {
	t.Parallel()
	main := entry{name: "main.tf", data: "a"}
	many := []entry{main}
	for i := range mostFiles {
		many = append(many, entry{name: "f" + itoa(i)})
	}
	for what, entries := range map[string][]entry{
		"leads out":                   {main, {name: "../evil.tf"}},
		"leads out of it":             {main, {name: "/etc/passwd"}},
		"leads out of it or too deep": {main, {name: strings.Repeat("a/", mostDepth) + "b"}},
		"a link":                      {main, {name: "x.tf", kind: tar.TypeSymlink, link: "/etc/passwd"}},
		"link or no file":             {main, {name: "x.tf", kind: tar.TypeLink, link: "main.tf"}},
		"no file at all":              {main, {name: "x", kind: tar.TypeFifo}},
		"more than":                   many,
		"no configuration":            {{name: "README.md", data: "a"}, {name: "modules/x/main.tf"}},
	} {
		if _, err := pack(tarOf(t, entries...)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := pack(io.MultiReader(tarOf(t, main), endless{})); err != nil {
		t.Errorf("what follows the end: %v", err)
	}
	if _, err := pack(&large{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a huge file: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// large is a tar of one file of many gigabytes.
type large struct{ head *bytes.Buffer }

func (l *large) Read(p []byte) (int, error) {
	if l.head == nil {
		l.head = &bytes.Buffer{}
		_ = tar.NewWriter(l.head).WriteHeader(&tar.Header{Name: "main.tf", Typeflag: tar.TypeReg, Size: 8 << 30, Mode: 0o600})
	}
	if l.head.Len() > 0 {
		return l.head.Read(p)
	}
	return len(p), nil
}

func TestWhatAModuleDeclares(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	c := inspect(map[string][]byte{
		"main.tf": src, "README.md": []byte("# Network\x00\xff"), "more.tf.json": []byte(`{"variable":{"json":{"type":"string","default":"x","description":"By JSON."}}}`),
		"modules/sub/main.tf": []byte(`output "x" { value = 1 }`), "modules/sub/README.md": []byte("sub"), "examples/plain/main.tf": []byte(""), "broken.tf": []byte(`variable "late" {} resource {`),
	})
	want := Part{
		Readme: "# Network", RequiredVersion: ">= 1.5",
		Inputs: []Input{
			{Name: "json", Type: "string", Description: "By JSON.", Default: `"x"`},
			{Name: "late"},
			{Name: "password", Type: "string", Default: "null", Sensitive: true},
			{Name: "zones", Type: "map(object({ name = string, size = optional(number, 3) }))", Description: "Where it is."},
		},
		Outputs:   []Output{{Name: "ids", Description: "Of all of them."}},
		Providers: []Required{{Name: "aws", Source: "hashicorp/aws", Version: "~> 5.0"}, {Name: "old", Version: "~> 1.0"}},
		Calls:     []Call{{Name: "inner", Source: "app.example.com/team/inner/aws", Version: "1.0.0"}},
		Resources: []string{"terraform_data.a"},
	}
	if c.Inputs = slices.DeleteFunc(c.Inputs, func(i Input) bool { return i.Name == "late" }); !reflect.DeepEqual(c.Inputs, slices.DeleteFunc(slices.Clone(want.Inputs), func(i Input) bool { return i.Name == "late" })) {
		t.Errorf("the inputs are %+v", c.Inputs)
	}
	got := c.Part
	got.Inputs, want.Inputs = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it declares %+v\nwant %+v", got, want)
	}
	if len(c.Submodules) != 1 || c.Submodules[0].Path != "modules/sub" || c.Submodules[0].Readme != "sub" || len(c.Submodules[0].Outputs) != 1 {
		t.Errorf("submodules: %+v", c.Submodules)
	}
	if !slices.Equal(c.Examples, []string{"examples/plain"}) || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "broken.tf can't be read") {
		t.Errorf("examples %v, warnings %v", c.Examples, c.Warnings)
	}
}

// TestHostileConfigurationIsLookedIntoAndNoMore: a parser that calls itself for each level gets through all that it is given.
func TestHostileConfigurationIsLookedIntoAndNoMore(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"(", "[", "{", "!", "-", "${", "%{if true}", "a?", "\"", "<<A\n", "a.", "[for x in ", "}", "\\", "if(", "not"} {
		src := "variable \"a\" {\n default = " + strings.Repeat(unit, mostParsed/len(unit)-20)
		for _, text := range []string{src, src + "\n}\n", strings.Replace(src, "default = ", "default = \"", 1) + "\"\n}\n"} {
			c := inspect(map[string][]byte{"main.tf": []byte(text), "x.tf.json": []byte(`{"variable":{"b":{"default":` + strings.Repeat(unit, 50_000))})
			if len(c.Inputs) > 2 || len(c.Warnings) == 0 && !strings.HasSuffix(text, "}\n") {
				t.Errorf("%q gives %d inputs, %v", unit, len(c.Inputs), c.Warnings)
			}
		}
	}
	long := strings.Repeat("variable \"a\" {}\n", mostParsed)
	if c := inspect(map[string][]byte{"main.tf": []byte(long)}); len(c.Warnings) != 1 || len(c.Inputs) != 0 {
		t.Errorf("a long file gives %d inputs, %v", len(c.Inputs), c.Warnings)
	}
}

func TestTheTestsOfAModule(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/config.yml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfiguration(".spacelift/config.yml", data)
	if err != nil {
		t.Fatal(err)
	}
	want := []TestSpec{
		{ID: "plain", Name: "Plain", Root: "examples/plain", Environment: map[string]string{"TF_VAR_region": "one", "TF_VAR_size": "3"}},
		{ID: "test-2", Name: "Bad size", Root: "examples/bad", Negative: true, Environment: map[string]string{"TF_VAR_region": "one", "TF_VAR_size": "-1"}, DependsOn: []string{"plain"}},
	}
	if c.ModuleVersion != "1.2.0" || !reflect.DeepEqual(c.Tests, want) || !slices.Equal(c.Warnings, []string{"before_init of tests is not read"}) {
		t.Errorf("it says %+v", c)
	}
	for text, says := range map[string]string{
		"tests: [{project_root: ../other}]":                           "leaves the module",
		"tests: [{id: a}, {id: a}]":                                   "two tests",
		"tests: [{id: a, depends_on: [b]}]":                           "which is none",
		"tests: [{id: a, depends_on: [b]}, {id: b, depends_on: [a]}]": "depends on itself",
		"tests: [{environment: {TF_CLI_CONFIG_FILE: /x}}]":            "can't be set",
		"tests: [{environment: {ROADBED_ENGINE: /x}}]":                "can't be set",
		"tests: [{environment: {A: [1]}}]":                            "is no text",
		"tests: [{id: '../x'}]":                                       "its id has",
		"module_version: latest":                                      "is no version",
		"- a":                                                         "not a mapping",
		"tests: {a: b}":                                               "can't be read",
		"tests: [" + strings.Repeat("{}, ", mostTests+1) + "]":        "at most",
		"a: &a [x, x]\nb: [" + strings.Repeat("*a, ", 30_000) + "]":   "",
		"module_version: 1.2.3-" + strings.Repeat("9", 100) + "\ntests: [{name: 3}]\n": "",
	} {
		if _, err := parseConfiguration("config.yml", []byte(text)); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
	if tests := examples([]string{".", "examples/plain", "examples/plain/deep", "tests/x y", "tests/x+y", "modules/a"}); len(tests) != 3 ||
		tests[0].ID != "examples-plain" || tests[1].ID == tests[2].ID || tests[2].Root != "tests/x+y" {
		t.Errorf("folders give the tests %+v", tests)
	}
}

func TestModuleDocuments(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/module.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for change, says := range map[[2]string]string{
		{"", ""}:                              "",
		{"provider: aws", "provider: AWS"}:    "spec.provider",
		{"path: network", "path: ../x"}:       "leaves the repository",
		{"path: network", "path: /x"}:         "leaves the repository",
		{"network/}", "'../'}"}:               "no beginning of a tag",
		{"platform/modules", "modules"}:       "is not a repository",
		{"[payments]", "['*']"}:               "can't be shared with",
		{"provider: aws", "name: a/b"}:        "can't be part of a module's address",
		{"owner: group:default/platform", ""}: "is missing",
		{"owner: group", "ownr: group"}:       "ownr",
		{"source: {", "source: {folder: x, "}: "folder",
	} {
		docs, err := document.Parse("module.yaml", []byte(strings.Replace(string(raw), change[0], change[1], 1)), document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		spec, wrong := readModule(docs[0])
		var texts []string
		for _, w := range wrong {
			texts = append(texts, w.String())
		}
		if (says == "") != (len(wrong) == 0) || !strings.Contains(strings.Join(texts, "\n"), says) {
			t.Errorf("%v: %v", change, texts)
		}
		if says == "" && (spec.Name != "network" || spec.Source.Branch != "main") {
			t.Errorf("it says %+v", spec)
		}
	}
}
