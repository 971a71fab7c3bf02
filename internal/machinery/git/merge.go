package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Ways to bring one branch into another.
const (
	MergeCommit = "merge"  // one commit with both as its parents
	MergeSquash = "squash" // one commit with all changes
	MergeRebase = "rebase" // the commits one by one, merges left out
)

// rebaseCommits bounds how many commits are repeated.
const rebaseCommits = 500

// Standing is how one commit stands to another that it is to be brought into.
type Standing struct {
	Base      string   // the newest commit that both have; "" for histories that have none
	Ahead     int      // commits that only the source has
	Behind    int      // commits that only the target has
	Conflicts []string // paths that both changed so that they can't be brought together, by name; at most 1,000
}

// Standing compares a source with the target that it is to be brought into, both full hashes. It writes nothing into
// the repository. NotFound when one of them is not there.
func (g *Git) Standing(ctx context.Context, dir, target, source string) (Standing, error) {
	var s Standing
	ahead, behind, err := g.count(ctx, dir, target, source)
	if err != nil {
		return s, err
	}
	s.Ahead, s.Behind = ahead, behind
	if s.Base, err = g.mergeBase(ctx, dir, target, source); err != nil || s.Base == "" || ahead == 0 {
		return s, err
	}
	env, drop, err := scratch(dir)
	if err != nil {
		return s, err
	}
	defer drop()
	_, s.Conflicts, err = g.mergeTree(ctx, dir, env, target, source)
	return s, err
}

// scratch gives the environment in which a command writes objects that are dropped afterwards. They go with their
// folder, which git's maintenance removes when nobody else does.
func scratch(dir string) (env []string, drop func(), err error) {
	objects, err := filepath.Abs(filepath.Join(dir, "objects"))
	if err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp(objects, "tmp_objdir-merge-")
	if err != nil {
		return nil, nil, fmt.Errorf("make room for a trial: %w", err)
	}
	return []string{"GIT_OBJECT_DIRECTORY=" + folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + objects}, func() { _ = os.RemoveAll(folder) }, nil
}

// count gives how many commits only source and only target have.
func (g *Git) count(ctx context.Context, dir, target, source string) (ahead, behind int, err error) {
	for _, c := range []string{target, source} {
		if !IsHash(c) {
			return 0, 0, fault.Errorf(fault.Invalid, "%q is not the full hash of a commit", clip(c))
		}
	}
	out, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"rev-list", "--left-right", "--count", target + "..." + source, "--"}})
	if exitCode(err) == 128 && (g.noCommit(ctx, dir, nil, target) || g.noCommit(ctx, dir, nil, source)) {
		return 0, 0, fault.Errorf(fault.NotFound, "compare %s and %s: one of them is not a commit of the repository", target, source)
	}
	if err != nil {
		return 0, 0, fault.Wrap(err, "compare %s and %s", target, source)
	}
	if _, err := fmt.Sscan(string(out), &behind, &ahead); err != nil {
		return 0, 0, fmt.Errorf("compare %s and %s: git gave %q", target, source, clip(string(out)))
	}
	return ahead, behind, nil
}

// mergeBase gives the newest commit that both have, "" for none.
func (g *Git) mergeBase(ctx context.Context, dir, a, b string) (string, error) {
	out, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"merge-base", a, b}})
	if exitCode(err) == 1 {
		return "", nil
	}
	return strings.TrimSpace(string(out)), fault.Wrap(err, "find what %s and %s have in common", a, b)
}

// mergeTree brings two commits together and gives the tree, or the paths at which that fails.
func (g *Git) mergeTree(ctx context.Context, dir string, env []string, target, source string) (tree string, conflicts []string, err error) {
	tree, conflicts, err = g.tryMerge(ctx, dir, env, target, source)
	if len(conflicts) > 0 {
		tree = ""
	}
	return tree, conflicts, err
}

