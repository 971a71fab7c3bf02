package lacktest

import (
	"os"
	"path/filepath"
	"testing"
)

// Skip skips a test for what is not at hand; where CI is set it fails.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Log says what a test leaves out and lets it go on; where CI is set it fails.
func Log(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Logf(format, args...)
}

// Corpus gives a folder of ../shared/corpus: files that people really wrote, beside the repository and no part of it. A
// test without it is skipped, and fails where CI is set.
func Corpus(t testing.TB, folder string) string {
	t.Helper()
	found := filepath.Join(filepath.Dir(Root(t)), "shared", "corpus", filepath.FromSlash(folder))
	if _, err := os.Stat(found); err != nil {
		Skip(t, "no corpus: %v", err)
	}
	Programs()
	return found
}

// Root gives the folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		up := filepath.Dir(folder)
		if up == folder {
			t.Fatal("the test does not run within the repository")
		}
		folder = up
	}
}

// Programs gives what .ci/run says of the versions of programs, and of files, that are outside of the module. Go keeps the
// result of a test by the variables that it has read, and knows of nothing else outside: so whoever starts a program for a
// test, or reads such files, asks for this.
func Programs() string { return os.Getenv("ROADBED_TEST_TOOLS") }
