package nunjucks

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/dop251/goja"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed js/nunjucks.js
var nunjucksSource string

//go:embed js/guard.js
var guardSource string

// Func is a filter or a global function of templates. Arguments and result are what encoding/json gives and takes:
// nil, bool, float64, string, []any, map[string]any. A filter's first argument is the value before the bar.
// Undefined as a result is "not there" rather than null.
type Func func(args []any) (any, error)

type undefined struct{}

// Undefined is the result of a Func that has none.
var Undefined any = undefined{}

// Options are what all templates of an engine share.
type Options struct {
	Filters   map[string]Func
	Functions map[string]Func // global functions
	Globals   map[string]any  // global values
	Limits    Limits
}

// Limits bound one render. Zero fields take the defaults.
type Limits struct {
	Time     time.Duration // wall clock; 10 s
	Template int           // bytes of a template; 1 MB
	Values   int           // bytes of the values as JSON; 8 MB
	Output   int           // bytes of the result; 4 MB
	Budget   int           // bytes of all text and lists made on the way; 32 MB
	Depth    int           // nesting of values and of the template's syntax; 400
	Parallel int           // sessions at once, the rest wait; twice the processors
}

func (l *Limits) setDefaults() {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	if l.Time <= 0 {
		l.Time = 10 * time.Second
	}
	set(&l.Template, 1<<20)
	set(&l.Values, 8<<20)
	set(&l.Output, 4<<20)
	set(&l.Budget, 32<<20)
	set(&l.Depth, 400)
	set(&l.Parallel, 2*runtime.GOMAXPROCS(0))
}

// Engine makes sessions. It may be used by many goroutines at once.
type Engine struct {
	options   Options
	filters   string // JSON list of names
	functions string
	globals   string // JSON object
	programs  func() (programs, error)
	slots     chan struct{}
}

type programs struct{ nunjucks, guard *goja.Program }

// New gives an engine. Nothing is compiled before the first session, so that it costs nothing at the start of the server.
func New(options Options) (*Engine, error) {
	options.Limits.setDefaults()
	globals, err := json.Marshal(options.Globals)
	if err != nil {
		return nil, fmt.Errorf("encode the globals of templates: %w", err)
	}
	if options.Globals == nil {
		globals = []byte("{}")
	}
	e := &Engine{
		options:   options,
		filters:   names(options.Filters),
		functions: names(options.Functions),
		globals:   string(globals),
		slots:     make(chan struct{}, options.Limits.Parallel),
	}
	e.programs = sync.OnceValues(compilePrograms)
	return e, nil
}

func names(funcs map[string]Func) string {
	list := slices.Sorted(maps.Keys(funcs))
	if list == nil {
		list = []string{}
	}
	encoded, _ := json.Marshal(list) // strings always encode
	return string(encoded)
}

func compilePrograms() (programs, error) {
	library, err := goja.Compile("nunjucks.js", nunjucksSource, false)
	if err != nil {
		return programs{}, fmt.Errorf("compile nunjucks: %w", err)
	}
	guard, err := goja.Compile("guard.js", guardSource, true)
	if err != nil {
		return programs{}, fmt.Errorf("compile the guard of templates: %w", err)
	}
	return programs{library, guard}, nil
}

// Style is how a group of templates is written.
type Style struct {
	Cookiecutter bool // {{ }} for variables, the filter jsonify, and the names and methods of Jinja
	TrimBlocks   bool // the newline after a block's tag is removed
	LstripBlocks bool // the white space before a block's tag is removed
}

// Render renders one template with the ordinary style, in a session of its own.
func (e *Engine) Render(ctx context.Context, template string, values map[string]any) (string, error) {
	s, err := e.Open(ctx, Style{})
	if err != nil {
		return "", err
	}
	defer s.Close()
	return s.Render(ctx, template, values)
}

// Open gives a session. It waits for a free place when too many are open; the caller must Close it.
func (e *Engine) Open(ctx context.Context, style Style) (*Session, error) {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &Session{engine: e, style: style}, nil
}

// interpreter is nunjucks with its guard, for one session.
type interpreter struct {
	vm                   *goja.Runtime
	check, render, value goja.Callable
}

func (e *Engine) start(style Style) (*interpreter, error) {
	compiled, err := e.programs()
	if err != nil {
		return nil, err
	}
	in := &interpreter{vm: goja.New()}
	in.vm.SetMaxCallStackSize(4000)
	if _, err := in.vm.RunProgram(compiled.nunjucks); err != nil {
		return nil, fmt.Errorf("start nunjucks: %w", err)
	}
	guard, err := in.vm.RunProgram(compiled.guard)
	if err != nil {
		return nil, fmt.Errorf("start the guard of templates: %w", err)
	}
	build, _ := goja.AssertFunction(guard)
	renderer, err := build(goja.Undefined(), in.vm.Get("nunjucks"), e.host(in.vm), in.vm.ToValue(map[string]any{
		"compat": style.Cookiecutter, "trimBlocks": style.TrimBlocks, "lstripBlocks": style.LstripBlocks,
	}))
	if err != nil {
		return nil, fmt.Errorf("start the guard of templates: %w", err)
	}
	object := renderer.ToObject(in.vm)
	for name, into := range map[string]*goja.Callable{"check": &in.check, "render": &in.render, "value": &in.value} {
		*into, _ = goja.AssertFunction(object.Get(name))
	}
	return in, nil
}

// host is all that the interpreter gets of the outside.
func (e *Engine) host(vm *goja.Runtime) goja.Value {
	return vm.ToValue(map[string]any{
		"budget": e.options.Limits.Budget, "depth": e.options.Limits.Depth,
		"filters": e.filters, "functions": e.functions, "globals": e.globals,
		"checkPattern": func(pattern string) {
			if err := checkPattern(pattern); err != nil {
				panic(vm.NewGoError(err))
			}
		},
		"call": func(filter bool, name, args string) string {
			answer, err := e.call(filter, name, args)
			if err != nil {
				panic(vm.NewGoError(err))
			}
			return answer
		},
	})
}

// call runs a Func; "" is undefined.
func (e *Engine) call(filter bool, name, args string) (string, error) {
	fn := e.options.Functions[name]
	if filter {
		fn = e.options.Filters[name]
	}
	var decoded []any
	if err := json.Unmarshal([]byte(args), &decoded); err != nil {
		return "", fmt.Errorf("%s: read the arguments: %w", name, err)
	}
	answer, err := fn(decoded)
	if err != nil {
		return "", fmt.Errorf("%s: %s", name, fault.Message(known(err)))
	}
	if answer == Undefined {
		return "", nil
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return "", fmt.Errorf("%s: encode the result: %w", name, err)
	}
	return string(encoded), nil
}

// known lets a plain error of a Func be shown: Funcs are ours and speak of their arguments only.
func known(err error) error {
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	return fault.Errorf(fault.Invalid, "%s", err.Error())
}
