package repository

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// How an outside repository is read.
const (
	ContentClone = "clone" // from its mirror, which is fetched when it is connected
	ContentAPI   = "api"   // by the forge's API as long as nobody needs more than its files; from then on as with ContentClone
)

// Bounds of what is asked for by API. A clone costs less than more of it.
const (
	branchesByAPI = 20      // of one look
	filesByAPI    = 100     // of one reading
	matchedByAPI  = 1 << 20 // bytes of a file that is only looked for
	linkBytes     = 4 << 10 // of what a symbolic link says
)

// errGit says that git has to tell, in the mirror.
var errGit = errors.New("the API does not tell it as git does")

// byAPI tells whether a repository is read by its forge's API now.
func (s *Service) byAPI(r Repository) bool {
	return r.Outside != nil && r.Outside.Content == ContentAPI && !isFolder(s.folder(r.ID))
}

// compared brings the rows to where the followed branches are at the forge, of a repository without a mirror: the default one, those
// that are in the rows, and those that somebody asks for or was told of. Of one whose references were all known once it is all of
// them, which git lists. First come the pushes that the forge told of, each in the name of who pushed, then the others.
func (s *Service) compared(ctx context.Context, r Repository, a ask) error {
	_, known, err := s.known(ctx, r.ID)
	if err != nil {
		return err
	}
	there, err := s.branchesThere(ctx, r, known, a)
	if err != nil {
		return err
	}
	for _, p := range a.pushes {
		if cmp.Or(there[p.ref], Zero) != p.hash {
			continue // it has moved on since
		}
		if err := s.recordThere(ctx, r.ID, there, p.by, &p); err != nil {
			return fault.Wrap(err, "record a push to %s", r.FullName())
		}
	}
	return fault.Wrap(s.recordThere(ctx, r.ID, there, mark{actor: "system"}, nil), "record what has moved in %s", r.FullName())
}

// recordThere is settle with what references are at a forge in place of a folder: those that by moved, or the one that the forge told
// of.
func (s *Service) recordThere(ctx context.Context, id string, there map[string]string, by mark, told *sent) error {
	for range settleAttempts {
		r, known, err := s.known(ctx, id)
		if err != nil {
			return err
		}
		known = slices.DeleteFunc(known, func(k Ref) bool { return there[k.Name] == "" && !r.Outside.complete })
		moved := slices.DeleteFunc(differences(r, known, there), func(p Push) bool {
			return told != nil && p.Ref != told.ref || p.Old == p.New
		})
		if len(moved) == 0 {
			return nil
		}
		if told != nil {
			moved[0].told = true
			if moved[0].Old == Zero && git.IsHash(told.old) && !r.Outside.complete {
				moved[0].Old = told.old
			}
		}
		r.dirty = &by
		if err := s.touch(ctx, r, moved); err != nil {
			return err
		}
		if done, err := s.record(ctx, r, moved, false); done || err != nil {
			return err
		}
	}
	return fault.Errorf(fault.Unavailable, "repository %s is changed all the time by somebody else", id)
}

