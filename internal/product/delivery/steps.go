package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// healthLimit is how long a sync waits for health when no Deployment says so itself by progressDeadlineSeconds.
const healthLimit = 10 * time.Minute

// Handlers gives the platform steps of this room.
func (s *Service) Handlers() map[string]worker.Handler {
	return map[string]worker.Handler{
		ActionRender: s.stepRender, ActionApply: s.stepApply, ActionHealth: s.stepHealth, ActionRollback: s.stepRollback,
	}
}

// work is what a step of a sync works on.
type work struct {
	run run.Run
	in  Input
	app Application
	to  cluster.Cluster
}

func (s *Service) work(ctx context.Context, l worker.Lease) (w work, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if w.run, err = s.Runs.GetTx(ctx, tx, l.Run); err != nil {
			return err
		}
		if err = json.Unmarshal(w.run.Input, &w.in); err != nil {
			return err
		}
		w.app, err = getApplication(ctx, tx, w.in.Application, "")
		return err
	})
	if err != nil {
		return w, fault.Wrap(err, "read the sync")
	}
	w.to, err = s.clusterOf(w.app)
	return w, err
}

// refused ends a step with words for its reader.
func refused(log io.Writer, err error) (worker.Result, error) {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Canceled:
		return worker.Result{}, err
	}
	fmt.Fprintln(log, err.Error())
	return worker.Result{ExitCode: 1, Message: err.Error()}, nil
}

// stepRender reads and checks everything before anything is applied, and keeps the manifests.
func (s *Service) stepRender(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	w, err := s.work(ctx, l)
	if err != nil {
		return refused(log, err)
	}
	digest := w.in.Manifests
	var list []manifest
	if digest != "" {
		list, err = s.openManifests(ctx, digest)
	} else if list, err = s.render(ctx, w.app, w.in.Commit); err == nil {
		digest, err = s.keepManifests(ctx, list)
	}
	if err != nil {
		return refused(log, err)
	}
	objects, err := s.objects(ctx, w.app, list)
	if err != nil {
		return refused(log, err)
	}
	changes, err := w.to.Apply(ctx, objects, s.applyOptions(w.app, true))
	if err != nil {
		return refused(log, err)
	}
	fmt.Fprintf(log, "%s of %s at %s: %d objects\n", w.app.Path, w.app.Repository, short(w.in.Commit), len(list))
	report(log, changes)
	return worker.Result{Outputs: map[string]string{"manifests": digest}}, nil
}

func (s *Service) keepManifests(ctx context.Context, list []manifest) (string, error) {
	data, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	digest, _, err := s.Blob.Put(ctx, bytes.NewReader(data), 4*totalLimit)
	return digest, fault.Wrap(err, "keep the manifests")
}

func (s *Service) openManifests(ctx context.Context, digest string) ([]manifest, error) {
	f, _, err := s.Blob.Open(ctx, digest)
	if err != nil {
		return nil, fault.Wrap(err, "open the kept manifests")
	}
	defer f.Close()
	var list []manifest
	return list, json.NewDecoder(io.LimitReader(f, 4*totalLimit)).Decode(&list)
}

func report(log io.Writer, changes []cluster.Change) {
	for _, c := range changes {
		fmt.Fprintf(log, "%-10s %s\n", c.Action, c.Key)
		if c.Diff != "" {
			fmt.Fprintln(log, c.Diff)
		}
		for _, w := range c.Warnings {
			fmt.Fprintf(log, "warning: %s: %s\n", c.Key, w)
		}
	}
}

// stepApply applies what was rendered. Doing it twice changes nothing the second time.
func (s *Service) stepApply(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	w, err := s.work(ctx, l)
	if err != nil {
		return refused(log, err)
	}
	digest, err := s.rendered(ctx, w.run.ID)
	if err != nil {
		return worker.Result{}, err
	}
	changes, err := s.apply(ctx, w, digest)
	if err != nil {
		return refused(log, err)
	}
	report(log, changes)
	out := Output{Manifests: digest}
	size := 0
	for _, c := range changes {
		if c.Action == cluster.Unchanged {
			continue
		}
		if size += len(c.Diff); size > 64<<10 {
			c.Diff = ""
		}
		out.Changes = append(out.Changes, Change{c.Key.String(), string(c.Action), c.Diff})
	}
	data, err := json.Marshal(out)
	return worker.Result{Data: data}, err
}

func (s *Service) rendered(ctx context.Context, runID string) (digest string, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		steps, err := s.Runs.StepsTx(ctx, tx, runID)
		for _, st := range steps {
			if st.Key == "render" {
				digest = st.Result.Outputs["manifests"]
			}
		}
		return err
	})
	return digest, err
}

func (s *Service) apply(ctx context.Context, w work, digest string) ([]cluster.Change, error) {
	list, err := s.openManifests(ctx, digest)
	if err != nil {
		return nil, err
	}
	objects, err := s.objects(ctx, w.app, list)
	if err != nil {
		return nil, err
	}
	return w.to.Apply(ctx, objects, s.applyOptions(w.app, false))
}

