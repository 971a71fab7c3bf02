package forge

import (
	"context"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Forge is one forge, seen with one set of credentials. It is safe for concurrent use.
type Forge interface {
	Account
	Repositories
	People
	Content
	Proposals
	Checks
	Hooked
}

// Account is what the credentials are and may do.
type Account interface {
	// Health asks the forge who it takes the caller for. It needs no scope.
	Health(ctx context.Context) (Health, error)
	// Clone gives how git reaches a repository now. The credentials in it are short-lived where the forge has such.
	Clone(ctx context.Context, repository string) (Clone, error)
}

// Repositories are listed, made and ended.
type Repositories interface {
	// ListRepositories gives the repositories of an owner, or with "" all that the credentials are for, by ID or name,
	// archived ones included.
	ListRepositories(ctx context.Context, owner string, part page.Request) (page.Of[Repository], error)
	// ListWithin gives the repositories of an organization, and of all groups that lie within it. NotFound when there is no
	// organization of that name, or the credentials don't see it.
	ListWithin(ctx context.Context, organization string, part page.Request) (page.Of[Repository], error)
	// GetRepository gives one, also by a name that it had. It can be asked for what has changed; see Conditional.
	GetRepository(ctx context.Context, name string) (Repository, error)
	// CreateRepository makes an empty repository. Conflict when the name is taken.
	CreateRepository(ctx context.Context, r NewRepository) (Repository, error)
	// ArchiveRepository makes a repository read-only, or takes that back.
	ArchiveRepository(ctx context.Context, name string, archived bool) error
	DeleteRepository(ctx context.Context, name string) error

	ListDeployKeys(ctx context.Context, repository string) ([]DeployKey, error)
	AddDeployKey(ctx context.Context, repository string, k DeployKey) (DeployKey, error)
	DeleteDeployKey(ctx context.Context, repository, id string) error
}

// People are organizations (on GitLab: groups) with their teams and members.
type People interface {
	ListOrganizations(ctx context.Context, part page.Request) (page.Of[Organization], error)
	// ListTeams gives the teams of an organization, those within others included.
	ListTeams(ctx context.Context, organization string, part page.Request) (page.Of[Team], error)
	// ListMembers gives the members of an organization, or of one of its teams when team is not "".
	ListMembers(ctx context.Context, organization, team string, part page.Request) (page.Of[Person], error)
	// GetPerson gives an account with the name and address that it shows: lists may lack them.
	GetPerson(ctx context.Context, login string) (Person, error)
}

// Content is what a repository holds. rev is a branch, a tag or a commit; "" is the default branch.
type Content interface {
	// ReadFile gives a file of at most limit bytes; TooLarge when it has more. Of a symbolic link it gives the target's name.
	ReadFile(ctx context.Context, repository, rev, path string, limit int64) ([]byte, error)
	// ListTree gives the entries of a folder, by name; with recursive all below it, folders left out.
	ListTree(ctx context.Context, repository, rev, path string, recursive bool) (Tree, error)
	GetCommit(ctx context.Context, repository, rev string) (Commit, error)
	// ListCommits gives commits from rev back, the newest first; with a path only those that changed it.
	ListCommits(ctx context.Context, repository, rev, path string, part page.Request) (page.Of[Commit], error)
	// Compare tells how head differs from what it has in common with base.
	Compare(ctx context.Context, repository, base, head string) (Comparison, error)
	// Archive gives the files at rev as a gzip-compressed tar stream, below one folder whose name is the forge's.
	Archive(ctx context.Context, repository, rev string) (io.ReadCloser, error)

	ListBranches(ctx context.Context, repository string, part page.Request) (page.Of[Branch], error)
	GetBranch(ctx context.Context, repository, name string) (Branch, error)
	// CreateBranch makes a branch at a commit. Conflict when there is one of that name.
	CreateBranch(ctx context.Context, repository, name, commit string) error
	DeleteBranch(ctx context.Context, repository, name string) error
	ListTags(ctx context.Context, repository string, part page.Request) (page.Of[Tag], error)
}

// Proposals are pull or merge requests.
type Proposals interface {
	OpenProposal(ctx context.Context, repository string, p NewProposal) (Proposal, error)
	// ListProposals gives proposals, the newest first.
	ListProposals(ctx context.Context, repository string, q ProposalQuery, part page.Request) (page.Of[Proposal], error)
	GetProposal(ctx context.Context, repository string, number int) (Proposal, error)
	// DiffProposal gives what a proposal changes, as a unified diff of at most limit bytes; TooLarge when it is longer.
	DiffProposal(ctx context.Context, repository string, number int, limit int64) ([]byte, error)
	// CloseProposal closes a proposal without merging it, or opens it again.
	CloseProposal(ctx context.Context, repository string, number int, closed bool) error
	// MergeProposal merges. Conflict when it can't be merged as it is, Stale when its head is not m.Head any more.
	MergeProposal(ctx context.Context, repository string, number int, m Merge) (Merged, error)

	// ListComments gives the comments of a proposal, those on lines included, the oldest first.
	ListComments(ctx context.Context, repository string, number int, part page.Request) (page.Of[Comment], error)
	Comment(ctx context.Context, repository string, number int, body string) (Comment, error)
	// EditComment replaces the text of a comment of the caller's own.
	EditComment(ctx context.Context, repository string, number int, id, body string) (Comment, error)
	ListReviews(ctx context.Context, repository string, number int, part page.Request) (page.Of[Review], error)
	// Review approves, refuses or comments, with comments on lines. A forge without refusals (GitLab) takes the
	// caller's approval back and comments.
	Review(ctx context.Context, repository string, number int, r NewReview) (Review, error)
}

// Checks are what others say of a commit.
type Checks interface {
	// ListChecks gives the newest check of each name.
	ListChecks(ctx context.Context, repository, commit string) ([]Check, error)
	// SetCheck says how a check of this name stands. Setting it again replaces it.
	SetCheck(ctx context.Context, repository, commit string, c Check) error
}

// Hooked are the webhooks that a forge sends.
type Hooked interface {
	ListHooks(ctx context.Context, target HookTarget) ([]Hook, error)
	// RegisterHook has a forge send events; a hook of the same address is replaced, so that it may be called again.
	RegisterHook(ctx context.Context, target HookTarget, h NewHook) (Hook, error)
	DeleteHook(ctx context.Context, target HookTarget, id string) error
}

// Health tells what credentials are good for.
type Health struct {
	Login   string   // whom the forge takes the caller for, as it signs the caller's comments
	Version string   // of the forge; "" when it does not tell
	Scopes  []string // that the credentials have, in the forge's words; nil when it does not tell
	Missing []string // that the contract needs and they lack
	Expires time.Time
	Rate    Rate
}

// Rate is how much may still be asked; the zero Rate is that of a forge that does not tell.
type Rate struct {
	Limit, Left int
	Reset       time.Time
}

// Clone is how git reaches a repository.
type Clone struct {
	URL                string // https://…, without credentials
	Username, Password string
	Expires            time.Time // zero: they don't
}

// Repository is one repository of a forge.
type Repository struct {
	ID            string // stays when it is renamed
	Name          string // OWNER/NAME
	Description   string
	DefaultBranch string // also of an empty one, as far as the forge tells
	URL           string // of its page
	CloneURL      string
	Private       bool
	Archived      bool
	Fork          bool
	Empty         bool // as far as the forge tells, which in a list may not
	Topics        []string
	Language      string // that most of it is in; "" when the forge does not tell
	Created       time.Time
	Changed       time.Time // moves with every push
}

// NewRepository says what to make.
type NewRepository struct {
	Name          string // OWNER/NAME; OWNER is an organization, or the caller
	Description   string
	DefaultBranch string // "" is the forge's choice
	Private       bool
}

// DeployKey is an SSH key that opens one repository.
type DeployKey struct {
	ID       string
	Title    string
	Key      string // as in authorized_keys, without the comment
	ReadOnly bool
}

// Organization owns repositories and has teams.
type Organization struct {
	ID          string
	Name        string // as it owns repositories
	Title       string
	Description string
	URL         string
}

// Team is a part of an organization.
type Team struct {
	ID          string
	Name        string // unique within the organization, as in addresses
	Title       string
	Description string
	Parent      string // name of the team that it is within; "" for none
}

// Person is an account of the forge.
type Person struct {
	ID    string
	Login string
	Name  string // "" when not told
	Email string // "" when not told
	Bot   bool
}

// Tree is the content of a folder.
type Tree struct {
	Commit  string // that was read; "" when the forge does not tell
	Entries []Entry
	Cut     bool // the forge gave only a part
}

// Types of entries.
const (
	TypeFile    = "file"
	TypeFolder  = "folder"
	TypeLink    = "link"    // a symbolic link
	TypeProject = "project" // a submodule
)

// Entry is a file or a folder.
type Entry struct {
	Path string // from the root
	Type string
	Hash string
	Size int64 // bytes; -1 when not told
}

// Commit is one commit.
type Commit struct {
	Hash        string
	Parents     []string
	Message     string
	Author      Signature
	Committer   Signature
	AuthorLogin string // account of the author, "" when the forge knows none
	URL         string
}

// Signature is who made a commit, and when.
type Signature struct {
	Name, Email string
	When        time.Time
}

// Comparison is how one commit differs from another.
type Comparison struct {
	Base    string // that they have in common
	Head    string
	Ahead   int
	Behind  int      // -1 when the forge does not tell
	Commits []Commit // of head alone, the oldest first; the newest 250 at most
	Files   []Changed
	Cut     bool // the forge gave only a part of the files
}

// Ways in which a file changes.
const (
	Added    = "added"
	Modified = "modified"
	Removed  = "removed"
	Renamed  = "renamed"
)

// Changed is one file of a comparison.
type Changed struct {
	Path, OldPath      string // OldPath only of a renamed one
	Way                string
	Additions, Deleted int    // lines; -1 when the forge does not tell
	Patch              string // hunks without a file header; "" for a binary or a large file
}

// Branch is one branch.
type Branch struct {
	Name      string
	Commit    string
	Protected bool
}

// Tag is one tag.
type Tag struct {
	Name    string
	Commit  string // that it leads to
	Message string // of an annotated one
}
