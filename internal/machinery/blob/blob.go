package blob

import (
	"context"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Store is the contract of a place for blobs; blobtest holds every body to it. All methods may be called at the
// same time. A full or broken disk gives fault.Unavailable.
type Store interface {
	// Put keeps what r gives and returns its address, "sha256:" and 64 hex digits, and its size. More than limit
	// bytes give fault.TooLarge and leave nothing; a limit of 0 means DefaultLimit. The same content again is
	// kept once. Errors of r come back as they are.
	Put(ctx context.Context, r io.Reader, limit int64) (digest string, size int64, err error)
	// Bring is Put, and tells when the content that it has kept was put (Info.Modified), and when it had been put before: zero
	// for content that was not there.
	Bring(ctx context.Context, r io.Reader, limit int64) (kept Info, before time.Time, err error)
	// Drop removes content that nobody has put since it was brought, and tells whether it did. Content that somebody has, or
	// that is not there, is left alone.
	Drop(ctx context.Context, brought Info) (dropped bool, err error)
	// Open gives the content of an address; fault.NotFound when there is none.
	Open(ctx context.Context, digest string) (content io.ReadSeekCloser, size int64, err error)
	// Delete removes content. What is not there is already deleted; who has it open may read on.
	Delete(ctx context.Context, digest string) error

	// Append writes p at offset. Bytes before the end of the stream are taken as written already and skipped;
	// an offset behind the end, or new bytes for a sealed stream, give fault.Conflict. size is that of the stream.
	Append(ctx context.Context, stream string, offset int64, p []byte) (size int64, err error)
	// ReadAt reads from offset; n is 0 at the end. A stream that nobody has written to is empty.
	ReadAt(ctx context.Context, stream string, offset int64, p []byte) (n int, size int64, sealed bool, err error)
	// Seal says that nothing more will be appended. Sealing twice is the same as once.
	Seal(ctx context.Context, stream string) error
	// Wait returns when the stream has more than offset bytes or is sealed, or with the error of ctx.
	Wait(ctx context.Context, stream string, offset int64) error

	// Walk tells of everything that is kept, in no order; what comes or goes meanwhile may or may not be told.
	Walk(ctx context.Context, fn func(Info) error) error
}

// Info tells of one blob: either content (Digest) or a stream (Stream).
type Info struct {
	Digest   string
	Stream   string
	Size     int64
	Sealed   bool // of a stream
	Modified time.Time
}

// DefaultLimit is how much Put takes when its caller names no limit: 1 GiB.
const DefaultLimit = 1 << 30

const digestPrefix = "sha256:"

var hexPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ValidDigest tells whether s may be the address of content.
func ValidDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, digestPrefix)
	return ok && hexPattern.MatchString(hex)
}

var streamPattern = regexp.MustCompile(`^[a-z0-9_-]+(/[a-z0-9_-]+)*$`)

// ValidStream tells whether s may name a stream: parts of lower case letters, digits, '_' and '-', joined by '/',
// at most 100 characters each and 500 in all.
func ValidStream(s string) bool {
	if len(s) > 500 || !streamPattern.MatchString(s) {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if len(part) > 100 {
			return false
		}
	}
	return true
}

func checkDigest(digest string) error {
	if !ValidDigest(digest) {
		return fault.Errorf(fault.Invalid, "%q is not an address of content; it is sha256: and 64 hex digits", digest)
	}
	return nil
}

func checkStream(stream string) error {
	if !ValidStream(stream) {
		return fault.Errorf(fault.Invalid, "%q is not the name of a stream; use a-z, 0-9, '_' and '-', in parts joined by '/'", stream)
	}
	return nil
}
