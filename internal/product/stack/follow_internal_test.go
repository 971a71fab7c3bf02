package stack

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestAnOutputFitsIntoAVariable(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{`"eu"`: "eu", `["a","b"]`: `["a","b"]`, `7`: "7"} {
		if got, err := fitting("stack:default/net", "x", json.RawMessage(value)); err != nil || got != want {
			t.Errorf("%s is %q, %v", value, got, err)
		}
	}
	for _, value := range []string{`"` + strings.Repeat("x", mostOutput+1) + `"`, `"a\u0000b"`} {
		if _, err := fitting("stack:default/net", "x", json.RawMessage(value)); !fault.Is(err, fault.TooLarge) || !strings.Contains(err.Error(), "output x of stack:default/net") {
			t.Errorf("%.20s: %v", value, err)
		}
	}
}
