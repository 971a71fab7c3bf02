package lacktest_test

import (
	"fmt"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// heard notes how a test ends.
type heard struct {
	testing.TB
	said string
}

func (h *heard) Helper()                   {}
func (h *heard) Fatalf(f string, a ...any) { h.said += "fails: " + fmt.Sprintf(f, a...); panic(h) }
func (h *heard) Skipf(f string, a ...any)  { h.said += "is skipped: " + fmt.Sprintf(f, a...); panic(h) }
func (h *heard) Logf(f string, a ...any)   { h.said += "goes on: " + fmt.Sprintf(f, a...) }

func TestWhatIsMissingFailsInCI(t *testing.T) {
	for _, c := range []struct {
		ci   string
		lack func(t testing.TB)
		want string
	}{
		{"", func(t testing.TB) { lacktest.Skip(t, "no %s", "slapd") }, "is skipped: no slapd"},
		{"true", func(t testing.TB) { lacktest.Skip(t, "no %s", "slapd") }, "fails: no slapd"},
		{"", func(t testing.TB) { lacktest.Log(t, "no %s", "slapd") }, "goes on: no slapd"},
		{"true", func(t testing.TB) { lacktest.Log(t, "no %s", "slapd") }, "fails: no slapd"},
	} {
		t.Setenv("CI", c.ci)
		h := &heard{TB: t}
		func() {
			defer func() {
				if ended := recover(); ended != nil && ended != h {
					panic(ended)
				}
			}()
			c.lack(h)
		}()
		if h.said != c.want {
			t.Errorf("with CI=%q a test %s, want that it %s", c.ci, h.said, c.want)
		}
	}
}
