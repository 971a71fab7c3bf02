package backstage_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// description is Backstage's own OpenAPI document of the catalog, where it is at hand; without it nothing is refused.
type description struct {
	paths    map[string]any
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema
}

func readDescription(t testing.TB) *description {
	t.Helper()
	const file = "../../../../../shared/reference/backstage-catalog.openapi.json"
	text, err := os.Open(file)
	if err != nil {
		lacktest.Log(t, "no %s: answers are not held to Backstage's OpenAPI document", file)
		return nil
	}
	defer text.Close()
	value, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	d := &description{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft7)
	if err := d.compiler.AddResource("catalog.json", value); err != nil {
		t.Fatal(err)
	}
	document, _ := value.(map[string]any)
	d.paths, _ = document["paths"].(map[string]any)
	if len(d.paths) < 10 {
		t.Fatalf("only %d paths in %s", len(d.paths), file)
	}
	return d
}

// refuses tells why an answer is not as it is described; "" when it is, or when nothing is said of it.
func (d *description) refuses(do string, a answer) string {
	if d == nil || a.text == "" {
		return ""
	}
	if strings.Contains(a.text, `"generateEntities":[{`) {
		return "" // the document has no name in a suggested entity; its own back end sends one
	}
	method, path, _ := strings.Cut(do, " ")
	path, _, _ = strings.Cut("/api/catalog"+path, "?")
	for template, operations := range d.paths {
		if !fits(template, path) {
			continue
		}
		operation, ok := operations.(map[string]any)[strings.ToLower(method)].(map[string]any)
		if !ok {
			continue
		}
		responses, _ := operation["responses"].(map[string]any)
		status := fmt.Sprint(a.status)
		if responses[status] == nil {
			status = "default"
		}
		escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
		pointer := "/paths/" + escape.Replace(template) + "/" + strings.ToLower(method) + "/responses/" + status
		response, _ := responses[status].(map[string]any)
		if strings.HasPrefix(a.text, `{"error":`) {
			pointer = "/components/responses/ErrorResponse" // of a validation, too, when the request itself is wrong
		} else if ref, ok := response["$ref"].(string); ok {
			pointer = strings.TrimPrefix(ref, "#")
		} else if response["content"] == nil {
			return ""
		}
		return d.holds(pointer+"/content/application~1json/schema", a)
	}
	return ""
}

func fits(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != have[i] && (!strings.HasPrefix(want[i], "{") || strings.HasPrefix(have[i], "by-")) {
			return false
		}
	}
	return true
}

func (d *description) holds(pointer string, a answer) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	schema := d.schemas[pointer]
	if schema == nil {
		var err error
		if schema, err = d.compiler.Compile("catalog.json#" + pointer); err != nil {
			return err.Error()
		}
		d.schemas[pointer] = schema
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(a.text))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