// branchesThere gives where references are at the forge; Zero for one that is followed and is not there.
func (s *Service) branchesThere(ctx context.Context, r Repository, known []Ref, a ask) (there map[string]string, err error) {
	names := []string{"refs/heads/" + r.DefaultBranch}
	for _, k := range known {
		if strings.HasPrefix(k.Name, "refs/heads/") {
			names = append(names, k.Name)
		}
	}
	names = append(names, a.branches...)
	tags := false
	for _, p := range a.pushes {
		names = append(names, p.ref)
		tags = tags || !strings.HasPrefix(p.ref, "refs/heads/")
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if r.Outside.complete || tags || len(names) > branchesByAPI {
		remote, err := s.remoteOf(ctx, r)
		if err != nil {
			return nil, err
		}
		all, err := s.git.List(ctx, remote, mirrored[:], git.Limits{Refs: refsLimit})
		if err != nil || r.Outside.complete {
			return all, err
		}
		there = map[string]string{}
		for _, name := range names {
			there[name] = cmp.Or(all[name], Zero)
		}
		return there, nil
	}
	f, err := s.outside.Forges.Forge(ctx, r.Outside.Integration)
	if err != nil {
		return nil, err
	}
	there = map[string]string{}
	gone := false
	for _, name := range names {
		branch := strings.TrimPrefix(name, "refs/heads/")
		if git.CheckBranch(branch) != nil {
			continue
		}
		b, err := f.GetBranch(ctx, r.Outside.Remote, branch)
		switch {
		case fault.Is(err, fault.NotFound), err == nil && b.Name != branch: // a forge leads from a former name to the new one
			there[name], gone = Zero, true
		case fault.Is(err, fault.Invalid):
			continue // no branch can be called so there
		case err != nil:
			return nil, err
		case !git.IsHash(b.Commit) || b.Commit == Zero:
			return nil, fault.Errorf(fault.Unavailable, "the forge does not tell where the branch %s is", branch)
		default:
			there[name] = b.Commit
		}
	}
	if gone { // or all of it
		again, err := f.GetRepository(ctx, r.Outside.Remote)
		if err == nil && again.ID != r.Outside.RemoteID {
			err = fault.Errorf(fault.Conflict, "%s is another repository at the forge by now", again.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	return there, nil
}

// commitByAPI is resolve without a mirror. It fails with errGit for what an API has no word for.
func (s *Service) commitByAPI(ctx context.Context, r Repository, rev string) (commit string, err error) {
	switch {
	case git.IsHash(rev):
		return rev, nil
	case rev == "", rev == "HEAD":
		rev = r.DefaultBranch
	}
	name := rev
	if !strings.HasPrefix(rev, "refs/") {
		name = "refs/heads/" + rev
	}
	branch, ok := strings.CutPrefix(name, "refs/heads/")
	if !ok {
		return "", errGit
	}
	row := func() error {
		return s.db.Read(ctx, func(tx *store.Tx) error {
			commit, err = refHash(ctx, tx, r.ID, name)
			return err
		})
	}
	if err = row(); !fault.Is(err, fault.NotFound) {
		return commit, err
	}
	none := fault.Errorf(fault.NotFound, "repository %s has no branch, tag or commit %.200s", r.FullName(), rev)
	if s.isAbsent(r.ID, name) || git.CheckBranch(branch) != nil {
		return "", none
	}
	if err := s.look(ctx, r.ID, ask{branches: []string{name}}); err != nil {
		return "", away(err)
	}
	if err = row(); !fault.Is(err, fault.NotFound) {
		return commit, err
	}
	if name != rev && rev != r.DefaultBranch { // it may be a tag, or the beginning of a hash
		c, err := s.contentAt(ctx, r, "")
		if err != nil {
			return "", err
		}
		found, err := c.forge.GetCommit(ctx, c.remote, rev)
		if err == nil && git.IsHash(found.Hash) {
			return found.Hash, nil
		}
		if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
			return "", away(err)
		}
	}
	s.setAbsent(r.ID, name)
	return "", none
}

// content is the files of a commit, as a forge gives them.
type content struct {
	s              *Service
	forge          forge.Forge
	id             string // of the repository here
	remote, commit string
	folders        map[string][]forge.Entry // that were listed
}

func (s *Service) contentAt(ctx context.Context, r Repository, commit string) (*content, error) {
	if s.outside.Forges == nil {
		return nil, fault.Errorf(fault.Unavailable, "this server reaches no forges")
	}
	f, terms, err := s.forge(ctx, r.Outside.Integration)
	if err == nil {
		err = terms.check(r.Outside.Remote)
	}
	if fault.Is(err, fault.NotFound) {
		err = fault.Errorf(fault.Unavailable, "its files can't be read: %w", err)
	}
	if err != nil {
		return nil, away(err)
	}
	return &content{s, f, r.ID, r.Outside.Remote, commit, map[string][]forge.Entry{}}, nil
}

// readByAPI runs fn with the files of a commit, which rev names. done is false where git reads them.
func (s *Service) readByAPI(ctx context.Context, r Repository, rev string, fn func(c *content) error) (done bool, err error) {
	if !s.byAPI(r) {
		return false, nil
	}
	commit, err := s.commitByAPI(ctx, r, rev)
	if err == nil {
		var c *content
		if c, err = s.contentAt(ctx, r, commit); err == nil {
			err = fn(c)
		}
	}
	if errors.Is(err, errGit) {
		return false, nil
	}
	return true, fault.Wrap(err, "repository %s", r.FullName())
}

// away gives what it means for a reader that a forge did not answer as it should: nothing is known of the files. Why is in the
// repository's row, for those who may do something about it.
func away(err error) error {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.TooLarge, fault.Invalid, fault.Unavailable, fault.Canceled, fault.Internal:
		return err
	}
	return fault.Errorf(fault.Unavailable, "the forge does not give it now: %w", err)
}

// read is git.ReadFile.
func (c *content) read(ctx context.Context, file string, limit int64) ([]byte, error) {
	file, err := git.CheckPath(file)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, fault.Errorf(fault.Invalid, "the root of a repository is a folder")
	}
	text, err := c.forge.ReadFile(ctx, c.remote, c.commit, file, limit)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
		return nil, c.missing(ctx, file)
	}
	if err != nil {
		return nil, away(err)
	}
	if mayBeLink(text) {
		if e, err := c.entry(ctx, file); err != nil || e.Type == forge.TypeLink {
			return nil, cmp.Or(err, errGit)
		}
	}
	return text, nil
}

