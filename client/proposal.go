package client

import "time"

// Proposal is a change of a repository that is to be merged.
type Proposal struct {
	ID          string     `json:"id"`
	Full        string     `json:"full" example:"payments/shop#12"`
	Repository  string     `json:"repository" example:"payments/shop"`
	Number      int        `json:"number"`
	Space       string     `json:"space"`
	Title       string     `json:"title"`
	Body        string     `json:"body,omitempty"`
	State       string     `json:"state" enum:"open,closed,merged"`
	Draft       bool       `json:"draft"`
	Author      Actor      `json:"author"`
	Source      string     `json:"source" doc:"Branch."`
	Target      string     `json:"target" doc:"Branch."`
	Head        string     `json:"head" doc:"Commit of the source; of an ended one as it was."`
	Base        string     `json:"base" doc:"Commit of the target that it was compared with."`
	Ahead       int        `json:"ahead" doc:"Commits that only the source has."`
	Behind      int        `json:"behind" doc:"Commits that only the target has."`
	Stale       bool       `json:"stale,omitempty" doc:"The target has moved since: how the two stand to each other is worked out when it is looked at."`
	Conflicts   []string   `json:"conflicts,omitempty" doc:"Files that both changed so that they can't be brought together."`
	MergeCommit string     `json:"mergeCommit,omitempty"`
	MergedBy    *Actor     `json:"mergedBy,omitempty"`
	MergeWay    string     `json:"mergeWay,omitempty" enum:"merge,squash,rebase,push" doc:"push: somebody pushed all of it to the target."`
	Assignees   []Actor    `json:"assignees,omitempty" doc:"Who looks after it."`
	Auto        string     `json:"auto,omitempty" enum:"merge,squash,rebase" doc:"The way in which it is merged when nothing is in the way."`
	AutoBy      *Actor     `json:"autoBy,omitempty"`
	Created     time.Time  `json:"created"`
	Updated     time.Time  `json:"updated"`
	Ended       *time.Time `json:"ended,omitempty"`
	Version     int64      `json:"version"`
	Ref         string     `json:"ref" example:"refs/proposals/12/head" doc:"By which git fetches its head from its repository."`
	Touches     []string   `json:"touches,omitempty" doc:"References of the entities that it touches."`
	URL         string     `json:"url,omitempty" doc:"Of its page at the forge that it lives at."`
	Labels      []string   `json:"labels,omitempty" doc:"As the forge has them."`
}

// ProposalLine is a proposal in a list, with how its head stands.
type ProposalLine struct {
	Proposal
	Approvals int `json:"approvals" doc:"Of people other than its author."`
	Wanted    int `json:"wanted" doc:"Approvals that the rules of its target want."`
	Refusals  int `json:"refusals"`
	Passed    int `json:"passed" doc:"Checks of its head."`
	Failed    int `json:"failed"`
	Pending   int `json:"pending"`
}

// ProposalCounts are how many proposals there are in each state. GET /proposals/counts.
type ProposalCounts struct {
	Open    int `json:"open"`
	Merged  int `json:"merged"`
	Closed  int `json:"closed"`
	Waiting int `json:"waiting" doc:"Of the open ones for the caller's review."`
}

// ProposalDetail is a proposal with what stands in its way. Its Etag is for Client.When, to edit it.
type ProposalDetail struct {
	Proposal
	Reviews  []ProposalReview `json:"reviews" doc:"The oldest first."`
	Checks   []ProposalCheck  `json:"checks" doc:"Of its head, by name."`
	Blockers []Blocker        `json:"blockers" doc:"All that stands in the way of merging it; empty when it can be merged."`
	Ways     []string         `json:"ways" doc:"In which it may be merged."`
	Rules    []string         `json:"rules" doc:"References of the BranchRules that hold for its target."`
	Owners   []ProposalOwners `json:"owners" doc:"Whom its files belong to, where the rules want their approval."`
	Warnings []string         `json:"warnings,omitempty" doc:"About the file of owners."`
	Talks    int              `json:"talks" doc:"Talks about lines that nobody settled."`
	Can      []string         `json:"can" doc:"What the caller may do with it now: comment, edit, settle, review, approve, auto, merge, update, close, reopen, revert."`
	Etag     string           `json:"etag" doc:"Changes with what people say of it, and not with pushes, reviews and checks."`
}

// ProposalReview is somebody's verdict on a head.
type ProposalReview struct {
	ID      string    `json:"id"`
	Author  Actor     `json:"author"`
	Verdict string    `json:"verdict" enum:"approved,refused,commented"`
	Body    string    `json:"body,omitempty"`
	Head    string    `json:"head"`
	Time    time.Time `json:"time"`
}

