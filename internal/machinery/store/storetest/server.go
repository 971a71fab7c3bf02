package storetest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// supervise.sh makes and runs the server, and ends it when no test has used it for a minute.
//
//go:embed supervise.sh
var supervise string

// startTime bounds how long the first test waits for the server to be made and started.
const startTime = 90 * time.Second

// shared gives the address of this machine's server for tests, and starts it when it isn't there.
// Until the test ends, its shared lock on the file "users" keeps the server running.
func shared(t testing.TB) (string, error) {
	bin, err := programs()
	if err != nil {
		return "", err
	}
	uid, gid, err := account()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(os.TempDir(), "roadbed-postgres-"+strconv.Itoa(os.Getuid()))
	if err := folder(dir, uid, gid); err != nil {
		return "", err
	}
	starting, err := lock(filepath.Join(dir, "start"), uid, gid, syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer starting.Close()
	using, err := lock(filepath.Join(dir, "users"), uid, gid, syscall.LOCK_SH)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { using.Close() })
	address := "postgres://roadbed@/postgres?" + url.Values{"host": {dir}}.Encode()
	if answers(address) == nil {
		return address, nil
	}
	return address, start(dir, bin, address, uid, gid)
}

func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("set ROADBED_TEST_POSTGRES, or install PostgreSQL (initdb was not found)")
	}
	sort.Strings(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// account gives whom the server runs as: PostgreSQL refuses root.
func account() (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return os.Getuid(), os.Getgid(), nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, errors.New("PostgreSQL does not run as root, and there is no user postgres")
	}
	if uid, err = strconv.Atoi(who.Uid); err == nil {
		gid, err = strconv.Atoi(who.Gid)
	}
	return uid, gid, err
}

// folder makes dir for the server's user and refuses one that somebody else has put there.
func folder(dir string, uid, gid int) error {
	if err := os.Mkdir(dir, 0o700); err == nil {
		return os.Chown(dir, uid, gid)
	} else if !errors.Is(err, os.ErrExist) {
		return err
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		owner := int(info.Sys().(*syscall.Stat_t).Uid)
		if info.IsDir() && owner == uid {
			return nil
		}
		if time.Now().After(deadline) { // its maker has had the time to hand it over
			return fmt.Errorf("%s belongs to somebody else", dir)
		}
	}
}

func lock(path string, uid, gid, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chown(path, uid, gid), syscall.Flock(int(file.Fd()), how)); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return file, nil
}

func answers(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// start runs the supervisor in a session of its own, so that it outlives this test's process.
func start(dir, bin, address string, uid, gid int) error {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	failed := filepath.Join(dir, "failed")
	if err := os.Remove(failed); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	command := exec.Command("/bin/sh", "-c", `/bin/sh -c "$1" roadbed-postgres "$2" "$3" &`, "start", supervise, dir, bin)
	command.Dir, command.Stdout, command.Stderr = dir, log, log
	command.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if uid != os.Getuid() {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	keepOpenFiles()
	if err := errors.Join(os.Chown(log.Name(), uid, gid), command.Run()); err != nil {
		return err
	}
	for deadline := time.Now().Add(startTime); ; time.Sleep(50 * time.Millisecond) {
		err := answers(address)
		if err == nil {
			return nil
		}
		if why, _ := os.ReadFile(failed); len(why) > 0 {
			return fmt.Errorf("PostgreSQL did not start: %s; see %s", why, log.Name())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL does not answer after %v, see %s: %w", startTime, log.Name(), err)
		}
	}
}

// keepOpenFiles keeps from the supervisor whatever this process has inherited, such as a caller's pipe or lock:
// it would be held for as long as the server runs. A shell can't name descriptors over 9.
func keepOpenFiles() {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
