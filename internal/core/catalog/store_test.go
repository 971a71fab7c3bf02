package catalog

import (
	"reflect"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestRelationsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	team := ref.Entity{Kind: "group", Namespace: "default", Name: "a"}
	for _, relations := range [][]document.Relation{
		{},
		{{Type: "ownedBy", Target: team}},
		{{Type: "ownedBy", Target: team}, {Type: "dependsOn", Target: ref.Entity{Kind: "component", Namespace: "made", Name: "b.c-d_e"}}},
		{{Type: `say "so"`, Target: team}, {Type: `a","b`, Target: team}, {Type: "][,", Target: team}, {Type: "<&>\u2028", Target: team}},
	} {
		text, err := writeRelations(relations)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readRelations(text); err != nil || !reflect.DeepEqual(got, relations) {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "[", "]", "{}", `[["a","b"]`, `[["a","b"],]`, `[["a","b"]x]`, `["a","b"]`, `[["a","b"]["c","d"]]`} {
		if got, err := readRelations(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
