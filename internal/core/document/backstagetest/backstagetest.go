// Package backstagetest asks Backstage's own packages, and Ajv, which they validate with, what they make of what tests have.
// It runs the programs of test/backstage.
package backstagetest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// Verdict is what Backstage says of an entity, or what is compared with that.
type Verdict struct {
	Taken     bool        `json:"taken"`
	Why       string      `json:"why"`
	Relations [][3]string `json:"relations"` // from, type, to; both ways of each
}

// Judge gives Backstage's verdict on each entity.
func Judge(t testing.TB, entities []map[string]any) []Verdict {
	t.Helper()
	return Ask[Verdict](t, "check.cjs", entities)
}

// Ask gives a program each question on a line of JSON, and gives its answers, one to each.
func Ask[A, Q any](t testing.TB, program string, questions []Q) []A {
	t.Helper()
	command := Node(t)(program)
	var in, out bytes.Buffer
	for _, q := range questions {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	command.Stdin, command.Stdout, command.Stderr = &in, &out, os.Stderr
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	answers := make([]A, len(questions))
	decoder := json.NewDecoder(&out)
	for i := range answers {
		if err := decoder.Decode(&answers[i]); err != nil {
			t.Fatalf("answer %d of %s: %v", i, program, err)
		}
	}
	return answers
}

// Node gives what runs a program of test/backstage until the test ends. The test is skipped where Node or the packages of
// that folder are missing, and fails where CI is set.
func Node(t testing.TB) func(program string, args ...string) *exec.Cmd {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		lacktest.Skip(t, "no node: Backstage can't be asked")
	}
	folder := filepath.Join(lacktest.Root(t), "test", "backstage")
	for _, name := range []string{"@backstage/catalog-model", "@backstage/catalog-client", "ajv", "yaml"} {
		if _, err := os.Stat(filepath.Join(folder, "node_modules", name)); err != nil {
			lacktest.Skip(t, "no %s: `make backstage` installs it", name)
		}
	}
	return func(program string, args ...string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), node, append([]string{program}, args...)...)
		command.Dir = folder
		return command
	}
}

// Corpus gives the entities of folders of the corpus of real ones that stands beside the repository; see Files.
func Corpus(t testing.TB, folders ...string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, file := range Files(t, folders...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Entities(file, data)...)
	}
	return all
}

// Files gives the names of the YAML files in folders of the corpus. The test is skipped where there are none, and fails where CI
// is set.
func Files(t testing.TB, folders ...string) (all []string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(lacktest.Root(t), "..", "shared", "corpus", folder), func(file string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".yaml") && !strings.HasSuffix(file, ".yml") {
				return err
			}
			all = append(all, file)
			return nil
		})
		if err != nil {
			t.Logf("read the corpus: %v", err)
			all = nil
			break
		}
	}
	if len(all) == 0 {
		lacktest.Skip(t, "no corpus: ../shared/corpus is not beside the repository")
	}
	return all
}

// Entities gives those of a file, as JSON has them; none where it can't be read, since then neither side sees any.
func Entities(file string, data []byte) []map[string]any {
	documents, err := document.Parse(file, data, document.Limits{})
	if err != nil {
		return nil
	}
	var all []map[string]any
	for _, d := range documents {
		all = append(all, Copy(d.Value()))
	}
	return all
}

// Copy gives an entity that may be changed.
func Copy(entity map[string]any) map[string]any {
	text, err := json.Marshal(entity)
	if err != nil {
		panic(err)
	}
	var copied map[string]any
	if err := json.Unmarshal(text, &copied); err != nil {
		panic(err)
	}
	return copied
}
