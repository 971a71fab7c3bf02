package scaffold

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func fileActions() []Action {
	entry := object(nil, map[string]any{"name": text("Its name."), "path": text("Its path in the workspace."), "fullPath": text("The same.")})
	return []Action{
		{
			ID: "fs:delete", Description: "Deletes files and folders from the workspace.", DryRun: true,
			Input: object([]string{"files"}, map[string]any{"files": list(text("A path or a pattern."), "What to delete.")}),
			run:   func(_ *Service, _ context.Context, c *call) error { return c.deleteFiles() },
		},
		{
			ID: "fs:rename", Description: "Renames files and folders within the workspace.", DryRun: true,
			Input: object([]string{"files"}, map[string]any{"files": list(object([]string{"from", "to"}, map[string]any{
				"from": text("Path now."), "to": text("Path afterwards."), "overwrite": flag("Replace what is there; default false."),
			}), "What to rename.")}),
			run: func(_ *Service, _ context.Context, c *call) error { return c.renameFiles() },
		},
		{
			ID: "fs:readdir", Description: "Lists files and folders of the workspace.", DryRun: true,
			Input: object([]string{"paths"}, map[string]any{
				"paths": list(text("A folder."), "Folders to list."), "recursive": flag("All below them too; default false."),
			}),
			Output: object(nil, map[string]any{"files": list(entry, "Files."), "folders": list(entry, "Folders.")}),
			run:    func(_ *Service, _ context.Context, c *call) error { return c.listFiles() },
		},
	}
}

func (c *call) deleteFiles() error {
	var in struct{ Files []string }
	if err := c.into(&in); err != nil {
		return err
	}
	globs, err := compileGlobs(in.Files)
	if err != nil {
		return err
	}
	for _, name := range c.space.names() {
		if globs.match(name) {
			c.space.drop(name)
			c.logf("deleted %s", name)
		}
	}
	return nil
}

func (c *call) renameFiles() error {
	var in struct {
		Files []struct {
			From, To  string
			Overwrite bool
		}
	}
	if err := c.into(&in); err != nil {
		return err
	}
	for _, f := range in.Files {
		from, err := safePath(f.From)
		if err != nil {
			return err
		}
		to, err := safePath(f.To)
		if err != nil {
			return err
		}
		if err := c.space.rename(from, to, f.Overwrite); err != nil {
			return err
		}
		c.logf("renamed %s to %s", from, to)
	}
	return nil
}

// rename moves a file, or a folder with all below it.
func (w *workspace) rename(from, to string, overwrite bool) error {
	if from == "" || to == "" || strings.HasPrefix(to+"/", from+"/") {
		return fault.Errorf(fault.Invalid, "%q can't be renamed to %q", from, to)
	}
	_, isFile := w.files[from]
	if !isFile && !w.isDir(from) {
		return fault.Errorf(fault.NotFound, "there is no %s in the workspace to rename", from)
	}
	if _, taken := w.files[to]; taken || w.isDir(to) {
		if !overwrite {
			return fault.Errorf(fault.Conflict, "%s is in the workspace already; set overwrite to replace it", to)
		}
		w.drop(to)
		for name := range w.below(to) {
			w.drop(path.Join(to, name))
		}
	}
	moving := map[string]file{to: w.files[from]}
	if !isFile {
		moving = map[string]file{}
		for name, f := range w.below(from) {
			moving[path.Join(to, name)] = f
			w.drop(path.Join(from, name))
		}
	}
	w.drop(from)
	for _, name := range slices.Sorted(maps.Keys(moving)) {
		if err := w.put(name, moving[name]); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) listFiles() error {
	var in struct {
		Paths     []string
		Recursive bool
	}
	if err := c.into(&in); err != nil {
		return err
	}
	found := map[string][]any{"files": {}, "folders": {}}
	for _, dir := range in.Paths {
		dir, err := safePath(dir)
		if err != nil {
			return err
		}
		if !c.space.isDir(dir) {
			return fault.Errorf(fault.NotFound, "there is no folder %s in the workspace", dir)
		}
		folders := map[string]bool{}
		for name := range c.space.below(dir) {
			parts := strings.Split(name, "/")
			for i := 1; i < len(parts); i++ {
				if i == 1 || in.Recursive {
					folders[path.Join(dir, strings.Join(parts[:i], "/"))] = true
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(folders)) {
			found["folders"] = append(found["folders"], pathEntry(name))
		}
		for _, name := range c.space.names() {
			rest, inside := strings.CutPrefix(name, dir+"/")
			if dir == "" {
				rest, inside = name, true
			}
			if inside && (in.Recursive || !strings.Contains(rest, "/")) {
				found["files"] = append(found["files"], pathEntry(name))
			}
		}
	}
	c.output["files"], c.output["folders"] = found["files"], found["folders"]
	return nil
}

func pathEntry(name string) any {
	return map[string]any{"name": path.Base(name), "path": name, "fullPath": name}
}
