package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
)

func (s *state) runMark() *cobra.Command {
	ask := client.MarkDependency{}
	c := s.verb("mark NAME", "Say what became of something outside for which runs wait", cobra.ExactArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		if ask.Status == "" {
			return Usage(errors.New("say what became of it: --status finished, --status skipped or --status failed"))
		}
		ask.Name = args[0]
		m, err := client.Post[client.DependencyMarking](c.Context(), api, "/external-dependencies", ask)
		if err != nil {
			return err
		}
		return s.show(c, m, func(w io.Writer) {
			fmt.Fprintf(w, "dependency\t%s\nspace\t%s\nstatus\t%s\nkept\tuntil %s\n", m.Name, m.Space, m.Status, m.Until.Local().Format("2006-01-02 15:04"))
			if !m.New {
				fmt.Fprintf(w, "new\tno: it was said before\n")
			}
			for _, r := range m.Runs {
				fmt.Fprintf(w, "run %s\t%s\t%s\n", r.ID, r.Subject, r.Says)
			}
			if len(m.Runs) == 0 {
				fmt.Fprintf(w, "runs\tnone that you may see waits for it; it counts for those that begin to\n")
			}
			if m.More {
				fmt.Fprintf(w, "runs\tthere are older ones\n")
			}
		})
	})
	c.Long = `Say that an external dependency of runs is finished, skipped or failed. A push
policy names it by its rule external_dependency, and the run that the push
begins stays queued until then; one that failed fails the run. It holds for all
runs of the space and of those below, also for runs that begin within a week,
so that a build may end before the push arrives. It takes stack:apply.` + exitHelp
	c.Example = "  roadbed run mark \"$COMMIT-image-build\" --status finished --space payments\n  roadbed run mark \"$COMMIT-image-build\" --status failed --note \"$BUILD_URL\""
	c.Flags().StringVar(&ask.Status, "status", "", "what became of it: finished, skipped or failed")
	c.Flags().StringVar(&ask.Space, "space", "", "`space` for whose runs it holds, and those below;\nthe root space when not given")
	c.Flags().StringVar(&ask.Note, "note", "", "a `text` that its runs show, such as the address of the build")
	return c
}

// writeExternal tells for what outside a run waits, or did.
func writeExternal(w io.Writer, r client.RunDetail) {
	for _, d := range r.External {
		by := ""
		if d.By != nil && d.Marked != nil {
			by = fmt.Sprintf("by %s, %s", d.By.Name, ago(*d.Marked))
		}
		if d.Note != "" {
			by += ": " + d.Note
		}
		fmt.Fprintf(w, "external %s\t%s\t%s\n", d.Name, d.Status, by)
	}
}
