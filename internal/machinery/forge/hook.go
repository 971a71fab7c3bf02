package forge

import (
	"net/http"
	"time"
)

// HookTarget is what a webhook is of: a repository, or all that an organization has.
type HookTarget struct {
	Repository   string // OWNER/NAME
	Organization string // instead of Repository
}

// Hook is a webhook as the forge keeps it.
type Hook struct {
	ID     string
	URL    string
	Kinds  []Kind // "" for a kind that the contract does not have
	Active bool
}

// NewHook says what a forge is to send.
type NewHook struct {
	URL    string
	Secret string // at most 64 bytes; deliveries are signed with it
	Kinds  []Kind // empty: all that the contract has
}

// Hooks reads the webhooks of one kind of forge. It needs no credentials.
type Hooks interface {
	// Verify tells whether a delivery was signed with one of the secrets, in constant time: Unauthenticated when not.
	Verify(h http.Header, body []byte, secrets ...string) error
	// Delivery gives the id of a delivery, which is the same when it is sent again, without looking at its body; "" when
	// the forge has none. Forges don't sign it, save GitLab with a signing token.
	Delivery(h http.Header) string
	// Parse gives what a delivery tells. Its Kind is KindOther for what the contract does not have, which is no error;
	// Invalid for what can't be read. It never panics, whatever the body.
	Parse(h http.Header, body []byte) (Event, error)
}

// Kind is what a delivery is about.
type Kind string

// Kinds of deliveries.
const (
	KindPing       Kind = "ping"
	KindPush       Kind = "push" // of a branch or a tag; also its creation and its end
	KindProposal   Kind = "proposal"
	KindComment    Kind = "comment" // on a proposal
	KindReview     Kind = "review"
	KindCheck      Kind = "check"
	KindRepository Kind = "repository"
	KindOther      Kind = "other"
)

// Event is one delivery in the words of the contract.
type Event struct {
	Delivery   string // as Hooks.Delivery gives it
	Kind       Kind
	Name       string // in the forge's own words, such as "pull_request synchronize"
	Repository Repository
	Sender     Person
	Time       time.Time // zero when not told
	Push       *Push
	Proposal   *ProposalEvent
	Check      *CheckEvent
	Change     *RepositoryEvent
}

// Push is a reference that moved.
type Push struct {
	Ref      string   // refs/heads/main
	Old, New string   // "" for a reference that was not, or is no more
	Commits  []Commit // the newest last; a forge tells of some only
	Forced   bool
	Paths    []string // that the told commits touch, each once
}

// Actions on a proposal; on a comment and on a review Opened (it is new), Edited and Removed.
const (
	ActionOpened   = "opened"
	ActionPushed   = "pushed"  // its source moved
	ActionEdited   = "edited"  // title, body, target, labels, draft
	ActionRemoved  = "removed" // a comment that is deleted, a review that does not count any more
	ActionClosed   = "closed"
	ActionReopened = "reopened"
	ActionMerged   = "merged"
	ActionOther    = "other"
)

// ProposalEvent is what happened to a proposal: Comment and Review are set by their kinds. Of the proposal a forge tells
// with a comment no more than its number, title, author and state.
type ProposalEvent struct {
	Action   string
	Proposal Proposal
	Comment  *Comment
	Review   *Review
}

// CheckEvent is a check that moved.
type CheckEvent struct {
	Commit string
	Check  Check
}

// Actions on a repository.
const (
	RepositoryCreated     = "created"
	RepositoryDeleted     = "deleted"
	RepositoryRenamed     = "renamed"
	RepositoryTransferred = "transferred"
	RepositoryArchived    = "archived"
	RepositoryUnarchived  = "unarchived"
	RepositoryEdited      = "edited"
)

// RepositoryEvent is what happened to a repository.
type RepositoryEvent struct {
	Action  string
	OldName string // OWNER/NAME before a renaming or a transfer
}
