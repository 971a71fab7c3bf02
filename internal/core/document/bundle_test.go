package document_test

import (
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// folder is files by name, as a bundle asks for them.
type folder map[string]string

func (f folder) files() document.Files {
	return document.Files{
		At: func(from, reference string) (string, error) {
			if strings.Contains(reference, "://") {
				return "", fault.Errorf(fault.Invalid, "%s is far away", reference)
			}
			return path.Join(path.Dir(from), reference), nil
		},
		Read: func(file string) ([]byte, error) {
			text, ok := f[file]
			if !ok {
				return nil, fault.Errorf(fault.NotFound, "there is no file %s", file)
			}
			return []byte(text), nil
		},
	}
}

func (f folder) bundle(limits document.Limits) (string, error) {
	text, err := document.Bundle("api.yaml", []byte(f["api.yaml"]), f.files(), limits)
	return string(text), err
}

func TestWhatIsReferredToIsBundled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files folder
		want  string
	}{
		"nothing": {folder{"api.yaml": "a:   1 # kept\nb: {$ref: '#/a'}\n"}, "a:   1 # kept\nb: {$ref: '#/a'}\n"},
		"a file, its order and its words": {
			folder{"api.yaml": "z: 1 # last first\na: {$ref: ./pet.yaml}\nm: 2\n", "pet.yaml": "type: object # a pet\nallOf: [{type: string}]\n"},
			"z: 1 # last first\na:\n  type: object # a pet\n  allOf:\n    - type: string\nm: 2\n",
		},
		"one that is named again": {
			folder{"api.yaml": "paths: {'/pets/{id}': {$ref: pet.yaml}, again: {$ref: ./pet.yaml}}\n", "pet.yaml": "a: 1\n"},
			"paths:\n  '/pets/{id}':\n    a: 1\n  again:\n    $ref: \"#/paths/~1pets~1%7Bid%7D\"\n",
		},
		"a part of one, and that within itself": {
			folder{"api.yaml": "a: {$ref: 'more/all.json#/defs/Pet'}\n", "more/all.json": `{"defs": {"Pet": {"owner": {"$ref": "#/defs/Owner"}}, "Owner": {"pets": [{"$ref": "#/defs/Pet"}], "self": {"$ref": "all.json#/defs/Owner"}}}}`},
			"a:\n  \"owner\":\n    \"pets\":\n      - \"$ref\": \"#/a\"\n    \"self\":\n      \"$ref\": \"#/a/owner\"\n",
		},
		"a part of what stands there": {
			folder{"api.yaml": "all: {$ref: all.yaml}\none: {$ref: 'all.yaml#/b/0'}\n", "all.yaml": "b: [{c: 1}]\n"},
			"all:\n  b:\n    - c: 1\none:\n  $ref: \"#/all/b/0\"\n",
		},
		"back to where it began": {
			folder{"api.yaml": "a: {$ref: b.yaml}\nc: {d: 1}\n", "b.yaml": "back: {$ref: 'api.yaml#/c'}\n"},
			"a:\n  back:\n    $ref: \"#/c\"\nc:\n  d: 1\n",
		},
		"by way of others": {
			folder{"api.yaml": "a: {$ref: 'b.yaml#/x/y'}\nb: {$ref: c.yaml}\n", "b.yaml": "x: {$ref: c.yaml}\n", "c.yaml": "y: {z: 1}\n"},
			"a:\n  z: 1\nb:\n  y:\n    z: 1\n",
		},
		"with something beside it": {
			folder{"api.yaml": "a: {$ref: b.yaml, description: other, more: 1}\nb: {description: words, $ref: b.yaml}\n", "b.yaml": "description: own\ntype: object\n"},
			"a:\n  description: other\n  type: object\n  more: 1\nb:\n  description: words\n  type: object\n",
		},
		"what stands beside one is not for the others": {
			folder{"api.yaml": "a: {$ref: e.yaml, description: X}\nb: {$ref: e.yaml}\nc: {$ref: e.yaml, description: Y}\n", "e.yaml": "{description: own, more: 1}\n"},
			"a:\n  description: X\n  more: 1\nb:\n  description: own\n  more: 1\nc:\n  $ref: \"#/b\"\n  description: Y\n",
		},
		"a part of what something beside it left, and of what it replaced": {
			folder{
				"api.yaml": "a: {$ref: e.yaml, gone: 1}\nb: {$ref: f.yaml}\nc: {$ref: 'e.yaml#/stays'}\nd: {$ref: 'e.yaml#/gone'}\n",
				"e.yaml":   "gone: {f: {$ref: f.yaml}}\nstays: {z: 1}\n", "f.yaml": "y: 1\n",
			},
			"a:\n  gone: 1\n  stays:\n    z: 1\nb:\n  y: 1\nc:\n  $ref: \"#/a/stays\"\nd:\n  f:\n    $ref: \"#/b\"\n",
		},
		"itself with something beside it": {
			folder{"api.yaml": "a: {$ref: e.yaml, d: X}\n", "e.yaml": "d: own\nparent: {$ref: e.yaml, d: parent}\nnext: [{$ref: '#/parent'}]\n"},
			"a:\n  d: X\n  parent:\n    d: parent\n    parent:\n      $ref: \"#/a/parent\"\n    next:\n      - $ref: \"#/a/parent\"\n  next:\n    - $ref: \"#/a/parent\"\n",
		},
		"a part of what stands beside one": {
			folder{"api.yaml": "a: {$ref: 'e.yaml#/x/p'}\nb: {$ref: 'e.yaml#/x/q'}\n", "e.yaml": "x: {$ref: f.yaml, p: 3}\n", "f.yaml": "{p: 5, q: 6}"},
			"a: 3\nb: 6\n",
		},
		"something beside each of two on the way": {
			folder{"api.yaml": "a: {$ref: 'e.yaml#/x', p: 1}\nb: {$ref: f.yaml}\nc: {$ref: 'e.yaml#/x', p: 2}\n", "e.yaml": "x: {$ref: f.yaml, p: 3, q: 4}\n", "f.yaml": "{p: 5, q: 6, r: 7}"},
			"a:\n  p: 1\n  q: 4\n  r: 7\nb:\n  p: 5\n  q: 6\n  r: 7\nc:\n  $ref: \"#/b\"\n  p: 2\n  q: 4\n",
		},
		"keys that are aliases": {
			folder{"api.yaml": "a: {$ref: b.yaml}\nc: {$ref: 'b.yaml#/m/k'}\n", "b.yaml": "n: &k k\nm: {*k : {z: 1}}\n"},
			"a:\n  n: k\n  m:\n    k:\n      z: 1\nc:\n  $ref: \"#/a/m/k\"\n",
		},
		"merges": {
			folder{"api.yaml": "a: {$ref: 'b.yaml#/m'}\nc: {$ref: 'b.yaml#/m/x'}\nd: {$ref: 'b.yaml#/r'}\n", "b.yaml": "n: &n {x: {z: 1}, y: 2}\no: &o {y: 3, w: 4}\nm: {v: 0, <<: [*n, *o], y: 1}\np: &p {$ref: '#/n'}\nr: {<<: *p}\n"},
			"a:\n  v: 0\n  x:\n    z: 1\n  w: 4\n  y: 1\nc:\n  $ref: \"#/a/x\"\nd:\n  x:\n    z: 1\n  y: 2\n",
		},
		"a property of that name": {
			folder{"api.yaml": "properties: {$ref: {type: string}, b: {$ref: b.yaml}}\n", "b.yaml": "1\n"},
			"properties:\n  $ref:\n    type: string\n  b: 1\n",
		},
		"anchors of other files": {
			folder{"api.yaml": "a: {$ref: 'b.yaml#/x'}\n", "b.yaml": "y: &y {z: 1}\nx: [*y, *y]\n"},
			"a:\n  - z: 1\n  - z: 1\n",
		},
		"a text":              {folder{"api.yaml": "payload: {$ref: ./order.proto}\n", "order.proto": "message Order {}"}, "payload: message Order {}\n"},
		"a name with a space": {folder{"api.yaml": "a: {$ref: ./my%20pet.yaml}\n", "my pet.yaml": "b: 1"}, "a:\n  b: 1\n"},
	} {
		got, err := c.files.bundle(document.Limits{})
		if err != nil || got != c.want {
			t.Errorf("%s gives %v\n%s\nwant\n%s", name, fault.Details(err), got, c.want)
		}
		again, err := folder{"api.yaml": got}.bundle(document.Limits{})
		if err != nil || again != got {
			t.Errorf("%s bundled again gives %v\n%s", name, err, again)
		}
	}
}

