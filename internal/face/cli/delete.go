package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (s *state) remove() *cobra.Command {
	var files []string
	var ignoreMissing, dryRun bool
	c := s.verb("delete {KIND NAME | REF… | -f FILE}", "Delete entities that were applied by hand, or all that files declare", cobra.ArbitraryArgs, func(c *cobra.Command, api *client.Client, args []string) error {
		refs, err := toDelete(c, files, args)
		if err != nil {
			return err
		}
		// What is missing is found before anything is deleted.
		done := make([]client.Applied, len(refs))
		for i, r := range refs {
			done[i] = client.Applied{Ref: r.String(), Action: "deleted"}
			_, err := client.Get[client.Entity](c.Context(), api, refPath(r), nil)
			switch {
			case err == nil:
			case ignoreMissing && fault.KindOf(err) == fault.NotFound:
				done[i].Action = "missing"
			default:
				return err
			}
		}
		for i, r := range refs {
			if dryRun || done[i].Action == "missing" {
				continue
			}
			err := api.Do(c.Context(), http.MethodDelete, refPath(r), nil, nil, nil)
			switch {
			case err == nil:
			case ignoreMissing && fault.KindOf(err) == fault.NotFound: // it went with one before it
				done[i].Action = "missing"
			case i > 0:
				_ = s.showApplied(c, done[:i], false) // the error is what matters
				return fault.Wrap(err, "%s and what was to follow it is not deleted", r)
			default:
				return err
			}
		}
		return s.showApplied(c, done, false)
	})
	c.Example = `  roadbed delete component shop
  roadbed delete component:payments/shop api:payments/orders
  roadbed delete -f team.yaml --dry-run
  roadbed delete -f team.yaml --ignore-missing`
	c.Flags().StringSliceVarP(&files, "file", "f", nil, "`file` of documents (YAML or JSON), the last one is deleted first; - for standard input")
	c.Flags().BoolVar(&ignoreMissing, "ignore-missing", false, "what does not exist is no error")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be deleted")
	return c
}

// toDelete gives what the arguments name, or what the documents of files declare, the last one first: later documents
// build on earlier ones.
func toDelete(c *cobra.Command, files, args []string) ([]ref.Entity, error) {
	switch {
	case len(files) == 0 && len(args) == 0:
		return nil, Usage(errors.New("name what to delete, as KIND NAME or as references, or files that declare it, with -f FILE"))
	case len(files) > 0 && len(args) > 0:
		return nil, Usage(errors.New("name what to delete or give -f FILE, and not both"))
	case len(files) == 0:
		return entitiesNamed(args)
	}
	text, err := documents(c, files)
	if err != nil {
		return nil, err
	}
	var refs []ref.Entity
	for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
		var d *struct {
			Kind     string `yaml:"kind"`
			Metadata struct {
				Name      string `yaml:"name"`
				Namespace string `yaml:"namespace"`
			} `yaml:"metadata"`
		}
		err := decoder.Decode(&d)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "read documents: %w", err)
		}
		if d == nil { // nothing but comments
			continue
		}
		r := ref.New(d.Kind, first(d.Metadata.Namespace, ref.DefaultNamespace), d.Metadata.Name)
		if r, err = ref.Parse(r.String(), "", ""); err != nil {
			return nil, fault.Errorf(fault.Invalid, "document %d has no kind and metadata.name that name an entity: kind %q, name %q", len(refs)+1, d.Kind, d.Metadata.Name)
		}
		if !slices.Contains(refs, r) {
			refs = append(refs, r)
		}
	}
	if len(refs) == 0 {
		return nil, fault.Errorf(fault.Invalid, "there is no document in %s", strings.Join(files, ", "))
	}
	slices.Reverse(refs)
	return refs, nil
}

// entitiesNamed reads KIND NAME, or references of which each names its kind when there are several.
func entitiesNamed(args []string) ([]ref.Entity, error) {
	if len(args) == 1 || len(args) == 2 && !strings.Contains(args[0], ":") {
		r, err := parseEntity(args)
		return []ref.Entity{r}, err
	}
	var refs []ref.Entity
	for _, text := range args {
		if !strings.Contains(text, ":") {
			return nil, Usage(fmt.Errorf("%q names no kind; write several as references, such as component:%s", text, text))
		}
		r, err := parseEntity([]string{text})
		if err != nil {
			return nil, err
		}
		if !slices.Contains(refs, r) {
			refs = append(refs, r)
		}
	}
	return refs, nil
}

// showApplied tells what became of each document, and how where that is wanted.
func (s *state) showApplied(c *cobra.Command, all []client.Applied, diff bool) error {
	return s.show(c, all, func(w io.Writer) {
		for _, a := range all {
			fmt.Fprintf(w, "%s\t%s\n", a.Action, a.Ref)
			if a.Diff != "" && diff {
				fmt.Fprintln(w, a.Diff)
			}
		}
	})
}
