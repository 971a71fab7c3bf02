package server

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/face/api"
)

// operation is what a comment of the client says of the API: a method, and a path that may be on the next line.
var operation = regexp.MustCompile(`\b(GET|POST|PUT|DELETE)\s+(/[a-z{}/-]+)`)

// TestTheClientIsDescribed holds the public client to telling what each of its names is, and to naming only operations that
// there are.
func TestTheClientIsDescribed(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	const folder = "../../client"
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, folder+"/"+e.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	client, err := doc.NewFromFiles(files, parsed, "client")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"package": client.Doc}
	functions := client.Funcs
	for _, typ := range client.Types {
		texts[typ.Name] = typ.Doc
		functions = append(append(functions, typ.Funcs...), typ.Methods...)
		for _, c := range typ.Consts {
			texts[c.Names[0]] = c.Doc
		}
	}
	for _, f := range functions {
		texts[f.Recv+"."+f.Name] = f.Doc
	}
	paths := api.New(api.Rooms{Kinds: document.NewRegistry()}, api.Options{Now: time.Now}).OpenAPI().Paths
	told := map[string]bool{}
	for name, text := range texts {
		if text == "" {
			t.Errorf("%s is not described", name)
		}
		for _, m := range operation.FindAllStringSubmatch(text, -1) {
			item := paths["/api/v1"+m[2]]
			if item == nil || (m[1] == "GET" && item.Get == nil) || (m[1] == "POST" && item.Post == nil) || (m[1] == "PUT" && item.Put == nil) || (m[1] == "DELETE" && item.Delete == nil) {
				t.Errorf("%s names %s %s, which is no operation", name, m[1], m[2])
			}
			told[m[1]+" "+m[2]] = true
		}
	}
	if len(texts) < 60 || len(told) < 60 {
		t.Errorf("only %d names and %d operations were looked at", len(texts), len(told))
	}
}
