package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// offersPath gives the path in the API of what an integration can connect.
func offersPath(integration string) string {
	namespace, name, _ := strings.Cut(named(integration), "/")
	return "/integrations/" + url.PathEscape(namespace) + "/" + url.PathEscape(name) + "/repositories"
}

func (s *state) repoOffers() *cobra.Command {
	var owner string
	c := listing(s, "offers INTEGRATION", "Repositories of a forge that can be connected", cobra.ExactArgs(1), whole, func(args []string) (list[client.Offer], error) {
		return list[client.Offer]{
			path: offersPath(args[0]), query: url.Values{"owner": {owner}}, head: "AT THE FORGE\tPRIVATE\tARCHIVED\tCHANGED\tCONNECTED AS",
			row: func(o client.Offer) []any {
				as := o.Repository
				if o.Connected && as == "" {
					as = "(not yours to see)"
				}
				return []any{o.Remote, o.Private, o.Archived, ago(o.Changed), as}
			},
			noun: "repositories", next: "its credentials see none; give them the right, or name another --owner",
		}, nil
	})
	c.Flags().StringVar(&owner, "owner", "", "only those of an `owner` at the forge")
	return c
}

func (s *state) repoConnect() *cobra.Command {
	var space, as, content string
	var noWait bool
	c := s.verb("connect INTEGRATION OWNER/NAME", "Connect a repository of a forge; nothing changes there", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		body := map[string]string{"remote": args[1], "space": space, "content": content}
		if as != "" {
			body["namespace"], body["name"], _ = strings.Cut(named(as), "/")
		}
		r, err := client.Post[client.Repository](c.Context(), api, offersPath(args[0]), body)
		if err == nil && !noWait {
			r, err = fetched(c, api, r, time.Time{})
		}
		if err != nil {
			return err
		}
		return s.showRepository(c, r)
	})
	c.Example = "  roadbed repo connect github acme/shop\n  roadbed repo connect team-a/lab acme/web/shop --as payments/shop"
	c.Flags().StringVar(&space, "space", "", "`space` that it belongs to; the root space when not given")
	c.Flags().StringVar(&as, "as", "", "its `[NAMESPACE/]NAME` here; that of the forge when not given")
	c.Flags().StringVar(&content, "content", "clone", "`way` to read it: clone, or api until its history is needed")
	c.Flags().BoolVar(&noWait, "no-wait", false, "don't wait until it is fetched")
	return c
}

func (s *state) repoFetch() *cobra.Command {
	var noWait bool
	c := s.verb("fetch [NAMESPACE/]NAME", "Look now whether something has moved at the forge", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		before, err := client.Get[client.Repository](c.Context(), api, repoPath(args[0]), nil)
		if err != nil {
			return err
		}
		r, err := client.Post[client.Repository](c.Context(), api, repoPath(args[0])+"/fetch", nil)
		if err == nil && !noWait {
			last := time.Time{}
			if before.Outside != nil && before.Outside.Looked != nil {
				last = *before.Outside.Looked
			}
			r, err = fetched(c, api, r, last)
		}
		if err != nil {
			return err
		}
		return s.showRepository(c, r)
	})
	c.Flags().BoolVar(&noWait, "no-wait", false, "don't wait until it is fetched")
	return c
}

// fetched waits until a repository was looked at, later than last, or it is said why it can't be.
func fetched(c *cobra.Command, api *client.Client, r client.Repository, last time.Time) (client.Repository, error) {
	asked := time.Now()
	said := ""
	for first := true; ; first = false {
		o := r.Outside
		switch {
		case o == nil:
			return r, nil
		case !o.Fetching && o.Looked != nil && o.Looked.After(last):
			return r, nil
		case !first && !o.Fetching && o.Trouble != "" && o.Next != nil && o.Next.After(asked.Add(10*time.Second)):
			return r, fault.Errorf(fault.Unavailable, "%s/%s was not fetched: %s", r.Namespace, r.Name, o.Trouble)
		}
		if o.Phase != "" && o.Phase != said {
			said = o.Phase
			fmt.Fprintf(c.ErrOrStderr(), "%s…\n", said)
		}
		select {
		case <-c.Context().Done():
			return r, c.Context().Err()
		case <-time.After(500 * time.Millisecond):
		}
		var err error
		if r, err = client.Get[client.Repository](c.Context(), api, repoPath(r.Namespace+"/"+r.Name), nil); err != nil {
			return r, err
		}
	}
}

func (s *state) repoDisconnect() *cobra.Command {
	return s.verb("disconnect [NAMESPACE/]NAME", "Forget a repository of a forge; nothing changes there", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Get[client.Repository](c.Context(), api, repoPath(args[0]), nil)
		if err != nil {
			return err
		}
		if r.Outside == nil {
			return Usage(errors.New("it is hosted here; `roadbed repo delete` deletes it"))
		}
		err = api.Do(c.Context(), http.MethodDelete, repoPath(args[0]), nil, nil, nil)
		return told(c, err, "disconnected %s/%s; it is untouched at %s", r.Namespace, r.Name, r.Outside.URL)
	})
}

// showOutside shows where a repository lives, and how it does.
func showOutside(w io.Writer, o client.Outside) {
	row := func(name string, value any) { fmt.Fprintf(w, "%s\t%s\n", name, cells([]any{value})) }
	row("Lives at", o.URL)
	row("Integration", o.Integration+" ("+o.Remote+")")
	seen, now := "Fetched", "being fetched"
	if o.Content == "api" && !o.Cloned {
		row("Read", "by the forge's API; cloned when somebody needs its history")
		seen, now = "Seen", "being looked at"
	}
	switch {
	case o.Fetching:
		row(seen, now)
	case o.Looked != nil:
		row(seen, "looked at "+ago(*o.Looked))
	case o.Fetched != nil:
		row(seen, ago(*o.Fetched))
	default:
		row(seen, "not yet")
	}
	if o.Trouble != "" {
		row("Trouble", o.Trouble)
	}
	if o.Behind > 0 {
		row("Behind", fmt.Sprintf("%d branches and tags have moved there", o.Behind))
	}
	if o.Next != nil {
		row("Next look", o.Next.Local().Format("15:04:05"))
	}
}
