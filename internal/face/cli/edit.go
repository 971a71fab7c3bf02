package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *state) edit() *cobra.Command {
	var title, description, owner, lifecycle, system, file, message string
	var tags, add, remove, relations []string
	var dry, propose bool
	c := s.verb("edit REF…", "Change what is declared of entities: by a commit, a proposal or an apply", cobra.MinimumNArgs(1), func(c *cobra.Command, api *client.Client, args []string) error {
		set := client.EntityEdit{AddTags: add, RemoveTags: remove}
		some := len(add)+len(remove) > 0 || file != ""
		for name, to := range map[string]struct {
			into  **string
			value *string
		}{"title": {&set.Title, &title}, "description": {&set.Description, &description}, "owner": {&set.Owner, &owner}, "lifecycle": {&set.Lifecycle, &lifecycle}, "system": {&set.System, &system}} {
			if c.Flags().Changed(name) {
				*to.into, some = to.value, true
			}
		}
		if c.Flags().Changed("tags") {
			tags = slices.DeleteFunc(tags, func(tag string) bool { return tag == "" })
			set.Tags, some = &tags, true
		}
		for _, relation := range relations {
			name, refs, found := strings.Cut(relation, "=")
			if !found || name == "" {
				return Usage(fault.Errorf(fault.Invalid, "--relation %q names no field; write it as dependsOn=component:default/a,resource:default/b", relation))
			}
			if set.Relations == nil {
				set.Relations, some = map[string][]string{}, true
			}
			set.Relations[name] = append([]string{}, strings.FieldsFunc(refs, func(r rune) bool { return r == ',' || r == ' ' })...)
		}
		if !some {
			return Usage(fault.Errorf(fault.Invalid, "there is nothing to change; name a field, such as --owner, or a file with -f"))
		}
		in := map[string]any{"refs": args, "set": set, "message": message, "propose": propose, "dryRun": dry}
		if file != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return fault.Errorf(fault.Invalid, "read the document: %w", err)
			}
			in["document"] = string(text)
		}
		var done client.Edited
		if err := api.Do(c.Context(), "POST", "/edits", nil, in, &done); err != nil {
			return err
		}
		if err := s.show(c, done, func(w io.Writer) { showEdited(w, done, dry) }); err != nil {
			return err
		}
		if len(done.Refused) > 0 {
			return fault.Errorf(fault.Conflict, "%d of %d could not be changed", len(done.Refused), len(args))
		}
		return nil
	})
	c.Example = "  roadbed edit shop --owner checkout --dry-run\n  roadbed edit component:shop api:shop --add-tags pci -m \"In scope\"\n  roadbed edit shop --relation dependsOn=resource:default/orders\n  roadbed edit shop -f shop.yaml --propose"
	c.Flags().StringVar(&title, "title", "", "`title`; an empty one takes it away")
	c.Flags().StringVar(&description, "description", "", "`description`; an empty one takes it away")
	c.Flags().StringVar(&owner, "owner", "", "`owner`, such as group:default/payments")
	c.Flags().StringVar(&lifecycle, "lifecycle", "", "`lifecycle`, such as production")
	c.Flags().StringVar(&system, "system", "", "`system`; an empty one takes it away")
	c.Flags().StringArrayVar(&relations, "relation", nil, "`relation` and its references in place of those it has, with commas, such as dependsOn=component:a,resource:b; none after the = takes them away; may be given several times")
	c.Flags().StringSliceVar(&tags, "tags", nil, "`tags` in place of those it has")
	c.Flags().StringSliceVar(&add, "add-tags", nil, "`tags` that are to be there")
	c.Flags().StringSliceVar(&remove, "remove-tags", nil, "`tags` that are to go")
	c.Flags().StringVarP(&file, "file", "f", "", "`file` with the whole document of the one entity")
	c.Flags().StringVarP(&message, "message", "m", "", "`message` of commits and proposals")
	c.Flags().BoolVar(&propose, "propose", false, "open a proposal also where you may push")
	c.Flags().BoolVar(&dry, "dry-run", false, "only tell what would be done")
	c.MarkFlagsMutuallyExclusive("tags", "add-tags")
	c.MarkFlagsMutuallyExclusive("tags", "remove-tags")
	return c
}

func showEdited(w io.Writer, e client.Edited, dry bool) {
	for _, d := range e.Deeds {
		what := map[string]string{"apply": "applied in space " + d.Space, "commit": "committed to " + d.Branch + " of " + d.Repository, "proposal": "proposed in " + d.Repository}[d.Way]
		switch {
		case dry:
			what = "would be " + what
		case d.Proposal > 0:
			what += fmt.Sprintf(" as #%d", d.Proposal)
		case d.Commit != "":
			what += fmt.Sprintf(" as %.8s", d.Commit)
		}
		for _, c := range d.Changes {
			fmt.Fprintf(w, "%s\t%s\n", c.Ref, what)
			for line := range strings.Lines(c.Diff) {
				fmt.Fprintf(w, "\t%s\n", strings.TrimSuffix(line, "\n"))
			}
		}
	}
	for _, r := range e.Refused {
		fmt.Fprintf(w, "%s\tnot changed: %s\n", r.Ref, r.Why)
	}
	if len(e.Deeds)+len(e.Refused) == 0 {
		fmt.Fprintln(w, "nothing changes")
	}
}
