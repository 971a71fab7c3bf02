package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/docs"
	"github.com/roadbed-dev/roadbed/internal/product/docs/definition"
)

func (a *API) definitionRoutes() {
	const one, noun = "/entities/{kind}/{namespace}/{name}/definition", "docs"
	register(a, operation("getDefinition", http.MethodGet, one, noun, "The definition of an API: its operations and types, whatever its format"), a.getDefinition)
	register(a, operation("compareDefinitions", http.MethodGet, one+"/changes", noun, "What changed in the definition of an API, and what of it breaks"), a.compareDefinitions)
}

type definitionInput struct {
	EntityInput
	At string `query:"at" maxLength:"250" doc:"Number of a version of the entity, also of one that is deleted by now; branch, tag or commit of the repository that declares it; the present one when empty."`
}

func (a *API) getDefinition(ctx context.Context, in *definitionInput) (*body[client.Definition], error) {
	d, err := a.Docs.Definition(ctx, in.ref(), in.At)
	if err != nil {
		return nil, err
	}
	return answer(wireDefinition(d)), nil
}

func wireDefinition(d docs.Defined) client.Definition {
	out := client.Definition{
		At: d.At, Commit: d.Commit, Format: d.Format, FormatVersion: d.Version, Title: d.Title, Release: d.Release, Description: d.Description,
		Servers: d.Servers, Operations: make([]client.APIOperation, len(d.Operations)), Types: make([]client.APIType, len(d.Types)),
		Problems: d.Problems, Text: d.Text, Error: d.Error,
	}
	for i, o := range d.Operations {
		out.Operations[i] = client.APIOperation{
			ID: o.ID, Group: o.Group, Verb: o.Verb, Name: o.Name, Summary: o.Summary, Description: o.Description, Deprecated: o.Deprecated,
			Inputs: wireFields(o.Inputs), Outputs: wireFields(o.Outputs),
		}
		for _, needs := range o.Security {
			out.Operations[i].Security = append(out.Operations[i].Security, needs.String())
		}
	}
	for i, t := range d.Types {
		out.Types[i] = client.APIType{
			Name: t.Name, Kind: t.Kind, Type: t.Type, Refs: t.Refs, Description: t.Description, Deprecated: t.Deprecated, Values: t.Values,
			Numbers: t.Numbers, Implements: t.Implements, Fields: wireFields(t.Fields),
		}
	}
	return out
}

func wireFields(fields []definition.Field) []client.APIField {
	out := make([]client.APIField, len(fields))
	for i, f := range fields {
		out[i] = client.APIField{
			Name: f.Name, In: f.In, Type: f.Type, Refs: f.Refs, Required: f.Required, Deprecated: f.Deprecated, Number: f.Number, JSON: f.JSON, Limits: f.Limits.String(),
			Default: f.Default, Example: f.Example, Description: f.Description, Values: f.Values, Fields: wireFields(f.Fields),
		}
	}
	return out
}

type compareDefinitionsInput struct {
	EntityInput
	From string `query:"from" maxLength:"250" doc:"Like at of the definition; empty for the last of 50 versions with another definition."`
	To   string `query:"to" maxLength:"250" doc:"Like at of the definition; the present one when empty."`
}

func (a *API) compareDefinitions(ctx context.Context, in *compareDefinitionsInput) (*body[client.DefinitionChanges], error) {
	c, err := a.Docs.Changes(ctx, in.ref(), in.From, in.To)
	if err != nil {
		return nil, err
	}
	out := client.DefinitionChanges{
		From: client.DefinitionAt{At: c.From.At, Commit: c.From.Commit, Release: c.From.Release}, To: client.DefinitionAt{At: c.To.At, Commit: c.To.Commit, Release: c.To.Release},
		Breaking: c.Breaking, More: c.More, Older: c.Older, Changes: make([]client.DefinitionChange, len(c.Changes)),
	}
	for i, change := range c.Changes {
		out.Changes[i] = client.DefinitionChange{Where: change.Where, Message: change.Message, Breaking: change.Breaking}
	}
	return answer(out), nil
}
