package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// EngineVersion is the OpenTofu that is downloaded, or built by `make tools`, when the machine has none.
const EngineVersion = "1.12.6"

// Engine programs by the names under which they are looked for on PATH, in order.
var engineNames = [...]string{"tofu", "terraform"}

// FindEngine gives the program that plans and applies, in this order: the configured path, tofu or terraform on
// PATH, one that was built into one of the folders before. "" when there is none; machinery/toolchain may bring one.
func FindEngine(configured string, folders ...string) (string, error) {
	if configured != "" {
		path, err := filepath.Abs(configured)
		if err == nil {
			err = executable(path)
		}
		if err != nil {
			return "", fault.Errorf(fault.Invalid, "the configured engine can't be used: %w", err)
		}
		return path, nil
	}
	for _, name := range engineNames {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		for _, name := range engineNames {
			if path := filepath.Join(folder, name); executable(path) == nil {
				return path, nil
			}
		}
	}
	return "", nil
}

// BuiltEngine is the folder into which `make tools` builds the engine; "" where the machine has no folder for caches.
func BuiltEngine() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "roadbed", "tofu-"+EngineVersion)
}

// OwnEngines is the folder into which `roadbed engine` downloads engines for the servers of its user; "" where the machine
// has no folder for caches.
func OwnEngines() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "roadbed", "engines")
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program", path)
	}
	return nil
}

// EngineIn gives the path at which a program of the host stands inside a step, below the tool's folder.
func EngineIn(tool, program string) string {
	return strings.TrimSuffix(tool, "/") + "/" + filepath.Base(program)
}