func TestWhatIsWrongWithAReferenceIsToldWithItsLine(t *testing.T) {
	t.Parallel()
	long := folder{"api.yaml": "a: {$ref: 0.yaml}"}
	for i := range 150 {
		long[strconv.Itoa(i)+".yaml"] = "{$id: x, b: {$ref: " + strconv.Itoa(i+1) + ".yaml}}"
	}
	wide := folder{"api.yaml": ""}
	for i := range 250 {
		wide["api.yaml"] += "a" + strconv.Itoa(i) + ": {$ref: " + strconv.Itoa(i) + ".yaml}\n"
		wide[strconv.Itoa(i)+".yaml"] = "a: 1"
	}
	bomb := folder{"api.yaml": "a: {$ref: 0.yaml}"}
	for i := range 40 {
		bomb[strconv.Itoa(i)+".yaml"] = "[" + strings.Repeat("{$ref: "+strconv.Itoa(i+1)+".yaml, x: 1}, ", 40) + "]"
	}
	bomb["40.yaml"] = "1"
	for name, c := range map[string]struct {
		files folder
		want  string
	}{
		"a file that is not there": {folder{"api.yaml": "a: 1\nb: {$ref: c.yaml}"}, `api.yaml:2:11: the $ref "c.yaml": there is no file c.yaml`},
		"a part that is not there": {folder{"api.yaml": "b: {$ref: 'c.yaml#/d/e'}", "c.yaml": "d: {}"}, "c.yaml has no /d/e"},
		"in another file":          {folder{"api.yaml": "b: {$ref: c.yaml}", "c.yaml": "\nd: {$ref: d.yaml}"}, "c.yaml:2:11: the $ref"},
		"no YAML":                  {folder{"api.yaml": "b: {$ref: c.yaml}", "c.yaml": "a: b: c"}, "c.yaml:1"},
		"an empty file":            {folder{"api.yaml": "b: {$ref: c.yaml}", "c.yaml": ""}, "c.yaml is empty"},
		"somewhere else":           {folder{"api.yaml": "b: {$ref: 'https://example.org/c.yaml#/d'}"}, "is far away"},
		"an anchor":                {folder{"api.yaml": "b: {$ref: 'c.yaml#d'}", "c.yaml": "a: 1"}, "names no value by its way"},
		"a circle":                 {folder{"api.yaml": "b: {$ref: c.yaml}", "c.yaml": "{$ref: d.yaml}", "d.yaml": "{$ref: c.yaml}"}, "go round in a circle"},
		"itself with something":    {folder{"api.yaml": "b: {$ref: 'c.yaml#/x'}", "c.yaml": "x: {$ref: '#/x', a: 1}"}, "go round in a circle"},
		"others with something":    {folder{"api.yaml": "b: {$ref: 'c.yaml#/x', d: 1}", "c.yaml": "x: {$ref: '#/y', a: 1}\ny: {$ref: '#/x', b: 1}"}, "go round in a circle"},
		"a long way to it":         {folder{"api.yaml": "? " + strings.Repeat("k", 5000) + "\n: [{$ref: c.yaml}, {$ref: c.yaml}]", "c.yaml": "a: 1"}, "more than 4096 bytes"},
		"a long way in a file":     {folder{"api.yaml": "b: {$ref: 'c.yaml#/a'}", "c.yaml": "a: {$ref: '#/b/" + strings.Repeat("k", 4095) + "'}\nb: {}"}, "more than 4096 bytes"},
		"a long reference":         {folder{"api.yaml": "b: {$ref: 'c.yaml#/" + strings.Repeat("a", 4096) + "'}", "c.yaml": "a: 1"}, "at most 4096 bytes"},
		"itself":                   {folder{"api.yaml": "b: {$ref: c.yaml}", "c.yaml": "{$ref: '#/x', a: 1}"}, "go round in a circle"},
		"too far":                  {long, "100 levels"},
		"too many":                 {wide, "more than 200 files"},
	} {
		_, err := c.files.bundle(document.Limits{})
		if err == nil || !strings.Contains(fault.Message(err)+details(err), c.want) {
			t.Errorf("%s gives %v %v, want %s", name, err, fault.Details(err), c.want)
		}
	}
	if _, err := (folder{"api.yaml": "a: {$ref: b.yaml}\nc: {$ref: c.yaml}", "b.yaml": strings.Repeat("x", 60), "c.yaml": strings.Repeat("x", 60)}).bundle(document.Limits{Bytes: 100}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("what is too large gives %v", err)
	}
	many := folder{"api.yaml": "- {$ref: 'b.yaml#/0'}\n- {$ref: 'c.yaml#/0'}\n- {$ref: 'd.yaml#/0'}\n"}
	for _, name := range []string{"b.yaml", "c.yaml", "d.yaml"} {
		many[name] = strings.Repeat("- 1\n", 90)
	}
	if _, err := many.bundle(document.Limits{Values: 100}); err == nil || !strings.Contains(details(err), "files of more than 200 values in all; refer to smaller ones") {
		t.Errorf("files of many values give %v %s", err, details(err))
	}
	if _, err := many.bundle(document.Limits{Values: 150}); err != nil {
		t.Errorf("files of fewer values give %v", err)
	}
	if text, err := bomb.bundle(document.Limits{Bytes: 512 << 10}); err == nil && len(text) > 512<<10 {
		t.Errorf("what grows gives %d bytes", len(text))
	}
}

