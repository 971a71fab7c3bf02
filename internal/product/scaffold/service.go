package scaffold

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Deps are the rooms this one stands on.
type Deps struct {
	DB           *store.DB
	Ledger       *ledger.Ledger
	Blob         blob.Store
	Access       Access
	Runs         *run.Service
	Repositories Repositories
	Catalog      Catalog
	People       People
	Seal         Sealer
	BaseURL      func() string // of this installation, without a slash at the end: https://roadbed.example.com
	Now          func() time.Time
	Log          *slog.Logger
}

// Access is what this room asks of core/access.
type Access interface {
	Authorize(ctx context.Context, action, space string) error
	MayUse(ctx context.Context, space, of string) (bool, error)
	Spaces(ctx context.Context, action string) (access.Set, error)
}

// Service keeps golden paths and their runs.
type Service struct {
	Deps
	nunjucks *nunjucks.Engine
	actions  map[string]Action
}

// New builds the room and registers its kind of run.
func New(d Deps) (*Service, error) {
	engine, err := nunjucks.New(nunjucks.Options{Filters: filterFuncs()})
	if err != nil {
		return nil, err
	}
	s := &Service{Deps: d, nunjucks: engine, actions: actions()}
	d.Runs.Register(s.kind())
	return s, nil
}

// loaded is a template and where it was read.
type loaded struct {
	Template
	entity Entity
}

// load gives a template that the caller may see, or use in the space (any, when it is ""). Its file is read again at the
// commit that the catalog has, so that errors name their lines. NotFound when the caller may do neither.
func (s *Service) load(ctx context.Context, reference, space string) (loaded, error) {
	r, err := ref.Parse(reference, "template", ref.DefaultNamespace)
	if err != nil {
		return loaded{}, err
	}
	if r.Kind != "template" {
		return loaded{}, fault.Errorf(fault.Invalid, "%s is not a template", r)
	}
	e, err := s.inherited(ctx, r, space)
	if err != nil {
		return loaded{}, err
	}
	if e.Repository != "" && e.Commit != "" {
		if data, err := s.Repositories.FileAt(ctx, e.Repository, e.Commit, e.Path, maxTemplateFile); err == nil {
			e.Document = sameIn(e, data)
		} else if !fault.Is(err, fault.NotFound) {
			return loaded{}, fault.Wrap(err, "read %s of %s", e.Path, e.Repository)
		}
	}
	t, err := s.usable(ctx, e.Document)
	return loaded{t, e}, err
}

// inherited gives a template that the caller may read, or one of a space above a space in which the caller may use
// templates: what a space offers is there for the spaces below it that inherit.
func (s *Service) inherited(ctx context.Context, r ref.Entity, space string) (Entity, error) {
	e, err := s.Catalog.Get(ctx, r)
	if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Denied) {
		return e, err
	}
	spaces := []string{space}
	if space == "" {
		usable, failure := s.Access.Spaces(ctx, "template:use")
		if failure != nil {
			return e, failure
		}
		spaces = usable.List()
	}
	found, failure := s.Catalog.Get(actor.AsSystem(ctx), r)
	if failure != nil {
		return e, err
	}
	for _, space := range spaces {
		if may, failure := s.Access.MayUse(ctx, space, found.Space); failure == nil && may {
			return found, nil
		}
	}
	return e, err
}

const maxTemplateFile = 1 << 20

// sameIn finds the entity's document in its file; where the file doesn't have it, what the catalog knows is kept.
func sameIn(e Entity, data []byte) document.Document {
	documents, err := document.Parse(e.Path, data, document.Limits{})
	if err != nil {
		return e.Document
	}
	i := slices.IndexFunc(documents, func(d document.Document) bool { return d.Ref() == e.Ref })
	if i < 0 {
		return e.Document
	}
	return documents[i]
}

// Form is what a template asks for.
type Form struct {
	Template     string // its reference
	Title        string
	Description  string
	Presentation map[string]any
	Pages        []Page
	Secrets      map[string]any // JSON Schema; nil for none
	Repository   string         // where the template lives
	Commit       string
}

