package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	jobLook      = "registry.look"
	lookTimeout  = 10 * time.Minute
	mostTags     = 5000 // that are looked at
	mostVersions = 2000 // of a module
	atOnce       = 20   // new versions of one look; the next goes on
)

type lookArgs struct {
	Module string `json:"module"`
}

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobLook, queue.HandleOptions{Timeout: lookTimeout}, func(ctx context.Context, a lookArgs) error {
		return s.lookAt(actor.AsSystem(ctx), a.Module)
	})
	s.subscribeReleases()
	s.Ledger.Subscribe("registry.pushes", []string{"repository.pushed"}, s.pushed)
}

// look asks for a look at a module's repository.
func (s *Service) look(ctx context.Context, tx *store.Tx, module ref.Entity) error {
	return s.Queue.Insert(ctx, tx, jobLook, lookArgs{module.String()}, queue.InsertOptions{Unique: module.String()})
}

// pushed asks for a look at each module whose tags or whose branch a push may have moved.
func (s *Service) pushed(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var push repository.Push
	if err := json.Unmarshal(e.Data, &push); err != nil {
		return fault.Wrap(err, "read push %s", e.ID)
	}
	rows, err := tx.Query(ctx, "SELECT "+moduleColumns+" FROM registry_modules WHERE repository = $1", push.Repository)
	modules, err := store.Collect(rows, err, scanModule)
	if err != nil {
		return fault.Wrap(err, "find the modules of %s", push.Repository)
	}
	for _, m := range modules {
		if err := s.askRelease(ctx, tx, m, push, e.Actor); err != nil {
			return err
		}
		tag, isTag := strings.CutPrefix(push.Ref, "refs/tags/")
		if isTag && ofTag(tag, m.Spec.Source.TagPrefix) == "" || !isTag && push.Ref != "refs/heads/"+m.Spec.Source.Branch {
			continue
		}
		if err := s.look(ctx, tx, m.Ref); err != nil {
			return err
		}
	}
	return nil
}

// found is a version that a repository has now.
type found struct {
	version, tag, hash, commit, ref string
}

// withVersions reads a module and the versions that it has.
func (s *Service) withVersions(ctx context.Context, module string) (m Module, have []Version, err error) {
	r, err := ref.Parse(module, "module", ref.DefaultNamespace)
	if err != nil {
		return m, nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if m, err = getModule(ctx, tx, r, ""); err != nil {
			return err
		}
		have, err = versionsOf(ctx, tx, r)
		return err
	})
	return m, have, err
}

// lookAt makes the versions that a repository has and the module has not, and says of tags that they have moved.
func (s *Service) lookAt(ctx context.Context, module string) error {
	m, have, err := s.withVersions(ctx, module)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	more, err := s.makeVersions(ctx, m, have)
	if err != nil && !final(err) {
		return err // the queue tries again
	}
	message := ""
	if err != nil {
		message = clip(fault.Message(err))
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE registry_modules SET message = $2 WHERE ref = $1 AND message <> $2", module, message); err != nil {
			return fault.Wrap(err, "keep what is wrong with %s", module)
		}
		if more {
			return s.look(ctx, tx, m.Ref)
		}
		return nil
	})
}

// final tells whether asking again would give the same answer.
func final(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Denied, fault.NotFound, fault.TooLarge:
		return true
	}
	return false
}

// makeVersions tells whether there are more than it has made.
func (s *Service) makeVersions(ctx context.Context, m Module, have []Version) (more bool, err error) {
	if err := s.mayRead(ctx, m); err != nil {
		return false, err
	}
	tags, err := s.Repositories.Tags(ctx, m.Spec.Source.Repository, m.Spec.Source.TagPrefix, mostTags)
	if err != nil {
		return false, fault.Wrap(err, "list the tags of %s", m.Spec.Source.Repository)
	}
	known := map[string]Version{}
	for _, v := range have {
		known[v.Version] = v
	}
	var fresh []found
	here := map[string]string{}
	for _, t := range tags {
		tag := strings.TrimPrefix(t.Name, "refs/tags/")
		here[tag] = t.Hash // also of one that a push policy made a version of
		version := ofTag(tag, m.Spec.Source.TagPrefix)
		if version == "" {
			continue
		}
		if known[version].ID == "" && !slices.ContainsFunc(fresh, func(f found) bool { return f.version == version }) {
			fresh = append(fresh, found{version: version, tag: tag, hash: t.Hash, ref: t.Name})
		}
	}
	if err := s.tellMoved(ctx, m, have, here); err != nil {
		return false, err
	}
	slices.SortFunc(fresh, func(a, b found) int { return CompareVersions(a.version, b.version) })
	told, err := s.declared(ctx, m, known, fresh)
	if err != nil {
		return false, err
	}
	fresh = append(fresh, told...)
	if len(have)+len(fresh) > mostVersions {
		return false, fault.Errorf(fault.Invalid, "a module has at most %d versions", mostVersions)
	}
	for i, f := range fresh {
		if i == atOnce {
			return true, nil
		}
		if _, err := s.makeVersion(ctx, m, f, nil); err != nil {
			return false, err
		}
	}
	return false, nil
}

// mayRead holds a module to repositories of its space and below.
func (s *Service) mayRead(ctx context.Context, m Module) error {
	space, err := s.Repositories.SpaceOf(ctx, m.Spec.Source.Repository)
	if err != nil {
		return fault.Wrap(err, "find repository %s", m.Spec.Source.Repository)
	}
	within, err := s.Access.Within(ctx, space, m.Space)
	if err == nil && !within {
		err = fault.Errorf(fault.Denied, "%s is in space %s and may not use repository %s, which is in space %s; move one of them", m.Ref, m.Space, m.Spec.Source.Repository, space)
	}
	return err
}

