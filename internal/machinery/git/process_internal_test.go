package git

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The output of a real command, which comes by a pipe, is bounded too.
func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	g, err := New("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "repo.git")
	if err := g.Init(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	echo := call{dir: dir, args: []string{"rev-parse", "--sq-quote", strings.Repeat("x", 5000)}, limit: 1000}
	if out, err := g.output(t.Context(), echo); !fault.Is(err, fault.TooLarge) {
		t.Errorf("%d bytes of output, %v", len(out), err)
	}
	echo.limit = 6000
	if _, err := g.output(t.Context(), echo); err != nil {
		t.Error(err)
	}
}
