package git

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// PointerBytes is how long a pointer of Git LFS may be.
const PointerBytes = 1024

// Pointer is what stands in a repository for a file that Git LFS keeps elsewhere.
type Pointer struct {
	OID  string // SHA-256, in hex
	Size int64
}

var oidPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IsOID tells whether s may name an object of Git LFS.
func IsOID(s string) bool { return oidPattern.MatchString(s) }

// ParsePointer reads a pointer of Git LFS; ok is false for any other content.
func ParsePointer(content []byte) (p Pointer, ok bool) {
	if len(content) > PointerBytes || !bytes.HasPrefix(content, []byte("version https://git-lfs.github.com/spec/v1\n")) {
		return p, false
	}
	p.Size = -1
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "oid":
			p.OID, _ = strings.CutPrefix(value, "sha256:")
		case "size":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				p.Size = n
			}
		}
	}
	return p, IsOID(p.OID) && p.Size >= 0
}
