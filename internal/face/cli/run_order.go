package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) runPromote() *cobra.Command {
	var wait bool
	c := s.verb("promote ID", "Begin a tracked run at the commit of a preview", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Post[client.RunDetail](c.Context(), api, "/runs/"+url.PathEscape(args[0])+"/promote", nil)
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Long = "Begin a tracked run at the commit of a preview that has finished. The commit\nhas to be on the stack's branch, and newer than what the stack has tracked. The\nrun plans anew, and is reviewed as any other." + waitHelp
	c.Flags().BoolVar(&wait, "wait", false, "wait until it has ended or waits for approval")
	return c
}

func (s *state) runReplan() *cobra.Command {
	var ask client.Replan
	var wait bool
	c := s.verb("replan ID", "Plan anew, for chosen resources of the plan", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		if len(ask.Targets)+len(ask.Replace) == 0 {
			return Usage(errors.New("name resources of the plan with --target or --replace; `roadbed run plan " + args[0] + "` lists them"))
		}
		r, err := client.Post[client.RunDetail](c.Context(), api, "/runs/"+url.PathEscape(args[0])+"/replan", ask)
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Long = "Have a run that waits for review plan anew, for resources of its plan alone.\nThe new plan is judged anew, and needs a confirmation of its own." + waitHelp
	c.Example = "  roadbed run replan ID --target aws_instance.web --target module.network\n  roadbed run replan ID --replace 'aws_instance.web[0]'"
	c.Flags().StringArrayVar(&ask.Targets, "target", nil, "plan only this `address`, and what it needs")
	c.Flags().StringArrayVar(&ask.Replace, "replace", nil, "make the resource at this `address` anew")
	c.Flags().StringVar(&ask.Note, "note", "", "why, as a `text` for those who look later")
	c.Flags().BoolVar(&wait, "wait", false, "wait until it has ended or waits for approval")
	return c
}

func (s *state) runPrioritize() *cobra.Command {
	var off bool
	c := s.verb("prioritize ID", "Have a stack's run go before others in its queues", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Post[client.RunDetail](c.Context(), api, "/runs/"+url.PathEscape(args[0])+"/prioritize", map[string]bool{"off": off})
		if err != nil {
			return err
		}
		return s.showRun(c, r)
	})
	c.Flags().BoolVar(&off, "off", false, "take the priority back")
	return c
}

func (s *state) stackQueue() *cobra.Command {
	return listing(s, "queue [NAMESPACE/]NAME", "Runs of a stack in the order in which they go on", cobra.ExactArgs(1), whole, func(args []string) (list[client.QueuedRun], error) {
		return list[client.QueuedRun]{
			path: "/stacks/" + named(args[0]) + "/queue", head: "RUN\tTITLE\tSTATE\tPLACE\tWAITS",
			row: func(q client.QueuedRun) []any {
				place, why := "", ""
				switch {
				case q.Holds:
					place = "holds the stack"
				case q.Wait != nil && q.Wait.Position > 0:
					place = fmt.Sprintf("%d of %d", q.Wait.Position, q.Wait.Queued)
				}
				if q.Wait != nil {
					why = q.Wait.Reason
				}
				if q.Run.Prioritized {
					place = strings.TrimSpace(place + " (prioritized)")
				}
				return []any{q.Run.ID, q.Run.Title, q.Run.State, place, why}
			},
			noun: "runs under way", next: "begin one with `roadbed stack apply " + args[0] + "`",
		}, nil
	})
}

// writeWait tells what a run waits for.
func writeWait(w io.Writer, r client.RunDetail) {
	if r.Wait == nil {
		return
	}
	place := ""
	if r.Wait.Position > 0 {
		place = fmt.Sprintf(" (%d of %d)", r.Wait.Position, r.Wait.Queued)
	}
	fmt.Fprintf(w, "waits\t%s%s\n", r.Wait.Reason, place)
}
