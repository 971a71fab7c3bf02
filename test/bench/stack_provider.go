package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/roadbed-dev/roadbed/client"
)

// The provider that `make provider` builds.
const nullVersion = "3.2.1"

// providerFigures measures what stackFigures does, of 50 resources of a provider, which the repository's lock file names. The
// platform's mirror has it; the engine that is bare finds it unpacked in a folder, so that it fetches nothing either.
func providerFigures(ctx context.Context, b *bench) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(filepath.Join(cache, "roadbed", "provider-null-"+nullVersion, "terraform-provider-null"))
	if err != nil {
		return fmt.Errorf("%w; run make provider first", err)
	}
	s, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	unpacked, platform := filepath.Join(b.dir, "unpacked"), runtime.GOOS+"_"+runtime.GOARCH
	archive, name := new(bytes.Buffer), "terraform-provider-null_v"+nullVersion
	w := zip.NewWriter(archive)
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(0o755)
	f, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	if _, err := f.Write(program); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	for _, host := range []string{"registry.opentofu.org", "registry.terraform.io"} {
		body := client.Raw{Type: "application/zip", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }}
		if err := s.api.Do(ctx, http.MethodPut, "/mirror/providers/"+host+"/hashicorp/null/"+nullVersion+"/"+platform, nil, body, nil); err != nil {
			return err
		}
		folder := filepath.Join(unpacked, host, "hashicorp", "null", nullVersion, platform)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), program, 0o700); err != nil {
			return err
		}
	}
	configuration := filepath.Join(b.dir, "bare.rc")
	if err := os.WriteFile(configuration, fmt.Appendf(nil, "provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", unpacked), 0o600); err != nil {
		return err
	}
	var resources strings.Builder
	fmt.Fprintf(&resources, "terraform {\n  required_providers {\n    null = { source = \"hashicorp/null\", version = %q }\n  }\n}\n", nullVersion)
	for i := range stackResources {
		fmt.Fprintf(&resources, "resource \"null_resource\" \"part%d\" {\n  triggers = { name = \"part %d\", size = \"%d\" }\n}\n", i, i, i*i)
	}
	files := map[string]string{"main.tf": resources.String()}
	engine, err := enginePath(ctx)
	if err != nil {
		return err
	}
	locking := &bareEngine{program: engine, dir: filepath.Join(b.dir, "locking"), files: files, configuration: configuration}
	if err := locking.fresh(); err != nil {
		return err
	}
	if err := locking.run(ctx, "init", "-input=false", "-no-color"); err != nil {
		return err
	}
	const lock = ".terraform.lock.hcl"
	locked, err := os.ReadFile(filepath.Join(locking.dir, lock))
	if err != nil {
		return err
	}
	files[lock] = string(locked)
	return b.besideBare(ctx, s, "provider", files, configuration)
}
