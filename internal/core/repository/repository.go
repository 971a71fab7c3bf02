package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Actions that rights are asked for.
const (
	Read   = "repository:read"
	Write  = "repository:write"
	Make   = "repository:create"
	Manage = "repository:admin"

	UseIntegration = "integration:use" // in the integration's space: what its credentials reach can be read by it
)

// idPrefix begins the id of a repository.
const idPrefix = "rep"

// Zero is the hash that stands for no commit, where a reference is new or gone.
const Zero = git.Zero

// Repository is one repository, hosted here or at a forge.
type Repository struct {
	ID            string
	Namespace     string
	Name          string
	Space         string
	Description   string
	DefaultBranch string
	Protected     bool   // the default branch can't be rewritten or deleted by a push
	Archived      bool   // nothing in it changes any more
	SecretCheck   bool   // a push with a secret in it is refused
	Limits        Limits // of its own, lower than the server's
	Head          string // commit of the default branch; "" while there is none
	Created       time.Time
	CreatedBy     string // opaque id of a principal
	Updated       time.Time
	Pushed        time.Time // when a reference moved last; zero when never
	Deleted       time.Time // since when it is hidden; zero while it is there
	DeletedBy     string    // opaque id of a principal
	Purge         time.Time // when a deleted one is removed for good
	Outside       *Outside  // nil for one that is hosted here

	Import *Import // where it comes from, when it was not made empty

	generation int64
	dirty      *mark
}

// FullName gives NAMESPACE/NAME.
func (r Repository) FullName() string { return r.Namespace + "/" + r.Name }

// gone tells whether it was deleted.
func (r Repository) gone() bool { return !r.Deleted.IsZero() }

// Etag changes with what people say of a repository, its address, space and settings, and not with what is pushed to it.
func (r Repository) Etag() string {
	return etag(r.ID, r.FullName(), r.Space, r.DefaultBranch, r.Protected, r.Archived, r.SecretCheck, r.Limits, r.gone(), r.Description)
}

func etag(parts ...any) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%q\n", fmt.Sprint(p))
	}
	return hex.EncodeToString(sum.Sum(nil)[:12])
}

// Subject gives what the ledger calls the repository.
func (r Repository) Subject() string { return Subject(r.FullName()) }

// Subject gives what the ledger calls a repository of that full name.
func Subject(fullName string) string { return "repository:" + fullName }

// NewRepository describes a repository that is to be made.
type NewRepository struct {
	Space         string // "" is the root space
	Namespace     string // "" is "default"
	Name          string
	Description   string
	DefaultBranch string     // "" is "main"
	Import        *NewImport // where its branches and tags come from; nil for an empty one
	ID            string     // from NewID, for who must know its own again after a crash; "" makes one
}

// Change says what is to change, all of it or nothing; nil leaves a field as it is.
type Change struct {
	Description   *string
	DefaultBranch *string
	Protected     *bool
	Archived      *bool
	Space         *string // its rights hold from then on
	Name          *string // NAMESPACE/NAME
	SecretCheck   *bool
	Limits        LimitsChange
	IfMatch       string // etag that it must have now, for fault.IfMatch
}

// Push is the Data of a repository.pushed entry.
type Push struct {
	Repository string `json:"repository"` // NAMESPACE/NAME
	Ref        string `json:"ref"`
	Old        string `json:"old"` // Zero for a new reference
	New        string `json:"new"` // Zero for a deleted reference
	Platform   bool   `json:"platform"`

	Sender  string            `json:"sender,omitempty"`  // opaque id of the account at the forge that pushed there, as the forge says
	Options map[string]string `json:"options,omitempty"` // of git push -o that mean something; see OptionSkip and those after it

	touches []string // entities
	told    bool     // by the forge, of which not all references are known here
}

// Branch gives the short name of the branch that was pushed; ok is false for a tag or note.
func (p Push) Branch() (name string, ok bool) { return strings.CutPrefix(p.Ref, "refs/heads/") }

// mark is what is noted before references may move.
type mark struct {
	actor, cause, run string
	platform          bool
	options           map[string]string
	sender            string // at the forge
	leaks             []Leak // that were let through
}

