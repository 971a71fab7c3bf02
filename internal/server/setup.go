package server

import (
	"context"
	"embed"
	"io/fs"
	"net"
	"net/url"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ownMigrations gives the table in which the house notes what it has set up.
func ownMigrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "server", FS: files}
}

// SetUp brings an installation to where an administrator can sign in and a golden path can be used, and takes back
// the steps that this server's earlier life had leased. It runs at every start and does each thing once: what
// administrators change or delete later stays as they left it. Meanwhile it builds what answers requests.
func (h *House) SetUp(ctx context.Context) error {
	var both errgroup.Group
	both.Go(func() error { return h.setUp(actor.AsSystem(ctx)) })
	both.Go(func() error {
		h.faces()
		return nil
	})
	return both.Wait()
}

func (h *House) setUp(ctx context.Context) error {
	if err := h.Runs.Release(ctx, h.name); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"administrator", func(ctx context.Context) error { return h.declare(ctx, catalog.SetUpSource, access.FirstSetUp()) }},
		{"policies", func(ctx context.Context) error { return h.declare(ctx, catalog.SetUpSource, policy.Shipped()) }},
	} {
		if err := h.once(ctx, step.name, step.do); err != nil {
			return fault.Wrap(err, "set up: %s", step.name)
		}
	}
	if err := h.shipGoldenPaths(ctx); err != nil {
		return fault.Wrap(err, "set up: golden paths")
	}
	return h.Identity.SetAdmin(ctx, h.Options.AdminToken)
}

// once does a step of the set-up that was never finished before. Steps may be done again after a crash.
func (h *House) once(ctx context.Context, name string, do func(ctx context.Context) error) error {
	done := 0
	err := h.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT COUNT(*) FROM server_setup WHERE step = $1", name).Scan(&done)
	})
	if err != nil || done > 0 {
		return err
	}
	if err := do(ctx); err != nil {
		return err
	}
	return h.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO server_setup (step, done) VALUES ($1,$2) ON CONFLICT DO NOTHING", name, store.Micros(time.Now()))
		return err
	})
}

// declare applies documents in the root space, as the platform's own.
func (h *House) declare(ctx context.Context, source string, documents []document.Document) error {
	_, err := h.Catalog.Apply(ctx, catalog.Apply{Space: access.Root, Source: source, Documents: documents})
	return err
}

// baseURL is how browsers reach the server.
func (h *House) baseURL() string {
	if h.Options.BaseURL != "" {
		return h.Options.BaseURL
	}
	return h.addressBy(h.scheme())
}

// addressBy is where the server listens, for clients on this machine.
func (h *House) addressBy(scheme string) string {
	host, port, err := net.SplitHostPort(h.Options.Listen)
	if err != nil {
		return scheme + "://" + h.Options.Listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// reservedHosts are names under which the portal answers, the machine's own among them, so that no Ingress can take them.
func (h *House) reservedHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if u, err := url.Parse(h.baseURL()); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	return hosts
}
