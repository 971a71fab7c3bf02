package docs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/product/docs/markdown"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func tree1(files ...string) sentTree {
	t := sentTree{}
	for i := 0; i < len(files); i += 2 {
		t[files[i]] = []byte(files[i+1])
	}
	return t
}

// checker gives a room that checks files.
func checker() *Service {
	return &Service{markdown: markdown.New(), checks: make(chan struct{}, sentAtOnce), places: make(chan struct{}, sentPlaces)}
}

func siteOf(t *testing.T, folder string, files ...string) *Site {
	t.Helper()
	site, err := readSite(context.Background(), tree1(files...), folder)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// outline tells a navigation in one line: title(path) or title[items].
func outline(items []Item) string {
	var parts []string
	for _, i := range items {
		switch {
		case i.Page != nil:
			parts = append(parts, fmt.Sprintf("%s(%s)", i.Title, *i.Page))
		case i.Address != "":
			parts = append(parts, fmt.Sprintf("%s<%s>", i.Title, i.Address))
		default:
			parts = append(parts, fmt.Sprintf("%s[%s]", i.Title, outline(i.Items)))
		}
	}
	return strings.Join(parts, " ")
}

// TestSites shows what sites are found in the files of a folder.
func TestSites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, folder, nav, problems string
		files                       []string
	}{
		{"a README alone", "", "The tool()", "", []string{"README.md", "# The tool", "main.go", ""}},
		{"a README of a folder", "a/b", "B()", "", []string{"README.md", "# A", "a/b/readme.md", "# B"}},
		{"docs without a configuration", "", "Hi() About(about) Guide[Start(guide) Deep(guide/deep)]", "",
			[]string{"docs/index.md", "# Hi", "docs/about.md", "x", "docs/guide/index.md", "# Start", "docs/guide/deep.md", "---\ntitle: Deep\n---\n", "docs/.hidden.md", "x", "docs/x.png", ""}},
		{"a README before docs", "", "Shop() Use(use)", "", []string{"README.md", "# Shop", "docs/use.md", "# Use"}},
		{"an index wins over a README", "", "Index()", "", []string{"docs/README.md", "# Read", "docs/index.md", "# Index"}},
		{"a navigation", "", "Home() Guide[Named(b) Deep[C(c)]] Elsewhere<https://x.org>", "mkdocs.yml:7 there is no page gone.md in docs; mkdocs.yml:8 ./x.yml is not included: there is no file x.yml to include", []string{
			"mkdocs.yml", "site_name: S\nnav:\n  - index.md\n  - Guide:\n    - Named: b.md\n    - Deep: [c.md]\n  - gone.md\n  - Other: '!include ./x.yml'\n  - Elsewhere: https://x.org\n",
			"docs/index.md", "", "docs/b.md", "# B", "docs/c.md", "# C", "docs/left-out.md", ""}},
		{"other sites", "", "Home() Pay[First(pay) How[Steps(pay/steps)]] Ship It[Start(ship-it) Deep[Very(ship-it/deep/very)]]", "", []string{
			"mkdocs.yml", "nav:\n  - Home: index.md\n  - Pay: '!include ./svc/pay/mkdocs.yml'\n  - !include svc/ship/docs.yml\n",
			"docs/index.md", "# I", "svc/pay/mkdocs.yml", "site_name: pay\nnav: [{First: index.md}, {How: [steps.md]}]", "svc/pay/docs/index.md", "# P", "svc/pay/docs/steps.md", "# Steps", "svc/pay/docs/left-out.md", "",
			"svc/ship/docs.yml", "site_name: Ship It\ndocs_dir: pages", "svc/ship/pages/README.md", "# Start", "svc/ship/pages/deep/very.md", "# Very"}},
		{"other sites that can't be", "in", "I()", strings.Join([]string{
			"in/e/mkdocs.yml:1 it is no mapping of names to values",
			"in/mkdocs.yml:3 ../x/mkdocs.yml is not included: it leads out of the folder of in/mkdocs.yml", "in/mkdocs.yml:4 ../../../etc/passwd is not included: it leads out of the folder of in/mkdocs.yml",
			"in/mkdocs.yml:5 ./gone.yml is not included: there is no file in/gone.yml to include", "in/mkdocs.yml:6 ./mkdocs.yml is not included: there is no file in/mkdocs.yml to include",
			"in/mkdocs.yml:7 a/mkdocs.yml is not included: its docs_dir ../../x/docs leads out of its folder", "in/mkdocs.yml:8 e/mkdocs.yml is not included: there are no pages in in/e/docs"}, "; "), []string{
			"in/mkdocs.yml", "nav:\n  - index.md\n  - X: '!include ../x/mkdocs.yml'\n  - X: '!include ../../../etc/passwd'\n  - '!include ./gone.yml'\n  - '!include ./mkdocs.yml'\n  - '!include a/mkdocs.yml'\n  - '!include e/mkdocs.yml'\n",
			"in/docs/index.md", "# I", "x/mkdocs.yml", "", "x/docs/index.md", "# X", "in/a/mkdocs.yml", "docs_dir: ../../x/docs", "in/e/mkdocs.yml", ""}},
		{"other sites within others", "", "I() A[A(a)]", "a/mkdocs.yml:3 ../b/mkdocs.yml: a site that is included includes no other; name it in mkdocs.yml; mkdocs.yml:1 a/mkdocs.yml is included already", []string{
			"mkdocs.yml", "nav: [index.md, '!include a/mkdocs.yml', {B: '!include a/mkdocs.yml'}]", "docs/index.md", "# I",
			"a/mkdocs.yml", "nav:\n- index.md\n- '!include ../b/mkdocs.yml'", "a/docs/index.md", "# A", "b/mkdocs.yml", "", "b/docs/index.md", "# B"}},
		{"another folder of pages", "svc", "I()", "", []string{"svc/mkdocs.yml", "docs_dir: pages\n", "svc/pages/index.md", "# I", "svc/docs/x.md", ""}},
		{"a folder that leads out", "svc", "I()", "svc/mkdocs.yml:0 docs_dir ../../etc leads out of the repository", []string{"svc/mkdocs.yml", "docs_dir: ../../etc\n", "svc/docs/index.md", "# I"}},
		{"tags of Python", "", "I()", "", []string{"mkdocs.yml", "markdown_extensions:\n  - a:\n      b: !!python/name:c.d\nplugins: !ENV [A, b]\n", "docs/index.md", "# I"}},
		{"no YAML", "", "I()", "mkdocs.yml:1 it is no YAML", []string{"mkdocs.yml", "a: [\n", "docs/index.md", "# I"}},
		{"anchors that explode", "", "I()", "", []string{"mkdocs.yml", "a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\nnav: \n", "docs/index.md", "# I"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site := siteOf(t, c.folder, c.files...)
			var problems []string
			for _, p := range site.Problems {
				problems = append(problems, fmt.Sprintf("%s:%d %s", p.File, p.Line, p.Message))
			}
			if got := strings.Join(problems, "; "); outline(site.Nav) != c.nav || !strings.HasPrefix(got, c.problems) || c.problems == "" && got != "" {
				t.Errorf("the navigation is %s, want %s\nproblems %s", outline(site.Nav), c.nav, got)
			}
		})
	}
	for _, files := range [][]string{{"main.go", ""}, {"docs/x.png", ""}, {}} {
		if _, err := readSite(context.Background(), tree1(files...), ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v: %v", files, err)
		}
	}
}

