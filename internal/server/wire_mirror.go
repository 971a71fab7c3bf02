package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/listen"
	packages "github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/mirror"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// releases is how tests reach releases and registries of their own.
type releases struct {
	openTofuKey, terraformKey string
	http                      *http.Transport
}

// providerHosts are the registries from which the mirror fetches.
func (o Options) providerHosts() (hosts []string) {
	for host := range strings.SplitSeq(o.ProviderHosts, ",") {
		if host = strings.ToLower(strings.TrimSpace(host)); host != "" {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 {
		return []string{"registry.opentofu.org", "registry.terraform.io"}
	}
	return hosts
}

func (o Options) checkProviders() error {
	switch o.ProviderMirror {
	case mirrorOff, mirrorOn, mirrorOnly:
	default:
		return fault.Errorf(fault.Invalid, "provider-mirror: %q is none of off, on and only", o.ProviderMirror)
	}
	for _, host := range o.providerHosts() {
		if !packages.ValidHost(host) {
			return fault.Errorf(fault.Invalid, "provider-hosts: %q is not the name of a registry's host, such as registry.opentofu.org", host)
		}
	}
	if o.ProviderSpace < 1 || o.ProviderSpace > 1<<20 {
		return fault.Errorf(fault.Invalid, "provider-space: %d; 1 GiB is the least", o.ProviderSpace)
	}
	for name, address := range map[string]string{"opentofu-releases": o.OpenTofuReleases, "terraform-releases": o.TerraformReleases,
		"kubectl-releases": o.KubectlReleases, "terragrunt-releases": o.TerragruntReleases, "pulumi-releases": o.PulumiReleases} {
		if address != "" && !strings.HasPrefix(address, "https://") {
			return fault.Errorf(fault.Invalid, "%s: it is not an address that begins with https://", name) // it may have a password
		}
	}
	return nil
}

// wireMirror opens the mirror. What is off is fetched by nobody; what was added can be read all the same.
func (h *House) wireMirror() (*mirror.Service, error) {
	o := packages.Options{Dir: h.path("providers"), Room: int64(h.Options.ProviderSpace) << 30, HTTP: h.Outbound.Transport(), Now: time.Now, Log: h.Log}
	if h.Options.releases.http != nil {
		o.HTTP = h.Options.releases.http
	}
	if h.Options.ProviderMirror == mirrorOn {
		o.Upstreams = h.Options.providerHosts()
	}
	store, err := packages.Open(o)
	if err != nil {
		return nil, err
	}
	return mirror.New(mirror.Deps{DB: h.DB, Ledger: h.Ledger, Access: h.Access, Packages: store, Log: h.Log}), nil
}

// providers tells the room of stacks from where engines take their providers.
type providers struct{ h *House }

func (p providers) Mirrors() (on, only bool, hosts []string) {
	o := p.h.Options
	return o.ProviderMirror == mirrorOn || o.ProviderMirror == mirrorOnly, o.ProviderMirror == mirrorOnly, o.providerHosts()
}

func (p providers) Hash(name, version string) string {
	n, err := packages.ParseName(name)
	if err != nil {
		return ""
	}
	return p.h.Mirror.Packages.Hash(n, version)
}

// Where a step finds the authority that vouches for the door, and the providers that it may link to.
const (
	authorityDir = "/tools/authority"
	sharedDir    = "/tools/providers"
)

func (h *House) mirrors() bool { on, _, _ := providers{h}.Mirrors(); return on }

// secureDoor makes the door speak TLS too, since engines take providers by nothing else. Its authority vouches for the
// loopback alone.
func (h *House) secureDoor(door net.Listener) (net.Listener, error) {
	if !h.mirrors() {
		return door, nil
	}
	return secured(door, h.path("authority"), h.path("keys"), time.Now)
}

// secured has a door speak TLS beside HTTP, with an authority whose certificate is alone in a folder that steps are shown.
func secured(door net.Listener, authority, keys string, now func() time.Time) (net.Listener, error) {
	for folder, mode := range map[string]os.FileMode{authority: 0o755, keys: 0o700} {
		if err := os.MkdirAll(folder, mode); err != nil {
			return nil, fault.Errorf(fault.Unavailable, "make the folder of the door's authority: %w", err)
		}
	}
	config, err := listen.Own(filepath.Join(authority, "door.pem"), filepath.Join(keys, "door.key"), []string{"127.0.0.1"}, now)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "make a certificate for the door: %w", err)
	}
	return listen.Both(door, config), nil
}

// withMirror adds to an engine what it takes to reach the mirror.
func (h *House) withMirror(t worker.Tool) worker.Tool {
	if !h.mirrors() {
		return t
	}
	t.Mounts = append(t.Mounts, execute.Mount{Source: h.path("authority"), Target: authorityDir, ReadOnly: true})
	t.Env["ROADBED_AUTHORITY"] = authorityDir
	if h.Executor.Capabilities().Isolated { // else steps could change what others run
		t.Mounts = append(t.Mounts, execute.Mount{Source: filepath.Clean(h.Mirror.Packages.Shared()), Target: sharedDir, ReadOnly: true})
		t.Env["ROADBED_SHARED"] = sharedDir
	}
	return t
}

// lend brings the tools that the default pool does not keep ready.
func (h *House) lend(ctx context.Context, _ worker.Lease, tool string, log io.Writer) (worker.Tool, error) {
	if name, wanted, ok := stack.ParseProgram(tool); ok {
		p, err := h.engine.bring(ctx, name, wanted, log)
		if err != nil {
			return worker.Tool{}, err
		}
		return worker.Beside(name, p.Path), nil
	}
	t, err := h.engine.lend(ctx, tool, log)
	if err != nil {
		return t, err
	}
	return h.reachingRegistry(h.withMirror(t)), nil
}
