//go:build linux

package process

import (
	"os/exec"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// BenchmarkStart compares a program that does nothing, started as it is and in a sandbox; the difference is the
// overhead of a step's start and end. Run `go generate` before, or the test binary itself is the sandbox's helper.
func BenchmarkStart(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("isolated", func(b *testing.B) {
		e := open(b)
		spec := execute.Spec{ID: "bench", Argv: []string{"/bin/true"}, Workspace: b.TempDir(),
			Limits: execute.Limits{Memory: 256 << 20, Processes: 100, CPU: 2000}}
		for b.Loop() {
			if r, err := execute.Run(b.Context(), e, spec, nil); err != nil || r.ExitCode != 0 {
				b.Fatal(r, err)
			}
		}
	})
}