// ProposalCheck is what something says of a commit.
type ProposalCheck struct {
	Name        string    `json:"name"`
	State       string    `json:"state" enum:"pending,passed,failed"`
	Description string    `json:"description,omitempty"`
	URL         string    `json:"url,omitempty"`
	Run         string    `json:"run,omitempty"`
	Updated     time.Time `json:"updated"`
}

// Blocker is one thing that stands in the way of a merge.
type Blocker struct {
	Kind    string `json:"kind" enum:"state,draft,conflicts,nothing,behind,refused,approvals,owners,check,talks"`
	Message string `json:"message"`
	Waits   bool   `json:"waits" doc:"It may go away by itself."`
}

// ProposalOwners are owners of files that a proposal changes.
type ProposalOwners struct {
	Section  string   `json:"section,omitempty"`
	Optional bool     `json:"optional,omitempty" doc:"They are asked, and need not answer."`
	Needs    int      `json:"needs" doc:"How many of them must approve."`
	Owners   []string `json:"owners"`
	Files    []string `json:"files"`
	Approved bool     `json:"approved"`
}

// ProposalComment is what somebody said of a proposal, or of lines of it.
type ProposalComment struct {
	ID         string  `json:"id"`
	Author     Actor   `json:"author"`
	Body       string  `json:"body"`
	Path       string  `json:"path,omitempty" doc:"File of the lines that it is about."`
	Start      int     `json:"start,omitempty" doc:"First of the lines."`
	Line       int     `json:"line,omitempty" doc:"Last of the lines, in the new file, or with old in the old one."`
	Old        bool    `json:"old,omitempty"`
	Commit     string  `json:"commit,omitempty" doc:"Commit that the lines are of."`
	Quote      string  `json:"quote,omitempty" doc:"The lines as they were."`
	NowStart   int     `json:"nowStart,omitempty" doc:"Where the lines are in what it changes now; absent when they are no longer what they were."`
	NowLine    int     `json:"nowLine,omitempty"`
	Suggestion *string `json:"suggestion,omitempty" doc:"What it would have in their place."`
	Applied    string  `json:"applied,omitempty" doc:"Commit that did what it suggests."`

	Commands []ProposalCommand `json:"commands,omitempty" doc:"What it commands, and what became of that."`

	ReplyTo  string    `json:"replyTo,omitempty" doc:"Comment that began the talk."`
	Review   string    `json:"review,omitempty" doc:"Review that it was given with."`
	Resolved *Actor    `json:"resolved,omitempty" doc:"Who settled the talk that it began."`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// ProposalCommand is a line /NAME ARGUMENTS of a comment.
type ProposalCommand struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments,omitempty"`
	State     string `json:"state" enum:"waiting,done,refused,passed" doc:"passed: to the product that knows it."`
	Answer    string `json:"answer,omitempty" doc:"What happened, or why not."`
}

// Diff is what changed between two commits.
type Diff struct {
	From      string     `json:"from"`
	To        string     `json:"to"`
	Files     []FileDiff `json:"files"`
	Truncated bool       `json:"truncated" doc:"Files or patches were left out."`
}

// FileDiff is what changed in one file.
type FileDiff struct {
	Path      string `json:"path"`
	OldPath   string `json:"oldPath,omitempty" doc:"Of a renamed or copied one."`
	Status    string `json:"status" enum:"added,modified,deleted,renamed,copied,type"`
	Additions int    `json:"additions"`
	Deletions int    `json:"deletions"`
	Binary    bool   `json:"binary,omitempty"`
	Folded    bool   `json:"folded,omitempty" doc:"Its patch is too large to come with the others; ask for the file alone."`
	OldMode   string `json:"oldMode" example:"100644"`
	NewMode   string `json:"newMode" example:"100755"`
	OldHash   string `json:"oldHash" doc:"Of the content; zeros for none."`
	NewHash   string `json:"newHash"`
	Patch     string `json:"patch,omitempty" doc:"Hunks of a unified diff, from the first @@ line; absent for a binary or a folded one."`
}

// ProposalStack is what a proposal would do to a stack, or what its merge has done.
type ProposalStack struct {
	Stack   string   `json:"stack" doc:"Its reference."`
	Commit  string   `json:"commit" doc:"That this is of."`
	Run     string   `json:"run,omitempty" doc:"Missing when there is none."`
	State   string   `json:"state,omitempty" doc:"Of the run."`
	Applied bool     `json:"applied,omitempty" doc:"The run is that of the merge, and no preview."`
	Reason  string   `json:"reason,omitempty" doc:"Why the run is in its state, or why there is none."`
	Summary *Summary `json:"summary,omitempty" doc:"What its plan counts; missing when there is none."`
}
