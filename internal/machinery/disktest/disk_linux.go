package disktest

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// Small mounts a disk of a size, such as "64m", at a folder until the test ends. The test is skipped where that isn't
// allowed, and fails where CI is set.
func Small(t testing.TB, dir, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		lacktest.Skip(t, "no small disk: mounting one is not allowed here (%v)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// Fill writes until nothing more fits on the disk of a folder, save what leave says (in bytes), and gives how to free
// it.
func Fill(t testing.TB, dir string, leave int64) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var size int64
	for chunk := make([]byte, 4<<10); ; size += int64(len(chunk)) {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(max(0, size-leave)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}
