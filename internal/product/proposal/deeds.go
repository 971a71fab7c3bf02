package proposal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *Service) doApprove(ctx context.Context, o order) (string, error) {
	answer := fmt.Sprintf("approved %.8s", o.p.Head)
	_, err := s.review(ctx, o.repo, o.p.Number, NewReview{Verdict: Approved, Head: o.p.Head}, o.record(answer))
	return answer, err
}

func (s *Service) doMerge(ctx context.Context, o order) (string, error) {
	if o.p.State == Open { // it may have been merged by this command, before that was recorded
		r, p, err := s.find(ctx, repository.Write, o.repo, o.p.Number)
		if err == nil {
			o.p, err = s.upToDate(ctx, r, p)
		}
		if err != nil {
			return "", err
		}
	}
	if o.p.State == Merged {
		return fmt.Sprintf("it is merged as %.8s", o.p.Merge), nil
	}
	d, err := s.Merge(ctx, o.repo, o.p.Number, MergeRequest{Way: o.Arguments, DeleteSource: true})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("merged as %.8s", d.Merge), nil
}

func (s *Service) doAuto(ctx context.Context, o order) (string, error) {
	way, answer := o.Arguments, "it will be merged when nothing is in the way any more"
	switch way {
	case "off":
		way, answer = "", "it will not be merged by itself"
	case "":
		d, err := s.Get(ctx, o.repo, o.p.Number)
		if err != nil {
			return "", err
		}
		way = d.Ways[0]
	}
	_, err := s.setAuto(ctx, o.repo, o.p.Number, way, o.record(answer))
	return answer, err
}

func (s *Service) doClose(ctx context.Context, o order) (string, error) {
	_, err := s.setOpen(ctx, o.repo, o.p.Number, false, o.record("closed"))
	return "closed", err
}

func (s *Service) doReopen(ctx context.Context, o order) (string, error) {
	_, err := s.setOpen(ctx, o.repo, o.p.Number, true, o.record("open again"))
	return "open again", err
}

// doRetry runs what failed again, in one transaction with its record. A run that goes on by now was retried by somebody else.
func (s *Service) doRetry(ctx context.Context, o order) (string, error) {
	var failed []Check
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := checks(ctx, tx, o.p.Repository, o.p.Head)
		for _, c := range all {
			if c.Run != "" && (o.Arguments == "" && c.State == CheckFailed || o.Arguments != "" && c.Name == o.Arguments) {
				failed = append(failed, c)
			}
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if len(failed) == 0 {
		return "", fault.Errorf(fault.Conflict, "no check that a run says has failed%s", map[bool]string{true: "", false: " by the name " + o.Arguments}[o.Arguments == ""])
	}
	var again []string
	for _, c := range failed {
		again = append(again, c.Name)
		if err := s.Runs.BeforeRetry(ctx, c.Run); err != nil {
			return "", fault.Wrap(err, "retry %s", c.Name)
		}
	}
	answer := "runs again: " + strings.Join(again, ", ")
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, c := range failed {
			r, err := s.Runs.TakeTx(ctx, tx, c.Run)
			if err == nil && r.Terminal {
				err = s.Runs.RetryTx(ctx, tx, c.Run)
			}
			if err != nil {
				return fault.Wrap(err, "retry %s", c.Name)
			}
		}
		return o.record(answer)(tx)
	})
	return answer, err
}

func (s *Service) doRebase(ctx context.Context, o order) (string, error) {
	return s.doUpdateBy(ctx, o, git.MergeRebase)
}

func (s *Service) doUpdate(ctx context.Context, o order) (string, error) {
	return s.doUpdateBy(ctx, o, git.MergeCommit)
}

func (s *Service) doUpdateBy(ctx context.Context, o order, way string) (string, error) {
	d, err := s.Update(ctx, o.repo, o.p.Number, UpdateRequest{Way: way})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is at %.8s, with all of %s", d.Source, d.Head, d.Target), nil
}

func (s *Service) doAssign(ctx context.Context, o order) (string, error) {
	return s.reassign(ctx, o, func(now, named []string) []string { return append(now, named...) })
}

func (s *Service) doUnassign(ctx context.Context, o order) (string, error) {
	return s.reassign(ctx, o, func(now, named []string) []string {
		return slices.DeleteFunc(now, func(id string) bool { return slices.Contains(named, id) })
	})
}

// reassign changes who looks after a proposal by those who are named, or by who says so when nobody is.
func (s *Service) reassign(ctx context.Context, o order, change func(now, named []string) []string) (string, error) {
	names := strings.FieldsFunc(o.Arguments, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
	if len(names) == 0 {
		names = []string{actor.From(ctx).Ref.String()}
	}
	var refs []string
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		ids, err := assignees(ctx, tx, o.p.ID)
		if err != nil {
			return err
		}
		named, err := s.persons(ctx, tx, names)
		if err != nil {
			return err
		}
		for _, id := range change(ids[o.p.ID], named) {
			who, err := s.People.Principal(ctx, id)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if text := who.Ref.String(); !slices.Contains(refs, text) {
				refs = append(refs, text)
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	answer := "nobody looks after it"
	if len(refs) > 0 {
		short := make([]string, len(refs))
		for i, text := range refs {
			short[i] = text[strings.LastIndexByte(text, '/')+1:]
		}
		answer = strings.Join(short, ", ") + map[bool]string{true: " looks", false: " look"}[len(refs) == 1] + " after it"
	}
	if refs == nil {
		refs = []string{}
	}
	_, err = s.edit(ctx, o.repo, o.p.Number, Edit{Assignees: &refs}, o.record(answer))
	return answer, err
}

func (s *Service) doTitle(ctx context.Context, o order) (string, error) {
	_, err := s.edit(ctx, o.repo, o.p.Number, Edit{Title: &o.Arguments}, o.record("done"))
	return "done", err
}

func (s *Service) doDraft(ctx context.Context, o order) (string, error) {
	draft := true
	_, err := s.edit(ctx, o.repo, o.p.Number, Edit{Draft: &draft}, o.record("it is a draft"))
	return "it is a draft", err
}

func (s *Service) doReady(ctx context.Context, o order) (string, error) {
	draft := false
	_, err := s.edit(ctx, o.repo, o.p.Number, Edit{Draft: &draft}, o.record("it is ready"))
	return "it is ready", err
}

func (s *Service) doHelp(context.Context, order) (string, error) {
	var lines []string
	all := slices.Clone(s.Words)
	for _, d := range deeds() {
		all = append(all, d.Word)
	}
	for _, w := range all {
		if w.Help != "" {
			lines = append(lines, strings.TrimSpace("/"+w.Name+" "+w.Arguments)+": "+w.Help)
		}
	}
	return strings.Join(lines, "\n"), nil
}
