package registry

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Module is the projection of a Module document.
type Module struct {
	Ref         ref.Entity
	Space       string
	Owner       string // reference
	Title       string
	Description string
	Spec        Spec
	Message     string // why its repository could not be looked at; "" when it could
	Updated     time.Time
}

// Address is how engines name a module: SPACE/NAME/SYSTEM behind the server's host.
type Address struct{ Space, Name, System string }

func (a Address) String() string { return a.Space + "/" + a.Name + "/" + a.System }

// Address gives the module's own.
func (m Module) Address() Address { return Address{m.Space, m.Spec.Name, m.Spec.Provider} }

// State is where a version of a module stands.
type State string

// States of versions.
const (
	Testing State = "testing"
	Ready   State = "ready"
	Failed  State = "failed"
)

// Version is one version of a module.
type Version struct {
	ID      string // mdv_…
	Module  ref.Entity
	Version string // 1.2.0
	State   State
	Message string // why it failed
	Tag     string // that made it; "" when the configuration did
	Moved   string // commit, or that it is gone, to which its tag has moved since; "" when it has not
	Commit  string
	Actor   string // who pushed it
	Archive string // digest; "" when there is none
	Size    int64  // of the archive, in bytes
	Files   int
	Content Content
	Round   int // of its tests
	Yanked  Yanked
	Created time.Time

	tagHash string
}

// Offered tells whether engines may choose the version.
func (v Version) Offered() bool { return v.State == Ready && v.Yanked.Reason == "" }

// Yanked says why, by whom and when a version was taken back; zero when it is not.
type Yanked struct {
	Reason string
	Actor  string
	Time   time.Time
}

// TestState is where a test of a version stands.
type TestState string

// States of tests.
const (
	TestWaiting TestState = "waiting"
	TestRunning TestState = "running"
	TestPassed  TestState = "passed"
	TestFailed  TestState = "failed"
	TestSkipped TestState = "skipped" // one that it depends on did not pass
)

func (s TestState) done() bool { return s == TestPassed || s == TestFailed || s == TestSkipped }

// Test is one test of a version, and how it went.
type Test struct {
	TestSpec
	State  TestState
	Reason string
	Run    string
}

// TestSpec is what a test does.
type TestSpec struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Root        string            `json:"root,omitempty"` // folder within the archive
	Negative    bool              `json:"negative,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	DependsOn   []string          `json:"dependsOn,omitempty"` // ids
}

// settle gives where a version stands by its tests, after it has marked those that can't run any more, and which may begin.
func settle(tests []Test) (state State, begin []int) {
	states := map[string]TestState{}
	for changed := true; changed; {
		changed = false
		for i := range tests {
			states[tests[i].ID] = tests[i].State
		}
		for i := range tests {
			t := &tests[i]
			if t.State != TestWaiting {
				continue
			}
			for _, before := range t.DependsOn {
				if s := states[before]; s == TestFailed || s == TestSkipped {
					t.State, t.Reason, changed = TestSkipped, "the test "+before+", on which it depends, did not pass", true
					break
				}
			}
		}
	}
	state = Ready
	for i, t := range tests {
		switch {
		case !t.State.done():
			if state == Ready {
				state = Testing
			}
			if t.State == TestWaiting && !slices.ContainsFunc(t.DependsOn, func(id string) bool { return states[id] != TestPassed }) {
				begin = append(begin, i)
			}
		case t.State != TestPassed:
			state = Failed
		}
	}
	if state == Failed && slices.ContainsFunc(tests, func(t Test) bool { return !t.State.done() }) {
		state = Testing // what runs is told to its end
	}
	return state, begin
}

var versionPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9A-Za-z-]{1,40}(\.[0-9A-Za-z-]{1,40}){0,9})?$`)

// ValidVersion tells whether a text is a version as Semantic Versioning has it, without data of a build.
func ValidVersion(text string) bool { return len(text) <= 120 && versionPattern.MatchString(text) }

// CompareVersions orders versions as Semantic Versioning does.
func CompareVersions(a, b string) int {
	core := func(v string) (parts []string, pre string) {
		v, pre, _ = strings.Cut(v, "-")
		return strings.Split(v, "."), pre
	}
	left, leftPre := core(a)
	right, rightPre := core(b)
	for i := range min(len(left), len(right)) {
		if c := compareIdentifiers(left[i], right[i]); c != 0 {
			return c
		}
	}
	switch {
	case leftPre == rightPre:
		return 0
	case leftPre == "":
		return 1
	case rightPre == "":
		return -1
	}
	one, two := strings.Split(leftPre, "."), strings.Split(rightPre, ".")
	for i := range min(len(one), len(two)) {
		if c := compareIdentifiers(one[i], two[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(one), len(two))
}

// compareIdentifiers: numbers by their size and before words, which go by their bytes.
func compareIdentifiers(a, b string) int {
	n, wrongA := strconv.ParseUint(a, 10, 64)
	m, wrongB := strconv.ParseUint(b, 10, 64)
	switch {
	case wrongA == nil && wrongB == nil:
		return cmp.Compare(n, m)
	case wrongA == nil:
		return -1
	case wrongB == nil:
		return 1
	}
	return strings.Compare(a, b)
}

// ofTag gives the version that a tag makes, by the prefix of a module; "" for a tag that makes none.
func ofTag(tag, prefix string) string {
	rest, ok := strings.CutPrefix(tag, prefix)
	if !ok {
		return ""
	}
	if rest = strings.TrimPrefix(rest, "v"); !ValidVersion(rest) {
		return ""
	}
	return rest
}
