package stack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestABackendThatIsNotOursIsSeen looks at what an engine notes of backends.
func TestABackendThatIsNotOursIsSeen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backend string
		ours    bool
	}{
		"ours":                    {`"type": "http",` + "\n" + `"config": {` + "\n" + `"address": null,` + "\n" + `"username": null` + "\n" + `},` + "\n" + `"hash": 1`, true},
		"another kind":            {`"type": "local",` + "\n" + `"config": {` + "\n" + `"path": null` + "\n" + `},` + "\n" + `"hash": 1`, false},
		"an address":              {`"type": "http",` + "\n" + `"config": {` + "\n" + `"address": "http://elsewhere",` + "\n" + `"username": null` + "\n" + `}`, false},
		"an address with a brace": {`"type": "http",` + "\n" + `"config": {` + "\n" + `"address": "http://elsewhere/}",` + "\n" + `"username": null` + "\n" + `}`, false},
		"an address that says it": {`"type": "http",` + "\n" + `"config": {` + "\n" + `"address": "http://elsewhere: null",` + "\n" + `"username": null` + "\n" + `}`, false},
		"headers":                 {`"type": "http",` + "\n" + `"config": {` + "\n" + `"headers": {` + "\n" + `"a": null` + "\n" + `}` + "\n" + `}`, false},
		"a number":                {`"type": "http",` + "\n" + `"config": {` + "\n" + `"address": null,` + "\n" + `"retry_max": 3` + "\n" + `}`, false},
		"none":                    {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, content string) string {
				file := filepath.Join(dir, name)
				if err := os.WriteFile(file, []byte(content), 0o700); err != nil {
					t.Fatal(err)
				}
				return file
			}
			kept := write("kept", "{\n\"version\": 3,\n\"backend\": {\n"+c.backend+"\n}\n}\n")
			engine := write("engine", "#!/bin/sh\ncp "+kept+" \"$TF_DATA_DIR/terraform.tfstate\"\n")
			sh := exec.CommandContext(t.Context(), "/bin/sh", "-c", phasing+"set -eu\n"+prepare)
			sh.Env = []string{"PATH=/usr/bin:/bin", "ROADBED_ENGINE=" + engine, "TF_DATA_DIR=" + dir}
			out, err := sh.CombinedOutput()
			if c.ours != (err == nil) || !c.ours && !strings.Contains(string(out), "names a backend") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
