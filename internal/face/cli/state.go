package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) states() *cobra.Command {
	return group("state", "Versions of a stack's state: see, compare, roll back, move",
		s.stateList("list"), s.stateShow(), s.stateDiff(), s.stateRollback(), s.stateLock(), s.stateUnlock(), s.statePull(), s.statePush(), s.stateMove())
}

func (s *state) stateList(use string) *cobra.Command {
	return listing(s, use+" [NAMESPACE/]NAME", "Versions of a stack's state, the newest first", cobra.ExactArgs(1), newest, func(args []string) (list[client.StateVersion], error) {
		return list[client.StateVersion]{
			path: "/stacks/" + named(args[0]) + "/states", head: "SERIAL\tRESOURCES\tBY\tRUN\tCREATED",
			row: func(v client.StateVersion) []any {
				return []any{v.Serial, v.Resources, v.Actor.Name, v.Run, ago(v.Created)}
			},
			noun: "versions of its state", next: "the first `roadbed stack apply " + args[0] + "` makes one",
		}, nil
	})
}

// versionPath is the path of a version of a stack's state.
func versionPath(stack, version string) string {
	return "/stacks/" + named(stack) + "/states/" + url.PathEscape(version)
}

func (s *state) stateShow() *cobra.Command {
	var version, text string
	c := s.verb("show [NAMESPACE/]NAME [ADDRESS]", "What a version of a state holds, or one resource of it", cobra.RangeArgs(1, 2), func(c *cobra.Command, api *client.Client, args []string) error {
		at := versionPath(args[0], version)
		if len(args) == 2 {
			r, err := client.Get[client.StateResource](c.Context(), api, at+"/resource", url.Values{"address": {args[1]}})
			if err != nil {
				return err
			}
			return s.show(c, r, func(w io.Writer) { showStateResource(w, r) })
		}
		return showList(s, c, api, list[client.StateResource]{
			path: at + "/resources", query: url.Values{"text": {text}}, head: "ADDRESS\tPROVIDER\tSTATUS\tKNOWN AS",
			row:  func(r client.StateResource) []any { return []any{r.Address, r.Provider, r.Status, r.Identity} },
			noun: "resources in that version", next: "`roadbed state list " + args[0] + "` tells how many each version has",
		})
	})
	c.Example = "  roadbed state show shop-infra\n  roadbed state show shop-infra 'aws_s3_bucket.logs[0]' --version 12"
	c.Flags().StringVar(&version, "version", "latest", "`serial` or id of the version")
	c.Flags().StringVar(&text, "text", "", "only resources with some `text` in their address or id")
	limitFlag(c, whole)
	return c
}

func showStateResource(w io.Writer, r client.StateResource) {
	for _, fact := range [][2]string{{"address", r.Address}, {"mode", r.Mode}, {"provider", r.Provider}, {"status", r.Status}, {"known as", r.Identity}} {
		if fact[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", fact[0], fact[1])
		}
	}
	if r.Attributes == nil {
		fmt.Fprintln(w, "attributes\tnot shown: they take stack:state-read or stack:state in the space of the stack")
		return
	}
	raw, err := json.MarshalIndent(r.Attributes, "", "  ")
	if err == nil {
		fmt.Fprintf(w, "\n%s\n", raw)
	}
}

func (s *state) stateDiff() *cobra.Command {
	var limit int
	c := s.verb("diff [NAMESPACE/]NAME [FROM [TO]]", "What differs between two versions of a state", cobra.RangeArgs(1, 3), func(c *cobra.Command, api *client.Client, args []string) error {
		if limit < 0 {
			return Usage(errors.New("--limit is less than 0; 0 is for all"))
		}
		to, query := "latest", url.Values{}
		if len(args) > 1 {
			query.Set("from", args[1])
		}
		if len(args) > 2 {
			to = args[2]
		}
		d, err := wholeDiff(c, api, versionPath(args[0], to)+"/diff", query, limit)
		if err != nil {
			return err
		}
		err = s.show(c, d, func(w io.Writer) { showStateDiff(w, d) })
		if d.Next != "" && err == nil {
			fmt.Fprintf(c.ErrOrStderr(), "there are more than these %d; --limit 0 shows all\n", len(d.Items))
		}
		return err
	})
	c.Long = "What differs between two versions of a state, by their serials or ids: the newest one and the one before it when none\nis named, the newest one and FROM when one is." + exitHelp
	c.Example = "  roadbed state diff shop-infra\n  roadbed state diff shop-infra 11 14"
	c.Flags().IntVar(&limit, "limit", 200, "how `many` resources at most; 0 for all")
	return c
}

