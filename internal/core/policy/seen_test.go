package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
)

// TestWhatIsSeenHasNothingSensitive and leaves what it was given as it is.
func TestWhatIsSeenHasNothingSensitive(t *testing.T) {
	t.Parallel()
	given := map[string]any{"change": map[string]any{"after": map[string]any{"password": "hunter2", "name": "open"}, "after_sensitive": map[string]any{"password": true}}}
	seen, err := policy.Seen(given)
	if text := fmt.Sprint(seen); err != nil || strings.Contains(text, "hunter2") || !strings.Contains(text, "open") {
		t.Errorf("seen is %s, %v", text, err)
	}
	if !strings.Contains(fmt.Sprint(given), "hunter2") {
		t.Error("what was given is changed")
	}
}