// tryMerge brings two commits together and gives the tree; where that fails, the paths, whose files in the tree have
// both sides between marks.
func (g *Git) tryMerge(ctx context.Context, dir string, env []string, target, source string) (tree string, conflicts []string, err error) {
	out, err := g.output(ctx, call{
		dir: dir, env: env, limit: treeBytes, args: []string{"merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", target, source},
	})
	if err != nil && exitCode(err) != 1 {
		return "", nil, fault.Wrap(err, "bring %s and %s together", target, source)
	}
	parts := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if !IsHash(parts[0]) {
		return "", nil, fmt.Errorf("bring %s and %s together: git gave %q", target, source, clip(string(out)))
	}
	if err != nil {
		conflicts = parts[1:min(len(parts), 1001)]
	}
	return parts[0], conflicts, nil
}

// MergeRequest brings a source into a branch.
type MergeRequest struct {
	Way       string // MergeCommit, MergeSquash or MergeRebase
	Branch    string // short name
	Target    string // the head of Branch that the caller saw
	Source    string // commit
	Author    Signature
	Committer Signature // the author when zero; of each commit that is repeated, too
	Message   string    // of the merge or of the squashed commit

	// Ready is called with the commit before the branch moves there; its error leaves the branch where it is. May be nil.
	Ready func(commit string) error
}

func (r MergeRequest) check() error {
	if err := CheckBranch(r.Branch); err != nil {
		return err
	}
	if r.Way != MergeCommit && r.Way != MergeSquash && r.Way != MergeRebase {
		return fault.Errorf(fault.Invalid, "%q is no way to merge; choose %s, %s or %s", clip(r.Way), MergeCommit, MergeSquash, MergeRebase)
	}
	if r.Way != MergeRebase && (strings.TrimSpace(r.Message) == "" || len(r.Message) > commitMessage || strings.ContainsRune(r.Message, 0)) {
		return fault.Errorf(fault.Invalid, "a commit needs a message of at most %d bytes", commitMessage)
	}
	if r.Author.Name == "" || r.Author.When.IsZero() {
		return fault.Errorf(fault.Invalid, "a commit needs an author with a name and a time")
	}
	return nil
}

// Merge makes the commits and moves the branch from Target to the last of them, which it gives. The hashes depend on the
// request alone. It fails with fault.Conflict when the branch is not at Target, when the changes can't be brought
// together, which names the paths, or when the source has nothing that the branch has not; with fault.TooLarge when
// there are over 500 commits to repeat.
func (g *Git) Merge(ctx context.Context, dir string, r MergeRequest) (commit string, err error) {
	if err := r.check(); err != nil {
		return "", err
	}
	if r.Committer.Name == "" {
		r.Committer = r.Author
	}
	ahead, _, err := g.count(ctx, dir, r.Target, r.Source)
	if err != nil {
		return "", err
	}
	if ahead == 0 {
		return "", fault.Errorf(fault.Conflict, "%s has all of this already", r.Branch)
	}
	if err := g.expect(ctx, dir, "refs/heads/"+r.Branch, r.Target); err != nil {
		return "", err
	}
	base, err := g.mergeBase(ctx, dir, r.Target, r.Source)
	switch {
	case err != nil:
	case base == "":
		err = fault.Errorf(fault.Conflict, "%s and this have no commit in common", r.Branch)
	case r.Way == MergeRebase:
		commit, err = g.repeat(ctx, dir, base, r)
	default:
		commit, err = g.join(ctx, dir, r)
	}
	if err != nil {
		return "", err
	}
	if r.Ready != nil {
		if err := r.Ready(commit); err != nil {
			return "", err
		}
	}
	return commit, g.UpdateRef(ctx, dir, "refs/heads/"+r.Branch, r.Target, commit)
}

// Rebase makes the commits of a branch anew on another commit and moves the branch from head to the last of them, which it
// gives; by is who did it. Errors are those of Merge; onto is how the other commit is called in them.
func (g *Git) Rebase(ctx context.Context, dir, branch, head, target, onto string, by Signature) (commit string, err error) {
	ahead, behind, err := g.count(ctx, dir, target, head)
	if err != nil {
		return "", err
	}
	if behind == 0 || ahead == 0 {
		return "", fault.Errorf(fault.Conflict, "%s has all of %s already, or nothing of its own", branch, onto)
	}
	if err := g.expect(ctx, dir, "refs/heads/"+branch, head); err != nil {
		return "", err
	}
	base, err := g.mergeBase(ctx, dir, target, head)
	if err == nil && base == "" {
		err = fault.Errorf(fault.Conflict, "%s and %s have no commit in common", branch, onto)
	}
	if err != nil {
		return "", err
	}
	if commit, err = g.repeat(ctx, dir, base, MergeRequest{Branch: onto, Target: target, Source: head, Committer: by}); err != nil {
		return "", err
	}
	return commit, g.UpdateRef(ctx, dir, "refs/heads/"+branch, head, commit)
}

