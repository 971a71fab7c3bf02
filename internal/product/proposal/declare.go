package proposal

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Declare changes what is declared of entities where that is declared.
type Declare struct {
	Refs    []ref.Entity // 1 to 200
	Edit    document.Edit
	Message string // of commits and proposals; "" for one that names the entities
	Propose bool   // open proposals also where the rules let the caller push
	DryRun  bool   // tells what would be done
	IfMatch string // etag that the one entity must have now; "" for any
}

// The ways in which a declaration is changed.
const (
	ByApply    = "apply"    // it was applied, and is applied again
	ByCommit   = "commit"   // to the branch that its file is read from
	ByProposal = "proposal" // a new branch, since the rules let nobody push, or the repository is at a forge
)

// Deed is what was done, or would be done, in one place.
type Deed struct {
	Way        string
	Repository string // NAMESPACE/NAME
	Branch     string // that was committed to
	Commit     string
	Number     int    // of the proposal
	Space      string // of an apply
	Source     string
	Changes    []Redeclared
}

// Redeclared is what becomes of one entity; without a difference nothing.
type Redeclared struct {
	Ref  ref.Entity
	Path string // of its file
	Diff []document.Difference
}

// NotDone is an entity that can't be changed so, and why.
type NotDone struct {
	Ref   ref.Entity
	Where string // the page at its forge, where somebody can
	Why   string
}

const (
	mostDeclared = 200
	declaredFile = 5 << 20 // bytes
)

// Declare makes one commit, or opens one proposal, for each branch, and an apply of each entity that was applied. What is
// committed needs repository:write, what is applied entity:write in its space, and for restricted kinds what they need. Of
// many entities those that can't be changed are told, with why; of one that is the error. What another source pushes, and what
// the platform itself brought, is not changed here.
func (s *Service) Declare(ctx context.Context, d Declare) (deeds []Deed, refused []NotDone, err error) {
	if len(d.Refs) == 0 || len(d.Refs) > mostDeclared {
		return nil, nil, fault.Errorf(fault.Invalid, "name 1 to %d entities", mostDeclared)
	}
	if len(d.Refs) > 1 && (d.IfMatch != "" || d.Edit.Text != "") {
		return nil, nil, fault.Errorf(fault.Invalid, "If-Match and a whole document are for one entity, not for %d", len(d.Refs))
	}
	if err := checkText("the message of the commit", d.Message, bodyLimit/2, true); err != nil {
		return nil, nil, err
	}
	entities, err := s.Catalog.ByRefs(ctx, d.Refs)
	if err != nil {
		return nil, nil, err
	}
	no := func(r ref.Entity, where string, why error) {
		refused = append(refused, NotDone{Ref: r, Where: where, Why: fault.Message(why)})
		err = why
	}
	places := map[string][]catalog.Entity{}
	for i, e := range entities {
		switch {
		case e == nil:
			no(d.Refs[i], "", fault.Errorf(fault.NotFound, "entity %s does not exist, or you may not see it", d.Refs[i]))
		case d.IfMatch != "" && d.IfMatch != "*" && d.IfMatch != e.Etag:
			no(e.Ref, "", fault.IfMatch(d.IfMatch, e.Etag, e.Ref.String()))
		case e.File.Repository != "" && !e.Orphan:
			key := e.File.Repository + "\n" + e.File.Branch
			places[key] = append(places[key], *e)
		case strings.Contains(e.Source, ":"):
			no(e.Ref, "", fault.Errorf(fault.Conflict, "%s is brought by %s; change it there", e.Ref, e.Source))
		default:
			key := "\n" + e.Space + "\n" + e.Source
			places[key] = append(places[key], *e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(places)) {
		change := s.declareIn
		if strings.HasPrefix(key, "\n") {
			change = s.applyAgain
		}
		deed, left, failed := change(ctx, d, places[key])
		for _, l := range left {
			no(l.Ref, l.Where, l.why)
		}
		if failed != nil {
			for _, e := range places[key] {
				if !slices.ContainsFunc(left, func(l undone) bool { return l.Ref == e.Ref }) {
					no(e.Ref, s.page(e), failed)
				}
			}
			continue
		}
		if len(deed.Changes) > 0 {
			deeds = append(deeds, deed)
		}
	}
	if len(d.Refs) == 1 && len(refused) == 1 {
		return nil, nil, err
	}
	return deeds, refused, nil
}

// page gives where the file of an entity at a forge is edited by hand.
func (s *Service) page(e catalog.Entity) string {
	if e.File.Home.Forge == "" {
		return ""
	}
	return e.File.Edit(s.BaseURL)
}

type undone struct {
	NotDone
	why error
}

// declareIn changes the files of a branch.
func (s *Service) declareIn(ctx context.Context, d Declare, entities []catalog.Entity) (deed Deed, left []undone, err error) {
	from := entities[0].File
	r, err := s.Repositories.Authorize(ctx, repository.Write, from.Repository)
	if err != nil {
		return deed, nil, err
	}
	target := from.Branch
	if target == "" {
		target = r.DefaultBranch
	}
	deed = Deed{Way: ByCommit, Repository: r.FullName(), Branch: target}
	if alone, err := s.onlyProposals(ctx, r, target); err != nil {
		return deed, nil, err
	} else if alone || d.Propose || r.Outside != nil {
		deed.Way = ByProposal
	}
	var changes []repository.FileEdit
	byFile := map[string][]catalog.Entity{}
	for _, e := range entities {
		byFile[e.File.Path] = append(byFile[e.File.Path], e)
	}
	for _, file := range slices.Sorted(maps.Keys(byFile)) {
		edit, done, undone, err := s.redeclare(ctx, r, target, file, d.Edit, byFile[file])
		if err != nil {
			return deed, left, err
		}
		left = append(left, undone...)
		deed.Changes = append(deed.Changes, done...)
		if edit != nil {
			changes = append(changes, *edit)
		}
	}
	if d.DryRun || len(changes) == 0 {
		return deed, left, nil
	}
	message := d.Message
	if strings.TrimSpace(message) == "" {
		message = declaring(deed.Changes)
	}
	edit := repository.Edit{Branch: target, Message: message, Changes: changes}
	if deed.Way == ByProposal {
		id := ref.NewID(idPrefix, s.Now())
		edit.Branch, edit.From = "catalog/"+deed.Changes[0].Ref.Name+"-"+id[len(id)-6:], target
	}
	if deed.Commit, err = s.Repositories.Edit(ctx, r.FullName(), edit); err != nil {
		return deed, left, err
	}
	deed.Branch = edit.Branch
	if deed.Way == ByCommit {
		return deed, left, nil
	}
	title, body, _ := strings.Cut(message, "\n")
	opened, err := s.Open(ctx, NewProposal{Repository: r.FullName(), Title: title, Body: strings.TrimSpace(body), Source: edit.Branch, Target: target})
	deed.Number = opened.Number
	return deed, left, fault.Wrap(err, "the commit is on the branch %s; propose it", edit.Branch)
}

// declaring gives the message of a commit.
func declaring(all []Redeclared) string {
	if len(all) == 1 {
		return "Edit " + all[0].Ref.String()
	}
	var names []string
	for _, one := range all {
		names = append(names, "- "+one.Ref.String())
	}
	return fmt.Sprintf("Edit %d entities\n\n%s", len(all), strings.Join(names, "\n"))
}

// onlyProposals tells whether the rules let nobody push to a branch.
func (s *Service) onlyProposals(ctx context.Context, r repository.Repository, branch string) (bool, error) {
	spaces, err := s.Access.Ancestors(ctx, r.Space)
	if err != nil {
		return false, err
	}
	var demand Demand
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		demand, err = demandTx(ctx, tx, spaces, r, branch)
		return err
	})
	return demand.Push == OnlyProposals, err
}

