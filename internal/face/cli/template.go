package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// property is what this client reads of a field of a form.
type property struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Default any    `json:"default"`
}

type formSchema struct {
	Required   []string            `json:"required"`
	Properties map[string]property `json:"properties"`
}

func (s *state) newFrom() *cobra.Command {
	var given []string
	var wait, noAsk bool
	c := s.verb("new TEMPLATE", "Use a golden path; asks for what is missing", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path := "/templates/" + named(args[0])
		schema, err := client.Get[client.TemplateSchema](c.Context(), api, path+"/schema", nil)
		if err != nil {
			return err
		}
		values, err := fill(c, schema, given, !noAsk)
		if err != nil {
			return err
		}
		r, err := client.Post[client.RunDetail](c.Context(), api, path+"/runs", map[string]any{"values": values})
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Flags().StringArrayVarP(&given, "param", "p", nil, "a field's value: name=value")
	c.Flags().BoolVar(&wait, "wait", true, "wait until it has ended")
	c.Flags().BoolVar(&noAsk, "no-input", false, "fail instead of asking")
	return c
}

// fill takes values from the flags and asks at the terminal for required ones that are missing.
func fill(c *cobra.Command, schema client.TemplateSchema, given []string, ask bool) (map[string]any, error) {
	fields := map[string]property{}
	var required []string
	for _, page := range schema.Steps {
		var f formSchema
		if err := json.Unmarshal(page.Schema, &f); err != nil {
			return nil, fmt.Errorf("read the form: %w", err)
		}
		for name, p := range f.Properties {
			fields[name] = p
		}
		required = append(required, f.Required...)
	}
	values := map[string]any{}
	for _, pair := range given {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("--param %q is not name=value", pair)}
		}
		p, known := fields[name]
		if !known {
			return nil, fault.Errorf(fault.Invalid, "the form has no field %q; it has %s", name, strings.Join(sorted(fields), ", "))
		}
		values[name] = typed(p, text)
	}
	reader := bufio.NewReader(c.InOrStdin())
	for _, name := range required {
		if _, ok := values[name]; ok || fields[name].Default != nil {
			continue
		}
		if !ask || !isTerminal() {
			return nil, fault.Errorf(fault.Invalid, "the field %q is missing; give it with -p %s=…", name, name)
		}
		fmt.Fprintf(c.ErrOrStderr(), "%s: ", first(fields[name].Title, name))
		line, err := reader.ReadString('\n')
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "the field %q is missing", name)
		}
		values[name] = typed(fields[name], strings.TrimSpace(line))
	}
	return values, nil
}

func isTerminal() bool {
	info, err := os.Stdin.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
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
	switch p.Type {
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
		if p.Type == "array" {
			return strings.Split(text, ",")
		}
	}
	return text
}

func (s *state) templates() *cobra.Command {
	return group("template", "Golden paths", s.templateList(), s.templateLint())
}

func (s *state) templateList() *cobra.Command {
	return s.verb("list", "Golden paths that you may use", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		all, err := client.All[client.Entity](c.Context(), api, "/entities", map[string][]string{"kind": {"template"}})
		if err != nil {
			return err
		}
		return s.show(c, all, func(w io.Writer) {
			for _, t := range all {
				fmt.Fprintf(w, "%s/%s\t%s\t%s\n", t.Namespace, t.Name, t.Title, t.Description)
			}
		})
	})
}

func (s *state) templateLint() *cobra.Command {
	return s.verb("lint FILE", "Check a golden path before it is used", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		text, err := documents(c, args)
		if err != nil {
			return err
		}
		if err := api.Do(c.Context(), "POST", "/templates/lint", nil, map[string]string{"file": args[0], "document": text}, nil); err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), "ok")
		return nil
	})
}
