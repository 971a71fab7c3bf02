package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// maxBuffer is how much of a compressed layer is kept; a greater one is compressed again when it is pushed.
const maxBuffer = 64 << 20

// layer is a v1.Layer of files of this machine, compressed once.
type layer struct {
	entries        []packEntry
	created        time.Time
	digest, diffID v1.Hash
	size           int64
	content        []byte // compressed; nil when over maxBuffer
}

func newLayer(ctx context.Context, entries []packEntry, created time.Time) (*layer, error) {
	l := &layer{entries: entries, created: created}
	compressed, plain := sha256.New(), sha256.New()
	count := &counter{}
	buffer := &boundedBuffer{limit: maxBuffer}
	if err := l.write(ctx, io.MultiWriter(compressed, count, buffer), plain); err != nil {
		return nil, err
	}
	l.digest, l.diffID, l.size, l.content = sum(compressed), sum(plain), count.n, buffer.bytes()
	return l, nil
}

func sum(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// write gives the layer compressed to out, and plain to tee.
func (l *layer) write(ctx context.Context, out, tee io.Writer) error {
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed) // its header holds no time and no name
	if err != nil {
		return err
	}
	if err := l.writeTar(ctx, io.MultiWriter(z, tee)); err != nil {
		return err
	}
	return z.Close()
}

func (l *layer) writeTar(ctx context.Context, out io.Writer) error {
	w := tar.NewWriter(out)
	for _, e := range l.entries {
		if err := l.writeEntry(ctx, w, e); err != nil {
			return fault.Wrap(err, "pack %s", e.source)
		}
	}
	return w.Close()
}

func (l *layer) writeEntry(ctx context.Context, w *tar.Writer, e packEntry) error {
	h := &tar.Header{Name: e.name, Mode: int64(e.mode.Perm()), ModTime: l.created, Format: tar.FormatPAX}
	switch {
	case e.mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, e.name+"/"
	case e.mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
	default:
		h.Typeflag, h.Size = tar.TypeReg, e.size
	}
	if err := w.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	f, err := os.Open(e.source)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(w, io.LimitReader(cancelReader{ctx, f}, e.size))
	if err == nil && n != e.size {
		return errors.New("the file changed while it was packed; pack again")
	}
	return err
}

func (l *layer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.diffID, nil }
func (l *layer) Size() (int64, error)                 { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error)  { return types.OCILayer, nil }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return l.pipe(l.writeTar), nil }

func (l *layer) Compressed() (io.ReadCloser, error) {
	if l.content != nil {
		return io.NopCloser(bytes.NewReader(l.content)), nil
	}
	return l.pipe(func(ctx context.Context, w io.Writer) error { return l.write(ctx, w, io.Discard) }), nil
}

// pipe turns a writing function into a reader. The function runs until it is done or the reader is closed, which
// v1.Layer asks its caller to do.
func (l *layer) pipe(write func(context.Context, io.Writer) error) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(context.Background(), w)) }()
	return r
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// boundedBuffer keeps what is written, and nothing at all once that is over its limit.
type boundedBuffer struct {
	limit int
	over  bool
	buf   bytes.Buffer
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if !b.over && b.buf.Len()+len(p) > b.limit {
		b.over, b.buf = true, bytes.Buffer{}
	}
	if !b.over {
		b.buf.Write(p)
	}
	return len(p), nil
}

func (b *boundedBuffer) bytes() []byte {
	if b.over {
		return nil
	}
	return b.buf.Bytes()
}
