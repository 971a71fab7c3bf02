package cli

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) modules() *cobra.Command {
	return group("module", "Terraform modules: versions, tests, and what they declare", s.moduleList(), s.moduleShow(), s.moduleVersions(), s.moduleYank(), s.moduleRestore(), s.moduleTest())
}

func (s *state) moduleList() *cobra.Command {
	var search string
	c := listing(s, "list", "Modules and their latest versions", cobra.NoArgs, whole, func([]string) (list[client.Module], error) {
		return list[client.Module]{
			path: "/modules", query: url.Values{"q": {search}}, head: "MODULE\tADDRESS\tLATEST\tNEWEST",
			row: func(m client.Module) []any {
				return []any{m.Namespace + "/" + m.Name, m.Address, m.Latest, newestOf(m)}
			},
			noun: "modules", next: "apply a document of the kind Module, and push a tag such as v1.0.0",
		}, nil
	})
	c.Flags().StringVar(&search, "search", "", "only what has this `text` in its address, title or description")
	return c
}

func newestOf(m client.Module) string {
	if m.Newest == "" {
		return ""
	}
	return m.Newest + " " + m.State
}

func (s *state) moduleShow() *cobra.Command {
	c := s.verb("show [NAMESPACE/]NAME [VERSION]", "A version of a module: tests, inputs and outputs", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		at := namedPath("modules", args[0])
		m, err := client.Get[client.Module](c.Context(), api, at, nil)
		if err != nil {
			return err
		}
		version := cmp.Or(m.Latest, m.Newest)
		if len(args) == 2 {
			version = strings.TrimPrefix(args[1], "v")
		}
		if version == "" {
			return s.show(c, m, func(w io.Writer) { writeModule(w, m) })
		}
		v, err := client.Get[client.ModuleVersionDetail](c.Context(), api, at+"/versions/"+url.PathEscape(version), nil)
		if err != nil {
			return err
		}
		return s.show(c, map[string]any{"module": m, "version": v}, func(w io.Writer) {
			writeModule(w, m)
			writeModuleVersion(w, v)
		})
	})
	c.Long = "Shows a version, the latest one when none is named: where it stands, its tests, and\nwhat a configuration gives it and gets of it." + exitHelp
	c.Example = "  roadbed module show network\n  roadbed module show network 1.2.0 -o json"
	return c
}

func writeModule(w io.Writer, m client.Module) {
	fmt.Fprintf(w, "module\t%s/%s\naddress\t%s\nrepository\t%s\nlatest\t%s\n", m.Namespace, m.Name, m.Address, m.Repository, dash(m.Latest))
	if len(m.ShareWith) > 0 {
		fmt.Fprintf(w, "shared\t%s\n", strings.Join(m.ShareWith, ", "))
	}
	if m.Error != "" {
		fmt.Fprintf(w, "error\t%s\n", m.Error)
	}
}

func writeModuleVersion(w io.Writer, v client.ModuleVersionDetail) {
	fmt.Fprintf(w, "version\t%s\t%s\t%s\n", v.Version, v.State, v.Message)
	if v.Yanked != nil {
		fmt.Fprintf(w, "yanked\t%s\n", v.Yanked.Reason)
	}
	if v.Moved != "" {
		fmt.Fprintf(w, "tag\t%s leads elsewhere by now: %s\n", v.Tag, v.Moved)
	}
	for _, t := range v.Tests {
		fmt.Fprintf(w, "test\t%s\t%s\t%s\n", t.Name, t.State, cells([]any{t.Reason}))
	}
	for _, i := range v.Content.Inputs {
		fmt.Fprintf(w, "input\t%s\t%s\t%s\n", i.Name, cells([]any{i.Type}), cells([]any{cmp.Or(i.Default, "required")}))
	}
	for _, o := range v.Content.Outputs {
		fmt.Fprintf(w, "output\t%s\t%s\n", o.Name, cells([]any{o.Description}))
	}
	for _, p := range v.Content.Providers {
		fmt.Fprintf(w, "provider\t%s\t%s\t%s\n", p.Name, dash(p.Source), dash(p.Version))
	}
	for _, text := range v.Warnings {
		fmt.Fprintf(w, "warning\t%s\n", cells([]any{text}))
	}
}

func (s *state) moduleVersions() *cobra.Command {
	return listing(s, "versions [NAMESPACE/]NAME", "Versions of a module, the newest first", cobra.ExactArgs(1), newest, func(args []string) (list[client.ModuleVersion], error) {
		return list[client.ModuleVersion]{
			path: namedPath("modules", args[0]) + "/versions", head: "VERSION\tSTATE\tTAG\tMADE\tNOTE",
			row: func(v client.ModuleVersion) []any {
				note := v.Message
				switch {
				case v.Yanked != nil:
					note = "yanked: " + v.Yanked.Reason
				case v.Moved != "":
					note = "its tag leads elsewhere by now"
				}
				return []any{v.Version, v.State, v.Tag, ago(v.Created), note}
			},
			noun: "versions", next: "push a tag such as v1.0.0",
		}, nil
	})
}

// moduleChange makes a verb that changes a version of a module.
func (s *state) moduleChange(use, short, verb string, body func() any) *cobra.Command {
	return s.verb(use+" [NAMESPACE/]NAME VERSION", short, cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		at := namedPath("modules", args[0]) + "/versions/" + url.PathEscape(strings.TrimPrefix(args[1], "v")) + "/" + verb
		v, err := client.Post[client.ModuleVersionDetail](c.Context(), api, at, body())
		if err != nil {
			return err
		}
		return s.show(c, v, func(w io.Writer) { writeModuleVersion(w, v) })
	})
}

func (s *state) moduleYank() *cobra.Command {
	var reason string
	c := s.moduleChange("yank", "Take a version back, so that engines are not offered it", "yank", func() any { return map[string]string{"reason": reason} })
	c.Flags().StringVar(&reason, "reason", "", "`why`; whoever uses the version reads it")
	_ = c.MarkFlagRequired("reason") // the flag is there
	c.Example = "  roadbed module yank network 1.2.0 --reason 'opens port 22 to everybody'"
	return c
}

func (s *state) moduleRestore() *cobra.Command {
	return s.moduleChange("restore", "Take a yank back", "restore", func() any { return nil })
}

func (s *state) moduleTest() *cobra.Command {
	return s.moduleChange("test", "Run the tests of a version that failed once more", "test", func() any { return nil })
}
