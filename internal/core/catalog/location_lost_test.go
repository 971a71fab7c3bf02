package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What came from an address stays while that leads nowhere, whatever else is pushed, and goes when nobody names it.
func TestAnAddressThatLeadsNowhereDeletesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		const hub, moved, lab = "https://github.com/acme/hub", "https://github.com/acme/center", "https://github.com/acme/lab"
		const inHub, inCenter, inLab = hub + "/blob/main/x.yaml", moved + "/blob/main/x.yaml", lab + "/blob/main/x.yaml"
		pages := map[string]string{hub: "team/hub", lab: "team/lab"}
		b.Read(paged{b.repositories.Platform(), pages})
		for name, entity := range map[string]string{"team/hub": "a", "team/lab": "c"} {
			b.repository(alice, "default", name)
			b.push(alice, name, map[string]string{"x.yaml": component(entity, "")})
		}
		b.repository(alice, "default", "team/index")
		b.push(alice, "team/index", map[string]string{"catalog-info.yaml": locationTo("all", inHub, inLab)})
		l := b.location(alice, "default", "team/index", "")
		b.work()
		was := b.get("a")
		pushed := func(what string, files map[string]string, wrong bool) {
			t.Helper()
			b.push(alice, "team/index", files)
			now, _, err := b.RefreshLocation(alice, l.ID)
			if err != nil {
				t.Fatal(err)
			}
			b.work()
			if got := strings.Contains(details(now), `"`+inHub+`" is in no repository that is connected`); got != wrong {
				t.Errorf("%s: the location says %q", what, details(now))
			}
		}
		stays := func(what string) {
			t.Helper()
			if now := b.get("a"); now.UID != was.UID || now.Version != was.Version || now.Source != was.Source {
				t.Errorf("%s: it is version %d of %s", what, now.Version, now.Source)
			}
		}

		delete(pages, hub)
		pushed("another file", map[string]string{"README.md": "# Index\n"}, true)
		stays("another file")
		pushed("another document of the file", map[string]string{"catalog-info.yaml": locationTo("all", inHub, inLab) + component("beside", "")}, true)
		stays("another document of the file")
		pushed("another line of the document", map[string]string{"catalog-info.yaml": strings.Replace(locationTo("all", inHub, inLab), "{name:", "{title: All, name:", 1)}, true)
		stays("another line of the document")
		refused(t, b.RemoveLocation(alice, strings.TrimPrefix(was.Source, "location:"), ""), fault.Conflict, "named by location:default/all")
		pushed("another address goes", map[string]string{"catalog-info.yaml": locationTo("all", inHub)}, true)
		stays("another address goes")
		b.gone(alice, "c")

		// It is connected again.
		pages[hub] = "team/hub"
		pushed("connected again", map[string]string{"README.md": "# The index\n"}, false)
		stays("connected again")

		// By two addresses it stays until both are gone.
		pages[moved] = "team/hub"
		pushed("two addresses", map[string]string{"catalog-info.yaml": locationTo("all", inHub, inCenter)}, false)
		stays("two addresses")
		pushed("the new one alone", map[string]string{"catalog-info.yaml": locationTo("all", inCenter)}, false)
		stays("the new one alone")
		delete(pages, moved)
		pushed("and that is gone", map[string]string{"README.md": "# Index\n"}, false)
		stays("and that is gone")
		pushed("it is not named", map[string]string{"catalog-info.yaml": component("beside", "")}, false)
		b.gone(alice, "a")

		// Connected by another name here, it comes from there.
		pushed("named again", map[string]string{"catalog-info.yaml": locationTo("all", inHub)}, false)
		b.get("a")
		b.repository(alice, "default", "team/other")
		b.push(alice, "team/other", map[string]string{"x.yaml": component("a", "")})
		pages[hub] = "team/other"
		pushed("by another name", map[string]string{"README.md": "# Other\n"}, false)
		list, err := b.Locations(alice, catalog.LocationQuery{}, pageAll)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list.Items {
			if one.Repository == "team/hub" {
				t.Errorf("%s is there", one)
			}
			if _, _, err := b.RefreshLocation(alice, one.ID); err != nil {
				t.Fatal(err)
			}
		}
		if now := b.get("a"); now.File.Repository != "team/other" {
			t.Errorf("it comes from %+v", now.File)
		}
	})
}

// However many locations wait for a repository, all are read when it is connected, or has its name there.
func TestAllThatWaitForARepositoryAreRead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		const many = 620
		waiting := func() (n int) {
			t.Helper()
			err := b.db.Read(t.Context(), func(tx *store.Tx) error {
				return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM locations WHERE refreshed = 0`).Scan(&n)
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		tell := func(kind string, data map[string]any) {
			b.follow(func() {
				text, err := json.Marshal(data)
				if err != nil {
					t.Fatal(err)
				}
				err = b.db.Write(t.Context(), func(tx *store.Tx) error {
					_, err := b.ledger.Append(system(), tx, ledger.Entry{Space: "default", Type: kind, Subject: "repository:team/new", Data: text})
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
		for kind, data := range map[string]map[string]any{"repository.connected": {"remote": "acme/new"}, "repository.changed": {"remote": "acme/newer", "remote_before": "acme/new"}} {
			err := b.db.Write(t.Context(), func(tx *store.Tx) error {
				if _, err := tx.Exec(t.Context(), `DELETE FROM locations`); err != nil {
					return err
				}
				for i := range many {
					_, err := tx.Exec(t.Context(), `INSERT INTO locations (id, space, repository, path, error, created, created_by) VALUES ($1, 'default', $2, 'x.yaml', 'wrong', $3, 'system')`,
						fmt.Sprintf("loc_%04d", i), fmt.Sprintf("team/r%d", i), store.Micros(time.Now()))
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := waiting(); n != many {
				t.Fatalf("%d locations wait", n)
			}
			if tell(kind, data); waiting() != 0 {
				t.Errorf("%s: %d locations were not read", kind, waiting())
			}
		}
	})
}
