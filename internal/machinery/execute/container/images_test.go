//go:build linux && (amd64 || arm64)

package container

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container/containertest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestWhichImagesAreAllowed(t *testing.T) {
	t.Parallel()
	a, err := allow("golang", []string{"registry.example.com/ci/*", "alpine:3.20", "quay.io/team/**", "ghcr.io/acme/tools*"})
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]string{
		"":                                       "docker.io/library/golang:latest",
		"golang":                                 "docker.io/library/golang:latest",
		"docker.io/library/golang:latest":        "docker.io/library/golang:latest",
		"golang:1.26":                            "-",
		"golang:latest/../x":                     "!",
		"registry.example.com/ci/base:1":         "registry.example.com/ci/base:1",
		"registry.example.com/ci/base":           "registry.example.com/ci/base:latest",
		"registry.example.com/ci/a/b":            "-",
		"registry.example.com/other":             "-",
		"registry.example.com.evil.test/ci/base": "-",
		"alpine:3.20":                            "docker.io/library/alpine:3.20",
		"alpine":                                 "-",
		"evil.test/alpine:3.20":                  "-",
		"quay.io/team/a/b:2":                     "quay.io/team/a/b:2",
		"quay.io/teams/a":                        "-",
		"ghcr.io/acme/tools-go@sha256:0123456789012345678901234567890123456789012345678901234567890123": "ghcr.io/acme/tools-go@sha256:0123456789012345678901234567890123456789012345678901234567890123",
		"UPPER":                  "!",
		"a b":                    "!",
		strings.Repeat("a", 501): "!",
	} {
		got, err := a.take(image)
		switch {
		case want == "-" && !fault.Is(err, fault.Denied), want == "!" && !fault.Is(err, fault.Invalid), len(want) > 1 && (err != nil || got != want):
			t.Errorf("%q gives %q, %v; want %s", image, got, err, want)
		}
	}
	every, err := allow("golang", []string{"**"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := every.take("any.test/where/at:all"); err != nil {
		t.Error(err)
	}
	for _, wrong := range []Options{{}, {Image: "UPPER"}, {Image: "a", Allow: []string{"b c"}}, {Image: "a", Allow: []string{""}}, {Image: "a", Host: "tcp://10.0.0.1:2375"}, {Image: "a", Host: "unix://relative"}} {
		if err := Check(wrong); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v gives %v", wrong, err)
		}
	}
}

func allowedImages(t *testing.T, e *Executor, engine *containertest.Engine, _ string) {
	spec := execute.Spec{ID: "image", Image: "roadbed.test/other:1", Argv: []string{"true"}}
	_, err := execute.Run(t.Context(), e, spec, nil)
	if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), containertest.Shell) || !strings.Contains(err.Error(), "--container-allow") {
		t.Errorf("an image that is not allowed gives %v", err)
	}
	if err := e.May("roadbed.test/other:1"); !fault.Is(err, fault.Denied) {
		t.Errorf("it may be: %v", err)
	}
	if out, err := engine.Podman(nil, "tag", containertest.Shell, "roadbed.test/other:1"); err != nil {
		t.Fatal(out, err)
	}
	other := open(t, engine, func(o *Options) { o.Allow = []string{"roadbed.test/*"} })
	if result, err := execute.Run(t.Context(), other, spec, nil); err != nil || result.ExitCode != 0 {
		t.Errorf("an image that is allowed gives %+v, %v", result, err)
	}
}

// An image that is not there is pulled: from a registry that has none, and from one that never answers.
func missingImage(t *testing.T, _ *Executor, engine *containertest.Engine, _ string) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	e := open(t, engine, func(o *Options) { o.Allow, o.Pull = []string{"**"}, 3*time.Second })
	for registry, want := range map[string]string{
		strings.TrimPrefix(empty.URL, "http://"): "can't be pulled",
		silent.Addr().String():                   "could not be pulled within 3s",
	} {
		var out bytes.Buffer
		_, err := execute.Run(t.Context(), e, execute.Spec{ID: "away", Image: registry + "/away:1", Argv: []string{"true"}}, &out)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), registry+"/away:1 is not here") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v", registry, err)
		}
	}
	_, err = New(t.Context(), Options{Dir: t.TempDir(), Host: "unix://" + filepath.Join(t.TempDir(), "none"), Image: "a"})
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "ask the engine") {
		t.Errorf("without an engine: %v", err)
	}
}
