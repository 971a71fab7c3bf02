// Package blobtest is the conformance suite of blob.Store.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Run holds a body of blob.Store to its contract. open gives an empty store.
func Run(t *testing.T, open func(t testing.TB) blob.Store) {
	for name, test := range map[string]func(*testing.T, blob.Store){
		"content comes back as it went in":    contentComesBack,
		"content over the limit leaves none":  contentOverTheLimit,
		"content whose reader fails":          contentWhoseReaderFails,
		"the same content at the same time":   sameContent,
		"what nobody put since is dropped":    dropping,
		"names outside the folder":            hostileNames,
		"a stream is appended to by offset":   appendByOffset,
		"a sealed stream takes no more":       sealedStream,
		"waiting for bytes and for the seal":  waiting,
		"many readers follow a stream":        following,
		"walking tells of everything":         walking,
		"a stream may lie below another":      nestedStreams,
		"a stream behaves like a byte string": streamModel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func contentComesBack(t *testing.T, s blob.Store) {
	ctx := t.Context()
	for _, text := range []string{"", "hello", strings.Repeat("0123456789", 100_000)} {
		digest, size, err := s.Put(ctx, strings.NewReader(text), 1<<20)
		want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
		if err != nil || digest != want || size != int64(len(text)) {
			t.Fatalf("put: %s, %d, %v; want %s", digest, size, err, want)
		}
		content, size, err := s.Open(ctx, digest)
		if err != nil || size != int64(len(text)) {
			t.Fatalf("open: %d, %v", size, err)
		}
		got, err := io.ReadAll(content)
		if err != nil || string(got) != text {
			t.Fatalf("read %d bytes, %v; want %d", len(got), err, len(text))
		}
		if _, err := content.Seek(int64(len(text))/2, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(content); err != nil || string(rest) != text[len(text)/2:] {
			t.Fatalf("after seek: %d bytes, %v", len(rest), err)
		}
		if err := content.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Delete(ctx, digest); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := s.Open(ctx, digest); !fault.Is(err, fault.NotFound) {
			t.Fatalf("open after delete: %v", err)
		}
	}
}

func contentOverTheLimit(t *testing.T, s blob.Store) {
	if _, size, err := s.Put(t.Context(), strings.NewReader("12345"), 5); err != nil || size != 5 {
		t.Fatalf("at the limit: %d, %v", size, err)
	}
	if _, _, err := s.Put(t.Context(), strings.NewReader("123456"), 5); !fault.Is(err, fault.TooLarge) {
		t.Fatalf("over the limit: %v", err)
	}
	if got := list(t, s); len(got) != 1 {
		t.Fatalf("kept %v", got)
	}
}

func contentWhoseReaderFails(t *testing.T, s blob.Store) {
	broken := errors.New("the peer went away")
	r := io.MultiReader(strings.NewReader("half"), failing{broken})
	if _, _, err := s.Put(t.Context(), r, 100); !errors.Is(err, broken) {
		t.Fatalf("got %v, want the reader's error", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Put(ended, strings.NewReader("x"), 100); !fault.Is(err, fault.Canceled) {
		t.Fatalf("got %v, want Canceled", err)
	}
	if got := list(t, s); len(got) != 0 {
		t.Fatalf("kept %v", got)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func sameContent(t *testing.T, s blob.Store) {
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			digest, _, err := s.Put(t.Context(), strings.NewReader("same"), 100)
			if err != nil {
				t.Error(err)
				return
			}
			content, _, err := s.Open(t.Context(), digest)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := io.ReadAll(content); string(got) != "same" {
				t.Errorf("got %q, %v", got, err)
			}
			content.Close()
		})
	}
	group.Wait()
	if got := list(t, s); len(got) != 1 {
		t.Errorf("kept %v", got)
	}
}

func hostileNames(t *testing.T, s blob.Store) {
	ctx := t.Context()
	for _, digest := range []string{"", "sha256:", "sha256:../../etc/passwd", "md5:" + strings.Repeat("a", 64), "sha256:" + strings.Repeat("A", 64)} {
		if _, _, err := s.Open(ctx, digest); !fault.Is(err, fault.Invalid) {
			t.Errorf("open %q: %v", digest, err)
		}
		if err := s.Delete(ctx, digest); !fault.Is(err, fault.Invalid) {
			t.Errorf("delete %q: %v", digest, err)
		}
	}
	for _, stream := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", "a.log", "A", "a\x00", "a b", strings.Repeat("a", 101), strings.Repeat("a/", 300) + "a"} {
		if _, err := s.Append(ctx, stream, 0, []byte("x")); !fault.Is(err, fault.Invalid) {
			t.Errorf("append %q: %v", stream, err)
		}
		if _, _, _, err := s.ReadAt(ctx, stream, 0, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("read %q: %v", stream, err)
		}
		if err := s.Seal(ctx, stream); !fault.Is(err, fault.Invalid) {
			t.Errorf("seal %q: %v", stream, err)
		}
		if err := s.Wait(ctx, stream, 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("wait %q: %v", stream, err)
		}
	}
	if _, err := s.Append(ctx, "a", -1, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("negative append: %v", err)
	}
	if _, _, _, err := s.ReadAt(ctx, "a", -1, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("negative read: %v", err)
	}
}

func appendByOffset(t *testing.T, s blob.Store) {
	ctx := t.Context()
	for i, step := range []struct {
		offset int64
		text   string
		size   int64
		kind   fault.Kind
	}{
		{0, "abc", 3, 0},
		{0, "abc", 3, 0}, // the same again
		{1, "bcde", 5, 0},
		{5, "", 5, 0},
		{6, "g", 5, fault.Conflict},
		{5, "f", 6, 0},
	} {
		size, err := s.Append(ctx, "runs/run_1/1", step.offset, []byte(step.text))
		if size != step.size || (err != nil) != (step.kind != 0) || err != nil && !fault.Is(err, step.kind) {
			t.Errorf("step %d: %d, %v", i, size, err)
		}
	}
	if got := read(t, s, "runs/run_1/1", 2); got != "cdef" {
		t.Errorf("read %q", got)
	}
	if n, size, sealed, err := s.ReadAt(ctx, "runs/run_1/1", 50, make([]byte, 5)); n != 0 || size != 6 || sealed || err != nil {
		t.Errorf("behind the end: %d, %d, %v, %v", n, size, sealed, err)
	}
	if n, size, sealed, err := s.ReadAt(ctx, "never", 0, make([]byte, 5)); n != 0 || size != 0 || sealed || err != nil {
		t.Errorf("never written: %d, %d, %v, %v", n, size, sealed, err)
	}
}

func sealedStream(t *testing.T, s blob.Store) {
	ctx := t.Context()
	if _, err := s.Append(ctx, "a", 0, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []string{"a", "a", "never"} {
		if err := s.Seal(ctx, stream); err != nil {
			t.Fatal(err)
		}
	}
	if size, err := s.Append(ctx, "a", 1, []byte("bc")); size != 3 || err != nil {
		t.Errorf("what is there already: %d, %v", size, err)
	}
	if size, err := s.Append(ctx, "a", 3, []byte("d")); size != 3 || !fault.Is(err, fault.Conflict) {
		t.Errorf("more: %d, %v", size, err)
	}
	buffer := make([]byte, 10)
	n, size, sealed, err := s.ReadAt(ctx, "a", 0, buffer)
	if string(buffer[:n]) != "abc" || size != 3 || !sealed || err != nil {
		t.Errorf("read: %q, %d, %v, %v", buffer[:n], size, sealed, err)
	}
	if _, size, sealed, err := s.ReadAt(ctx, "never", 0, buffer); size != 0 || !sealed || err != nil {
		t.Errorf("sealed while empty: %d, %v, %v", size, sealed, err)
	}
}

func waiting(t *testing.T, s blob.Store) {
	ctx := t.Context()
	wait := func(offset int64) <-chan error {
		done := make(chan error, 1)
		go func() { done <- s.Wait(ctx, "a", offset) }()
		return done
	}
	first, second, seal := wait(0), wait(3), wait(100)
	for offset, text := range []string{"abc", "d"} {
		if _, err := s.Append(ctx, "a", int64(offset)*3, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(<-first, <-second); err != nil {
		t.Error(err)
	}
	select {
	case err := <-seal:
		t.Errorf("woke early: %v", err)
	default:
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Wait(ended, "a", 4); !fault.Is(err, fault.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	if err := s.Seal(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-seal, <-wait(4)); err != nil {
		t.Error(err)
	}
}

func following(t *testing.T, s blob.Store) {
	ctx := t.Context()
	const lines = 300
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			var got bytes.Buffer
			buffer := make([]byte, 64)
			for {
				n, size, sealed, err := s.ReadAt(ctx, "log", int64(got.Len()), buffer)
				if err != nil {
					t.Error(err)
					return
				}
				got.Write(buffer[:n])
				if int64(got.Len()) < size {
					continue
				}
				if sealed {
					break
				}
				if err := s.Wait(ctx, "log", int64(got.Len())); err != nil {
					t.Error(err)
					return
				}
			}
			if count := bytes.Count(got.Bytes(), []byte("\n")); count != lines {
				t.Errorf("a reader saw %d lines", count)
			}
		})
	}
	var offset int64
	for i := range lines {
		size, err := s.Append(ctx, "log", offset, fmt.Appendf(nil, "line %d\n", i))
		if err != nil {
			t.Fatal(err)
		}
		offset = size
	}
	if err := s.Seal(ctx, "log"); err != nil {
		t.Fatal(err)
	}
	group.Wait()
}

func walking(t *testing.T, s blob.Store) {
	ctx := t.Context()
	want := map[string]string{}
	for _, text := range []string{"one", "two!"} {
		digest, size, err := s.Put(ctx, strings.NewReader(text), 100)
		if err != nil {
			t.Fatal(err)
		}
		want[digest] = fmt.Sprint(size, false)
		if _, err := s.Append(ctx, "runs/"+text[:3], 0, []byte(text)); err != nil {
			t.Fatal(err)
		}
		want["runs/"+text[:3]] = fmt.Sprint(size, text == "one")
	}
	if err := s.Seal(ctx, "runs/one"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, list(t, s)); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("enough")
	if err := s.Walk(ctx, func(blob.Info) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the function's error", err)
	}
}

func nestedStreams(t *testing.T, s blob.Store) {
	for _, stream := range []string{"a/b", "a", "a/b/c"} {
		if _, err := s.Append(t.Context(), stream, 0, []byte(stream)); err != nil {
			t.Fatal(err)
		}
	}
	for _, stream := range []string{"a/b", "a", "a/b/c"} {
		if got := read(t, s, stream, 0); got != stream {
			t.Errorf("%s holds %q", stream, got)
		}
	}
}

func read(t *testing.T, s blob.Store, stream string, offset int64) string {
	t.Helper()
	buffer := make([]byte, 1000)
	n, _, _, err := s.ReadAt(t.Context(), stream, offset, buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

// list gives what is kept: by digest or stream, its size and whether it is sealed.
func list(t *testing.T, s blob.Store) map[string]string {
	t.Helper()
	kept := map[string]string{}
	err := s.Walk(t.Context(), func(info blob.Info) error {
		kept[info.Digest+info.Stream] = fmt.Sprint(info.Size, info.Sealed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return maps.Clone(kept)
}
