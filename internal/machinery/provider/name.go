package provider

import (
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Name is the address of a provider in source code: registry.opentofu.org/hashicorp/time.
type Name struct{ Host, Namespace, Type string }

var (
	hostPattern     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*(:[0-9]{1,5})?$`)
	partPattern     = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)
	versionPattern  = regexp.MustCompile(`^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}(-[0-9A-Za-z]{1,32}([.-][0-9A-Za-z]{1,32}){0,4})?$`)
	platformPattern = regexp.MustCompile(`^[a-z0-9]{1,20}_[a-z0-9]{1,20}$`)
	filePattern     = regexp.MustCompile(`^terraform-provider-([a-z0-9][a-z0-9-]*|[a-z0-9][a-z0-9_-]*)_([0-9][0-9A-Za-z.-]*)_([a-z0-9]+_[a-z0-9]+)\.zip$`)
)

// ValidHost tells whether a text can be the host of a registry.
func ValidHost(host string) bool { return len(host) <= 253 && hostPattern.MatchString(host) }

// ParseName reads HOST/NAMESPACE/TYPE. What is none is Invalid.
func ParseName(text string) (Name, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || !ValidHost(parts[0]) || !partPattern.MatchString(parts[1]) || !partPattern.MatchString(parts[2]) {
		return Name{}, fault.Errorf(fault.Invalid, "%.200q is no provider; write HOST/NAMESPACE/TYPE, such as registry.opentofu.org/hashicorp/time", text)
	}
	return Name{parts[0], parts[1], parts[2]}, nil
}

func (n Name) String() string { return n.Host + "/" + n.Namespace + "/" + n.Type }

func (n Name) path() string { return filepath.Join(n.Host, n.Namespace, n.Type) }

// Package is one archive of a provider.
type Package struct {
	Name
	Version  string
	Platform string // OS_ARCH
}

// Check fails with Invalid where a version or platform can't be one.
func (p Package) Check() error {
	if _, err := ParseName(p.Name.String()); err != nil {
		return err
	}
	if !versionPattern.MatchString(p.Version) {
		return fault.Errorf(fault.Invalid, "%.100q is no version of a provider; write one such as 1.2.3", p.Version)
	}
	if !platformPattern.MatchString(p.Platform) {
		return fault.Errorf(fault.Invalid, "%.100q is no platform; write OS_ARCH, such as linux_amd64", p.Platform)
	}
	return nil
}

func (p Package) String() string { return p.Name.String() + " " + p.Version + " for " + p.Platform }

// File is the name of an archive.
func (p Package) File() string {
	return "terraform-provider-" + p.Type + "_" + p.Version + "_" + p.Platform + ".zip"
}

// ParseFile reads the name of an archive: terraform-provider-TYPE_VERSION_OS_ARCH.zip. What is none is Invalid.
func ParseFile(file string) (kind, version, platform string, err error) {
	m := filePattern.FindStringSubmatch(file)
	if len(file) > 250 || m == nil || !partPattern.MatchString(m[1]) || !versionPattern.MatchString(m[2]) || !platformPattern.MatchString(m[3]) {
		return "", "", "", fault.Errorf(fault.Invalid, "%.250q is no archive of a provider; it is called terraform-provider-TYPE_VERSION_OS_ARCH.zip", file)
	}
	return m[1], m[2], m[3], nil
}

// Here is this machine's platform.
func Here() string { return runtime.GOOS + "_" + runtime.GOARCH }
