package executetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build gives the path of a static program, built from testdata/peer: it listens on 127.0.0.1:8080, reads each
// connection to its end, passes the bytes on to 127.0.0.1:7070, and answers with both counts. Where nothing can be
// built, ROADBED_TEST_PEER names one that was.
func Build(t *testing.T) string {
	t.Helper()
	if built := os.Getenv("ROADBED_TEST_PEER"); built != "" {
		return built
	}
	program := filepath.Join(t.TempDir(), "peer")
	cmd := exec.Command("go", "build", "-o", program, "github.com/roadbed-dev/roadbed/internal/machinery/execute/executetest/testdata/peer")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the peer: %v\n%s", err, out)
	}
	return program
}
