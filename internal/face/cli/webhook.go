package cli

import (
	"cmp"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) webhooks() *cobra.Command {
	return group("webhook", "Addresses outside to which policies send", s.webhookMessages())
}

func (s *state) webhookMessages() *cobra.Command {
	return listing(s, "messages [NAMESPACE/]NAME", "What was sent, and what became of it", cobra.ExactArgs(1), newest, func(args []string) (list[client.WebhookMessage], error) {
		name := named(args[0])
		return list[client.WebhookMessage]{
			path: "/webhooks/" + name + "/messages", head: "MESSAGE\tSTATE\tPOLICY\tABOUT\tMADE\tATTEMPTS\tANSWERED",
			row: func(m client.WebhookMessage) []any {
				answered := ""
				if m.Status > 0 {
					answered = strconv.Itoa(m.Status)
				}
				return []any{m.ID, m.State, m.Policy, cmp.Or(m.Run, m.Subject), ago(m.Created), m.Attempts, dash(cmp.Or(m.Reason, answered))}
			},
			noun: "messages of webhook " + name, next: "have a notification policy send some by its rule webhook",
		}, nil
	})
}