// ParameterSchema gives a template's form. Permission: entity:read, or template:use in a space below the template's;
// otherwise NotFound. Invalid, with file and line,
// when the template can't be used.
func (s *Service) ParameterSchema(ctx context.Context, template string) (Form, error) {
	t, err := s.load(ctx, template, "")
	if err != nil {
		return Form{}, err
	}
	return Form{
		Template: t.Ref.String(), Title: t.Title, Description: t.Description, Presentation: t.Presentation, Pages: t.Pages,
		Secrets: t.Secrets, Repository: t.entity.Repository, Commit: t.entity.Commit,
	}, nil
}

// NewRun is what a person gives to use a golden path.
type NewRun struct {
	Template string         // reference
	Values   map[string]any // of the form; defaults are filled in
	Secrets  map[string]any
	Space    string // where what is made belongs; the form's field "space", else the root space
	Key      string // a second start with the same key gives the run of the first; "" for none
	Cause    string // ledger entry
}

// Start checks the template and the values, and starts a run. Nothing has happened when it fails.
// Permission: template:use in the space, which is the template's or below it; or entity:read for the template. Invalid with all that is wrong, by field.
func (s *Service) Start(ctx context.Context, n NewRun) (runID string, err error) {
	t, who, err := s.prepare(ctx, n)
	if err != nil {
		return "", err
	}
	input := Input{Template: t.Template, Repository: t.Repository, Commit: t.Commit, Values: t.Values}
	template, _ := readTemplate(t.Document)
	for _, step := range template.Steps {
		input.Steps = append(input.Steps, PlannedStep{step.ID, step.Name, step.Action, step.runsAfterFailure()})
	}
	key := ""
	if n.Key != "" {
		key = "scaffold:" + who.ID + ":" + n.Key
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		r, existed, err := s.Runs.Create(ctx, tx, run.New{
			Kind: RunKind, Space: t.Space, Subject: t.Template, Title: title(template, t.Values), Input: input, Key: key, Cause: n.Cause,
			Source: run.Source{Repository: t.Repository, Commit: t.Commit},
		})
		if err != nil || existed {
			runID = r.ID
			return err
		}
		runID, t.Run, t.Created = r.ID, r.ID, r.Created
		return s.insertTask(ctx, tx, t, who.ID)
	})
	return runID, fault.Wrap(err, "start %s", t.Template)
}

// prepare authorises and checks everything about a use of a template, before anything is written.
func (s *Service) prepare(ctx context.Context, n NewRun) (*task, actor.Principal, error) {
	who := actor.From(ctx)
	space := n.Space
	if named, ok := n.Values["space"].(string); ok && space == "" {
		space = strings.TrimSpace(named)
	}
	if space == "" {
		space = access.Root
	}
	if err := s.Access.Authorize(ctx, "template:use", space); err != nil {
		return nil, who, err
	}
	if who.Kind == actor.Workload {
		return nil, who, fault.Errorf(fault.Denied, "a step of a run can't use a golden path; a person or a machine account can")
	}
	if err := checkSize(n); err != nil {
		return nil, who, err
	}
	template, err := s.load(ctx, n.Template, space)
	if err != nil {
		return nil, who, err
	}
	t := &task{
		Template: template.Ref.String(), Space: space, Repository: template.entity.Repository, Commit: template.entity.Commit,
		Path: template.entity.Path, Document: template.Document,
		Principal: caller(ctx),
	}
	if t.Values, t.Hidden, err = template.accept(n); err != nil {
		return nil, who, err
	}
	t.sealed, err = t.Hidden.seal(s.Seal)
	return t, who, fault.Wrap(err, "seal the secrets of the form")
}

const maxForm = 1 << 20

func checkSize(n NewRun) error {
	encoded, err := json.Marshal([]any{n.Values, n.Secrets})
	if err != nil {
		return fault.Errorf(fault.Invalid, "the values can't be read: %w", err)
	}
	if len(encoded) > maxForm {
		return fault.Errorf(fault.TooLarge, "the form's values have %d bytes; at most %d are taken", len(encoded), maxForm)
	}
	if len(n.Key) > 200 {
		return fault.Errorf(fault.Invalid, "the key has over 200 characters")
	}
	return nil
}

