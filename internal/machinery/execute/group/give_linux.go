package group

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Give makes a folder, or with deep all that is in it too, a step's own. Links are changed themselves, not what they
// lead to.
func Give(dir string, uid, gid int, deep bool) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != uid || int(st.Gid) != gid {
			if err := os.Lchown(path, uid, gid); err != nil {
				return err
			}
		}
		if !deep && d.IsDir() {
			return filepath.SkipDir
		}
		return nil
	})
}
