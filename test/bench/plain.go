package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// plain is git's own server program behind nginx, as its manual sets it up: what Roadbed is compared with.
type plain struct {
	url, dir string // dir holds the bare repositories
	commands []*exec.Cmd
}

const nginxConfig = `
%s
daemon off;
worker_processes 2;
pid %[2]s/nginx.pid;
error_log %[2]s/nginx.log;
events { worker_connections 512; }
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path %[2]s/body;
  proxy_temp_path %[2]s/proxy;
  fastcgi_temp_path %[2]s/fastcgi;
  uwsgi_temp_path %[2]s/uwsgi;
  scgi_temp_path %[2]s/scgi;
  server {
    listen %[3]s;
    location / {
      fastcgi_pass unix:%[2]s/cgi.sock;
      fastcgi_buffering off;
      fastcgi_request_buffering off;
      fastcgi_read_timeout 600s;
      fastcgi_param SCRIPT_FILENAME %[4]s;
      fastcgi_param GIT_PROJECT_ROOT %[2]s/repositories;
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      fastcgi_param GIT_PROTOCOL $http_git_protocol;
      fastcgi_param PATH_INFO $uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REMOTE_USER bench;
    }
  }
}
`

// newPlain starts it; it is nil, with a word, where this machine has no nginx or no fcgiwrap.
func newPlain(ctx context.Context, dir string) (*plain, error) {
	found := map[string]string{}
	for _, name := range []string{"nginx", "fcgiwrap"} {
		for _, path := range []string{name, "/usr/sbin/" + name} {
			if full, err := exec.LookPath(path); err == nil {
				found[name] = full
			}
		}
		if found[name] == "" {
			fmt.Fprintf(os.Stderr, "bench: %s is not installed, so nothing is compared with git http-backend behind nginx\n", name)
			return nil, nil
		}
	}
	core, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return nil, err
	}
	backend := filepath.Join(string(core[:len(core)-1]), "git-http-backend")
	if err := os.MkdirAll(filepath.Join(dir, "repositories"), 0o700); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the folder is ours alone
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, user, dir, address, backend), 0o600); err != nil {
		return nil, err
	}
	p := &plain{url: "http://" + address, dir: filepath.Join(dir, "repositories")}
	for _, c := range []*exec.Cmd{
		exec.CommandContext(ctx, found["fcgiwrap"], "-c", "8", "-s", "unix:"+filepath.Join(dir, "cgi.sock")),
		exec.CommandContext(ctx, found["nginx"], "-c", config, "-p", dir),
	} {
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "HOME=" + dir}
		c.Stderr = os.Stderr
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // fcgiwrap's children go with it
		if err := c.Start(); err != nil {
			p.stop()
			return nil, err
		}
		p.commands = append(p.commands, c)
	}
	var dialer net.Dialer
	for range 500 {
		if conn, err := dialer.DialContext(ctx, "tcp", address); err == nil {
			conn.Close()
			if _, err := os.Stat(filepath.Join(dir, "cgi.sock")); err == nil {
				return p, nil
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("nginx did not start within five seconds")
}

// repository makes an empty repository that may be pushed to, and gives its address.
func (p *plain) repository(ctx context.Context, who *person, name string) (string, error) {
	dir := filepath.Join(p.dir, name)
	if _, err := who.git(ctx, "", "init", "--quiet", "--bare", "--initial-branch=main", dir); err != nil {
		return "", err
	}
	_, err := who.git(ctx, dir, "config", "http.receivepack", "true")
	return p.url + "/" + name, err
}

func (p *plain) stop() {
	if p == nil {
		return
	}
	for _, c := range p.commands {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM) // it may have ended
		_ = c.Wait()
	}
}
