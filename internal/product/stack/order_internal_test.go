package stack

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestAChoiceIsOfThePlan(t *testing.T) {
	t.Parallel()
	p := Plan{Changes: []Change{
		{Address: "aws_instance.web[0]", Mode: "managed", Before: map[string]any{}},
		{Address: "aws_instance.new", Mode: "managed"},
		{Address: `module.net.aws_subnet.all["a b"]`, Mode: "managed", Before: map[string]any{}},
		{Address: "data.aws_ami.base", Mode: "data", Before: map[string]any{}},
	}}
	many := make([]string, mostChosen+1)
	for i := range many {
		many[i] = "aws_instance.web"
	}
	for name, one := range map[string]struct {
		ask  Replan
		want fault.Kind
	}{
		"a resource, an instance and a module": {Replan{Targets: []string{"aws_instance.web", "aws_instance.web[0]", "module.net", `module.net.aws_subnet.all["a b"]`}}, 0},
		"one that is made anew":                {Replan{Replace: []string{"aws_instance.web[0]"}}, 0},
		"nothing":                              {Replan{}, fault.Invalid},
		"what the plan has not":                {Replan{Targets: []string{"aws_instance.db"}}, fault.Invalid},
		"half a name":                          {Replan{Targets: []string{"aws_instance.we"}}, fault.Invalid},
		"an option":                            {Replan{Targets: []string{"-destroy"}}, fault.Invalid},
		"a line break":                         {Replan{Targets: []string{"aws_instance.web\n-destroy"}}, fault.Invalid},
		"what is not there made anew":          {Replan{Replace: []string{"aws_instance.new"}}, fault.Invalid},
		"a whole module made anew":             {Replan{Replace: []string{"module.net"}}, fault.Invalid},
		"data made anew":                       {Replan{Replace: []string{"data.aws_ami.base"}}, fault.Invalid},
		"too many":                             {Replan{Targets: many}, fault.TooLarge},
		"a long one":                           {Replan{Targets: []string{strings.Repeat("a", addressLimit+1)}}, fault.Invalid},
	} {
		if err := one.ask.check(p); one.want == 0 && err != nil || one.want != 0 && !fault.Is(err, one.want) {
			t.Errorf("%s: %v, want %v", name, err, one.want)
		}
	}
}

func TestWhoChoosesIsAnAuthor(t *testing.T) {
	t.Parallel()
	in := Input{Authors: []string{"alice"}}
	r := run.Run{Actor: "alice", Output: []byte(`{"replan": {"targets": ["a.b"], "by": ["bob", "alice"]}}`)}
	if got := strings.Join(in.authorsOf(r), " "); got != "alice bob" {
		t.Errorf("the authors are %s", got)
	}
	if got := strings.Join(in.Authors, " "); got != "alice" {
		t.Errorf("the input has %s then", got)
	}
	if again := replanOf(&run.Run{Output: []byte(`{}`)}); again.partial() || again != nil {
		t.Errorf("a run without a choice has %+v", again)
	}
}

func TestAReplanTakesThePlaceOfWhatAnUploadAsked(t *testing.T) {
	t.Parallel()
	up := &Upload{Targets: []string{"a.b", "a.c"}, NoRefresh: true}
	next := up.chosen(&Replan{Targets: []string{"a.c"}})
	if strings.Join(next.Targets, " ") != "a.c" || !next.NoRefresh || len(up.Targets) != 2 {
		t.Errorf("it asks for %+v, after %+v", next, up)
	}
	if up.chosen(nil) != up || (*Upload)(nil).chosen(nil) != nil {
		t.Error("without a replan it is another")
	}
}

func TestWhatAPushTouches(t *testing.T) {
	t.Parallel()
	p := between([]string{"stacks/a/eu/main.tf", "modules/net/v1/main.tf", "README.md"})
	for _, one := range []struct {
		path  string
		watch []string
		want  bool
	}{
		{"stacks/a/eu", nil, true},
		{"stacks/a", nil, true},
		{"stacks/a/e", nil, false},
		{"stacks/b", nil, false},
		{"", nil, true},
		{"stacks/b", []string{"modules/**"}, true},
		{"stacks/b", []string{"modules/net/**"}, true},
		{"stacks/b", []string{"modules/net/*"}, false},
		{"stacks/b", []string{"modules/db/**", "*.md"}, true},
		{"stacks/b", []string{"modules/db/**"}, false},
	} {
		if got := p.touches(Stack{Path: one.path, Spec: Spec{Watch: one.watch}}); got != one.want {
			t.Errorf("folder %q with %q: %t", one.path, one.watch, got)
		}
	}
	if !(&pushed{all: true}).touches(Stack{Path: "x"}) {
		t.Error("what can't be compared touches nothing")
	}
}
