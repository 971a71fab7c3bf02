package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const jobLook = "delivery.look"

type lookArgs struct {
	Application string `json:"application"`
}

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobLook, queue.HandleOptions{Timeout: time.Minute}, func(ctx context.Context, a lookArgs) error {
		return s.reconcile(system(ctx), a.Application)
	})
	s.Ledger.Subscribe("delivery", []string{"repository.pushed", "repository.deleted", "repository.restored", "stack.outputs-changed", "run.state-changed", "trigger."}, s.happened)
}

func (s *Service) look(ctx context.Context, tx *store.Tx, name string) error {
	return s.Queue.Insert(ctx, tx, jobLook, lookArgs{name}, queue.InsertOptions{Unique: name})
}

// happened asks for a look at every application that an entry may move.
func (s *Service) happened(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	apps, err := s.concerned(ctx, tx, e)
	if err != nil {
		return fault.Wrap(err, "find the applications of %s", e.Type)
	}
	for _, a := range apps {
		if err := s.look(ctx, tx, a.Ref.String()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) concerned(ctx context.Context, tx *store.Tx, e ledger.Entry) ([]Application, error) {
	switch {
	case strings.HasPrefix(e.Type, "repository."):
		return s.following(ctx, tx, strings.TrimPrefix(e.Subject, "repository:"))
	case e.Type == "stack.outputs-changed":
		return findApplications(ctx, tx, "deleted = 0 AND stack = $1", e.Subject)
	case strings.HasPrefix(e.Type, "trigger."):
		for _, r := range e.Refs {
			if repository, ok := strings.CutPrefix(r, "repository:"); ok {
				return s.following(ctx, tx, repository)
			}
		}
		return nil, nil
	}
	return s.ranOut(ctx, tx, e)
}

// ranOut finds the applications that the end of a run may move.
func (s *Service) ranOut(ctx context.Context, tx *store.Tx, e ledger.Entry) ([]Application, error) {
	var change struct {
		Terminal bool `json:"terminal"`
	}
	if err := json.Unmarshal(e.Data, &change); err != nil || !change.Terminal {
		return nil, nil
	}
	r, err := s.Runs.GetTx(ctx, tx, e.Run)
	switch {
	case err != nil:
		return nil, err
	case r.Kind == RunKind:
		if err := s.ended(ctx, tx, r); err != nil {
			return nil, err
		}
		return findApplications(ctx, tx, "ref = $1", r.Subject)
	case r.Source.Repository == "":
		return nil, nil
	}
	return s.following(ctx, tx, r.Source.Repository)
}

func (s *Service) following(ctx context.Context, tx *store.Tx, repository string) ([]Application, error) {
	return findApplications(ctx, tx, "deleted = 0 AND repository = $1", repository)
}

// reconcile starts a sync when the branch's head, or what it is deployed with, is not what runs. It is
// level-triggered: it compares what should be with what is, and can be called at any time.
func (s *Service) reconcile(ctx context.Context, name string) error {
	var a Application
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		a, err = getApplication(ctx, tx, name, "")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Deleted {
		return s.remove(ctx, a)
	}
	if err := s.settle(ctx, a); err != nil {
		return err
	}
	if !a.Spec.automatic() {
		if a.Failed != "" {
			return nil // its message tells of that
		}
		return s.setMessage(ctx, a, "")
	}
	head, err := s.Repositories.Head(ctx, a.Repository, a.Branch)
	if err != nil {
		return s.say(ctx, a, err)
	}
	wait, err := s.waitsFor(ctx, a, head)
	if err != nil {
		return s.say(ctx, a, err)
	}
	if wait != "" {
		return s.setMessage(ctx, a, wait)
	}
	// A pipeline that has passed since may have put a commit of its own on top, which alone is to be deployed.
	now, err := s.Repositories.Head(ctx, a.Repository, a.Branch)
	if err != nil {
		return s.say(ctx, a, err)
	}
	if now != head {
		return nil // its push asks for another look
	}
	mark, way, err := s.mark(ctx, a, head)
	if err != nil {
		return s.say(ctx, a, err)
	}
	open, err := s.openSync(ctx, a)
	if err != nil || open {
		return err // its end asks for another look
	}
	if mark == a.Failed {
		return s.hold(ctx, a, mark)
	}
	if a.Synced == head {
		idle, err := s.settled(ctx, a, head, mark)
		if err != nil {
			return s.say(ctx, a, err)
		}
		if idle {
			return nil
		}
	}
	return s.startByItself(ctx, a, Input{Way: way, Commit: head, Mark: mark})
}

// messageDiffers stands at an application that leaves changes by hand alone.
const messageDiffers = "the cluster differs from the repository; sync to mend it"

// settled tells whether nothing is to be done for a commit that is deployed: the cluster is as it says, or differs
// by somebody's hand that the application does not undo. What was never deployed in this way, such as changed outputs
// or a changed spec, is not settled.
func (s *Service) settled(ctx context.Context, a Application, head, mark string) (bool, error) {
	changes, err := s.compare(ctx, a, head)
	if err != nil {
		return false, err
	}
	if !differ(changes) {
		return true, s.setMessage(ctx, a, "")
	}
	if a.Spec.selfHeal() {
		return false, nil
	}
	var last Revision
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		last, err = latest(ctx, tx, a.Ref.String())
		return err
	})
	if err != nil || last.Mark != mark {
		return false, err
	}
	return true, s.setMessage(ctx, a, messageDiffers)
}

