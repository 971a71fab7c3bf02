package server

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/core/oidc"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/pool"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/face/api"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/machinery/once"
	"github.com/roadbed-dev/roadbed/internal/machinery/outbound"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/product/directory"
	"github.com/roadbed-dev/roadbed/internal/product/discovery"
	"github.com/roadbed-dev/roadbed/internal/product/docs"
	"github.com/roadbed-dev/roadbed/internal/product/insight"
	"github.com/roadbed-dev/roadbed/internal/product/mirror"
	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/product/registry"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/product/search"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/product/trigger"
	"github.com/roadbed-dev/roadbed/internal/product/webhook"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// House is every room, built and joined.
type House struct {
	Options Options
	Version string
	Log     *slog.Logger
	name    string   // see serverName
	lock    *os.File // the data folder is this house's alone
	ending  atomic.Bool

	DB       *store.DB
	Ledger   *ledger.Ledger
	Queue    *queue.Queue
	Blob     *blob.Files
	Registry *oci.Registry
	Executor *process.Executor // applications, and steps unless they are containers
	Steps    execute.Executor
	Outbound *outbound.Guard // dials what users name
	Egress   *outbound.Proxy // the same for git
	Node     *node.Node

	Kinds        *document.Registry
	Access       *access.Service
	Keeper       *secret.Keeper
	Secrets      *secret.Service
	OIDC         *oidc.Service
	Policy       *policy.Service
	Identity     *identity.Service
	Catalog      *catalog.Service
	Integrations *integration.Service
	Hooks        *hook.Service
	Repositories *repository.Service
	Runs         *run.Service
	Pools        *pool.Service

	Scaffold  *scaffold.Service
	Stacks    *stack.Service
	Workflows *workflow.Service
	Delivery  *delivery.Service
	Triggers  *trigger.Service
	Webhooks  *webhook.Service
	Proposals *proposal.Service
	Docs      *docs.Service
	Search    *search.Service
	Discovery *discovery.Service
	Insight   *insight.Service
	Modules   *registry.Service

	Directories *directory.Service
	Mirror      *mirror.Service

	API    *api.API
	engine *engine
	meters *meters
}

func (h *House) path(parts ...string) string {
	return filepath.Join(append([]string{h.Options.Data}, parts...)...)
}

// Migrations gives the tables of all rooms, in the order in which they are made.
func Migrations() []store.Migrations {
	return []store.Migrations{
		ledger.Migrations(), queue.Migrations(), once.Migrations(), access.Migrations(), secret.Migrations(), oidc.Migrations(), policy.Migrations(), identity.Migrations(),
		catalog.Migrations(), integration.Migrations(), hook.Migrations(), repository.Migrations(), run.Migrations(), pool.Migrations(), scaffold.Migrations(), stack.Migrations(),
		delivery.Migrations(), trigger.Migrations(), proposal.Migrations(), docs.Migrations(), discovery.Migrations(), insight.Migrations(), registry.Migrations(), directory.Migrations(), webhook.Migrations(), node.Migrations(), ownMigrations(),
	}
}