// mayBeLink tells whether a text can be what a symbolic link says: most files end a line.
func mayBeLink(text []byte) bool {
	return len(text) > 0 && len(text) < linkBytes && !bytes.ContainsAny(text, "\n\x00")
}

// missing tells why a forge gives no file at a path: one on whose way is a symbolic link is git's to find.
func (c *content) missing(ctx context.Context, file string) error {
	at := ""
	for step := range strings.SplitSeq(file, "/") {
		entries, err := c.list(ctx, at)
		if err != nil {
			return err
		}
		at = path.Join(at, step)
		i := slices.IndexFunc(entries, func(e forge.Entry) bool { return e.Path == at })
		switch {
		case i >= 0 && (entries[i].Type == forge.TypeLink || entries[i].Type == forge.TypeFile && at == file):
			return errGit
		case i < 0 || entries[i].Type != forge.TypeFolder:
			return fault.Errorf(fault.NotFound, "there is no file %.200s at %s", file, c.commit)
		}
	}
	return fault.Errorf(fault.Invalid, "%.200s is a folder", file)
}

// entry gives what is at the path of a file that is there.
func (c *content) entry(ctx context.Context, file string) (forge.Entry, error) {
	entries, err := c.list(ctx, upper(file))
	if err != nil {
		return forge.Entry{}, err
	}
	i := slices.IndexFunc(entries, func(e forge.Entry) bool { return e.Path == file })
	if i < 0 {
		return forge.Entry{}, c.missing(ctx, file)
	}
	return entries[i], nil
}

// list gives the entries of a folder. Without the root the forge shows the commit no more, so that nothing is known of what is in it.
func (c *content) list(ctx context.Context, folder string) ([]forge.Entry, error) {
	if entries, ok := c.folders[folder]; ok {
		return entries, nil
	}
	tree, err := c.forge.ListTree(ctx, c.remote, c.commit, folder, false)
	switch {
	case fault.Is(err, fault.NotFound) && folder == "":
		return nil, fault.Errorf(fault.Unavailable, "the forge does not show the commit %s: %w", c.commit, err)
	case err != nil:
		return nil, away(err)
	case tree.Cut:
		return nil, errGit
	}
	c.folders[folder] = tree.Entries
	return tree.Entries, nil
}

// filesIn gives the files and links in a folder itself.
func (c *content) filesIn(ctx context.Context, folder string) (files []string, err error) {
	if folder, err = git.CheckPath(folder); err != nil {
		return nil, err
	}
	entries, err := c.list(ctx, folder)
	if fault.Is(err, fault.NotFound) {
		if _, err := c.list(ctx, ""); err != nil { // the commit is seen
			return nil, err
		}
	}
	for _, e := range entries {
		if treeEntry(e).Type == "blob" {
			files = append(files, e.Path)
		}
	}
	return files, err
}

// readAll is git.ReadFiles.
func (c *content) readAll(ctx context.Context, files []string, limit int64) (map[string][]byte, error) {
	if len(files) > filesByAPI {
		return nil, errGit
	}
	found, left := map[string][]byte{}, limit
	for _, file := range files {
		text, err := c.read(ctx, file, left)
		switch {
		case fault.Is(err, fault.NotFound):
			continue
		case fault.Is(err, fault.TooLarge):
			return nil, fault.Errorf(fault.TooLarge, "they have more than %d bytes together", limit)
		case err != nil:
			return nil, err
		}
		found[file], left = text, left-int64(len(text))
	}
	return found, nil
}

// readSome is git.ReadSome.
func (c *content) readSome(ctx context.Context, files []string, limit, total int64) (some []git.Content, err error) {
	if len(files) > filesByAPI {
		return nil, errGit
	}
	for _, file := range files {
		if len(some) > 0 && total <= 0 {
			break
		}
		one := git.Content{}
		one.Bytes, err = c.read(ctx, file, limit)
		switch fault.KindOf(err) {
		case fault.NotFound, fault.TooLarge, fault.Invalid:
			one.Err = err
		default:
			if err != nil {
				return nil, err
			}
		}
		total -= int64(len(one.Bytes))
		some = append(some, one)
	}
	return some, nil
}

