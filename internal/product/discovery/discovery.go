package discovery

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Spec is what a Discovery document says.
type Spec struct {
	Integration  string        `json:"integration"`  // NAMESPACE/NAME
	Organization string        `json:"organization"` // as it stands in addresses
	Space        string        `json:"space,omitempty"`
	Interval     time.Duration `json:"interval,omitempty"`
	MostGone     *int          `json:"mostGone,omitempty"` // percent of what is there that may go at once; 100 is all
	Content      string        `json:"content,omitempty"`  // how the repositories that are connected are read; see repository.ContentAPI
	Repositories *Repositories `json:"repositories,omitempty"`
	People       *People       `json:"people,omitempty"`
}

// Repositories says which repositories are registered.
type Repositories struct {
	Include    []string `json:"include,omitempty"` // patterns of names below the organization; none is all
	Exclude    []string `json:"exclude,omitempty"`
	Topics     []string `json:"topics,omitempty"`     // of which a repository has one; none is any
	Visibility string   `json:"visibility,omitempty"` // private or public; "" is both
	Archived   bool     `json:"archived,omitempty"`   // archived ones, too
	Forks      bool     `json:"forks,omitempty"`      // forks, too
	Path       string   `json:"path,omitempty"`       // of the file, or a pattern of files
	Branch     string   `json:"branch,omitempty"`     // "" is the default one
	Namespace  string   `json:"namespace,omitempty"`  // of repositories that are connected
}

// People says whether teams and people become Groups and Users.
type People struct {
	Users     bool   `json:"users,omitempty"`
	Teams     bool   `json:"teams,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// State is how a Discovery does.
type State string

// States of a Discovery.
const (
	Unknown State = "unknown"
	Healthy State = "healthy"
	Held    State = "held"
	Limited State = "limited"
	Refused State = "refused"
	Away    State = "away"
	Broken  State = "broken"
)

// States of a repository that was found.
const (
	Registered = "registered"
	Without    = "without"
	Excluded   = "excluded"
	Pending    = "pending"
	Failed     = "failed"
)

// Counts tell what was found.
type Counts struct {
	Repositories int `json:"repositories"`
	Registered   int `json:"registered"`
	Without      int `json:"without"`
	Excluded     int `json:"excluded"`
	Pending      int `json:"pending"`
	Failed       int `json:"failed"`
	Users        int `json:"users"`
	Groups       int `json:"groups"`
	Wrong        int `json:"wrong"` // Users and Groups that could not be taken
	Held         int `json:"held"`  // that would go, but are more than may go at once
}

func (c *Counts) add(state string) {
	c.Repositories++
	switch state {
	case Registered:
		c.Registered++
	case Without:
		c.Without++
	case Excluded:
		c.Excluded++
	case Pending:
		c.Pending++
	default:
		c.Failed++
	}
}

// Discovery is an organization that is looked at.
type Discovery struct {
	Name   string // NAMESPACE/NAME
	Space  string // of the document
	Spec   Spec
	State  State
	Reason string
	Counts Counts
	Since  time.Time // when the state began
	Looked time.Time // when the last look began; zero before the first
	Next   time.Time
	Busy   bool // this server looks at it now

	ended      bool
	generation int64
}

// Ref gives the entity that the Discovery is.
func (d Discovery) Ref() ref.Entity {
	namespace, name, _ := strings.Cut(d.Name, "/")
	return ref.New("discovery", namespace, name)
}

// target gives the space of what is registered.
func (d Discovery) target() string { return cmp.Or(d.Spec.Space, d.Space) }

func (d Discovery) source() string { return "discovery:" + d.Name }

// Found is a repository that was found.
type Found struct {
	ID         string // at the forge
	Name       string // OWNER/NAME there
	URL        string
	State      string
	Reason     string // why it is excluded, or has failed
	Repository string // NAMESPACE/NAME here; "" when it is not connected, or the reader may not read it
	Location   string // id of its location in the catalog

	integration, space, seen, target, repository string
	made                                         bool
}

// Bounds.
const (
	soonAgain                               = time.Minute // after a look that was cut off
	minInterval, usualInterval, maxInterval = time.Minute, 30 * time.Minute, 7 * 24 * time.Hour
	maxRepositories                         = 50_000
	maxPeople                               = 100_000
	maxTeams                                = 20_000
	maxPatterns                             = 100
	usualGone                               = 25 // percent
	fewGone                                 = 5  // may always go
	usualPath                               = "catalog-info.yaml"
)

// within gives the name of a repository below the organization.
func within(organization, name string) string {
	if len(name) > len(organization) && strings.EqualFold(name[:len(organization)+1], organization+"/") {
		return name[len(organization)+1:]
	}
	return name
}

// excludes says why a repository is not registered; "" when it is.
func (r Repositories) excludes(organization string, there forge.Repository) string {
	name := strings.ToLower(within(organization, there.Name))
	matches := func(patterns []string) string {
		for _, p := range patterns {
			if repository.Matches(strings.ToLower(p), name) || strings.Contains(name, "/") && !strings.Contains(p, "/") && repository.Matches(strings.ToLower(p), path.Base(name)) {
				return p
			}
		}
		return ""
	}
	switch pattern := matches(r.Exclude); {
	case pattern != "":
		return "exclude names it: " + pattern
	case len(r.Include) > 0 && matches(r.Include) == "":
		return "include does not name it"
	case there.Archived && !r.Archived:
		return "it is archived"
	case there.Fork && !r.Forks:
		return "it is a fork"
	case there.Private && r.Visibility == "public":
		return "it is private"
	case !there.Private && r.Visibility == "private":
		return "it is public"
	case len(r.Topics) > 0 && !slices.ContainsFunc(there.Topics, func(t string) bool {
		return slices.ContainsFunc(r.Topics, func(want string) bool { return strings.EqualFold(t, want) })
	}):
		return "it has none of the topics"
	case there.Empty:
		return "it is empty"
	}
	return ""
}

// file gives the branch and the path that are looked for.
func (r Repositories) file(there forge.Repository) (branch, file string) {
	return cmp.Or(r.Branch, there.DefaultBranch), cmp.Or(r.Path, usualPath)
}

func (r Repositories) isPattern() bool { return strings.ContainsAny(r.Path, `*?[\`) }

// target names what the location of a repository reads; a branch is named only where it is not the default one.
func (r Repositories) target() string { return r.Branch + ":" + cmp.Or(r.Path, usualPath) }

// settled is how old a repository's last change must be for the forge to have told all of it: GitLab tells of activity once
// an hour.
const settled = 65 * time.Minute

// mark tells whether a repository has to be asked for its file again; "" when it has in any case.
func (r Repositories) mark(there forge.Repository, now time.Time) string {
	if there.Changed.IsZero() || now.Sub(there.Changed) < settled {
		return ""
	}
	branch, file := r.file(there)
	return fmt.Sprintf("%d %s:%s", there.Changed.UnixMicro(), branch, file)
}

// mayGo tells how many of some may go at once.
func (s Spec) mayGo(all int) int {
	percent := usualGone
	if s.MostGone != nil {
		percent = *s.MostGone
	}
	return max(fewGone, all*percent/100)
}

// plainName makes a name that the catalog takes of one that a forge has; "" when nothing is left.
func plainName(name string) string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			return c
		}
		return '-'
	}, strings.ToLower(name))
	if len(clean) > 63 {
		clean = clean[:63]
	}
	return strings.Trim(clean, "-_.")
}
