package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// entityPath gives the path of KIND NAME or of one reference.
func entityPath(args []string) (string, error) {
	text := strings.Join(args, ":")
	if len(args) == 1 && !strings.Contains(text, ":") {
		text = "component:" + text
	}
	r, err := ref.Parse(text, "component", ref.DefaultNamespace)
	if err != nil {
		return "", err
	}
	return "/entities/" + url.PathEscape(r.Kind) + "/" + url.PathEscape(r.Namespace) + "/" + url.PathEscape(r.Name), nil
}

func (s *state) get() *cobra.Command {
	var owner, space, text string
	c := s.verb("get KIND [NAME]", "Entities of a kind, or one of them", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		if len(args) == 2 {
			return s.showEntity(c, api, args)
		}
		all, err := client.All[client.Entity](c.Context(), api, "/entities", url.Values{"kind": {args[0]}, "owner": {owner}, "space": {space}, "text": {text}})
		if err != nil {
			return err
		}
		if len(all) == 0 {
			if err := knownKind(c, api, args[0]); err != nil {
				return err
			}
		}
		return s.show(c, all, func(w io.Writer) {
			fmt.Fprintln(w, "REF\tTYPE\tOWNER\tSPACE\tUPDATED")
			for _, e := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Ref, dash(e.Type), dash(e.Owner), e.Space, ago(e.Updated))
			}
		})
	})
	c.Flags().StringVar(&owner, "owner", "", "only those of an owner, such as group:default/payments")
	c.Flags().StringVar(&space, "space", "", "only those of a space")
	c.Flags().StringVar(&text, "text", "", "only those with this text in name, title, description or tags")
	return c
}

func (s *state) showEntity(c *cobra.Command, api *client.Client, args []string) error {
	e, err := getEntity(c, api, args)
	if err != nil {
		return err
	}
	return s.show(c, e, func(w io.Writer) {
		fmt.Fprintf(w, "ref\t%s\ntitle\t%s\nowner\t%s\nspace\t%s\nsource\t%s\nversion\t%d, %s\n", e.Ref, dash(e.Title), dash(e.Owner), e.Space, e.Source, e.Version, ago(e.Updated))
		if e.Error != "" {
			fmt.Fprintf(w, "error\t%s\n", e.Error)
		}
		for _, r := range e.Relations {
			fmt.Fprintf(w, "%s\t%s\n", r.Type, r.Target)
		}
	})
}

func (s *state) describe() *cobra.Command {
	return s.verb("describe KIND NAME", "One entity with its document and its status", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		e, err := getEntity(c, api, args)
		if err != nil {
			return err
		}
		return s.show(c, e, func(w io.Writer) {
			var document any
			if json.Unmarshal(e.Document, &document) == nil {
				_ = yaml.NewEncoder(w).Encode(document) // the terminal is gone when this can't be written
			}
			for _, r := range e.Relations {
				fmt.Fprintf(w, "# %s\t%s\n", r.Type, r.Target)
			}
			if len(e.Status) > 0 {
				fmt.Fprintf(w, "# status\t%s\n", e.Status)
			}
		})
	})
}

func (s *state) remove() *cobra.Command {
	return s.verb("delete KIND NAME", "Delete an entity that was applied by hand", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := entityPath(args)
		if err != nil {
			return err
		}
		if err := api.Do(c.Context(), http.MethodDelete, path, nil, nil, nil); err != nil {
			return err
		}
		fmt.Fprintln(c.ErrOrStderr(), "deleted", strings.Join(args, " "))
		return nil
	})
}

func (s *state) history() *cobra.Command {
	return s.verb("history [KIND] NAME", "What happened to an entity, from the ledger", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		text := strings.Join(args, ":")
		r, err := ref.Parse(text, "component", ref.DefaultNamespace)
		if err != nil {
			return err
		}
		entries, err := client.Get[client.List[client.Entry]](c.Context(), api, "/ledger", url.Values{"ref": {r.String()}, "limit": {"200"}})
		if err != nil {
			return err
		}
		return s.showEntries(c, entries.Items)
	})
}

func (s *state) ledger() *cobra.Command {
	var kind, actor string
	c := s.verb("ledger", "What changed, the newest first", cobra.NoArgs, func(c *cobra.Command, api *client.Client, _ []string) error {
		entries, err := client.Get[client.List[client.Entry]](c.Context(), api, "/ledger", url.Values{"type": {kind}, "actor": {actor}, "limit": {"100"}})
		if err != nil {
			return err
		}
		return s.showEntries(c, entries.Items)
	})
	c.Flags().StringVar(&kind, "type", "", "only these types, with commas; run. for all that begin with it")
	c.Flags().StringVar(&actor, "actor", "", "only of this principal (its id)")
	return c
}

func (s *state) showEntries(c *cobra.Command, entries []client.Entry) error {
	return s.show(c, entries, func(w io.Writer) {
		fmt.Fprintln(w, "POSITION\tWHEN\tWHO\tWHAT\tSUBJECT\tDATA")
		for _, e := range entries {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%.80s\n", e.Position, ago(e.Time), e.Actor.Name, e.Type, e.Subject, e.Data)
		}
	})
}
