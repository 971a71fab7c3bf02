package access

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		permission, action string
		want               bool
	}{
		{"*", "run:confirm", true},
		{"*", "*", true},
		{"run:*", "run:confirm", true},
		{"run:*", "stack:read", false},
		{"run:confirm", "run:confirm", true},
		{"run:confirm", "run:*", false},
		{"run:confirm", "*", false},
		{"*:read", "stack:read", true},
		{"*:read", "stack:write", false},
		{"*:read", "run:*", false},
		{"run:*", "*:read", false},
		{"run:*", "runs:read", false},
	} {
		if got := covers(c.permission, c.action); got != c.want {
			t.Errorf("covers(%q, %q) = %v", c.permission, c.action, got)
		}
	}
}

func TestScopesNarrow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scopes         []string
		action, object string
		want           bool
	}{
		{nil, "run:confirm", "", true},
		{[]string{}, "run:confirm", "", false},
		{[]string{"run:*"}, "run:confirm", "x", true},
		{[]string{"repository:write=team/shop"}, "repository:write", "team/shop", true},
		{[]string{"repository:write=team/shop"}, "repository:write", "team/other", false},
		{[]string{"repository:write=team/shop"}, "repository:write", "", false},
		{[]string{"repository:*=team/shop"}, "repository:read", "team/shop", true},
	} {
		if got := scopesAllow(c.scopes, c.action, c.object); got != c.want {
			t.Errorf("scopesAllow(%v, %s, %q) = %v", c.scopes, c.action, c.object, got)
		}
	}
	if err := CheckScopes([]string{"run:confirm", "*", "*:read", "repository:write=team/shop"}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "run", "run:", ":read", "Run:Read", "run:read=", "run:read=a b", "**", "a:b:c", "run:confirm\n"} {
		if err := CheckScopes([]string{bad}); !fault.Is(err, fault.Invalid) {
			t.Errorf("scope %q: %v; want an invalid fault", bad, err)
		}
	}
}

// A scope that is within others never lets through what they would stop.
func TestScopesWithin(t *testing.T) {
	t.Parallel()
	permissions := []string{"*", "run:*", "*:read", "run:read", "run:confirm", "stack:read", "run:read=a", "run:*=a", "run:read=b"}
	rapid.Check(t, func(t *rapid.T) {
		own := rapid.SliceOfN(rapid.SampledFrom(permissions), 0, 3).Draw(t, "own")
		asked := rapid.SliceOfN(rapid.SampledFrom(permissions), 0, 3).Draw(t, "asked")
		beyond := ScopesWithin(asked, own)
		granted := slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return slices.Contains(beyond, s) })
		for _, action := range []string{"run:read", "run:confirm", "stack:read", "stack:write"} {
			for _, object := range []string{"", "a", "b"} {
				if scopesAllow(granted, action, object) && !scopesAllow(own, action, object) {
					t.Fatalf("%v lets %s on %q through, and %v does not", granted, action, object, own)
				}
			}
		}
		if len(ScopesWithin(own, own)) > 0 {
			t.Fatalf("%v is not within itself", own)
		}
	})
	if got := ScopesWithin(nil, []string{"run:read"}); len(got) == 0 {
		t.Error("a token without narrowing is within a narrowed one")
	}
}
