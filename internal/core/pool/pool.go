package pool

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Pool is a worker pool that is declared.
type Pool struct {
	Name        string // NAMESPACE/NAME
	Space       string
	Title       string // of its document; its name within the namespace where that has none
	Description string
	Created     time.Time
	Shared      bool   // with the spaces below
	Image       string // of steps that name none, on agents that run containers; "" for the agent's own
	Drained     bool   // its agents are given nothing
	Connected   int    // agents that answer
	Taking      int    // of these, those that are not drained
	Agents      int    // that are known
	Waiting     int    // steps that nobody has taken
	Running     int    // steps that agents have
}

// About is what an agent says of itself.
type About struct {
	Version  string   `json:"version"`
	System   string   `json:"system"` // linux/amd64
	Executor string   `json:"executor"`
	Parallel int      `json:"parallel"`
	Tools    []string `json:"tools,omitempty"`
	Host     string   `json:"host,omitempty"`
}

// Agent is one that runs steps of a pool.
type Agent struct {
	Pool, Name string
	About
	Drained bool // by the server
	Leaving bool // by itself: it was asked to end
	Joined  time.Time
	Seen    time.Time
	State   string
	Steps   []Step // that it has and the caller may see
	Hidden  int    // that it has beside those

	home, life, ending string
}

// cycled tells whether this process of the agent is to end when it has nothing to do.
func (a Agent) cycled() bool { return a.ending != "" && a.ending == a.life }

// Step is what an agent runs.
type Step struct {
	Run, Step, Title string
	Started          time.Time
}

// States of agents.
const (
	Connected = "connected"
	Draining  = "draining" // ends what it has, and is given nothing
	Gone      = "gone"     // was not heard of for a while
)

const (
	// Hello is how often an agent says that it is there.
	Hello = 10 * time.Second
	// silence is after how long without a word an agent is gone.
	silence = 40 * time.Second
	// memory is how long an agent is known that is gone.
	memory = 24 * time.Hour
)

// stateAt gives how an agent does.
func (a Agent) stateAt(now time.Time, pool Pool) string {
	switch {
	case now.Sub(a.Seen) > silence:
		return Gone
	case a.Drained || a.Leaving || a.cycled() || pool.Drained:
		return Draining
	}
	return Connected
}

// worker is what steps call an agent.
func worker(pool, agent string) string { return pool + "/" + agent }

var (
	agentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	markName  = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)
)

// Greeting is how an agent says that it is there.
type Greeting struct {
	Name       string
	Home, Life string
	About      About
	Leaving    bool
}

func (g Greeting) check() error {
	switch {
	case !agentName.MatchString(g.Name):
		return fault.Errorf(fault.Invalid, "%.100q can't name an agent; use at most 63 letters, digits, '.', '_' and '-'", g.Name)
	case !markName.MatchString(g.Home) || !markName.MatchString(g.Life):
		return fault.Errorf(fault.Invalid, "an agent names its folder and its process by 8 to 64 letters and digits")
	case g.About.Parallel < 1 || g.About.Parallel > 1000:
		return fault.Errorf(fault.Invalid, "an agent runs 1 to 1000 steps at a time, not %d", g.About.Parallel)
	case len(g.About.Tools) > 100:
		return fault.Errorf(fault.Invalid, "an agent tells of at most 100 tools")
	}
	for _, text := range append([]string{g.About.Version, g.About.System, g.About.Executor, g.About.Host}, g.About.Tools...) {
		if len(text) > 200 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\u007f' }) {
			return fault.Errorf(fault.Invalid, "what an agent tells of itself is at most 200 characters on a line")
		}
	}
	return nil
}

// waits says why a step of a pool is not run yet; "" when an agent may take it at any moment.
func waits(p Pool) string {
	switch {
	case p.Drained:
		return fmt.Sprintf("waits for the worker pool %s, which is drained", p.Name)
	case p.Agents == 0:
		return fmt.Sprintf("waits for an agent of the worker pool %s; none has ever connected", p.Name)
	case p.Connected == 0:
		return fmt.Sprintf("waits for an agent of the worker pool %s; none is connected", p.Name)
	case p.Taking == 0:
		return fmt.Sprintf("waits for an agent of the worker pool %s; those that are connected are drained", p.Name)
	case p.Running > 0:
		return fmt.Sprintf("waits for a free agent of the worker pool %s, which runs %d %s", p.Name, p.Running, plural(p.Running, "step"))
	}
	return ""
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
