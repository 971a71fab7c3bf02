// Command roadbed is the whole platform: the server, the client and the demo.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/face/cli"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/server"
)

// version is set by the build.
var version = "dev"

func main() {
	process.Child() // does not return when this process is to be the first of a sandbox
	os.Exit(cli.Run(root(), os.Args[1:]))
}

// root gives every verb of the program.
func root() *cobra.Command {
	c := cli.New(version)
	c.AddCommand(server.Commands(version)...)
	for _, group := range c.Commands() {
		group.AddCommand(server.Within()[group.Name()]...)
	}
	return c
}
