package nunjucks_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/nunjucks"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Each of these would give a template the power of JavaScript, or of another template's data.
func TestNoWayToJavaScript(t *testing.T) {
	t.Parallel()
	e := engine(t, nunjucks.Options{})
	for _, style := range []nunjucks.Style{{}, {Cookiecutter: true}} {
		for _, in := range []string{
			`${{ "".constructor.constructor("return this")() }}`,
			`${{ range.constructor("return 1")() }}`,
			`${{ [].constructor.constructor("return 1")() }}`,
			`${{ ({}).__proto__.x }}${{ cycler.call() }}`,
			`${{ "a"[["constructor"]]["constructor"]("return 1")() }}`,
			`${{ ({}).__defineGetter__("x", range) }}`,
			`{% for a, "b\"); throw 1; (\"" in {x: 1} %}{% endfor %}`,
			`{% set "a\", 1); throw 1; (\"" = 2 %}`,
			`{% macro m("a\"=1) %}{% endmacro %}${{ m() }}`,
			`{% import "x" as "y" %}`,
			`${{ 1 is "a\");throw 1;(\"" }}`,
			"${{ a\";evil }}",
			"${{ a`x` }}",
			`${{ ({}).get("constructor").constructor("return 1")() }}`,
			`${{ ("x" | groupby("constructor")).constructor("return 1")() }}`,
			`${{ r/(a+)+(?=b)/.test("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac") }}`,
			`${{ "aaaa".match("(a)\\1") }}`,
			`${{ valueOf() }}`,
			`${{ valueOf().env.opts | dump }}`,
			`${{ toString() }}${{ hasOwnProperty("env") }}`,
			`${{ 1 is valueOf }}`,
		} {
			if style.Cookiecutter {
				in = strings.ReplaceAll(in, "${{", "{{")
			}
			s := open(t, e, style)
			got, err := s.Render(context.Background(), in, map[string]any{"a": "b"})
			s.Close()
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %s gives %q, %v; want a refusal", style, in, got, err)
			}
		}
	}
}

func TestHiddenNamesAreUndefined(t *testing.T) {
	t.Parallel()
	e := engine(t, nunjucks.Options{})
	got, err := e.Render(context.Background(),
		`${{ "".constructor }}${{ ({}).__proto__ }}${{ range.name }}${{ ({})["const" + "ructor"] }}${{ [].concat.constructor }}${{ valueOf }}${{ toString }}${{ __proto__ }}`+
			`{% set __proto__ = {polluted: "yes"} %}${{ polluted }}`, nil)
	if err != nil || got != "" {
		t.Errorf("hidden names give %q, %v", got, err)
	}
}

func TestNothingLeaksBetweenRenders(t *testing.T) {
	t.Parallel()
	s := open(t, engine(t, nunjucks.Options{}), nunjucks.Style{Cookiecutter: true})
	for _, in := range []string{
		`{{ ({}).get("__proto__").update({polluted: "yes"}) }}`,
		`{{ ({}).setdefault("__proto__", {}).update({polluted: "yes"}) }}`,
		`{% set polluted = "yes" %}{% macro polluted() %}yes{% endmacro %}`,
		`{{ v.update({polluted: "yes"}) }}`,
	} {
		_, _ = s.Render(context.Background(), in, map[string]any{"v": map[string]any{}}) // refusals are as good
		got, err := s.Render(context.Background(), `{{ polluted }}{{ ({}).polluted }}{{ v.polluted }}`, map[string]any{"v": map[string]any{}})
		if err != nil || got != "" {
			t.Errorf("after %s the next render sees %q, %v", in, got, err)
		}
	}
}

// Each of these asks for far more time or memory than a template may have, many in one native call.
func TestHugeTemplatesAreStopped(t *testing.T) {
	t.Parallel()
	limits := nunjucks.Limits{Time: 500 * time.Millisecond, Budget: 4 << 20}
	e := engine(t, nunjucks.Options{Limits: limits})
	doubling := func(step string) string {
		return `{% set x = "xxxxxxxxxx" %}{% set a = ["x"] %}{% for i in range(60) %}` + step + `{% endfor %}`
	}
	for _, in := range []string{
		`{% for i in range(1000000000) %}x{% endfor %}`,
		`${{ range(0, 1000000000000000000, 1) }}`,
		`${{ "x".repeat(1000000000) }}`,
		`${{ "x".padStart(1000000000, "ab") }}`,
		`${{ ("x".repeat(100000)).replaceAll("x", "y".repeat(100000)) }}`,
		`${{ ("x".repeat(100000)).replace(r/x/g, "$&$&$&$&".repeat(10000)) }}`,
		`${{ ("x".repeat(100000)) | replace("", "y".repeat(100000)) }}`,
		`${{ range(100000) | join("y".repeat(100000)) }}`,
		doubling(`{% set x = x + x %}`),
		doubling(`{% set x = x ~ x %}`),
		doubling(`{% set x %}${{ x }}${{ x }}{% endset %}`),
		doubling(`{% set x = x.concat(x) %}`),
		doubling(`{% set a = a.concat(a) %}`),
		doubling(`{% set a = [a, a] %}`) + `${{ a | dump }}`,
		doubling(`{% set a = [a, a] %}`) + `${{ a }}`,
		doubling(`{% set a = [a, a] %}`) + `${{ a.flat(100) }}`,
		doubling(`{% set a = [a, a] %}`) + `${{ a | sort }}`,
		`{% macro d(x) %}${{ d(x + x) }}{% endmacro %}${{ d("xx") }}`,
		`{% macro d(x) %}{% for i in range(1000) %}${{ d(x) }}{% endfor %}{% endmacro %}${{ d(1) }}`,
		`{% set a = [] %}${{ a.push(a) }}${{ a | dump }}`,
		`{% for i in range(100000) %}{% for j in range(100000) %}{% for k in range(100000) %}{% endfor %}{% endfor %}{% endfor %}`,
		strings.Repeat("${{ (", 1) + strings.Repeat("(", 100000) + "1",
		"${{ " + strings.Repeat("[", 3000) + strings.Repeat("]", 3000) + " }}",
		strings.Repeat("{% if 1 %}", 3000) + strings.Repeat("{% endif %}", 3000),
		`${{ "x" | center(100000000) }}`,
		`${{ "x\nx" | indent(100000000) }}`,
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		got, err := e.Render(ctx, in, nil)
		cancel()
		if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
			t.Errorf("%.90s gives %d bytes, %v; want a refusal", in, len(got), err)
		}
	}
}

