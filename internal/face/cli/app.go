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

func (s *state) apps() *cobra.Command {
	return group("app", "Applications", s.appList(), s.appShow(), s.appDiff(), s.appSync(), s.appRollback(), s.appLogs())
}

func (s *state) appList() *cobra.Command {
	return listing(s, "list", "Applications with their health", cobra.NoArgs, whole, func([]string) (list[client.Application], error) {
		return list[client.Application]{
			path: "/applications", head: "APPLICATION\tSYNC\tHEALTH\tREVISION\tMESSAGE",
			row:  func(a client.Application) []any { return []any{a.Ref, a.Sync, a.Health, short(a.Revision), a.Message} },
			noun: "applications", next: "declare one with `roadbed apply -f FILE`, or use a golden path: `roadbed template list`",
		}, nil
	})
}

func (s *state) appShow() *cobra.Command {
	return s.verb("show [NAMESPACE/]NAME", "One application with its objects and history", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		a, err := client.Get[client.ApplicationDetail](c.Context(), api, "/applications/"+named(args[0]), nil)
		if err != nil {
			return err
		}
		return s.show(c, a, func(w io.Writer) {
			fmt.Fprintf(w, "application\t%s\nsource\t%s %s %s\nsync\t%s %s\nhealth\t%s %s\n", a.Ref, a.Repository, a.Branch, a.Path, a.Sync, short(a.Revision), a.Health, a.Why)
			if a.Message != "" {
				fmt.Fprintf(w, "message\t%s\n", a.Message)
			}
			for _, place := range a.Left {
				fmt.Fprintf(w, "left\t%s\tstill holds objects; a sync with prune takes them away\n", place)
			}
			for _, u := range a.URLs {
				fmt.Fprintf(w, "url\t%s\n", u)
			}
			for _, o := range a.Tree {
				fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\n", o.Kind, o.Name, o.Health, o.Ready, o.Message)
			}
			for _, r := range a.History {
				fmt.Fprintf(w, "revision %s\t%s\t%s\t%s %s\n", r.ID, short(r.Commit), r.State, ago(r.Created), r.Message)
			}
		})
	})
}

func (s *state) appDiff() *cobra.Command {
	return s.verb("diff [NAMESPACE/]NAME", "What a sync would change", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		changes, err := client.Get[client.List[client.ObjectChange]](c.Context(), api, "/applications/"+named(args[0])+"/diff", nil)
		if err != nil {
			return err
		}
		return s.show(c, changes.Items, func(w io.Writer) {
			for _, x := range changes.Items {
				fmt.Fprintf(w, "%s\t%s\n%s", x.Action, x.Key, x.Diff)
				for _, warning := range x.Warnings {
					fmt.Fprintf(w, "warning\t%s\n", warning)
				}
			}
		})
	})
}

func (s *state) appStart(use, what string, args cobra.PositionalArgs, body func(args []string) any) *cobra.Command {
	var wait bool
	verb := strings.Fields(use)[0]
	c := s.verb(use, what, args, func(c *cobra.Command, api *client.Client, args []string) error {
		r, err := client.Post[client.RunDetail](c.Context(), api, "/applications/"+named(args[0])+"/"+verb, body(args))
		if err != nil {
			return err
		}
		if wait {
			return s.await(c, api, r.ID)
		}
		return s.showRun(c, r)
	})
	c.Long = what + "." + waitHelp
	c.Flags().BoolVar(&wait, "wait", false, "wait until it has ended")
	return c
}

func (s *state) appSync() *cobra.Command {
	return s.appStart("sync [NAMESPACE/]NAME", "Deploy the head of the branch now", cobra.ExactArgs(1), func([]string) any { return nil })
}

func (s *state) appRollback() *cobra.Command {
	return s.appStart("rollback [NAMESPACE/]NAME REVISION", "Deploy an earlier revision again, by its id in show", cobra.ExactArgs(2), func(args []string) any {
		return map[string]string{"revision": args[1]}
	})
}

func (s *state) appLogs() *cobra.Command {
	var pod string
	var tail int
	c := s.verb("logs [NAMESPACE/]NAME", "What a pod of an application has written", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		var text []byte
		err := api.Do(c.Context(), "GET", "/applications/"+named(args[0])+"/log", url.Values{"pod": {pod}, "tail": {strconv.Itoa(tail)}}, nil, &text)
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	})
	c.Flags().StringVar(&pod, "pod", "", "which `pod`; the first when not given")
	c.Flags().IntVar(&tail, "tail", 500, "how many `lines` of its end")
	return c
}
