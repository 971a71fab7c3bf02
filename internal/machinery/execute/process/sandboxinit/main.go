// Sandboxinit is the first process of a step's namespaces, as a program of its own: small, so that a step starts
// in a few milliseconds. The process executor embeds it; see process/builtinit.
package main

import "github.com/roadbed-dev/roadbed/internal/machinery/execute/process/sandbox"

func main() { sandbox.Main() }
