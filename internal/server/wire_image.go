package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// images lets the node run what is in the embedded registry. Delivery has checked that the application may use it.
type images struct{ house *House }

func (i images) Unpack(ctx context.Context, image, dest string) (node.ImageConfig, error) {
	r, err := oci.ParseReference(image)
	if err != nil {
		return node.ImageConfig{}, err
	}
	if r.Host != delivery.RegistryHost {
		return node.ImageConfig{}, fault.Errorf(fault.Invalid, "this machine runs images of its own registry alone; write %s/NAMESPACE/NAME@sha256:… instead of %s", delivery.RegistryHost, image)
	}
	reference := string(r.Digest)
	if reference == "" {
		reference = r.Tag
	}
	repository, err := i.house.Repositories.Platform().Get(ctx, r.Repository)
	if err != nil {
		return node.ImageConfig{}, err
	}
	found, err := i.house.Registry.Image(ctx, repository.ID, reference, oci.ThisPlatform())
	if err != nil {
		return node.ImageConfig{}, err
	}
	if err := os.Remove(dest); err != nil && !errors.Is(err, fs.ErrNotExist) { // Unpack makes it, whole or not at all
		return node.ImageConfig{}, fault.Wrap(err, "clear the folder of the image")
	}
	c, err := oci.Unpack(ctx, found, dest, oci.UnpackLimits{})
	if err != nil {
		return node.ImageConfig{}, fault.Wrap(err, "unpack %s", image)
	}
	out := node.ImageConfig{Digest: string(c.Digest), Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, WorkingDir: c.Dir}
	for _, p := range c.Ports {
		number, protocol, _ := strings.Cut(p, "/")
		if n, err := strconv.Atoi(number); err == nil && (protocol == "" || protocol == "tcp") {
			out.Ports = append(out.Ports, n)
		}
	}
	return out, nil
}

// The registry is tidied some time after the start, which it would only slow down, and then now and then.
const (
	firstTidy = 5 * time.Minute
	tidyEvery = time.Hour
)

// tidyRegistry removes what nothing in the registry names, such as uploads whose step or server was killed, until ctx
// ends. Each server has files of its own, so each does it.
func (h *House) tidyRegistry(ctx context.Context) error {
	timer := time.NewTimer(firstTidy)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
		timer.Reset(tidyEvery)
		c, err := h.tidyOnce(ctx)
		if err != nil && ctx.Err() == nil {
			h.Log.Error("tidy the registry", "error", err)
		}
		if c.Uploads+c.Links+c.Blobs > 0 {
			h.Log.Info("tidied the registry", "uploads", c.Uploads, "links", c.Links, "blobs", c.Blobs, "bytes", c.Bytes)
		}
	}
}

// tidyOnce also drops the images of repositories that are gone.
func (h *House) tidyOnce(ctx context.Context) (oci.Collected, error) {
	kept, err := h.Registry.Repositories(ctx)
	if err != nil {
		return oci.Collected{}, err
	}
	for _, id := range kept {
		exists, err := h.Repositories.Platform().Exists(ctx, id)
		if err == nil && !exists {
			err = h.Registry.Drop(id)
		}
		if err != nil {
			return oci.Collected{}, err
		}
	}
	return h.Registry.Collect(ctx)
}
