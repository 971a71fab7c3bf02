package catalog_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// bringing gives documents that bring the same.
func bringing(from, n int, what string) string {
	var text strings.Builder
	for i := range n {
		text.WriteString(component(fmt.Sprintf("c%03d", from+i), what))
	}
	return text.String()
}

// A file whose placeholders bring too much keeps what was good, and says where it is too much and what to do; the other files of
// its location are taken.
func TestPlaceholdersOfAFileBringSoMuch(t *testing.T) {
	t.Parallel()
	nodes := "a0: &a0 [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}]\n" // 300,000 values in few bytes
	for i := range 7 {
		nodes += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 4), ", "))
	}
	files := map[string]string{
		"large": strings.Repeat("x", 450_000), "nodes.yaml": nodes, "base.yaml": "x: 1\n",
		"grown.yaml": "a: &a " + strings.Repeat("x", 8<<10) + "\nb: [" + strings.TrimSuffix(strings.Repeat("*a, ", 50), ", ") + "]\nc: {$ref: base.yaml}\n",
	}
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", files)
		b.push(alice, "team/shop", map[string]string{"a/catalog-info.yaml": bringing(0, 2, "text: old"), "b/catalog-info.yaml": component("other", "text: old")})
		l := b.location(alice, "default", "team/shop", "*/catalog-info.yaml")
		good := b.get("c000")
		for i, c := range []struct{ what, brings string }{
			{"large texts", "text: {$text: ../large}"},
			{"many values", "one: {$yaml: ../nodes.yaml}"},
			{"bundles that grow", "text: {$openapi: ../grown.yaml}"},
		} {
			other := fmt.Sprintf("text: new%d", i)
			b.follow(func() {
				b.push(alice, "team/shop", map[string]string{"a/catalog-info.yaml": bringing(0, 40, c.brings), "b/catalog-info.yaml": component("other", other)})
			})
			want := regexp.MustCompile(`a/catalog-info.yaml:\d+:\d+: spec.(text|one): up to here the placeholders of the file bring more than 16 MiB and 4 times its bytes \(split the file`)
			if now := b.again(l); !want.MatchString(details(now)) || len(now.Details) != 1 || now.Error == "" {
				t.Errorf("%s: %q %.1000s", c.what, now.Error, details(now))
			}
			if now := b.get("c000"); now.Version != good.Version || now.Etag != good.Etag {
				t.Errorf("%s: what was good is of version %d", c.what, now.Version)
			}
			if got := b.get("other").Document.Spec["text"]; "text: "+got.(string) != other {
				t.Errorf("%s: the other file is %v", c.what, got)
			}
		}

		// Each half brings little enough.
		b.follow(func() {
			b.push(alice, "team/shop", map[string]string{"a/catalog-info.yaml": bringing(0, 20, "text: {$text: ../large}"), "c/catalog-info.yaml": bringing(20, 20, "text: {$text: ../large}")})
		})
		if now := b.again(l); now.Error != "" {
			t.Errorf("two halves: %q %.1000s", now.Error, details(now))
		}
		for _, name := range []string{"c000", "c039"} {
			if text, _ := b.get(name).Document.Spec["text"].(string); len(text) != len(files["large"]) {
				t.Errorf("%s has %d bytes", name, len(text))
			}
		}
	})
}

// However many placeholders a document has, it is told once that they are too many.
func TestManyPlaceholdersAreToldOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		many := "list: [" + strings.TrimSuffix(strings.Repeat("{$text: a}, ", 100_000), ", ") + "]"
		b.push(alice, "team/shop", map[string]string{"a": "some words", "catalog-info.yaml": component("many", many), "gone.yaml": component("gone", strings.ReplaceAll(many, "a}", "b}"))})
		l := b.location(alice, "default", "team/shop", "")
		if told := details(l); !strings.HasPrefix(l.Error, "1 thing in ") || !strings.Contains(told, "more than 100 placeholders in one document") {
			t.Errorf("%q %.1000s", l.Error, told)
		}
		l = b.location(alice, "default", "team/shop", "gone.yaml")
		if told := details(l); !strings.HasPrefix(l.Error, "20 things in ") || !strings.Contains(told, "there is no file b") {
			t.Errorf("%q %.1000s", l.Error, told)
		}
	})
}

