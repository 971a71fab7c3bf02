package group

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// unixAddress gives a path by which a socket can be reached until release. The kernel takes 107 bytes at most; a
// longer path goes by way of a descriptor of its folder.
func unixAddress(path string) (address string, release func(), err error) {
	if len(path) <= 107 {
		return path, func() {}, nil
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)), func() { unix.Close(fd) }, nil
}
