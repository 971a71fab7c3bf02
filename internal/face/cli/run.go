package cli

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) runs() *cobra.Command {
	verbs := []*cobra.Command{s.runList(), s.runShow(), s.runPlan(), s.runLogs(), s.runWait(), s.runPromote(), s.runReplan(), s.runPrioritize(), s.runMark()}
	for _, v := range [][2]string{
		{"confirm", "Let a plan be applied, if the approval policies agree"}, {"discard", "End a run that waits for review"},
		{"approve", "Vote for a run that waits for review"}, {"reject", "Vote against a run that waits for review"},
		{"cancel", "Stop a run"}, {"retry", "Let an ended run go on from where it failed"},
		{"undo", "Delete what a golden path's run has made half way"},
	} {
		verbs = append(verbs, s.runVerb(v[0], v[1]))
	}
	return group("run", "Runs: what the platform does", verbs...)
}

func (s *state) runList() *cobra.Command {
	var kind, state, space, subject string
	var waiting, open bool
	c := listing(s, "list", "Runs, the newest first", cobra.NoArgs, newest, func([]string) (list[client.Run], error) {
		q := url.Values{"kind": {kind}, "state": {state}, "space": {space}, "subject": {subject}}
		if waiting {
			q.Set("waiting", "true")
		}
		if open {
			q.Set("open", "true")
		}
		return list[client.Run]{
			path: "/runs", query: q, head: "ID\tKIND\tSTATE\tTITLE\tBY\tCREATED",
			row:  func(r client.Run) []any { return []any{r.ID, r.Kind, r.State, r.Title, r.Actor.Name, ago(r.Created)} },
			noun: "runs", next: "start one with `roadbed new TEMPLATE`, `roadbed stack plan NAME`, `roadbed workflow submit FILE`, or a push",
		}, nil
	})
	c.Example = "  roadbed run list --waiting\n  roadbed run list --kind stack,sync --state failed --limit 10\n  roadbed run list --subject stack:default/shop-infra"
	c.Flags().StringVar(&kind, "kind", "", "only these `kinds`, with commas: stack, workflow, sync, scaffold")
	c.Flags().StringVar(&state, "state", "", "only these `states`, with commas, such as failed,canceled")
	c.Flags().StringVar(&space, "space", "", "only those of these `spaces`, with commas")
	c.Flags().StringVar(&subject, "subject", "", "only those of an `entity`, such as stack:default/shop-infra")
	c.Flags().BoolVar(&waiting, "waiting", false, "only those that wait for a person")
	c.Flags().BoolVar(&open, "open", false, "only those that have not ended")
	return c
}

func (s *state) runShow() *cobra.Command {
	return s.verb("show ID", "One run with its steps, reviews and decisions", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Get[client.RunDetail](c.Context(), api, "/runs/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return s.showRun(c, r)
	})
}

func (s *state) showRun(c *cobra.Command, r client.RunDetail) error {
	return s.show(c, r, func(w io.Writer) {
		fmt.Fprintf(w, "run\t%s\nwhat\t%s (%s)\nstate\t%s\n", r.ID, r.Title, r.Kind, r.State)
		if r.Reason != "" {
			fmt.Fprintf(w, "why\t%s\n", r.Reason)
		}
		writeWait(w, r)
		writeExternal(w, r)
		fmt.Fprintf(w, "by\t%s, %s\n", r.Actor.Name, ago(r.Created))
		if r.Source != nil {
			fmt.Fprintf(w, "source\t%s at %s\n", r.Source.Repository, short(r.Source.Commit))
		}
		for _, x := range r.Warnings {
			fmt.Fprintf(w, "warning\t%s\n", x)
		}
		for _, p := range r.Steps {
			fmt.Fprintf(w, "step %s\t%s\t%s\n", p.Key, p.State, p.Reason)
		}
		for _, d := range r.Decisions {
			for rule, messages := range d.Outcome {
				fmt.Fprintf(w, "policy %s\t%s\t%s\n", d.Point, rule, strings.Join(messages, "; "))
			}
		}
		for _, v := range r.Reviews {
			fmt.Fprintf(w, "review\t%s by %s\t%s\n", v.Verdict, v.Actor.Name, v.Note)
		}
		if r.Kind == "stack" && len(r.Output) > 0 {
			fmt.Fprintf(w, "its plan\troadbed run plan %s\n", r.ID)
		}
		if len(r.Can) > 0 {
			fmt.Fprintf(w, "you can\t%s\n", strings.Join(r.Can, ", "))
		}
	})
}