// TestWhereAnotherEntityBegins in a site.
func TestWhereAnotherEntityBegins(t *testing.T) {
	t.Parallel()
	site := siteOf(t, "", "docs/index.md", "", "docs/guide/pay.md", "", "docs/guide/index.md", "")
	for said, want := range map[string]string{
		"/guide/pay": "guide/pay", "guide/pay/": "guide/pay", "/guide/pay.md": "guide/pay", "guide/pay#how": "guide/pay", "/guide/": "guide", "/": "", "": "", "/gone": "", "../../x": "",
	} {
		if got := site.startAt(said); got != want {
			t.Errorf("%q begins at %q, want %q", said, got, want)
		}
	}
}

// TestNavigationIsBounded in depth and length.
func TestNavigationIsBounded(t *testing.T) {
	t.Parallel()
	deep := "nav: " + strings.Repeat("[{a: ", 30) + "index.md" + strings.Repeat("}]", 30)
	site := siteOf(t, "", "mkdocs.yml", deep, "docs/index.md", "")
	if len(site.Problems) != 1 || !strings.Contains(site.Problems[0].Message, "levels deep") {
		t.Errorf("deep: %+v", site.Problems)
	}
	site = siteOf(t, "", "mkdocs.yml", "nav:\n"+strings.Repeat("  - index.md\n", maxNav+10), "docs/index.md", "")
	if len(site.Nav) != maxNav || len(site.Problems) != 1 {
		t.Errorf("long: %d entries, %+v", len(site.Nav), site.Problems)
	}
}

