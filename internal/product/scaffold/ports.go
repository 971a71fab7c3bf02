package scaffold

import (
	"context"
	"io"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Repositories is what this room asks of core/repository. Every method is authorised for the principal of the
// context, save ArchiveAt and FileAt, which read for the platform: a template may read its own repository.
// A repository's name is NAMESPACE/NAME.
type Repositories interface {
	// Create makes an empty hosted repository. Permission: repository:create in its space. Conflict when the name is taken.
	Create(ctx context.Context, n NewRepository) error
	// Describe gives what is known of a repository. Permission: repository:read; otherwise NotFound.
	Describe(ctx context.Context, repository string) (Repository, error)
	NewRepositoryID() string
	// Commit makes a commit as the caller. Permission: repository:write. Conflict when the branch is not at its Parent.
	Commit(ctx context.Context, repository string, r git.CommitRequest) (commit string, err error)
	// Log gives the newest commits from a revision back. Permission: repository:read. NotFound when there is none.
	Log(ctx context.Context, repository, revision string, limit int) ([]git.Commit, error)
	// DeleteUnchanged removes a repository for good, if it is the one of that id (else NotFound) and has no references but
	// these (else Conflict, which names them). Permission: repository:admin, or repository:create for its creator.
	DeleteUnchanged(ctx context.Context, repository, id string, refs map[string]string) error
	// ArchiveAt gives the files below a folder at a commit as a tar stream, their names relative to the folder.
	ArchiveAt(ctx context.Context, repository, commit, folder string) (io.ReadCloser, error)
	// FileAt gives one file at a commit; TooLarge over limit bytes.
	FileAt(ctx context.Context, repository, commit, path string, limit int64) ([]byte, error)
}

// NewRepository is what a golden path says of the repository it makes.
type NewRepository struct {
	ID                                                 string // from NewRepositoryID
	Space, Namespace, Name, Description, DefaultBranch string
}

// Repository is what this room needs to know of a hosted repository.
type Repository struct {
	ID            string
	Space         string
	DefaultBranch string
	Head          string // commit of the default branch; "" while it has none
	Creator       string // principal
}

// Catalog is what this room asks of core/catalog, authorised for the principal of the context.
type Catalog interface {
	// Get gives an entity. Permission: entity:read in its space; otherwise NotFound.
	Get(ctx context.Context, r ref.Entity) (Entity, error)
	// Register reads a file of a hosted repository into a space as a location; registering it again refreshes it.
	// Permission: location:write in the space.
	Register(ctx context.Context, space string, l Location) (Registered, error)
	// Unregister removes a location and the entities that came from it alone. Permission: location:write.
	Unregister(ctx context.Context, location string) error
}

// Entity is an entity and the file that it was read from.
type Entity struct {
	Ref        ref.Entity
	Space      string
	Document   document.Document
	Repository string // NAMESPACE/NAME; "" when it was applied by hand
	Commit     string // at which it was read
	Path       string // of its file in the repository
}

// Location is a file, or a pattern of files, of a hosted repository.
type Location struct {
	Repository, Path, Branch string // Branch: "" for the default one
}

// Registered is what came of registering a location.
type Registered struct {
	ID       string // of the location
	Existed  bool   // it was registered before
	Entities []ref.Entity
	Error    string // why the file could not be taken in; "" when it was
}

// People is what this room asks of core/identity: a principal as it is now, with the groups of today.
// It fails with fault.NotFound or fault.Denied when the person is gone.
type People interface {
	Principal(ctx context.Context, id string) (actor.Principal, error)
	// Resume gives a principal as it acts now in the session that it presented, or by the token, if that stands still; else
	// fault.Unauthenticated.
	Resume(ctx context.Context, p actor.Principal) (actor.Principal, error)
}

// Sealer encrypts the secrets of forms at rest; core/secret does.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}
