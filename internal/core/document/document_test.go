package document_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func parseOne(t *testing.T, text string) document.Document {
	t.Helper()
	documents, err := document.Parse("catalog-info.yaml", []byte(text), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(documents) != 1 {
		t.Fatalf("got %d documents, want 1", len(documents))
	}
	return documents[0]
}

func TestParseKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ yaml, json string }{
		"backstage": {
			`# a comment
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: shop
  title: Shop & more
  labels: {}
  annotations: {backstage.io/techdocs-ref: "dir:."}
  tags: [go]
  links: [{url: "https://example.org", title: Docs, order: 1}]
  uid: "7"
  description: ""
spec: {type: service, owner: team-a, since: 2024-01-01}
relations: [{type: ownedBy, targetRef: "group:default/team-a"}]
`,
			`{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"annotations":{"backstage.io/techdocs-ref":"dir:."},"description":"","labels":{},"links":[{"order":1,"title":"Docs","url":"https://example.org"}],"name":"shop","tags":["go"],"title":"Shop & more","uid":"7"},"relations":[{"targetRef":"group:default/team-a","type":"ownedBy"}],"spec":{"owner":"team-a","since":"2024-01-01","type":"service"}}`,
		},
		"argo": {
			`apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  arguments: {parameters: [{name: n, value: "{{workflow.name}}"}]}
  templates: [{name: a, script: {source: "echo {{=1 < 2}}"}}]
`,
			`{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"generateName":"hello-"},"spec":{"arguments":{"parameters":[{"name":"n","value":"{{workflow.name}}"}]},"templates":[{"name":"a","script":{"source":"echo {{=1 < 2}}"}}]}}`,
		},
		"kubernetes": {
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","creationTimestamp":null},"data":{"a":"1"},"immutable":true,"big":18446744073709551615,"mode":0.5}`,
			`{"apiVersion":"v1","big":18446744073709551615,"data":{"a":"1"},"immutable":true,"kind":"ConfigMap","metadata":{"creationTimestamp":null,"name":"c"},"mode":0.5}`,
		},
		"octal, merge and alias": {
			`apiVersion: v1
kind: X
metadata: &m {name: x, labels: &l {a: b}}
spec:
  mode: 0644
  one: 1.0
  <<: {mode: 1, other: yes}
  copy: *l
`,
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{"a":"b"},"name":"x"},"spec":{"copy":{"a":"b"},"mode":420,"one":1,"other":"yes"}}`,
		},
		"JSON that is not YAML": {
			`{"apiVersion":"v1","kind":"X","metadata":{"name":"x","title":"\ud83d\ude00"}}`,
			`{"apiVersion":"v1","kind":"X","metadata":{"name":"x","title":"😀"}}`,
		},
		"line breaks of YAML alone": {
			"{\"apiVersion\":\"v1\",\"kind\":\"X\",\"metadata\":{\"name\":\"x\",\"title\":\"a\u0085b\ufeff\"}}",
			"{\"apiVersion\":\"v1\",\"kind\":\"X\",\"metadata\":{\"name\":\"x\",\"title\":\"a\u0085b\ufeff\"}}",
		},
		"null annotation": {
			"apiVersion: v1\nkind: X\nmetadata:\n  annotations:\n    a:\n    b: c\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"annotations":{"b":"c"}}}`,
		},
		"odd spec": {
			"apiVersion: v1\nkind: List\nmetadata: null\nspec: [1, null]\n",
			`{"apiVersion":"v1","kind":"List","metadata":null,"spec":[1,null]}`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := parseOne(t, c.yaml)
			if diff := cmp.Diff(c.json, string(d.JSON())); diff != "" {
				t.Error(diff)
			}
			again, err := document.FromJSON(d.JSON())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.json, string(again.JSON())); diff != "" {
				t.Error("read again:", diff)
			}
			if diff := cmp.Diff(c.json, string(d.Clone().JSON())); diff != "" {
				t.Error("clone:", diff)
			}
		})
	}
}

