package githubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// Description is where GitHub's description of its API lies, from the project's root; `make forges` brings it.
const Description = "test/forge/node_modules/@octokit/openapi/generated/api.github.com.json"

// checker holds messages to GitHub's description. A nil one holds nothing.
type checker struct {
	t        testing.TB
	document obj
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema
	checked int
}

// newChecker reads the description; where it is not there, the test says so, and fails in CI.
func newChecker(t testing.TB) *checker {
	t.Helper()
	root, err := filepath.Abs(".")
	for err == nil && root != "/" {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Dir(root)
	}
	text, err := os.ReadFile(filepath.Join(root, Description))
	if err != nil {
		lacktest.Log(t, "GitHub's description of its API is not there, so that the fake is not held to it: run `make forges` to have that checked: %v", err)
		return nil
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{t: t, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.document, _ = nullable(document).(obj)
	c.mend()
	c.compiler.DefaultDraft(jsonschema.Draft7)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("github.json", c.document); err != nil {
		t.Fatal(err)
	}
	return c
}

// mend puts right what the description says in two ways: where it lists an app's installations it has them in full, with an
// account that is a person and an enterprise at once; its own schema of an installation has one or the other.
func (c *checker) mend() {
	list, _ := c.at("paths", "/app/installations", "get", "responses", "200", "content", "application/json", "schema")
	if schema, ok := list.(obj); ok {
		schema["items"] = obj{"$ref": "#/components/schemas/installation"}
	}
}

// nullable writes OpenAPI's nullable in JSON schema's words.
func nullable(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = nullable(v[i])
		}
	case obj:
		for k := range v {
			v[k] = nullable(v[k])
		}
		if v["format"] == "uri-template" {
			delete(v, "format") // the library knows none like {/sha}
		}
		if v["nullable"] == true {
			delete(v, "nullable")
			return obj{"anyOf": []any{obj{"type": "null"}, v}}
		}
	}
	return v
}

func (c *checker) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.checked
}

// at gives what lies at a place of the document, references followed, and that place.
func (c *checker) at(place ...string) (any, string) {
	var v any = c.document
	for i, p := range place {
		o, _ := v.(obj)
		v = o[p]
		if m, ok := v.(obj); ok {
			if ref, ok := m["$ref"].(string); ok {
				rest := append(strings.Split(strings.TrimPrefix(ref, "#/"), "/"), place[i+1:]...)
				return c.at(rest...)
			}
		}
	}
	var pointer strings.Builder
	for _, p := range place {
		pointer.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return v, pointer.String()
}

// hold checks a text by the schema at a place.
func (c *checker) hold(what string, text []byte, place string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked++
	s := c.schemas[place]
	if s == nil {
		var err error
		if s, err = c.compiler.Compile("github.json#" + (&url.URL{Path: place}).EscapedPath()); err != nil {
			c.t.Errorf("%s: %v", what, err)
			return
		}
		c.schemas[place] = s
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		c.t.Errorf("%s is not as GitHub describes it: %v\n%.2000s", what, err, text)
	}
}

func described(method, template string) []string {
	return []string{"paths", template, strings.ToLower(method)}
}

// request checks the parameters and the body of a request.
func (c *checker) request(method, template string, query url.Values, body []byte) {
	if c == nil {
		return
	}
	what := "the request " + method + " " + template
	op := described(method, template)
	is, _ := c.at(op...)
	if is == nil {
		c.t.Errorf("%s is not in GitHub's description", what)
		return
	}
	list, _ := is.(obj)["parameters"].([]any)
	var names []string
	for _, p := range list {
		o, _ := p.(obj)
		if ref, ok := o["$ref"].(string); ok {
			v, _ := c.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			o, _ = v.(obj)
		}
		if o["in"] == "query" {
			names = append(names, fmt.Sprint(o["name"]))
		}
	}
	for name := range query {
		if !slices.Contains(names, name) {
			c.t.Errorf("%s has the parameter %q, which GitHub does not describe: %v", what, name, names)
		}
	}
	place := append(op, "requestBody", "content", "application/json", "schema")
	schema, pointer := c.at(place...)
	if schema == nil || len(body) == 0 {
		if len(body) > 0 {
			c.t.Errorf("%s has a body, which GitHub does not describe", what)
		}
		return
	}
	c.hold(what, body, pointer)
	var sent map[string]json.RawMessage
	if known, ok := schema.(obj)["properties"].(obj); ok && json.Unmarshal(body, &sent) == nil {
		for name := range sent {
			if known[name] == nil {
				c.t.Errorf("%s has the field %q, which GitHub does not describe", what, name)
			}
		}
	}
}

// answer checks the status and the body of an answer.
func (c *checker) answer(method, template string, status int, form string, body []byte, accepts string) {
	if c == nil || status == 401 || status == 403 || status == 404 { // which each may give
		return
	}
	what := fmt.Sprintf("the answer %d to %s %s", status, method, template)
	op := append(described(method, template), "responses", fmt.Sprint(status))
	is, _ := c.at(op...)
	if is == nil {
		if !slices.Contains(undescribed(), fmt.Sprint(method, " ", template, " ", status)) {
			c.t.Errorf("%s is not in GitHub's description", what)
		}
		return
	}
	if !strings.HasPrefix(form, "application/json") {
		return // a text, or nothing
	}
	content := "application/json"
	if strings.HasPrefix(accepts, "application/vnd.github.object") {
		if v, _ := c.at(append(op, "content", "application/vnd.github.object")...); v != nil {
			content = "application/vnd.github.object"
		}
	}
	schema, pointer := c.at(append(op, "content", content, "schema")...)
	if schema == nil {
		c.t.Errorf("%s has a body, which GitHub does not describe", what)
		return
	}
	c.hold(what, body, pointer)
}

// undescribed names answers that GitHub gives and does not describe.
func undescribed() []string {
	return []string{
		"GET /repos/{owner}/{repo}/commits/{ref}/check-runs 422", "POST /repos/{owner}/{repo}/check-runs 422",
		"POST /repos/{owner}/{repo}/statuses/{sha} 422", "GET /repos/{owner}/{repo}/commits/{ref}/status 422",
	}
}

// webhook checks what is sent.
func (c *checker) webhook(event, action string, body []byte) {
	if c == nil {
		return
	}
	name := strings.ReplaceAll(event, "_", "-")
	if action != "" {
		name += "-" + strings.ReplaceAll(action, "_", "-")
	}
	schema, pointer := c.at("x-webhooks", name, "post", "requestBody", "content", "application/json", "schema")
	if schema == nil {
		c.t.Errorf("GitHub describes no webhook %s", name)
		return
	}
	c.hold("the webhook "+name, body, pointer)
}