// hashes is git.Hashes.
func (c *content) hashes(ctx context.Context, files []string) (map[string]string, error) {
	found := map[string]string{}
	for _, file := range files {
		clean, err := git.CheckPath(file)
		if err != nil {
			return nil, err
		}
		if clean == "" {
			continue
		}
		e, err := c.entry(ctx, clean)
		switch {
		case err == nil && e.Type == forge.TypeLink:
			return nil, errGit
		case err == nil && e.Type == forge.TypeFile:
			found[file] = e.Hash
		case err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid):
			return nil, err
		}
		if len(c.folders) > filesByAPI {
			return nil, errGit
		}
	}
	return found, nil
}

// changed is git.ChangedPaths from a commit that the content's comes from.
func (c *content) changed(ctx context.Context, from string) (paths []string, err error) {
	d, err := c.compare(ctx, from, c.commit)
	switch {
	case err != nil:
		return nil, err
	case d.Cut || d.Base != from:
		return nil, errGit
	}
	for _, f := range d.Files {
		paths = append(paths, f.Path)
		if f.OldPath != "" {
			paths = append(paths, f.OldPath)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// standing is git.Standing but for conflicts, which a forge knows of its own proposals only.
func (c *content) standing(ctx context.Context, target string) (s git.Standing, err error) {
	d, err := c.compare(ctx, target, c.commit)
	if err == nil && d.Behind < 0 {
		var back forge.Comparison
		back, err = c.compare(ctx, c.commit, target)
		d.Behind = back.Ahead
	}
	return git.Standing{Base: d.Base, Ahead: d.Ahead, Behind: d.Behind}, err
}

func (c *content) compare(ctx context.Context, from, to string) (forge.Comparison, error) {
	if !git.IsHash(from) || from == Zero || !git.IsHash(to) || to == Zero {
		return forge.Comparison{}, errGit
	}
	d, err := c.forge.Compare(ctx, c.remote, from, to)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) || err == nil && !git.IsHash(d.Base) {
		err = errGit
	}
	if err != nil {
		return d, away(err)
	}
	return d, nil
}

// match gives the file or the link at a path, none when it is not there.
func (c *content) match(ctx context.Context, file string) ([]git.TreeEntry, error) {
	if file == "" {
		return nil, nil
	}
	text, err := c.forge.ReadFile(ctx, c.remote, c.commit, file, matchedByAPI)
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid):
		if _, err := c.list(ctx, ""); err != nil { // the commit is seen
			return nil, err
		}
		return nil, nil
	case err != nil && !fault.Is(err, fault.TooLarge):
		return nil, away(err)
	}
	if err != nil || mayBeLink(text) || len(c.commit) != sha1.Size*2 {
		e, err := c.entry(ctx, file)
		if err != nil {
			return nil, err
		}
		return []git.TreeEntry{treeEntry(e)}, nil
	}
	return []git.TreeEntry{{Path: file, Mode: "100644", Type: "blob", Hash: blobHash(text), Size: int64(len(text))}}, nil
}

// blobHash is git's name of a file's content.
func blobHash(text []byte) string {
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", len(text))
	sum.Write(text)
	return hex.EncodeToString(sum.Sum(nil))
}

// walk is git.Walk.
func (c *content) walk(ctx context.Context, folder string, fn func(git.TreeEntry) error) error {
	return c.s.walkBy(c.id, c.commit, folder, fn, func(folder string, fn func(git.TreeEntry) error) error {
		tree, err := c.forge.ListTree(ctx, c.remote, c.commit, folder, true)
		switch {
		case fault.Is(err, fault.NotFound):
			if _, err := c.list(ctx, ""); err != nil {
				return err
			}
			return fault.Errorf(fault.NotFound, "there is no folder %.200q at %s", folder, c.commit)
		case err != nil:
			return away(err)
		case tree.Cut:
			return errGit
		}
		for _, e := range tree.Entries {
			if err := fn(treeEntry(e)); err != nil {
				return err
			}
		}
		return nil
	})
}

func treeEntry(e forge.Entry) git.TreeEntry {
	out := git.TreeEntry{Path: e.Path, Mode: "100644", Type: "blob", Hash: e.Hash, Size: e.Size}
	switch e.Type {
	case forge.TypeLink:
		out.Mode = "120000"
	case forge.TypeFolder:
		out.Mode, out.Type = "040000", "tree"
	case forge.TypeProject:
		out.Mode, out.Type = "160000", "commit"
	}
	return out
}