func TestParseSaysWhereItIsWrong(t *testing.T) {
	t.Parallel()
	head := "apiVersion: v1\nkind: X\nmetadata:\n  name: x\n"
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, next := range []string{"b a", "c b", "d c", "e d", "f e", "g f", "h g"} {
		anchor, alias, _ := strings.Cut(next, " ")
		bomb += anchor + ": &" + anchor + " [" + strings.Repeat("*"+alias+",", 9) + "*" + alias + "]\n"
	}
	cases := map[string]struct{ text, want string }{
		"syntax":           {head + "spec:\n  a: b: c\n", "bad.yaml:6: mapping values are not allowed in this context"},
		"not a mapping":    {head + "---\n- a\n", "bad.yaml:6:1: a document must be a mapping"},
		"no kind":          {"apiVersion: v1\nmetadata: {name: x}\n", "bad.yaml:1:1: kind is missing"},
		"name is a number": {"apiVersion: v1\nkind: X\nmetadata:\n  name: 12\n", "bad.yaml:4:3: metadata.name: must be text, not the number 12 (quote it)"},
		"label is a bool":  {head + "  labels:\n    a: true\n", "bad.yaml:6:5: metadata.labels.a: must be text, not the boolean true"},
		"key twice":        {head + "spec:\n  a: 1\n  a: 2\n", `bad.yaml:7:3: the key "a" is given twice`},
		"unquoted braces":  {head + "spec:\n  a: {{x}}\n", "a key must be text (a value that starts with {{ or [ must be quoted)"},
		"tag":              {head + "spec: !Ref x\n", "bad.yaml:5:7: the tag !Ref has no meaning here"},
		"infinite":         {head + "spec: {a: .inf}\n", "is not a number that can be kept"},
		"bomb":             {head + bomb, "more than 500000 values, aliases expanded"},
		"own alias":        {head + "spec: &a {b: *a}\n", "nested deeper than 100 levels"},
		"deep":             {head + "spec: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested deeper than 100 levels"},
		"both documents":   {"kind: X\n---\nkind: Y\n", "bad.yaml:3:1: apiVersion is missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := document.Parse("bad.yaml", []byte(c.text), document.Limits{})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v (%v), want Invalid with %q", err, fault.KindOf(err), c.want)
			}
		})
	}
}

