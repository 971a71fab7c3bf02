package cli

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) newFrom() *cobra.Command {
	var f formFlags
	var wait bool
	c := s.verb("new [NAMESPACE/]TEMPLATE", "Use a golden path; asks for what is missing", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		path := "/templates/" + named(args[0])
		schema, err := client.Get[client.TemplateSchema](c.Context(), api, path+"/schema", nil)
		if err != nil {
			return err
		}
		filled, err := f.fill(c, schema)
		if err != nil {
			return err
		}
		r, err := client.Post[client.RunDetail](c.Context(), api, path+"/runs", filled)
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	f.bind(c)
	c.Long = "Uses a golden path, and asks for what is missing of its form." + waitHelp
	c.Example = `  roadbed new go-service
  roadbed new go-service -p name=shop -p owner=group:default/payments
  roadbed new go-service --values shop.yaml --secret token=file:token.txt`
	c.Flags().BoolVar(&wait, "wait", true, "wait until it has ended; --wait=false returns at once")
	return c
}

func (s *state) templates() *cobra.Command {
	return group("template", "Golden paths", s.templateList(), s.templateLint(), s.templatePreview())
}

func (s *state) templateList() *cobra.Command {
	return listing(s, "list", "Golden paths that you may use", cobra.NoArgs, whole, func([]string) (list[client.Entity], error) {
		return list[client.Entity]{
			path: "/entities", query: url.Values{"kind": {"template"}}, head: "TEMPLATE\tTITLE\tDESCRIPTION",
			row:  func(t client.Entity) []any { return []any{t.Namespace + "/" + t.Name, t.Title, t.Description} },
			noun: "golden paths", next: "an administrator declares them with `roadbed apply -f FILE`, or from a repository with `roadbed location add`",
		}, nil
	})
}

func (s *state) templateLint() *cobra.Command {
	return s.lint("/templates/lint", "Check a golden path before it is used")
}

func (s *state) templatePreview() *cobra.Command {
	var f formFlags
	var out string
	c := s.verb("preview [NAMESPACE/]TEMPLATE [PATH]", "The files that a golden path would make, without making anything", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		path := "/templates/" + named(args[0])
		schema, err := client.Get[client.TemplateSchema](c.Context(), api, path+"/schema", nil)
		if err != nil {
			return err
		}
		filled, err := f.fill(c, schema)
		if err != nil {
			return err
		}
		made, err := client.Post[client.List[client.PreviewFile]](c.Context(), api, path+"/preview", filled)
		if err != nil {
			return err
		}
		files := made.Items
		if len(args) == 2 {
			i := slices.IndexFunc(files, func(p client.PreviewFile) bool { return p.Path == args[1] })
			if i < 0 {
				return fault.Errorf(fault.NotFound, "it would make no %q; without PATH its files are listed", args[1])
			}
			files = files[i : i+1]
		}
		switch {
		case out != "":
			return writeFiles(c, out, files)
		case len(args) == 2 && s.output == "table":
			_, err := io.WriteString(c.OutOrStdout(), files[0].Text)
			return err
		}
		return s.show(c, files, func(w io.Writer) {
			fmt.Fprintln(w, "PATH\tLINES")
			for _, p := range files {
				fmt.Fprintln(w, cells([]any{p.Path, strings.Count(p.Text, "\n")}))
			}
		})
	})
	c.Example = `  roadbed template preview go-service -p name=shop -p owner=group:default/crew
  roadbed template preview go-service --values shop.yaml README.md
  roadbed template preview go-service --values shop.yaml --out ./preview`
	f.bind(c)
	c.Flags().StringVar(&out, "out", "", "new `folder` to write the files to")
	return c
}

// writeFiles puts files into a folder that is not there yet.
func writeFiles(c *cobra.Command, folder string, files []client.PreviewFile) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return fault.Errorf(fault.Invalid, "make the folder: %w", err)
	}
	root, err := os.OpenRoot(folder) // whatever their paths say, they stay in it
	if err != nil {
		return fault.Errorf(fault.Invalid, "open the folder: %w", err)
	}
	defer root.Close()
	for _, p := range files {
		if p.Text == "(binary)" { // a preview tells no more of it
			fmt.Fprintf(c.ErrOrStderr(), "%s is binary, and left out\n", p.Path)
			continue
		}
		name := filepath.FromSlash(p.Path)
		if err = root.MkdirAll(filepath.Dir(name), 0o755); err == nil {
			err = root.WriteFile(name, []byte(p.Text), 0o644)
		}
		if err != nil {
			return fault.Errorf(fault.Invalid, "write the files: %w", err)
		}
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), "wrote the files to", folder)
	return err
}
