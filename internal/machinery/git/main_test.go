package git_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if what := os.Getenv("ROADBED_TEST_VICTIM"); what != "" {
		victim(what, os.Getenv("ROADBED_TEST_DIR"))
	}
	goleak.VerifyTestMain(m)
}
