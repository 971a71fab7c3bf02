package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// login is a server, and the token that is sent to it.
type login struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Token string `json:"token"`
}

// logins is what the file of logins keeps; only the user may read it.
type logins struct {
	Current string  `json:"current,omitempty"` // name of the one that is used when none is asked for
	Servers []login `json:"servers"`
}

func loginFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "find the folder of configuration: %w", err)
	}
	return filepath.Join(dir, "roadbed", "login.json"), nil
}

func readLogins() (logins, error) {
	path, err := loginFile()
	if err != nil {
		return logins{}, nil //nolint:nilerr // without a home there is no login; ROADBED_URL still works
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return logins{}, nil
	}
	if err != nil {
		return logins{}, fault.Errorf(fault.Invalid, "read the logins: %w", err)
	}
	var file struct {
		logins
		URL   string `json:"url"` // these two were all, when one server was kept
		Token string `json:"token"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return logins{}, fault.Errorf(fault.Invalid, "%s is damaged: %w; remove it, and log in again", path, err)
	}
	if file.URL != "" && len(file.Servers) == 0 {
		file.put(login{hostOf(file.URL), file.URL, file.Token})
	}
	return file.logins, nil
}

// write replaces the file as a whole, so that it is never half written, nor readable to others.
func (l logins) write() error {
	path, err := loginFile()
	if err != nil {
		return err
	}
	if len(l.Servers) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Errorf(fault.Invalid, "forget the logins: %w", err)
		}
		return nil
	}
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(path, append(data, '\n')); err != nil {
		return fault.Errorf(fault.Invalid, "keep the login: %w", err)
	}
	return nil
}

func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".login-*") // for the user alone
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error says more
	}
	return err
}

// put keeps a login in place of the one of that name, and makes it the current one.
func (l *logins) put(one login) {
	l.Servers = append(slices.DeleteFunc(l.Servers, func(x login) bool { return x.Name == one.Name }), one)
	slices.SortFunc(l.Servers, func(a, b login) int { return strings.Compare(a.Name, b.Name) })
	l.Current = one.Name
}

// remove forgets a login. Another one does not take its place by itself: it may be of a server that matters more.
func (l *logins) remove(name string) {
	l.Servers = slices.DeleteFunc(l.Servers, func(x login) bool { return x.Name == name })
	if l.Current == name {
		l.Current = ""
	}
}

// named finds a login by its name.
func (l logins) named(name string) (login, error) {
	i := slices.IndexFunc(l.Servers, func(x login) bool { return x.Name == name })
	if i >= 0 {
		return l.Servers[i], nil
	}
	if len(l.Servers) == 0 {
		return login{}, Usage(fault.Errorf(fault.Invalid, "there is no login %q, nor any other: run `roadbed login URL --name %s`", name, name))
	}
	return login{}, Usage(fault.Errorf(fault.Invalid, "there is no login %q; there are %s", name, strings.Join(l.names(), ", ")))
}

func (l logins) names() []string {
	names := make([]string, len(l.Servers))
	for i, x := range l.Servers {
		names[i] = x.Name
	}
	return names
}

// tokenFor gives the token that was kept for an address: that of the current login, if it has the address.
func (l logins) tokenFor(address string) (token string) {
	for _, x := range l.Servers {
		if x.URL == strings.TrimSuffix(address, "/") && (token == "" || x.Name == l.Current) {
			token = x.Token
		}
	}
	return token
}

// hostOf gives the host, and the port if there is one, of an address; "" when it is not the address of a server.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return ""
	}
	return u.Host
}