// counted gives how often files are read for a bundle.
func (f folder) counted(limits document.Limits) (reads int, err error) {
	files := f.files()
	read := files.Read
	files.Read = func(file string) ([]byte, error) {
		reads++
		return read(file)
	}
	_, err = document.Bundle("api.yaml", []byte(f["api.yaml"]), files, limits)
	return reads, err
}

// What a bundle takes is seen while it grows: what follows is not read any more.
func TestABundleThatGrowsTooLargeEnds(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("k", 1000)
	var keys, distinct strings.Builder
	for i := range 10_000 {
		keys.WriteString("k" + strconv.Itoa(i) + ": 1\n")
	}
	for i := range 1500 {
		distinct.WriteString("- {$ref: 'many.yaml#/k" + strconv.Itoa(i) + "'}\n")
	}
	for name, c := range map[string]struct {
		files folder
		reads int
	}{
		"long ways":     {folder{"api.yaml": "? " + deep + "\n: {? " + deep + "\n : [" + strings.Repeat("{$ref: o.yaml},", 500) + "{$ref: z.yaml}]}", "o.yaml": "a: 1"}, 1},
		"long keys":     {folder{"api.yaml": "- &a {? " + deep + "\n : 1}\n" + strings.Repeat("- *a\n", 500) + "- {$ref: z.yaml}\n"}, 0},
		"long searches": {folder{"api.yaml": distinct.String() + "- {$ref: z.yaml}\n", "many.yaml": keys.String()}, 1},
		"long comments": {folder{"api.yaml": "- &a # " + deep + "\n  b: 1\n" + strings.Repeat("- *a\n", 500) + "- {$ref: z.yaml}\n"}, 1},
	} {
		c.files["z.yaml"] = "z: 1"
		reads, err := c.files.counted(document.Limits{Bytes: 200_000})
		if reads != c.reads || !fault.Is(err, fault.TooLarge) {
			t.Errorf("%s: %d files are read, %v %s", name, reads, err, details(err))
		}
	}
}

