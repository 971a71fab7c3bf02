package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Refs gives every reference of a repository with its hash, without HEAD and without the platform's own.
//
// It reads git's files rather than run a command, since every push needs it. As git does, it reads the loose references
// before the packed ones, and the loose ones win: a reference that is packed meanwhile is seen in one of them.
func (g *Git) Refs(ctx context.Context, dir string) (map[string]string, error) {
	loose := map[string]string{}
	root := filepath.Join(dir, "refs")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != root:
			return nil // deleted meanwhile
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() && isPlatforms(name+"/") {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || !legalRef(name) {
			return nil // a folder, or the lock of a reference that is being written
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		// A symbolic reference can't come by a push; it is none of those that are listed.
		if hash := strings.TrimSpace(string(content)); IsHash(hash) {
			loose[name] = hash
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Errorf(fault.NotFound, "there is no repository on disk: %w", err)
	}
	if err != nil {
		return nil, fault.Wrap(err, "list references")
	}
	refs, err := packedRefs(dir)
	if err != nil {
		return nil, fault.Wrap(err, "list packed references")
	}
	for name, hash := range loose {
		refs[name] = hash
	}
	return refs, nil
}

// packedRefs reads the file packed-refs: lines of a hash and a name, comments, and after a tag what it points at.
func packedRefs(dir string) (map[string]string, error) {
	refs := map[string]string{}
	content, err := os.ReadFile(filepath.Join(dir, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return refs, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(content)) {
		if line[0] == '#' || line[0] == '^' {
			continue
		}
		hash, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || !IsHash(hash) {
			return nil, fmt.Errorf("the line %q is not one of packed-refs", clip(line))
		}
		if !isPlatforms(name) {
			refs[name] = hash
		}
	}
	return refs, nil
}

// isPlatforms tells whether a reference is one of the platform's own.
func isPlatforms(name string) bool {
	return strings.HasPrefix(name, hiddenPrefix) || strings.HasPrefix(name, ProposalPrefix)
}