// hold keeps what an application went back to as it is, where changes by hand are healed. What fails at it is not
// tried again.
func (s *Service) hold(ctx context.Context, a Application, mark string) error {
	if !a.Spec.selfHeal() {
		return nil
	}
	var good Revision
	var page run.Page
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if good, err = lastGood(ctx, tx, a.Ref.String()); err != nil {
			return err
		}
		page, err = s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: a.Ref.String(), Limit: 1})
		return err
	})
	if err != nil || good.ID == "" || good.Commit != a.Synced || len(page.Runs) == 0 {
		return err
	}
	var last Input
	if r := page.Runs[0]; json.Unmarshal(r.Input, &last) != nil || last.Manifests == good.Manifests && r.State != succeeded {
		return nil
	}
	now := a
	a, outputs, err := now.backTo(good)
	if err == nil {
		err = s.permitted(ctx, a)
	}
	if err != nil {
		return s.say(ctx, now, err)
	}
	changes, err := s.compareKept(ctx, a, outputs, good.Manifests)
	if err != nil {
		return s.say(ctx, a, err)
	}
	if !differ(changes) {
		return nil
	}
	return s.startByItself(ctx, a, Input{Way: a.way(outputs), Commit: good.Commit, Mark: mark, Manifests: good.Manifests, Reason: "the cluster differs from " + short(good.Commit)})
}

// mark names what is deployed: the commit, the version of the stack's outputs and what the document says of the way.
// What failed with a mark is not tried again with the same. It gives the way that it stands for too.
func (s *Service) mark(ctx context.Context, a Application, commit string) (string, Way, error) {
	version := ""
	if !a.Stack.IsZero() {
		var err error
		if _, version, err = s.Stacks.Outputs(ctx, a.Stack, ""); err != nil {
			return "", Way{}, err
		}
	}
	said, err := json.Marshal([]any{a.Spec.Source, a.Spec.Destination, a.Spec.SyncPolicy.SyncOptions, a.Spec.prune(), a.Spec.allowEmpty(), a.Stack.String()})
	if err != nil {
		return "", Way{}, fault.Wrap(err, "encode the spec of %s", a.Ref)
	}
	sum := sha256.Sum256(said)
	return commit + "+" + version + "+" + hex.EncodeToString(sum[:4]), a.way(version), nil
}

// waitsFor says what a commit must wait for, or "" when it may be deployed.
func (s *Service) waitsFor(ctx context.Context, a Application, commit string) (string, error) {
	if err := s.permitted(ctx, a); err != nil {
		return "", err
	}
	state, runID, err := s.Pipelines.Pipeline(ctx, a.Repository, a.reference(), commit)
	if err != nil {
		return "", err
	}
	switch state {
	case PipelineRunning:
		return "waits for the pipeline of " + short(commit), nil
	case PipelineFailed:
		return fmt.Sprintf("the pipeline of %s failed (%s), so it is not deployed", short(commit), runID), nil
	}
	if a.Stack.IsZero() {
		return "", nil
	}
	if _, version, err := s.Stacks.Outputs(ctx, a.Stack, ""); err != nil || version == "" {
		return "waits for " + a.Stack.String() + " to be applied", err
	}
	return "", nil
}

func (s *Service) openSync(ctx context.Context, a Application) (open bool, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		open, err = s.hasOpenSync(ctx, tx, a)
		return err
	})
	return open, err
}

func (s *Service) hasOpenSync(ctx context.Context, tx *store.Tx, a Application) (bool, error) {
	page, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: a.Ref.String(), Open: true, Limit: 1})
	return len(page.Runs) > 0, err
}

// remove takes the objects of a deleted application away, if it prunes, and forgets it. One that leaves objects keeps
// its row: they are its space's, where an application of the same name takes them up again.
func (s *Service) remove(ctx context.Context, a Application) error {
	if open, err := s.openSync(ctx, a); err != nil || open {
		return err // it finds the application deleted, and its end asks for another look
	}
	places, err := s.places(ctx, a.Ref.String())
	if err != nil {
		return err
	}
	var left, gone int
	for _, c := range s.clusters(a, places) {
		keys, err := owned(ctx, c, a)
		if err != nil {
			return err
		}
		if !a.Spec.prune() {
			left += len(keys)
			continue
		}
		went, stayed, err := deleteAll(ctx, c, a, keys)
		if err != nil {
			return err
		}
		gone, left = gone+went, left+stayed
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE applications SET deleted = $2 WHERE ref = $1 AND deleted = $3", a.Ref.String(), leftObjects, leaving)
		if err != nil || n == 0 {
			return err // it came again meanwhile, or was looked at before
		}
		// Whoever takes the name next, perhaps in another space, has a history of their own.
		forget := []string{"DELETE FROM application_revisions WHERE application = $1"}
		if left == 0 {
			forget = append(forget, "DELETE FROM application_places WHERE application = $1", "DELETE FROM applications WHERE ref = $1")
		}
		for _, sql := range forget {
			if _, err := tx.Exec(ctx, sql, a.Ref.String()); err != nil {
				return fault.Wrap(err, "forget %s", a.Ref)
			}
		}
		return s.note(ctx, tx, a, "application.removed", "", map[string]any{"objects": gone, "pruned": a.Spec.prune(), "left": left})
	})
}

func (s *Service) setMessage(ctx context.Context, a Application, message string) error {
	message = clip(message)
	if a.Message == message {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE applications SET message = $2 WHERE ref = $1", a.Ref.String(), message)
		return err
	})
}

// say shows on the application's page why it can't go on; what may pass by itself is left to the queue.
func (s *Service) say(ctx context.Context, a Application, why error) error {
	switch fault.KindOf(why) {
	case fault.Internal, fault.Unavailable, fault.Canceled:
		return why
	}
	return s.setMessage(ctx, a, why.Error())
}
