package blob_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/disktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disktest.Small(t, dir, "128k")
	files := open(t, dir)
	full := func(err error) {
		t.Helper()
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "disk of the data folder is full") {
			t.Errorf("got %v (%v)", err, fault.KindOf(err))
		}
	}
	large := bytes.Repeat([]byte("x"), 512<<10)
	_, _, err := files.Put(t.Context(), bytes.NewReader(large), 1<<20)
	full(err)
	if _, err := files.Append(t.Context(), "log", 0, []byte("first")); err != nil {
		t.Fatalf("the refused content still takes space: %v", err)
	}
	_, err = files.Append(t.Context(), "log", 5, large)
	full(err)
	var all syscall.Statfs_t
	if err := syscall.Statfs(dir, &all); err != nil {
		t.Fatal(err)
	}
	for offset, chunk := int64(0), large[:4<<10]; ; offset += int64(len(chunk)) {
		if _, err = files.Append(t.Context(), "large", offset, chunk); err != nil {
			break
		}
	}
	full(err)
	var left syscall.Statfs_t
	if err := syscall.Statfs(dir, &left); err != nil || left.Bavail < all.Blocks/20 {
		t.Errorf("of %d blocks %d are left for others (%v)", all.Blocks, left.Bavail, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "streams", "large.log")); err != nil {
		t.Fatal(err)
	}
	if size, err := files.Append(t.Context(), "log", 5, []byte(", second")); size != 13 || err != nil {
		t.Errorf("after the full disk: %d, %v", size, err)
	}
}
