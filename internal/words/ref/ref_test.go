package ref_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"shop", "component:default/shop"},
		{"API:shop", "api:default/shop"},
		{"group:Team-A/Payments", "group:team-a/payments"},
		{"infra/db", "component:infra/db"},
	} {
		got, err := ref.Parse(c.in, "component", "default")
		if err != nil || got.String() != c.want {
			t.Errorf("Parse(%q) = %v, %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", ":", "a:", "a/b/c", "x:../etc", "component:default/-a", "component:default/" + strings.Repeat("a", 64), "a b"} {
		if got, err := ref.Parse(bad, "component", "default"); !fault.Is(err, fault.Invalid) {
			t.Errorf("Parse(%q) = %v, %v; want an invalid fault", bad, got, err)
		}
	}
}

// What names no entity is a reference all the same, where Backstage takes it for one.
func TestLoose(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"shop": "component:inherit/shop", "API:Shop": "api:inherit/shop", "a@example.com": "component:inherit/a@example.com", "x/y:z": "component:x/y:z", "group:a/b/c": "group:a/b/c",
		"": "", ":a": "", "a:": "", "a:/b": "", "a/": "", "a\x00": "", strings.Repeat("a", 501): "",
	} {
		if got, ok := ref.Loose(in, "component", "inherit"); got.String() != want || ok != (want != "") {
			t.Errorf("Loose(%q) = %v, %t; want %q", in, got, ok, want)
		}
	}
	if got, ok := ref.Loose("shop", "", "default"); ok {
		t.Errorf("without a kind: %v", got)
	}
}

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	last := ""
	for i := range 100 {
		id := ref.NewID(ref.Run, start.Add(time.Duration(i)*time.Millisecond))
		if !ref.IsID(id, ref.Run) || ref.IsID(id, ref.Step) {
			t.Fatalf("%q is not an id of a run", id)
		}
		if id <= last {
			t.Fatalf("%q does not sort after %q", id, last)
		}
		last = id
	}
}

func FuzzParse(f *testing.F) {
	f.Add("component:default/shop")
	f.Add("a:b:c/d")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ref.Parse(s, "component", "default")
		if err != nil {
			return
		}
		again, err := ref.Parse(e.String(), "x", "y")
		if err != nil || again != e {
			t.Errorf("%q parses to %v, which parses to %v, %v", s, e, again, err)
		}
	})
}

// Ids of one millisecond sort by their time too: whoever waits longer goes first.
func TestIDsSortByTheirMicroseconds(t *testing.T) {
	t.Parallel()
	now := time.UnixMicro(1_700_000_000_123_000)
	for last := ""; now.Before(time.UnixMicro(1_700_000_000_125_000)); now = now.Add(time.Microsecond) {
		id := ref.NewID(ref.Run, now)
		if id <= last || !ref.IsID(id, ref.Run) {
			t.Fatalf("at %s: %s after %s", now, id, last)
		}
		last = id
	}
}