// UndoRequest takes back what led from one commit to another.
type UndoRequest struct {
	Branch            string // that is made, short name
	Onto              string // commit that the change is taken back from
	Before, After     string // commits, of which After has the change
	Author, Committer Signature
	Message           string
}

// Undo makes a branch with one commit on Onto that takes a change back. Conflict when there is such a branch, when what
// came later is in the way, which names the paths, or when nothing of the change is left.
func (g *Git) Undo(ctx context.Context, dir string, r UndoRequest) (commit string, err error) {
	if err := (MergeRequest{Way: MergeSquash, Branch: r.Branch, Author: r.Author, Message: r.Message}).check(); err != nil {
		return "", err
	}
	raw, err := g.rawCommits(ctx, dir, r.Onto, r.Before)
	if err != nil {
		return "", err
	}
	// Both are seen as commits that go on from After: one with all that came later, one without the change.
	var sides [2]string
	for i := range sides {
		if sides[i], err = g.writeCommit(ctx, dir, nil, raw[i].tree, []string{r.After}, raw[i].author, raw[i].author, "stand-in"); err != nil {
			return "", err
		}
	}
	tree, conflicts, err := g.tryMerge(ctx, dir, nil, sides[0], sides[1])
	switch {
	case err != nil:
		return "", err
	case len(conflicts) > 0:
		return "", fault.Errorf(fault.Conflict, "what came later changed the same in %s; take it back by hand", listed(conflicts))
	case tree == raw[0].tree:
		return "", fault.Errorf(fault.Conflict, "nothing of it is left to take back")
	}
	if commit, err = g.writeCommit(ctx, dir, nil, tree, []string{r.Onto}, r.Author.line(), r.Committer.line(), r.Message); err != nil {
		return "", err
	}
	return commit, g.UpdateRef(ctx, dir, "refs/heads/"+r.Branch, "", commit)
}

// Trial makes the commit that a merge of source into target would give, for others to try it; no reference leads to it.
// "" when they can't be brought together.
func (g *Git) Trial(ctx context.Context, dir, target, source string, by Signature, message string) (commit string, err error) {
	tree, _, err := g.mergeTree(ctx, dir, nil, target, source)
	if err != nil || tree == "" {
		return "", err
	}
	return g.writeCommit(ctx, dir, nil, tree, []string{target, source}, by.line(), by.line(), message)
}

// join makes the one commit of a merge or of a squash.
func (g *Git) join(ctx context.Context, dir string, r MergeRequest) (string, error) {
	tree, conflicts, err := g.mergeTree(ctx, dir, nil, r.Target, r.Source)
	if err == nil && tree == "" {
		err = inTheWay(r.Branch, conflicts)
	}
	if err != nil {
		return "", err
	}
	parents := []string{r.Target, r.Source}
	if r.Way == MergeSquash {
		parents = parents[:1]
	}
	return g.writeCommit(ctx, dir, nil, tree, parents, r.Author.line(), r.Committer.line(), r.Message)
}

func inTheWay(branch string, conflicts []string) error {
	return fault.Errorf(fault.Conflict, "%s changed the same as this in %s; bring it into the source and settle that there", branch, listed(conflicts))
}

// listed names some of many paths.
func listed(paths []string) string {
	shown := paths[:min(len(paths), 10)]
	if len(paths) == len(shown) {
		return strings.Join(shown, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), len(paths)-len(shown))
}

