package catalog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// What several name stays until nobody names it, and files that name one another don't keep one another.
func TestALocationStaysAsLongAsSomebodyNamesIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		naming := func(name, target string) string {
			return "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: " + name + "}, spec: {target: /git/team/" + target + "}}\n"
		}
		for _, name := range []string{"shop", "ring", "back"} {
			b.repository(alice, "default", "team/"+name)
		}
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "")})
		b.push(alice, "team/ring", map[string]string{"catalog-info.yaml": naming("to-back", "back") + component("ring", "")})
		b.push(alice, "team/back", map[string]string{"catalog-info.yaml": naming("to-ring", "ring") + component("back", "")})
		work := func() {
			for {
				did, err := b.queue.Work(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if did == 0 {
					return
				}
			}
		}
		end := func(name string) {
			if err := b.Delete(alice, parseRef(t, "location:default/"+name), ""); err != nil {
				t.Fatal(err)
			}
		}

		b.apply(alice, "default", "", naming("one", "shop")+"---\n"+naming("two", "shop")+"---\n"+naming("three", "ring"))
		work()
		b.get("shop")
		b.get("back")
		end("one")
		b.get("shop")
		end("two")
		b.gone(alice, "shop")
		end("three")
		b.gone(alice, "ring")
		b.gone(alice, "back")
		if list, err := b.Locations(alice, catalog.LocationQuery{}, page.Request{}); err != nil || len(list.Items) != 0 {
			t.Errorf("%d locations are left, %v", len(list.Items), err)
		}

		// Who registers one keeps it, and can take it away when no other names it; its own files don't count.
		l := b.location(alice, "default", "team/ring", "")
		work()
		b.get("back")
		led, err := b.List(alice, catalog.Query{Location: l.ID})
		if err != nil || led.Total != 4 || led.Items[0].Origin.Location != l.ID || led.Items[1].Origin.Location != l.ID {
			t.Errorf("%s led to %d entities, %+v (%v)", l, led.Total, led.Items, err)
		}
		if _, err := b.List(alice, catalog.Query{Location: l.ID, At: time.Unix(1, 0)}); !fault.Is(err, fault.Invalid) {
			t.Errorf("what a location led to in the past: %v", err)
		}
		b.apply(alice, "default", "", naming("four", "ring"))
		refused(t, b.RemoveLocation(alice, l.ID, ""), fault.Conflict, "named by location:default/four")
		end("four")
		b.get("ring")
		if err := b.RemoveLocation(alice, l.ID, ""); err != nil {
			t.Fatal(err)
		}
		b.gone(alice, "ring")
		b.gone(alice, "back")
	})
}

// Who may not see a space learns of a name there only that it is taken.
func TestAConflictTellsOnlyWhatMayBeSeen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		carol, alice := accesstest.As("carol"), accesstest.As("alice")
		b.repository(carol, "lab", "lab/tool")
		b.push(carol, "lab/tool", map[string]string{"catalog-info.yaml": component("hidden", "") + component("shown", "")})
		b.apply(accesstest.As("olga"), "ops", "rockets", component("hidden", ""))
		b.apply(carol, "lab", "sheds", component("shown", ""))
		_, err := b.try(carol, "lab", "", component("hidden", ""))
		refused(t, err, fault.Conflict, "the name is taken")
		out, dry := b.Apply(carol, catalog.Apply{Space: "lab", Documents: parse(t, component("hidden", "")), DryRun: true})
		told := out.Items[0].Message + details(b.location(accesstest.As("adam"), "lab", "lab/tool", ""))
		for _, text := range []string{fmt.Sprint(err, fault.Details(err)), fmt.Sprint(dry, told)} {
			if strings.Contains(text, "rockets") || strings.Contains(text, "ops") {
				t.Errorf("what may not be seen is told: %s", text)
			}
		}
		if !strings.Contains(told, "it belongs to the source sheds in space lab") {
			t.Errorf("what may be seen is not told: %s", told)
		}
		_, err = b.try(alice, "default", "", component("hidden", ""))
		refused(t, err, fault.Conflict, "it belongs to the source rockets in space ops")
	})
}
