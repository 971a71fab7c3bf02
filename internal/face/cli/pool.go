package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) pools() *cobra.Command {
	return group("pool", "Worker pools: machines of your own that run steps", s.poolList(), s.poolShow(), s.poolDrain(), s.poolResume(), s.poolCycle(), s.poolTokens())
}

func (s *state) poolList() *cobra.Command {
	var space string
	c := listing(s, "list", "Worker pools, and how they do", cobra.NoArgs, whole, func([]string) (list[client.Pool], error) {
		query := url.Values{}
		if space != "" {
			query.Set("space", space)
		}
		return list[client.Pool]{
			path: "/pools", query: query, head: "POOL\tSPACE\tSHARED\tSTATE\tAGENTS\tRUNNING\tWAITING",
			row: func(p client.Pool) []any {
				return []any{p.Namespace + "/" + p.Name, p.Space, yesNo(p.Shared), poolState(p), fmt.Sprintf("%d of %d", p.Connected, p.Agents), p.Running, p.Waiting}
			},
			noun: "worker pools", next: "declare one with `roadbed apply -f FILE`; docs/agents.md has a document to begin with",
		}, nil
	})
	c.Flags().StringVar(&space, "space", "", "only those of this `space`")
	return c
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func poolState(p client.Pool) string {
	switch {
	case p.Drained:
		return "drained"
	case p.Connected == 0:
		return "no agent"
	}
	return "ready"
}

func (s *state) poolShow() *cobra.Command {
	return s.verb("show [NAMESPACE/]NAME", "A worker pool, with its agents and what they run", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		at := poolPath(args[0])
		p, err := client.Get[client.Pool](c.Context(), api, at, nil)
		if err != nil {
			return err
		}
		agents, err := client.All[client.Agent](c.Context(), api, at+"/agents", nil)
		if err != nil {
			return err
		}
		type shown struct {
			client.Pool
			All []client.Agent `json:"agentList"`
		}
		return s.show(c, shown{p, agents}, func(w io.Writer) {
			fmt.Fprintf(w, "pool\t%s/%s\nspace\t%s\nshared\t%s\nstate\t%s\nrunning\t%d\nwaiting\t%d\n", p.Namespace, p.Name, p.Space, yesNo(p.Shared), poolState(p), p.Running, p.Waiting)
			if p.Image != "" {
				fmt.Fprintf(w, "image\t%s\n", cells([]any{p.Image}))
			}
			if p.Description != "" {
				fmt.Fprintf(w, "description\t%s\n", cells([]any{p.Description}))
			}
			if len(agents) > 0 {
				fmt.Fprintln(w, "\nAGENT\tSTATE\tHEARD OF\tVERSION\tSYSTEM\tRUNS")
			}
			for _, a := range agents {
				fmt.Fprintln(w, cells([]any{a.Name, a.State, ago(a.Seen), a.Version, a.System, agentRuns(a)}))
			}
		})
	})
}

// agentRuns tells what an agent runs.
func agentRuns(a client.Agent) string {
	var runs []string
	for _, s := range a.Steps {
		runs = append(runs, s.Run+" ("+s.Title+")")
	}
	if a.Others > 0 {
		runs = append(runs, fmt.Sprintf("%d that you may not see", a.Others))
	}
	return strings.Join(runs, ", ")
}

func poolPath(name string) string {
	namespace, rest, _ := strings.Cut(named(name), "/")
	return "/pools/" + url.PathEscape(namespace) + "/" + url.PathEscape(rest)
}

func (s *state) poolDrain() *cobra.Command {
	return s.poolVerb("drain", "Have agents end what they run and take nothing more", "%s takes nothing more; what runs comes to its end")
}

func (s *state) poolResume() *cobra.Command {
	return s.poolVerb("resume", "Have drained agents take steps again", "%s takes steps again")
}

func (s *state) poolCycle() *cobra.Command {
	return s.poolVerb("cycle", "Have agents end what they run and be started anew", "%s ends as soon as it runs nothing, and is started anew by what keeps it running")
}

func (s *state) poolVerb(verb, short, says string) *cobra.Command {
	c := s.verb(verb+" [NAMESPACE/]NAME [AGENT]", short, cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		at, who := poolPath(args[0]), "worker pool "+named(args[0])
		if len(args) == 2 {
			at, who = at+"/agents/"+url.PathEscape(args[1]), "agent "+args[1]
		}
		return told(c, api.Do(c.Context(), http.MethodPost, at+"/"+verb, nil, nil, nil), says, who)
	})
	c.Example = "  roadbed pool " + verb + " payments/eu\n  roadbed pool " + verb + " payments/eu agent-1"
	return c
}

func (s *state) poolTokens() *cobra.Command {
	return group("token", "Tokens by which agents show what pool they are of", s.poolTokenCreate(), s.poolTokenList(), s.poolTokenRevoke())
}

func (s *state) poolTokenCreate() *cobra.Command {
	var life span
	c := s.verb("create [NAMESPACE/]POOL NAME", "Make a token for agents; its secret is shown this once", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		in := map[string]any{"name": args[1]}
		if life > 0 {
			in["expires"] = time.Now().Add(time.Duration(life)).UTC()
		}
		t, err := client.Post[client.NewPoolToken](c.Context(), api, poolPath(args[0])+"/tokens", in)
		if err != nil {
			return err
		}
		return s.show(c, t, func(w io.Writer) { fmt.Fprintln(w, t.Secret) })
	})
	c.Flags().Var(&life, "life", "how long it is good for, such as 12h or 30d; until it is revoked when not given")
	c.Example = "  roadbed pool token create payments/eu rack-1 > agent.token"
	return c
}

func (s *state) poolTokenList() *cobra.Command {
	return listing(s, "list [NAMESPACE/]POOL", "The tokens of a pool, the newest first", cobra.ExactArgs(1), newest, func(args []string) (list[client.PoolToken], error) {
		return list[client.PoolToken]{
			path: poolPath(args[0]) + "/tokens", head: "ID\tNAME\tCREATED\tUSED\tEXPIRES\tSTATE",
			row: func(t client.PoolToken) []any {
				used, expires, state := "never", "never", "good"
				if t.Used != nil {
					used = ago(*t.Used)
				}
				if t.Expires != nil {
					expires = t.Expires.Local().Format("2006-01-02")
				}
				switch {
				case t.Revoked != nil:
					state = "revoked"
				case t.Expires != nil && t.Expires.Before(time.Now()):
					state = "expired"
				}
				return []any{t.ID, t.Name, ago(t.Created), used, expires, state}
			},
			noun: "tokens of this pool", next: "make one with `roadbed pool token create POOL NAME`",
		}, nil
	})
}

func (s *state) poolTokenRevoke() *cobra.Command {
	return s.verb("revoke [NAMESPACE/]POOL ID", "End a token of a pool at once", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		err := api.Do(c.Context(), http.MethodDelete, poolPath(args[0])+"/tokens/"+url.PathEscape(args[1]), nil, nil, nil)
		return told(c, err, "revoked %s", args[1])
	})
}
