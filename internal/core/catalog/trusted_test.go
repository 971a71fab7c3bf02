package catalog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// TestOnlyNamedSourcesAreTrusted to bring what gives rights.
func TestOnlyNamedSourcesAreTrusted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for source, want := range map[string]bool{
			"apply": true, "team/shop.yaml": true, "push:inventory": true, "roadbed:set-up": true,
			"": false, "push:": false, "push:a b": false, "directory:default/ldap": false, "discovery:default/all": false, "stackset:default/many": false,
			"location:": false, "location:loc_none": false, "roadbed:other": false, "somewhere:else": false,
		} {
			if got, err := b.TrustedFor(t.Context(), source, "RoleBinding"); err != nil || got != want {
				t.Errorf("%q: %t, %v; want %t", source, got, err, want)
			}
		}
	})
}

// TestTrustThatIsTakenBackIsTold in its transaction, where what it was for counts.
func TestTrustThatIsTakenBackIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam := accesstest.As("adam")
		told := 0
		var fails error
		b.OnDistrust(func(context.Context, *store.Tx) error { told++; return fails })
		b.repository(adam, "default", "team/org")
		root := b.location(adam, "default", "team/org", "catalog-info.yaml").ID
		low := b.location(adam, "lab", "team/org", "catalog-info.yaml").ID
		change := func(do func() error, want int, why string) {
			t.Helper()
			told = 0
			if err := do(); err != nil || told != want {
				t.Errorf("%s: told %d times, want %d; %v", why, told, want, err)
			}
		}
		trust := func(id string, kinds ...string) func() error {
			return func() error { return b.TrustLocation(adam, id, kinds, "") }
		}
		remove := func(id string) func() error { return func() error { return b.RemoveLocation(adam, id, "") } }
		change(trust(root, "RoleBinding"), 0, "trusted")
		change(trust(root, "Group", "RoleBinding"), 0, "for more")
		change(trust(root, "Group"), 1, "no longer for bindings")
		change(trust(root), 0, "for nothing")
		change(trust(low, "RoleBinding"), 0, "in a low space")
		change(trust(low), 0, "taken back there")
		change(trust(low, "RoleBinding"), 0, "again")
		change(remove(low), 0, "gone there")
		change(trust(root, "RoleBinding"), 0, "trusted again")
		fails = errors.New("not now")
		if err := b.TrustLocation(adam, root, nil, ""); !errors.Is(err, fails) {
			t.Errorf("trust is taken back untold: %v", err)
		}
		if trusted, err := b.TrustedFor(adam, "location:"+root, "RoleBinding"); err != nil || !trusted {
			t.Errorf("it is trusted: %t, %v", trusted, err)
		}
		fails = nil
		move := func(path string) func() error {
			return func() error {
				_, err := b.MoveLocation(adam, root, catalog.Target{Repository: "team/org", Path: path})
				return err
			}
		}
		change(move("catalog-info.yaml"), 0, "moved to where it is")
		change(move("other.yaml"), 1, "moved")
		if trusted, err := b.TrustedFor(adam, "location:"+root, "RoleBinding"); err != nil || trusted {
			t.Errorf("it is trusted where nobody has looked: %t, %v", trusted, err)
		}
		change(trust(root, "RoleBinding"), 0, "trusted there")
		change(remove(root), 1, "gone")
	})
}
