package git

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of one commit that is made here.
const (
	commitFiles   = 20_000
	commitBytes   = 256 << 20
	commitMessage = 64 << 10
)

// FileChange writes or deletes one path. Deleting a folder deletes all below it; deleting what is not there is nothing.
type FileChange struct {
	Path    string
	Content []byte
	Mode    string // "" or 100644; 100755; 120000 for a link, whose target is Content
	Delete  bool
}

// CommitRequest is a commit to be made on a branch.
type CommitRequest struct {
	Branch    string // short name
	Parent    string // the head that the caller saw; "" = the branch must not exist
	New       bool   // the branch must not exist, and begins at Parent
	Author    Signature
	Committer Signature // the author when zero
	Message   string
	Changes   []FileChange
}

// Old gives where the branch is to be before; "" where it must not exist.
func (r CommitRequest) Old() string {
	if r.New {
		return ""
	}
	return r.Parent
}

func (r CommitRequest) check() error {
	if err := CheckBranch(r.Branch); err != nil {
		return err
	}
	if r.Parent != "" && !IsHash(r.Parent) {
		return fault.Errorf(fault.Invalid, "%q is not the full hash of a commit", clip(r.Parent))
	}
	if strings.TrimSpace(r.Message) == "" || len(r.Message) > commitMessage || strings.ContainsRune(r.Message, 0) {
		return fault.Errorf(fault.Invalid, "a commit needs a message of at most %d bytes", commitMessage)
	}
	if r.Author.Name == "" || r.Author.When.IsZero() {
		return fault.Errorf(fault.Invalid, "a commit needs an author with a name and a time")
	}
	if len(r.Changes) > commitFiles {
		return fault.Errorf(fault.TooLarge, "a commit made by the server changes at most %d files, not %d", commitFiles, len(r.Changes))
	}
	total := 0
	for _, c := range r.Changes {
		if err := checkNewPath(c.Path); err != nil {
			return err
		}
		if total += len(c.Content); total > commitBytes {
			return fault.Errorf(fault.TooLarge, "a commit made by the server has at most %d bytes", commitBytes)
		}
		switch c.Mode {
		case "", "100644", "100755":
		case "120000":
			if isGitmodules(path.Base(c.Path)) {
				return fault.Errorf(fault.Invalid, "%s must not be a link", c.Path)
			}
		default:
			return fault.Errorf(fault.Invalid, "%s: mode %q is not 100644, 100755 or 120000", c.Path, c.Mode)
		}
	}
	return nil
}

