package workflow_test

import (
	"os"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
)

func TestMain(m *testing.M) {
	process.Child()
	os.Exit(m.Run())
}
