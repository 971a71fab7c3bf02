package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// stepRollback applies the last good revision again and waits for its health.
func (s *Service) stepRollback(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	w, err := s.work(ctx, l)
	if err != nil {
		return refused(log, err)
	}
	rendered, err := s.rendered(ctx, w.run.ID)
	if err != nil {
		return worker.Result{}, err
	}
	var rev Revision
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rev, err = getRevision(ctx, tx, w.app.Ref.String(), rendered.Outputs[outPrevious])
		return err
	})
	if err != nil {
		return refused(log, err)
	}
	made := w.to
	if w, err = s.back(w, rev); err != nil {
		return refused(log, err)
	}
	fmt.Fprintf(log, "going back to %s\n", short(rev.Commit))
	changes, err := s.apply(ctx, w, rev.Manifests)
	if err != nil {
		return refused(log, err)
	}
	report(log, changes)
	removed, err := s.undo(ctx, w, made, rendered, changes)
	if err != nil {
		return refused(log, err)
	}
	report(log, removed)
	why, err := s.awaitHealth(ctx, w, log)
	if err != nil {
		return worker.Result{}, err
	}
	if why != "" {
		return worker.Result{ExitCode: 1, Message: "the last good revision " + short(rev.Commit) + " " + why}, nil
	}
	return worker.Result{Outputs: map[string]string{outCommit: rev.Commit}}, s.rolledBack(ctx, w, rev)
}

// undo takes away what the failed sync has made, in the cluster to which it went, and the good revision does not know,
// also without prune. applied is what going back has applied.
func (s *Service) undo(ctx context.Context, w work, made cluster.Cluster, rendered worker.Result, applied []cluster.Change) ([]cluster.Change, error) {
	var p plan
	if len(rendered.Data) > 0 {
		if err := json.Unmarshal(rendered.Data, &p); err != nil {
			return nil, fault.Wrap(err, "read what the sync has made")
		}
	}
	keys := slices.DeleteFunc(p.New, func(key cluster.Key) bool {
		return made == w.to && slices.ContainsFunc(applied, func(c cluster.Change) bool { return c.Key == key })
	})
	removed, err := made.Delete(ctx, keys, cluster.DeleteOptions{Owner: w.app.owner()})
	return removed, fault.Wrap(err, "take away what the failed sync has made")
}
