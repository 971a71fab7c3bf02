package docs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/product/docs/markdown"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

var handbook = repository.Repository{ID: "rep_1", Namespace: "default", Name: "handbook", Space: "default"}

// keptSite is a room with one site that has nothing yet.
type keptSite struct {
	*Service
	t *testing.T
}

func eachKept(t *testing.T, fn func(t *testing.T, k keptSite)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		k := keptSite{&Service{Deps: Deps{DB: db, Ledger: ledger.New(db, time.Now, storetest.Log(t)), Now: time.Now, Log: storetest.Log(t)}}, t}
		k.write(t.Context(), `INSERT INTO docs_sites (id, repository, branch, folder, commit_id, title, pages, broken, error, version, digest, updated) VALUES ('one','rep_1','main','','','',0,0,'','','',0)`)
		k.write(t.Context(), `INSERT INTO docs_entities (entity, site, space) VALUES ('component:default/shop','one','default')`)
		fn(t, k)
	}, ledger.Migrations(), Migrations())
}

func (k keptSite) write(ctx context.Context, query string) {
	k.t.Helper()
	if err := k.DB.Write(ctx, func(tx *store.Tx) error { _, err := tx.Exec(ctx, query); return err }); err != nil {
		k.t.Fatal(err)
	}
}

func (k keptSite) site() siteRow {
	k.t.Helper()
	var sites []siteRow
	if err := k.DB.Read(k.t.Context(), func(tx *store.Tx) (err error) {
		sites, err = sitesOf(k.t.Context(), tx, handbook.ID)
		return err
	}); err != nil || len(sites) != 1 {
		k.t.Fatalf("the sites are %+v, %v", sites, err)
	}
	return sites[0]
}

// put keeps sections whose texts begin so, of a commit that is called so.
func (k keptSite) put(ctx context.Context, commit string, sections int) error {
	k.t.Helper()
	return k.putFrom(ctx, k.site(), commit, sections)
}

func (k keptSite) putFrom(ctx context.Context, had siteRow, commit string, sections int) error {
	row, texts := read(had, commit, sections)
	return k.keep(ctx, handbook, had, row, texts)
}

// read gives what was read of a site.
func read(had siteRow, commit string, sections int) (siteRow, []text) {
	texts := make([]text, sections)
	for i := range texts {
		texts[i] = text{PageRef{Path: fmt.Sprint(i / 10), File: fmt.Sprint(i/10, ".md"), Title: "Page"}, markdown.Section{ID: fmt.Sprint(i), Heading: fmt.Sprint(i), Text: commit + "\x00"}}
	}
	had.commit, had.title, had.pages = commit, "Handbook", (sections+9)/10
	return had, texts
}

// steps gives the transactions by which a version is kept, one after another.
func (k keptSite) steps(ctx context.Context, had siteRow, commit string, sections int) []func() error {
	row, texts := read(had, commit, sections)
	row.digest, row.version = digestOf(row, texts), ref.NewID("dsv", k.Now())
	list := []func() error{func() error { return k.beginVersion(ctx, had, row) }}
	for from := 0; from < sections; from += sectionsAtOnce {
		list = append(list, func() error { _, err := k.writePart(ctx, row.version, texts, from); return err })
	}
	return append(list, func() error { return k.show(ctx, handbook, had, row) })
}