// Each of these makes many small things out of few words, in far less time than a template may take.
func TestObjectsAndListsAreBilled(t *testing.T) {
	t.Parallel()
	e := engine(t, nunjucks.Options{Limits: nunjucks.Limits{Time: time.Minute, Budget: 512 << 10}})
	many := func(item string) string {
		var items strings.Builder
		for i := range 100 {
			items.WriteString(strings.ReplaceAll(item, "N", strconv.Itoa(i)) + ",")
		}
		return strings.TrimSuffix(items.String(), ",")
	}
	keep := `{% set all = [] %}`
	for _, c := range []struct {
		compat bool
		in     string
	}{
		{false, keep + `{% for i in range(TIMES) %}${{ all.push({` + many("kN: 1") + `}) }}{% endfor %}`},
		{false, keep + `{% for i in range(TIMES) %}${{ all.push([` + many("[]") + `]) }}{% endfor %}`},
		{false, `{% macro m() %}{% endmacro %}{% for i in range(TIMES) %}${{ m(` + many("kN=1") + `) }}{% endfor %}`},
		{false, `{% macro m() %}{% endmacro %}{% for i in range(TIMES) %}${{ m(` + many("1") + `) }}{% endfor %}`},
		{false, keep + `{% for i in range(TIMES) %}${{ all.push(range(100) | batch(1)) }}{% endfor %}`},
		{true, keep + `{% set big = {` + many("kN: 1") + `} %}{% for i in range(TIMES) %}{% set one = {} %}{{ one.update(big) }}{{ all.append(one) }}{% endfor %}`},
		{true, keep + `{% set big = {` + many("kN: 1") + `} %}{% for i in range(TIMES) %}{{ all.append(big.items()) }}{% endfor %}`},
		{true, `{{ "abc"[0:2:0] }}`},
		{true, `{{ "abc"[0:2:0.001] }}`},
		{true, `{{ "abc"["x":2] }}`},
	} {
		s := open(t, e, nunjucks.Style{Cookiecutter: c.compat})
		_, once := s.Render(context.Background(), strings.ReplaceAll(c.in, "TIMES", "1"), nil)
		got, err := s.Render(context.Background(), strings.ReplaceAll(c.in, "TIMES", "400"), nil)
		s.Close()
		if once != nil && strings.Contains(c.in, "TIMES") {
			t.Errorf("%.90s is refused where it is done once: %v", c.in, once)
		}
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "more text and lists") && !strings.Contains(err.Error(), "a slice needs") {
			t.Errorf("%.90s gives %d bytes, %v; want a refusal", c.in, len(got), err)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	e := engine(t, nunjucks.Options{
		Functions: map[string]nunjucks.Func{"started": func([]any) (any, error) { cancel(); return true, nil }},
		Limits:    nunjucks.Limits{Time: time.Hour},
	})
	_, err := e.Render(ctx, `{% set x = started() %}{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}`, nil)
	if !fault.Is(err, fault.Canceled) {
		t.Errorf("a canceled render gives %v", err)
	}
}

func FuzzRender(f *testing.F) {
	for _, seed := range []string{
		"${{ a.b | upper }}", "{% for x in list %}${{ x }}{% else %}none{% endfor %}", "{% macro m(a, b=1) %}x{% endmacro %}${{ m(1) }}",
		"{% set x = 1 %}{% if x is odd %}{# c #}{% endif %}", "${{ r/a/g }}", "{% raw %}${{{% endraw %}", "${{ 'a'[0:1] }}", "{%- call m() -%}{%- endcall -%}",
	} {
		f.Add(seed)
	}
	e := engine(f, nunjucks.Options{Limits: nunjucks.Limits{Time: time.Second, Budget: 1 << 20, Depth: 100}})
	f.Fuzz(func(t *testing.T, in string) {
		got, err := e.Render(context.Background(), in, map[string]any{"a": map[string]any{"b": "c"}, "list": []any{1.0, "x"}})
		if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
			t.Errorf("%q gives an unexpected error: %v", in, err)
		}
		if strings.Contains(got, "[native code]") && !strings.Contains(in, "native") {
			t.Logf("%q shows a function", in)
		}
	})
}
