package policy

import (
	"context"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// spec is what a Policy document says.
type spec struct {
	Point       string `json:"point"`
	Rego        string `json:"rego"`
	Description string `json:"description"`
	Disabled    bool   `json:"disabled"`
	// Labels are words of the policy; autoattach:LABEL attaches it as Attach does.
	Labels []string `json:"labels"`
	Attach attach   `json:"attach"`
}

// attach narrows a policy to some of what is in its space and below; empty for all of it.
type attach struct {
	Labels []string `json:"labels"` // of what it is asked about; "*" for all
	Stacks []string `json:"stacks"` // by name or reference
}

// Kinds gives the documents of this room.
func Kinds(s *Service) []document.Kind {
	return []document.Kind{{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Policy", Plural: "policies", Restricted: true,
		Description: "Rego that is asked at a point of the platform, in its space and all below.",
		Validate:    s.validate, Changed: s.changed,
	}}
}

func (s *Service) validate(d document.Document) []fault.Detail {
	var spec spec
	if err := document.Decode(d, &spec); err != nil {
		return fault.Details(err)
	}
	if _, known := points()[spec.Point]; !known {
		return []fault.Detail{d.At(fmt.Sprintf("nothing is asked at a policy point %q", spec.Point), "something is asked at "+pointNames(), "spec", "point")}
	}
	if strings.TrimSpace(spec.Rego) == "" {
		return []fault.Detail{d.At("a policy needs Rego", "begin with: package roadbed."+spec.Point, "spec", "rego")}
	}
	if _, err := spec.attachment(); err != nil {
		return []fault.Detail{d.At(fault.Message(err), "", "spec", "attach")}
	}
	if _, err := s.cache.get(spec.Point, digestOf(spec.Rego), spec.Rego); err != nil {
		return inDocument(d, spec.Rego, err)
	}
	return nil
}

// inDocument moves places in the Rego to where it stands in the document.
func inDocument(d document.Document, source string, err error) []fault.Detail {
	details := fault.Details(err)
	if len(details) == 0 {
		return []fault.Detail{d.At(fault.Message(err), "", "spec", "rego")}
	}
	block := strings.Contains(strings.TrimRight(source, "\n"), "\n") // a block's text begins below its key
	moved := make([]fault.Detail, 0, len(details))
	for _, in := range details {
		at := d.At(in.Message, in.Hint, "spec", "rego")
		switch {
		case block && d.Line() > 0:
			at.Line, at.Column = at.Line+in.Line, 0
		case block || d.Line() == 0:
			at.Message = fmt.Sprintf("line %d: %s", in.Line, in.Message)
		}
		moved = append(moved, at)
	}
	return moved
}

func (s *Service) changed(ctx context.Context, tx *store.Tx, c document.Change) error {
	var old *attached
	switch was, err := policyByRef(ctx, tx, c.Ref.String()); {
	case err == nil:
		old = &was
	case !fault.Is(err, fault.NotFound):
		return err
	}
	if c.New == nil {
		if err := s.loginChanged(ctx, tx, old, attached{}, c); err != nil {
			return err
		}
		return deletePolicy(ctx, tx, c.Ref.String())
	}
	var spec spec
	if err := document.Decode(*c.New, &spec); err != nil {
		return err
	}
	to, err := spec.attachment()
	if err != nil {
		return err
	}
	p := attached{Ref: c.Ref.String(), Space: c.Space, Point: spec.Point, Rego: spec.Rego, Version: digestOf(spec.Rego), Description: spec.Description, To: to, Source: c.Source}
	if p.Description == "" {
		p.Description = c.New.Metadata.Description
	}
	if err := s.loginChanged(ctx, tx, old, p, c); err != nil {
		return err
	}
	return savePolicy(ctx, tx, p, spec.Disabled)
}