// TestWhatIsIncludedIsBounded however a site is written, and however its entries are.
func TestWhatIsIncludedIsBounded(t *testing.T) {
	t.Parallel()
	pages := []string{"docs/index.md", "", "a/mkdocs.yml", "site_name: a", "a/docs/index.md", ""}
	for i := range 600 {
		pages = append(pages, fmt.Sprintf("a/docs/p%d.md", i), "")
	}
	nav := "nav:\n  - index.md\n"
	for i := range 100 {
		nav += "  - A: '!include " + strings.Repeat("./", i) + "a/mkdocs.yml'\n"
	}
	site := siteOf(t, "", append(pages, "mkdocs.yml", nav)...)
	if len(site.Nav) != 2 || len(site.Problems) != 99 || !strings.Contains(site.Problems[0].Message, "is included already") {
		t.Errorf("a site that is written in 100 ways is there %d times, with %d problems", len(site.Nav)-1, len(site.Problems))
	}
	site = siteOf(t, "", append(pages, "mkdocs.yml", "nav:\n"+strings.Repeat("  - index.md\n", maxNav-101)+"  - A: '!include a/mkdocs.yml'\n")...)
	if last := site.Nav[len(site.Nav)-1]; len(last.Items) != 100 || len(site.Problems) != 1 || !strings.Contains(site.Problems[0].Message, "those at the end are left out") {
		t.Errorf("where there is room for 100 there are %d, %+v", len(last.Items), site.Problems)
	}
	site = siteOf(t, "", append(pages, "mkdocs.yml", "nav:\n"+strings.Repeat("  - index.md\n", maxNav-1)+"  - A: '!include a/mkdocs.yml'\n")...)
	if len(site.Nav) != maxNav-1 || len(site.Problems) != 1 || !strings.Contains(site.Problems[0].Message, "no more are taken") {
		t.Errorf("where there is no room there are %d, %+v", len(site.Nav), site.Problems)
	}
	pairs := "nav:\n  - index.md\n  - "
	for i := range maxNav + 10 {
		pairs += fmt.Sprintf("k%d: index.md\n    ", i)
	}
	if site = siteOf(t, "", append(pages, "mkdocs.yml", pairs)...); len(site.Nav) != maxNav || len(site.Problems) != 1 {
		t.Errorf("of one mapping there are %d, %+v", len(site.Nav), site.Problems)
	}
	large := siteOf(t, "", "docs/index.md", "# I", "a/mkdocs.yml", "site_name: a\n#"+strings.Repeat("x", includedConfigs), "a/docs/index.md", "", "mkdocs.yml", "nav: [index.md, '!include a/mkdocs.yml', '!include b/mkdocs.yml']")
	var said []string
	for _, p := range large.Problems {
		said = append(said, p.Message)
	}
	if want := "a/mkdocs.yml is not included: the sites that are included have configurations of more than 4 MiB together; b/mkdocs.yml is not included: there is no file b/mkdocs.yml to include"; outline(large.Nav) != "I()" || strings.Join(said, "; ") != want {
		t.Errorf("of a configuration that is too large there is %s, %v", outline(large.Nav), said)
	}
}