// Open opens the data folder and the database, brings its tables up to date, and builds every room. Close it.
func Open(ctx context.Context, o Options, version string, log *slog.Logger) (*House, error) {
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return nil, fault.Errorf(fault.Unavailable, "make the data folder: %w", err)
	}
	h := &House{Options: o, Version: version, Log: log, meters: newMeters()}
	var err error
	if h.lock, err = lockFolder(o.Data); err != nil {
		return nil, err
	}
	if h.DB, err = store.Open(ctx, o.Database, log); err != nil {
		return nil, errors.Join(err, h.lock.Close())
	}
	if err := h.build(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Close lets go of files and connections.
func (h *House) Close() error {
	var all []error
	if h.Executor != nil {
		h.Executor.Close()
	}
	if e, ok := h.Steps.(*container.Executor); ok {
		all = append(all, e.Close())
	}
	if h.Registry != nil {
		all = append(all, h.Registry.Close())
	}
	if h.Egress != nil {
		all = append(all, h.Egress.Close())
	}
	return errors.Join(append(all, h.DB.Close(), h.lock.Close())...)
}

func (h *House) build(ctx context.Context) error {
	var both errgroup.Group // each takes a good part of a start
	both.Go(func() error { return fault.Wrap(h.DB.Migrate(ctx, Migrations()...), "bring the database up to date") })
	both.Go(func() (err error) {
		h.Executor, h.Steps, err = h.Options.executors(ctx, h.path("sandboxes"), h.path("containers"), h.Log)
		return fault.Wrap(err, "prepare to run steps")
	})
	if err := both.Wait(); err != nil {
		return err
	}
	if err := h.machinery(); err != nil {
		return err
	}
	if err := h.core(); err != nil {
		return err
	}
	return h.products()
}

func (h *House) machinery() (err error) {
	h.Ledger = ledger.New(h.DB, time.Now, h.Log)
	if h.name, err = serverName(h.path(nameFile)); err != nil {
		return err
	}
	if err := h.settleIn(); err != nil {
		return err
	}
	h.Queue = queue.New(h.DB, h.Log)
	h.meters.registry.MustRegister(work{h})
	h.Queue.As(h.name)
	if h.Outbound, err = h.Options.guard(); err != nil {
		return err
	}
	if h.Egress, err = h.Outbound.Proxy(h.Log); err != nil {
		return err
	}
	if h.Blob, err = blob.OpenFiles(h.path("blobs")); err != nil {
		return fault.Wrap(err, "open the blobs")
	}
	if h.Registry, err = oci.Open(h.path("registry"), oci.Options{Log: h.Log}); err != nil {
		return err
	}
	if err := os.MkdirAll(h.path("tools"), 0o755); err != nil {
		return fault.Errorf(fault.Unavailable, "make the folder of tools: %w", err)
	}
	h.engine = findEngine(h.Options, h.path("tools"), h.Log)
	h.Node, err = node.New(node.Options{
		Dir: h.path("node"), DB: h.DB, Executor: h.Executor, Images: images{h}, Now: time.Now, Log: h.Log,
		Domains: h.Options.domains(), ReservedHosts: h.reservedHosts(),
		Limits: execute.Limits{Memory: min(2<<30, h.most().Memory), Processes: 1024, Disk: 4 << 30}, // of a container that sets none
		Most:   execute.Limits{Memory: h.most().Memory, Disk: 20 << 30},
	})
	return fault.Wrap(err, "prepare the node")
}

func (h *House) core() (err error) {
	h.Kinds = document.NewRegistry()
	h.Access = access.New(h.DB, h.Ledger, time.Now, h.Log)
	if h.Keeper, err = secret.OpenKeeper(h.path("keys")); err != nil {
		return err
	}
	h.Secrets = secret.New(h.DB, h.Access, h.Ledger, h.Keeper, time.Now)
	h.OIDC = oidc.New(h.DB, h.Access, h.Ledger, h.Keeper, strings.TrimSuffix(h.baseURL(), "/"), time.Now)
	h.Policy = policy.New(h.DB, h.Blob, h.Access, h.Ledger, time.Now, h.Log)
	h.Identity = identity.New(h.DB, h.Access, h.Ledger, time.Now, h.Log)
	h.Identity.JudgedBy(h.Policy)
	h.Policy.Names(h.people)
	h.Catalog = catalog.New(h.DB, h.Kinds, h.Access, h.Ledger, h.Queue, time.Now, h.Log)
	h.Policy.Lends(policy.Lending{Changed: h.Identity.LoginChanged, Trusts: func(ctx context.Context, source string) (bool, error) {
		return h.Catalog.TrustedFor(ctx, source, "RoleBinding")
	}})
	h.Catalog.OnDistrust(h.Identity.LoginChanged)
	h.Catalog.KeepIndex(h.path("cache", "catalog.index"))
	h.Integrations = integration.New(integration.Deps{
		DB: h.DB, Access: h.Access, Secrets: h.Secrets, Ledger: h.Ledger, Queue: h.Queue,
		Base: h.Outbound.Transport(), Server: h.name, Now: time.Now, Log: h.Log,
	})
	h.Hooks = h.wireHook()
	program, err := git.New("", h.Log)
	if err != nil {
		return fault.Wrap(err, "find git")
	}
	h.Repositories, err = repository.New(h.DB, h.Access, h.Ledger, program, h.path("repositories"), time.Now, h.Log)
	if err != nil {
		return err
	}
	large, err := blob.OpenFiles(h.path("lfs"))
	if err != nil {
		return fault.Wrap(err, "open the files of Git LFS")
	}
	h.Repositories.KeepLarge(large)
	h.Repositories.Bound(h.Options.limits())
	h.Repositories.Portal(h.baseURL())
	h.Repositories.Grace(h.Options.Grace)
	h.Repositories.Join(repository.OutsideOptions{
		Forges: forges{h.Integrations}, Accounts: h.Identity, Proxy: h.Egress.URL(), Cache: int64(h.Options.CloneCache) << 30,
	})
	h.Hooks.Connect("repositories", h.Repositories)
	h.Repositories.Touching(h.Catalog.Touched)
	h.Repositories.Reaches(repository.Reach{Check: h.Outbound.Check, Proxy: h.Egress.URL(), HTTP: h.Outbound.Transport(), Secrets: h.Secrets, Seal: h.Keeper})
	h.Catalog.Read(h.Repositories.Platform())
	h.Catalog.Connects(h.connect)
	h.Catalog.Know(h.Identity)
	h.Catalog.Addresses(h.baseURL())
	h.Runs = run.NewService(run.Deps{
		DB: h.DB, Ledger: h.Ledger, Blob: h.Blob, Access: h.Access, Tokens: h.Identity, IDs: h.OIDC, Secrets: h.Secrets, Seal: h.Keeper, Now: time.Now, Log: h.Log,
	})
	h.wirePools()
	for _, k := range access.Kinds(h.Access) {
		h.Kinds.Register(k)
	}
	for _, k := range policy.Kinds(h.Policy) {
		h.Kinds.Register(k)
	}
	for _, k := range integration.Kinds(h.Integrations) {
		h.Kinds.Register(k)
	}
	return nil
}

func (h *House) products() error {
	var err error
	if h.Mirror, err = h.wireMirror(); err != nil {
		return err
	}
	h.Webhooks = h.wireWebhooks()
	h.Stacks = stack.New(stack.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Blob: h.Blob, Access: h.Access, Policy: h.Policy, Runs: h.Runs,
		Repositories: h.Repositories.Platform(), Documents: h.Catalog, People: h.Identity, Pools: h.Pools, Proposals: proposalFacts{h}, Outbox: outbox{h.Webhooks}, Modules: moduleFacts{h}, Seal: h.Keeper, Most: h.most(), PushRuns: h.Options.PushRuns,
		BaseURL: strings.TrimSuffix(h.baseURL(), "/"), Now: time.Now, Log: h.Log,
		Engines: h.engine, Providers: providers{h}, Images: h.stepImages(), PoolImages: h.agentImages(),
	})
	h.Workflows = h.wireWorkflow()
	if h.Scaffold, err = h.wireScaffold(); err != nil {
		return fault.Wrap(err, "prepare golden paths")
	}
	h.Triggers = trigger.New(trigger.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Access: h.Access, Runs: h.Runs, Repositories: h.Repositories.Platform(),
		Workflows: submitter{h.Workflows}, Now: time.Now, Log: h.Log,
	})
	h.Proposals = proposal.New(proposal.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Access: h.Access, Repositories: h.Repositories, Catalog: h.Catalog, Runs: h.Runs, People: h.Identity,
		Outside: outsiders{h}, BaseURL: strings.TrimSuffix(h.baseURL(), "/"), Words: stackWords(), Now: time.Now, Log: h.Log,
	})
	h.Docs = docs.New(docs.Deps{
		DB: h.DB, Ledger: h.Ledger, Queue: h.Queue, Access: h.Access, Catalog: h.Catalog, Repositories: h.Repositories,
		BaseURL: strings.TrimSuffix(h.baseURL(), "/"), API: api.Prefix, Now: time.Now, Log: h.Log,
	})
	h.Search = h.wireSearch()
	h.Discovery = discovery.New(discovery.Deps{
		DB: h.DB, Ledger: h.Ledger, Access: h.Access, Catalog: h.Catalog, Integrations: h.Integrations, Repositories: h.Repositories, Now: time.Now, Log: h.Log,
	})
	h.Hooks.Connect("discoveries", h.Discovery)
	h.Insight = h.wireInsight()
	h.Modules = h.wireRegistry()
	h.Directories = h.wireDirectory()
	h.Delivery = h.wireDelivery(map[string]cluster.Cluster{delivery.LocalCluster: h.Node})
	for _, k := range []document.Kind{
		stack.DocumentKind(h.Stacks), stack.ContextKind(h.Stacks), stack.SetKind(h.Stacks), stack.PriceKind(h.Stacks), scaffold.DocumentKind(),
		delivery.DocumentKind(h.Delivery), trigger.DocumentKind(h.Triggers), proposal.DocumentKind(h.Proposals),
		discovery.DocumentKind(h.Discovery),
	} {
		h.Kinds.Register(k)
	}
	for _, k := range slices.Concat(workflow.Kinds(h.Workflows), insight.Kinds(h.Insight), registry.Kinds(h.Modules), directory.Kinds(h.Directories), webhook.Kinds(h.Webhooks)) {
		h.Kinds.Register(k)
	}
	return nil
}