// redeclare changes the documents of one file; edit is nil when that changes nothing.
func (s *Service) redeclare(ctx context.Context, r repository.Repository, branch, file string, e document.Edit, entities []catalog.Entity) (edit *repository.FileEdit, done []Redeclared, left []undone, err error) {
	entry, err := s.Repositories.Entry(ctx, r.FullName(), branch, file)
	if err != nil {
		return nil, nil, nil, err
	}
	had, err := s.Repositories.ReadFile(ctx, r.FullName(), branch, file, declaredFile)
	if err != nil {
		return nil, nil, nil, err
	}
	now := had
	for _, entity := range entities {
		text, diff, err := s.redeclareOne(path.Base(file), now, entity.Ref, e)
		switch {
		case err != nil:
			left = append(left, undone{NotDone{Ref: entity.Ref, Where: s.page(entity)}, err})
		case len(diff) > 0:
			now = text
			done = append(done, Redeclared{Ref: entity.Ref, Path: file, Diff: diff})
		}
	}
	if len(done) == 0 {
		return nil, nil, left, nil
	}
	return &repository.FileEdit{Path: file, Content: now, Base: &entry.Hash}, done, left, nil
}

func (s *Service) redeclareOne(file string, had []byte, r ref.Entity, e document.Edit) ([]byte, []document.Difference, error) {
	now, err := document.EditFile(file, had, r, e)
	if err != nil {
		return nil, nil, err
	}
	before, err := declaration(file, had, r)
	if err != nil {
		return nil, nil, err
	}
	after, err := declaration(file, now, r)
	if err != nil {
		return nil, nil, err
	}
	if wrong := s.Catalog.Wrong([]document.Document{after}); len(wrong) > 0 {
		return nil, nil, fault.At("what would be declared is wrong: "+wrong[0].Message, wrong...)
	}
	return now, document.Diff(&before, &after), nil
}

func declaration(file string, data []byte, r ref.Entity) (document.Document, error) {
	all, err := document.Parse(file, data, document.Limits{})
	if err != nil {
		return document.Document{}, err
	}
	for _, d := range all {
		if d.Ref() == r {
			return d, nil
		}
	}
	return document.Document{}, fault.Errorf(fault.NotFound, "%s does not declare %s any more", file, r)
}

// applyAgain applies what was applied, each for itself.
func (s *Service) applyAgain(ctx context.Context, d Declare, entities []catalog.Entity) (deed Deed, left []undone, err error) {
	deed = Deed{Way: ByApply, Space: entities[0].Space, Source: entities[0].Source}
	if err := s.Access.Authorize(ctx, "entity:write", deed.Space); err != nil {
		return deed, nil, err
	}
	for _, e := range entities {
		after, err := d.Edit.Apply(e.Document)
		if err != nil {
			left = append(left, undone{NotDone{Ref: e.Ref}, err})
			continue
		}
		apply := catalog.Apply{Space: deed.Space, Source: deed.Source, DryRun: d.DryRun, Documents: []document.Document{after}}
		if d.IfMatch != "" {
			apply.IfMatch = e.Etag
		}
		out, err := s.Catalog.Apply(ctx, apply)
		if err == nil && out.Items[0].Action == catalog.Conflict {
			err = fault.Errorf(fault.Conflict, "%s: %s", e.Ref, out.Items[0].Message)
		}
		switch {
		case err != nil:
			left = append(left, undone{NotDone{Ref: e.Ref}, err})
		case len(out.Items[0].Diff) > 0:
			deed.Changes = append(deed.Changes, Redeclared{Ref: e.Ref, Diff: out.Items[0].Diff})
		}
	}
	return deed, left, nil
}
