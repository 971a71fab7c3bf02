package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// property is a field of a form, as its schema has it.
type property map[string]any

func (p property) text(key string) string {
	text, _ := p[key].(string)
	return text
}

// hint gives what a field says to the form, in either of the ways that rjsf knows.
func (p property) hint(name string) any {
	if value, ok := p["ui:"+name]; ok {
		return value
	}
	options, _ := p["ui:options"].(map[string]any)
	return options[name]
}

func (p property) secret() bool {
	widget := p.hint("widget")
	return p.hint("field") == "Secret" || widget == "password" || widget == "secret" || p["format"] == "password" || p["writeOnly"] == true
}

type formSchema struct {
	required   []string
	properties map[string]property
}

// readSchema takes of a schema what it understands; real templates have slips that Backstage doesn't mind.
func readSchema(data []byte) (formSchema, error) {
	s := formSchema{properties: map[string]property{}}
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		return s, fmt.Errorf("read the form: %w", err)
	}
	names, _ := raw["required"].([]any)
	for _, name := range names {
		if name, ok := name.(string); ok {
			s.required = append(s.required, name)
		}
	}
	properties, _ := raw["properties"].(map[string]any)
	for name, p := range properties {
		p, _ := p.(map[string]any)
		s.properties[name] = p
	}
	return s, nil
}

// formFlags are the ways to fill in a form without being asked.
type formFlags struct {
	given   []string // name=value
	secrets []string // name=file:PATH or name=env:VARIABLE
	file    string   // of values
	noAsk   bool
}

func (f *formFlags) bind(c *cobra.Command) {
	c.Flags().StringArrayVarP(&f.given, "param", "p", nil, "a field's value: `name=value`; may be given several times")
	c.Flags().StringArrayVar(&f.secrets, "secret", nil, "where a secret is read: `name=source`, with file:PATH or env:VARIABLE as the source")
	c.Flags().StringVar(&f.file, "values", "", "YAML `file` with the values of fields; - for standard input")
	c.Flags().BoolVar(&f.noAsk, "no-input", false, "fail instead of asking for what is missing")
}

// filled is a form as the server takes it.
type filled struct {
	Values  map[string]any `json:"values"`
	Secrets map[string]any `json:"secrets,omitempty"`
}

// asking is a form on its way.
type asking struct {
	filled
	fields   map[string]property // of the form
	required []string
	secrets  formSchema // that are no fields of the form
}

// fill takes values from the flags, and asks at the terminal for the required ones that are missing and for secrets.
func (f formFlags) fill(c *cobra.Command, schema client.TemplateSchema) (filled, error) {
	a := asking{filled: filled{Values: map[string]any{}, Secrets: map[string]any{}}, fields: map[string]property{}}
	for _, page := range schema.Steps {
		form, err := readSchema(page.Schema)
		if err != nil {
			return a.filled, err
		}
		maps.Copy(a.fields, form.properties)
		a.required = append(a.required, form.required...)
	}
	if len(schema.Secrets) > 0 {
		var err error
		if a.secrets, err = readSchema(schema.Secrets); err != nil {
			return a.filled, err
		}
	}
	if f.file != "" {
		text, err := documents(c, []string{f.file})
		if err != nil {
			return a.filled, err
		}
		if err := yaml.Unmarshal([]byte(text), &a.Values); err != nil {
			return a.filled, fault.Errorf(fault.Invalid, "%s has no values by their names: %w", f.file, err)
		}
	}
	for _, pair := range f.given {
		if err := a.give(pair); err != nil {
			return a.filled, err
		}
	}
	for _, pair := range f.secrets {
		if err := a.giveSecret(pair); err != nil {
			return a.filled, err
		}
	}
	return a.filled, a.ask(c, !f.noAsk && isTerminal())
}

func (a *asking) give(pair string) error {
	name, text, ok := strings.Cut(pair, "=")
	if !ok {
		return Usage(fmt.Errorf("--param %q is not name=value", pair))
	}
	p, known := a.fields[name]
	if !known {
		return fault.Errorf(fault.Invalid, "the form has no field %q; it has %s", name, strings.Join(sorted(a.fields), ", "))
	}
	if p.secret() { // others see command lines, and shells remember them
		return Usage(fmt.Errorf("the field %q is secret, so its value is not given with --param: write --secret %s=file:PATH or --secret %s=env:VARIABLE, or be asked for it", name, name, name))
	}
	a.Values[name] = typed(p, text)
	return nil
}

func (a *asking) giveSecret(pair string) error {
	name, source, ok := strings.Cut(pair, "=")
	kind, where, named := strings.Cut(source, ":")
	var value string
	switch {
	case !ok || !named:
		return Usage(fmt.Errorf("--secret %s… is not name=file:PATH or name=env:VARIABLE", name)) // it may hold the secret itself
	case kind == "file":
		data, err := os.ReadFile(where)
		if err != nil {
			return fault.Errorf(fault.Invalid, "read the secret %q: %w", name, err)
		}
		value = strings.TrimSuffix(string(data), "\n")
	case kind == "env":
		if value, ok = os.LookupEnv(where); !ok {
			return fault.Errorf(fault.Invalid, "the secret %q is to be in the variable %s, which is not set", name, where)
		}
	default:
		return Usage(fmt.Errorf("--secret %s=… is read from file:PATH or env:VARIABLE", name))
	}
	if p, known := a.fields[name]; known {
		a.Values[name] = typed(p, value)
	} else { // the server knows which secrets it takes
		a.Secrets[name] = value
	}
	return nil
}

// ask asks for what is required and missing, and for the form's secrets; those that are not required may stay empty.
func (a *asking) ask(c *cobra.Command, ask bool) error {
	who := asked(c)
	missing := func(name, flag string) error {
		return fault.Errorf(fault.Invalid, "the field %q is missing; give it with %s", name, flag)
	}
	line := func(name string, p property) (string, error) {
		return who.say(first(p.text("title"), name), p.secret())
	}
	for _, name := range append(slices.Clone(a.required), sorted(a.fields)...) {
		p := a.fields[name]
		required := slices.Contains(a.required, name)
		if _, ok := a.Values[name]; ok || p["default"] != nil || !required && !(ask && p.secret()) {
			continue
		}
		flag := fmt.Sprintf("-p %s=…", name)
		if p.secret() {
			flag = fmt.Sprintf("--secret %s=file:PATH", name)
		}
		if !ask {
			return missing(name, flag)
		}
		text, err := line(name, p)
		switch {
		case c.Context().Err() != nil:
			return err
		case err != nil || text == "" && required && p.secret():
			return missing(name, flag)
		case text != "" || required:
			a.Values[name] = typed(p, text)
		}
	}
	for _, name := range a.secrets.required {
		if _, ok := a.Secrets[name]; ok || a.fields[name].hint("field") == "Secret" && a.Values[name] != nil { // that fills it
			continue
		}
		flag := fmt.Sprintf("--secret %s=file:PATH", name)
		if !ask {
			return missing(name, flag)
		}
		text, err := line(name, property{"title": a.secrets.properties[name].text("title"), "writeOnly": true})
		if c.Context().Err() != nil {
			return err
		}
		if err != nil || text == "" {
			return missing(name, flag)
		}
		a.Secrets[name] = text
	}
	return nil
}

func sorted(fields map[string]property) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// typed reads a text as the form wants it; what does not fit is left for the server to refuse with its place.
func typed(p property, text string) any {
	switch p.text("type") {
	case "integer", "number":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	case "boolean":
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case "array", "object":
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			return v
		}
		if p.text("type") == "array" {
			return strings.Split(text, ",")
		}
	}
	return text
}
