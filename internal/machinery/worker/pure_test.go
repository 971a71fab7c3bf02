package worker

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestNoJobGetsPastThePoolsMost(t *testing.T) {
	t.Parallel()
	w := New(Options{
		Limits: execute.Limits{Memory: 2 << 30, CPU: 500, Time: 2 * time.Hour},
		Most:   execute.Limits{Memory: 4 << 30, CPU: 1000, Time: time.Hour, Processes: 100, Disk: 1 << 30},
	})
	for _, c := range []struct{ job, want execute.Limits }{
		{execute.Limits{}, execute.Limits{Memory: 2 << 30, CPU: 500, Time: time.Hour, Processes: 100, Output: 64 << 20, Disk: 1 << 30}},
		{
			execute.Limits{Memory: 1 << 40, CPU: 64000, Time: 1000 * time.Hour, Processes: 1 << 20, Output: 1 << 40, Disk: 1 << 40},
			execute.Limits{Memory: 4 << 30, CPU: 1000, Time: time.Hour, Processes: 100, Output: 64 << 20, Disk: 1 << 30},
		},
		{
			execute.Limits{Memory: 1 << 20, CPU: 100, Time: time.Second, Processes: 5, Output: 10, Disk: 20},
			execute.Limits{Memory: 1 << 20, CPU: 100, Time: time.Second, Processes: 5, Output: 10, Disk: 20},
		},
		{execute.Limits{Memory: -1, CPU: -1, Time: -1}, execute.Limits{Memory: 4 << 30, CPU: 1000, Time: time.Hour, Processes: 100, Output: 64 << 20, Disk: 1 << 30}},
	} {
		if got := w.limits(c.job); got != c.want {
			t.Errorf("limits of %+v are %+v, want %+v", c.job, got, c.want)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	small := bounds{bytes: 1000, entries: 20, depth: 10}
	for name, c := range map[string]struct {
		kind    fault.Kind
		entries []entry
	}{
		"absolute":       {fault.Invalid, []entry{{name: "/etc/x"}}},
		"up":             {fault.Invalid, []entry{{name: "a/../../x"}}},
		"absolute link":  {fault.Invalid, []entry{{name: "l", link: "/etc", kind: tar.TypeSymlink}}},
		"link up":        {fault.Invalid, []entry{{name: "a/l", link: "../../x", kind: tar.TypeSymlink}}},
		"hard link up":   {fault.Invalid, []entry{{name: "l", link: "../x", kind: tar.TypeLink}}},
		"device":         {fault.Invalid, []entry{{name: "d", kind: tar.TypeChar}}},
		"pipe":           {fault.Invalid, []entry{{name: "p", kind: tar.TypeFifo}}},
		"large":          {fault.TooLarge, []entry{{name: "a", content: strings.Repeat("x", 600)}, {name: "b", content: strings.Repeat("x", 600)}}},
		"deep":           {fault.TooLarge, []entry{{name: strings.Repeat("d/", 20) + "x"}}},
		"many":           {fault.TooLarge, make([]entry, 30)},
		"through a link": {fault.Internal, []entry{{name: "a/b/", kind: tar.TypeDir}, {name: "l", link: "a/b", kind: tar.TypeSymlink}, {name: "a/b/up", link: "..", kind: tar.TypeSymlink}, {name: "l/up/../../x/../../../y", content: "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range c.entries {
				if c.entries[i].name == "" {
					c.entries[i].name = "e" + strings.Repeat("x", i)
				}
			}
			outer := t.TempDir()
			dir := filepath.Join(outer, "w")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			b := small
			err = unpack(root, ".", bytes.NewReader(tarOf(t, c.entries...)), &b)
			if err == nil || c.kind != fault.Internal && !fault.Is(err, c.kind) {
				t.Errorf("got %v", err)
			}
			if left, _ := os.ReadDir(outer); len(left) != 1 {
				t.Errorf("something was written outside: %v", left)
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("no tar"))
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "a/l", Linkname: "b", Typeflag: tar.TypeSymlink})
	_ = w.WriteHeader(&tar.Header{Name: "a/l/x", Size: 1})
	_, _ = w.Write([]byte("x"))
	w.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "w")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		limits := bounds{bytes: 1 << 16, entries: 50, depth: 20}
		_ = unpack(root, ".", bytes.NewReader(data), &limits)
		if left, _ := os.ReadDir(outer); len(left) != 1 {
			t.Fatalf("something was written outside: %v", left)
		}
	})
}

