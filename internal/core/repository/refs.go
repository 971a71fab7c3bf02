package repository

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// BranchFacts is what a branch's row tells besides its name.
type BranchFacts struct {
	Commit        git.Commit
	Ahead, Behind int  // of the default branch
	Counted       bool // else that took too long
	Protected     bool // it can't be rewritten or deleted by a push
	ByProposals   bool // the caller can't push to it: only a proposal moves it
}

// standTime bounds how long the branches of a list are compared with the default one.
const standTime = 3 * time.Second

// BranchFacts tells of some branches how they stand to the default one. It needs repository:read.
func (s *Service) BranchFacts(ctx context.Context, fullName string, refs []Ref) (map[string]BranchFacts, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return nil, err
	}
	dir, done, err := s.reach(ctx, r)
	if err != nil {
		return nil, err
	}
	defer done()
	hashes := make([]string, len(refs))
	for i, b := range refs {
		hashes[i] = b.Hash
	}
	commits, err := s.git.CommitsOf(ctx, dir, hashes)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, standTime)
	defer cancel()
	found := make(map[string]BranchFacts, len(refs))
	var mu sync.Mutex
	var all sync.WaitGroup
	next := make(chan Ref)
	for range min(4, len(refs)) {
		all.Go(func() {
			for b := range next {
				f := BranchFacts{Commit: commits[b.Hash], Protected: r.Protected && b.Name == "refs/heads/"+r.DefaultBranch}
				if r.Head != "" {
					var err error
					f.Ahead, f.Behind, err = s.git.Ahead(limited, dir, r.Head, b.Hash)
					f.Counted = err == nil
				}
				f.ByProposals = s.onlyByProposals(ctx, r, b)
				mu.Lock()
				found[b.Name] = f
				mu.Unlock()
			}
		})
	}
	for _, b := range refs {
		next <- b
	}
	close(next)
	all.Wait()
	return found, ctx.Err()
}

// onlyByProposals tells whether the rules let nobody push to a branch.
func (s *Service) onlyByProposals(ctx context.Context, r Repository, b Ref) bool {
	return s.gate != nil && fault.Is(s.gate(ctx, r, git.Update{Ref: b.Name, Old: b.Hash, New: b.Hash}), fault.Denied)
}

// TagFacts tells what some tags say. It needs repository:read.
func (s *Service) TagFacts(ctx context.Context, fullName string, refs []Ref) (tags map[string]git.Tag, commits map[string]git.Commit, err error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return nil, nil, err
	}
	done, err := s.use(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	names := make([]string, len(refs))
	hashes := make([]string, len(refs))
	for i, t := range refs {
		names[i], hashes[i] = strings.TrimPrefix(t.Name, "refs/tags/"), t.Hash
	}
	if tags, err = s.git.Tags(ctx, s.folder(r.ID), names); err != nil {
		return nil, nil, err
	}
	commits, err = s.git.CommitsOf(ctx, s.folder(r.ID), hashes)
	return tags, commits, err
}

// Commits gives commits by their full hashes, those that this server has: no mirror is fetched for them. It needs
// repository:read.
func (s *Service) Commits(ctx context.Context, fullName string, hashes []string) (map[string]git.Commit, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return nil, err
	}
	if r.Outside != nil {
		if !s.mirrors.take(s.folder(r.ID), r.ID, s.now()) {
			return map[string]git.Commit{}, nil
		}
		defer s.mirrors.give(r.ID)
	}
	return s.git.CommitsOf(ctx, s.folder(r.ID), hashes)
}

// Brought gives the merges that brought a commit into the default branch, the oldest first: the commit itself and at most
// 50 more.
func (s *Service) Brought(ctx context.Context, fullName, commit string) ([]string, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return nil, err
	}
	if r.Head == "" || r.Head == commit {
		return []string{commit}, nil
	}
	dir, done, err := s.reach(ctx, r, commit)
	if err != nil {
		return nil, err
	}
	defer done()
	merges, err := s.reader(ctx).MergesOf(ctx, dir, commit, r.Head, 50)
	return append([]string{commit}, merges...), err
}

// NewRef is a branch or a tag that is to be made.
type NewRef struct {
	Name    string
	At      string // branch, tag or commit; "" for the head of the default branch
	Message string // of a tag: "" for one that is only a name
}