// stepHealth waits until everything is healthy, and gives up when something is degraded or time is over.
func (s *Service) stepHealth(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	w, err := s.work(ctx, l)
	if err != nil {
		return refused(log, err)
	}
	why, err := s.awaitHealth(ctx, w, log)
	if err != nil {
		return worker.Result{}, err
	}
	digest, err := s.rendered(ctx, w.run.ID)
	if err != nil {
		return worker.Result{}, err
	}
	if why == "" {
		return worker.Result{Message: "deployed " + short(w.in.Commit)}, s.record(ctx, w, digest, "succeeded", "")
	}
	if err := s.record(ctx, w, digest, "failed", why); err != nil {
		return worker.Result{}, err
	}
	return worker.Result{ExitCode: 1, Message: why}, nil
}

// awaitHealth gives "" once all is healthy, or why it will not be.
func (s *Service) awaitHealth(ctx context.Context, w work, log io.Writer) (string, error) {
	ctx, stop := context.WithTimeout(ctx, healthLimit)
	defer stop()
	wake, err := w.to.Watch(ctx, w.app.owner())
	if err != nil {
		return "", err
	}
	last := ""
	for range wake {
		st := Status{Application: w.app}
		if st.Objects, err = w.to.Tree(ctx, w.app.owner()); err != nil {
			return "", err
		}
		st.judge()
		if line := fmt.Sprintf("%s %s", st.Health, st.Why); line != last {
			fmt.Fprintln(log, line)
			last = line
		}
		switch st.Health {
		case cluster.Healthy, cluster.Suspended:
			return "", nil
		case cluster.Degraded:
			return "did not become healthy: " + st.Why, nil
		}
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return "", err
	}
	return fmt.Sprintf("did not become healthy within %s: %s", healthLimit, last), nil
}

// stepRollback applies the last good revision again and waits for its health.
func (s *Service) stepRollback(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	w, err := s.work(ctx, l)
	if err != nil {
		return refused(log, err)
	}
	var rev Revision
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		rev, err = getRevision(ctx, tx, w.app.Ref.String(), w.in.Previous)
		return err
	})
	if err != nil {
		return refused(log, err)
	}
	fmt.Fprintf(log, "going back to %s\n", short(rev.Commit))
	changes, err := s.apply(ctx, w, rev.Manifests)
	if err != nil {
		return refused(log, err)
	}
	report(log, changes)
	why, err := s.awaitHealth(ctx, w, log)
	if err != nil {
		return worker.Result{}, err
	}
	if why != "" {
		return worker.Result{ExitCode: 1, Message: "the last good revision " + short(rev.Commit) + " " + why}, nil
	}
	return worker.Result{Outputs: map[string]string{"commit": rev.Commit}}, s.rolledBack(ctx, w, rev)
}

// record keeps what a sync came to: history, what is deployed, and what is not tried again. Doing it twice is harmless.
func (s *Service) record(ctx context.Context, w work, digest, state, why string) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now := s.Now()
		n, err := tx.Exec(ctx, `INSERT INTO application_revisions (id, application, commit_id, mark, manifests, run, state, message, created)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) ON CONFLICT (run) DO NOTHING`, ref.NewID("rvn", now), w.app.Ref.String(), w.in.Commit, w.in.Mark,
			digest, w.run.ID, state, why, store.Micros(now))
		if err != nil || n == 0 {
			return fault.Wrap(err, "record the sync of %s", w.app.Ref)
		}
		failedMark := w.in.Mark
		if state == "succeeded" && w.in.Manifests == "" {
			failedMark = ""
		}
		_, err = tx.Exec(ctx, "UPDATE applications SET synced = $2, failed = $3, message = $4 WHERE ref = $1", w.app.Ref.String(), w.in.Commit, failedMark, why)
		if err != nil {
			return fault.Wrap(err, "record the state of %s", w.app.Ref)
		}
		kind := "application.synced"
		if state != "succeeded" {
			kind = "application.sync-failed"
		}
		return s.note(ctx, tx, w.app, kind, w.run.ID, map[string]any{"commit": w.in.Commit, "why": why})
	})
}

func (s *Service) rolledBack(ctx context.Context, w work, rev Revision) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE application_revisions SET state = 'rolled-back' WHERE run = $1 AND state = 'failed'", w.run.ID)
		if err != nil || n == 0 {
			return err
		}
		message := fmt.Sprintf("%s did not become healthy and was rolled back to %s", short(w.in.Commit), short(rev.Commit))
		if _, err := tx.Exec(ctx, "UPDATE applications SET synced = $2, message = $3 WHERE ref = $1", w.app.Ref.String(), rev.Commit, message); err != nil {
			return err
		}
		return s.note(ctx, tx, w.app, "application.rolled-back", w.run.ID, map[string]any{"from": w.in.Commit, "to": rev.Commit})
	})
}

func (s *Service) note(ctx context.Context, tx *store.Tx, a Application, kind, runID string, data map[string]any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var refs []string
	if !a.Component.IsZero() {
		refs = append(refs, a.Component.String())
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: a.Space, Type: kind, Subject: a.Ref.String(), Refs: refs, Run: runID, Data: raw})
	return fault.Wrap(err, "note %s of %s", kind, a.Ref)
}
