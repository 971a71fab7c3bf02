package docs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// largeTree lists few files at a time.
type largeTree struct{ sentTree }

func (t largeTree) list(ctx context.Context, folder string) ([]string, error) {
	files, err := t.sentTree.list(ctx, folder)
	if len(files) > 10 {
		return nil, fault.Errorf(fault.TooLarge, "there are more than 10 files")
	}
	return files, err
}

func (t largeTree) in(ctx context.Context, folder string) ([]string, error) {
	files, err := t.sentTree.in(ctx, folder)
	if len(files) > 10 {
		return nil, fault.Errorf(fault.TooLarge, "there are more than 10 files")
	}
	return files, err
}

// wideTree has many images in the folder of each site's pages.
type wideTree struct{ sentTree }

func (t wideTree) list(ctx context.Context, folder string) ([]string, error) {
	files, err := t.sentTree.list(ctx, folder)
	switch {
	case folder == "":
		return nil, fault.Errorf(fault.TooLarge, "there are more than 50000 files")
	case strings.HasPrefix(folder, "few"):
		return files, err
	}
	for i := range 45_000 {
		files = append(files, fmt.Sprintf("%s/f%d.png", folder, i))
	}
	return files, err
}

// TestFilesOfAllIncludedSitesAreBounded together, which is told of each that is left out.
func TestFilesOfAllIncludedSitesAreBounded(t *testing.T) {
	t.Parallel()
	files, nav := tree1("docs/index.md", "# I"), "nav:\n- index.md\n"
	for _, name := range []string{"s0", "s1", "s2", "s3", "s4", "few"} {
		files[name+"/mkdocs.yml"], files[name+"/docs/index.md"] = []byte("site_name: "+name), []byte("# "+name)
		nav += fmt.Sprintf("- '!include %s/mkdocs.yml'\n", name)
	}
	files["mkdocs.yml"] = []byte(nav + "- '!include s0/./mkdocs.yml'\n")
	site, err := readSite(t.Context(), wideTree{files}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := outline(site.Nav); got != "I() s0[s0(s0)] s1[s1(s1)] s2[s2(s2)] few[few(few)]" {
		t.Errorf("the navigation is %s", got)
	}
	if len(site.files) > maxKnown || len(site.files) < 4*45_000 {
		t.Errorf("%d files are known", len(site.files))
	}
	var told []string
	for _, p := range site.Problems {
		if strings.Contains(p.Message, "too many files together, more than 200000") && strings.Contains(p.Message, "docs_dir") {
			told = append(told, p.Message[:2])
		}
	}
	if strings.Join(told, " ") != "s3 s4" {
		t.Errorf("left out are %q of %+v", told, site.Problems)
	}
}

// TestLargeRepositories finds docs at the root of repositories that have more files than are listed at a time.
func TestLargeRepositories(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, folder, nav, problems string
		files                       []string
	}{
		{"a configuration", "", "Start() Install(guide/install)", "docs: the repository has so many files that links out of docs are not looked at",
			[]string{"mkdocs.yml", "site_name: Large\nnav:\n- Start: index.md\n- guide/install.md\n", "docs/index.md", "# I\n[out](../src/f0.go) [gone](../src/gone.go)\n", "docs/guide/install.md", "# Install"}},
		{"no configuration", "", "I()", "docs: the repository has so many files that links out of docs are not looked at", []string{"docs/index.md", "# I"}},
		{"another folder of pages", "app", "I()", "app/site/pages: app has so many files that links out of app/site/pages are not looked at",
			[]string{"app/mkdocs.yaml", "docs_dir: site/pages", "app/site/pages/index.md", "# I", "app/docs/no.md", "# No", "docs/no.md", "# No"}},
		{"a README before docs", "", "Shop() Use(use)", "docs: the repository has so many files that links out of docs are not looked at", []string{"README.md", "# Shop", "docs/use.md", "# Use"}},
		{"a README alone", "", "Shop()", "docs: the repository has so many files that links out of docs are not looked at", []string{"Readme.md", "# Shop"}},
		{"a README that is written otherwise", "app", "Shop() Use(use)", "app/docs: app has so many files that links out of app/docs are not looked at", []string{"app/rEADME.MkD", "# Shop", "app/docs/use.md", "# Use", "app/other.md", "# No", "README.md", "# No"}},
		{"a folder with too many files itself", "flat", "Shop() Use(use)", "flat/docs: flat has so many files that links out of flat/docs are not looked at", []string{"flat/README.md", "# Shop", "flat/mkdocs.yml", "site_name: Shop", "flat/docs/use.md", "# Use"}},
		{"all files in the folder of pages", "", "Shop()", "the repository has so many files that it is not taken as the folder of the pages; name one further down as docs_dir in mkdocs.yml",
			[]string{"mkdocs.yml", "docs_dir: .", "README.md", "# Shop"}},
		{"other sites", "", "I() Pay[P(pay)]", "docs: the repository has so many files that links out of docs are not looked at; mkdocs.yml: svc/gone/mkdocs.yml is not included: there is no file svc/gone/mkdocs.yml to include; " +
			"mkdocs.yml: ./src/mkdocs.yml is not included: its folder src can't be listed: there are more than 10 files",
			[]string{"mkdocs.yml", "nav:\n- index.md\n- Pay: '!include ./svc/pay/mkdocs.yml'\n- '!include svc/gone/mkdocs.yml'\n- '!include ./src/mkdocs.yml'\n- \"!include a\\nb\"\n", "docs/index.md", "# I",
				"svc/pay/mkdocs.yml", "site_name: pay", "svc/pay/docs/index.md", "# P", "src/mkdocs.yml", "docs_dir: ."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := tree1(c.files...)
			for i := range 11 {
				files[fmt.Sprintf("src/f%d.go", i)], files[fmt.Sprintf("app/src/f%d.go", i)], files[fmt.Sprintf("flat/f%d.go", i)] = nil, nil, nil
			}
			site, err := readSite(t.Context(), largeTree{files}, c.folder)
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			for _, p := range site.Problems {
				problems = append(problems, strings.TrimPrefix(p.File+": ", ": ")+p.Message)
			}
			if got := strings.Join(problems, "; "); outline(site.Nav) != c.nav || !strings.HasPrefix(got, c.problems) {
				t.Errorf("the navigation is %s, want %s\nproblems %s", outline(site.Nav), c.nav, got)
			}
			for _, link := range []string{"../src/f0.go", "../src/gone.go"} {
				if to := site.follow(site.Pages[0], link); c.folder == "" && strings.HasPrefix(site.Pages[0].File, "docs/") && to.wrong != "" {
					t.Errorf("of the link to %s it is said: %s", link, to.wrong)
				}
			}
			if to := site.follow(PageRef{File: site.Docs + "/index.md"}, "gone.md"); to.wrong == "" && c.name != "a README alone" && c.name != "all files in the folder of pages" {
				t.Error("a link to a page that is not there is not told")
			}
		})
	}
	files := tree1()
	for i := range 11 {
		files[fmt.Sprintf("docs/f%d.png", i)] = nil
	}
	if _, err := readSite(t.Context(), largeTree{files}, ""); !fault.Is(err, fault.TooLarge) || !strings.Contains(err.Error(), "docs_dir") {
		t.Errorf("a folder of pages with too many files is told as %v", err)
	}
}
