package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
)

// TestMovedTellsWhatIsKnownOtherwise apart from what has only changed, and who points at it is found, there or not.
func TestMovedTellsWhatIsKnownOtherwise(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		position := int64(-1)
		told := func() string {
			t.Helper()
			b.sealed()
			var refs, other []string
			var err error
			if position, err = b.Moved(system(), max(position, 0), func(m catalog.Movement) error {
				refs, other = append(refs, m.Refs...), append(other, m.Other...)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return strings.ReplaceAll(fmt.Sprint(refs, " ", other), ":default/", ":")
		}
		told()
		for _, step := range []struct{ yaml, want string }{
			{fleet, "[component:cart component:search group:team resource:db system:shop] [component:cart component:search resource:db system:shop]"},
			{strings.Replace(fleet, "title: Orders", "title: All orders", 1), "[group:team resource:db] []"},
			{strings.Replace(fleet, "type: database", "type: queue", 1), "[group:team resource:db] [resource:db]"},
			{strings.Replace(fleet, "experimental, owner: team", "experimental, owner: crew", 1), "[component:cart component:search group:crew group:team resource:db system:shop] [component:search resource:db]"},
			{strings.Split(fleet, "---")[0], "[component:cart component:search group:crew group:team resource:db system:shop] [component:search resource:db system:shop]"},
		} {
			if _, err := b.Apply(system(), catalog.Apply{Space: "lab", Source: "fleet", Documents: parse(t, step.yaml), Prune: true}); err != nil {
				t.Fatal(err)
			}
			if got := told(); got != step.want {
				t.Errorf("after\n%s\nmoved are %s, want %s", step.yaml, got, step.want)
			}
		}
		b.apply(system(), "ops", "hidden", hidden)
		for who, want := range map[string]string{"adam": "[component:default/cart component:default/secret]", "olga": "[component:default/secret]", "carol": "[component:default/cart]", "nobody": "[]"} {
			if got, err := b.Pointing(as(who), []string{"resource:default/db", "resource:default/other"}, 10); err != nil || fmt.Sprint(got) != want {
				t.Errorf("%s is told that %v point at it, %v", who, got, err)
			}
			known, err := b.Known(as(who), []string{"component:default/secret", "component:default/none"})
			secret := catalog.Known{}
			if strings.Contains(want, "secret") {
				secret = catalog.Known{Space: "ops", Type: "service", Owner: "group:default/team", Lifecycle: "production"}
			}
			if err != nil || len(known) != 2 || known[0] != secret || known[1] != (catalog.Known{}) {
				t.Errorf("%s knows %+v, %v", who, known, err)
			}
		}
		if got, err := b.Pointing(system(), []string{"resource:default/db"}, 1); err != nil || len(got) != 1 {
			t.Errorf("at most one points at it: %v, %v", got, err)
		}
	})
}
