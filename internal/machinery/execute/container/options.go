package container

import (
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Options say how steps run in containers.
type Options struct {
	Dir   string        // the executor's own: what it needs for running steps
	Host  string        // unix:///PATH of the engine's socket; "" for the usual ones
	Image string        // of steps that ask for none
	Allow []string      // patterns of images that steps may ask for besides
	Pull  time.Duration // longest that an image is pulled; 0 for ten minutes
	Log   *slog.Logger
}

const defaultPull = 10 * time.Minute

// Check refuses options that can't be right, without asking the engine.
func Check(o Options) error {
	if o.Image == "" {
		return fault.Errorf(fault.Invalid, "container-image: name the image of steps that ask for none, such as registry.example.com/ci/base:1")
	}
	if _, err := allow(o.Image, o.Allow); err != nil {
		return err
	}
	if o.Host != "" && !strings.HasPrefix(o.Host, "unix:///") {
		return fault.Errorf(fault.Invalid, "container-host: %q is not unix:///PATH; the engine must be on this machine, since steps are shown its folders", o.Host)
	}
	return nil
}

// host gives where the engine is: as said, or the first of the usual sockets that is there.
func (o Options) host() (string, error) {
	if o.Host != "" {
		return o.Host, nil
	}
	places := []string{"/run/podman/podman.sock", "/var/run/docker.sock"}
	if own := os.Getenv("XDG_RUNTIME_DIR"); own != "" && os.Geteuid() != 0 {
		places = append([]string{own + "/podman/podman.sock", own + "/docker.sock"}, places...)
	}
	for _, place := range places {
		if info, err := os.Stat(place); err == nil && info.Mode()&os.ModeSocket != 0 {
			return "unix://" + place, nil
		}
	}
	return "", fault.Errorf(fault.Unavailable, "there is no engine of containers at %s; start one (podman system service, or Docker), or name its socket with --container-host", strings.Join(places, ", "))
}
