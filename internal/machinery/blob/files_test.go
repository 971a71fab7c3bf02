package blob_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob/blobtest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("BLOB_TEST_CHILD"); dir != "" {
		putForever(dir)
	}
	os.Exit(m.Run())
}

func open(t testing.TB, dir string) *blob.Files {
	t.Helper()
	files, err := blob.OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return files
}

func TestFilesConform(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t testing.TB) blob.Store { return open(t, t.TempDir()) })
}

// putForever is the child of TestKilledWhilePutting: it tells the digest of what it has put.
func putForever(dir string) {
	files, err := blob.OpenFiles(dir)
	if err != nil {
		panic(err)
	}
	var stream int64
	for i := 0; ; i++ {
		text := strings.Repeat(fmt.Sprintf("content %d of %d;", i, os.Getpid()), 20_000)
		digest, _, err := files.Put(context.Background(), strings.NewReader(text), 1<<20)
		if err != nil {
			panic(err)
		}
		line := digest + "\n"
		if stream, err = files.Append(context.Background(), "told", stream, []byte(line)); err != nil {
			panic(err)
		}
		fmt.Print(line)
	}
}

func TestKilledWhilePutting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 5 {
		if err := os.RemoveAll(filepath.Join(dir, "streams")); err != nil {
			t.Fatal(err)
		}
		told := killAfter(t, dir, 1+rand.IntN(20))
		files, err := blob.OpenFiles(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, digest := range told {
			verify(t, files, digest)
		}
		err = files.Walk(t.Context(), func(info blob.Info) error {
			if info.Digest != "" {
				verify(t, files, info.Digest)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		buffer := make([]byte, 1<<20)
		n, _, _, err := files.ReadAt(t.Context(), "told", 0, buffer)
		if err != nil || !strings.HasPrefix(string(buffer[:n]), strings.Join(told, "\n")) {
			t.Errorf("the stream lost what was appended: %v", err)
		}
		if err := files.Close(); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(filepath.Join(dir, "temporary"))
		if err != nil || len(left) != 0 {
			t.Errorf("left half-written: %v, %v", left, err)
		}
	}
}

// killAfter runs the child, kills it after so many lines, and gives the whole lines that it told.
func killAfter(t *testing.T, dir string, lines int) (told []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "BLOB_TEST_CHILD="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	for range lines {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, strings.TrimSpace(line))
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	return told
}

func verify(t *testing.T, files *blob.Files, digest string) {
	t.Helper()
	content, _, err := files.Open(t.Context(), digest)
	if err != nil {
		t.Error(err)
		return
	}
	defer content.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprintf("sha256:%x", hash.Sum(nil)); got != digest {
		t.Errorf("content of %s hashes to %s", digest, got)
	}
}

func TestOpeningTwiceLeavesTheOthersWorkAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, _, err := first.Put(t.Context(), r, 100)
		done <- err
	}()
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir)
	if _, err := w.Write([]byte(" and half")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	verify(t, second, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("half and half"))))
}

func TestDamagedContentIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := open(t, dir)
	digest, _, err := files.Put(t.Context(), strings.NewReader("hello"), 100)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(digest, "sha256:")
	if err := os.Truncate(filepath.Join(dir, "content", name[:2], name), 2); err != nil {
		t.Fatal(err)
	}
	if _, _, err := files.Put(t.Context(), strings.NewReader("hello"), 100); err != nil {
		t.Fatal(err)
	}
	verify(t, files, digest)
}

func TestFolderThatCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := blob.OpenFiles(filepath.Join(file, "below"))
	if err == nil || !strings.Contains(err.Error(), "make the folder in ") || fault.KindOf(err) != fault.Internal {
		t.Errorf("got %v", err)
	}
}
