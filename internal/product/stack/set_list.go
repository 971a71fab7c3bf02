package stack

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A look reads each pattern of folders once, and holds the names of files to the patterns of those itself. Whatever a set says,
// it stays within these.
const (
	mostListings = 250     // of a repository
	mostNames    = 500_000 // of files, before the last listing
	mostSeen     = 50_000  // folders with such a file, with those that are left out
)

// listed is what a look has read of a branch so far.
type listed struct {
	spec           SetSpec
	glob           func(pattern string) ([]string, error) // as that of Repositories
	asked, names   int
	found, ignored map[string]bool
	without        map[string]bool // folders without such a file as yet; false for those that are left out
}

// list gives the folders of a set, and those that it has no stack for, sorted. TooLarge where there are too many.
func (spec SetSpec) list(glob func(pattern string) ([]string, error)) (found []string, apart left, err error) {
	l := listed{spec: spec, glob: glob, found: map[string]bool{}, ignored: map[string]bool{}, without: map[string]bool{}}
	for _, folders := range spec.Folders {
		if err := l.read(folders); err != nil {
			return nil, left{}, err
		}
	}
	maps.DeleteFunc(l.without, func(folder string, bare bool) bool { return !bare || l.found[folder] || l.ignored[folder] })
	apart.ignored, apart.bare = slices.Sorted(maps.Keys(l.ignored)), slices.Sorted(maps.Keys(l.without))
	return slices.Sorted(maps.Keys(l.found)), apart, nil
}

// read takes what fits a pattern of folders. Where that has too many files, only those of the names are asked for, and folders
// without one are not told.
func (l *listed) read(folders string) error {
	files, err := l.ask(folders + "/*")
	if fault.Is(err, fault.TooLarge) {
		for _, name := range l.spec.FilePatterns() {
			if files, err = l.ask(folders + "/" + name); err != nil {
				return err
			}
			if err := l.take(files); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := l.take(files); err != nil {
		return err
	}
	if !strings.Contains(folders, "**") { // with ** nearly every folder of a repository has none
		l.rest(files)
	}
	return nil
}

func (l *listed) ask(pattern string) ([]string, error) {
	if l.asked == mostListings || l.names >= mostNames {
		return nil, fault.Errorf(fault.TooLarge, "the patterns fit too many files to look through: write fewer or narrower ones in spec.folders and spec.files, or make two sets of it")
	}
	files, err := l.glob(pattern)
	l.asked, l.names = l.asked+1, l.names+len(files)
	return files, fault.Wrap(err, "list %s", pattern)
}

// take notes the folders of files whose names fit.
func (l *listed) take(files []string) error {
	for _, f := range files {
		folder, name := path.Split(f)
		folder = strings.TrimSuffix(folder, "/")
		if folder == "" || l.found[folder] || l.ignored[folder] || !l.spec.reads(name) {
			continue
		}
		if _, out := l.spec.leavesOut(folder); out {
			l.ignored[folder] = true
		} else {
			l.found[folder] = true
		}
		if len(l.found) > mostFolders {
			return fault.Errorf(fault.TooLarge, "more than %d folders fit, which is the most that a set takes: narrow spec.folders, or make two sets of it", mostFolders)
		}
		if len(l.found)+len(l.ignored) > mostSeen {
			return fault.Errorf(fault.TooLarge, "more than %d folders fit, with those that are left out: narrow spec.folders, or make two sets of it", mostSeen)
		}
	}
	return nil
}

// rest notes the other folders of files.
func (l *listed) rest(files []string) {
	for _, f := range files {
		folder := path.Dir(f)
		if _, known := l.without[folder]; known || folder == "." || l.found[folder] || l.ignored[folder] || len(l.without) == mostSeen {
			continue
		}
		_, out := l.spec.leavesOut(folder)
		l.without[folder] = !out
	}
}

// reads tells whether a folder is one of the set's by a file of this name.
func (spec SetSpec) reads(name string) bool {
	return slices.ContainsFunc(spec.FilePatterns(), func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}
