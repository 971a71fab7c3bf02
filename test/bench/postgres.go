package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// postgres is a server of PostgreSQL of its own, with the settings of its package save for more memory.
type postgres struct {
	run *exec.Cmd
	dir string
	url string
}

func newPostgres(ctx context.Context, dir string) (*postgres, error) {
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is sound
		if len(found) == 0 {
			return nil, fmt.Errorf("PostgreSQL is not installed (initdb was not found); -databases sqlite leaves it out")
		}
		initdb = found[len(found)-1]
	}
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil { // its other programs stand beside it
		return nil, err
	}
	p := &postgres{}
	if p.dir, err = os.MkdirTemp("", "roadbed-bench-pg-"); err != nil { // its user can't get into dir
		return nil, err
	}
	who, err := account()
	if err == nil {
		err = os.Chown(p.dir, int(who.Uid), int(who.Gid))
	}
	if err != nil {
		return nil, err
	}
	data := filepath.Join(p.dir, "data")
	as := func(program string, args ...string) *exec.Cmd {
		c := exec.CommandContext(ctx, filepath.Join(filepath.Dir(initdb), program), args...)
		c.Dir, c.Env = p.dir, []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"}
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT} // a benchmark that is killed leaves no server
		if os.Getuid() == 0 {
			c.SysProcAttr.Credential = who
		}
		return c
	}
	if said, err := as("initdb", "-D", data, "-A", "trust", "-U", "roadbed", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, said)
	}
	p.run = as("postgres", "-D", data, "-k", p.dir, "-c", "listen_addresses=", "-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB")
	p.run.Cancel = func() error { return p.run.Process.Signal(syscall.SIGINT) }
	log, err := os.Create(filepath.Join(dir + "-postgres.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.run.Stdout, p.run.Stderr = log, log
	if err := p.run.Start(); err != nil {
		return nil, err
	}
	p.url = "postgres://roadbed@/postgres?" + url.Values{"host": {p.dir}}.Encode()
	for late := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if as("psql", "-h", p.dir, "-U", "roadbed", "-d", "postgres", "-c", "SELECT 1").Run() == nil {
			return p, nil
		}
		if time.Now().After(late) {
			p.stop()
			return nil, fmt.Errorf("PostgreSQL does not answer; see %s", log.Name())
		}
	}
}

func (p *postgres) stop() {
	_ = p.run.Process.Signal(syscall.SIGINT) // it may have ended
	_ = p.run.Wait()
	os.RemoveAll(p.dir)
}

// account gives whom PostgreSQL runs as, which refuses root.
func account() (*syscall.Credential, error) {
	name := "postgres"
	if os.Getuid() != 0 {
		return &syscall.Credential{Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}, nil
	}
	who, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user %s", name)
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
