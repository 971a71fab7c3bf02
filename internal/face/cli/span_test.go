package cli

import (
	"testing"
	"time"
)

func TestATimeIsReadAsPeopleSayIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		d    time.Duration
		said string
	}{
		"30m": {30 * time.Minute, "30m"}, "2h": {2 * time.Hour, "2h"}, "1h30m": {90 * time.Minute, "1h30m"}, "90s": {90 * time.Second, "1m30s"}, "100m": {100 * time.Minute, "1h40m"},
		"10s": {10 * time.Second, "10s"}, "7d": {168 * time.Hour, "7d"}, "2w": {336 * time.Hour, "14d"}, "1d": {24 * time.Hour, "24h"},
	} {
		var s span
		if err := s.Set(text); err != nil || time.Duration(s) != want.d || s.String() != want.said {
			t.Errorf("%s is %s as %s, %v; want %s as %s", text, time.Duration(s), s.String(), err, want.d, want.said)
		}
	}
	for _, text := range []string{"", "7", "d", "-1d", "0s", "0d", "1.5d", "999999999d", "soon"} {
		var s span
		if err := s.Set(text); err == nil {
			t.Errorf("%q is %s", text, time.Duration(s))
		}
	}
}

func TestHelpIsWrapped(t *testing.T) {
	t.Parallel()
	got := wrap("one two\nthree\n\n  as it stands, whatever its length\nfour fünf", 9)
	if want := "one two\nthree\n\n  as it stands, whatever its length\nfour fünf"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := wrap("one two three four", 9); got != "one two\nthree\nfour" {
		t.Errorf("got %q", got)
	}
}