// accept gives the values with the form's defaults, apart from what is secret, or all that is wrong with them.
func (t Template) accept(n NewRun) (open map[string]any, h hidden, err error) {
	plain, _ := normal(n.Values).(map[string]any)
	values := t.withDefaults(plain)
	open, h.Fields, h.Secrets = t.split(values)
	maps.Copy(h.Secrets, n.Secrets)
	details, err := t.checkValues(values, h)
	if err != nil {
		return nil, h, err
	}
	if t.Secrets != nil {
		found, err := checkAgainst(t.Secrets, h.Secrets, "secrets", h)
		if err != nil {
			return nil, h, err
		}
		details = append(details, found...)
	}
	if len(details) > 0 {
		return nil, h, fault.At("the form of "+t.Title+" is not filled in as it has to be", details...)
	}
	return open, h, nil
}

func title(t Template, values map[string]any) string {
	for _, field := range []string{"name", "component_id", "componentId", "repoName"} {
		if name, ok := values[field].(string); ok && name != "" {
			return clip(t.Title+": "+name, 200)
		}
	}
	return clip(t.Title, 200)
}

// Made gives what a run has made or may have made, the oldest first. Permission: run:read.
func (s *Service) Made(ctx context.Context, runID string) (made []Made, err error) {
	if _, err := s.Runs.Get(ctx, runID); err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		made, err = madeBy(ctx, tx, runID)
		return err
	})
	return made, err
}

// LineageOf gives the runs that made or used a thing: a template's reference gives its newest uses, a repository
// (NAMESPACE/NAME) or an entity's reference the runs that made it. Those in spaces whose runs the caller may not read
// are left out. Permission: run:read in each one's space.
func (s *Service) LineageOf(ctx context.Context, thing string, limit int) (all []Lineage, err error) {
	limit = min(max(limit, 1), 200)
	where, arg := "EXISTS (SELECT 1 FROM scaffold_made m WHERE m.run = l.run AND m.kind = 'repository' AND m.name = $1 AND m.state = 'made')", thing
	switch {
	case strings.HasPrefix(thing, "repository:"):
		arg = strings.TrimPrefix(thing, "repository:")
	case strings.HasPrefix(thing, "template:"):
		where = "l.template = $1"
	case strings.Contains(thing, ":"):
		where = `EXISTS (SELECT 1 FROM scaffold_made m WHERE m.run = l.run AND m.state = 'made' AND ` + store.Has("m.data", "$1") + `)`
		arg = `"` + strings.ToLower(thing) + `"`
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all = nil
		rows, err := tx.Query(ctx, "SELECT "+lineageColumns+" FROM scaffold_lineage l WHERE "+where+" ORDER BY l.created DESC, l.run DESC LIMIT 1000", arg)
		found, err := store.Collect(rows, err, scanLineage)
		if err != nil {
			return fault.Wrap(err, "read the lineage of %s", thing)
		}
		for _, l := range found {
			if len(all) < limit && s.Access.Authorize(ctx, "run:read", l.Space) == nil {
				if l.Made, err = madeBy(ctx, tx, l.Run); err != nil {
					return err
				}
				all = append(all, l)
			}
		}
		return nil
	})
	return all, err
}

// ctxOf gives a context in which a person of a run acts, with today's rights and the narrowing of the token that was
// presented. It fails with fault.Denied when the person is gone, or the token or session has ended.
func (s *Service) ctxOf(ctx context.Context, who principal) (context.Context, actor.Principal, error) {
	if who.ID == "system" {
		return actor.AsSystem(ctx), actor.From(actor.AsSystem(ctx)), nil
	}
	p, err := s.People.Principal(ctx, who.ID)
	if fault.Is(err, fault.NotFound) {
		return nil, p, fault.Errorf(fault.Denied, "who the run works for is gone; retry it as yourself, or undo it")
	}
	if err != nil {
		return nil, p, fault.Wrap(err, "ask for the rights of the run's author")
	}
	if who.Narrowed {
		p.Scopes = slices.Clone(who.Scopes)
		if p.Scopes == nil {
			p.Scopes = []string{}
		}
	}
	p.Token = who.Token
	p, err = s.People.Resume(ctx, p)
	if fault.Is(err, fault.Unauthenticated) {
		return nil, p, fault.Errorf(fault.Denied, "the token or session of who the run works for has ended; retry it with one of your own, or undo it")
	}
	if err != nil {
		return nil, p, fault.Wrap(err, "ask for the token of the run's author")
	}
	return actor.With(ctx, p), p, nil
}
