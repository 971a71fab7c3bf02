package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const top = "../.."

// page is one page for users: its code, and its text without the code.
type page struct {
	spans   []code
	text    string
	anchors map[string]bool
}

// code is a piece of code of a page. A line of a block is said as it stands; a span in a sentence may name a verb only.
type code struct {
	line  int
	block bool
	text  string
}

var (
	inline   = regexp.MustCompile("`([^`]+)`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	others   = regexp.MustCompile(`^\s*(podman|docker|helm|kubectl)\s`)
	call     = regexp.MustCompile(`(?:^|[\s(]|[\w.]/)roadbed((?:\s+\S+)+)`) // not `/roadbed help`, which is a comment of a proposal
	flagOnly = regexp.MustCompile(`^--([a-z][a-z-]*)`)
	target   = regexp.MustCompile(`(?:^|\s)make ([a-z][a-z -]*)`)
	rule     = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	notSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	wordRule = regexp.MustCompile(`(?:"[^"]*"|'[^']*'|\$\([^)]*\)|\S)+`)
)

// TestTheDocsNameWhatThereIs says that every command, flag, target of make and link of the pages exists.
func TestTheDocsNameWhatThereIs(t *testing.T) {
	pages := readPages(t)
	flags := allFlags(root())
	makefile, err := os.ReadFile(filepath.Join(top, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range rule.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	calls, links := 0, 0
	for path, p := range pages {
		for _, c := range p.spans {
			text := strings.TrimRight(c.text, " \\") // a line that goes on
			for _, m := range call.FindAllStringSubmatch(text, -1) {
				calls++
				if problem := try(m[1], c.block); problem != "" {
					t.Errorf("%s:%d: roadbed%s: %s", path, c.line, m[1], problem)
				}
			}
			if m := flagOnly.FindStringSubmatch(c.text); m != nil && !c.block && !flags[m[1]] {
				t.Errorf("%s:%d: no verb has the flag --%s", path, c.line, m[1])
			}
			for _, m := range target.FindAllStringSubmatch(c.text, -1) {
				for _, name := range strings.Fields(m[1]) {
					if !targets[name] {
						t.Errorf("%s:%d: the Makefile has no target %s", path, c.line, name)
					}
				}
			}
		}
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(m[1], "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, m[1])
			} else if other := pages[to]; anchor != "" && (other == nil || !other.anchors[anchor]) {
				t.Errorf("%s: the link %s names no heading of its page", path, m[1])
			}
		}
	}
	if calls < 50 || links < 30 {
		t.Errorf("found %d commands and %d links, so this test no longer reads the pages as they are written", calls, links)
	}
}

// TestTheReferenceHasEveryOption compares the page of options with those of the server.
func TestTheReferenceHasEveryOption(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "docs/reference/configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	server, _, err := root().Find([]string{"server"})
	if err != nil {
		t.Fatal(err)
	}
	server.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !f.Hidden && !strings.Contains(string(text), "`--"+f.Name) {
			t.Errorf("docs/reference/configuration.md lacks --%s", f.Name)
		}
	})
}

// TestTheUnitOfSystemdStartsThisProgram says that the options of the unit are the server's.
func TestTheUnitOfSystemdStartsThisProgram(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "deploy/roadbed.service"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/roadbed(.*)$`).FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("the unit does not start /usr/local/bin/roadbed, which is where it says to install it")
	}
	if problem := try(m[1], true); problem != "" {
		t.Errorf("roadbed%s: %s", m[1], problem)
	}
}

// TestHelpFitsATerminal of eighty columns, and says how each verb ends.
func TestHelpFitsATerminal(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		var out strings.Builder
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%s --help has %d columns: %s", c.CommandPath(), n, line)
			}
		}
		if c.Runnable() && !c.Hidden && !strings.Contains(out.String(), "Exit codes: 0 ") {
			t.Errorf("%s --help has no exit codes", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root())
}

// try says what is wrong with a command line without running it; whole asks for all of its arguments too.
func try(line string, whole bool) string {
	args := words(line)
	c, rest, err := root().Find(args)
	if err != nil {
		return err.Error()
	}
	c.InitDefaultHelpFlag()
	if c.Parent() == nil {
		c.InitDefaultVersionFlag()
	}
	if err := c.ParseFlags(rest); err != nil {
		var bare *pflag.ValueRequiredError // a sentence may name a flag without its value
		if !whole && errors.As(err, &bare) {
			return ""
		}
		return err.Error()
	}
	given := c.Flags().Args()
	if !c.Runnable() && len(given) > 0 {
		return "no such verb: " + given[0]
	}
	if whole && c.Runnable() {
		if err := c.ValidateArgs(given); err != nil {
			return err.Error()
		}
		if err := c.ValidateRequiredFlags(); err != nil {
			return err.Error()
		}
	}
	return ""
}

// words splits a command line, up to where the shell would begin something else.
func words(line string) []string {
	var out []string
	for _, w := range wordRule.FindAllString(line, -1) {
		if strings.HasPrefix(w, "#") || w == "|" || w == "&&" || w == "&" || w == ";" || w == "…" || strings.HasPrefix(w, ">") {
			break
		}
		out = append(out, strings.Trim(w, `"'`))
	}
	return out
}

func allFlags(c *cobra.Command) map[string]bool {
	all := map[string]bool{"help": true, "version": true, "cacert": true, "privileged": true} // the last two are curl's and podman's
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		add := func(f *pflag.Flag) { all[f.Name] = true }
		c.Flags().VisitAll(add)
		c.PersistentFlags().VisitAll(add)
		for _, child := range c.Commands() {
			visit(child)
		}
	}
	visit(c)
	return all
}

func readPages(t *testing.T) map[string]*page {
	t.Helper()
	pages := map[string]*page{}
	read := func(path string) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages[path] = parse(string(content))
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		read(filepath.Join(top, name))
	}
	for _, dir := range []string{"docs", "changelog"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
				read(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

func parse(content string) *page {
	p := &page{anchors: map[string]bool{}}
	var text strings.Builder
	fenced, foreign := false, false // in a block, and in a command of another program, over its lines
	for i, line := range strings.Split(content, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if fenced {
			if foreign = foreign || others.MatchString(line); !foreign {
				p.spans = append(p.spans, code{line: i + 1, block: true, text: line})
			}
			foreign = foreign && strings.HasSuffix(line, "\\")
			continue
		}
		for _, m := range inline.FindAllStringSubmatch(line, -1) {
			p.spans = append(p.spans, code{line: i + 1, text: m[1]})
		}
		if strings.HasPrefix(line, "#") {
			p.anchors[slug(strings.TrimLeft(line, "# "))] = true
		}
		text.WriteString(inline.ReplaceAllString(line, "code") + "\n")
	}
	p.text = text.String()
	return p
}

// slug is the anchor that forges give a heading.
func slug(heading string) string {
	return strings.ReplaceAll(strings.ToLower(notSlug.ReplaceAllString(heading, "")), " ", "-")
}
