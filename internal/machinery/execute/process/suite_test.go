package process

import (
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/executetest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	t.Run("isolated", func(t *testing.T) {
		t.Parallel()
		if e := open(t); !e.Capabilities().Isolated {
			without(t, "no isolation here: ", e.Capabilities().Missing)
		}
		executetest.Run(t, "", func(t *testing.T) execute.Executor { return open(t) })
	})
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		executetest.Run(t, "", func(t *testing.T) execute.Executor {
			e := open(t)
			e.withoutIsolation()
			return e
		})
	})
}
