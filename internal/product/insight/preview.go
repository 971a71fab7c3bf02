package insight

import (
	"context"
	"fmt"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of a preview: entities that are looked at, and of these those that are judged.
const (
	mostLooked = 2000
	mostJudged = 200
)

// Preview is what a scorecard that is not applied would say.
type Preview struct {
	Spec    Spec
	Results []Result // of the one entity, or of a sample, by reference
	Counts  Counts   // of the sample
	Looked  int      // entities that the reader may see, among which the sample was chosen
	Whole   bool     // there are no others
	Chosen  bool     // of the one entity: the filter takes it
}

// reading looks with the rights of the reader.
type reading struct{ s *Service }

func (r reading) runs(ctx context.Context, q run.Query) (run.Page, error) {
	return r.s.Runs.List(ctx, q)
}

func (r reading) docs(ctx context.Context, e ref.Entity) (Documented, error) {
	return r.s.Docs.Reads(ctx, e)
}

// Preview judges by a scorecard that is not applied: one entity, or without one a sample of what it would choose in a space and
// those below. It reads what the reader may read, so that it may say less than the platform will. Permission: entity:read in
// the space, and for the entity, which is fault.NotFound otherwise. A document that is not valid is fault.Invalid.
func (s *Service) Preview(ctx context.Context, space string, d document.Document, name *ref.Entity) (p Preview, err error) {
	if err := s.Access.Authorize(ctx, readRight, space); err != nil {
		return p, err
	}
	if d.Kind != "Scorecard" {
		return p, fault.At(fmt.Sprintf("a %s is not a Scorecard", d.Kind), d.At("must be Scorecard", "send one document of the kind Scorecard", "kind"))
	}
	spec, rules, wrong := s.read(d)
	if len(wrong) > 0 {
		return p, fault.At(fmt.Sprintf("Scorecard %s is not valid", d.Metadata.Name), wrong...)
	}
	c := card{Scorecard: Scorecard{Ref: d.Ref(), Space: space, Spec: spec}, rules: rules}
	p.Spec = spec
	if name != nil {
		e, err := s.Catalog.Get(ctx, *name)
		if err != nil {
			return p, err
		}
		if p.Chosen, err = s.Access.Within(ctx, e.Space, space); err != nil {
			return p, err
		}
		p.Chosen = p.Chosen && spec.Filter.chooses(e, c.Ref.Namespace)
		return p, s.try(ctx, &p, c, e)
	}
	return p, s.sample(ctx, &p, c)
}

func (s *Service) sample(ctx context.Context, p *Preview, c card) error {
	q := index.Query{Filter: c.Spec.Filter.indexed(), Limit: atOnce, NoTotal: true}
	for p.Looked < mostLooked && p.Counts.Entities < mostJudged {
		found, err := s.Catalog.Find(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range found.Items {
			within, err := s.Access.Within(ctx, e.Space, c.Space)
			if err != nil {
				return err
			}
			p.Looked++
			if !within || !c.Spec.Filter.chooses(e, c.Ref.Namespace) || p.Counts.Entities == mostJudged {
				continue
			}
			if err := s.try(ctx, p, c, e); err != nil {
				return err
			}
		}
		if q.After = found.Next; q.After == nil {
			p.Whole = p.Counts.Entities < mostJudged
			break
		}
	}
	return nil
}

func (s *Service) try(ctx context.Context, p *Preview, c card, e catalog.Entity) error {
	f, err := s.facts(ctx, e, s.keptOf([]string{e.Ref.String()}), reading{s})
	if err != nil {
		return err
	}
	f.seenFrom(c.Space)
	v := judge(ctx, c.Spec, c.rules, f, func(string) bool { return true })
	p.Results = append(p.Results, Result{Scorecard: c.Ref.String(), Entity: e.Ref.String(), Space: e.Space, Owner: ownerOf(e), Level: v.Level, Failed: v.Failed, Errors: v.Errors})
	p.Counts.add(counted(v.Level, v.Failed), 1)
	return nil
}