// What is taken one by one waits in memory until all files are read: it is bounded over all of them, and beyond that the last good
// one stays.
//
//nolint:paralleltest // it counts what is in use
func TestPlaceholdersOfALocationTakeLittle(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { widgetsThatBring(t, setup(t, storetest.SQLite(t, rooms()...))) })
	t.Run("postgres", func(t *testing.T) { widgetsThatBring(t, setup(t, storetest.Postgres(t, rooms()...))) })
}

func widgetsThatBring(t *testing.T, b *bench) {
	t.Helper()
	alice := accesstest.As("alice")
	b.repository(alice, "default", "team/shop")
	const last = "widget:default/w1419"
	b.push(alice, "team/shop", map[string]string{"large": strings.Repeat("x", 450_000), "a14/catalog-info.yaml": widget("w1419", "text: old")})
	l := b.location(alice, "default", "team/shop", "*/catalog-info.yaml")
	files := map[string]string{}
	for i := range 15 {
		var text strings.Builder
		for k := range 20 {
			text.WriteString(widget(fmt.Sprintf("w%02d%02d", i, k), "text: {$text: ../large}"))
		}
		files[fmt.Sprintf("a%02d/catalog-info.yaml", i)] = text.String()
	}
	b.push(alice, "team/shop", files)
	took := highest(func() {
		now, _, err := b.RefreshLocation(alice, l.ID)
		if err != nil || !strings.Contains(details(now), "a14/catalog-info.yaml:") && !strings.Contains(details(now), "a02/catalog-info.yaml:") ||
			!strings.Contains(details(now), "the documents of kinds that others keep have more than 16 MiB and 4 times the bytes of their files up to here, with what placeholders bring (bring less by placeholders") {
			t.Errorf("%v: %q %.1000s", err, now.Error, details(now))
		}
	})
	t.Logf("%d MB", took)
	if took > 150 {
		t.Errorf("it had %d MB in use", took)
	}
	if text, _ := b.get("widget:default/w0000").Document.Spec["text"].(string); len(text) != 450_000 {
		t.Errorf("the first has %d bytes", len(text))
	}
	if e := b.get(last); e.Document.Spec["text"] != "old" {
		t.Error("the last good one is gone")
	}
}

// Files that are looked for count for the location, be they there or not.
func TestPlaceholdersOfFilesThatAreMissingCountToo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		var missing strings.Builder
		for i := range 90 {
			fmt.Fprintf(&missing, "a%d: {$text: ./gone%d}, ", i, i)
		}
		// Of the 32 MiB of a look, two files leave what it takes to look for about 170 more.
		b.push(alice, "team/shop", map[string]string{
			"large": strings.Repeat("x", 450_000), "a/few.yaml": bringing(0, 35, "text: {$text: ../large}"), "b/few.yaml": bringing(35, 35, "text: {$text: ../large}"),
			"c/few.yaml": component("one", missing.String()), "c/too.yaml": bringing(70, 3, missing.String()),
		})
		for pattern, more := range map[string]bool{"*/few.yaml": false, "*/*.yaml": true} {
			p, err := b.PreviewLocation(alice, "default", catalog.Target{Repository: "team/shop", Path: pattern})
			if told := details(p.Location); err != nil || strings.Contains(told, "there is more: a dry run tells") != more || !strings.Contains(told, "there is no file c/gone") {
				t.Errorf("%s: %d documents, %v %.1000s", pattern, len(p.Entities), err, told)
			}
		}
	})
}
