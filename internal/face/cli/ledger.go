package cli

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) ledger() *cobra.Command {
	var kind, actor string
	c := listing(s, "ledger", "What changed, the newest first", cobra.NoArgs, newest, func([]string) (list[client.Entry], error) {
		return entries(url.Values{"type": {kind}, "actor": {actor}}, "entries", "it takes the right ledger:read in a space"), nil
	})
	c.Flags().StringVar(&kind, "type", "", "only these `types`, with commas; run. for all that begin with it")
	c.Flags().StringVar(&actor, "actor", "", "only of the principal with this `id`, which whoami -o json tells")
	c.Example = "  roadbed ledger --type run.,stack.\n  roadbed ledger --limit 500 -o json"
	return c
}

// entries is a list of what the ledger tells.
func entries(query url.Values, noun, next string) list[client.Entry] {
	return list[client.Entry]{
		path: "/ledger", query: query, head: "POSITION\tWHEN\tWHO\tWHAT\tSUBJECT\tDATA", noun: noun, next: next,
		row: func(e client.Entry) []any {
			data := []rune(string(e.Data))
			return []any{e.Position, ago(e.Time), e.Actor.Name, e.Type, e.Subject, string(data[:min(len(data), 80)])}
		},
	}
}
