package blob_test

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("no small disk: mounting one is not allowed here (%v)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
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
	if size, err := files.Append(t.Context(), "log", 5, []byte(", second")); size != 13 || err != nil {
		t.Errorf("after the full disk: %d, %v", size, err)
	}
}