var namePattern = regexp.MustCompile(`^[a-z0-9]+([-_.]+[a-z0-9]+)*$`)

const nameHint = "a name has at most 63 letters and digits, joined by '-', '_' or '.', and does not end in .git"

// validName tells whether s, in lower case, may be a namespace or a name. Names that git's addresses give a meaning are
// none.
func validName(s string) bool {
	return len(s) <= 63 && namePattern.MatchString(s) && !strings.HasSuffix(s, ".git") && !strings.HasSuffix(s, ".lock")
}

// ParseName reads NAMESPACE/NAME, in any case and with or without .git at the end. It fails with fault.Invalid.
func ParseName(fullName string) (namespace, name string, err error) {
	namespace, name, ok := strings.Cut(strings.ToLower(fullName), "/")
	name = strings.TrimSuffix(name, ".git")
	if !ok || !validName(namespace) || !validName(name) {
		if len(fullName) > 200 {
			fullName = fullName[:200]
		}
		return "", "", fault.Errorf(fault.Invalid, "%q is not the name of a repository; write NAMESPACE/NAME, where %s", fullName, nameHint)
	}
	return namespace, name, nil
}

// check puts the defaults in and refuses what can't be made.
func (n *NewRepository) check() error {
	if n.Space == "" {
		n.Space = "default"
	}
	if n.Namespace == "" {
		n.Namespace = "default"
	}
	if n.DefaultBranch == "" {
		n.DefaultBranch = "main"
	}
	var err error
	if n.Namespace, n.Name, err = ParseName(n.Namespace + "/" + n.Name); err != nil {
		return err
	}
	if err := git.CheckBranch(n.DefaultBranch); err != nil {
		return err
	}
	if n.Import != nil {
		if err := n.Import.check(); err != nil {
			return err
		}
	}
	return checkDescription(n.Description)
}

func checkDescription(s string) error {
	if len(s) > 1000 || strings.ContainsRune(s, 0) {
		return fault.Errorf(fault.Invalid, "a description has at most 1000 bytes")
	}
	return nil
}

// judge decides on a push: which references may be pushed to, and that the protected default branch only goes forward.
func (r Repository) judge(ctx context.Context, in git.Incoming) error {
	if err := r.changeable(); err != nil {
		return err
	}
	if len(in.Updates) > pushRefs {
		return fault.Errorf(fault.TooLarge, "a push changes at most %d references, this one %d; push them in parts", pushRefs, len(in.Updates))
	}
	for _, u := range in.Updates {
		if !strings.HasPrefix(u.Ref, "refs/heads/") && !strings.HasPrefix(u.Ref, "refs/tags/") && !strings.HasPrefix(u.Ref, "refs/notes/") {
			return fault.Errorf(fault.Denied, "%s can't be pushed to; push branches, tags or notes", u.Ref)
		}
		if _, short, _ := strings.Cut(strings.TrimPrefix(u.Ref, "refs/"), "/"); git.IsHash(short) && !u.Deletes() {
			return fault.Errorf(fault.Denied, "%s can't be told from a commit; choose another name", u.Ref)
		}
		if !r.Protected || u.Ref != "refs/heads/"+r.DefaultBranch || u.Creates() {
			continue
		}
		if u.Deletes() {
			return fault.Errorf(fault.Denied, "%s is the default branch of %s and protected: it can't be deleted", r.DefaultBranch, r.FullName())
		}
		forward, err := in.IsAncestor(ctx, u.Old, u.New)
		if err != nil {
			return err
		}
		if !forward {
			return fault.Errorf(fault.Denied, "%s is the default branch of %s and protected: it can't be rewritten; pull, then push a commit on top of it", r.DefaultBranch, r.FullName())
		}
	}
	return nil
}

// changeable refuses to change what is archived.
func (r Repository) changeable() error {
	if r.Archived {
		return fault.Errorf(fault.Conflict, "%s is archived, so it can't be changed; an administrator of its space may take it out of the archive", r.FullName())
	}
	return r.arriving()
}

// pushRefs is the most references that one push may change, since each is an entry of the ledger.
const pushRefs = 1000

// NewID gives the id of a repository that is to be made.
func NewID(now time.Time) string { return ref.NewID(idPrefix, now) }