// TestLinks shows where the links of a page lead.
func TestLinks(t *testing.T) {
	t.Parallel()
	site := siteOf(t, "svc", "svc/mkdocs.yml", "site_name: S", "svc/docs/index.md", "# I", "svc/docs/guide/a.md", "# A", "svc/docs/guide/index.md", "# G",
		"svc/docs/img/x.png", "", "svc/main.go", "", "svc/docs/paper.pdf", "")
	a := addresses{Opened{Site: site, Rev: "v1", Place: Place{
		Entity: ref.New("component", "default", "svc"), Branch: "main", Repository: repository.Repository{Namespace: "crew", Name: "mono", DefaultBranch: "main"},
	}}, "/api/v1"}
	from := site.Pages[site.byPath["guide/a"]]
	const docs, raw = "/docs/default/component/svc", "/api/v1/entities/component/default/svc/docs/file"
	for link, want := range map[string]string{
		"../index.md": docs + "?ref=v1", "index.md#x y": docs + "/guide?ref=v1#x%20y", "../": docs + "?ref=v1", "#here": "#here", "a.md#b": "#b", ".": docs + "/guide?ref=v1",
		"../img/x.png": raw + "?path=svc%2Fdocs%2Fimg%2Fx.png&ref=v1", "../paper.pdf": raw + "?path=svc%2Fdocs%2Fpaper.pdf&ref=v1",
		"../../main.go#L3": "/repositories/crew/mono?path=svc%2Fmain.go&ref=v1#L3", "../../../other/x.go": "/repositories/crew/mono?path=other%2Fx.go&ref=v1",
		"https://x.org": "https://x.org", "mailto:a@x.org": "mailto:a@x.org", "/guide/a.md#q": "#q", "/catalog": "/catalog", "nowhere.md": "", "javascript:alert(1)": "",
		"../../../../etc/passwd": "", "": "", "%zz": "",
	} {
		to := a.resolve(from, markdown.Link{Target: link})
		if to.Address != want || to.Outside {
			t.Errorf("%q leads to %+v, want %s", link, to, want)
		}
	}
	if to := a.resolve(from, markdown.Link{Target: "https://x.org/a.png", Image: true}); !to.Outside {
		t.Errorf("an image of elsewhere is %+v", to)
	}
	if to := site.follow(site.Pages[0], "/catalog"); to.wrong == "" || to.outside != "/catalog" {
		t.Errorf("an address of the portal is %+v", to)
	}
	// As on a site of MkDocs, where the page is guide/a/.
	if to := site.follow(from, "../../guide/"); to.page != site.byPath["guide"] {
		t.Errorf("a link to an address is %+v", to)
	}
}