// Commit makes one commit on a branch of a bare repository and moves the branch from Parent to it. Its hash depends on
// the request alone. When the changes change nothing, no commit is made and Parent is returned. It fails with
// fault.Conflict when the branch is no longer at Parent, or, with an empty Parent or a New one, exists.
func (g *Git) Commit(ctx context.Context, dir string, r CommitRequest) (commit string, err error) {
	if err := r.check(); err != nil {
		return "", err
	}
	for _, c := range r.Changes {
		if !c.Delete && isGitmodules(path.Base(c.Path)) {
			if err := g.checkModules(ctx, c); err != nil {
				return "", err
			}
		}
	}
	// The import works on a reference of its own, which it drops before it would be written.
	scratch := hiddenPrefix + "scratch/" + strings.ToLower(rand.Text())
	out, err := g.output(ctx, call{
		dir: dir, limit: 64 << 10, stdin: bytes.NewReader(r.script(scratch)),
		args: []string{"fast-import", "--quiet", "--done", "--date-format=raw"},
	})
	if err != nil {
		dropImport(dir)
	}
	if exitCode(err) > 0 {
		return "", r.refused(ctx, g, dir, err)
	}
	if err != nil {
		return "", fault.Wrap(err, "write a commit on %s", r.Branch)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if !IsHash(lines[0]) {
		return "", fmt.Errorf("write a commit on %s: git gave %q", r.Branch, clip(string(out)))
	}
	if len(lines) == 3 && lines[1] == lines[2] {
		return r.Parent, g.expect(ctx, dir, "refs/heads/"+r.Branch, r.Old())
	}
	return lines[0], g.UpdateRef(ctx, dir, "refs/heads/"+r.Branch, r.Old(), lines[0])
}

// checkModules refuses what git's fsck refuses in a push: submodules whose names, addresses or paths become a command's
// option, a command, or a place outside of the clone.
func (g *Git) checkModules(ctx context.Context, c FileChange) error {
	out, err := g.output(ctx, call{dir: "/", limit: 16 << 20, stdin: bytes.NewReader(c.Content), args: []string{"config", "--file", "-", "--null", "--list"}})
	if exitCode(err) > 0 {
		return fault.Errorf(fault.Invalid, "%s is not a configuration file of git", c.Path)
	}
	if err != nil {
		return fault.Wrap(err, "read %s", c.Path)
	}
	for setting := range strings.SplitSeq(string(out), "\x00") {
		key, value, _ := strings.Cut(setting, "\n")
		key, submodule := strings.CutPrefix(key, "submodule.")
		dot := strings.LastIndexByte(key, '.')
		if !submodule || dot < 0 {
			continue
		}
		name, what := key[:dot], key[dot+1:]
		outside := slices.Contains(strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' }), "..")
		option := (what == "url" || what == "path") && strings.HasPrefix(value, "-")
		lines := what == "url" && (strings.ContainsFunc(value, unicode.IsControl) || strings.Contains(strings.ToLower(value), "%0a"))
		command := what == "update" && strings.HasPrefix(value, "!")
		if outside || option || lines || command {
			return fault.Errorf(fault.Invalid, "%s: the submodule %q can't have the %s %q", c.Path, clip(name), what, clip(value))
		}
	}
	return nil
}

// dropImport removes what a failed import leaves: its report beside the repository's own files, and the mark of a pack, which
// would refuse the same commit when it is asked for again. Nothing else writes to the repository meanwhile.
func dropImport(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, "fast_import_crash_*")) // the patterns are good
	marks, _ := filepath.Glob(filepath.Join(dir, marksOfPacks))
	for _, path := range append(left, slices.DeleteFunc(marks, isNotOfGit)...) {
		_ = os.Remove(path) // Recover tries again
	}
}

// isNotOfGit tells whether somebody marked a pack to be kept, and not a command of git's that removes its mark when it ends.
func isNotOfGit(mark string) bool {
	if _, err := os.Stat(strings.TrimSuffix(mark, ".keep") + ".idx"); errors.Is(err, fs.ErrNotExist) {
		return false // nobody can use the pack
	}
	file, err := os.Open(mark)
	if err != nil {
		return true
	}
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, 100)) // what can't be read stays
	return !slices.ContainsFunc([]string{"fast-import", "receive-pack ", "fetch-pack "}, func(by string) bool { return strings.HasPrefix(string(text), by) })
}

// refused tells why the import of a commit failed.
func (r CommitRequest) refused(ctx context.Context, g *Git, dir string, err error) error {
	if r.Parent != "" {
		if moved := g.expect(ctx, dir, "refs/heads/"+r.Branch, r.Old()); moved != nil {
			return moved
		}
	}
	return fault.Wrap(err, "write a commit on %s", r.Branch)
}

// expect fails with fault.Conflict when a reference is not at a hash.
func (g *Git) expect(ctx context.Context, dir, name, hash string) error {
	objects, err := g.batch(ctx, dir, 1<<10, false, []string{name})
	if err != nil {
		return fault.Wrap(err, "read %s", name)
	}
	if objects[0].hash != hash {
		return fault.Errorf(fault.Conflict, "%s has moved on; read it again and repeat the change on its new head", name)
	}
	return nil
}

