// Hostile plays a role of package hostiletest, as a program that needs nothing of an image.
package main

import (
	"os"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute/executetest/hostiletest"
)

func main() {
	if len(os.Args) != 2 || !hostiletest.Play(os.Args[1]) {
		os.Exit(2)
	}
}