// TestLinksBetweenSites that one navigation puts together, by where the files are and by where the pages are.
func TestLinksBetweenSites(t *testing.T) {
	t.Parallel()
	site := siteOf(t, "", "mkdocs.yml", "nav: [index.md, {Pay: '!include ./svc/pay/mkdocs.yml'}]", "docs/index.md", "", "docs/use.md", "",
		"svc/pay/mkdocs.yml", "site_name: pay", "svc/pay/docs/index.md", "", "svc/pay/docs/deep/steps.md", "", "svc/pay/docs/a.png", "")
	for _, c := range []struct{ from, link, want string }{
		{"", "pay/index.md", "pay"}, {"", "pay/deep/steps.md#x", "pay/deep/steps"}, {"", "pay/", "pay"}, {"", "../svc/pay/docs/index.md", "pay"}, {"use", "pay/deep/steps.md", "pay/deep/steps"},
		{"pay", "deep/steps.md", "pay/deep/steps"}, {"pay/deep/steps", "../index.md", "pay"}, {"pay/deep/steps", "../../use.md", "use"}, {"pay", "../index.md", ""}, {"pay/deep/steps", "../../gone.md", "gone"}, {"", "pay/gone.md", "gone"},
	} {
		to := site.follow(site.Pages[site.byPath[c.from]], c.link)
		if got := to.page; c.want == "gone" && (got >= 0 || to.wrong == "") || c.want != "gone" && (got < 0 || site.Pages[got].Path != c.want) {
			t.Errorf("%s on %q leads to %+v, want %q", c.link, c.from, to, c.want)
		}
	}
	if to := site.follow(site.Pages[site.byPath["pay/deep/steps"]], "../a.png"); to.file != "svc/pay/docs/a.png" {
		t.Errorf("an image is %+v", to)
	}
	many := []string{"docs/index.md", ""}
	nav := "nav:\n"
	for i := range maxIncluded + 2 {
		many = append(many, fmt.Sprintf("s%d/mkdocs.yml", i), "", fmt.Sprintf("s%d/docs/index.md", i), "")
		nav += fmt.Sprintf("  - '!include s%d/mkdocs.yml'\n", i)
	}
	if site = siteOf(t, "", append(many, "mkdocs.yml", nav)...); len(site.Nav) != maxIncluded || len(site.Pages) != maxIncluded+1 {
		t.Errorf("of too many sites there are %d, and %d pages", len(site.Nav), len(site.Pages))
	}
}

// TestCheck tells what is wrong with files that somebody sends.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := checker()
	report, err := s.CheckFiles(context.Background(), tree1("docs/index.md", "# I\n[ok](a.md#a) [bad](a.md#b) ![no](x.png)\n\n--8<-- \"y\"\n", "docs/a.md", "# A\n\n[^1]\n\n[^1]: [i](index.md#i)\n"))
	if err != nil || report.Pages != 2 || report.Links != 4 || len(report.Problems) != 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	for i, want := range []Problem{
		{"docs/index.md", 4, "", "no files are included here (--8<-- \"y\"); write the text, or link to it"},
		{"docs/index.md", 2, "a.md#b", "there is no heading #b on docs/a.md"}, {"docs/index.md", 2, "x.png", "there is no file docs/x.png"},
	} {
		if report.Problems[i] != want {
			t.Errorf("problem %d is %+v", i, report.Problems[i])
		}
	}
	if _, err := s.CheckFiles(context.Background(), tree1("../x.md", "")); !fault.Is(err, fault.Invalid) {
		t.Errorf("a path that leads out: %v", err)
	}
	if _, err := s.CheckFiles(context.Background(), tree1("x.md", strings.Repeat("x", sentBytes+1))); !fault.Is(err, fault.TooLarge) {
		t.Errorf("too much: %v", err)
	}
}

// TestFewChecksGoAtOnce has others wait, as long as who asks for them does.
func TestFewChecksGoAtOnce(t *testing.T) {
	t.Parallel()
	s, files := checker(), tree1("docs/index.md", "# I\n")
	for range sentAtOnce {
		s.checks <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.CheckFiles(ctx, files)
		done <- err
	}()
	cancel()
	if err := <-done; !fault.Is(err, fault.Canceled) || !strings.Contains(err.Error(), "before it began") {
		t.Errorf("who goes away while others are checked is told %v", err)
	}
	if _, err := s.CheckFiles(ctx, tree1("../x.md", "")); !fault.Is(err, fault.Invalid) {
		t.Errorf("what can't be checked waits: %v", err)
	}
	go func() {
		_, err := s.CheckFiles(t.Context(), files)
		done <- err
	}()
	<-s.checks
	if err := <-done; err != nil || len(s.checks) != sentAtOnce-1 {
		t.Errorf("when another ends it is checked with %v, and %d places are taken", err, len(s.checks))
	}
	for range 2 * sentAtOnce { // none keeps its place
		if _, err := s.CheckFiles(t.Context(), files); err != nil {
			t.Error(err)
		}
	}
}

