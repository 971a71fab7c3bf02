package stack

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/opentofu/tofudl"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// EngineVersion is the OpenTofu that is downloaded, or built by `make tools`, when the machine has none.
const EngineVersion = "1.12.6"

// How long a download waits for the other side. Who waits for it, such as `make demo`, can build an engine instead.
const (
	connecting = 10 * time.Second // for the name and the connection, and again for its encryption
	answering  = 20 * time.Second // for the beginning of an answer
	complete   = 5 * time.Minute  // for all of it
)

// Engine programs by the names under which they are looked for on PATH, in order.
var engineNames = [...]string{"tofu", "terraform"}

// FindEngine gives the program that plans and applies, in this order: the configured path, tofu or terraform on
// PATH, one that was downloaded or built into one of the folders before. "" when there is none; Download may bring one.
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

// BuiltEngine is the folder into which `make tools` builds the engine and `roadbed engine` downloads it; "" where the machine has no folder for caches.
func BuiltEngine() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "roadbed", "tofu-"+EngineVersion)
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

// Download brings OpenTofu into dir, with its checksum verified, and gives the program. Unavailable without a network.
func Download(ctx context.Context, dir string) (string, error) {
	return download(ctx, dir, EngineVersion)
}

func download(ctx context.Context, dir string, version tofudl.Version, from ...tofudl.ConfigOpt) (string, error) {
	ctx, stop := context.WithTimeout(ctx, complete)
	defer stop()
	// A client of its own: without one the library would change the one that everybody shares.
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13},
		DialContext: (&net.Dialer{Timeout: connecting}).DialContext, TLSHandshakeTimeout: connecting, ResponseHeaderTimeout: answering,
	}}
	defer client.CloseIdleConnections()
	dl, err := tofudl.New(append(from, tofudl.ConfigHTTPClient(client))...)
	if err != nil {
		return "", fault.Wrap(err, "prepare the download of OpenTofu")
	}
	binary, err := dl.Download(ctx, tofudl.DownloadOptVersion(version))
	if err != nil {
		return "", fault.Errorf(fault.Unavailable, "download OpenTofu %s: %w; without a network, run make tools or put tofu on the PATH", version, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fault.Wrap(err, "make %s", dir)
	}
	temp, err := os.CreateTemp(dir, ".tofu-*")
	if err != nil {
		return "", fault.Wrap(err, "store OpenTofu")
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(binary)
	if err == nil {
		err = temp.Chmod(0o755)
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	path := filepath.Join(dir, "tofu")
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	return path, fault.Wrap(err, "store OpenTofu")
}

// EngineIn gives the path at which a program of the host stands inside a step, below the tool's folder.
func EngineIn(tool, program string) string {
	return strings.TrimSuffix(tool, "/") + "/" + filepath.Base(program)
}
