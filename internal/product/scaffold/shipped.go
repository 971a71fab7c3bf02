package scaffold

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed all:golden
var golden embed.FS

// ShippedRepository is where the golden paths that come with the product live, so that people can read, change and
// copy them like any others.
const ShippedRepository = "roadbed/golden-paths"

// shippedTrailer ends the message of each commit of InstallShipped, by which it knows its own work.
const shippedTrailer = "Roadbed-Shipped: golden paths"

// Shipped gives the files of the golden paths that come with the product, by their path in ShippedRepository.
func Shipped() (map[string][]byte, error) {
	files := map[string][]byte{}
	root, err := fs.Sub(golden, "golden")
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(root, name)
		return err
	})
	return files, err
}

// History is what InstallShipped asks of the repositories beyond what runs do.
type History interface {
	// Message gives a commit's message.
	Message(ctx context.Context, repository, commit string) (string, error)
}

// InstallShipped puts the shipped golden paths into ShippedRepository, in the root space, and registers their templates.
// It runs at each start: a newer version is committed over an older one, but what people have changed is left as it is,
// and changed tells so.
func (s *Service) InstallShipped(ctx context.Context, history History) (changed bool, err error) {
	ctx = actor.AsSystem(ctx)
	files, err := Shipped()
	if err != nil {
		return false, fmt.Errorf("read the shipped golden paths: %w", err)
	}
	namespace, name, _ := strings.Cut(ShippedRepository, "/")
	about, err := s.Repositories.Describe(ctx, ShippedRepository)
	if fault.Is(err, fault.NotFound) {
		err = s.Repositories.Create(ctx, NewRepository{
			Space: access.Root, Namespace: namespace, Name: name, DefaultBranch: "main",
			Description: "The golden paths that come with Roadbed. Change them as you like: what you change is kept.",
		})
		if fault.Is(err, fault.Conflict) { // another server was quicker
			return false, nil
		}
	}
	if err != nil {
		return false, fault.Wrap(err, "install the golden paths")
	}
	if about.Head != "" {
		message, err := history.Message(ctx, ShippedRepository, about.Head)
		if err != nil {
			return false, fault.Wrap(err, "install the golden paths")
		}
		changed = !strings.Contains(message, shippedTrailer)
	}
	if !changed {
		if err := s.commitShipped(ctx, about.Head, files); err != nil {
			return false, fault.Wrap(err, "install the golden paths")
		}
	}
	return changed, s.registerShipped(ctx, files)
}

// commitShipped commits what differs from the head.
func (s *Service) commitShipped(ctx context.Context, head string, files map[string][]byte) error {
	there := newWorkspace()
	if head != "" {
		archive, err := s.Repositories.ArchiveAt(ctx, ShippedRepository, head, "")
		if err != nil {
			return err
		}
		err = readTar(archive, there.put)
		archive.Close()
		if err != nil {
			return err
		}
	}
	var changes []git.FileChange
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if old, ok := there.files[name]; !ok || !bytes.Equal(old.data, files[name]) {
			changes = append(changes, git.FileChange{Path: name, Content: files[name]})
		}
	}
	for _, name := range there.names() {
		if _, kept := files[name]; !kept {
			changes = append(changes, git.FileChange{Path: name, Delete: true})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	_, err := s.Repositories.Commit(ctx, ShippedRepository, git.CommitRequest{
		Branch: "main", Parent: head, Changes: changes,
		Author:  git.Signature{Name: "Roadbed", Email: "platform@roadbed.local", When: s.Now()},
		Message: "golden paths as they come with Roadbed\n\n" + shippedTrailer + "\n",
	})
	if fault.Is(err, fault.Conflict) {
		return nil // somebody else has just committed; the next start looks again
	}
	return err
}

func (s *Service) registerShipped(ctx context.Context, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, "/template.yaml") || strings.Count(name, "/") != 1 {
			continue
		}
		if _, err := s.Catalog.Register(ctx, access.Root, Location{Repository: ShippedRepository, Path: name}); err != nil {
			return fault.Wrap(err, "register the golden path %s", name)
		}
	}
	return nil
}
