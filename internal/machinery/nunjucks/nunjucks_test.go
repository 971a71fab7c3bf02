package nunjucks_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func engine(t testing.TB, options nunjucks.Options) *nunjucks.Engine {
	t.Helper()
	e, err := nunjucks.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func open(t testing.TB, e *nunjucks.Engine, style nunjucks.Style) *nunjucks.Session {
	t.Helper()
	s, err := e.Open(context.Background(), style)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestRender(t *testing.T) {
	t.Parallel()
	values := map[string]any{"values": map[string]any{"name": "shop", "tags": []any{"a", "b"}, "port": 8080, "html": "<b>", "constructor": "acme"}}
	e := engine(t, nunjucks.Options{})
	for _, c := range []struct{ in, want string }{
		{"name: ${{ values.name }}", "name: shop"},
		{"${{ values.missing }}|${{ missing.deeper }}", "|"},
		{"${{ values.html }}", "<b>"},
		{"{{ argo }} {{tasks.x.outputs.result}} ${{ values.port + 1 }}", "{{ argo }} {{tasks.x.outputs.result}} 8081"},
		{"{% for t in values.tags %}${{ loop.index }}${{ t }} {% endfor %}", "1a 2b "},
		{"{# gone #}x", "x"},
		{"{% raw %}${{ kept }}{% endraw %}", "${{ kept }}"},
		{"${{ '${{' }} x ${{ '}}' }}", "${{ x }}"},
		{"${{ values.tags | dump }}", `["a","b"]`},
		{"${{ values.constructor }}", "acme"},
		{"${{ 'aab' | replace(r/a+/, 'x') }}", "xb"},
		{"${{ 'a-b' .split('-') | join('+') }}", "a+b"},
	} {
		got, err := e.Render(context.Background(), c.in, values)
		if err != nil || got != c.want {
			t.Errorf("Render(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestValueKeepsTypes(t *testing.T) {
	t.Parallel()
	values := map[string]any{"parameters": map[string]any{
		"count": 3, "on": true, "list": []any{"a", 1.0}, "map": map[string]any{"k": "v"}, "nil": nil, "empty": "", "text": "3",
	}}
	s := open(t, engine(t, nunjucks.Options{}), nunjucks.Style{})
	for _, c := range []struct {
		in   string
		want any
	}{
		{"${{ parameters.count }}", 3.0},
		{"${{ parameters.count + 1 }}", 4.0},
		{"${{ parameters.on }}", true},
		{"${{ parameters.list }}", []any{"a", 1.0}},
		{"${{ parameters.map }}", map[string]any{"k": "v"}},
		{"${{ parameters.nil }}", nil},
		{"${{ parameters.empty }}", ""},
		{"${{ parameters.text }}", "3"},
		{"${{ parameters.missing }}", nunjucks.Undefined},
		{"${{ parameters.missing.deeper }}", nunjucks.Undefined},
		{"${{ parameters.toString }}", nunjucks.Undefined},
		{"${{ parameters.list.length }}", 2.0},
		{"${{ parameters.map.k }}", "v"},
		{"${{ missing.x }}", nunjucks.Undefined},
		{"${{\n  parameters.count\n}}", 3.0},
		{"${{ parameters.count }} ", "3 "},
		{"${{ parameters.count }}${{ parameters.count }}", "33"},
		{"{% if parameters.on %}1{% endif %}", "1"},
		{"plain", "plain"},
	} {
		got, err := s.Value(context.Background(), c.in, values)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("Value(%q) = %#v, %v; want %#v", c.in, got, err, c.want)
		}
	}
}

func TestErrorsTellThePlace(t *testing.T) {
	t.Parallel()
	s := open(t, engine(t, nunjucks.Options{Filters: map[string]nunjucks.Func{
		"picky": func([]any) (any, error) { return nil, errors.New("wants a name") },
	}}), nunjucks.Style{})
	for _, c := range []struct {
		in           string
		line, column int
		message      string
	}{
		{"a\nb ${{ x | nosuch }}", 2, 11, "filter not found: nosuch"},
		{"a\n\n  {% if x %}", 3, 13, ""},
		{"a\n${{ x ", 2, 7, "expected variable end"},
		{"a\n\n ${{ x() }}", 3, 7, "Unable to call `x`"},
		{"a\n\n ${{ 1 | picky }}", 3, 0, "picky: wants a name"},
		{"{% nosuch %}", 1, 4, "unknown block tag: nosuch"},
		{`{% include "/etc/passwd" %}`, 1, 0, "template not found"},
	} {
		_, err := s.Render(context.Background(), c.in, nil)
		details := fault.Details(err)
		if !fault.Is(err, fault.Invalid) || len(details) != 1 {
			t.Errorf("Render(%q) fails with %v; want one invalid place", c.in, err)
			continue
		}
		d := details[0]
		if (c.line != 0 && d.Line != c.line) || (c.column != 0 && d.Column != c.column) || !strings.Contains(d.Message, c.message) {
			t.Errorf("Render(%q) fails with %v; want %d:%d %s", c.in, d, c.line, c.column, c.message)
		}
	}
}

func TestFiltersAndGlobalsFromGo(t *testing.T) {
	t.Parallel()
	e := engine(t, nunjucks.Options{
		Filters: map[string]nunjucks.Func{
			"shout": func(args []any) (any, error) { return strings.ToUpper(fmt.Sprint(args...)), nil },
			"pick": func(args []any) (any, error) {
				m, _ := args[0].(map[string]any)
				if v, ok := m[args[1].(string)]; ok {
					return v, nil
				}
				return nunjucks.Undefined, nil
			},
		},
		Functions: map[string]nunjucks.Func{"pair": func(args []any) (any, error) { return args, nil }},
		Globals:   map[string]any{"company": map[string]any{"name": "acme"}},
	})
	got, err := e.Render(context.Background(), "${{ 'a' | shout }} ${{ {k: {x: 1} } | pick('k') | dump }}${{ { } | pick('k') }} ${{ pair(1, 'b') | dump }} ${{ company.name }}", nil)
	if want := `A {"x":1} [1,"b"] acme`; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestStyles(t *testing.T) {
	t.Parallel()
	e := engine(t, nunjucks.Options{})
	values := map[string]any{"cookiecutter": map[string]any{"name": "shop"}, "values": map[string]any{"on": true}}
	for _, c := range []struct {
		style    nunjucks.Style
		in, want string
	}{
		{nunjucks.Style{Cookiecutter: true}, "{{ cookiecutter.name }} {{ cookiecutter | jsonify }} {{ 'abc'[0:2] | join }} {{ True }}", `shop {"name":"shop"} ab true`},
		{nunjucks.Style{TrimBlocks: true}, "{% if values.on %}\nx\n{% endif %}\ny", "x\ny"},
		{nunjucks.Style{TrimBlocks: true, LstripBlocks: true}, "a\n  {% if values.on %}\nx\n  {% endif %}\ny", "a\nx\ny"},
	} {
		got, err := open(t, e, c.style).Render(context.Background(), c.in, values)
		if err != nil || got != c.want {
			t.Errorf("%+v: Render(%q) = %q, %v; want %q", c.style, c.in, got, err, c.want)
		}
	}
}

func TestManySessionsAtOnce(t *testing.T) {
	t.Parallel()
	e := engine(t, nunjucks.Options{Limits: nunjucks.Limits{Parallel: 3}})
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			got, err := e.Render(context.Background(), "${{ n * 2 }}", map[string]any{"n": i})
			if want := fmt.Sprint(i * 2); err != nil || got != want {
				t.Errorf("got %q, %v; want %s", got, err, want)
			}
		})
	}
	group.Wait()
}

func TestOpenGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	e := engine(t, nunjucks.Options{Limits: nunjucks.Limits{Parallel: 1}})
	held := open(t, e, nunjucks.Style{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Open(ctx, nunjucks.Style{}); !errors.Is(err, context.Canceled) {
		t.Errorf("opening with a canceled context gives %v", err)
	}
	held.Close()
	held.Close()
	open(t, e, nunjucks.Style{})
	if _, err := held.Render(context.Background(), "x", nil); err == nil {
		t.Error("a closed session renders")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := open(t, engine(t, nunjucks.Options{Limits: nunjucks.Limits{Template: 1000, Values: 100, Output: 50, Time: time.Minute}}), nunjucks.Style{})
	ctx := context.Background()
	if _, err := s.Render(ctx, strings.Repeat("x", 1001), nil); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a large template gives %v", err)
	}
	if _, err := s.Render(ctx, "x", map[string]any{"v": strings.Repeat("x", 100)}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("large values give %v", err)
	}
	if _, err := s.Render(ctx, "{% for i in range(51) %}x{% endfor %}", nil); !fault.Is(err, fault.TooLarge) {
		t.Errorf("large output gives %v", err)
	}
	if _, err := s.Value(ctx, "${{ range(51) }}", nil); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a large value gives %v", err)
	}
	if got, err := s.Render(ctx, "fine", nil); err != nil || got != "fine" {
		t.Errorf("after refusals a template gives %q, %v", got, err)
	}
}
