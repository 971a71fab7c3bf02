package stack

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where many stacks follow one branch, a push is looked at once for all of them: its paths are compared by git once for each
// commit that some of them are at, and only stacks that it touches are looked at on their own.

const (
	jobMany    = "stack.look-many"
	fewStacks  = 10 // are looked at on their own
	manyAtOnce = 200
)

type manyArgs struct {
	Repository string `json:"repository"`
	Branch     string `json:"branch"`
}

// lookMany takes note of a branch's head for the stacks that it doesn't touch, and asks for a look at the others. It can be
// called at any time.
func (s *Service) lookMany(ctx context.Context, a manyArgs) error {
	head, err := s.Repositories.Head(ctx, a.Repository, a.Branch)
	if fault.Is(err, fault.NotFound) {
		head, err = "", nil
	}
	if err != nil {
		return err
	}
	var stacks []Stack
	policies := false
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if policies, err = s.Policy.AnyTx(ctx, tx, "push"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT "+stackColumns+" FROM stacks WHERE deleted = 0 AND repository = $1 AND branch = $2 AND seen <> $3 ORDER BY ref", a.Repository, a.Branch, head)
		stacks, err = store.Collect(rows, err, scanStack)
		return fault.Wrap(err, "find the stacks of %s", a.Repository)
	})
	if err != nil {
		return err
	}
	pushes := map[string]*pushed{}
	var look []Stack
	calm := map[string][]string{} // by the commit that they are at
	for _, stack := range stacks {
		if policies || head == "" || stack.Seen == "" || stack.Path == "" {
			look = append(look, stack)
			continue
		}
		p, known := pushes[stack.Seen]
		if !known {
			if p, err = s.pushedPaths(ctx, a.Repository, stack.Seen, head); err != nil {
				return err
			}
			pushes[stack.Seen] = p
		}
		if p.touches(stack) {
			look = append(look, stack)
		} else {
			calm[stack.Seen] = append(calm[stack.Seen], stack.Ref.String())
		}
	}
	for seen, names := range calm {
		for part := range slices.Chunk(names, manyAtOnce) {
			err := s.DB.Write(ctx, func(tx *store.Tx) error { return s.sawAll(ctx, tx, part, seen, head) })
			if err != nil {
				return err
			}
		}
	}
	for part := range slices.Chunk(look, manyAtOnce) {
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			for _, stack := range part {
				if err := s.look(ctx, tx, stack.Ref); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sawAll is saw for stacks of which a push changes nothing, as far as they are still where it was compared from.
func (s *Service) sawAll(ctx context.Context, tx *store.Tx, names []string, seen, head string) error {
	w := &store.Where{}
	w.Add("seen = " + w.Arg(seen) + " AND deleted = 0 AND message <> ''")
	w.Add(w.In("ref", names))
	rows, err := tx.Query(ctx, "SELECT ref FROM stacks"+w.String()+" ORDER BY ref"+tx.ForUpdate(), w.Args...)
	saying, err := store.Collect(rows, err, func(row store.Row) (name string, err error) { return name, row.Scan(&name) })
	if err != nil {
		return fault.Wrap(err, "find what stacks say")
	}
	for _, name := range saying {
		r, err := parseStack(name)
		if err != nil {
			return err
		}
		if err := s.saw(ctx, tx, r, head, ""); err != nil {
			return err
		}
	}
	w = &store.Where{}
	set := w.Arg(head)
	w.Add("seen = " + w.Arg(seen) + " AND deleted = 0")
	w.Add(w.In("ref", names))
	_, err = tx.Exec(ctx, "UPDATE stacks SET seen = "+set+w.String(), w.Args...)
	return fault.Wrap(err, "note a push that changes nothing of %d stacks", len(names))
}

// lookAll asks for a look at the stacks of a branch, one for all where there are many.
func (s *Service) lookAll(ctx context.Context, tx *store.Tx, stacks []Stack) error {
	if len(stacks) > fewStacks {
		a := manyArgs{stacks[0].Repository, stacks[0].Branch}
		return s.Queue.Insert(ctx, tx, jobMany, a, queue.InsertOptions{Unique: a.Repository + " " + a.Branch})
	}
	for _, stack := range stacks {
		if err := s.look(ctx, tx, stack.Ref); err != nil {
			return err
		}
	}
	return nil
}

// pushed is what has changed between two commits.
type pushed struct {
	all     bool // the old commit is gone, such as after a forced push, or too much changed
	paths   []string
	folders map[string]bool // in which something has changed, with those above
	globs   map[string]bool // that were asked for
}

func (s *Service) pushedPaths(ctx context.Context, repository, from, to string) (*pushed, error) {
	paths, err := s.Repositories.ChangedPaths(ctx, repository, from, to)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.TooLarge) {
		return &pushed{all: true}, nil
	}
	if err != nil {
		return nil, err
	}
	return between(paths), nil
}

func between(paths []string) *pushed {
	p := &pushed{paths: paths, folders: map[string]bool{}, globs: map[string]bool{}}
	for _, file := range paths {
		for i := strings.LastIndexByte(file, '/'); i > 0; i = strings.LastIndexByte(file[:i], '/') {
			if p.folders[file[:i]] {
				break
			}
			p.folders[file[:i]] = true
		}
	}
	return p
}

// touches tells whether something of a stack's folder has changed, or of what it watches beside it.
func (p *pushed) touches(stack Stack) bool {
	if p.all || stack.Path == "" || p.folders[stack.Path] {
		return true
	}
	return slices.ContainsFunc(stack.Spec.Watch, p.matches)
}

func (p *pushed) matches(pattern string) bool {
	found, known := p.globs[pattern]
	if !known {
		found = slices.ContainsFunc(p.paths, func(file string) bool { return repository.Matches(pattern, file) })
		p.globs[pattern] = found
	}
	return found
}
