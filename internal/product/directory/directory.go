package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
)

// State is how a directory does.
type State string

// States of a directory.
const (
	Waiting State = "waiting" // nothing has come yet
	Healthy State = "healthy"
	Failing State = "failing" // it can't be read
)

// Protocols by which people come.
const (
	BySCIM = "scim"
	ByLDAP = "ldap"
)

// Directory is one that is declared.
type Directory struct {
	Name  string // NAMESPACE/NAME
	Space string
	Spec  Spec
	Status

	version    string
	generation int64
	digest     string
	written    time.Time // when an identity provider wrote to it first
	held       time.Time
}

// Protocol tells how its people come.
func (d Directory) Protocol() string {
	if d.Spec.LDAP != nil {
		return ByLDAP
	}
	return BySCIM
}

// source names the directory in the catalog.
func (d Directory) source() string { return catalog.DirectorySource + d.Name }

// Target gives the space that its people and groups are in.
func (d Directory) Target() string {
	if d.Spec.Space != "" {
		return d.Spec.Space
	}
	return d.Space
}

// Status is what is known of a directory.
type Status struct {
	State  State
	Reason string    // why it fails, and what to do
	Looked time.Time // when it was read last, or something was written to it; zero for never
	Since  time.Time // when it came into its state
	Found
}

// Found is what the last look found. Of one that is written to by SCIM the counts are those of now.
type Found struct {
	People   int             `json:"people"`
	Inactive int             `json:"inactive"` // people who are known and have no entity
	Groups   int             `json:"groups"`
	Wrong    int             `json:"wrong"` // that the catalog does not have as the directory says
	Last     catalog.Brought `json:"last"`
	Problems []Problem       `json:"problems"` // at most mostProblems
}

// Problem is something of the directory that the catalog has not taken.
type Problem struct {
	What    string `json:"what"` // a user name, a DN
	Message string `json:"message"`
}

const (
	mostProblems = 50
	mostReason   = 1000
	mostName     = 63
	mostText     = 500 // bytes of a name for display
)

// How names of entities are made.
const (
	FullNames  = "full"  // alice@example.com is alice_example.com
	LocalNames = "local" // alice@example.com is alice
)

// entityName makes the name of an entity of what a directory calls it; "" when nothing of it can stand in one.
func entityName(text, names string) string {
	if local, _, mail := strings.Cut(text, "@"); mail && names == LocalNames {
		text = local
	}
	var b strings.Builder
	gap := rune(0)
	for _, r := range norm.NFKD.String(strings.ToLower(text)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap != 0 && b.Len() > 0 {
				b.WriteRune(gap)
			}
			gap = 0
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r): // an accent
		case gap != 0:
		case r == '.' || r == '_' || r == '-':
			gap = r
		case r == '@' || r == '\\':
			gap = '_'
		default:
			gap = '-'
		}
	}
	name := b.String()
	if len(name) > mostName {
		sum := sha256.Sum256([]byte(name))
		name = strings.TrimRight(name[:mostName-9], "-_.") + "-" + hex.EncodeToString(sum[:4])
	}
	return name
}

// plain gives a text as it may stand in a document: no control characters, and not too long.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.TrimSpace(cut(text, mostText))
}

func cut(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// differs tells whether a state is worth an entry in the ledger after another.
func (s Status) differs(before Status) bool {
	return s.State != before.State || s.State == Failing && s.Reason != before.Reason
}