// wholeDiff reads a diff over its pages.
func wholeDiff(c *cobra.Command, api *client.Client, path string, query url.Values, limit int) (d client.StateDiff, err error) {
	query.Set("limit", "200")
	for {
		part, err := client.Get[client.StateDiff](c.Context(), api, path, query)
		if err != nil {
			return d, err
		}
		part.Items = append(d.Items, part.Items...)
		d = part
		if limit > 0 && len(d.Items) > limit {
			d.Items, d.Next = d.Items[:limit], "more"
		}
		if d.Next == "" || limit > 0 && len(d.Items) >= limit {
			return d, nil
		}
		query.Set("cursor", d.Next)
	}
}

func showStateDiff(w io.Writer, d client.StateDiff) {
	from := "nothing"
	if d.From != nil {
		from = fmt.Sprintf("serial %d", d.From.Serial)
	}
	fmt.Fprintf(w, "from %s to serial %d: %d added, %d changed, %d removed\n", from, d.To.Serial, d.Created, d.Updated, d.Deleted)
	for _, change := range d.Items {
		showStateChange(w, change, d.Values)
	}
	for _, change := range d.Outputs {
		change.Address, change.Changed = "output "+change.Address, []string{""}
		showStateChange(w, change, true)
	}
}

func showStateChange(w io.Writer, change client.StateChange, values bool) {
	fmt.Fprintf(w, "%s %s\n", signs(change.Action), change.Address)
	if change.Action != "update" {
		return
	}
	for _, name := range change.Changed {
		switch {
		case name == "":
			fmt.Fprintf(w, "    %s → %s\n", inline(change.Before), inline(change.After))
		case !values:
			fmt.Fprintf(w, "    %s\n", name)
		default:
			before, _ := change.Before.(map[string]any)
			after, _ := change.After.(map[string]any)
			fmt.Fprintf(w, "    %s: %s → %s\n", name, inline(before[name]), inline(after[name]))
		}
	}
}

// inline writes a value on one line, cut where that is long.
func inline(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	text := []rune(string(raw))
	if len(text) > 200 {
		return string(text[:200]) + "…"
	}
	return string(text)
}

func (s *state) stateRollback() *cobra.Command {
	var to, reason string
	c := s.verb("rollback [NAMESPACE/]NAME --to SERIAL", "Make an earlier version of a state the newest one", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		v, err := client.Post[client.StateVersion](c.Context(), api, versionPath(args[0], to)+"/rollback", map[string]string{"reason": reason})
		return told(c, err, "the state of %s is as in %s, with serial %d; what was built since stays: see `roadbed stack plan %s`", args[0], to, v.Serial, args[0])
	})
	c.Example = "  roadbed state rollback shop-infra --to 12 --reason \"the import was wrong\""
	c.Flags().StringVar(&to, "to", "", "`serial` or id of the version")
	c.Flags().StringVar(&reason, "reason", "", "why, for the ledger, as `text`")
	_ = c.MarkFlagRequired("to") // the flag is defined above
	return c
}

func (s *state) stateLock() *cobra.Command {
	var reason string
	c := s.verb("lock [NAMESPACE/]NAME", "Take the lock of a state, so that nothing writes it", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		err := api.Do(c.Context(), "POST", "/stacks/"+named(args[0])+"/lock", nil, map[string]string{"reason": reason}, nil)
		return told(c, err, "the state of %s is locked; `roadbed state unlock %s` frees it", args[0], args[0])
	})
	c.Flags().StringVar(&reason, "reason", "", "why, for whoever is held back, as `text`")
	return c
}

