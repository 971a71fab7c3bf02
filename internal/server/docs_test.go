package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/face/cli"
)

var (
	docCommand = regexp.MustCompile("(?m)(?:^|[`$ (])(?:bin/)?roadbed ((?:[a-z][a-z-]*)(?: [^`#|)\n]*)?)")
	docFlag    = regexp.MustCompile(`(?:^| )--?([a-z][a-z-]*)`)
	docLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	docHeading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// pages gives the texts that people read, by their paths.
func pages(t *testing.T) map[string]string {
	t.Helper()
	const root = "../.."
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "deploy/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all[file] = string(data)
		}
	}
	if len(all) < 15 {
		t.Fatalf("only %d pages are found", len(all))
	}
	return all
}

// TestCommandsInTheDocsExist finds each command that a page names, with its flags.
func TestCommandsInTheDocsExist(t *testing.T) {
	t.Parallel()
	root := cli.New("test")
	root.AddCommand(Commands("test")...)
	checked := 0
	for page, text := range pages(t) {
		for _, match := range docCommand.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(match[1])
			verb, rest := root, words
			for len(rest) > 0 {
				next := child(verb, rest[0])
				if next == nil {
					break
				}
				verb, rest = next, rest[1:]
			}
			switch {
			case verb == root:
				t.Errorf("%s: there is no roadbed %s", page, words[0])
				continue
			case verb.HasSubCommands() && !verb.Runnable() && len(rest) > 0 && regexp.MustCompile(`^[a-z-]+$`).MatchString(rest[0]):
				t.Errorf("%s: there is no roadbed %s", page, strings.Join(words, " "))
				continue
			}
			checked++
			for _, flag := range docFlag.FindAllStringSubmatch(" "+strings.Join(rest, " "), -1) {
				name := flag[1]
				known := verb.Flags().Lookup(name) != nil || verb.InheritedFlags().Lookup(name) != nil || name == "help" || name == "version"
				if len(name) == 1 {
					known = verb.Flags().ShorthandLookup(name) != nil || verb.InheritedFlags().ShorthandLookup(name) != nil
				}
				if !known {
					t.Errorf("%s: roadbed %s has no flag %s", page, strings.Join(words, " "), name)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d commands are found in the pages", checked)
	}
}

func child(c *cobra.Command, name string) *cobra.Command {
	for _, sub := range c.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}

// TestLinksInTheDocsLeadSomewhere follows the links from page to page, with their anchors.
func TestLinksInTheDocsLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for page, text := range all {
		for _, match := range docLink.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s leads nowhere", page, match[1])
				continue
			}
			if anchor == "" {
				continue
			}
			found := false
			for _, heading := range docHeading.FindAllStringSubmatch(all[file], -1) {
				found = found || slug(heading[1]) == anchor
			}
			if !found {
				t.Errorf("%s: %s has no heading %s", page, target, anchor)
			}
		}
	}
}

// slug gives the anchor of a heading, as forges make it.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, strings.ToLower(heading))
}
