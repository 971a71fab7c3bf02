package repository

import (
	"net/url"
	"strings"
)

// CloneURL gives the address to clone a repository from; base is the server's own address, such as
// https://roadbed.example.com.
func CloneURL(base, fullName string) string {
	return strings.TrimSuffix(base, "/") + "/git/" + fullName + ".git"
}

// FileURL gives the address of a file of the default branch.
func FileURL(base, fullName, file string) string {
	return strings.TrimSuffix(base, "/") + "/git/" + fullName + "/" + (&url.URL{Path: file}).EscapedPath()
}

// ParseURL tells which hosted repository, and which file of it ("" for the repository itself), an address names. ok is
// false when it is not one of this server's. Any scheme will do; user names and passwords are ignored.
func ParseURL(base, address string) (fullName, file string, ok bool) {
	home, err := url.Parse(base)
	if err != nil {
		return "", "", false
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || !strings.EqualFold(u.Host, home.Host) {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(u.Path, strings.TrimSuffix(home.Path, "/")+"/git/")
	if !ok {
		return "", "", false
	}
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) < 2 {
		return "", "", false
	}
	namespace, name, err := ParseName(parts[0] + "/" + parts[1])
	if err != nil {
		return "", "", false
	}
	if len(parts) == 3 {
		file = parts[2]
	}
	return namespace + "/" + name, file, true
}
