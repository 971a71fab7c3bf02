package worker

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func announcedText(t interface{ Fatal(...any) }, secrets []string, pieces ...string) (string, *announced) {
	var b bytes.Buffer
	a := announce(&b, secrets)
	for _, p := range pieces {
		if n, err := a.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), a
}

// What a line names is hidden from there on, in all of its forms; what does not name stays as it is.
func TestAValueThatIsNamedIsHiddenFromThenOn(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte("password-1"))
	for name, c := range map[string]struct{ in, want string }{
		"a word":            {"password-1\n::add-mask password-1\nit is password-1!\n", "password-1\n::add-mask ***\nit is ***!\n"},
		"as GitHub":         {"::add-mask::password-1\r\npassword-1\n", "::add-mask ***\n***\n"},
		"with blanks":       {"::add-mask  two words \na two words b\n", "::add-mask ***\na *** b\n"},
		"in base64":         {"::add-mask password-1\n" + encoded + "\n", "::add-mask ***\n***==\n"},
		"without an end":    {"::add-mask password-1", "::add-mask ***\n"},
		"within a line":     {"echo ::add-mask password-1\npassword-1\n", "echo ::add-mask password-1\npassword-1\n"},
		"another word":      {"::add-masks password-1\npassword-1", "::add-masks password-1\npassword-1"},
		"too short":         {"::add-mask ab\nab\n", "::add-mask: the value is too short to be hidden\nab\n"},
		"nothing":           {"::add-mask\n\n", "::add-mask: the value is too short to be hidden\n\n"},
		"only a beginning":  {"::add\n::", "::add\n::"},
		"a secret as well":  {"known ::add-mask\n::add-mask known\n", "*** ::add-mask\n::add-mask ***\n"},
		"a long other line": {strings.Repeat("x", 3*mostMask) + "\n", strings.Repeat("x", 3*mostMask) + "\n"},
		"too long":          {"::add-mask " + strings.Repeat("y", 2*mostMask) + "\nz\n", "::add-mask: the value is too long to be hidden from here on\nz\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, _ := announcedText(t, []string{"known"}, c.in); got != c.want && name != "in base64" {
				t.Errorf("%.200q, want %.200q", got, c.want)
			} else if name == "in base64" && strings.Contains(got, encoded[2:10]) {
				t.Errorf("%q shows what was named", got)
			}
		})
	}
}

// However the text is cut, the same comes out, and a value that was named is nowhere after that.
func TestNamesAcrossBorders(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.OneOf(rapid.SampledFrom([]string{"::add-mask ", "::add-mask::", "abc", "\n", "::", "secret"}), rapid.StringMatching(`[a-c:\n -]{0,8}`))
		pieces := rapid.SliceOfN(piece, 1, 12).Draw(t, "pieces")
		cut, _ := announcedText(t, nil, pieces...)
		whole, a := announcedText(t, nil, strings.Join(pieces, ""))
		if cut != whole {
			t.Fatalf("in pieces %q, whole %q", cut, whole)
		}
		for _, s := range a.added {
			if _, after, ok := strings.Cut(whole, addMask+" ***\n"); ok && len(a.added) == 1 && strings.Contains(after, s) {
				t.Fatalf("%q is left in %q", s, after)
			}
		}
	})
}

// What a step names is taken out of what it gives, too, and told to the steps after it.
func TestWhatIsNamedIsInNoResult(t *testing.T) {
	t.Parallel()
	_, a := announcedText(t, nil, "::add-mask password-1\n")
	got := a.hide(Result{Message: "is password-1", Outputs: map[string]string{"o": "password-1", "p": "q"}})
	if got.Message != "is ***" || got.Outputs["o"] != "***" || got.Outputs["p"] != "q" || got.Given().Outputs["o"] != "password-1" {
		t.Errorf("%+v", got)
	}
	if len(got.Clear.Secrets) != 1 || got.Clear.Secrets[0] != "password-1" {
		t.Errorf("the steps after it hide %q", got.Clear.Secrets)
	}
}
