package stack

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// SetTry is what another text of a set would say of its folders.
type SetTry struct {
	Folders, Ignore, Files []string
	Name, Removed          string // "": as the set has it
}

// FolderGone stands in a trial for a stack that would be taken away.
const FolderGone = "gone"

// mostTried bounds the lines that a trial gives.
const mostTried = 500

// Tried is what a set would come to: only what differs from what it has.
type Tried struct {
	Commit  string
	Stacks  int // that it would have
	Counts  map[string]int
	Changes []SetFolder // at most mostTried; made are those that are new
}

// TrySet tells what a set would make and take away if its text were another one, at the head of its branch; it changes nothing.
// Permission: stack:read and entity:write in its space, since patterns list the folders of a repository.
func (s *Service) TrySet(ctx context.Context, r ref.Entity, try SetTry) (out Tried, err error) {
	t, err := s.GetSet(ctx, r)
	if err != nil {
		return out, err
	}
	if err := s.Access.Authorize(ctx, LookRight, t.Space); err != nil {
		return out, err
	}
	if t.Spec, err = try.of(t.Spec); err != nil {
		return out, err
	}
	head, found, apart, err := s.foldersOf(ctx, t)
	if err != nil {
		return out, err
	}
	docs, skipped := t.Spec.stacks(r, found)
	var members []member
	taken := map[string]bool{} // by stacks that are none of the set's
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if members, err = membersOf(ctx, tx, r); err != nil {
			return err
		}
		for _, d := range docs {
			there, err := getStack(ctx, tx, d.Ref(), "")
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			name := d.Ref().String()
			taken[name] = err == nil && !there.Deleted && !slices.ContainsFunc(members, func(m member) bool { return m.Stack == name })
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	now, had := map[string]string{}, map[string]bool{}
	for _, m := range members {
		had[m.Stack] = true
	}
	out = Tried{Commit: head, Counts: map[string]int{}}
	add := func(f SetFolder) {
		out.Counts[f.Standing]++
		if len(out.Changes) < mostTried {
			out.Changes = append(out.Changes, f)
		}
	}
	for _, d := range docs {
		name := d.Ref().String()
		if taken[name] {
			add(SetFolder{Folder: d.Origin.File, Standing: FolderWrong, Why: fmt.Sprintf("there is a stack %s already, which is not of this set", d.Metadata.Name)})
			continue
		}
		now[name] = d.Origin.File
		if !had[name] {
			add(SetFolder{Folder: d.Origin.File, Stack: name, Standing: FolderMade})
		}
	}
	kept, err := s.stay(ctx, t, members, now, found, apart.ignored)
	if err != nil {
		return out, err
	}
	out.Stacks = len(now)
	for _, m := range members {
		if _, still := now[m.Stack]; still {
			continue
		}
		if why := kept[mayParse(m.Stack)]; why != "" {
			out.Stacks++
			add(SetFolder{m.Folder, m.Stack, FolderKept, why})
			continue
		}
		add(SetFolder{m.Folder, m.Stack, FolderGone, "its stack is taken away"})
	}
	for _, w := range skipped {
		for _, folder := range w.Folders {
			add(SetFolder{Folder: folder, Standing: FolderWrong, Why: w.Why})
		}
	}
	return out, nil
}

// of gives a spec with what is tried in it; Invalid where that is no text of a set.
func (try SetTry) of(spec SetSpec) (SetSpec, error) {
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) {
		field := at[1]
		if len(at) > 2 {
			if i, err := strconv.Atoi(at[2]); err == nil {
				field = fmt.Sprintf("%s[%d]", field, i)
			}
		}
		wrong = append(wrong, fault.Detail{Field: field, Message: message, Hint: hint})
	}
	if len(try.Folders) == 0 {
		bad("is missing", "write patterns of folders, such as stacks/*/", "spec", "folders")
	}
	spec.Folders, spec.Ignore = patterns(try.Folders, "folders", bad), patterns(try.Ignore, "ignore", bad)
	if len(try.Files) > 0 {
		spec.Files = fileNames(try.Files, bad)
	}
	spec.Name, spec.Removed = cmp.Or(try.Name, spec.Name), cmp.Or(try.Removed, spec.Removed)
	if len(wrong) > 0 {
		return spec, fault.At("that is no text of a stack set", wrong...)
	}
	return spec, nil
}
