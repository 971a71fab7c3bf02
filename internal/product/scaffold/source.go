package scaffold

import (
	"context"
	"encoding/json"
	"net/url"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// place is a path in a hosted repository at a commit.
type place struct {
	repository, commit, path string
	own                      bool // the template's own repository, which it may always read
}

func (p place) String() string { return p.repository + ":" + p.path }

// resolve finds what a URL of a fetch names: a path relative to the template's file, at the commit at which the template
// was read, or an address of hosted git: its default branch, read as the person who uses the template, at the commit at
// which the run read it first. So nobody who pushes there meanwhile changes what a run that goes on makes.
func (s *Service) resolve(ctx context.Context, c *call, address string) (place, error) {
	if !strings.Contains(address, "://") && !strings.HasPrefix(address, "/") {
		return c.task.relative(address)
	}
	repository, inside, ok := s.hosted(address)
	if !ok {
		return place{}, fault.Errorf(fault.Invalid,
			"%s is outside this installation, and golden paths fetch from hosted git only; put the files beside the template, or import the repository", clip(address, 300))
	}
	about, err := s.Repositories.Describe(ctx, repository)
	if err != nil {
		return place{}, err
	}
	at, err := s.pin(ctx, c.task, repository, about)
	if err != nil {
		return place{}, err
	}
	inside = strings.TrimPrefix(inside, "tree/"+at.Branch)
	return place{repository: repository, commit: at.Commit, path: strings.Trim(inside, "/")}, nil
}

// pin is where a run reads another repository.
type pin struct {
	ID     string `json:"id"` // of the repository
	Branch string `json:"branch"`
	Commit string `json:"commit"`
}

// pins are those of a run, by NAMESPACE/NAME. They are stored as JSON.
type pins map[string]pin

// maxPins bounds them: a template may fetch from as many repositories as a list of its form names.
const maxPins = 500

// pin gives where a run reads a repository, and keeps it when the run has not read there yet. Conflict when another
// repository has the name by now.
func (s *Service) pin(ctx context.Context, t *task, repository string, about Repository) (pin, error) {
	at, known := t.Pins[repository]
	if !known {
		if about.Head == "" {
			return at, fault.Errorf(fault.NotFound, "repository %s is empty", repository)
		}
		if err := s.keepPin(ctx, t, repository, pin{about.ID, about.DefaultBranch, about.Head}); err != nil {
			return at, fault.Wrap(err, "write down at which commit %s is read", repository)
		}
		at = t.Pins[repository]
	}
	if at.ID != about.ID {
		return at, fault.Errorf(fault.Conflict, "repository %s is another one than the run has read before; start it anew", repository)
	}
	return at, nil
}

// keepPin writes a pin of a run down, unless another try of the step was quicker. A dry run keeps its own in memory.
func (s *Service) keepPin(ctx context.Context, t *task, repository string, at pin) error {
	if t.Run == dryRunID {
		if t.Pins == nil {
			t.Pins = pins{}
		}
		t.Pins[repository] = at
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		text, all := "", pins{}
		if err := tx.QueryRow(ctx, "SELECT pins FROM scaffold_tasks WHERE run = $1"+tx.ForUpdate(), t.Run).Scan(&text); err != nil {
			return err
		}
		if text != "" {
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				return err
			}
		}
		if _, there := all[repository]; !there {
			if all[repository] = at; len(all) > maxPins {
				return fault.Errorf(fault.TooLarge, "the run fetches from more than %d repositories", maxPins)
			}
			raw, err := json.Marshal(all)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "UPDATE scaffold_tasks SET pins = $1 WHERE run = $2", string(raw), t.Run); err != nil {
				return err
			}
		}
		t.Pins = all
		return nil
	})
}

// relative resolves a path against the template's file. It may name anything of the template's repository.
func (t *task) relative(address string) (place, error) {
	if t.Repository == "" && t.files == nil {
		return place{}, fault.Errorf(fault.Invalid,
			"the template was applied without its repository, so %q names nothing; register it from hosted git", clip(address, 200))
	}
	full := path.Join("/", path.Dir(t.Path), address)
	if climbs := path.Join(path.Dir(t.Path), address); climbs == ".." || strings.HasPrefix(climbs, "../") {
		return place{}, fault.Errorf(fault.Invalid, "%q leaves the template's repository; write a path within it", clip(address, 200))
	}
	return place{repository: t.Repository, commit: t.Commit, path: strings.Trim(full, "/"), own: true}, nil
}

// hosted reads an address of this installation's hosted git: BASE/git/NAMESPACE/NAME[.git][/PATH], or without BASE.
func (s *Service) hosted(address string) (repository, inside string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || (u.Host != "" && !s.isOwnHost(u.Host)) {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(path.Clean("/"+u.Path), "/git/")
	if !ok {
		return "", "", false
	}
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return "", "", false
	}
	if len(parts) == 3 {
		inside = parts[2]
	}
	return parts[0] + "/" + strings.TrimSuffix(parts[1], ".git"), inside, true
}

// isOwnHost tells whether a host of a form or of a URL is this installation.
func (s *Service) isOwnHost(host string) bool {
	if host == "" || strings.EqualFold(host, "roadbed") || strings.EqualFold(host, "roadbed.local") {
		return true
	}
	base, err := url.Parse(s.BaseURL())
	return err == nil && strings.EqualFold(base.Host, host)
}

// folder gives the files of a folder, by their path within it, and what to call it.
func (s *Service) folder(ctx context.Context, c *call, address string) (map[string]file, string, error) {
	at, err := s.resolve(ctx, c, address)
	if err != nil {
		return nil, "", err
	}
	if at.own && c.task.files != nil {
		found := c.task.files.below(at.path)
		if len(found) == 0 {
			return nil, "", fault.Errorf(fault.NotFound, "there is no folder %q beside the template", address)
		}
		return found, at.path, nil
	}
	archive, err := s.Repositories.ArchiveAt(ctx, at.repository, at.commit, at.path)
	if err != nil {
		return nil, "", fault.Wrap(err, "fetch %s", at)
	}
	defer archive.Close()
	w := newWorkspace()
	if err := readTar(archive, w.put); err != nil {
		return nil, "", fault.Wrap(err, "fetch %s", at)
	}
	return w.files, at.String(), nil
}

// oneFile gives the contents of a file, and what to call it.
func (s *Service) oneFile(ctx context.Context, c *call, address string) ([]byte, string, error) {
	at, err := s.resolve(ctx, c, address)
	if err != nil {
		return nil, "", err
	}
	if at.own && c.task.files != nil {
		f, ok := c.task.files.files[at.path]
		if !ok {
			return nil, "", fault.Errorf(fault.NotFound, "there is no file %q beside the template", address)
		}
		return f.data, at.path, nil
	}
	data, err := s.Repositories.FileAt(ctx, at.repository, at.commit, at.path, workspaceBytes)
	return data, at.String(), fault.Wrap(err, "fetch %s", at)
}