func (h *House) faces() {
	h.API = api.New(api.Rooms{
		DB: h.DB, Ledger: h.Ledger, Access: h.Access, Identity: h.Identity, Secrets: h.Secrets, OIDC: h.OIDC, Policy: h.Policy, Kinds: h.Kinds, Catalog: h.Catalog,
		Hooks: h.Hooks, Repositories: h.Repositories, Runs: h.Runs, Pools: h.Pools, Stacks: h.Stacks, Workflows: h.Workflows, Scaffold: h.Scaffold, Delivery: h.Delivery,
		Triggers: h.Triggers, Webhooks: h.Webhooks, Integrations: h.Integrations, Proposals: h.Proposals, Docs: h.Docs, Search: h.Search, Discovery: h.Discovery, Insight: h.Insight, Modules: h.Modules, Directories: h.Directories, Mirror: h.Mirror, Once: once.New(h.DB, time.Now, h.name),
	}, api.Options{Version: h.Version, BaseURL: strings.TrimSuffix(h.Options.BaseURL, "/"), Features: h.features, Now: time.Now, Log: h.Log})
}

func (h *House) features() api.Features {
	c := h.capabilities()
	return api.Features{Isolated: c.Isolated, Isolation: c.Missing, Executor: c.Name, Engine: h.engine.path(), Database: string(h.DB.Dialect())}
}

// Run keeps every actor of the house going until ctx ends or one of them fails.
func (h *House) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	system := actor.AsSystem(ctx)
	for name, run := range map[string]func(context.Context) error{
		"access": h.Access.Run, "identity": h.Identity.Run, "ledger": h.Ledger.Run, "queue": h.Queue.Run, "repositories": h.Repositories.Run,
		"runs": h.Runs.Run, "pools": h.Pools.Run, "node": h.Node.Run, "delivery": h.Delivery.Run, "catalog": h.Catalog.Run, "engine": h.engine.run, "scaffold": h.Scaffold.Run,
		"registry": h.tidyRegistry, "integrations": h.Integrations.Run, "hooks": h.Hooks.Run, "search": h.Search.Run, "discovery": h.Discovery.Run, "egress": h.Egress.Run,
		"mirror": h.Mirror.Run,
	} {
		group.Go(func() error { return fault.Wrap(run(system), "%s", name) })
	}
	for _, w := range h.workers(ctx) {
		group.Go(func() error { return w.Run(system) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