func TestParseHoldsItsLimits(t *testing.T) {
	t.Parallel()
	one := "apiVersion: v1\nkind: X\n---\n"
	cases := map[string]struct {
		text   string
		limits document.Limits
		kind   fault.Kind
		want   string
	}{
		"bytes":     {one, document.Limits{Bytes: 10}, fault.TooLarge, "has 27 bytes; at most 10 are read"},
		"documents": {one + one, document.Limits{Documents: 1}, fault.Invalid, "more than 1 documents"},
		"keys":      {one, document.Limits{Keys: 1}, fault.Invalid, "more than 1 keys"},
		"text":      {one, document.Limits{Expanded: 5}, fault.Invalid, "more than 5 bytes of text"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := document.Parse("", []byte(c.text), c.limits)
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What aliases make of a stream is in proportion to its bytes, however many documents there are, and those count too that fail.
func TestAliasesOfAStreamAreBounded(t *testing.T) {
	t.Parallel()
	texts := func(size, times int, more string) string {
		return "---\napiVersion: v1\nkind: X\na: &a " + strings.Repeat("x", size) + "\nb: [" + strings.TrimSuffix(strings.Repeat("*a, ", times), ", ") + "]\n" + more
	}
	values := func(times int) string {
		return "---\napiVersion: v1\nkind: X\na: &a [" + strings.TrimSuffix(strings.Repeat("1, ", 100), ", ") + "]\nb: [" + strings.TrimSuffix(strings.Repeat("*a, ", times), ", ") + "]\n"
	}
	for name, c := range map[string]struct {
		text string
		want string // "" when it is read
	}{
		"one of 15 MiB":            {text: texts(16<<10, 900, "")},
		"two":                      {text: strings.Repeat(texts(16<<10, 900, ""), 2), want: "f.yaml:9:4: the documents up to here have more than 17097568 bytes of text, aliases expanded (repeat less by aliases, or split the file)"},
		"two hundred":              {text: strings.Repeat(texts(16<<10, 900, ""), 200), want: "f.yaml:19:4: "},
		"those that are wrong":     {text: strings.Repeat(texts(16<<10, 900, "b: 1\n"), 15), want: "repeat less by aliases, or split the file"},
		"many that repeat little":  {text: strings.Repeat(texts(1<<10, 7, ""), 4000)},
		"keys":                     {text: "apiVersion: v1\nkind: X\n" + "a: &a " + strings.Repeat("k", 64<<10) + "\nb: [" + strings.TrimSuffix(strings.Repeat("{? *a : {}}, ", 300), ", ") + "]\n", want: "more than 16777216 bytes of text, aliases expanded"},
		"one of 400,000 values":    {text: values(3900)},
		"many of 400,000 values":   {text: strings.Repeat(values(3900)+strings.Repeat("# a line of words\n", 5000), 14), want: "have more than 5000000 values, aliases expanded"},
		"two of 400,000 values":    {text: strings.Repeat(values(3900), 2), want: "f.yaml:9:302: the documents up to here have more than "},
		"many that have no alias":  {text: strings.Repeat("---\napiVersion: v1\nkind: X\na: [1, 2, 3, 4, 5, 6, 7, 8, 9, &b 0]\n", 10_000)},
		"a document of 17 MiB":     {text: texts(16<<10, 1100, ""), want: "more than 16777216 bytes of text, aliases expanded"},
		"what is wrong is told as": {text: strings.Repeat(texts(16<<10, 900, ""), 3), want: "have more than " + strconv.Itoa(16<<20+8*3*len(texts(16<<10, 900, ""))) + " bytes of text, aliases expanded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			documents, err := document.Parse("f.yaml", []byte(c.text), document.Limits{})
			switch {
			case c.want == "" && (err != nil || len(documents) != max(1, strings.Count(c.text, "---"))):
				t.Errorf("%d documents, %v", len(documents), err)
			case c.want != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

type stackSpec struct {
	Owner   string        `json:"owner"`
	Project project       `json:"project"`
	Timeout time.Duration `json:"timeout"`
	Limits  map[string]int64
	Hooks   []struct {
		Run string `json:"run"`
	} `json:"hooks"`
	Auto *bool `json:"auto"`
	Any  any   `json:"any"`
}

type project struct {
	Root string `json:"root"`
}

func TestDecodeIsStrictAndHelps(t *testing.T) {
	t.Parallel()
	d := parseOne(t, `apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: s}
spec:
  ownr: a
  project:
    root: 3
  timeout: 10 minutes
  Limits: {cpu: x}
  hooks:
    - run: a
    - rum: b
  auto: yes
`)
	var spec stackSpec
	err := document.Decode(d, &spec)
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("got %v, want Invalid", err)
	}
	var got []string
	for _, detail := range fault.Details(err) {
		got = append(got, detail.String())
	}
	want := []string{
		"catalog-info.yaml:9:12: spec.Limits.cpu: must be a whole number, not text",
		"catalog-info.yaml:13:3: spec.auto: must be true or false, not text",
		"catalog-info.yaml:12:7: spec.hooks.1.rum: unknown field (did you mean run?)",
		"catalog-info.yaml:5:3: spec.ownr: unknown field (did you mean owner?)",
		"catalog-info.yaml:7:5: spec.project.root: must be text, not the number 3 (quote it)",
		`catalog-info.yaml:8:3: spec.timeout: must be a duration, not text (write a number and a unit, such as "30s", "10m" or "2h")`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeReadsTheSpec(t *testing.T) {
	t.Parallel()
	d := parseOne(t, `{"apiVersion": "v1", "kind": "Stack", "metadata": {"name": "s"}, "data": {"k": "v"},
"spec": {"owner": "a", "project": {"root": "r"}, "timeout": "10m", "Limits": {"cpu": 2}, "hooks": [{"run": "x"}], "auto": true, "any": [1]}}`)
	var spec stackSpec
	if err := document.Decode(d, &spec); err != nil {
		t.Fatal(err)
	}
	yes := true
	want := stackSpec{Owner: "a", Project: project{"r"}, Timeout: 10 * time.Minute, Limits: map[string]int64{"cpu": 2}, Auto: &yes, Any: []any{int64(1)}}
	want.Hooks = append(want.Hooks, struct {
		Run string `json:"run"`
	}{"x"})
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Error(diff)
	}
	var data map[string]string
	if err := document.DecodeField(d, "data", &data); err != nil || data["k"] != "v" {
		t.Errorf("got %v, %v", data, err)
	}
}

func TestLineFindsFieldsThroughAliasesAndMerges(t *testing.T) {
	t.Parallel()
	d := parseOne(t, `apiVersion: v1
kind: X
metadata: {name: x}
base: &base
  a: 1
spec:
  <<: *base
  list: [
    one,
    {b: 2}]
`)
	for path, want := range map[string]int{"spec.a": 5, "spec.list.1.b": 10, "spec.missing": 6, "nothing": 1, "kind": 2} {
		if got := d.Line(strings.Split(path, ".")...); got != want {
			t.Errorf("line of %s is %d, want %d", path, got, want)
		}
	}
}

func TestRegistryRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	r := document.NewRegistry()
	r.Register(document.Kind{APIVersions: []string{"backstage.io/v1alpha1"}, Name: "Component"})
	r.Register(document.Kind{APIVersions: []string{"backstage.io/v1alpha1"}, Name: "Policy", Plural: "policies"})
	text := func(version, kind, name string) document.Document {
		return parseOne(t, "apiVersion: "+version+"\nkind: "+kind+"\nmetadata: {name: "+name+"}\n")
	}
	cases := map[string]struct {
		d    document.Document
		want string
	}{
		"good":    {text("backstage.io/v1alpha1", "Component", "a-b_C.1"), ""},
		"near":    {text("backstage.io/v1alpha1", "Componnet", "a"), "did you mean Component?"},
		"version": {text("backstage.io/v2", "Component", "a"), `Component has no version "backstage.io/v2" (known: backstage.io/v1alpha1)`},
		"case":    {text("backstage.io/v1alpha1", "component", "a"), "did you mean Component?"},
		"name":    {text("backstage.io/v1alpha1", "Component", "a/b"), `metadata.name: "a/b" is not a legal name`},
	}
	for name, c := range cases {
		_, wrong := r.Check(c.d)
		var got string
		for _, detail := range wrong {
			got += detail.String()
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if k, ok := r.ByName("Policies"); !ok || k.Name != "Policy" {
		t.Errorf("by plural: got %v, %v", k.Name, ok)
	}
	if got := r.Inverse("partOf") + r.Inverse("hasPart") + r.Inverse("x"); got != "hasPartpartOf" {
		t.Errorf("inverse: %s", got)
	}
}

func TestCheckRefusesScriptAddresses(t *testing.T) {
	t.Parallel()
	d := parseOne(t, `apiVersion: v1
kind: X
metadata:
  name: x
  annotations: {backstage.io/view-url: " JavaScript:alert(1)"}
  links: [{url: "javascript:alert(1)"}, {title: none}, {url: "https://example.org"}]
  tags: [Upper, ok]
  labels: {ok: "a b"}
`)
	var fields []string
	for _, detail := range d.Check() {
		fields = append(fields, detail.Field)
	}
	want := []string{"metadata.labels.ok", "metadata.annotations.backstage.io/view-url", "metadata.tags.0", "metadata.links.0.url", "metadata.links.1"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

func TestDiffNamesTheFields(t *testing.T) {
	t.Parallel()
	before := parseOne(t, "apiVersion: v1\nkind: X\nmetadata: {name: x, tags: [a]}\nspec: {owner: a, same: [1], gone: null}\n")
	after := parseOne(t, "apiVersion: v1\nkind: X\nmetadata: {name: x, tags: [a, b]}\nspec: {owner: b, same: [1]}\n")
	want := []document.Difference{
		{Path: "metadata.tags.1", New: "b", Added: true},
		{Path: "spec.gone", Removed: true},
		{Path: "spec.owner", Old: "a", New: "b"},
	}
	if diff := cmp.Diff(want, document.Diff(&before, &after)); diff != "" {
		t.Error(diff)
	}
	if got := document.Diff(nil, &after); len(got) != 1 || !got[0].Added {
		t.Errorf("created: %v", got)
	}
}

func TestRoundTripOfAnyValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, err := document.FromValue(map[string]any{
			"apiVersion": "v1", "kind": "X",
			"metadata": map[string]any{"name": rapid.String().Draw(t, "name"), "x": value(3).Draw(t, "meta")},
			"spec":     value(4).Draw(t, "spec"), "data": value(3).Draw(t, "data"),
		})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := document.Parse("", d.JSON(), document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(parsed[0].JSON(), d.JSON()) {
			t.Fatalf("got  %s\nwant %s", parsed[0].JSON(), d.JSON())
		}
	})
}

func value(depth int) *rapid.Generator[any] {
	text := rapid.StringMatching(`[ -~]{0,8}|\{\{[a-z.]+\}\}|é\n`)
	leaves := []*rapid.Generator[any]{
		text.AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil), rapid.Float64Range(-1e300, 1e300).AsAny(),
	}
	if depth > 0 {
		inner := value(depth - 1)
		leaves = append(leaves,
			rapid.SliceOfN(inner, 0, 4).AsAny(),
			rapid.MapOfN(text, inner, 0, 4).AsAny())
	}
	return rapid.OneOf(leaves...)
}

// The corpus holds what people really write; every file that its index calls readable has to pass.
func TestCorpusRoundTrips(t *testing.T) {
	t.Parallel()
	root := lacktest.Corpus(t, "")
	read := 0
	for _, folder := range []string{"catalog", "argo-workflows/examples", "argo-rollouts/examples", "argo-events/examples"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			documents, err := document.Parse(filepath.Base(path), data, document.Limits{})
			if err != nil {
				t.Logf("%s: %v", path, err)
				return nil
			}
			for _, d := range documents {
				read++
				again, err := document.FromJSON(d.JSON())
				if err != nil || !bytes.Equal(again.JSON(), d.JSON()) {
					t.Errorf("%s: %v:\n%s\n%s", path, err, d.JSON(), again.JSON())
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 400 {
		t.Errorf("only %d documents could be read", read)
	}
}

// Of more mistakes than are told, the rest costs nothing.
func TestOnlySoManyMistakesAreTold(t *testing.T) {
	t.Parallel()
	tags := strings.TrimSuffix(strings.Repeat("WRONG, ", 20_000), ", ")
	documents, err := document.Parse("x.yaml", []byte("apiVersion: v1\nkind: X\nmetadata: {name: x, tags: ["+tags+"]}\n"), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if wrong := documents[0].Check(); len(wrong) != 20 {
		t.Errorf("%d mistakes are told", len(wrong))
	}
}

// Documents without anything are passed over, but not without end.
func TestEmptyDocumentsAreBounded(t *testing.T) {
	t.Parallel()
	const one = "apiVersion: v1\nkind: Thing\nmetadata: {name: a}\n"
	for what, c := range map[string]struct {
		text string
		want string // "" for what is read
	}{
		"some":              {one + strings.Repeat("---\n", 19_000) + one + "---\n", ""},
		"as many as may be": {one + strings.Repeat("---\n", 20_000), ""},
		"too many":          {one + strings.Repeat("---\n", 20_001), "x.yaml:20004: more than 20000 empty documents in one stream"},
		"too many in front": {strings.Repeat("---\n", 20_002) + one, "more than 20000 empty documents"},
		"too many between":  {strings.Repeat(one+strings.Repeat("---\n", 7000), 3), "more than 20000 empty documents"},
		"too many nulls":    {strings.Repeat("--- null\n", 20_001), "more than 20000 empty documents"},
		"too many comments": {strings.Repeat("---\n# no more\n", 20_001), "more than 20000 empty documents"},
	} {
		documents, err := document.Parse("x.yaml", []byte(c.text), document.Limits{})
		if c.want == "" {
			if err != nil || len(documents) != strings.Count(c.text, "kind:") {
				t.Errorf("%s: %d documents, %v", what, len(documents), err)
			}
			continue
		}
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d documents, %.300v", what, len(documents), err)
		}
	}
}