// TestFewChecksWait sends away who comes when all places are taken, and lets in who comes after one has left.
func TestFewChecksWait(t *testing.T) {
	t.Parallel()
	s := checker()
	var leave func()
	for i := range sentPlaces {
		var err error
		if leave, err = s.PlaceForCheck(); err != nil {
			t.Fatalf("the %d. is sent away: %v", i+1, err)
		}
	}
	if _, err := s.PlaceForCheck(); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "try again in a moment") {
		t.Errorf("one more is told %v", err)
	}
	leave()
	if _, err := s.PlaceForCheck(); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}

// TestLinksOfASiteAreBounded over all of its pages, which is told.
func TestLinksOfASiteAreBounded(t *testing.T) {
	t.Parallel()
	const each = 10_000 // of a page
	files := tree1("docs/zz.md", "# Last\n[gone](gone.md)\n")
	for i := range maxLinks/each - 1 {
		files[fmt.Sprintf("docs/p%02d.md", i)] = []byte(strings.Repeat("[a](p00.md)\n", each))
	}
	files["docs/z.md"] = []byte(strings.Repeat("[a](p00.md)\n", each-1))
	report, err := checker().CheckFiles(t.Context(), files)
	if err != nil || report.Links != maxLinks || len(report.Problems) != 1 || report.Problems[0].Target != "gone.md" {
		t.Fatalf("at the bound the check says %d links, %+v, %v", report.Links, report.Problems, err)
	}
	files["docs/z.md"] = append(files["docs/z.md"], "[none](none.md)\n"...)
	report, err = checker().CheckFiles(t.Context(), files)
	if err != nil || report.Links != maxLinks || len(report.Problems) != 2 || report.Problems[1].Target != "none.md" {
		t.Fatalf("beyond the bound the check says %d links, %+v, %v", report.Links, report.Problems, err)
	}
	if p := report.Problems[0]; p.File != "docs/zz.md" || !strings.Contains(p.Message, "more than 200000 links") || !strings.Contains(p.Message, "techdocs-ref") {
		t.Errorf("the bound is told as %+v", p)
	}
}

// TestSearchPutsHeadingsFirst and pages through what it finds.
func TestSearchPutsHeadingsFirst(t *testing.T) {
	t.Parallel()
	texts := []text{
		{PageRef{Path: "a", Title: "A"}, markdown.Section{ID: "x", Heading: "Other", Text: "how to install it"}},
		{PageRef{Path: "b", Title: "B"}, markdown.Section{ID: "y", Heading: "Install", Text: strings.Repeat("words ", 100) + "it is here"}},
		{PageRef{Path: "c", Title: "C"}, markdown.Section{ID: "z", Heading: "None", Text: "nothing"}},
	}
	got := search(texts, []string{"install", "it"}, page.Request{Limit: 1})
	if len(got.Items) != 1 || got.Items[0].Path != "b" || got.Next != "1" || !strings.HasPrefix(got.Items[0].Excerpt, "…") || !strings.Contains(got.Items[0].Excerpt, "it is here") {
		t.Errorf("%+v", got)
	}
	if rest := search(texts, []string{"install", "it"}, page.Request{Limit: 1, Cursor: got.Next}); len(rest.Items) != 1 || rest.Items[0].Path != "a" || rest.Next != "" {
		t.Errorf("%+v", rest)
	}
}

// TestCacheIsBounded by bytes, and lets go of what was used least.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache(100)
	made := 0
	ask := func(key string, size int) {
		_, err := kept(c, key, func() (string, int, error) { made++; return key, size, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a", "b", "a", "c", "a", "b"} {
		ask(key, 40)
	}
	if made != 4 || c.bytes > 100 {
		t.Errorf("%d are made, %d bytes are kept", made, c.bytes)
	}
	ask("large", 99)
	if _, ok := c.get("large"); ok {
		t.Error("one entry has the cache for itself")
	}
}
