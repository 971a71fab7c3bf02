package cli

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) repos() *cobra.Command {
	return group("repo", "Repositories, hosted here or at a forge", s.repoCreate(), s.repoImport(), s.repoMirror(), s.repoOffers(), s.repoConnect(), s.repoFetch(), s.repoDisconnect(), s.repoList(), s.repoGet(), s.repoClone(),
		s.repoSet(), s.repoRename(), s.repoTransfer(), s.repoArchive(true), s.repoArchive(false), s.repoDelete(), s.repoRestore(),
		s.repoFiles(), s.repoCat(), s.repoFind(), s.repoSearch(), s.repoBlame(), s.repoLog(), s.repoBranches(), s.repoBranch(), s.repoTags(), s.repoTag(),
		s.repoCompare(), s.repoDownload(), s.repoWrite(), s.repoUpload())
}

// repoPath gives the path in the API of a repository that is named in an argument.
func repoPath(name string) string {
	namespace, name, _ := strings.Cut(named(strings.TrimSuffix(name, ".git")), "/")
	return "/repositories/" + url.PathEscape(namespace) + "/" + url.PathEscape(name)
}

func (s *state) repoCreate() *cobra.Command {
	var space, description, branch string
	c := s.verb("create [NAMESPACE/]NAME", "Make an empty hosted repository", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		namespace, name, _ := strings.Cut(named(args[0]), "/")
		r, err := client.Post[client.Repository](c.Context(), api, "/repositories", map[string]string{
			"namespace": namespace, "name": name, "space": space, "description": description, "defaultBranch": branch,
		})
		if err != nil {
			return err
		}
		return s.show(c, r, func(w io.Writer) { fmt.Fprintln(w, r.CloneURL) })
	})
	c.Flags().StringVar(&space, "space", "", "`space` that it belongs to; the root space when not given")
	c.Flags().StringVar(&description, "description", "", "`text` that says what it is")
	c.Flags().StringVar(&branch, "default-branch", "", "`branch` that is shown and cloned; main when not given")
	return c
}

func (s *state) repoList() *cobra.Command {
	var space, namespace, text string
	var deleted bool
	c := listing(s, "list", "Repositories that you may read", cobra.NoArgs, whole, func([]string) (list[client.Repository], error) {
		query := url.Values{"space": {space}, "namespace": {namespace}, "text": {text}}
		l := list[client.Repository]{
			path: "/repositories", query: query, head: "REPOSITORY\tSPACE\tHEAD\tCLONE",
			row: func(r client.Repository) []any {
				return []any{r.Namespace + "/" + r.Name, r.Space, short(r.Head), r.CloneURL}
			},
			noun: "repositories", next: "make one with `roadbed repo create NAMESPACE/NAME`",
		}
		if deleted {
			query.Set("deleted", strconv.FormatBool(true))
			l.head = "REPOSITORY\tSPACE\tDELETED\tGONE FOR GOOD"
			l.row = func(r client.Repository) []any {
				row := []any{r.Namespace + "/" + r.Name, r.Space, "", ""}
				if r.Deleted != nil && r.Purge != nil {
					row[2], row[3] = ago(*r.Deleted), r.Purge.Local().Format("2006-01-02 15:04")
				}
				return row
			}
			l.noun, l.next = "deleted repositories", "what is deleted with `roadbed repo delete` is kept for some days"
		}
		return l, nil
	})
	c.Flags().StringVar(&space, "space", "", "only those of a `space`")
	c.Flags().StringVar(&namespace, "namespace", "", "only those of a `namespace`")
	c.Flags().StringVar(&text, "text", "", "only those with a `text` in their name or description")
	c.Flags().BoolVar(&deleted, "deleted", false, "those that were deleted and that you may restore")
	return c
}

func (s *state) repoGet() *cobra.Command {
	return s.verb("get [NAMESPACE/]NAME", "One repository with its settings", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Get[client.Repository](c.Context(), api, repoPath(args[0]), nil)
		if err != nil {
			return err
		}
		return s.showRepository(c, r)
	})
}

func (s *state) showRepository(c *cobra.Command, r client.Repository) error {
	return s.show(c, r, func(w io.Writer) {
		row := func(name string, value any) { fmt.Fprintf(w, "%s\t%s\n", name, cells([]any{value})) }
		row("Repository", r.Namespace+"/"+r.Name)
		row("Description", r.Description)
		row("Space", r.Space)
		row("Clone", r.CloneURL)
		head := r.DefaultBranch
		if r.Head != "" {
			head += " at " + short(r.Head)
		}
		row("Branch", head)
		row("Protected", r.Protected)
		row("Archived", r.Archived)
		row("Made", ago(r.Created))
		if r.Pushed != nil {
			row("Pushed", ago(*r.Pushed))
		}
		if r.Outside != nil {
			showOutside(w, *r.Outside)
		}
	})
}