// UpdateRef moves a reference from old to hash, both full hashes. An empty or zero old means that it must not exist; an
// empty or zero hash deletes it. It fails with fault.Conflict when the reference is not at old.
func (g *Git) UpdateRef(ctx context.Context, dir, name, old, hash string) error {
	if err := CheckRef(name); err != nil {
		return err
	}
	for _, p := range []*string{&old, &hash} {
		if *p == "" {
			*p = zeroHash
		} else if !IsHash(*p) {
			return fault.Errorf(fault.Invalid, "%q is not a full hash", clip(*p))
		}
	}
	if g.first != nil {
		if err := g.expect(ctx, dir, name, strings.TrimPrefix(old, zeroHash)); err != nil {
			return err
		}
		if err := g.first(ctx, Update{name, old, hash}); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx) // elsewhere it has moved
	}
	_, err := g.output(ctx, call{
		dir: dir, limit: 1 << 10, args: []string{"update-ref", "--stdin", "-z"},
		stdin: strings.NewReader("update " + name + "\x00" + hash + "\x00" + old + "\x00"),
	})
	if exitCode(err) > 0 {
		if moved := g.expect(ctx, dir, name, strings.TrimPrefix(old, zeroHash)); moved != nil {
			return moved
		}
	}
	return fault.Wrap(err, "move %s", name)
}

// Keep makes the platform's own references, by their full names, lead to commits, wherever they led before, all or none;
// to no commit means that there is none any more. What one leads to is never packed away.
func (g *Git) Keep(ctx context.Context, dir string, leads map[string]string) error {
	var script strings.Builder
	for _, name := range slices.Sorted(maps.Keys(leads)) {
		commit := cmp.Or(leads[name], zeroHash)
		if !isPlatforms(name) || !legalRef(name) || !IsHash(commit) {
			return fault.Errorf(fault.Invalid, "%q can't be kept as %q", clip(commit), clip(name))
		}
		script.WriteString("update " + name + "\x00" + commit + "\x00\x00")
	}
	_, err := g.output(ctx, call{dir: dir, limit: 1 << 10, args: []string{"update-ref", "--stdin", "-z"}, stdin: strings.NewReader(script.String())})
	return fault.Wrap(err, "keep what proposals lead to")
}

// script is the request in the language of git fast-import. It answers with the commit's hash and the root trees of the
// commit and of its parent.
func (r CommitRequest) script(scratch string) []byte {
	var b bytes.Buffer
	committer := r.Committer
	if committer.Name == "" {
		committer = r.Author
	}
	fmt.Fprintf(&b, "commit %s\nmark :1\nauthor %s\ncommitter %s\n", scratch, r.Author.line(), committer.line())
	message := strings.TrimRight(r.Message, "\n") + "\n"
	fmt.Fprintf(&b, "data %d\n%s\n", len(message), message)
	if r.Parent != "" {
		fmt.Fprintf(&b, "from %s\n", r.Parent)
	}
	for _, c := range r.Changes {
		if c.Delete {
			fmt.Fprintf(&b, "D %s\n", quote(c.Path))
			continue
		}
		mode := c.Mode
		if mode == "" {
			mode = "100644"
		}
		fmt.Fprintf(&b, "M %s inline %s\ndata %d\n", mode, quote(c.Path), len(c.Content))
		b.Write(c.Content)
		b.WriteByte('\n')
	}
	b.WriteString("\nget-mark :1\n")
	if r.Parent != "" {
		fmt.Fprintf(&b, "ls :1 \"\"\nls %s \"\"\n", r.Parent)
	}
	fmt.Fprintf(&b, "reset %s\nfrom %s\n\ndone\n", scratch, zeroHash)
	return b.Bytes()
}

// line gives "Name <mail> seconds zone", without the characters that would end it early.
func (s Signature) line() string {
	clean := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == '<' || r == '>' {
				return -1
			}
			return r
		}, strings.ToValidUTF8(s, ""))
		return strings.TrimSpace(s[:min(len(s), 256)])
	}
	return clean(s.Name) + " <" + clean(s.Email) + "> " + strconv.FormatInt(s.When.Unix(), 10) + " " + s.When.Format("-0700")
}

// quote gives a path as fast-import reads it; paths hold no control characters.
func quote(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}
