package git

import (
	"path"
	"strings"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Zero is the hash that stands for "no object" where a reference is created or deleted.
const Zero = zeroHash

// IsHash tells whether s is the full hexadecimal name of an object (SHA-1 or SHA-256).
func IsHash(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// CheckRef refuses, with fault.Invalid, what is not the full name of a reference by the rules of
// git check-ref-format, and names over 255 bytes.
func CheckRef(name string) error {
	if !strings.HasPrefix(name, "refs/") || !legalRef(name) {
		return fault.Errorf(fault.Invalid, "%q is not the name of a reference; write it like refs/heads/main", clip(name))
	}
	return nil
}

// CheckBranch refuses, with fault.Invalid, what can't be the short name of a branch.
func CheckBranch(name string) error {
	if strings.HasPrefix(name, "-") || name == "HEAD" || strings.HasPrefix(name, "refs/") || !legalRef("refs/heads/"+name) {
		return fault.Errorf(fault.Invalid, "%q is not the name of a branch; write it like main or feature/login", clip(name))
	}
	return nil
}

func legalRef(name string) bool {
	if len(name) > 255 || !utf8.ValidString(name) || strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") {
		return false
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) {
			return false
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// revision checks what names a commit: a full hash, HEAD, or the full name of a reference.
func revision(s string) error {
	if s == "HEAD" || IsHash(s) || strings.HasPrefix(s, "refs/") && legalRef(s) {
		return nil
	}
	return fault.Errorf(fault.Invalid, "%q is neither a commit nor the full name of a reference", clip(s))
}

// CheckPath gives the clean form of a path inside a tree; "" and "." are its root. It refuses, with fault.Invalid,
// paths that leave the tree or that no line of git's protocols can hold.
func CheckPath(p string) (string, error) {
	if len(p) > 4096 || strings.HasPrefix(p, "/") || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fault.Errorf(fault.Invalid, "%q is not a path in a repository", clip(p))
	}
	clean := path.Clean(p)
	if clean == "." {
		return "", nil
	}
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fault.Errorf(fault.Invalid, "%q leaves the repository", clip(p))
	}
	return clean, nil
}

// checkNewPath checks a path that is to be written: a clone of it must be safe on every system, as git's own fsck
// demands (no .git in any spelling that some file system takes for it).
func checkNewPath(p string) error {
	clean, err := CheckPath(p)
	if err != nil {
		return err
	}
	if clean == "" || clean != p || !utf8.ValidString(p) {
		return fault.Errorf(fault.Invalid, "%q is not a path of a file in a repository", clip(p))
	}
	for part := range strings.SplitSeq(p, "/") {
		if len(part) > 255 || strings.Contains(part, `\`) || isDotGit(part) {
			return fault.Errorf(fault.Invalid, "%q can't be written to a repository", clip(p))
		}
	}
	return nil
}

// isDotGit tells whether some file system takes a name for .git.
func isDotGit(name string) bool {
	name = folded(name)
	return name == ".git" || name == "git~1"
}

// isGitmodules tells whether some file system takes a name for .gitmodules.
func isGitmodules(name string) bool {
	name = folded(name)
	return name == ".gitmodules" || strings.HasPrefix(name, "gitmod~") || strings.HasPrefix(name, "gi7eba~")
}

// folded gives a name as some file system takes it: without case, without NTFS's trailing dots, spaces and streams, and
// without the characters that HFS+ ignores.
func folded(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, name)
	name, _, _ = strings.Cut(name, ":")
	return strings.ToLower(strings.TrimRight(name, ". "))
}

// clip keeps a message short, whatever was sent.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
