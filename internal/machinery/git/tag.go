package git

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// sortBy sorts by a key.
func sortBy[T any, K cmp.Ordered](all []T, key func(T) K) {
	slices.SortStableFunc(all, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

// look waits until it is the client's turn to look through many files or a long history.
func (g *Git) look(ctx context.Context) (leave func(), err error) {
	return g.looking.enter(ctx, g.client)
}

// Tag is what a tag says.
type Tag struct {
	Name    string // without refs/tags/
	Commit  string // that it leads to; "" when it leads to something else
	Message string // "" for one that is only a name
	Tagger  Signature
}

// Tags tells what tags say, by name; those that are not there are left out.
func (g *Git) Tags(ctx context.Context, dir string, names []string) (map[string]Tag, error) {
	tags := make(map[string]Tag, len(names))
	if len(names) == 0 {
		return tags, nil
	}
	args := []string{"for-each-ref", "--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)%00%(taggername)%00%(taggeremail)%00%(taggerdate:unix)%00%(contents)%00%00"}
	for _, n := range names {
		ref := "refs/tags/" + n
		if err := CheckRef(ref); err != nil {
			return nil, err
		}
		args = append(args, ref)
	}
	out, err := g.output(ctx, call{dir: dir, limit: treeBytes, args: args})
	if err != nil {
		return nil, fault.Wrap(err, "read the tags")
	}
	for record := range strings.SplitSeq(string(out), "\x00\x00\n") {
		f := strings.SplitN(record, "\x00", 9)
		if len(f) != 9 {
			continue
		}
		t := Tag{Name: strings.TrimPrefix(f[0], "refs/tags/")}
		switch f[1] {
		case "commit":
			t.Commit = f[2]
		case "tag":
			if f[3] == "commit" {
				t.Commit = f[4]
			}
			t.Tagger = Signature{f[5], strings.Trim(f[6], "<>"), unix(f[7])}
			t.Message = strings.ToValidUTF8(strings.TrimRight(f[8], "\n"), "\uFFFD")
		}
		tags[t.Name] = t
	}
	return tags, nil
}

// WriteTag makes the object of a tag with a message, and gives its hash; no reference leads to it yet.
func (g *Git) WriteTag(ctx context.Context, dir, name, commit, message string, tagger Signature) (hash string, err error) {
	if err := CheckRef("refs/tags/" + name); err != nil {
		return "", err
	}
	if !IsHash(commit) || strings.ContainsRune(message, 0) || len(message) > commitMessage {
		return "", fault.Errorf(fault.Invalid, "a tag is of a commit, and its message has at most %d bytes", commitMessage)
	}
	text := "object " + commit + "\ntype commit\ntag " + name + "\ntagger " + tagger.line() + "\n\n" + strings.TrimRight(message, "\n") + "\n"
	out, err := g.output(ctx, call{dir: dir, limit: 1 << 10, stdin: strings.NewReader(text), args: []string{"mktag"}})
	return strings.TrimSpace(string(out)), fault.Wrap(err, "write the tag %s", name)
}

// Ahead gives how many commits only source and only target have, both full hashes.
func (g *Git) Ahead(ctx context.Context, dir, target, source string) (ahead, behind int, err error) {
	return g.count(ctx, dir, target, source)
}

// CommitsOf reads many commits by one process; what is none is left out. Tags lead to their commits.
func (g *Git) CommitsOf(ctx context.Context, dir string, hashes []string) (map[string]Commit, error) {
	found := make(map[string]Commit, len(hashes))
	objects, err := g.batch(ctx, dir, 1<<10, false, suffixed(hashes, "^{commit}"))
	if err != nil || len(hashes) == 0 {
		return found, fault.Wrap(err, "read commits")
	}
	var list strings.Builder
	for i, o := range objects {
		if o.kind == "commit" && IsHash(hashes[i]) {
			list.WriteString(o.hash + "\n")
		}
	}
	if list.Len() == 0 {
		return found, nil
	}
	commits, err := g.readLog(ctx, call{dir: dir, stdin: strings.NewReader(list.String()), args: []string{"log", "--no-walk=unsorted", "--stdin"}}, false)
	if err != nil {
		return found, fault.Wrap(err, "read commits")
	}
	byHash := make(map[string]Commit, len(commits))
	for _, c := range commits {
		byHash[c.Hash] = c.Commit
	}
	for i, o := range objects {
		if c, ok := byHash[o.hash]; ok {
			found[hashes[i]] = c
		}
	}
	return found, nil
}

// MergesOf gives the merges by which a commit came to head, the oldest first and at most limit; both are full hashes. A
// commit that head has not, or came to by none, has none.
func (g *Git) MergesOf(ctx context.Context, dir, commit, head string, limit int) ([]string, error) {
	if !IsHash(commit) || !IsHash(head) {
		return nil, fault.Errorf(fault.Invalid, "%q is not the full hash of a commit", clip(commit))
	}
	leave, err := g.look(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, lastTime)
	defer cancel()
	out, err := g.output(limited, call{dir: dir, limit: treeBytes, args: []string{"rev-list", "--merges", "--ancestry-path", "--topo-order", "--reverse", commit + ".." + head, "--"}})
	if limited.Err() != nil && ctx.Err() == nil {
		return nil, nil // its history is too long to tell
	}
	if err != nil {
		return nil, fault.Wrap(err, "find what brought %s", commit)
	}
	merges := strings.Fields(string(out))
	return merges[:min(len(merges), limit)], nil
}
