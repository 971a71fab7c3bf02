package integration

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Deps are what the service stands on.
type Deps struct {
	DB      *store.DB
	Access  *access.Service
	Secrets *secret.Service
	Ledger  *ledger.Ledger
	Queue   *queue.Queue
	Base    http.RoundTripper // that forges are reached by
	Server  string            // names this server among those of the database: they don't all try at the same moment
	Now     func() time.Time
	Pause   time.Duration // before a forge is asked again what it did not answer; 200 ms when 0
	Log     *slog.Logger
}

// Service keeps integrations. It is safe for concurrent use.
type Service struct {
	Deps

	forges kept[forge.Forge]
	hooks  kept[[]string] // secrets

	declared store.Held[string, Integration]
	stamped  store.Held[string, version] // by the name and the references of the secrets
}

// New gives the service. It needs the tables of Migrations, and Run.
func New(d Deps) *Service {
	s := &Service{Deps: d}
	s.handle()
	return s
}

// Integration is a forge that is declared.
type Integration struct {
	Name  string // NAMESPACE/NAME
	Space string
	Spec  Spec
	Status

	version string
}

// clean gives the full name that is meant; only a full one is taken.
func clean(name string) (string, error) {
	if namespace, rest, ok := strings.Cut(name, "/"); !ok || namespace == "" || rest == "" || len(name) > 200 {
		return "", fault.Errorf(fault.Invalid, "%.200q is not the name of an integration; write NAMESPACE/NAME", name)
	}
	return strings.ToLower(name), nil
}

// Lookup gives an integration to the platform, which asks for no right.
func (s *Service) Lookup(ctx context.Context, name string) (i Integration, err error) {
	if name, err = clean(name); err != nil {
		return i, err
	}
	return s.declared.Of(ctx, s.DB, name, func() (i Integration, err error) {
		err = s.DB.Read(ctx, func(tx *store.Tx) error {
			i, err = byName(ctx, tx, name)
			return err
		})
		return i, err
	})
}

// Get gives an integration to whoever has integration:read in its space; otherwise NotFound.
func (s *Service) Get(ctx context.Context, name string) (Integration, error) {
	i, err := s.Lookup(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return Integration{}, access.NotFound("integration " + name)
	}
	if err != nil {
		return Integration{}, err
	}
	if err := s.Access.ReadOrNotFound(ctx, "integration:read", i.Space, "integration "+name); err != nil {
		return Integration{}, err
	}
	return i, nil
}

// List gives the integrations of the spaces in which the caller has integration:read, by name; space narrows it to one.
func (s *Service) List(ctx context.Context, space string, part page.Request) (list page.Of[Integration], err error) {
	visible, err := s.Access.Spaces(ctx, "integration:read")
	if err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := listed(ctx, tx, visible, space, part)
		list = page.Cut(all, part, func(i Integration) string { return i.Name })
		return err
	})
	return list, fault.Wrap(err, "list integrations")
}

// Forge gives the forge of an integration (NAMESPACE/NAME) with its credentials, to the platform: it asks for no right.
// The same one is given until the document or a secret changes. NotFound when there is no such integration, Conflict
// when a secret is missing, Invalid when the credentials can't be read.
func (s *Service) Forge(ctx context.Context, name string) (forge.Forge, error) {
	_, f, err := obtain(ctx, s, &s.forges, name, Spec.credentialRefs, func(i Integration, values map[string]string) (forge.Forge, error) {
		return s.build(i.Spec, values)
	})
	return f, err
}

// Hooks gives what reads the webhooks of an integration, and the secrets that they may be signed with, to the platform.
// NotFound when there is no such integration or when it takes no webhooks, Conflict when a secret is missing.
func (s *Service) Hooks(ctx context.Context, name string) (forge.Hooks, []string, error) {
	i, secrets, err := obtain(ctx, s, &s.hooks, name, Spec.webhookRefs, func(i Integration, values map[string]string) ([]string, error) {
		return hookSecrets(i.Spec, values)
	})
	if err != nil {
		return nil, nil, err
	}
	return hooksOf(i.Spec.Forge), secrets, nil
}

// obtain gives what make makes of an integration and the secrets that it names: once for each version of them.
func obtain[T any](ctx context.Context, s *Service, kept *kept[T], name string, refs func(Spec) []string, make func(Integration, map[string]string) (T, error)) (i Integration, made T, err error) {
	if i, err = s.Lookup(ctx, name); err != nil {
		return i, made, err
	}
	name = i.Name
	names := refs(i.Spec)
	reading := func(fn func(tx *store.Tx) error) error {
		err := s.DB.Read(ctx, fn)
		if fault.Is(err, fault.NotFound) { // which would say that there is no such integration
			err = fault.Errorf(fault.Conflict, "integration %s: %w", name, err)
		}
		return fault.Wrap(err, "integration %s", name)
	}
	stamp := func(tx *store.Tx) (version, error) {
		text, err := s.Secrets.Stamp(ctx, tx, i.Space, names)
		return sha256.Sum256([]byte(i.version + "\n" + text)), err
	}
	of, err := s.stamped.Of(ctx, s.DB, strings.Join(append([]string{name, i.version}, names...), "\n"), func() (of version, err error) {
		err = reading(func(tx *store.Tx) error {
			of, err = stamp(tx)
			return err
		})
		return of, err
	})
	if err != nil {
		return i, made, err
	}
	made, has := kept.get(name, of)
	if has {
		return i, made, nil
	}
	var values map[string]string
	err = reading(func(tx *store.Tx) error { // with their stamp, since they may have changed by now
		if of, err = stamp(tx); err == nil {
			values, err = s.Secrets.Resolve(ctx, tx, i.Space, names)
		}
		return err
	})
	if err != nil {
		return i, made, err
	}
	if made, err = make(i, values); err != nil {
		return i, made, fault.Wrap(err, "integration %s", name)
	}
	return i, kept.put(name, of, made), nil
}

// version names the state of a document and of its secrets.
type version [sha256.Size]byte

// kept holds what was made, by the name of its integration. The zero value is empty.
type kept[T any] struct {
	mu  sync.Mutex
	all map[string]one[T]
}

type one[T any] struct {
	of   version
	made T
}

func (k *kept[T]) get(name string, of version) (T, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	had, ok := k.all[name]
	if !ok || had.of != of {
		var none T
		return none, false
	}
	return had.made, true
}

// put keeps what was made, and gives what another has put for the same version before.
func (k *kept[T]) put(name string, of version, made T) T {
	k.mu.Lock()
	defer k.mu.Unlock()
	if had, ok := k.all[name]; ok && had.of == of {
		return had.made
	}
	if k.all == nil {
		k.all = map[string]one[T]{}
	}
	k.all[name] = one[T]{of, made}
	return made
}

// only drops what is kept of others.
func (k *kept[T]) only(names map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.all, func(name string, _ one[T]) bool { return !names[name] })
}
