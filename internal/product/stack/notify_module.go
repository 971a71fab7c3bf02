package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Notification policies are told of a version of a module that is ready or has failed: input.module_version.

const (
	jobVersion = "stack.notify-version"
	stale      = 24 * time.Hour // what happened earlier is told to nobody any more
)

// Modules tells of the versions of modules, unauthorised; product/registry does.
type Modules interface {
	// ModuleVersion gives a version; NotFound when it is gone.
	ModuleVersion(ctx context.Context, module, version string) (ModuleVersion, error)
}

// ModuleVersion is a version of a module as notification policies see it.
type ModuleVersion struct {
	Space           string
	Labels          []string
	Module, Version map[string]any // in Spacelift's shape
}

type versionArgs struct {
	Module  string `json:"module"` // reference
	Version string `json:"version"`
	State   string `json:"state"` // of which is told: ready or failed
	Entry   string `json:"entry"`
}

func (s *Service) subscribeNews() {
	queue.Handle(s.Queue, jobVersion, queue.HandleOptions{Timeout: lookTimeout}, s.notifyOfVersion)
	queue.Handle(s.Queue, jobTrouble, queue.HandleOptions{Timeout: lookTimeout}, s.notifyOfTrouble)
	s.Ledger.Subscribe("stack.modules", []string{"module.version-created", "module.version-ready", "module.version-failed"}, s.versionMoved)
	s.Ledger.Subscribe("stack.troubles", troubleTypes(), s.troubled)
}

// versionMoved asks for the decisions on a version that is ready or has failed, where there are policies for them.
func (s *Service) versionMoved(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var said struct{ Version, State string }
	if err := json.Unmarshal(e.Data, &said); err != nil || s.Modules == nil || s.Now().Sub(e.Time) > stale {
		return nil //nolint:nilerr // an entry that can't be read is not of that room
	}
	if after, is := strings.CutPrefix(e.Type, "module.version-"); is && after != "created" {
		said.State = after
	}
	if said.State != "ready" && said.State != "failed" {
		return nil // its tests run
	}
	if tell, err := s.Policy.AnyTx(ctx, tx, "notification"); err != nil || !tell {
		return err
	}
	return s.Queue.Insert(ctx, tx, jobVersion, versionArgs{e.Subject, said.Version, said.State, e.ID}, queue.InsertOptions{Unique: e.ID})
}

// notifyOfVersion asks the notification policies about a version of a module.
func (s *Service) notifyOfVersion(ctx context.Context, a versionArgs) error {
	ctx = asSystem(ctx)
	v, err := s.Modules.ModuleVersion(ctx, a.Module, a.Version)
	if err != nil {
		return ignoreGone(fault.Wrap(err, "read version %s of %s", a.Version, a.Module))
	}
	v.Version["state"] = map[string]string{"ready": "ACTIVE", "failed": "FAILED"}[a.State] // what is told of; it may be tested again by now
	return s.spread(ctx, news{
		told: a.Entry, space: v.Space, subject: a.Module, labels: v.Labels,
		about: func(context.Context) (string, map[string]any, error) {
			return "module_version", map[string]any{"module": v.Module, "version": v.Version}, nil
		},
		usual: func(base string) string {
			name := strings.TrimPrefix(a.Module, "module:")
			return fmt.Sprintf("<%s/modules/%s|Version %s> of module %s: %s", base, name, a.Version, strings.TrimPrefix(name, "default/"), a.State)
		},
	})
}
