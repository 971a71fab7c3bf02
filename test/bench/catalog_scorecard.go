package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const scorecardMade = `
apiVersion: roadbed.dev/v1
kind: Scorecard
metadata: {name: ready}
spec:
  filter: {kinds: [Component]}
  levels: [{name: bronze}, {name: silver}, {name: gold}]
  rules:
    - {id: has-owner, level: bronze, expression: owner != ""}
    - {id: says, level: silver, expression: size(entity.metadata.description) > 20}
    - {id: system, level: gold, expression: 'relations.exists(r, r.type == "partOf")'}
`

// scorecards measures how long a new scorecard judges all components, and what else is asked of the catalog as a whole.
func (c *catalogued) scorecards(ctx context.Context) error {
	components := 0
	for i := range c.made.entities {
		if c.made.kind(i) == "component" {
			components++
		}
	}
	began := time.Now()
	if _, err := client.Post[client.List[client.Applied]](ctx, c.s.api, "/apply", map[string]string{"documents": scorecardMade, "source": "scorecards"}); err != nil {
		return err
	}
	var card client.Scorecard
	err := c.until(ctx, time.Hour, func() (_ bool, err error) {
		card, err = client.Get[client.Scorecard](ctx, c.s.api, "/scorecards/default/ready", nil)
		return !card.Judging && card.Entities >= components, err
	})
	if err != nil {
		return err
	}
	if card.None != 0 || card.Error != "" {
		return fmt.Errorf("of %d entities, %d have no level: %s", card.Entities, card.None, card.Error)
	}
	figure(c.name("scorecard_of_all"), time.Since(began).Seconds(), "s")
	figure(c.name("scorecard_per_second"), float64(card.Entities)/time.Since(began).Seconds(), "1/s")
	for _, q := range []struct{ name, path string }{
		{"gaps", "/api/v1/facets?facet=gap"}, {"graph_of_500", "/api/v1/graph?depth=3&nodes=500&root=" + url.QueryEscape(c.made.ref(7))},
		{"scorecard", "/api/v1/scorecards/default/ready"}, {"scorecard_teams", "/api/v1/scorecards/default/ready/teams"}, {"scorecard_failing", "/api/v1/scorecards/default/ready/entities?failing=system&limit=50"},
	} {
		took, err := c.ask(ctx, func(int) string { return q.path }, catalogRounds/4)
		if err != nil {
			return err
		}
		took.show(c.name(q.name))
	}
	return nil
}
