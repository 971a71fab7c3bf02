//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// shown are the host's paths that programs need, read-only. A symbolic link is shown as the link that it is.
var shown = [...]string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store",
	"/etc/alternatives", "/etc/ssl", "/etc/pki", "/etc/ca-certificates",
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime",
}

var devices = [...]string{"null", "zero", "full", "random", "urandom"}

const (
	private  = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	readOnly = private | unix.MOUNT_ATTR_RDONLY
)

// buildRoot makes a root with all that steps have in common. The host's root is still there afterwards.
func buildRoot(b Base) error {
	// What the host mounts from now on arrives here too; nothing goes the other way.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return failure("separate the mounts from the host's", err)
	}
	if err := unix.Mount("tmpfs", b.Root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=16m,nr_inodes=16k"); err != nil {
		return failure("mount the new root", err)
	}
	if err := unix.Chdir(b.Root); err != nil {
		return failure("enter the new root", err)
	}
	return fillRoot(b)
}

// enterRoot moves into the new root with what belongs to the step. The host's root is gone afterwards.
func enterRoot(b Base, c Config) error {
	trees, err := openTrees(c)
	if err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return failure("change the root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return failure("detach the host's root", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return failure("enter the new root", err)
	}
	// Targets may lie in the workspace, whose content nobody vouches for: only now, when no link leads to
	// the host, are they looked for.
	for _, t := range trees {
		if err := t.attach(b); err != nil {
			return err
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return failure("make the root read-only", err)
	}
	return nil
}

func fillRoot(b Base) error {
	for _, dir := range [...]string{"proc", "dev", "dev/shm", "etc", "work", "tmp", "run", "var", "nix"} {
		if err := unix.Mkdir(dir, 0o755); err != nil {
			return failure("make /"+dir, err)
		}
	}
	for _, p := range shown {
		if err := show(p); err != nil {
			return err
		}
	}
	for _, d := range devices {
		if err := bind("/dev/"+d, "dev/"+d, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, false); err != nil {
			return err
		}
	}
	links := [...][2]string{
		{"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
		{"/proc/self/fd/2", "dev/stderr"}, {"/tmp", "var/tmp"},
	}
	for _, l := range links {
		if err := unix.Symlink(l[0], l[1]); err != nil {
			return failure("link /"+l[1], err)
		}
	}
	for name, content := range etc(b) {
		if err := os.WriteFile("etc/"+name, []byte(content), 0o644); err != nil {
			return failure("write /etc/"+name, err)
		}
	}
	if err := unix.Mount("shm", "dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=256m"); err != nil {
		return failure("mount /dev/shm", err)
	}
	if err := unix.Mount("proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return failure("mount /proc", err)
	}
	return nil
}

// etc gives the files of /etc that are the sandbox's own.
func etc(c Base) map[string]string {
	uid, gid := strconv.Itoa(c.UID), strconv.Itoa(c.GID)
	passwd, group := "step:x:"+uid+":"+gid+":step:/tmp:/bin/sh\n", "step:x:"+gid+":\n"
	if c.UID != 0 {
		passwd, group = "root:x:0:0:root:/:/usr/sbin/nologin\n"+passwd, "root:x:0:\n"+group
	}
	files := map[string]string{
		"passwd": passwd, "group": group, "hostname": "step\n",
		"hosts":         "127.0.0.1 localhost step\n::1 localhost\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
	}
	if c.Network {
		for _, name := range [...]string{"resolv.conf", "hosts"} {
			if b, err := os.ReadFile("/etc/" + name); err == nil && len(b) < 64<<10 {
				files[name] = string(b)
			}
		}
	}
	return files
}

// show makes a host path visible at the same place, if there is one.
func show(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil
	}
	target := path[1:]
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		to, err := os.Readlink(path)
		if err == nil {
			err = unix.Symlink(to, target)
		}
		return failure("link "+path, err)
	}
	return bind(path, target, readOnly, st.Mode&unix.S_IFMT == unix.S_IFDIR)
}

func bind(source, target string, attr uint64, dir bool) error {
	fd, err := openTree(source, attr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if dir {
		err = unix.Mkdir(target, 0o755)
	} else {
		err = os.WriteFile(target, nil, 0o644)
	}
	if err != nil {
		return failure("make "+target, err)
	}
	return failure("mount "+source, unix.MoveMount(fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH))
}

// openTree gives a copy of the mounts at and below a path, not yet attached anywhere.
func openTree(source string, attr uint64) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, failure("open "+source, err)
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attr}); err != nil {
		unix.Close(fd)
		return -1, failure("restrict "+source, err)
	}
	return fd, nil
}

type tree struct {
	fd     int
	target string
	dir    bool
}

// openTrees opens what the step is shown besides the system, in the order in which it can be attached.
func openTrees(c Config) ([]tree, error) {
	mounts := append([]Mount{{Source: c.Workspace, Target: "/work"}, {Source: c.Tmp, Target: "/tmp"}}, c.Mounts...)
	var trees []tree
	for _, m := range mounts {
		attr := uint64(private)
		if m.ReadOnly {
			attr = readOnly
		}
		fd, err := openTree(m.Source, attr)
		if err != nil {
			return nil, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, failure("look at "+m.Source, err)
		}
		trees = append(trees, tree{fd, m.Target, st.Mode&unix.S_IFMT == unix.S_IFDIR})
	}
	return trees, nil
}

// attach mounts the tree at its target, making the target and its parents where they are missing. It follows
// no symbolic link.
func (t tree) attach(base Base) error {
	defer unix.Close(t.fd)
	at, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return failure("open the root", err)
	}
	defer func() { unix.Close(at) }()
	parts := strings.Split(strings.Trim(t.target, "/"), "/")
	for i, name := range parts {
		dir := t.dir || i < len(parts)-1
		next, err := step(at, name, dir, base)
		if err != nil {
			return failure("make the mount's target /"+filepath.Join(parts[:i+1]...), err)
		}
		unix.Close(at)
		at = next
	}
	err = unix.MoveMount(t.fd, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	return failure("mount "+t.target, err)
}

// step opens name in the folder at, or makes it.
func step(at int, name string, dir bool, base Base) (int, error) {
	flags := unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if dir {
		flags |= unix.O_DIRECTORY
	}
	fd, err := unix.Openat(at, name, flags, 0)
	if err == unix.ENOENT {
		if dir {
			err = unix.Mkdirat(at, name, 0o755)
		} else {
			var made int
			if made, err = unix.Openat(at, name, unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644); err == nil {
				unix.Close(made)
			}
		}
		if err != nil {
			return -1, err
		}
		if base.Become {
			if err := unix.Fchownat(at, name, base.UID, base.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				return -1, err
			}
		}
		fd, err = unix.Openat(at, name, flags, 0)
	}
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		unix.Close(fd)
		return -1, errors.New("it is a symbolic link")
	}
	return fd, nil
}

// failure wraps err with what was attempted; nil stays nil.
func failure(what string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(what + ": " + err.Error())
}
