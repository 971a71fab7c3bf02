package delivery

import (
	"context"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// place is a namespace of a cluster where an application has objects, or had them when it was last looked at.
type place struct {
	cluster, namespace string
	claimed            int64 // last
}

func (p place) String() string { return p.cluster + "/" + p.namespace }

// holds tells whether an object lies in a place, or is its namespace.
func (p place) holds(key cluster.Key) bool {
	return key.Namespace == p.namespace || key.Kind == "Namespace" && key.Name == p.namespace
}

// places gives where an application has objects, by name.
func (s *Service) places(ctx context.Context, app string) (list []place, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT cluster, namespace, claimed FROM application_places WHERE application = $1 ORDER BY cluster, namespace", app)
		list, err = store.Collect(rows, err, func(row store.Row) (p place, err error) {
			return p, row.Scan(&p.cluster, &p.namespace, &p.claimed)
		})
		return err
	})
	return list, fault.Wrap(err, "list the places of %s", app)
}

// left gives the places where an application has objects and no longer goes.
func (s *Service) left(ctx context.Context, a Application) ([]place, error) {
	list, err := s.places(ctx, a.Ref.String())
	return slices.DeleteFunc(list, func(p place) bool { return p.String() == a.Destination() }), err
}

// clusters gives the clusters of places that are known here, each once, and that of the application first.
func (s *Service) clusters(a Application, places []place) (out []cluster.Cluster) {
	names := []string{a.clusterName()}
	for _, p := range places {
		if !slices.Contains(names, p.cluster) {
			names = append(names, p.cluster)
		}
	}
	for _, name := range names {
		if c := s.Clusters[name]; c != nil {
			out = append(out, c)
		}
	}
	return out
}

// pruneElsewhere takes away what an application has in clusters to which it no longer goes; in the one to which it goes,
// the cluster prunes.
func (s *Service) pruneElsewhere(ctx context.Context, a Application, dry bool) (gone []cluster.Change, err error) {
	places, err := s.left(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, c := range s.clusters(a, places) {
		if c == s.cluster(a.Spec.Destination) {
			continue
		}
		keys, err := owned(ctx, c, a)
		if err != nil {
			return nil, err
		}
		changes, err := c.Delete(ctx, keys, cluster.DeleteOptions{Owner: a.owner(), DryRun: dry})
		if err != nil {
			return nil, fault.Wrap(err, "take away what %s has in another cluster", a.Ref)
		}
		gone = append(gone, changes...)
	}
	return gone, nil
}

// deleteAll takes away what an application has in a cluster. A namespace stays for as long as others have something in it.
func deleteAll(ctx context.Context, c cluster.Cluster, a Application, keys []cluster.Key) (gone, left int, err error) {
	namespaces := slices.Collect(func(yield func(cluster.Key) bool) {
		for _, key := range keys {
			if key.Kind == "Namespace" && !yield(key) {
				return
			}
		}
	})
	keys = slices.DeleteFunc(keys, func(key cluster.Key) bool { return key.Kind == "Namespace" })
	for i, some := range append([][]cluster.Key{keys}, slices.Collect(slices.Chunk(namespaces, 1))...) {
		changes, err := c.Delete(ctx, some, cluster.DeleteOptions{Owner: a.owner()})
		switch {
		case i > 0 && fault.Is(err, fault.Conflict):
			left++
		case err != nil:
			return gone, left, fault.Wrap(err, "delete the objects of %s", a.Ref)
		}
		gone += len(changes)
	}
	return gone, left, nil
}

// settle forgets the places that an application has left with all its objects: they are others' now, if they want.
func (s *Service) settle(ctx context.Context, a Application) error {
	places, err := s.left(ctx, a)
	if err != nil || len(places) == 0 {
		return err
	}
	if open, err := s.openSync(ctx, a); err != nil || open {
		return err // it may be going back there; its end asks for another look
	}
	for _, p := range places {
		c := s.Clusters[p.cluster]
		if c == nil {
			continue
		}
		keys, err := owned(ctx, c, a)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(keys, p.holds) {
			continue
		}
		err = s.DB.Write(ctx, func(tx *store.Tx) error { // unless a sync has gone there since
			_, err := tx.Exec(ctx, "DELETE FROM application_places WHERE application = $1 AND cluster = $2 AND namespace = $3 AND claimed = $4", a.Ref.String(), p.cluster, p.namespace, p.claimed)
			return err
		})
		if err != nil {
			return fault.Wrap(err, "forget that %s was at %s", a.Ref, p)
		}
	}
	return nil
}

// owned gives the keys of the objects that an application has in a cluster.
func owned(ctx context.Context, c cluster.Cluster, a Application) (keys []cluster.Key, err error) {
	list, err := c.List(ctx, cluster.ListOptions{Owner: a.owner()})
	for _, o := range list {
		keys = append(keys, o.Key())
	}
	return keys, fault.Wrap(err, "list the objects of %s", a.Ref)
}