func (s *state) runLogs() *cobra.Command {
	var step string
	c := s.verb("logs ID", "The logs of a run's steps; follows until the run is over or waits for somebody", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		told := map[string]bool{}
		for {
			r, begun, err := s.begun(c, api, args[0], step, told)
			if err != nil || len(begun) == 0 {
				return err
			}
			for _, p := range begun {
				told[p.ID] = true
				if step == "" {
					fmt.Fprintf(c.ErrOrStderr(), "==> %s (%s)\n", p.Title, p.State)
				}
				if err := api.FollowLog(c.Context(), r.ID, p.ID, 0, c.OutOrStdout()); err != nil {
					return err
				}
			}
			if step != "" {
				return nil
			}
		}
	})
	c.Flags().StringVar(&step, "step", "", "only this `step`, by its key or id")
	return c
}

// begun waits for steps, or for the one that is asked for, that have a log and are not told yet; there are none any more
// when the run is over or waits for somebody.
func (s *state) begun(c *cobra.Command, api *client.Client, id, step string, told map[string]bool) (r client.RunDetail, begun []client.Step, err error) {
	err = api.FollowRun(c.Context(), id, func(now client.RunDetail) (bool, error) {
		r = now
		found := step == ""
		for _, p := range now.Steps {
			if step != "" && p.Key != step && p.ID != step {
				continue
			}
			found = true
			if !told[p.ID] && p.State != "waiting" && p.State != "ready" && p.State != "skipped" {
				begun = append(begun, p)
			}
		}
		if !found {
			return false, fault.Errorf(fault.NotFound, "run %s has no step %q", now.ID, step)
		}
		return len(begun) > 0 || now.Terminal || now.Waiting, nil
	})
	return r, begun, err
}

func (s *state) runWait() *cobra.Command {
	c := s.verb("wait ID", "Wait until a run has ended or waits for approval", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		return s.await(c, api, args[0])
	})
	c.Long = "Waits until a run has ended or waits for approval." + waitHelp
	return c
}

// good are the states in which a run has come to a good end.
var good = map[string]bool{"finished": true, "succeeded": true}

// await follows a run, shows it in the end, and gives the error that stands for its exit code.
func (s *state) await(c *cobra.Command, api *client.Client, id string) error {
	last := ""
	var r client.RunDetail
	err := api.FollowRun(c.Context(), id, func(now client.RunDetail) (bool, error) {
		r = now
		if line := now.State + " " + now.Reason; line != last {
			last = line
			fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", now.Title, strings.TrimSpace(line))
		}
		return now.Terminal || now.Waiting, nil
	})
	if err != nil {
		return err
	}
	if err := s.showRun(c, r); err != nil {
		return err
	}
	switch {
	case r.Waiting:
		return errWaiting
	case good[r.State]:
		return nil
	}
	return fmt.Errorf("run %s ended as %s: %s", r.ID, r.State, r.Reason)
}

func (s *state) runVerb(name, what string) *cobra.Command {
	var note, node string
	c := s.verb(name+" ID…", what, cobra.MinimumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		return each("run", args, func(id string) error {
			r, err := client.Post[client.RunDetail](c.Context(), api, "/runs/"+url.PathEscape(id)+"/"+name, review{note, node})
			if err != nil {
				return err
			}
			return s.showRun(c, r)
		})
	})
	c.Flags().StringVar(&note, "note", "", "why, as a `text` for those who look later")
	if name == "approve" || name == "reject" {
		c.Flags().StringVar(&node, "node", "", "of a workflow, the `key` of the one node that is meant; all that wait when not given")
	}
	return c
}

// review is what a person says with a verb.
type review struct {
	Note string `json:"note,omitempty"`
	Node string `json:"node,omitempty"`
}
