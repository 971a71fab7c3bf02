package proposal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// MergeRequest says how to merge.
type MergeRequest struct {
	Way          string // merge, squash or rebase; "" takes the first that the rules let
	Title, Body  string // of the commit; empty for the proposal's own
	Head         string // that was looked at; "" for the head now
	DeleteSource bool
}

// errBlocked is why a proposal is not merged though the caller may merge.
var errBlocked = errors.New("something is in the way")

// Merge brings a proposal into its target, as the caller. It needs repository:write; Conflict names all that is in the
// way, Stale tells that the head moved since it was looked at.
func (s *Service) Merge(ctx context.Context, repo string, number int, m MergeRequest) (Detail, error) {
	r, p, err := s.find(ctx, repository.Write, repo, number)
	if err != nil {
		return Detail{}, err
	}
	if p, err = s.upToDate(ctx, r, p); err != nil {
		return Detail{}, err
	}
	if m.Head != "" && m.Head != p.Head {
		return Detail{}, stale(p)
	}
	if p, err = s.merge(ctx, r, p, m); err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

// merge merges what was just looked at. What it moves, it moves from the heads that were looked at: when one of them is
// elsewhere by now, nothing happens.
func (s *Service) merge(ctx context.Context, r repository.Repository, p Proposal, m MergeRequest) (Proposal, error) {
	f, err := s.facts(ctx, r, p)
	if err != nil {
		return p, err
	}
	if in := blockers(f); len(in) > 0 {
		messages := make([]string, len(in))
		for i, b := range in {
			messages[i] = b.Message
		}
		return p, fault.Errorf(fault.Conflict, "%s can't be merged: %s%w", Full(r.FullName(), p.Number), strings.Join(messages, "; "), quiet{errBlocked})
	}
	ways := f.Demand.ways()
	if m.Way == "" {
		m.Way = ways[0]
	}
	if !isWay(m.Way) || !slices.Contains(ways, m.Way) {
		return p, fault.Errorf(fault.Invalid, "%.100q is no way to merge into %s; choose %s", m.Way, p.Target, strings.Join(ways, ", "))
	}
	if p.There != nil {
		return s.mergeThere(ctx, r, p, m)
	}
	message, err := s.message(r, p, m)
	if err != nil {
		return p, err
	}
	me := actor.From(ctx)
	platform := s.Repositories.Platform()
	commit, err := platform.Merge(ctx, r.FullName(), git.MergeRequest{
		Way: m.Way, Branch: p.Target, Target: p.Base, Source: p.Head, Author: s.signature(ctx), Committer: s.roadbed(), Message: message,
		Ready: func(commit string) error { return s.announce(ctx, p, m.Way, commit, me.ID) },
	})
	if err != nil {
		return p, err
	}
	// From here on it is merged, whatever ends this; look finds what was announced when this is not written.
	if p, err = s.merged(ctx, r, p, commit, m.Way, me.ID); err != nil {
		return p, err
	}
	if m.DeleteSource && p.Source != r.DefaultBranch {
		if err := platform.DeleteBranch(ctx, r.FullName(), p.Source, p.Head); err != nil && !fault.Is(err, fault.Conflict) {
			s.Log.WarnContext(ctx, "delete the source of a merged proposal", "proposal", Full(r.FullName(), p.Number), "error", err)
		}
	}
	return p, nil
}

// quiet is a cause that adds nothing to the message.
type quiet struct{ error }

func (quiet) Error() string   { return "" }
func (q quiet) Unwrap() error { return q.error }

func (s *Service) message(r repository.Repository, p Proposal, m MergeRequest) (string, error) {
	title, body := mergeMessage(p, r.FullName(), m.Way)
	if m.Title != "" {
		title, body = m.Title, m.Body
	} else if m.Body != "" {
		body = m.Body
	}
	if err := oneLine("the title of the commit", title, titleLimit+20); err != nil {
		return "", err
	}
	if err := checkText("the message of the commit", body, bodyLimit/2, true); err != nil {
		return "", err
	}
	return strings.TrimSpace(fmt.Sprintf("%s\n\n%s", title, body)) + fmt.Sprintf("\n\nProposal: %s\n", Full(r.FullName(), p.Number)), nil
}

// announce writes which commit is about to merge a proposal: when the target has it, it was merged, whatever ended this.
func (s *Service) announce(ctx context.Context, p Proposal, way, commit, by string) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byID(ctx, tx, p.ID, tx.ForUpdate())
		if err != nil {
			return err
		}
		if now.State != Open {
			return fault.Errorf(fault.Conflict, "it is %s", now.State)
		}
		now.Merge, now.MergeWay, now.MergedBy = commit, way, by
		return save(ctx, tx, &now)
	})
}

// merged records that a proposal was merged.
func (s *Service) merged(ctx context.Context, r repository.Repository, p Proposal, commit, way, by string) (Proposal, error) {
	ctx = context.WithoutCancel(ctx)
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byID(ctx, tx, p.ID, tx.ForUpdate())
		if err != nil || now.State == Merged {
			p = now
			return err
		}
		now.State, now.Merge, now.MergeWay, now.MergedBy, now.Auto = Merged, commit, way, by, Auto{}
		now.Head, now.Base, now.Standing = p.Head, p.Base, p.Standing
		now.Updated = s.Now()
		now.Ended = now.Updated
		if err := save(ctx, tx, &now); err != nil {
			return err
		}
		if now.There != nil {
			if err := countLook(ctx, tx, p.ID, 0); err != nil { // one that began before finds it open
				return err
			}
		}
		p = now
		if err := s.ask(ctx, tx, p.ID); err != nil {
			return err
		}
		return s.tell(ctx, tx, r, p, "proposal.merged", map[string]any{"head": p.Head, "commit": commit, "target": p.Target, "way": way})
	})
	return p, err
}

// SetAuto has a proposal merged as soon as nothing is in the way, in the name of the caller; "" takes that back. It needs
// repository:write.
func (s *Service) SetAuto(ctx context.Context, repo string, number int, way string) (Detail, error) {
	return s.setAuto(ctx, repo, number, way)
}

func (s *Service) setAuto(ctx context.Context, repo string, number int, way string, also ...also) (Detail, error) {
	return s.change(ctx, repository.Write, repo, number, func(_ *store.Tx, _ repository.Repository, p *Proposal) (string, map[string]any, error) {
		if way != "" && !isWay(way) {
			return "", nil, fault.Errorf(fault.Invalid, "%.100q is no way to merge; choose merge, squash or rebase", way)
		}
		if p.State != Open {
			return "", nil, fault.Errorf(fault.Conflict, "it is %s", p.State)
		}
		if p.Auto.Way == way {
			return "", nil, nil
		}
		p.Auto = Auto{Way: way, By: actor.From(ctx).ID}
		if way == "" {
			p.Auto = Auto{}
		}
		return "proposal.edited", map[string]any{"fields": []string{"auto"}, "auto": way}, nil
	}, also...)
}
