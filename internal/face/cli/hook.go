package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// hooks are the verbs of integrations that are about webhooks.
func (s *state) hooks() []*cobra.Command {
	return []*cobra.Command{s.hookDeliveries(), s.hookDelivery(), s.hookRedeliver(), s.hookRegister()}
}

func (s *state) hookDeliveries() *cobra.Command {
	var state, kind string
	c := listing(s, "deliveries [NAMESPACE/]NAME", "What a forge sent by its webhooks, the newest first", cobra.ExactArgs(1), newest, func(args []string) (list[client.Delivery], error) {
		query := url.Values{}
		if state != "" {
			query.Set("state", state)
		}
		if kind != "" {
			query.Set("kind", kind)
		}
		name := named(args[0])
		return list[client.Delivery]{
			path: "/integrations/" + name + "/deliveries", query: query, head: "NUMBER\tSTATE\tEVENT\tREPOSITORY\tBY\tCAME\tTOOK\tOUTCOME",
			row: func(d client.Delivery) []any {
				return []any{d.Number, d.State, first(d.Name, d.Kind), d.Repository, d.Sender, ago(d.Received), took(d), d.Outcome}
			},
			noun: "deliveries of integration " + name, next: "have the forge send some with `roadbed integration hook " + name + " OWNER/NAME`",
		}, nil
	})
	c.Flags().StringVar(&state, "state", "", "only these: received, done, ignored or failed (`state`)")
	c.Flags().StringVar(&kind, "kind", "", "only push, proposal, comment, review, check and so on (`kind`)")
	c.Example = "  roadbed integration deliveries github --state failed"
	return c
}

// took is how long it was until a delivery was handled.
func took(d client.Delivery) string {
	if d.Handled == nil {
		return ""
	}
	return d.Handled.Sub(d.Received).Round(time.Millisecond).String()
}

// deliveryPath gives the path of one delivery.
func deliveryPath(args []string) (string, error) {
	if n, err := strconv.ParseInt(args[1], 10, 64); err != nil || n < 1 {
		return "", fault.Errorf(fault.Invalid, "%q is not the number of a delivery; `roadbed integration deliveries %s` shows them", args[1], args[0])
	}
	return "/integrations/" + named(args[0]) + "/deliveries/" + args[1], nil
}

func (s *state) hookDelivery() *cobra.Command {
	var payload bool
	c := s.verb("delivery [NAMESPACE/]NAME NUMBER", "One delivery of a webhook, and what came of it", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := deliveryPath(args)
		if err != nil {
			return err
		}
		if payload {
			p, err := client.Get[client.DeliveryPayload](c.Context(), api, path+"/payload", nil)
			if err != nil {
				return err
			}
			return s.show(c, p, func(w io.Writer) { fmt.Fprintln(w, first(string(p.JSON), p.Text)) })
		}
		d, err := client.Get[client.Delivery](c.Context(), api, path, nil)
		if err != nil {
			return err
		}
		return s.show(c, d, func(w io.Writer) {
			fmt.Fprintf(w, "delivery\t%s\nstate\t%s\noutcome\t%s\nevent\t%s\nrepository\t%s\nby\t%s\ncame\t%s\ntook\t%s\nattempts\t%d\ncame again\t%d times\n",
				d.Delivery, d.State, dash(d.Outcome), dash(first(d.Name, d.Kind)), dash(d.Repository), dash(d.Sender), ago(d.Received), dash(took(d)), d.Attempts, d.Repeats)
		})
	})
	c.Flags().BoolVar(&payload, "payload", false, "show what it said")
	return c
}

func (s *state) hookRedeliver() *cobra.Command {
	c := s.verb("redeliver [NAMESPACE/]NAME NUMBER", "Have a delivery of a webhook handled again", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		path, err := deliveryPath(args)
		if err != nil {
			return err
		}
		_, err = client.Post[client.Delivery](c.Context(), api, path+"/redeliver", nil)
		return told(c, err, "delivery %s is handled again", args[1])
	})
	c.Example = "  roadbed integration redeliver github 1234"
	return c
}

func (s *state) hookRegister() *cobra.Command {
	var organization string
	c := s.verb("hook [NAMESPACE/]NAME [OWNER/NAME]", "Have a forge send what happens in a repository to this server", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		if (len(args) == 2) == (organization != "") {
			return Usage(errors.New("name a repository of the forge, as OWNER/NAME, or --organization"))
		}
		body := map[string]string{"organization": organization}
		of := organization
		if len(args) == 2 {
			body, of = map[string]string{"repository": args[1]}, args[1]
		}
		h, err := client.Post[client.RegisteredWebhook](c.Context(), api, "/integrations/"+named(args[0])+"/webhook", body)
		return told(c, err, "%s sends what happens to %s", of, h.URL)
	})
	c.Flags().StringVar(&organization, "organization", "", "all that an `organization` has, instead of one repository")
	c.Example = "  roadbed integration hook github acme/shop\n  roadbed integration hook github --organization acme"
	return c
}
