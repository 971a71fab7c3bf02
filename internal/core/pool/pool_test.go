package pool

import (
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestWhyAStepWaits has a word for each way in which a pool gives nothing.
func TestWhyAStepWaits(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Pool{
		"which is drained":        {Name: "default/eu", Drained: true, Agents: 1, Connected: 1, Taking: 1},
		"none has ever connected": {Name: "default/eu"},
		"none is connected":       {Name: "default/eu", Agents: 3},
		"are drained":             {Name: "default/eu", Agents: 3, Connected: 1},
		"which runs 1 step":       {Name: "default/eu", Agents: 1, Connected: 1, Taking: 1, Running: 1},
		"which runs 2 steps":      {Name: "default/eu", Agents: 1, Connected: 1, Taking: 1, Running: 2},
	} {
		if got := waits(p); !strings.Contains(got, want) || !strings.Contains(got, "default/eu") {
			t.Errorf("%+v waits %q, want %q", p, got, want)
		}
	}
	if got := waits(Pool{Agents: 1, Connected: 1, Taking: 1}); got != "" {
		t.Errorf("a free agent is waited for: %q", got)
	}
}

// TestHowAnAgentDoes tells by when it was heard of, and whether it is drained.
func TestHowAnAgentDoes(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	for want, c := range map[string]struct {
		a Agent
		p Pool
	}{
		Connected:            {Agent{Seen: now.Add(-silence)}, Pool{}},
		Gone:                 {Agent{Seen: now.Add(-silence - time.Second), Drained: true}, Pool{}},
		Draining:             {Agent{Seen: now, Drained: true}, Pool{}},
		Draining + " ":       {Agent{Seen: now, Leaving: true}, Pool{}},
		Draining + " by all": {Agent{Seen: now}, Pool{Drained: true}},
	} {
		if got := c.a.stateAt(now, c.p); !strings.HasPrefix(want, got) {
			t.Errorf("%+v of %+v is %s, want %s", c.a, c.p, got, want)
		}
	}
}

// TestWhatAnAgentSaysOfItselfIsBounded refuses names and texts that others would have to show.
func TestWhatAnAgentSaysOfItselfIsBounded(t *testing.T) {
	t.Parallel()
	good := Greeting{Name: "rack-1", Home: "home-1234", Life: "life-1234", About: About{Version: "1.0", System: "linux/amd64", Executor: "process", Parallel: 2, Tools: []string{"go"}}}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(g *Greeting){
		"no name":         func(g *Greeting) { g.Name = "" },
		"a path":          func(g *Greeting) { g.Name = "../one" },
		"a slash":         func(g *Greeting) { g.Name = "one/two" },
		"a long name":     func(g *Greeting) { g.Name = strings.Repeat("x", 64) },
		"no home":         func(g *Greeting) { g.Home = "" },
		"no life":         func(g *Greeting) { g.Life = "" },
		"a long life":     func(g *Greeting) { g.Life = strings.Repeat("x", 65) },
		"no parallel":     func(g *Greeting) { g.About.Parallel = 0 },
		"much parallel":   func(g *Greeting) { g.About.Parallel = 1001 },
		"many tools":      func(g *Greeting) { g.About.Tools = make([]string, 101) },
		"a long version":  func(g *Greeting) { g.About.Version = strings.Repeat("x", 201) },
		"a host of lines": func(g *Greeting) { g.About.Host = "a\nb" },
		"a tool of bells": func(g *Greeting) { g.About.Tools = []string{"\a"} },
	} {
		g := good
		change(&g)
		if err := g.check(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s is taken: %v", what, err)
		}
	}
}

// TestNamesOfPools reads what documents write.
func TestNamesOfPools(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"eu": "team/eu", "Other/EU": "other/eu", "workerpool:a/b": "a/b"} {
		if got, err := Name(text, "team"); err != nil || got != want {
			t.Errorf("%q is the pool %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"component:a/b", "a/b/c", "a b", ":"} {
		if got, err := Name(text, "team"); err == nil {
			t.Errorf("%q is the pool %q", text, got)
		}
	}
}
