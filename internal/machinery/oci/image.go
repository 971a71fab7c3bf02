package oci

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"runtime"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxConfig bounds an image's configuration.
const maxConfig = 4 << 20

// Config is what a runtime needs to know of an image.
type Config struct {
	Digest     Digest // of the image's manifest, also when an index was asked for
	Entrypoint []string
	Cmd        []string
	Env        []string // NAME=value
	Dir        string
	User       string
	Ports      []string // 8080/tcp, in order
	Labels     map[string]string
	OS, Arch   string
}

// ConfigOf reads an image's configuration.
func ConfigOf(image v1.Image) (Config, error) {
	hash, err := image.Digest()
	if err != nil {
		return Config{}, fault.Wrap(err, "read the image")
	}
	f, err := image.ConfigFile()
	if err != nil {
		return Config{}, fault.Wrap(err, "read the image's configuration")
	}
	return Config{
		Digest: Digest(hash.String()), Entrypoint: f.Config.Entrypoint, Cmd: f.Config.Cmd, Env: f.Config.Env,
		Dir: f.Config.WorkingDir, User: f.Config.User, Ports: slices.Sorted(maps.Keys(f.Config.ExposedPorts)),
		Labels: f.Config.Labels, OS: f.OS, Arch: f.Architecture,
	}, nil
}

// Image gives an image of the registry, without rights asked, for the machine itself. Of an index it is the one
// for platform. NotFound when there is none.
func (r *Registry) Image(ctx context.Context, name, reference string, platform v1.Platform) (v1.Image, error) {
	m, err := r.Manifest(ctx, name, reference)
	if err != nil {
		return nil, err
	}
	doc, _, err := parseManifest(m.MediaType, m.Content)
	if err != nil {
		return nil, err
	}
	if m.MediaType == TypeIndex || m.MediaType == TypeDockerList {
		child, err := pick(doc.Manifests, platform)
		if err != nil {
			return nil, fault.Wrap(err, "image %s of %s", reference, name)
		}
		if m, err = r.Manifest(ctx, name, string(child)); err != nil {
			return nil, err
		}
		if doc, _, err = parseManifest(m.MediaType, m.Content); err != nil {
			return nil, err
		}
		if doc.Config == nil {
			return nil, fault.Errorf(fault.Invalid, "image %s of %s is an index of indexes", reference, name)
		}
	}
	stored := &storedImage{ctx: ctx, registry: r, name: name, manifest: m, config: *doc.Config}
	image, err := partial.CompressedToImage(stored)
	return image, fault.Wrap(err, "open image %s of %s", reference, name)
}

func pick(from []Descriptor, want v1.Platform) (Digest, error) {
	for _, d := range from {
		p := d.Platform
		if p != nil && p.OS == want.OS && p.Architecture == want.Architecture && (want.Variant == "" || p.Variant == want.Variant) {
			return d.Digest, nil
		}
	}
	return "", fault.Errorf(fault.NotFound, "there is no image for %s/%s", want.OS, want.Architecture)
}

// storedImage reads an image from a registry's folder.
type storedImage struct {
	ctx      context.Context // of the call that asked for the image: v1's interfaces take none
	registry *Registry
	name     string
	manifest Manifest
	config   Descriptor
}

func (i *storedImage) RawManifest() ([]byte, error) { return i.manifest.Content, nil }
func (i *storedImage) MediaType() (types.MediaType, error) {
	return types.MediaType(i.manifest.MediaType), nil
}

func (i *storedImage) RawConfigFile() ([]byte, error) {
	b, err := i.registry.OpenBlob(i.ctx, i.name, i.config.Digest)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	content, err := io.ReadAll(io.LimitReader(b, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxConfig {
		return nil, fault.Errorf(fault.TooLarge, "the image's configuration is over %d bytes", maxConfig)
	}
	if digestOf(content) != i.config.Digest {
		return nil, fault.Errorf(fault.Internal, "the stored configuration %s has other content; push the image again", i.config.Digest)
	}
	return content, nil
}

func (i *storedImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	var m v1.Manifest
	if err := json.Unmarshal(i.manifest.Content, &m); err != nil {
		return nil, err
	}
	for _, d := range append(m.Layers, m.Config) {
		if d.Digest == h {
			return &storedLayer{i, d}, nil
		}
	}
	return nil, fault.Errorf(fault.NotFound, "the image has no layer %s", h)
}

type storedLayer struct {
	image      *storedImage
	descriptor v1.Descriptor
}

func (l *storedLayer) Digest() (v1.Hash, error)            { return l.descriptor.Digest, nil }
func (l *storedLayer) Size() (int64, error)                { return l.descriptor.Size, nil }
func (l *storedLayer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }
func (l *storedLayer) Compressed() (io.ReadCloser, error) {
	return l.image.registry.OpenBlob(l.image.ctx, l.image.name, Digest(l.descriptor.Digest.String()))
}

// ThisPlatform is Linux on this machine's architecture.
func ThisPlatform() v1.Platform { return v1.Platform{OS: "linux", Architecture: runtime.GOARCH} }
