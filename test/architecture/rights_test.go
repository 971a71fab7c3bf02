package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// These files only name rights: the built-in roles, what a workflow may ask for its steps, and the words of the API.
const (
	rolesFile  = "internal/core/access/builtin.go"
	scopesFile = "internal/product/workflow/grant.go"
	wordsFile  = "internal/face/api/rights.go"
)

var (
	wholeRight = regexp.MustCompile(`^[a-z][a-z0-9-]*:[a-z][a-z0-9-]*$`)
	anyRight   = regexp.MustCompile(`\b[a-z][a-z0-9-]*:[a-z][a-z0-9-]*\b`)
	rightRow   = regexp.MustCompile("(?m)^\\| `([a-z-]+:[a-z-]+)` \\| (.+) \\| (reader|developer|admin) \\|$")
)

// code is what the sources say of rights.
type code struct {
	asked   map[string]string // that a method of access is asked for by a literal, with its place
	written map[string]string // other literals that look like one
	shown   map[string]string // what only offers something to a person by it
	named   map[string][]string
}

func readCode(t *testing.T) code {
	t.Helper()
	c := code{map[string]string{}, map[string]string{}, map[string]string{}, map[string][]string{}}
	files := token.NewFileSet()
	err := filepath.WalkDir("../../internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		c.read(files, strings.TrimPrefix(filepath.ToSlash(path), "../../"), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.asked) < 20 || len(c.shown) < 5 {
		t.Fatalf("found only %d rights that are asked, and %d that are shown by", len(c.asked), len(c.shown))
	}
	return c
}

func (c code) read(files *token.FileSet, path string, file *ast.File) {
	into := func(found map[string]string, n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if text, ok := literal(n); ok && wholeRight.MatchString(text) && found[text] == "" {
				found[text] = files.Position(n.Pos()).String()
			}
			return true
		})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		text, isText := literal(n)
		switch {
		case isText && (path == rolesFile || path == scopesFile || path == wordsFile):
			c.named[path] = append(c.named[path], text)
		case isText && wholeRight.MatchString(text):
			c.written[text] = files.Position(n.Pos()).String()
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch method.Sel.Name {
		case "Authorize", "AuthorizeObject", "ReadOrNotFound", "Spaces":
			for _, arg := range call.Args {
				into(c.asked, arg)
			}
		case "May":
			for _, arg := range call.Args {
				into(c.shown, arg)
			}
			return false
		}
		return true
	})
}

func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// TestRightsAreAsked holds the rights that people read of to those that the code asks for, both ways: a right in a role, in
// a scope or in the words of the API that nothing asks for would protect nothing.
func TestRightsAreAsked(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reference/documents.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, nouns := map[string]string{}, map[string]bool{}
	for _, row := range rightRow.FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = row[3]
		nouns[strings.Split(row[1], ":")[0]] = true
	}
	if len(documented) < 20 {
		t.Fatalf("docs/reference/documents.md tells of %d rights", len(documented))
	}
	c := readCode(t)
	asked := maps.Clone(c.asked)
	for right, place := range c.written { // constants, and what a room's own helper passes on
		if nouns[strings.Split(right, ":")[0]] {
			asked[right] = place
		}
	}
	for right, place := range asked {
		if documented[right] == "" {
			t.Errorf("%s asks for %s, of which docs/reference/documents.md does not tell", place, right)
		}
	}
	for right, place := range c.shown {
		if asked[right] == "" {
			t.Errorf("%s offers something by %s, for which nothing asks", place, right)
		}
	}
	roles := c.named[rolesFile]
	for right, role := range documented {
		if asked[right] == "" {
			t.Errorf("docs/reference/documents.md tells of %s, for which nothing asks", right)
		}
		want := "admin"
		switch {
		case strings.HasSuffix(right, ":read"), right == "run:log":
			want = "reader"
		case slices.Contains(roles, right):
			want = "developer"
		}
		if role != want {
			t.Errorf("docs/reference/documents.md says that %s is of the role %s; it is of %s", right, role, want)
		}
	}
	for file, texts := range c.named {
		for _, text := range texts {
			for _, right := range anyRight.FindAllString(text, -1) {
				if asked[right] == "" {
					t.Errorf("%s names %s, for which nothing asks", file, right)
				}
			}
		}
	}
	for _, wild := range roles {
		if noun, verb, ok := strings.Cut(wild, ":"); ok && (noun == "*" || verb == "*") && !covered(asked, noun, verb) {
			t.Errorf("%s names %s, which covers nothing", rolesFile, wild)
		}
	}
}

func covered(asked map[string]string, noun, verb string) bool {
	for right := range asked {
		n, v, _ := strings.Cut(right, ":")
		if (noun == "*" || noun == n) && (verb == "*" || verb == v) {
			return true
		}
	}
	return false
}