// repeat makes the commits of the source that the target has not, one by one on the target. What is on it already, and
// what changes nothing there, is left out. A source that goes on from the target is taken as it is.
func (g *Git) repeat(ctx context.Context, dir, base string, r MergeRequest) (string, error) {
	out, err := g.output(ctx, call{dir: dir, limit: (rebaseCommits + 1) * 41, args: []string{
		"rev-list", "--reverse", "--topo-order", "--no-merges", "--cherry-pick", "--right-only", r.Target + "..." + r.Source, "--",
	}})
	if fault.Is(err, fault.TooLarge) {
		return "", fault.Errorf(fault.TooLarge, "more than %d commits are too many to repeat; squash or merge them", rebaseCommits)
	}
	if err != nil {
		return "", fault.Wrap(err, "list the commits of %s", r.Source)
	}
	commits := strings.Fields(string(out))
	if base == r.Target && len(commits) > 0 {
		if merged, err := g.hasMerges(ctx, dir, r.Target, r.Source); err != nil || !merged {
			return r.Source, err
		}
	}
	head := r.Target
	for _, c := range commits {
		if head, err = g.again(ctx, dir, head, c, r); err != nil {
			return "", err
		}
	}
	if head == r.Target {
		return "", fault.Errorf(fault.Conflict, "%s has all of this already", r.Branch)
	}
	return head, nil
}

func (g *Git) hasMerges(ctx context.Context, dir, target, source string) (bool, error) {
	out, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"rev-list", "--count", "--merges", target + ".." + source, "--"}})
	if err != nil {
		return false, fault.Wrap(err, "look for merges in %s", source)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	return n > 0, err
}

// again makes a commit anew on another one.
func (g *Git) again(ctx context.Context, dir, head, commit string, r MergeRequest) (string, error) {
	raw, err := g.rawCommits(ctx, dir, head, commit)
	if err != nil {
		return "", err
	}
	onto, c := raw[0], raw[1]
	// What head and commit have in common is what both descend from; for this change alone to be brought over, head is
	// seen as a commit whose parent is the parent of the change.
	stand, err := g.writeCommit(ctx, dir, nil, onto.tree, c.parents, c.author, c.author, "stand-in")
	if err != nil {
		return "", err
	}
	tree, conflicts, err := g.mergeTree(ctx, dir, nil, stand, commit)
	if err == nil && tree == "" {
		err = fault.Wrap(inTheWay(r.Branch, conflicts), "repeat %s", commit[:8])
	}
	if err != nil || tree == onto.tree {
		return head, err
	}
	return g.writeCommit(ctx, dir, nil, tree, []string{head}, c.author, r.Committer.line(), c.message)
}

// rawCommit is a commit as it is stored.
type rawCommit struct {
	tree    string
	parents []string
	author  string // NAME <MAIL> SECONDS ZONE
	message string
}

func (g *Git) rawCommits(ctx context.Context, dir string, hashes ...string) ([]rawCommit, error) {
	objects, err := g.batch(ctx, dir, 4*commitMessage, true, hashes)
	if err != nil {
		return nil, fault.Wrap(err, "read %s", strings.Join(hashes, ", "))
	}
	out := make([]rawCommit, len(objects))
	for i, o := range objects {
		if o.kind != "commit" {
			return nil, fault.Errorf(fault.NotFound, "%s is not a commit of the repository", hashes[i])
		}
		header, message, _ := strings.Cut(string(o.content), "\n\n")
		out[i].message = message
		for line := range strings.SplitSeq(header, "\n") {
			name, value, _ := strings.Cut(line, " ")
			switch name {
			case "tree":
				out[i].tree = value
			case "parent":
				out[i].parents = append(out[i].parents, value)
			case "author":
				out[i].author = value
			}
		}
	}
	return out, nil
}

// writeCommit writes a commit that no reference leads to yet. Author and committer are as they are stored.
func (g *Git) writeCommit(ctx context.Context, dir string, env []string, tree string, parents []string, author, committer, message string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", tree)
	for _, p := range parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s\n", author, committer, strings.TrimRight(message, "\n"))
	out, err := g.output(ctx, call{
		dir: dir, env: env, limit: 1 << 10, stdin: strings.NewReader(b.String()), args: []string{"hash-object", "-t", "commit", "-w", "--stdin"},
	})
	hash := strings.TrimSpace(string(out))
	if err == nil && !IsHash(hash) {
		err = fmt.Errorf("git gave %q", clip(hash))
	}
	return hash, fault.Wrap(err, "write a commit")
}