func (s *state) stateUnlock() *cobra.Command {
	var force bool
	c := s.verb("unlock [NAMESPACE/]NAME", "Free the lock of a state that you took", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		query := url.Values{"mine": {"true"}}
		if force {
			query = nil
		}
		err := api.Do(c.Context(), "POST", "/stacks/"+named(args[0])+"/unlock", query, nil, nil)
		return told(c, err, "the state of %s is free", args[0])
	})
	c.Flags().BoolVar(&force, "force", false, "whoever holds it; only when that is surely gone")
	return c
}

func (s *state) statePull() *cobra.Command {
	var version string
	c := s.verb("pull [NAMESPACE/]NAME", "Write a state to standard output, secrets and all", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		namespace, name, _ := strings.Cut(named(args[0]), "/")
		data, err := api.PullState(c.Context(), namespace, name, version)
		if err != nil {
			return err
		}
		_, err = c.OutOrStdout().Write(data)
		return err
	})
	c.Example = "  umask 077; roadbed state pull shop-infra > shop.tfstate"
	c.Flags().StringVar(&version, "version", "latest", "`serial` or id of the version")
	return c
}

// stateMost bounds a state that is pushed, in bytes, as the server does.
const stateMost = 256 << 20

func (s *state) statePush() *cobra.Command {
	var force bool
	c := s.verb("push [NAMESPACE/]NAME FILE", "Take up a state from outside as the newest version", cobra.ExactArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		in := c.InOrStdin()
		if args[1] != "-" {
			file, err := os.Open(args[1])
			if err != nil {
				return fault.Errorf(fault.Invalid, "open the state: %w", err)
			}
			defer file.Close()
			in = file
		}
		data, err := io.ReadAll(io.LimitReader(in, stateMost+1))
		if err != nil {
			return fault.Errorf(fault.Invalid, "read the state: %w", err)
		}
		if len(data) > stateMost {
			return fault.Errorf(fault.TooLarge, "%s is larger than %d bytes", args[1], stateMost)
		}
		namespace, name, _ := strings.Cut(named(args[0]), "/")
		return told(c, api.PushState(c.Context(), namespace, name, data, force), "%s is the newest version of the state of %s", args[1], args[0])
	})
	c.Long = "Take up a state from outside as the newest version; - reads it from standard input. Its serial must be above the\nnewest one's, and its lineage the same." + exitHelp
	c.Example = "  terraform state pull > old.tfstate\n  roadbed state push shop-infra old.tfstate"
	c.Flags().BoolVar(&force, "force", false, "though its serial is lower or its lineage another (stack:state-force)")
	return c
}

func (s *state) stateMove() *cobra.Command {
	var to string
	var try bool
	c := s.verb("move [NAMESPACE/]NAME --to [NAMESPACE/]NAME ADDRESS…", "Move resources to the state of another stack", cobra.MinimumNArgs(2), func(c *cobra.Command, api *client.Client, args []string) error {
		m, err := client.Post[client.MovedResources](c.Context(), api, "/stacks/"+named(args[0])+"/move-resources",
			map[string]any{"to": to, "addresses": args[1:], "try": try})
		if err != nil {
			return err
		}
		err = s.show(c, m, func(w io.Writer) {
			for _, address := range m.Addresses {
				fmt.Fprintln(w, address)
			}
		})
		if err != nil {
			return err
		}
		words := "moved %d to %s; move their code before the next plan"
		if try {
			words = "would move %d to %s; nothing was written"
		}
		return told(c, nil, words, m.Count, to)
	})
	c.Long = "Move resources from the state of one stack to that of another, in one transaction. An ADDRESS is of an instance, of a\nresource with all its instances, or of a module with all in it. What is built is not touched." + exitHelp
	c.Example = "  roadbed state move shop-infra --to shop-data module.db aws_s3_bucket.dumps"
	c.Flags().StringVar(&to, "to", "", "the other `stack`")
	c.Flags().BoolVar(&try, "try", false, "tell what would move, and write nothing")
	_ = c.MarkFlagRequired("to") // the flag is defined above
	return c
}
