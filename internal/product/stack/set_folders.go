package stack

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// What a look of a set made of each folder is kept for people to see: why one has no stack, or a stack no folder. The table holds
// what is out of the ordinary; every other folder is that of a member.

// Standings of a folder of a set.
const (
	FolderMade    = "made"    // is a stack
	FolderStale   = "stale"   // is a stack, but not as the set says now
	FolderKept    = "kept"    // is gone; its stack stays
	FolderHeld    = "held"    // is gone; its stack would go with too many others
	FolderWrong   = "wrong"   // could not become a stack
	FolderIgnored = "ignored" // fits, but is left out by a pattern
	FolderBare    = "bare"    // has no file by which it would be a stack
)

// SetFolder is a folder of a set, and what the newest look made of it.
type SetFolder struct {
	Folder   string
	Stack    string // reference; "" for none
	Standing string
	Why      string
}

// mostSkipped bounds the folders without a stack that are remembered of each standing.
const mostSkipped = 1000

// left is what of a branch becomes no stack, for a look to tell.
type left struct {
	ignored, bare []string
	wrong         []skip
}

// skip is why some folders become no stack.
type skip struct {
	Folders []string
	Why     string
}

func (spec SetSpec) leavesOut(folder string) (pattern string, yes bool) {
	i := slices.IndexFunc(spec.Ignore, func(p string) bool { return repository.Matches(p, folder) })
	if i < 0 {
		return "", false
	}
	return spec.Ignore[i], true
}

// FilePatterns gives the patterns of names of which a folder has a file.
func (spec SetSpec) FilePatterns() []string {
	if len(spec.Files) > 0 {
		return spec.Files
	}
	return codePatterns()
}

// came gives what is out of the ordinary after a look: which folders became no stack, and which stacks have no folder.
func (t Set) came(l left, docs []SetFolder, members []member, now map[string]string, kept map[ref.Entity]string, out catalog.Brought) []SetFolder {
	var all []SetFolder
	had := map[string]bool{}
	for _, m := range members {
		had[m.Stack] = true
	}
	said := map[string]string{}
	for _, d := range out.Details {
		if d.File != "" && said[d.File] == "" {
			said[d.File] = strings.TrimSuffix(d.Message+"; "+d.Hint, "; ")
		}
	}
	for _, d := range docs {
		if out.Taken[mayParse(d.Stack)] {
			continue
		}
		d.Standing, d.Why = FolderWrong, cmp.Or(said[d.Folder], "it could not be taken, as others before it")
		if had[d.Stack] {
			d.Standing = FolderStale
		} else {
			d.Stack = ""
		}
		all = append(all, d)
	}
	for _, m := range members {
		if _, still := now[m.Stack]; still {
			continue
		}
		switch why := kept[mayParse(m.Stack)]; {
		case why != "":
			all = append(all, SetFolder{m.Folder, m.Stack, FolderKept, why})
		case out.Held > 0:
			all = append(all, SetFolder{m.Folder, m.Stack, FolderHeld, "its folder is gone, and more than a quarter of the stacks would go at once; it stays until the folder is back, or is ignored in smaller parts"})
		}
	}
	for _, w := range l.wrong {
		for _, folder := range w.Folders {
			all = append(all, SetFolder{Folder: folder, Standing: FolderWrong, Why: w.Why})
		}
	}
	for _, folder := range l.ignored[:min(len(l.ignored), mostSkipped)] {
		pattern, _ := t.Spec.leavesOut(folder)
		all = append(all, SetFolder{Folder: folder, Standing: FolderIgnored, Why: "the pattern " + pattern + " of spec.ignore leaves it out"})
	}
	none := "it has no file of its own that fits " + strings.Join(t.Spec.FilePatterns(), ", ")
	for _, folder := range l.bare[:min(len(l.bare), mostSkipped)] {
		all = append(all, SetFolder{Folder: folder, Standing: FolderBare, Why: none})
	}
	return all
}

const folderColumns = "folder, stack, standing, why"

func scanFolder(row store.Row) (f SetFolder, err error) {
	return f, row.Scan(&f.Folder, &f.Stack, &f.Standing, &f.Why)
}

// keepFolders makes what is remembered of the folders of a set what a look came to; what is as it was costs no write.
func keepFolders(ctx context.Context, tx *store.Tx, set ref.Entity, now []SetFolder) error {
	rows, err := tx.Query(ctx, "SELECT "+folderColumns+" FROM stack_set_folders WHERE stack_set = $1", set.String())
	before, err := store.Collect(rows, err, scanFolder)
	if err != nil {
		return fault.Wrap(err, "find the folders of %s", set)
	}
	type key struct{ folder, stack string }
	had, want := map[key]SetFolder{}, map[key]bool{}
	for _, f := range before {
		had[key{f.Folder, f.Stack}] = f
	}
	for _, f := range now {
		f.Why = cut(f.Why, 1000)
		k := key{f.Folder, f.Stack}
		if want[k] || had[k] == f {
			want[k] = true
			continue
		}
		want[k] = true
		_, err := tx.Exec(ctx, "INSERT INTO stack_set_folders (stack_set, "+folderColumns+") VALUES ($1,$2,$3,$4,$5) ON CONFLICT (stack_set, folder, stack) DO UPDATE SET standing=excluded.standing, why=excluded.why",
			set.String(), f.Folder, f.Stack, f.Standing, f.Why)
		if err != nil {
			return fault.Wrap(err, "keep the folders of %s", set)
		}
	}
	for k := range had {
		if want[k] {
			continue
		}
		if _, err := tx.Exec(ctx, "DELETE FROM stack_set_folders WHERE stack_set = $1 AND folder = $2 AND stack = $3", set.String(), k.folder, k.stack); err != nil {
			return fault.Wrap(err, "keep the folders of %s", set)
		}
	}
	return nil
}

