package delivery

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Run heals applications whose objects changed in their cluster, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx = system(ctx)
	group, ctx := errgroup.WithContext(ctx)
	for name, c := range s.Clusters {
		group.Go(func() error { return s.follow(ctx, name, c) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// follow asks for a look at the applications of a cluster after it changed, at most once a second.
func (s *Service) follow(ctx context.Context, name string, c cluster.Cluster) error {
	wake, err := c.Watch(ctx, "")
	if err != nil {
		return fault.Wrap(err, "watch cluster %s", name)
	}
	for range wake {
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			apps, err := findApplications(ctx, tx, "deleted = 0 AND synced <> ''")
			if err != nil {
				return err
			}
			for _, a := range apps {
				if s.cluster(a.Spec.Destination) != c || !a.Spec.automatic() {
					continue
				}
				if err := s.look(ctx, tx, a.Ref.String()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			s.Log.Error("delivery: look at applications", "cluster", name, "error", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}
