package forge

import "time"

// States of a proposal.
const (
	StateOpen   = "open"
	StateClosed = "closed" // without being merged
	StateMerged = "merged"
)

// Proposal is a pull or merge request.
type Proposal struct {
	Number       int
	Title, Body  string
	State        string
	Draft        bool
	Author       Person
	Source       Side
	Target       Side
	Ref          string // that git fetches the head by, also of one from another repository; deliveries may lack it
	Mergeable    Mergeable
	MergeCommit  string // of a merged one
	Labels       []string
	URL          string
	Created      time.Time
	Updated      time.Time
	Closed       time.Time // or merged
	CommentCount int       // -1 when not told
}

// Side is one of the two branches of a proposal.
type Side struct {
	Repository string // OWNER/NAME; "" when it is gone
	Branch     string
	Commit     string
}

// Mergeable tells whether a proposal could be merged now.
type Mergeable string

// What a forge says of it. It may need time to find out; it is asked again.
const (
	MergeUnknown   Mergeable = ""
	MergeReady     Mergeable = "ready"
	MergeConflicts Mergeable = "conflicts"
	MergeBlocked   Mergeable = "blocked" // by the forge's own rules: checks, reviews, a draft
)

// NewProposal says what to open.
type NewProposal struct {
	Title, Body string
	Source      string // branch; OWNER:BRANCH of a fork
	Target      string // branch
	Draft       bool
}

// ProposalQuery narrows a list of proposals; empty fields narrow nothing.
type ProposalQuery struct {
	State  string // StateOpen, StateClosed (merged ones included) or ""
	Source string // branch of the same repository
	Target string // branch
}

// Ways to merge.
const (
	MergeCommit = "merge"
	MergeSquash = "squash"
	MergeRebase = "rebase"
)

// Merge says how to merge.
type Merge struct {
	Way          string
	Title, Body  string // of the commit; empty for the forge's own
	Head         string // commit that must be the proposal's head; "" for any
	DeleteSource bool
}

// Merged tells what a merge made.
type Merged struct {
	Commit string
}

// Comment is what somebody said of a proposal.
type Comment struct {
	ID       string
	Author   Person
	Body     string
	Path     string // of a comment on a line; "" otherwise
	Line     int    // in the new file, or with Old in the old one; 0 when the line is gone
	Old      bool
	Commit   string // that the line is of
	ReplyTo  string // id of the comment that it answers
	Resolved bool
	Created  time.Time
	Updated  time.Time
	URL      string
}

// Verdicts of a review.
const (
	Approved  = "approved"
	Refused   = "refused" // changes are asked for
	Commented = "commented"
	Dismissed = "dismissed"
)

// Review is one person's verdict.
type Review struct {
	ID      string
	Author  Person
	Verdict string
	Body    string
	Commit  string // that was reviewed; "" when not told
	Created time.Time
}

// NewReview says what to review.
type NewReview struct {
	Verdict  string // Approved, Refused or Commented
	Body     string
	Commit   string // that was looked at; "" for the head
	Comments []LineComment
}

// LineComment is a comment on a line of a review.
type LineComment struct {
	Path string
	Line int
	Old  bool // the line is of the old file
	Body string
}

// States of a check.
const (
	CheckPending = "pending"
	CheckPassed  = "passed"
	CheckFailed  = "failed"
	CheckError   = "error"   // it could not be done
	CheckSkipped = "skipped" // it says neither yes nor no
)

// Check is what a system says of a commit.
type Check struct {
	Name        string
	State       string
	Description string // one line of at most 140 characters
	URL         string
	Updated     time.Time
}