// FolderQuery narrows the folders of a set; its zero value gives all.
type FolderQuery struct {
	Text      string   // each of its words is in the folder or the stack's reference
	Standings []string // only these
}

// FolderOf is a folder of a set with the stack that it has.
type FolderOf struct {
	SetFolder
	Of *Overview // nil for none
}

// Folders gives the folders of a stack set, by name, with the stack of each: what has one, and what was skipped.
// Permission: stack:read in its space; otherwise NotFound.
func (s *Service) Folders(ctx context.Context, r ref.Entity, q FolderQuery, part page.Request) (list page.Of[FolderOf], err error) {
	t, err := s.GetSet(ctx, r)
	if err != nil {
		return list, err
	}
	w := &store.Where{}
	set := w.Arg(r.String())
	all := "(SELECT m.folder, m.stack, '" + FolderMade + "' AS standing, '' AS why FROM stack_set_members m WHERE m.stack_set = " + set +
		" AND NOT EXISTS (SELECT 1 FROM stack_set_folders f WHERE f.stack_set = m.stack_set AND f.stack = m.stack)" +
		" UNION ALL SELECT " + folderColumns + " FROM stack_set_folders WHERE stack_set = " + set + ") AS every_folder"
	words := strings.Fields(strings.ToLower(clean(q.Text)))
	if len(words) > wordsMost {
		return list, fault.Errorf(fault.Invalid, "%d words are too many; search for at most %d", len(words), wordsMost)
	}
	for _, word := range words {
		w.Add(w.Finds("folder || ' ' || stack", word))
	}
	if len(q.Standings) > 0 {
		w.Add(w.In("standing", q.Standings))
	}
	if part.Cursor != "" {
		folder, stack, _ := strings.Cut(clean(part.Cursor), "\n")
		w.Add("(folder, stack) > (" + w.Arg(folder) + ", " + w.Arg(stack) + ")")
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+folderColumns+" FROM "+all+w.String()+"ORDER BY folder, stack LIMIT "+w.Arg(part.Window()), w.Args...)
		found, err := store.Collect(rows, err, scanFolder)
		if err != nil {
			return fault.Wrap(err, "list the folders of %s", r)
		}
		seen := page.Cut(found, part, func(f SetFolder) string { return f.Folder + "\n" + f.Stack })
		list = page.Of[FolderOf]{Next: seen.Next}
		of, err := s.overviewsOf(ctx, tx, t.Space, seen.Items)
		for _, f := range seen.Items {
			list.Items = append(list.Items, FolderOf{f, of[f.Stack]})
		}
		return err
	})
	return list, err
}

// overviewsOf gives the stacks of folders as their set shows them, by reference; none that is not, or not yet, there, or is another
// space's.
func (s *Service) overviewsOf(ctx context.Context, tx *store.Tx, space string, folders []SetFolder) (map[string]*Overview, error) {
	var names []string
	for _, f := range folders {
		if f.Stack != "" {
			names = append(names, f.Stack)
		}
	}
	var stacks []Stack
	err := eachOf(ctx, tx, "SELECT "+stackColumns+" FROM stacks", "deleted = 0 AND ref", names, func(row store.Row) error {
		stack, err := scanStack(row)
		if err == nil && stack.Space == space {
			stacks = append(stacks, stack)
		}
		return err
	})
	if err != nil {
		return nil, fault.Wrap(err, "find the stacks of %d folders", len(folders))
	}
	all := map[string]*Overview{}
	overviews, err := s.overviews(ctx, tx, stacks)
	for i := range overviews {
		all[overviews[i].Ref.String()] = &overviews[i]
	}
	return all, err
}

// Membership tells of which set a stack is, and how its folder stands there.
type Membership struct {
	Set           ref.Entity
	Standing, Why string
}

// MembershipOf tells of which set of its space a stack is; nil for one that is of none. Permission: stack:read of the stack; otherwise NotFound.
func (s *Service) MembershipOf(ctx context.Context, r ref.Entity) (m *Membership, err error) {
	stack, err := s.read(ctx, r)
	if err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		one := Membership{Standing: FolderMade}
		set, err := keptBySet(ctx, tx, stack)
		if err != nil || set == "" {
			return err
		}
		if one.Set, err = ref.Parse(set, "stackset", ref.DefaultNamespace); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT "+folderColumns+" FROM stack_set_folders WHERE stack_set = $1 AND stack = $2", set, r.String())
		odd, err := store.Collect(rows, err, scanFolder)
		if err == nil && len(odd) > 0 {
			one.Standing, one.Why = odd[0].Standing, odd[0].Why
		}
		m = &one
		return err
	})
	return m, fault.Wrap(err, "find the set of %s", r)
}
