package repository

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNamesAreFoundAsTheyAreTyped(t *testing.T) {
	t.Parallel()
	files := []string{
		"README.md", "internal/core/repository/read.go", "internal/core/repository/read_test.go", "internal/machinery/git/read.go",
		"web/src/pages/repository/Repository.tsx", "web/src/pages/repository/Files.tsx", "docs/reads/me.md", "größe/straße.txt",
	}
	for text, want := range map[string]string{
		"read.go":     "internal/machinery/git/read.go",
		"readme":      "README.md",
		"repotsx":     "web/src/pages/repository/Repository.tsx",
		"core read":   "internal/core/repository/read.go",
		"FILES":       "web/src/pages/repository/Files.tsx",
		"gitread":     "internal/machinery/git/read.go",
		"straße":      "größe/straße.txt",
		"nothing at ": "",
	} {
		b := newBest(text, 3)
		for _, f := range files {
			b.add(f)
		}
		if got := strings.Join(b.names()[:min(1, len(b.names()))], ""); got != want {
			t.Errorf("%q finds %q, want %q of %q", text, got, want, b.names())
		}
	}
	many := newBest("", 2)
	for i := range 10_000 {
		many.add(fmt.Sprintf("f%04d", 9999-i))
	}
	if got := many.names(); !slices.Equal(got, []string{"f0000", "f0001"}) || !many.dropped {
		t.Errorf("of many: %v", got)
	}
}

func TestRemotesHaveWebAddresses(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"https://example.com/a/b.git":           "https://example.com/a/b",
		"https://user:secret@example.com/a/b":   "https://example.com/a/b",
		"git@example.com:a/b.git":               "https://example.com/a/b",
		"ssh://git@example.com/a/b.git":         "https://example.com/a/b",
		"http://example.com/a":                  "http://example.com/a",
		"../other.git":                          "",
		"javascript:alert(1)":                   "",
		"javascript://example.com/%0aalert(1)":  "",
		"file:///etc/passwd":                    "",
		"https://exa mple.com/\"onclick=\"evil": "",
		"":                                      "",
	} {
		if got := webAddress(remote); got != want {
			t.Errorf("%q is at %q, want %q", remote, got, want)
		}
	}
}
