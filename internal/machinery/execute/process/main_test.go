package process

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

func TestMain(m *testing.M) {
	Child()
	if role := os.Getenv("PROCESS_TEST_ROLE"); role != "" {
		play(role)
		return
	}
	// A step that can read its server's environment finds this.
	os.Setenv("SERVER_SECRET", "the-servers-own-secret")
	goleak.VerifyTestMain(m)
}

// open gives an executor in a folder of the test's own.
func open(t testing.TB) *Executor {
	t.Helper()
	lacktest.Programs()
	e, err := New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}
