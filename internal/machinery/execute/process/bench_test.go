package process

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// BenchmarkStart tells how much later a step's program runs in a sandbox than it would if it were just started
// (overhead-ms): the difference of the medians of starts that take turns, so that what else the machine does hurts both.
// start-ms is the sandbox's, end-ms from there to the end of the program, its sandbox and all that was made for it.
// A pause between the steps gives time to make the next sandbox ready; "burst" has none. Run `go generate`
// before, or the test's own program, which is larger, is what starts in the sandbox.
func BenchmarkStart(b *testing.B) {
	b.Run("steady", func(b *testing.B) { benchmarkStart(b, 25*time.Millisecond) })
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
	var plain, isolated, end []time.Duration
	for b.Loop() {
		begun := time.Now()
		cmd := exec.Command("/bin/true")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		plain = append(plain, time.Since(begun))
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		time.Sleep(pause)
		begun = time.Now()
		p, err := e.Start(b.Context(), spec, nil)
		if err != nil {
			b.Fatal(err)
		}
		isolated = append(isolated, time.Since(begun))
		begun = time.Now()
		if r, err := p.Wait(b.Context()); err != nil || r.ExitCode != 0 {
			b.Fatal(r, err)
		}
		end = append(end, time.Since(begun))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(isolated)-median(plain), "overhead-ms")
	b.ReportMetric(median(isolated), "start-ms")
	b.ReportMetric(median(end), "end-ms")
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2].Microseconds()) / 1000
}