func TestMaskerForms(t *testing.T) {
	t.Parallel()
	secret := `p@ss "word"/+1`
	var b bytes.Buffer
	m := NewMasker(&b, []string{secret, "ab", "-----BEGIN KEY-----\nMIIBOwIBAAJBAL\n-----END KEY-----\n", ""})
	for _, line := range []string{
		"plain " + secret, "query p%40ss+%22word%22%2F%2B1", `json {"p":"p@ss \"word\"/+1"}`,
		"base64 cEBzcyAid29yZCIvKzE=", "basic dXNlcjpwQHNzICJ3b3JkIi8rMQ==", "line MIIBOwIBAAJBAL", "short ab stays",
	} {
		if _, err := m.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	m.Close()
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines[:6] {
		if !strings.Contains(line, "***") || strings.Contains(line, "word") || strings.Contains(line, "MIIB") {
			t.Errorf("line %d is %q", i, line)
		}
	}
	if lines[6] != "short ab stays" {
		t.Errorf("the last line is %q", lines[6])
	}
}

// A key that is too long for a line is wrapped by base64, xxd and the like.
func TestMaskerKnowsWhatProgramsPrint(t *testing.T) {
	t.Parallel()
	const key = `{"key":"` + "a<b>&'c'" + `","more":"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"}`
	encoded := base64.StdEncoding.EncodeToString([]byte("user::" + key + ":tail"))
	wrapped := encoded[:76] + "\n" + encoded[76:]
	early := encoded[:10] + "\n" + encoded[10:] // the key begins at 8
	indented := encoded[:64] + "\r\n    " + encoded[64:]
	shell := strings.ReplaceAll(key, "'", `'\''`)
	quoted := strings.ReplaceAll(key, `"`, `\"`) // as jq and Python print it: < > & stay
	for name, text := range map[string]string{
		"plain": key, "wrapped": wrapped, "wrapped early": early, "indented": indented, "shell": shell, "json": quoted, "html": html.EscapeString(key),
		"hex": hex.EncodeToString([]byte(key)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(key))),
	} {
		for _, size := range []int{1, 7, 50, len(text)} {
			var b bytes.Buffer
			m := NewMasker(&b, []string{key})
			for piece := range slices.Chunk([]byte("before "+text+" after"), size) {
				if _, err := m.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			got := b.String()
			if !strings.Contains(got, "***") || len(got) > 40 || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
				t.Errorf("%s in pieces of %d: %q", name, size, got)
			}
		}
	}
}

// Engines break what they warn of between words, and frame it.
func TestMaskerKnowsWhereWordsAreBrokenApart(t *testing.T) {
	t.Parallel()
	const secret = "correct horse\tbattery #staple │ |x"
	for name, text := range map[string]string{
		"plain": secret, "flat": "correct horse battery #staple │ |x", "wrapped": "correct\nhorse battery\n#staple │\n|x", "dos": "correct horse\r\nbattery #staple\r\n│ |x",
		"framed": "correct horse\n│ battery #staple │ |x", "indented": "correct\n  | horse\n  |   battery\n  | #staple\n  | │ |x", "commented": "correct\n# horse\n# battery #staple │ |x",
		"colored":  "correct horse\n\x1b[31m│\x1b[0m \x1b[0m\x1b[1;33mbattery #staple │ |x",
		"by blank": "correct horse\n\n│\n│ battery #staple │ |x",
	} {
		for _, size := range []int{1, 7, len(text) + 20} {
			var b bytes.Buffer
			m := NewMasker(&b, []string{secret})
			for piece := range slices.Chunk([]byte("│ before "+text+" after\n"), size) {
				if _, err := m.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != "│ before *** after\n" {
				t.Errorf("%s in pieces of %d: %q", name, size, got)
			}
		}
	}
	for _, other := range []string{
		"correct horse", "correct horse battery staple", "correct|horse battery #staple │ |x", "correcthorse battery #staple │ |x",
		"correct " + strings.Repeat(" ", maxBetween) + "horse battery #staple │ |x", "correct\n\x1b[2Jhorse battery #staple │ |x", "correct\n\x1b[", "correct\n\xe2\x94", "correct\n",
	} {
		if got := Masked(other, []string{secret, "a\nb"}); got != other {
			t.Errorf("%q becomes %q", other, got)
		}
	}
	// Of a key of several lines, the last is short.
	const key = "-----BEGIN KEY-----\nMIIBOwIBAAJBAL\nAbC=\n-----END KEY-----\n"
	if got := Masked("│ "+strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n│ ")+"\n", []string{key}); got != "│ ***\n" {
		t.Errorf("of a framed key this is shown: %q", got)
	}
}

// However a text is cut, it is masked as in one piece, no secret is left in it, and nothing else is lost.
func TestMaskerAcrossBorders(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[abc\n]{0,60}`)
		secrets := rapid.SliceOfN(rapid.StringMatching(`[abc]{3,8}`), 1, 4).Draw(t, "secrets")
		pieces := rapid.SliceOfN(text, 1, 6).Draw(t, "pieces")
		mask := func(pieces ...string) string {
			var b bytes.Buffer
			m := NewMasker(&b, secrets)
			for _, p := range pieces {
				if n, err := m.Write([]byte(p)); n != len(p) || err != nil {
					t.Fatalf("write: %d, %v", n, err)
				}
			}
			m.Close()
			return b.String()
		}
		cut, whole := mask(pieces...), mask(strings.Join(pieces, ""))
		if cut != whole {
			t.Fatalf("in pieces %q, whole %q", cut, whole)
		}
		for _, s := range secrets {
			if strings.Contains(whole, s) {
				t.Fatalf("%q is left in %q", s, whole)
			}
		}
		if strings.Count(whole, "\n") != strings.Count(strings.Join(pieces, ""), "\n") {
			t.Fatalf("lines were lost: %q", whole)
		}
	})
}
