package process

import (
	"os/exec"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// BenchmarkStart compares how long it takes until a program runs, started as it is and in a sandbox: the difference of
// their ns/op is the overhead of a step's start. total-ms is until its end, with all that is removed then. Steps come one
// after the other with a pause, as they do in life: a sandbox is kept ready meanwhile; "burst" has no pause. Run
// `go generate` before, or the test's own program, which is larger, is what starts in the sandbox.
func BenchmarkStart(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		var total time.Duration
		for b.Loop() {
			begun := time.Now()
			cmd := exec.Command("/bin/true")
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := cmd.Wait(); err != nil {
				b.Fatal(err)
			}
			total += time.Since(begun)
			b.StartTimer()
		}
		b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), "total-ms")
	})
	b.Run("isolated", func(b *testing.B) { benchmarkStart(b, 20*time.Millisecond) })
	b.Run("burst", func(b *testing.B) { benchmarkStart(b, 0) })
}

func benchmarkStart(b *testing.B, pause time.Duration) {
	e := open(b)
	if !e.Capabilities().Isolated {
		b.Skip("no isolation here: ", e.Capabilities().Missing)
	}
	spec := execute.Spec{
		ID: "bench", Argv: []string{"/bin/true"}, Workspace: b.TempDir(),
		Limits: execute.Limits{Memory: 256 << 20, Processes: 100, CPU: 2000},
	}
	var total time.Duration
	for b.Loop() {
		begun := time.Now()
		p, err := e.Start(b.Context(), spec, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if r, err := p.Wait(b.Context()); err != nil || r.ExitCode != 0 {
			b.Fatal(r, err)
		}
		total += time.Since(begun)
		time.Sleep(pause)
		b.StartTimer()
	}
	b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), "total-ms")
}