// goOn takes steps until one fails.
func goOn(steps []func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// shows fails where the site does not show so many sections, all of one commit, in their order.
func (k keptSite) shows(ctx context.Context, commit string, sections int) error {
	all, err := k.ProjectedSections(ctx, "one", nil)
	if err != nil || len(all) != sections {
		return fmt.Errorf("%d sections are shown, want %d of %s: %w", len(all), sections, commit, err)
	}
	for i, x := range all {
		if x.Number != i || x.Text != commit || x.Heading != fmt.Sprint(i) {
			return fmt.Errorf("section %d of %s is %+v", i, commit, x)
		}
	}
	return nil
}

func (k keptSite) count(table string) (n int) {
	k.t.Helper()
	if err := k.DB.Read(k.t.Context(), func(tx *store.Tx) error { return tx.QueryRow(k.t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n) }); err != nil {
		k.t.Fatal(err)
	}
	return n
}

// clean sweeps, and fails where something is left but what the site shows.
func (k keptSite) clean(sections int) {
	k.t.Helper()
	if err := k.sweep(k.t.Context(), handbook.ID); err != nil {
		k.t.Fatal(err)
	}
	if versions, rows := k.count("docs_versions"), k.count("docs_sections"); versions != 0 || rows != sections {
		k.t.Fatalf("after a sweep there are %d versions that are not shown, and %d sections, want %d", versions, rows, sections)
	}
}

// TestManySectionsAreWrittenInParts has others who write get their turn between parts, and readers see what there was until all
// is there.
func TestManySectionsAreWrittenInParts(t *testing.T) {
	eachKept(t, func(t *testing.T, k keptSite) {
		if err := k.put(t.Context(), "old", 700); err != nil {
			t.Fatal(err)
		}
		var rows []int // of each transaction
		before := k.count("docs_sections")
		ctx := store.Along(t.Context(), func(tx *store.Tx) error {
			var now int
			if err := tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM docs_sections`).Scan(&now); err != nil {
				return err
			}
			rows, before = append(rows, now-before), now
			if err := k.shows(t.Context(), "old", 700); err == nil {
				return nil
			}
			return k.shows(t.Context(), "new", 2600)
		})
		if err := k.put(ctx, "new", 2600); err != nil {
			t.Fatal(err)
		}
		if err := k.sweep(ctx, handbook.ID); err != nil {
			t.Fatal(err)
		}
		if want := []int{0, 500, 500, 500, 500, 500, 100, 0, -500, -200}; !slices.Equal(rows, want) {
			t.Errorf("the transactions wrote %v rows, want %v", rows, want)
		}
		if err := k.shows(t.Context(), "new", 2600); err != nil {
			t.Error(err)
		}
		k.clean(2600)

		// What says the same is not written again, and nobody is told.
		told := k.count("ledger_pending")
		had := k.site()
		same := had
		same.commit = "later"
		if err := k.keep(t.Context(), handbook, had, same, textsOf(t, k, had)); err != nil {
			t.Fatal(err)
		}
		if now := k.site(); now.commit != "later" || now.version != had.version || k.count("ledger_pending") != told {
			t.Errorf("the site that says the same is %+v after %+v", now, had)
		}
	})
}

func textsOf(t *testing.T, k keptSite, had siteRow) []text {
	t.Helper()
	all, err := k.ProjectedSections(t.Context(), had.id, nil)
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]text, len(all))
	for i, x := range all {
		texts[i] = text{PageRef{Path: x.Path, Title: x.Title}, markdown.Section{ID: x.Anchor, Heading: x.Heading, Text: x.Text + "\x00"}}
	}
	return texts
}

// TestAKilledReadingLeavesTheOldSite breaks a reading off before each of its transactions.
func TestAKilledReadingLeavesTheOldSite(t *testing.T) {
	eachKept(t, func(t *testing.T, k keptSite) {
		if err := k.put(t.Context(), "old", 700); err != nil {
			t.Fatal(err)
		}
		killed := errors.New("killed")
		for at := 1; ; at++ {
			n := 0
			ctx := store.Along(t.Context(), func(*store.Tx) error {
				if n++; n >= at {
					return killed
				}
				return nil
			})
			err := k.put(ctx, "new", 1100)
			if err == nil {
				if at != 6 {
					t.Errorf("the reading had %d transactions, want 5", at-1)
				}
				break
			}
			if !errors.Is(err, killed) {
				t.Fatal(err)
			}
			if err := k.shows(t.Context(), "old", 700); err != nil {
				t.Fatalf("killed in transaction %d: %v", at, err)
			}
			if row := k.site(); row.commit != "old" {
				t.Fatalf("killed in transaction %d the site is at %s", at, row.commit)
			}
			k.write(t.Context(), `UPDATE docs_versions SET dead = 1 WHERE repository = 'rep_1' AND dead = 0`) // as the next look does
			k.clean(700)
		}
		if err := k.shows(t.Context(), "new", 1100); err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := k.sweep(store.Along(t.Context(), func(*store.Tx) error {
			if n++; n > 1 {
				return killed
			}
			return nil
		}), handbook.ID); !errors.Is(err, killed) {
			t.Fatalf("a sweep that is killed in its second transaction says %v", err)
		}
		if err := k.shows(t.Context(), "new", 1100); err != nil {
			t.Fatal(err)
		}
		k.clean(1100)
	})
}

// TestTwoReadingsDoNotMix has a second reading of the same site go on between all transactions of the first.
func TestTwoReadingsDoNotMix(t *testing.T) {
	eachKept(t, func(t *testing.T, k keptSite) {
		for at := range 5 {
			if err := k.put(t.Context(), fmt.Sprint("old", at), 10); err != nil {
				t.Fatal(err)
			}
			had := k.site()
			first := k.steps(t.Context(), had, fmt.Sprint("first", at), 1300)
			if len(first) != 5 {
				t.Fatalf("a reading has %d steps", len(first))
			}
			if err := goOn(first[:at]); err != nil {
				t.Fatal(err)
			}
			second := fmt.Sprint("second", at)
			if err := k.putFrom(t.Context(), had, second, 1200); err != nil {
				t.Fatal(err)
			}
			if err := goOn(first[at:]); !errors.Is(err, errStale) {
				t.Fatalf("the first reading, which another one overtook after %d transactions, says %v", at, err)
			}
			if err := k.shows(t.Context(), second, 1200); err != nil {
				t.Fatal(err)
			}
			k.clean(1200)
		}

		// The second begins in the middle of the first, which ends neither it nor itself.
		had := k.site()
		first, second := k.steps(t.Context(), had, "first", 600), k.steps(t.Context(), had, "second", 600)
		if err := goOn([]func() error{first[0], first[1], second[0], second[1]}); err != nil {
			t.Fatal(err)
		}
		if err := goOn(first[2:]); !errors.Is(err, errStale) {
			t.Fatalf("the first reading says %v", err)
		}
		if err := goOn(second[2:]); err != nil {
			t.Fatal(err)
		}
		if err := k.shows(t.Context(), "second", 600); err != nil {
			t.Fatal(err)
		}
		k.clean(600)
	})
}

// TestSitesAreForgottenInParts is about a site that goes while somebody writes it.
func TestSitesAreForgottenInParts(t *testing.T) {
	eachKept(t, func(t *testing.T, k keptSite) {
		if err := k.put(t.Context(), "old", 700); err != nil {
			t.Fatal(err)
		}
		steps := k.steps(t.Context(), k.site(), "new", 1200)
		if err := goOn(steps[:2]); err != nil {
			t.Fatal(err)
		}
		if err := k.DB.Write(t.Context(), func(tx *store.Tx) error { return dropSite(t.Context(), tx, "one") }); err != nil {
			t.Fatal(err)
		}
		if n := k.count("docs_sections"); n != 1200 {
			t.Errorf("the transaction that forgets a site deletes %d sections of it", 1200-n)
		}
		if err := goOn(steps[2:]); !errors.Is(err, errStale) {
			t.Fatalf("who writes a site that is gone is told %v", err)
		}
		k.clean(0)
	})
}

// TestTheBoundOfSectionsIsTold is about a site of more headings than the search takes.
func TestTheBoundOfSectionsIsTold(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"docs/index.md": []byte("# Home\n\n[one](a.md#a_7) [none](a.md#a_x)\n")}
	for i := range 10 {
		files[fmt.Sprintf("docs/%c.md", 'a'+i)] = []byte(strings.Repeat("# A\n", 2000))
	}
	report, err := checker().CheckFiles(t.Context(), files)
	if err != nil || len(report.Problems) != 2 || report.Problems[1].Target != "a.md#a_x" {
		t.Fatalf("the check says %+v, %v", report.Problems, err)
	}
	if p := report.Problems[0]; p.File != "docs/j.md" || !strings.Contains(p.Message, "more than 20000 headings") || !strings.Contains(p.Message, "techdocs-ref") {
		t.Errorf("the bound is told as %+v", p)
	}
	files["docs/j.md"] = []byte(strings.Repeat("# A\n", 1999)) // with that of the first page
	if report, err = checker().CheckFiles(t.Context(), files); err != nil || len(report.Problems) != 1 {
		t.Errorf("at the bound the check says %+v, %v", report.Problems, err)
	}
	site, err := readSite(t.Context(), sentTree(files), "")
	if err != nil {
		t.Fatal(err)
	}
	files["docs/j.md"] = []byte(strings.Repeat("# A\n", 200_000))
	a, err := checker().audit(t.Context(), sentTree(files), site)
	if err != nil || len(a.texts) != maxSections || len(a.report.Problems) != 3 || !strings.Contains(a.report.Problems[1].Message, "anchors") {
		t.Errorf("of the large site %d sections are kept; it says %+v, %v", len(a.texts), a.report.Problems, err)
	}
}

// TestSitesOfRepositoriesThatAreGoneAreForgotten without those of others.
func TestSitesOfRepositoriesThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		k := keptSite{&Service{Deps: Deps{DB: db, Ledger: ledger.New(db, time.Now, storetest.Log(t)), Now: time.Now, Log: storetest.Log(t)}}, t}
		var err error
		if k.Repositories, err = repository.New(db, nil, k.Ledger, nil, t.TempDir(), time.Now, k.Log); err != nil {
			t.Fatal(err)
		}
		for i := range 5 { // the first is there, the second can be restored
			k.write(t.Context(), fmt.Sprintf(`INSERT INTO docs_sites (id, repository, branch, folder, commit_id, title, pages, broken, error, version, digest, updated) VALUES ('site%[1]d','rep_%[1]d','main','','c','',1,0,'','v%[1]d','',0)`, i))
			k.write(t.Context(), fmt.Sprintf(`INSERT INTO docs_entities (entity, site, space) VALUES ('component:default/c%[1]d','site%[1]d','default')`, i))
			k.write(t.Context(), fmt.Sprintf(`INSERT INTO docs_sections (version, number, path, title, anchor, heading, body) VALUES ('v%d',0,'','','','','')`, i))
			if i < 2 {
				k.write(t.Context(), fmt.Sprintf(`INSERT INTO repositories (id, namespace, name, space, description, default_branch, protected, archived, created, created_by, updated, pushed, deleted, deleted_by, purge,
 generation, dirty, dirty_actor, dirty_platform, dirty_cause, dirty_run, dirty_options, dirty_sender, secret_check, push_limit, file_limit, object_limit, large_limit)
 VALUES ('rep_%[1]d','default','r%[1]d','default','','main',0,0,0,'',0,0,%[1]d,'',0,0,0,'',0,'','','','',0,0,0,0,0)`, i))
			}
		}
		if err := k.forgetPurged(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"docs_sites", "docs_entities", "docs_sections"} {
			if n := k.count(table); n != 2 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		if n := k.count("docs_sites WHERE repository IN ('rep_0', 'rep_1')"); n != 2 || k.count("docs_versions") != 0 {
			t.Errorf("of the repositories that are there %d have their site, and %d versions are left", n, k.count("docs_versions"))
		}
	}, ledger.Migrations(), repository.Migrations(), Migrations())
}
