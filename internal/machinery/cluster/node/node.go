package node

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Options are what a node is built of. Zero numbers take the default that is named.
type Options struct {
	Name     string // of this node, [a-z0-9-]{1,20}; default "local". Its rows in SQL carry it
	Dir      string // folder of the node alone: images, pods, the key of secrets; made when missing
	DB       *store.DB
	Executor execute.Executor
	Images   Images
	Now      func() time.Time
	Log      *slog.Logger

	Domains       []string       // below which the hosts of Ingresses lie; none for any host name
	ReservedHosts []string       // host names that no Ingress may take, such as the portal's
	Limits        execute.Limits // of a pod that sets none; Memory, CPU, Processes and Disk are used
	Most          execute.Limits // that a pod may ask for; Memory and Disk are used, 0 is any
	MaxReplicas   int            // of one Deployment; default 20
	MaxPods       int            // of the whole node; default 100
	LogBytes      int64          // kept of each container's output; default 8 MiB
	Shutdown      time.Duration  // how long pods get to end when Run's context ends; default 10 s
	CrashDelay    time.Duration  // first wait before a crashed container is started again; doubles up to 30 times it; default 10 s
}

// Node runs Deployments on this machine. See the package's description.
type Node struct {
	name, dir, sockets string
	db                 *store.DB
	exec               execute.Executor
	images             *imageCache
	now                func() time.Time
	log                *slog.Logger
	sealer             *sealer
	domains, reserved  []string
	limits             execute.Limits
	bounds             bounds
	maxPods            int
	logBytes           int64
	shutdown           time.Duration
	crashDelay         time.Duration

	changing sync.Mutex // one change of desired state at a time: Apply, Delete, Restart, a reconcile's scaling
	loading  sync.Mutex
	wake     chan struct{}
	watchers watchers
	events   journal
	routes   atomic.Pointer[routes]
	proxy    *proxy
	doors    doors

	mu        sync.Mutex // guards all below; never held while waiting
	loaded    bool
	running   context.Context // of Run; nil while the node does not run
	life      context.Context // ends when every pod that is still there is killed
	kill      context.CancelFunc
	work      sync.WaitGroup // goroutines of pods
	objects   map[cluster.Key]*object
	revisions map[cluster.Key][]*revision // by Deployment, oldest number first
	progress  map[cluster.Key]progress
	pods      map[cluster.Key]*pod
	applied   chan struct{} // closed and made anew when objects change
}

// bounds are what one manifest may ask for; 0 of most is any.
type bounds struct {
	replicas int
	most     execute.Limits
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)

// New gives a node over what is in the database. It makes the node's folder; it starts nothing.
func New(o Options) (*Node, error) {
	if o.Name == "" {
		o.Name = "local"
	}
	if !namePattern.MatchString(o.Name) {
		return nil, fault.Errorf(fault.Invalid, "the name of the node is %q; write at most 20 of a-z, 0-9 and -", o.Name)
	}
	dir, err := filepath.Abs(o.Dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "make the node's folder: %w", err)
	}
	keeper, err := openSealer(dir)
	if err != nil {
		return nil, err
	}
	sockets, err := socketDir(dir)
	if err != nil {
		return nil, err
	}
	n := &Node{
		name: o.Name, dir: dir, sockets: sockets, db: o.DB, exec: o.Executor, now: o.Now, log: o.Log.With("node", o.Name), sealer: keeper,
		limits: o.Limits, bounds: bounds{replicas: or(o.MaxReplicas, 20), most: o.Most}, maxPods: or(o.MaxPods, 100), logBytes: or(o.LogBytes, 8<<20),
		shutdown: or(o.Shutdown, 10*time.Second), crashDelay: or(o.CrashDelay, 10*time.Second),
		wake: make(chan struct{}, 1), watchers: watchers{all: map[*watcher]struct{}{}}, events: journal{now: o.Now, all: map[string][]cluster.Event{}},
		objects: map[cluster.Key]*object{}, revisions: map[cluster.Key][]*revision{}, progress: map[cluster.Key]progress{}, pods: map[cluster.Key]*pod{}, applied: make(chan struct{}),
	}
	for _, domain := range o.Domains {
		n.domains = append(n.domains, hostName(domain))
	}
	for _, host := range o.ReservedHosts {
		n.reserved = append(n.reserved, hostName(host))
	}
	n.images = &imageCache{dir: filepath.Join(dir, "images"), source: o.Images, busy: map[string]*sync.Mutex{}}
	n.routes.Store(&routes{})
	n.proxy = newProxy(n)
	return n, nil
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// podPrefix begins the ids of this node's processes, so that reaping leaves those of others alone.
func (n *Node) podPrefix() string { return "pod-" + n.name + "-" }

// Run ends what an earlier life left behind, starts what should run, and keeps it so until ctx ends; then it ends
// all pods, giving them Options.Shutdown. It may be called once.
func (n *Node) Run(ctx context.Context) error {
	if err := n.load(ctx); err != nil {
		return err
	}
	mine := n.podPrefix()
	if err := n.exec.Reap(ctx, func(id string) bool { return !strings.HasPrefix(id, mine) }); err != nil {
		return fault.Wrap(err, "end the pods of an earlier life")
	}
	if err := n.clean(); err != nil {
		return fault.Errorf(fault.Unavailable, "clean the node's folder: %w", err)
	}
	n.mu.Lock()
	if n.running != nil {
		n.mu.Unlock()
		return fault.Errorf(fault.Conflict, "the node runs already")
	}
	n.running = ctx
	n.life, n.kill = context.WithCancel(context.WithoutCancel(ctx))
	n.mu.Unlock()
	defer n.stop()
	if c := n.exec.Capabilities(); !c.Isolated {
		n.log.Warn("pods are not isolated on this machine: they share its ports, so that two of them can't listen at the same one", "missing", c.Missing)
	}
	n.pruneImages()
	pruned := n.now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := n.reconcile(ctx)
		if n.now().Sub(pruned) > freshImage {
			pruned = n.now()
			n.pruneImages()
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-timer.C:
		}
	}
}

// clean removes what pods of an earlier life left in the node's folder.
func (n *Node) clean() error {
	for _, dir := range []string{filepath.Join(n.dir, "pods"), n.sockets} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil { // never into a folder that somebody else has made meanwhile
			return err
		}
	}
	return n.images.clean()
}

// stop ends all pods and waits for them. Those that are still there after Options.Shutdown, whatever their own grace,
// are killed.
func (n *Node) stop() {
	defer n.kill()
	defer time.AfterFunc(n.shutdown, n.kill).Stop()
	n.mu.Lock()
	for _, p := range n.pods {
		n.terminateLocked(p)
	}
	n.mu.Unlock()
	n.work.Wait()
	n.doors.close()
	n.proxy.close()
	if err := os.RemoveAll(n.sockets); err != nil {
		n.log.Warn("can't remove the folder of sockets", "error", err)
	}
}

// poke has Run look again soon.
func (n *Node) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Health implements cluster.Cluster.
func (n *Node) Health(o cluster.Object) (cluster.Health, string) { return cluster.Assess(o) }
