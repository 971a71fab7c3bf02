package document_test

import (
	"bytes"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec: {a: &a [1, 0x1F, 1e3, ~, !!str 2], b: *a}\n",
		"a: &a {<<: *a}\n", "? [x]\n: y\n", "{\"apiVersion\":\"v1\",\"kind\":\"X\",\"metadata\":{\"links\":[{}],\"tags\":[]}}",
		"---\n...\n---\n# only\n", "apiVersion: v1\nkind: X\n<<: [{a: 1}, {b: 2}]\n", "\xff\xfe", "!!binary x", "apiVersion: v1\nkind: X\nx: !!int 0b1\n",
	} {
		f.Add([]byte(seed))
	}
	limits := document.Limits{Bytes: 64 << 10, Values: 20_000, Expanded: 256 << 10}
	f.Fuzz(func(t *testing.T, data []byte) {
		documents, err := document.Parse("f.yaml", data, limits)
		if err != nil && fault.KindOf(err) == fault.Internal {
			t.Fatalf("an input gave an internal error: %v", err)
		}
		for _, d := range documents {
			text := d.JSON()
			again, err := document.FromJSON(text)
			if err != nil || !bytes.Equal(again.JSON(), text) {
				t.Fatalf("%v: %s became %s", err, text, again.JSON())
			}
			d.Check()
			d.Line("spec", "a", "0")
		}
	})
}
