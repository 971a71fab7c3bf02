//go:build !linux || !(amd64 || arm64)

package sandbox

import "os"

// Main is for Linux; elsewhere nothing starts it.
func Main() { os.Exit(2) }
