package repository_test

import (
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// Of a repository that is connected twice one row learns of a new name before the other: what leads to it leads to the same one.
func TestARepositoryThatIsConnectedTwiceStaysWhatItIs(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		first := b.connect()
		ctx := accesstest.As("alice")
		a.set(func(a *away) { a.there.ID = "8" }) // so that it is taken as another one
		second, err := b.Connect(ctx, repository.NewOutside{Name: "again", Integration: "default/forge", Remote: "acme/Shop"})
		if err != nil {
			t.Fatal(err)
		}
		leads := func(page, want string) {
			t.Helper()
			if names, former, err := b.Platform().ByPage(t.Context(), "https://forge.example.com/acme/"+page); err != nil || former || fmt.Sprint(names) != want {
				t.Errorf("%s leads to %v, %v, %v; want %s", page, names, former, err, want)
			}
		}
		leads("shop", "[default/shop default/again]")
		renamed := func(id string) {
			t.Helper()
			a.set(func(a *away) {
				a.there.ID, a.there.Name, a.there.URL = id, "acme/Store", "https://forge.example.com/acme/Store"
			})
			event := forge.Event{
				Kind: forge.KindRepository, Repository: forge.Repository{ID: id, Name: "acme/Store"},
				Change: &forge.RepositoryEvent{Action: forge.RepositoryRenamed, OldName: "acme/Shop"},
			}
			if _, err := b.Handle(t.Context(), "default/forge", event); err != nil {
				t.Fatal(err)
			}
		}
		renamed("7")
		leads("shop", "[default/again]") // another repository has its page there
		leads("store", "[default/shop]")
		for _, r := range []repository.Repository{first, second} { // by two integrations they would have one id at the forge
			err := b.db.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), `UPDATE repository_outsides SET remote_id = '9', integration = $2 WHERE repository = $1`, r.ID, "default/forge-"+r.Name)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		leads("shop", "[default/shop default/again]")
		leads("store", "[default/shop]")
		if err := b.Delete(accesstest.As("adam"), "default/again"); err != nil {
			t.Fatal(err)
		}
		names, former, err := b.Platform().ByPage(t.Context(), "https://forge.example.com/acme/shop")
		if err != nil || !former || fmt.Sprint(names) != "[default/shop]" {
			t.Errorf("without the other it leads to %v, %v, %v", names, former, err)
		}
	})
}
