package server

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/face/cli"
	workerremote "github.com/roadbed-dev/roadbed/internal/machinery/worker/remote"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// AgentOptions say how an agent runs. Options holds those that it shares with a server.
type AgentOptions struct {
	Options
	Server    string
	TokenFile string
	Name      string
	Dir       string
	Parallel  int
	CA        string
	InClear   bool
	Spool     int // MiB of a step's log
	Ends      time.Duration
}

// sharedOptions are those of a server that an agent has, too.
var sharedOptions = []string{"engine", "download-engine", "opentofu-releases", "terraform-releases", "kubectl-releases", "terragrunt-releases", "pulumi-releases", "provider-space", "network", "isolation",
	"executor", "container-host", "container-image", "container-allow", "step-memory", "step-time", "log-level", "log-format"}

func agentCommand(version string) *cobra.Command {
	c := &cobra.Command{
		Use: "agent", Short: "Run steps of a worker pool on this machine", Args: cobra.NoArgs,
		Long: `Runs steps of a worker pool on this machine. It asks the server for them, over HTTPS, and needs no port of its own.

The token is one of the pool (roadbed pool token create). While the server is away, steps go on; what they say is kept
on disk and sent afterwards. A first signal drains: nothing more is taken, and what runs has --drain to end.

Exit codes: 0 stopped when asked to, 1 ended by an error, 2 wrong options, 3 the token is not taken, 5 another agent has the folder or the name, 6 it is to be started anew (roadbed pool cycle).`,
		Example: "  roadbed agent --server https://roadbed.example.com --token-file agent.token",
	}
	rows := slices.DeleteFunc(table(), func(r option) bool { return !slices.Contains(sharedOptions, r.name) })
	shared := bindRows(c.Flags(), "agent", rows)
	var o AgentOptions
	host, _ := os.Hostname()
	flags := c.Flags()
	flags.StringVar(&o.Server, "server", os.Getenv(environment("agent-server")), "`address` of the server (ROADBED_AGENT_SERVER)")
	flags.StringVar(&o.TokenFile, "token-file", os.Getenv(environment("agent-token-file")), "`file` with a token of the pool; it is read again when it changes (ROADBED_AGENT_TOKEN_FILE)")
	flags.StringVar(&o.Name, "name", host, "`name` of this agent, of which its pool has one")
	flags.StringVar(&o.Dir, "dir", "./roadbed-agent", "`folder` for workspaces and caches, of this agent alone")
	flags.IntVar(&o.Parallel, "parallel", max(2, runtime.NumCPU()), "`number` of steps that run at once")
	flags.StringVar(&o.CA, "ca", "", "`file` with authorities in PEM that the server's certificate may be of, beside the machine's")
	flags.BoolVar(&o.InClear, "in-clear", false, "take http:// to another machine; secrets of steps go in clear then")
	flags.IntVar(&o.Spool, "log-spool", 64, "`MiB` of each step's log that are kept on disk while the server is away")
	flags.DurationVar(&o.Ends, "drain", 10*time.Minute, "longest `time` that running steps may take to end when the agent is asked to stop")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if o.Options, err = shared(); err == nil {
			err = o.complete()
		}
		if err != nil {
			return cli.Usage(err)
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return RunAgent(ctx, o, version)
	}
	return c
}

// complete checks the options and fills in what follows from others.
func (o *AgentOptions) complete() (err error) {
	if o.Server == "" || o.TokenFile == "" {
		return fault.Errorf(fault.Invalid, "an agent needs --server and --token-file; the page Pools of the portal has the command to copy")
	}
	if o.Server, err = workerremote.CleanServer(o.Server); err != nil {
		return err
	}
	if u, err := url.Parse(o.Server); err == nil && u.Scheme == "http" && !o.InClear && !loopback(u.Hostname()) {
		return fault.Errorf(fault.Invalid, "%s is not encrypted, and secrets of steps would go in clear; use https://, or allow that with --in-clear", o.Server)
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fault.Errorf(fault.Invalid, "the agent's folder: %w", err)
	}
	o.Data = o.Dir
	o.Name = strings.ToLower(o.Name)
	switch {
	case o.Parallel < 1 || o.Parallel > 1000:
		return fault.Errorf(fault.Invalid, "parallel: %d is not between 1 and 1000", o.Parallel)
	case o.Spool < 0 || o.Spool > 1<<20:
		return fault.Errorf(fault.Invalid, "log-spool: %d is not a number of MiB", o.Spool)
	case o.Ends < 0:
		return fault.Errorf(fault.Invalid, "drain: %s is not a time", o.Ends)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// agentToken gives the token of a file, as it is now.
func agentToken(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	if token == "" || len(token) > 512 || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("%s holds no token", file)
	}
	return token, nil
}
