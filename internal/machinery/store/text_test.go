package store_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// TestTextsAreFoundAlikeOnBothDatabases: what people search for in any case, and all else as it is.
func TestTextsAreFoundAlikeOnBothDatabases(t *testing.T) {
	t.Parallel()
	words := store.Migrations{Room: "words", FS: fstest.MapFS{"0001_words.sql": {Data: []byte("-- +goose Up\nCREATE TABLE words (word TEXT PRIMARY KEY);\n")}}}
	all := []string{"100% done", "1000 done", "A^B", "Fix_Me", "fixame", "net", "NETWORK", "Über uns", "über uns", "ÜBER UNS", "Заказ", "日本", `back\slash`, ""}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		err := db.Write(ctx, func(tx *store.Tx) error {
			for _, word := range all {
				if _, err := tx.Exec(ctx, "INSERT INTO words (word) VALUES ($1)", word); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		every := strings.Join(all, "|")
		finds, has, begins, ends := (*store.Where).Finds, (*store.Where).Has, (*store.Where).Begins, (*store.Where).Ends
		for _, c := range []struct {
			how        string
			condition  func(w *store.Where, text, part string) string
			part, want string
		}{
			{"finds", finds, "net", "net|NETWORK"}, {"finds", finds, "NeT", "net|NETWORK"}, {"finds", finds, "%", "100% done"}, {"finds", finds, "_", "Fix_Me"},
			{"finds", finds, "^", "A^B"}, {"finds", finds, "a^b", "A^B"}, {"finds", finds, "x_m", "Fix_Me"}, {"finds", finds, `\`, `back\slash`},
			{"finds", finds, "über", "Über uns|über uns|ÜBER UNS"}, {"finds", finds, "ÜBER U", "Über uns|über uns|ÜBER UNS"}, {"finds", finds, "ЗАК", "Заказ"}, {"finds", finds, "本", "日本"},
			{"finds", finds, "", every}, {"finds", finds, "\x00\xff", every}, {"finds", finds, "n\x00et", "net|NETWORK"}, {"finds", finds, strings.Repeat("n", 60_000), ""},
			{"finds", finds, "абвгдежзийклмнопрстуфхцчшщъыьэюя" + "αβγδεζηθικλμνξοπρστυφχψω" + "àáâãäåæçèéêëìíîïðñòóôõö", ""},
			{"has", has, "net", "net"}, {"has", has, "NET", "NETWORK"}, {"has", has, "_", "Fix_Me"}, {"has", has, "%", "100% done"}, {"has", has, "ber", "Über uns|über uns"}, {"has", has, "", every},
			{"begins", begins, "net", "net"}, {"begins", begins, "N", "NETWORK"}, {"begins", begins, "1000", "1000 done"}, {"begins", begins, "100%", "100% done"}, {"begins", begins, "Ü", "Über uns|ÜBER UNS"},
			{"begins", begins, "fix_", ""}, {"begins", begins, "", every}, {"begins", begins, "network and more", ""},
			{"ends", ends, "done", "100% done|1000 done"}, {"ends", ends, "% done", "100% done"}, {"ends", ends, "Done", ""}, {"ends", ends, "本", "日本"}, {"ends", ends, "a longer text than any of them", ""},
			{"ends", ends, "uns", "Über uns|über uns"}, {"ends", ends, "", every},
		} {
			w := &store.Where{}
			w.Add(c.condition(w, "word", c.part))
			var found []string
			err := db.Read(ctx, func(tx *store.Tx) error {
				rows, err := tx.Query(ctx, "SELECT word FROM words"+w.String(), w.Args...)
				found, err = store.Collect(rows, err, func(r store.Row) (word string, err error) { return word, r.Scan(&word) })
				return err
			})
			if err != nil {
				t.Errorf("%s %.40q: %v", c.how, c.part, err)
				continue
			}
			if got := inOrderOf(all, found); got != c.want {
				t.Errorf("%s %.40q gives %q, want %q", c.how, c.part, got, c.want)
			}
		}
		// In more than one column, and beside other conditions.
		w := &store.Where{}
		w.Equal("word", "Über uns")
		w.Add(w.Finds("word || ' ' || word", "UNS ÜB"))
		w.Add(store.Has("word", w.Arg("Ü")))
		n := 0
		if err := db.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, "SELECT COUNT(*) FROM words"+w.String(), w.Args...).Scan(&n)
		}); err != nil || n != 1 {
			t.Errorf("joined they give %d, %v", n, err)
		}
	}, words)
}

// inOrderOf joins those that were found in the order of all.
func inOrderOf(all, found []string) string {
	var list []string
	for _, word := range all {
		for _, f := range found {
			if f == word {
				list = append(list, word)
			}
		}
	}
	return strings.Join(list, "|")
}
