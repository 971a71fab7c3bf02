package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	packMost  = 100 << 20 // bytes of an archive, which is what the server takes
	ignoreTop = 1 << 20   // bytes of a .terraformignore
)

// pack gives a folder as tar.gz: without .git and .terraform, what .terraformignore names, and, in a git work tree, what
// git ignores. The same files give the same bytes.
func pack(ctx context.Context, folder string) ([]byte, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", folder)
	}
	names, err := packedFiles(ctx, folder)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, name := range names {
		if err := packFile(archive, folder, name); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
		if out.Len() > packMost {
			return nil, fmt.Errorf("packed, the folder has more than %d MiB; name what a plan does not need in .terraformignore", packMost>>20)
		}
	}
	err = errors.Join(archive.Close(), zip.Close())
	return out.Bytes(), err
}

// packedFiles gives the files and links of a folder that are to be packed, sorted, with / between their parts.
func packedFiles(ctx context.Context, folder string) ([]string, error) {
	rules, err := ignoreFile(filepath.Join(folder, ".terraformignore"))
	if err != nil {
		return nil, err
	}
	known, inGit := gitFiles(ctx, folder)
	var names []string
	err = filepath.WalkDir(folder, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == folder {
			return err
		}
		relative, err := filepath.Rel(folder, at)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		switch base := path.Base(name); {
		case base == ".git" || base == ".terraform" || rules.leavesOut(name, d.IsDir()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			if inGit && !hasBelow(known, name+"/") {
				return fs.SkipDir
			}
			return nil
		case inGit && !has(known, name):
			return nil
		case d.Type().IsRegular() || d.Type()&fs.ModeSymlink != 0:
			names = append(names, name)
		}
		return nil // sockets and the like are nothing that a plan reads
	})
	slices.Sort(names)
	return names, err
}

func has(sorted []string, name string) bool {
	_, found := slices.BinarySearch(sorted, name)
	return found
}

func hasBelow(sorted []string, prefix string) bool {
	i, _ := slices.BinarySearch(sorted, prefix)
	return i < len(sorted) && strings.HasPrefix(sorted[i], prefix)
}

func ignoreFile(name string) (ignoring, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, ignoreTop))
	return readIgnore(string(text)), err
}

// gitFiles gives what git knows or would add of a folder, sorted; false where the folder is in no work tree, or there is
// no git.
func gitFiles(ctx context.Context, folder string) (names []string, ok bool) {
	list := exec.CommandContext(ctx, "git", "-C", folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", ".")
	list.WaitDelay = time.Second
	out, err := list.Output()
	if err != nil {
		return nil, false
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, true
}

func packFile(archive *tar.Writer, folder, name string) error {
	at := filepath.Join(folder, filepath.FromSlash(name))
	info, err := os.Lstat(at)
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg, Size: info.Size(), Format: tar.FormatPAX}
	if info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		h.Mode = 0o755
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if h.Linkname, err = os.Readlink(at); err != nil {
			return err
		}
		h.Typeflag, h.Size = tar.TypeSymlink, 0
		return archive.WriteHeader(h)
	}
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(archive, f, h.Size)
	return err
}

// sourceRoot gives the folder that stands for the repository of a stack whose folder within it is path: the folder that
// is named, or that one's parent when it is the stack's own folder.
func sourceRoot(folder, within string) (string, error) {
	root, err := filepath.Abs(folder)
	if err != nil || within == "" {
		return root, err
	}
	if info, err := os.Stat(filepath.Join(root, filepath.FromSlash(within))); err == nil && info.IsDir() {
		return root, nil
	}
	if up, ok := strings.CutSuffix(filepath.ToSlash(root), "/"+within); ok {
		return filepath.FromSlash(up + "/"), nil
	}
	return "", fmt.Errorf("the stack's folder is %s, and %s neither has it nor is it; name the top of the repository", within, folder)
}
