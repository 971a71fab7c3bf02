package cli

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) discoveries() *cobra.Command {
	return group("discovery", "Organizations of forges that come into the catalog", s.discoveryList(), s.discoveryShow(), s.discoveryFound(), s.discoveryLook(), s.discoveryPreview())
}

func (s *state) discoveryList() *cobra.Command {
	var space string
	c := listing(s, "list", "Organizations, and how they do", cobra.NoArgs, whole, func([]string) (list[client.Discovery], error) {
		query := url.Values{}
		if space != "" {
			query.Set("space", space)
		}
		return list[client.Discovery]{
			path: "/discoveries", query: query, head: "DISCOVERY\tORGANIZATION\tSTATE\tREGISTERED\tREPOSITORIES\tUSERS\tGROUPS\tLOOKED",
			row: func(d client.Discovery) []any {
				return []any{d.Namespace + "/" + d.Name, d.Organization, d.State, d.Found.Registered, d.Found.Repositories, d.Found.Users, d.Found.Groups, looked(d)}
			},
			noun: "discoveries", next: "declare one with `roadbed apply -f FILE`; docs/discovery.md has documents to begin with",
		}, nil
	})
	c.Flags().StringVar(&space, "space", "", "only those of this `space`")
	return c
}

func looked(d client.Discovery) string {
	switch {
	case d.Busy:
		return "now"
	case d.Looked == nil:
		return ""
	}
	return ago(*d.Looked)
}

func (s *state) discoveryShow() *cobra.Command {
	return s.verb("show [NAMESPACE/]NAME", "An organization, and how it does", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		d, err := client.Get[client.Discovery](c.Context(), api, "/discoveries/"+named(args[0]), nil)
		if err != nil {
			return err
		}
		return s.showDiscovery(c, d)
	})
}

func (s *state) discoveryFound() *cobra.Command {
	var of string
	c := listing(s, "repositories [NAMESPACE/]NAME", "Repositories that were found, and what became of them", cobra.ExactArgs(1), newest, func(args []string) (list[client.FoundRepository], error) {
		query := url.Values{}
		if of != "" {
			query.Set("state", of)
		}
		return list[client.FoundRepository]{
			path: "/discoveries/" + named(args[0]) + "/repositories", query: query, head: "NAME\tSTATE\tREPOSITORY\tWHY",
			row:  func(f client.FoundRepository) []any { return []any{f.Name, f.State, f.Repository, f.Reason} },
			noun: "repositories",
		}, nil
	})
	c.Flags().StringVar(&of, "state", "", "only those in this `state`: registered, without, excluded, pending, failed")
	return c
}

func (s *state) discoveryLook() *cobra.Command {
	c := s.verb("look [NAMESPACE/]NAME", "Look at an organization now", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		d, err := client.Post[client.Discovery](c.Context(), api, "/discoveries/"+named(args[0])+"/look", nil)
		if err != nil {
			return err
		}
		if err := s.showDiscovery(c, d); err != nil {
			return err
		}
		if !d.Busy && d.State != "healthy" {
			return fmt.Errorf("%s/%s is %s: %s", d.Namespace, d.Name, d.State, d.Reason)
		}
		return nil
	})
	c.Long = "Look at an organization now. Ends with 1 when it is not healthy; a look that takes longer than 20 seconds goes on by itself." + exitHelp
	c.Example = "  roadbed discovery look acme"
	return c
}

func (s *state) discoveryPreview() *cobra.Command {
	var file, space string
	c := s.verb("preview", "What a document of kind Discovery would find; nothing is written", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		if file == "" {
			return fault.Errorf(fault.Invalid, "there is nothing to look at; name the document's file with -f")
		}
		text, err := documentsUpTo(c, []string{file}, 64<<10)
		if err != nil {
			return err
		}
		p, err := client.Post[client.DiscoveryPreview](c.Context(), api, "/discoveries/preview", map[string]string{"document": text, "space": space})
		if err != nil {
			return err
		}
		return s.show(c, p, func(w io.Writer) {
			foundLines(w, p.Found)
			for _, f := range p.Repositories {
				fmt.Fprintf(w, "%s\t%s %s\n", f.Name, f.State, f.Reason)
			}
		})
	})
	c.Example = "  roadbed discovery preview -f acme.yaml"
	c.Flags().StringVarP(&file, "file", "f", "", "`file` of the document; - for standard input")
	c.Flags().StringVar(&space, "space", "", "`space` that it would be applied to; the root space when not given")
	return c
}

func foundLines(w io.Writer, n client.DiscoveryCounts) {
	fmt.Fprintf(w, "repositories\t%d\nregistered\t%d\nwithout a file\t%d\nexcluded\t%d\n", n.Repositories, n.Registered, n.Without, n.Excluded)
	for _, x := range []struct {
		what string
		n    int
	}{{"pending", n.Pending}, {"failed", n.Failed}, {"users", n.Users}, {"groups", n.Groups}, {"people not taken", n.Wrong}, {"held back", n.Held}} {
		if x.n > 0 {
			fmt.Fprintf(w, "%s\t%d\n", x.what, x.n)
		}
	}
}

func (s *state) showDiscovery(c *cobra.Command, d client.Discovery) error {
	return s.show(c, d, func(w io.Writer) {
		fmt.Fprintf(w, "discovery\t%s/%s\nspace\t%s\nintegration\t%s\norganization\t%s\nstate\t%s\n", d.Namespace, d.Name, d.Space, d.Integration, d.Organization, d.State)
		if d.Reason != "" {
			fmt.Fprintf(w, "reason\t%s\n", d.Reason)
		}
		foundLines(w, d.Found)
		fmt.Fprintf(w, "looked\t%s\n", looked(d))
	})
}