func TestFilesThatReferencesMissCount(t *testing.T) {
	t.Parallel()
	var one, each, most strings.Builder
	there := folder{}
	for i := range 5000 {
		one.WriteString("- {$ref: 'gone.yaml#/" + strconv.Itoa(i) + "'}\n")
		each.WriteString("- {$ref: gone" + strconv.Itoa(i) + ".yaml}\n")
	}
	for i := range 195 {
		there[strconv.Itoa(i)+".yaml"] = "a: 1"
		most.WriteString("- {$ref: " + strconv.Itoa(i) + ".yaml}\n")
	}
	for i := range 10 {
		most.WriteString("- {$ref: gone" + strconv.Itoa(i) + ".yaml}\n")
	}
	there["api.yaml"] = most.String()
	for name, c := range map[string]struct {
		files   folder
		reads   int
		details int
	}{
		"one that is missed often": {folder{"api.yaml": one.String()}, 1, 20},
		"many":                     {folder{"api.yaml": each.String()}, 20, 20},
		"as many as there may be":  {there, 199, 10},
	} {
		reads, err := c.files.counted(document.Limits{})
		if reads != c.reads || len(fault.Details(err)) != c.details {
			t.Errorf("%s: %d files are read, %v\n%s", name, reads, err, details(err))
		}
	}
}

