package policy

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Filter narrows a list of decisions; empty fields narrow nothing.
type Filter struct {
	Point   string
	Space   string // exactly this one
	Run     string
	Subject string
	Policy  string // reference of one that was asked
	Since   time.Time
	Limit   int    // default 100, at most 1,000; not for Decisions, which are read by pages
	before  string // id of a decision: only older ones
}

// ListDecisions gives the decisions of a run, the oldest first. It gives those of the spaces in which the caller has
// run:read or policy:read.
func (s *Service) ListDecisions(ctx context.Context, run string) ([]Decision, error) {
	visible, err := s.visible(ctx, "policy:read", "run:read")
	if err != nil {
		return nil, err
	}
	newest, err := s.find(ctx, Filter{Run: run, Limit: maxListed}, visible)
	for i, j := 0, len(newest)-1; i < j; i, j = i+1, j-1 {
		newest[i], newest[j] = newest[j], newest[i]
	}
	return newest, fault.Wrap(err, "list the decisions of %s", run)
}

// Decisions gives decisions, the newest first, of the spaces in which the caller has policy:read.
func (s *Service) Decisions(ctx context.Context, f Filter, part page.Request) (page.Of[Decision], error) {
	visible, err := s.visible(ctx, "policy:read")
	if err != nil {
		return page.Of[Decision]{}, err
	}
	f.Limit, f.before = part.Window(), part.Cursor
	found, err := s.find(ctx, f, visible)
	return page.Cut(found, part, func(d Decision) string { return d.ID }), fault.Wrap(err, "list decisions")
}

// GetDecision gives a decision with its input, for whoever has policy:read in its space. The input is nil when it was
// too large to be kept.
func (s *Service) GetDecision(ctx context.Context, id string) (Decision, json.RawMessage, error) {
	visible, err := s.visible(ctx, "policy:read")
	if err != nil {
		return Decision{}, nil, err
	}
	var d Decision
	var kept string
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		d, kept, err = decisionByID(ctx, tx, id)
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && !visible.Has(d.Space) {
		return Decision{}, nil, access.NotFound("decision " + id)
	}
	if err != nil {
		return Decision{}, nil, fault.Wrap(err, "read decision %s", id)
	}
	input, err := s.input(ctx, d, kept)
	return d, input, fault.Wrap(err, "read the input of decision %s", id)
}

const maxListed = 1000

func (s *Service) find(ctx context.Context, f Filter, visible access.Set) ([]Decision, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	f.Limit = min(f.Limit, maxListed)
	var found []Decision
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		found, err = decisions(ctx, tx, f, visible)
		return err
	})
	return found, err
}

// visible unites the spaces in which the caller has one of the rights.
func (s *Service) visible(ctx context.Context, actions ...string) (access.Set, error) {
	union := access.Set{Names: map[string]bool{}}
	for _, action := range actions {
		set, err := s.access.Spaces(ctx, action)
		if err != nil {
			return union, err
		}
		union.All = union.All || set.All
		for name := range set.Names {
			union.Names[name] = true
		}
	}
	return union, nil
}

// input gives what a decision was asked with; nil when it was not kept.
func (s *Service) input(ctx context.Context, d Decision, kept string) (json.RawMessage, error) {
	if kept != "" {
		raw, err := unpack(kept)
		return raw, fault.Wrap(err, "unpack the input of decision %s", d.ID)
	}
	if d.Size == 0 {
		return nil, nil
	}
	content, _, err := s.blobs.Open(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(io.LimitReader(content, MaxInput*2))
}
