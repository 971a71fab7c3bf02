package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Exit codes of every verb.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitDenied   = 3
	exitNotFound = 4
	exitConflict = 5
	exitAgain    = 6  // an agent is to be started anew
	exitChanges  = 2  // of a preview that was asked for it, as with the engines' own -detailed-exitcode
	exitWaiting  = 10 // a run waits for approval
	exitStopped  = 130
)

// codes is the one map from faults to exit codes.
var codes = map[fault.Kind]int{
	fault.Invalid: exitFailed, fault.Unauthenticated: exitDenied, fault.Denied: exitDenied, fault.NotFound: exitNotFound,
	fault.Conflict: exitConflict, fault.Stale: exitConflict,
}

const exitHelp = `

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 not found, 5 conflict, 130 stopped.`

// waitHelp is for verbs that may wait for a run.
const waitHelp = exitHelp + " Where it waits for a run: 1 the run failed, 10 it waits for approval."

// waiting ends a verb with code 10.
var errWaiting = errors.New("waits for approval")

// ErrAgain ends an agent that the server wants started anew, with code 6.
var ErrAgain = errors.New("the server asks this agent to be started anew")

// usageError is a wrong call of a verb.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage makes an error the fault of how a verb was called.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// state is what all verbs share: where the server is and how answers are shown.
type state struct {
	url, server string
	output      format
}

// New gives the root command with the verbs of the client.
func New(version string) *cobra.Command {
	s := &state{output: "table"}
	root := &cobra.Command{
		Use: "roadbed", Short: "Golden paths, infrastructure, pipelines and delivery as one system",
		Long: `Roadbed is an internal developer platform in one program: the server, its workers and this client.

Try it with "roadbed demo", or start a server with "roadbed server --dev". The client finds its server by
ROADBED_URL and ROADBED_TOKEN, or by "roadbed login", which remembers several.

A name may have a namespace before it, as in payments/shop; without one it is in the namespace default.` + exitHelp,
		Version: version, SilenceErrors: true, SilenceUsage: true,
	}
	root.PersistentFlags().StringVar(&s.url, "url", "", "`address` of the server (ROADBED_URL)")
	root.PersistentFlags().StringVar(&s.server, "server", "", "`name` of a server that login remembers (ROADBED_SERVER)")
	root.MarkFlagsMutuallyExclusive("url", "server")
	_ = root.RegisterFlagCompletionFunc("server", func(c *cobra.Command, _ []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return loginNames(c, nil, text)
	}) // the flag is defined above
	root.PersistentFlags().VarP(&s.output, "output", "o", "table, json or yaml")
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { help(c.OutOrStdout(), c) })
	root.SetUsageFunc(func(c *cobra.Command) error { usage(c.OutOrStderr(), c); return nil })
	root.AddGroup(groups()...)
	root.AddCommand(in(groupStart, s.login(), s.logout(), s.whoami(), s.status(), s.health(), s.newFrom())...)
	root.AddCommand(in(groupKnow, s.get(), s.describe(), s.search(), s.edit(), s.star(), s.unstar(), s.views(), s.apply(), s.diff(), s.remove(), s.graph(), s.impact(), s.owners(), s.owned(), s.history(), s.whatChanged(), s.ledger(), s.locations(), s.sources(), s.discoveries(), s.docs(), s.definitions(), s.scorecards(), s.metrics(), s.findings(), s.radars(), s.kinds())...)
	root.AddCommand(in(groupDo, s.runs(), s.templates(), s.stacks(), s.modules(), s.providers(), s.states(), s.resources(), s.contexts(), s.context(), s.mirror(), s.workflows(), s.apps(), s.repos(), s.proposals(), s.policies(), s.integrations(), s.webhooks(), s.pools())...)
	root.AddCommand(in(groupAccess, s.credential(), s.tokens(), s.machines(), s.oidc(), s.directories(), s.sessions(), s.secrets())...)
	root.AddCommand(versionVerb(version))
	return root
}

// Run executes the command line and gives the exit code; what went wrong is told on standard error.
func Run(root *cobra.Command, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // what does not end by the first signal ends by the second
	root.SetArgs(args)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	strict(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errWaiting) {
		return exitWaiting
	}
	if errors.Is(err, errChanges) {
		return exitChanges
	}
	if errors.Is(err, ErrAgain) {
		fmt.Fprintln(root.ErrOrStderr(), "roadbed:", err)
		return exitAgain
	}
	if errors.Is(err, context.Canceled) { // by a signal: nothing else ends the context of a verb
		fmt.Fprintln(root.ErrOrStderr(), "roadbed: stopped")
		return exitStopped
	}
	fmt.Fprintln(root.ErrOrStderr(), "roadbed:", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	if code, ok := codes[fault.KindOf(err)]; ok {
		return code
	}
	return exitFailed
}

// told tells people that something was done, which programs know by the exit code.
func told(c *cobra.Command, err error, format string, args ...any) error {
	if err == nil {
		fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...)
	}
	return err
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// verb makes a command whose work gets the client.
func (s *state) verb(use, short string, args cobra.PositionalArgs, run func(c *cobra.Command, api *client.Client, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: short + "." + exitHelp, Args: args,
		RunE: func(c *cobra.Command, args []string) error {
			api, err := s.client()
			if err != nil {
				return err
			}
			return run(c, api, args)
		},
	}
}

// group makes a command that only holds others.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(verbs...)
	return c
}

// show writes an answer as the user wants it; table writes it for people.
func (s *state) show(c *cobra.Command, value any, table func(w io.Writer)) error {
	out := c.OutOrStdout()
	switch s.output {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	case "yaml":
		raw, err := json.Marshal(value)
		if err != nil {
			return err
		}
		var tree any
		if err := yaml.Unmarshal(raw, &tree); err != nil {
			return err
		}
		return yaml.NewEncoder(out).Encode(tree)
	}
	w := tabwriter.NewWriter(plain{out}, 0, 4, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// format is how answers are shown.
type format string

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }

func (f *format) Set(text string) error {
	switch text {
	case "table", "json", "yaml":
		*f = format(text)
		return nil
	}
	return errors.New("it is table, json or yaml")
}

// plain is a terminal that text of others does not steer: what moves its cursor or colours it is left out.
type plain struct{ io.Writer }

func (p plain) Write(text []byte) (int, error) {
	_, err := p.Writer.Write(bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text))
	return len(text), err
}

// ago tells a time as people say it.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return t.Local().Format("2006-01-02")
}

func short(commit string) string {
	if len(commit) > 8 {
		return commit[:8]
	}
	return commit
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// named splits NAMESPACE/NAME; the namespace may be left out.
func named(text string) string {
	if _, rest, ok := strings.Cut(text, ":"); ok {
		text = rest
	}
	if !strings.Contains(text, "/") {
		return "default/" + text
	}
	return text
}