// declared gives the version that the configuration at the head of the branch names, if it is new.
func (s *Service) declared(ctx context.Context, m Module, known map[string]Version, fresh []found) ([]found, error) {
	head, err := s.Repositories.Head(ctx, m.Spec.Source.Repository, m.Spec.Source.Branch)
	if fault.Is(err, fault.NotFound) {
		return nil, nil // nothing is pushed there so far
	}
	if err != nil {
		return nil, err
	}
	c, err := s.configured(ctx, m, head)
	if err != nil {
		return nil, err
	}
	version := c.ModuleVersion
	if version == "" || known[version].ID != "" || slices.ContainsFunc(fresh, func(f found) bool { return f.version == version }) {
		return nil, nil
	}
	return []found{{version: version, commit: head, ref: "refs/heads/" + m.Spec.Source.Branch}}, nil
}

// tellMoved says of versions whose tag leads elsewhere now, and of those whose tag is back, where it is.
func (s *Service) tellMoved(ctx context.Context, m Module, have []Version, here map[string]string) error {
	for _, v := range have {
		if v.Tag == "" || !strings.HasPrefix(v.Tag, m.Spec.Source.TagPrefix) {
			continue
		}
		moved := ""
		switch hash, is := here[v.Tag]; {
		case !is:
			moved = "it is gone"
		case hash != v.tagHash:
			moved = hash
			if commit, err := s.Repositories.Head(ctx, m.Spec.Source.Repository, "refs/tags/"+v.Tag); err == nil {
				moved = commit
			}
			if moved == v.Commit { // another tag at the same commit
				moved = ""
			}
		}
		if moved == v.Moved {
			continue
		}
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE registry_versions SET moved = $2 WHERE id = $1", v.ID, moved); err != nil {
				return fault.Wrap(err, "keep where tag %s is", v.Tag)
			}
			if moved == "" {
				return nil
			}
			return s.noteIn(ctx, tx, m.Space, m.Ref, "module.tag-moved", map[string]any{"version": v.Version, "tag": v.Tag, "commit": v.Commit, "now": moved})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// makeVersion makes one version and begins its tests, and tells whether it made it: there may be one of that number by now.
// What is wrong with its files is said of the version, which has failed. also, unless nil, is done where it is made.
func (s *Service) makeVersion(ctx context.Context, m Module, f found, also func(tx *store.Tx) error) (made bool, err error) {
	if f.commit == "" {
		if f.commit, err = s.Repositories.Head(ctx, m.Spec.Source.Repository, f.ref); err != nil {
			if fault.Is(err, fault.NotFound) {
				return false, nil // the tag went meanwhile, or is of no commit
			}
			return false, err
		}
	}
	now := s.Now()
	v := Version{ID: ref.NewID(versionID, now), Module: m.Ref, Version: f.version, State: Testing, Tag: f.tag, tagHash: f.hash, Commit: f.commit, Round: 1, Created: now}
	if v.Actor, err = s.Repositories.Pusher(ctx, m.Spec.Source.Repository, f.ref, cmp.Or(f.hash, f.commit)); err != nil && !fault.Is(err, fault.NotFound) {
		return false, err
	}
	tests, err := s.content(ctx, m, &v)
	if err != nil {
		if !final(err) {
			return false, err
		}
		v.State, v.Message, v.Archive = Failed, clip(fault.Message(err)), ""
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		made = false
		now, err := getModule(ctx, tx, m.Ref, tx.ForUpdate())
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if now.Space != m.Space || now.Spec.Source != m.Spec.Source {
			return s.look(ctx, tx, m.Ref) // it is another module by now
		}
		if made, err = insertVersion(ctx, tx, v); err != nil || !made {
			return err
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		data := map[string]any{"version": v.Version, "commit": v.Commit, "tag": v.Tag, "state": string(v.State)}
		if err := s.noteIn(ctx, tx, m.Space, m.Ref, "module.version-created", data); err != nil || v.State == Failed {
			return err
		}
		return s.settle(ctx, tx, v, tests)
	})
	return made && err == nil, err
}

// content packs the folder, keeps the archive, looks into it, and gives the tests that it asks for.
func (s *Service) content(ctx context.Context, m Module, v *Version) ([]Test, error) {
	stream, err := s.Repositories.ArchiveAt(ctx, m.Spec.Source.Repository, v.Commit, m.Spec.Source.Path)
	if err != nil {
		return nil, fault.Wrap(err, "read the folder of the module")
	}
	p, err := pack(stream)
	_ = stream.Close() // it was read to its end, or is not wanted
	if err != nil {
		return nil, err
	}
	c, err := s.configured(ctx, m, v.Commit)
	if err != nil {
		return nil, err
	}
	v.Content, v.Files = inspect(p.texts), p.files
	for _, w := range c.Warnings {
		v.Content.warn(w)
	}
	specs := c.Tests
	if len(specs) == 0 {
		specs = examples(configuredFolders(p.texts))
	}
	folders := configuredFolders(p.texts)
	tests := make([]Test, len(specs))
	for i, spec := range specs {
		at := spec.Root
		if at == "" {
			at = "."
		}
		if !slices.Contains(folders, at) {
			return nil, fault.Errorf(fault.Invalid, "test %s is to run in the folder %q, which has no configuration", spec.ID, spec.Root)
		}
		tests[i] = Test{TestSpec: spec, State: TestWaiting}
	}
	v.Archive, v.Size, err = s.Blob.Put(ctx, bytes.NewReader(p.archive), mostBytes*2)
	return tests, err
}

func sortVersions(versions []string) {
	slices.SortFunc(versions, func(a, b string) int { return CompareVersions(b, a) })
}
