package catalog_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// Whatever a file holds ends in a status that says where and why, in bounded memory, and what was good stays.
//
//nolint:paralleltest // it counts what is allocated
func TestBadFilesEndInAStatus(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { badFiles(t, setup(t, storetest.SQLite(t, rooms()...))) })
	t.Run("postgres", func(t *testing.T) { badFiles(t, setup(t, storetest.Postgres(t, rooms()...))) })
}

func badFiles(t *testing.T, b *bench) {
	t.Helper()
	alice := accesstest.As("alice")
	b.apply(alice, "default", "other", component("taken", ""))
	b.repository(alice, "default", "team/other")
	b.push(alice, "team/other", map[string]string{"catalog-info.yaml": component("elsewhere", "")})
	b.location(alice, "default", "team/other", "")
	explode := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		from, to := string(rune('0'+i)), string(rune('1'+i))
		explode += "a" + to + ": &a" + to + " [" + strings.TrimSuffix(strings.Repeat("*a"+from+", ", 10), ", ") + "]\n"
	}
	lines := strings.Repeat("a line of text\n", 50<<20/15)
	for _, c := range []struct {
		what  string
		files map[string]string
		link  string // what the file leads to
		want  string
		most  uint64 // MB that are allocated in all
	}{
		{what: "50 MB", files: map[string]string{"catalog-info.yaml": lines}, want: "more than 4194304", most: 20},
		{what: "4 MB of one text", files: map[string]string{"catalog-info.yaml": component("good", "")[:20] + lines[:4<<20-100]}, want: "catalog-info.yaml:", most: 200},
		{what: "anchors that explode", files: map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: good}\nspec:\n  " + strings.ReplaceAll(explode, "\n", "\n  ")}, want: "values, aliases expanded", most: 200},
		{what: "10,000 levels in brackets", files: map[string]string{"catalog-info.yaml": "kind: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "\n"}, want: "catalog-info.yaml:1", most: 100},
		{what: "10,000 levels of lists", files: map[string]string{"catalog-info.yaml": "kind:\n " + strings.Repeat("- ", 10_000) + "a\n"}, want: "catalog-info.yaml:", most: 100},
		{what: "1,000 levels of mappings", files: map[string]string{"catalog-info.yaml": nested(1000)}, want: "catalog-info.yaml:", most: 100},
		{what: "10,000 levels of braces", files: map[string]string{"catalog-info.yaml": "kind: " + strings.Repeat("{a: ", 10_000) + "a" + strings.Repeat("}", 10_000) + "\n"}, want: "catalog-info.yaml:1", most: 100},
		{what: "a document of 10,000 levels of braces", files: map[string]string{"catalog-info.yaml": component("good", "") + strings.Repeat("{a: ", 10_000) + "a" + strings.Repeat("}", 10_000) + "\n"}, want: "catalog-info.yaml:", most: 100},
		{what: "10,000 levels of keys", files: map[string]string{"catalog-info.yaml": "kind:\n " + strings.Repeat("? ", 10_000) + "a\n"}, want: "catalog-info.yaml:", most: 100},
		{what: "2,800 levels of mappings", files: map[string]string{"catalog-info.yaml": nested(2800)}, want: "catalog-info.yaml:", most: 100},
		{what: "10,000 levels of mappings", files: map[string]string{"catalog-info.yaml": nested(10_000)}, want: "more than 4194304", most: 20},
		{what: "1,000,000 separators", files: map[string]string{"catalog-info.yaml": strings.Repeat("---\n", 1_000_000)}, want: "more than 20000 empty documents in one stream", most: 100},
		{what: "separators after a good document", files: map[string]string{"catalog-info.yaml": component("good", "the newest") + strings.Repeat("---\n", 1_000_000)}, want: "more than 20000 empty documents in one stream", most: 100},
		{what: "separators with spaces", files: map[string]string{"catalog-info.yaml": strings.Repeat("--- \n", 800_000)}, want: "more than 20000 empty documents in one stream", most: 100},
		{what: "documents that are null", files: map[string]string{"catalog-info.yaml": strings.Repeat("--- ~\n", 690_000)}, want: "more than 20000 empty documents in one stream", most: 100},
		{what: "300,000 documents", files: map[string]string{"catalog-info.yaml": strings.Repeat("---\nkind: X\n", 300_000)}, want: "more than 20000 documents", most: 400},
		{what: "1,000,000 documents", files: map[string]string{"catalog-info.yaml": strings.Repeat("---\nkind: X\n", 1_000_000)}, want: "more than 4194304", most: 20},
		{what: "what another applied", files: map[string]string{"catalog-info.yaml": component("good", "") + component("taken", "")}, want: "component:default/taken: it belongs to the source other"},
		{what: "what another location has", files: map[string]string{"catalog-info.yaml": component("good", "") + component("elsewhere", "")}, want: "component:default/elsewhere: it belongs to team/other:catalog-info.yaml"},
		{what: "a link out of the repository", link: "../../../../etc/passwd", want: "catalog-info.yaml: it is a link that leads out of the repository"},
		{what: "a link to a file of the machine", link: "/etc/passwd", want: "catalog-info.yaml: it is a link that leads out of the repository"},
		{what: "a link to nothing", link: "gone/catalog-info.yaml", want: "catalog-info.yaml: it is a link to a file that is not there"},
		{what: "a link to itself", link: "catalog-info.yaml", want: "catalog-info.yaml: it is a link that leads to itself"},
		{what: "a path out of the repository", files: map[string]string{"catalog-info.yaml": component("good", "") + location("../../x.yaml")}, want: "leaves the repository"},
		{what: "a host of this network", files: map[string]string{"catalog-info.yaml": component("good", "") + location("http://10.0.0.1/x.yaml")}, want: "10.0.0.1 is a private address"},
		{what: "the machine's own metadata", files: map[string]string{"catalog-info.yaml": component("good", "") + location("http://169.254.169.254/latest/meta-data")}, want: `169.254.169.254`},
		{what: "half a file", files: map[string]string{"catalog-info.yaml": component("good", "")[:60]}, want: "catalog-info.yaml:"},
		{what: "half a document", files: map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: go"}, want: "catalog-info.yaml:"},
		{what: "no UTF-8", files: map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: good, title: \"\xff\xfe\xc3\"}\n"}, want: "catalog-info.yaml:"},
		{what: "control characters", files: map[string]string{"catalog-info.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: good, title: \"\x01\x02\"}\n"}, want: "catalog-info.yaml:"},
	} {
		t.Run(c.what, func(t *testing.T) {
			inner := *b
			inner.t = t
			name := "team/a-" + strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
					return r
				}
				return 'x'
			}, c.what)
			inner.repository(alice, "default", name)
			inner.push(alice, name, map[string]string{"catalog-info.yaml": component("good", "")})
			l := inner.location(alice, "default", name, "")
			before := inner.get("good")
			if c.link != "" {
				head, err := b.repositories.Platform().Head(alice, name, "")
				if err != nil {
					t.Fatal(err)
				}
				request := git.CommitRequest{Branch: "main", Parent: head, Author: git.Signature{Name: "Alice", Email: "alice@example.com"}, Message: "link",
					Changes: []git.FileChange{{Path: "catalog-info.yaml", Content: []byte(c.link), Mode: "120000"}}}
				if _, err := b.repositories.CommitFiles(alice, name, request); err != nil {
					t.Fatal(err)
				}
			} else {
				inner.push(alice, name, c.files)
			}
			var from, to runtime.MemStats
			runtime.ReadMemStats(&from)
			now, _, err := b.RefreshLocation(alice, l.ID)
			runtime.ReadMemStats(&to)
			if err != nil || now.Error == "" || !strings.Contains(now.Error+"\n"+details(now), c.want) {
				t.Errorf("%v: %q %.2000s", err, now.Error, details(now))
			}
			if took := (to.TotalAlloc - from.TotalAlloc) >> 20; c.most > 0 && took > c.most {
				t.Errorf("it took %d MB, more than %d", took, c.most)
			}
			if got := inner.get("good"); got.Etag != before.Etag || got.Version != before.Version {
				t.Errorf("what was good is %+v", got)
			}
			if err := b.RemoveLocation(alice, l.ID, ""); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func nested(levels int) string {
	var text strings.Builder
	for i := range levels {
		text.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return text.String()
}

func location(target string) string {
	return "---\n{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: all}, spec: {targets: ['" + target + "']}}\n"
}

// Few bytes of anchors and aliases stand for many documents of the largest size: they are read in bounded memory too, whether they
// are in one file or in many, and taken or not.
//
//nolint:paralleltest // it counts what is in use
func TestManyAliasesTakeLittle(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { manyAliases(t, setup(t, storetest.SQLite(t, rooms()...))) })
	t.Run("postgres", func(t *testing.T) { manyAliases(t, setup(t, storetest.Postgres(t, rooms()...))) })
}

func manyAliases(t *testing.T, b *bench) {
	t.Helper()
	alice := accesstest.As("alice")
	const head, spec = "---\napiVersion: %s\nkind: %s\nmetadata: {name: n%05d}\nspec:\n", "  type: service\n  lifecycle: production\n  owner: team\n"
	const backstage = "backstage.io/v1alpha1"
	repeated := func(api, kind string, i, size, times int) string {
		return fmt.Sprintf(head+spec+"  a: &a %s\n  b: [%s]\n", api, kind, i, strings.Repeat("x", size), strings.TrimSuffix(strings.Repeat("*a, ", times), ", "))
	}
	nodes := func(i, steps int) string { // 200,000 values in few bytes, by six steps
		a := fmt.Sprintf(head+spec, backstage, "Component", i) + "  a0: &a0 [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}]\n"
		for k := range steps {
			a += fmt.Sprintf("  a%d: &a%d [%s]\n", k+1, k+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", k), 5), ", "))
		}
		return a
	}
	many := func(n int, one func(i int) string) map[string]string {
		files := map[string]string{"catalog-info.yaml": component("good", "new")}
		for i := range n {
			files[fmt.Sprintf("f%03d/catalog-info.yaml", i)] = one(i)
		}
		return files
	}
	for _, c := range []struct {
		what  string
		files map[string]string
		want  string
		most  int64 // MB that are in use at once
		stays bool  // what was good, also where there is another of it now
	}{
		{"documents in one file", map[string]string{"catalog-info.yaml": component("good", "new") + strings.Join(slices.Collect(func(yield func(string) bool) {
			for i := range 180 {
				if !yield(repeated(backstage, "Component", i, 16<<10, 1000)) {
					return
				}
			}
		}), "")}, "bytes of text, aliases expanded (repeat less by aliases", 150, true},
		{"small files of one text", many(300, func(i int) string { return repeated(backstage, "Component", i, 2<<10, 700) }), "bytes of text, aliases expanded", 150, false},
		{"small files that are nearly taken", many(300, func(i int) string { return repeated(backstage, "Component", i, 2<<10, 300) }), "at most 524288 are kept", 150, false},
		{"small files of many values", many(300, func(i int) string { return nodes(i, 6) }), "at most 524288 are kept", 150, false},
		{"small files of many values that are taken", many(300, func(i int) string { return nodes(i, 5) }), "repeat less by aliases", 900, false},
		{"small files that are taken one by one", many(300, func(i int) string { return repeated("test.dev/v1", "Widget", i, 2<<10, 200) }), "repeat less by aliases", 300, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			inner := *b
			inner.t = t
			name := "team/" + strings.ReplaceAll(c.what, " ", "-")
			inner.repository(alice, "default", name)
			inner.push(alice, name, map[string]string{"catalog-info.yaml": component("good", "")})
			l := inner.location(alice, "default", name, "**/catalog-info.yaml")
			before := inner.get("good")
			inner.push(alice, name, c.files)
			took := highest(func() {
				now, _, err := b.RefreshLocation(alice, l.ID)
				for range 20 { // it waits for 20 s alone, and a busy machine takes longer
					if err != nil || now.Error != "" {
						break
					}
					now, _, err = b.RefreshLocation(alice, l.ID)
				}
				if err != nil || now.Error == "" || !strings.Contains(now.Error+"\n"+details(now), c.want) {
					t.Errorf("%v: %q %.2000s", err, now.Error, details(now))
				}
			})
			t.Logf("%d MB", took)
			if took > c.most {
				t.Errorf("it had %d MB in use, more than %d", took, c.most)
			}
			if got := inner.get("good"); (got.Etag == before.Etag) != c.stays {
				t.Errorf("what was good is of version %d", got.Version)
			}
			if err := b.RemoveLocation(alice, l.ID, ""); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// highest gives how many MB were in use while fn ran, beyond those before.
func highest(fn func()) (most int64) {
	before := inUse()
	done, told := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, int64(m.HeapAlloc)-before)
			select {
			case <-done:
				told <- most >> 20
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	fn()
	close(done)
	return <-told
}
