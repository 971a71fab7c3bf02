package blob

import "syscall"

// space gives the bytes that the disk of a folder holds, and those that may still be written.
func space(dir string) (total, free uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	block := uint64(s.Bsize)
	return s.Blocks * block, s.Bavail * block, nil
}
