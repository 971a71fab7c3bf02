package toolchain

import (
	"regexp"
	"slices"
	"strings"

	version "github.com/hashicorp/go-version"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The programs that are known, by the names of their files.
const (
	OpenTofu  = "tofu"
	Terraform = "terraform"

	Kubectl    = "kubectl"
	Terragrunt = "terragrunt"
	Pulumi     = "pulumi"
)

// Title gives what a program calls itself.
func Title(name string) string {
	switch name {
	case OpenTofu:
		return "OpenTofu"
	case Terraform:
		return "Terraform"
	case Terragrunt:
		return "Terragrunt"
	case Pulumi:
		return "Pulumi"
	}
	return name
}

// Names gives the programs that are known, in the order in which they are looked for.
func Names() []string { return append(Engines(), Kubectl, Terragrunt, Pulumi) }

// Engines gives those that plan and apply by themselves what the others do for stacks of a vendor.
func Engines() []string { return []string{OpenTofu, Terraform} }

// IsTool tells whether a name is that of a program that is known and no engine.
func IsTool(name string) bool { return name == Kubectl || name == Terragrunt || name == Pulumi }

// Latest asks for the newest version that there is, not only for the newest that is here.
const Latest = "latest"

const mostWanted = 200 // bytes

// Wanted says which versions will do. The zero value takes any.
type Wanted struct {
	text   string
	latest bool
	minor  string // such as 1.31, of which any will do; "" for another constraint
	any    version.Constraints
}

// ParseWanted reads "latest", or a constraint in Terraform's syntax: 1.9.0, ~> 1.9, ">= 1.6, < 1.9". "" takes any version.
// What is none is Invalid.
func ParseWanted(text string) (Wanted, error) {
	w := Wanted{text: strings.TrimSpace(text)}
	switch {
	case w.text == "":
		return w, nil
	case w.text == Latest:
		w.latest = true
		return w, nil
	case len(w.text) > mostWanted:
		return w, fault.Errorf(fault.Invalid, "a constraint of %d bytes is too long; write at most %d", len(w.text), mostWanted)
	}
	var err error
	if w.any, err = version.NewConstraint(w.text); err != nil {
		return Wanted{}, fault.Errorf(fault.Invalid, "%q is no constraint of versions; write one such as 1.9.0, ~> 1.9 or \">= 1.6, < 1.9\", or latest", w.text)
	}
	return w, nil
}

// Numbers of which whatever follows will do, and the least of a minor version, as other tools write them.
var (
	firstNumbers = regexp.MustCompile(`^v?([0-9]{1,6})(\.[0-9]{1,6})?(\.x)?$`)
	tilde        = regexp.MustCompile(`^~ ?v?([0-9]{1,6}\.[0-9]{1,6})(\.[0-9]{1,6})?$`)
)

// ParseFor reads which versions of a program will do. Of an engine it is ParseWanted; of others 1.31, 1.31.x and ~1.31 are
// any 1.31, too.
func ParseFor(name, text string) (Wanted, error) {
	text = strings.TrimSpace(text)
	constraint, minor := text, ""
	if IsTool(name) {
		if m := firstNumbers.FindStringSubmatch(text); m != nil {
			if constraint = "~> " + m[1] + ".0"; m[2] != "" {
				minor = m[1] + m[2]
				constraint = "~> " + minor + ".0"
			}
		} else if m := tilde.FindStringSubmatch(text); m != nil {
			if minor, constraint = m[1], "~> "+m[1]+m[2]; m[2] == "" {
				constraint += ".0"
			}
		} else if whole := strings.TrimPrefix(text, "v"); ValidVersion(whole) {
			constraint = whole
		}
	}
	w, err := ParseWanted(constraint)
	if err == nil && constraint != strings.TrimPrefix(text, "v") {
		w.text, w.minor = text, minor
	}
	return w, err
}

// Exact gives the one version that will do; "" where several may.
func (w Wanted) Exact() string {
	if ValidVersion(w.text) {
		return w.text
	}
	return ""
}

// String gives the constraint as it was written.
func (w Wanted) String() string { return w.text }

// Any tells whether every version will do.
func (w Wanted) Any() bool { return w.text == "" }

// Latest tells whether the newest version that there is will do alone.
func (w Wanted) Latest() bool { return w.latest }

// Allows tells whether a version will do. One before a release, such as 1.13.0-beta1, does where the constraint names it.
func (w Wanted) Allows(text string) bool {
	v, err := version.NewVersion(text)
	switch {
	case err != nil || len(text) > mostWanted:
		return false
	case w.any == nil:
		return v.Prerelease() == ""
	}
	return w.any.Check(v)
}

// Newest gives the newest of some versions that will do; "" for none.
func (w Wanted) Newest(versions []string) string {
	newest := ""
	for _, v := range versions {
		if w.Allows(v) && (newest == "" || Compare(v, newest) > 0) {
			newest = v
		}
	}
	return newest
}

// Compare orders versions; what is none comes first.
func Compare(a, b string) int {
	x, errX := version.NewVersion(a)
	y, errY := version.NewVersion(b)
	switch {
	case errX != nil && errY != nil:
		return strings.Compare(a, b)
	case errX != nil:
		return -1
	case errY != nil:
		return 1
	}
	return x.Compare(y)
}

// Sort puts versions in their order, the newest first.
func Sort(versions []string) {
	slices.SortFunc(versions, func(a, b string) int { return Compare(b, a) })
}

// released are versions as makers write them, and as they may stand in paths and addresses.
var released = regexp.MustCompile(`^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}(-[a-z]{1,16}[0-9]{0,8})?$`)

// ValidVersion tells whether a text is one version, in full.
func ValidVersion(text string) bool { return released.MatchString(text) }

// Check fails with Invalid where a program or its version can't be one.
func Check(name, text string) error {
	if !slices.Contains(Names(), name) {
		return unknown(name)
	}
	if !ValidVersion(text) {
		return fault.Errorf(fault.Invalid, "%q is no version of %s; write one in full, such as 1.9.0", text, Title(name))
	}
	return nil
}

func unknown(name string) error {
	return fault.Errorf(fault.Invalid, "%q is no program that is known here; write %s", name, strings.Join(Names(), ", "))
}

// said is how engines begin to tell their version.
var said = regexp.MustCompile(`^(OpenTofu|Terraform) v([0-9][0-9A-Za-z.-]{0,60})$`)

// Parse reads what a program says of itself, such as "OpenTofu v1.12.6"; ok is false when it is none of those known.
func Parse(text string) (name, version string, ok bool) {
	m := said.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil || !ValidVersion(m[2]) {
		return "", "", false
	}
	if name = OpenTofu; m[1] == "Terraform" {
		name = Terraform
	}
	return name, m[2], true
}
