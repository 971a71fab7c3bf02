package catalog

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A view may have every word of the catalog's address in the portal, which sends them all but the time and the view itself.
func TestAViewHasTheWordsOfThePortal(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../web/src/words/addresses.ts")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "export const catalogWords = [")
	list, _, ended := strings.Cut(list, "]")
	if !found || !ended {
		t.Fatal("catalogWords is not there")
	}
	var words []string
	for _, word := range regexp.MustCompile(`'(\w+)'`).FindAllStringSubmatch(list, -1) {
		if word[1] != "asOf" && word[1] != "view" {
			words = append(words, word[1])
		}
	}
	have := viewWords()
	slices.Sort(words)
	slices.Sort(have)
	if len(words) < 10 || !slices.Equal(words, have) {
		t.Errorf("the portal sends %v, and a view may have %v", words, have)
	}
}
