package workflow_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// outside are the words by which a linter refuses what is not in the slice; any other refusal of an upstream example
// that ends well there is a defect.
var outside = []string{
	"is not supported", "command is missing: steps are processes", "is not below /work or /tmp", "uses sprig", "is neither a Workflow nor",
	"there is no plugin", "artifacts.", "it is not optional", "is given twice",
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	dir := lacktest.Corpus(t, "argo-workflows")
	index, err := os.Open(filepath.Join(dir, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	reader := csv.NewReader(index)
	reader.Comma, reader.LazyQuotes, reader.FieldsPerRecord = '\t', true, -1
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	service := workflow.ForTest(nil)
	passed, refused := 0, map[string]int{}
	for _, row := range rows[1:] {
		file := row[0]
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		_, err = service.Lint(file, data)
		if err == nil {
			passed++
			continue
		}
		if !fault.Is(err, fault.Invalid) || len(fault.Details(err)) == 0 {
			t.Errorf("%s: %v is not an error with details", file, err)
		}
		for _, d := range fault.Details(err) {
			if d.File != file || d.Line == 0 {
				t.Errorf("%s: %q points nowhere", file, d.String())
			}
			expected := slices.ContainsFunc(outside, func(words string) bool { return strings.Contains(d.Message, words) })
			if !expected {
				t.Errorf("%s: refused for what is in the slice: %s", file, d)
			}
			refused[d.Message]++
		}
	}
	t.Logf("%d of %d files pass; reasons for the rest: %v", passed, len(rows)-1, refused)
	if passed < 45 {
		t.Errorf("only %d files pass", passed)
	}
}
