package oci

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Remote says how to reach a registry.
type Remote struct {
	// Host takes the place of the host that a reference names: how registry.local becomes the address at which
	// the embedded registry listens. "" leaves references as they are.
	Host      string
	PlainHTTP bool
	User      string // with Password; "" and "" is nobody
	Password  string // for Roadbed, a token; any user will do
	Transport http.RoundTripper
}

// Push writes an image under a reference and gives its digest. Content that the registry has is not sent again.
func (c Remote) Push(ctx context.Context, image v1.Image, reference string) (Digest, error) {
	ref, err := c.reference(reference)
	if err != nil {
		return "", err
	}
	hash, err := image.Digest()
	if err != nil {
		return "", fault.Wrap(err, "compute the image's digest")
	}
	if err := remote.Write(ref, image, c.options(ctx)...); err != nil {
		return "", remoteFault(err, "push %s", reference)
	}
	return Digest(hash.String()), nil
}

// Pull finds an image; its layers are read when they are asked for. Of an index, it is the one for platform
// (nil: Linux on amd64).
func (c Remote) Pull(ctx context.Context, reference string, platform *v1.Platform) (v1.Image, error) {
	ref, err := c.reference(reference)
	if err != nil {
		return nil, err
	}
	options := c.options(ctx)
	if platform != nil {
		options = append(options, remote.WithPlatform(*platform))
	}
	image, err := remote.Image(ref, options...)
	if err != nil {
		return nil, remoteFault(err, "pull %s", reference)
	}
	return image, nil
}

func (c Remote) reference(s string) (name.Reference, error) {
	r, err := ParseReference(s)
	if err != nil {
		return nil, err
	}
	if c.Host != "" {
		r.Host = c.Host
	}
	options := []name.Option{name.StrictValidation}
	if c.PlainHTTP {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(r.Host, options...)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%q is not the address of a registry: %w", r.Host, err)
	}
	repository := registry.Repo(r.Repository)
	if r.Digest != "" {
		return repository.Digest(string(r.Digest)), nil
	}
	return repository.Tag(r.Tag), nil
}

func (c Remote) options(ctx context.Context) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx), remote.WithUserAgent("roadbed")}
	if c.User != "" || c.Password != "" {
		options = append(options, remote.WithAuth(&authn.Basic{Username: c.User, Password: c.Password}))
	}
	if c.Transport != nil {
		options = append(options, remote.WithTransport(c.Transport))
	}
	return options
}

// remoteFault tells what a registry's answer means for the caller.
func remoteFault(err error, format string, args ...any) error {
	var answer *transport.Error
	kind := fault.Unavailable
	if errors.As(err, &answer) {
		switch {
		case answer.StatusCode == http.StatusUnauthorized:
			kind = fault.Unauthenticated
		case answer.StatusCode == http.StatusForbidden:
			kind = fault.Denied
		case answer.StatusCode == http.StatusNotFound:
			kind = fault.NotFound
		case answer.StatusCode == http.StatusTooManyRequests:
			kind = fault.Exhausted
		case answer.StatusCode == http.StatusRequestEntityTooLarge:
			kind = fault.TooLarge
		case answer.StatusCode < 500:
			kind = fault.Invalid
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		kind = fault.Canceled
	}
	return fault.Foreign(fault.Errorf(kind, format+": %w", append(args, err)...))
}
