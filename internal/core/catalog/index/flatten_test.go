package index

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func FuzzPrepareReadsAsJSONIsRead(f *testing.F) {
	for _, text := range []string{
		`{"kind":"Component","metadata":{"name":"a","tags":["x","y.z"],"labels":{"A":"B"}},"spec":{"a":[1,{"b":null},["c"]],"n":1.5e300}}`,
		`{"metadata":{"name":"\u00e9\n","namespace":null,"description":"` + strings.Repeat("ü", 300) + `"},"":{"":"x"}}`, `{"Kind":"A","metadata":{"UID":"v","Name":"n","name":"m","nameSpace":"o"},"STATUS":{"a":1}}`, `{"@space":"x","":{"@owner":["y"],"\u0000ownedBy":"z"},"@":{"a":true}}`, `[]`, `{"a":-0}`, `{"a":1}x`, `{"a"`, `{"metadata":{"description":7}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var value any
		e := Entity{Ref: "component:default/a", UID: "u", Space: "default", Source: "apply"}
		if json.Unmarshal([]byte(text), &value) != nil {
			e.Document = []byte(text)
			_, _ = Prepare(e) // ends, and does not panic
			return
		}
		e.Document, _ = json.Marshal(value) // sorted, without white space
		p, err := Prepare(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := value.(map[string]any); !ok {
			return
		}
		plain := func(pairs []pair) []string {
			var list []string
			for _, p := range pairs {
				list = append(list, strings.Join([]string{p.key, p.value, string('0' + rune(p.kind))}, "="))
			}
			slices.Sort(list)
			return list
		}
		if got, want := plain(p.pairs), plain(modelValues(e)); !slices.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
	})
}
