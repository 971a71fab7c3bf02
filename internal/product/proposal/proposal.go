package proposal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// idPrefix begins the id of a proposal, commentPrefix that of a comment.
const (
	idPrefix      = "pro"
	commentPrefix = "com"
	reviewPrefix  = "rvw"
)

// States of a proposal.
const (
	Open   = "open"
	Closed = "closed"
	Merged = "merged"
)

// Verdicts of a review.
const (
	Approved  = "approved"
	Refused   = "refused"
	Commented = "commented"
)

// States of a check.
const (
	CheckPending = "pending"
	CheckPassed  = "passed"
	CheckFailed  = "failed"
)

// Bounds of what people write.
const (
	titleLimit   = 250
	bodyLimit    = 64 << 10
	commentLimit = 64 << 10
	lineComments = 200 // of one review
	commentsMost = 5_000
)

// Proposal is a change that is to be merged.
type Proposal struct {
	ID         string
	Repository string // id
	Number     int
	Space      string
	Title      string
	Body       string
	State      string
	Draft      bool
	Author     string // opaque id of a principal
	Source     string // branch
	Target     string // branch
	Head       string // of the source; of a closed one as it was
	Base       string // head of the target as it was looked at last; of a merged one what it was merged into
	Standing   git.Standing
	Merge      string // commit that merged it; of an open one the commit that is to, when a merge was begun
	MergedBy   string
	MergeWay   string // merge, squash, rebase, or push when somebody pushed all of it
	Auto       Auto   // merges it when nothing is in the way any more
	Created    time.Time
	Updated    time.Time
	Ended      time.Time // closed or merged
	Touches    []string  // references of the entities that it touches
	There      *There    // of one that lives at a forge
	Version    int64     // raised by every change of this row but that of shown

	shown      string // what its references lead to: head, and the target of the trial merge
	targetHead string // head of the target that a push told last; "" when none did since it was looked at
}

// etag changes with what people say of a proposal: its words, its target, its state, and who looks after it. What pushes,
// reviews and checks bring, and what is worked out of that, leaves it as it is.
func (p Proposal) etag(assignees []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %s %t %q", p.ID, p.Title, p.Body, p.Target, p.State, p.Draft, assignees))
	return hex.EncodeToString(sum[:12])
}

// Stale tells whether the target has moved since it was worked out how the proposal stands to it.
func (p Proposal) Stale() bool {
	return p.State == Open && p.targetHead != "" && p.targetHead != p.Base
}

// Auto is a merge that waits.
type Auto struct {
	Way string // "" for none
	By  string // who asked for it
}

// Review is one verdict on a head.
type Review struct {
	ID      string
	Author  string
	Verdict string
	Body    string
	Head    string
	Login   string // of the author at the forge; "" for one that was given here
	There   string // the forge's id
	Posted  bool   // it was given here and stands at the forge under the platform's name
	Created time.Time
}

// Check is what somebody or something says of a commit.
type Check struct {
	Name        string
	State       string
	Description string
	URL         string
	Run         string // id of the run that says it; "" for one from outside
	Updated     time.Time
}

// Full gives how the ledger and people name a proposal.
func Full(repository string, number int) string { return repository + "#" + strconv.Itoa(number) }

// Subject gives the subject of a proposal's entries.
func Subject(repository string, number int) string { return "proposal:" + Full(repository, number) }

// ParseFull reads NAMESPACE/NAME#NUMBER.
func ParseFull(text string) (repository string, number int, err error) {
	repository, digits, ok := strings.Cut(text, "#")
	number, bad := strconv.Atoi(digits)
	if !ok || bad != nil || number < 1 {
		return "", 0, fault.Errorf(fault.Invalid, "%.200q is not a proposal; write NAMESPACE/NAME#NUMBER", text)
	}
	return repository, number, nil
}

func checkText(what, text string, limit int, empty bool) error {
	switch {
	case !empty && strings.TrimSpace(text) == "":
		return fault.Errorf(fault.Invalid, "%s is empty; write something", what)
	case len(text) > limit:
		return fault.Errorf(fault.TooLarge, "%s has more than %d bytes; shorten it", what, limit)
	case strings.ContainsRune(text, 0):
		return fault.Errorf(fault.Invalid, "%s has a NUL in it", what)
	}
	return nil
}

func oneLine(what, text string, limit int) error {
	if err := checkText(what, text, limit, false); err != nil {
		return err
	}
	if strings.ContainsAny(text, "\r\n") {
		return fault.Errorf(fault.Invalid, "%s has more than one line", what)
	}
	return nil
}

// mergeMessage gives what the commit of a merge says when nobody says otherwise.
func mergeMessage(p Proposal, repository, way string) (title, body string) {
	switch way {
	case git.MergeSquash:
		return fmt.Sprintf("%s (#%d)", p.Title, p.Number), p.Body
	}
	return fmt.Sprintf("Merge %s into %s (#%d)", p.Source, p.Target, p.Number), p.Title
}
