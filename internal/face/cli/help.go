package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// columns is how wide help is at most, so that it fits any terminal.
const columns = 80

// Groups of verbs in the help of the program.
const (
	groupStart  = "start"
	groupKnow   = "know"
	groupDo     = "do"
	groupAccess = "access"
	GroupServer = "server" // of the verbs that run a server or work on its data
)

func groups() []*cobra.Group {
	return []*cobra.Group{
		{ID: groupStart, Title: "To begin:"}, {ID: groupKnow, Title: "What there is, and what changed:"},
		{ID: groupDo, Title: "What is done:"}, {ID: groupAccess, Title: "Who may:"}, {ID: GroupServer, Title: "A server of your own:"},
	}
}

// in puts verbs into a group.
func in(group string, verbs ...*cobra.Command) []*cobra.Command {
	for _, v := range verbs {
		v.GroupID = group
	}
	return verbs
}

// help writes what a command does and how it is called.
func help(w io.Writer, c *cobra.Command) {
	fmt.Fprintln(w, wrap(first(c.Long, c.Short+"."), columns))
	usage(w, c)
}

func usage(w io.Writer, c *cobra.Command) {
	fmt.Fprint(w, "\nUsage:\n")
	if c.Runnable() && c.Annotations[isGroup] == "" {
		fmt.Fprintf(w, "  %s\n", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(w, "  %s COMMAND\n", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	verbs := func(title, group string) {
		for _, sub := range c.Commands() {
			if sub.GroupID != group || !sub.IsAvailableCommand() && sub.Name() != "help" {
				continue
			}
			if title != "" {
				fmt.Fprintf(w, "\n%s\n", title)
				title = ""
			}
			name := fmt.Sprintf("  %-*s ", sub.NamePadding(), sub.Name())
			fmt.Fprintln(w, name+strings.ReplaceAll(wrap(sub.Short, columns-len(name)), "\n", "\n"+strings.Repeat(" ", len(name))))
		}
	}
	for _, g := range c.Groups() {
		verbs(g.Title, g.ID)
	}
	rest := "Commands:"
	if len(c.Groups()) > 0 {
		rest = "Besides:"
	}
	verbs(rest, "")
	if c.HasAvailableLocalFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", c.LocalFlags().FlagUsagesWrapped(columns))
	}
	if c.HasAvailableInheritedFlags() && !ownServer(c) {
		fmt.Fprintf(w, "\nGlobal flags:\n%s", c.InheritedFlags().FlagUsagesWrapped(columns))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s COMMAND --help tells more of a command.\n", c.CommandPath())
	}
}

// ownServer tells whether a command has no use for the flags that say which server is meant, and how it answers.
func ownServer(c *cobra.Command) bool {
	return c.GroupID == GroupServer || c.HasParent() && ownServer(c.Parent())
}

// wrap breaks paragraphs into lines of a width; lines that are indented stay as they are.
func wrap(text string, width int) string {
	var lines []string
	open := false // whether the last line goes on
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if strings.TrimSpace(line) == "" || strings.TrimLeft(line, " \t") != line {
			lines, open = append(lines, line), false
			continue
		}
		for _, word := range strings.Fields(line) {
			last := len(lines) - 1
			if open && utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) <= width {
				lines[last] += " " + word
				continue
			}
			lines, open = append(lines, word), true
		}
	}
	return strings.Join(lines, "\n")
}