// CreateBranch makes a branch at a commit, as the principal of ctx. It needs repository:write. Conflict when it exists.
func (s *Service) CreateBranch(ctx context.Context, fullName string, n NewRef) (commit string, err error) {
	if err := git.CheckBranch(n.Name); err != nil {
		return "", err
	}
	return s.createRef(ctx, fullName, "refs/heads/"+n.Name, n)
}

// CreateTag makes a tag at a commit, as the principal of ctx. It needs repository:write. Conflict when it exists.
func (s *Service) CreateTag(ctx context.Context, fullName string, n NewRef) (commit string, err error) {
	if git.CheckBranch(n.Name) != nil {
		return "", fault.Errorf(fault.Invalid, "%.200q is not the name of a tag; write it like v1.2.0", n.Name)
	}
	return s.createRef(ctx, fullName, "refs/tags/"+n.Name, n)
}

func (s *Service) createRef(ctx context.Context, fullName, name string, n NewRef) (commit string, err error) {
	r, err := s.open(ctx, Write, fullName)
	if err != nil {
		return "", err
	}
	if git.IsHash(n.Name) {
		return "", fault.Errorf(fault.Invalid, "%s can't be told from a commit; choose another name", n.Name)
	}
	_, done, err := s.reach(ctx, r, n.At)
	if err != nil {
		return "", err
	}
	defer done()
	if commit, err = s.commitAt(ctx, r, n.At); err != nil {
		return "", err
	}
	err = s.movingTo(ctx, r, git.Update{Ref: name, Old: Zero, New: commit}, func(g *git.Git) error {
		refs, err := g.Refs(ctx, s.folder(r.ID))
		if err != nil {
			return err
		}
		if refs[name] != "" {
			return fault.Errorf(fault.Conflict, "%s has a %s %s already; choose another name", r.FullName(), kindOf(name), n.Name)
		}
		if len(refs) >= refsLimit {
			return fault.Errorf(fault.TooLarge, "%s has %d branches, tags and notes, as many as there may be; delete some that are not needed", r.FullName(), len(refs))
		}
		at := commit
		if n.Message != "" {
			p := actor.From(ctx)
			at, err = g.WriteTag(ctx, s.folder(r.ID), n.Name, commit, n.Message, git.Signature{Name: p.Name, Email: p.ID + "@users.localhost", When: s.now()})
			if err != nil {
				return err
			}
		}
		return g.UpdateRef(ctx, s.folder(r.ID), name, "", at)
	})
	return commit, err
}

func kindOf(ref string) string {
	if strings.HasPrefix(ref, "refs/tags/") {
		return "tag"
	}
	return "branch"
}

// commitAt gives the commit that rev names, and makes sure that it is one.
func (s *Service) commitAt(ctx context.Context, r Repository, rev string) (string, error) {
	commit, err := s.resolve(ctx, r, rev)
	if err != nil || !git.IsHash(rev) {
		return commit, err
	}
	commits, err := s.git.CommitsOf(ctx, s.folder(r.ID), []string{commit})
	if c, ok := commits[commit]; ok {
		return c.Hash, err
	}
	if err == nil {
		err = fault.Errorf(fault.NotFound, "repository %s has no commit %s", r.FullName(), rev)
	}
	return "", err
}

// movingTo is moving for one reference that the rules are asked about first.
func (s *Service) movingTo(ctx context.Context, r Repository, u git.Update, fn func(g *git.Git) error) error {
	if s.gate != nil && strings.HasPrefix(u.Ref, "refs/heads/") {
		if err := s.gate(ctx, r, u); err != nil {
			return err
		}
	}
	return s.moving(ctx, r, fn)
}

// RemoveTag deletes a tag as the principal of ctx. It needs repository:write. ifMatch is for fault.IfMatch, with the hash
// that the tag is at.
func (s *Service) RemoveTag(ctx context.Context, fullName, tag, ifMatch string) error {
	r, err := s.open(ctx, Write, fullName)
	if err != nil {
		return err
	}
	name := "refs/tags/" + tag
	if err := git.CheckRef(name); err != nil {
		return err
	}
	var at string
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		at, err = refHash(ctx, tx, r.ID, name)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return fault.Errorf(fault.NotFound, "%s has no tag %s", r.FullName(), tag)
	}
	if err != nil {
		return err
	}
	if err := fault.IfMatch(ifMatch, at, "tag "+tag); err != nil {
		return err
	}
	return fault.Wrap(s.moving(ctx, r, func(g *git.Git) error {
		return g.UpdateRef(ctx, s.folder(r.ID), name, at, "")
	}), "delete the tag %s of %s", tag, r.FullName())
}