func details(err error) string {
	var lines []string
	for _, d := range fault.Details(err) {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "\n")
}

// A platform that can't read a file is not the author's fault.
func TestTheErrorsOfThePlatformAreNotThoseOfAReference(t *testing.T) {
	t.Parallel()
	files := folder{}.files()
	files.Read = func(string) ([]byte, error) { return nil, fault.Errorf(fault.Unavailable, "the disk is gone") }
	if _, err := document.Bundle("api.yaml", []byte("a: {$ref: b.yaml}"), files, document.Limits{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("it gives %v", err)
	}
}

// Whatever files hold, a bundle of them ends, and needs no other.
func FuzzBundle(f *testing.F) {
	f.Add("a: {$ref: b.yaml}", "c: {$ref: 'api.yaml#/a'}")
	f.Add("a: {$ref: 'b.yaml#/x/0'}", "x: [{$ref: '#/y', z: &q 1}]\ny: {$ref: 'b.yaml', t: *q}")
	f.Add("{$ref: b.yaml, a: 1}", "{$ref: api.yaml}")
	f.Add("a: {$ref: 'b.yaml#/m'}\nb: {<<: {$ref: 'b.yaml#/n'}}", "k: &k <<\nn: &n {x: 1, *k : 2}\nm: {<<: [*n, {$ref: '#/n'}], *k : {$ref: b.yaml, y: 1}}")
	f.Add("&a {b: {$ref: 'b.yaml#/x', q: &m <<, *m : 1}}", "x: {$ref: '#/y', a: {$ref: '#/x', b: 1}}\ny: {a: 1, z: {$ref: b.yaml, x: {$ref: '#/y', a: 2}}}")
	f.Add("{$ref: 'b.yaml#/x', <<: {r: {$ref: 'api.yaml#/x'}}}", "x: {$ref: 'api.yaml#/r', p: 1}")
	f.Fuzz(func(t *testing.T, a, b string) {
		text, err := folder{"api.yaml": a, "b.yaml": b}.bundle(document.Limits{Bytes: 10_000, Values: 2000})
		if err != nil {
			return
		}
		if len(text) > 10_000 {
			t.Errorf("%d bytes", len(text))
		}
		alone, err := folder{"api.yaml": text}.bundle(document.Limits{Bytes: 100_000})
		if err != nil || alone != text {
			t.Errorf("%q and %q give %q, which gives %q, %v", a, b, text, alone, err)
		}
	})
}
