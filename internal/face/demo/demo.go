package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/client"
)

// Options say how the demo runs.
type Options struct {
	Program  string // the roadbed program, whose server is started
	Dir      string // to work in, new or empty, and kept; "" for one below the folder for temporary files, which is not
	Listen   string
	Database string
	Exit     bool // end when it is done, and leave nothing running or lying about
	Out      io.Writer
	Width    int // of a terminal, in columns; 0 where lines may be of any length
}

// limit bounds the whole story: cold caches compile Go's standard library once.
const limit = 20 * time.Minute

// Run does the main job and tells each step with its time. It fails at the first thing that does not happen, and with
// the error of ctx when that ends before the story does. Whichever way it ends, its server does too.
func Run(ctx context.Context, o Options) (err error) {
	dir, clear, err := folder(o.Dir)
	if err != nil {
		return err
	}
	t := &teller{out: o.Out, width: o.Width, began: time.Now()}
	defer func() {
		if err != nil && ctx.Err() == nil && !o.Exit {
			err = fmt.Errorf("%w\nwhat it did is kept in %s", err, dir)
			return
		}
		err = errors.Join(err, clear())
	}()
	story, stop := context.WithTimeout(ctx, limit)
	defer stop()
	t.chapter("A server on embedded defaults")
	s, err := start(story, o, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	defer func() {
		if ctx.Err() != nil {
			fmt.Fprintln(o.Out, "\nStopping.")
		}
	}()
	t.step("ready at %s, data in %s", s.url, dir)
	j := newJob(s, dir, t)
	if err := j.run(story); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w\nthe server's log ends with:\n%s", err, tail(s.log, 25))
	}
	t.done()
	if o.Exit {
		return nil
	}
	return stay(ctx, o, j)
}

// stay leaves all of it to the user, until ctx ends.
func stay(ctx context.Context, o Options, j *job) error {
	link, err := client.Post[client.SignInLink](ctx, j.admin, "/signin-links", map[string]string{"user": j.alice.ref})
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "\nIn the browser, signed in as %s (once, within ten minutes):\n  %s\n", j.alice.name, link.URL)
	fmt.Fprintf(o.Out, "The service itself:\n  curl %s\n", j.serviceURL)
	fmt.Fprintf(o.Out, "In another terminal:\n  export ROADBED_URL=%s ROADBED_TOKEN=%s\n  %s app list\n", j.server.url, j.alice.api.Token, o.Program)
	if o.Dir == "" {
		fmt.Fprintln(o.Out, "Press Ctrl-C to stop it and to remove what it made; --dir DIR keeps it.")
	} else {
		fmt.Fprintln(o.Out, "Press Ctrl-C to stop.")
	}
	select {
	case <-ctx.Done():
		return nil
	case <-j.server.ended:
		return fmt.Errorf("the server ended: %w; its log ends with:\n%s", j.server.err, tail(j.server.log, 15))
	}
}

// folder gives the folder to work in, and how to clear it away: one that was named is left as it is.
func folder(named string) (dir string, clear func() error, err error) {
	if named == "" {
		if dir, err = os.MkdirTemp("", "roadbed-demo-"); err != nil {
			return "", nil, err
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	if dir, err = filepath.Abs(named); err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	inside, err := os.ReadDir(dir)
	if err == nil && len(inside) > 0 {
		err = fmt.Errorf("%s is not empty; name a new folder", dir)
	}
	return dir, func() error { return nil }, err
}

// teller tells the story with the time of each step.
type teller struct {
	out      io.Writer
	width    int
	began    time.Time
	last     time.Time
	chapters int
}

func (t *teller) chapter(title string) {
	t.chapters++
	fmt.Fprintf(t.out, "\n%d. %s\n", t.chapters, title)
	t.last = time.Now()
}

func (t *teller) step(format string, args ...any) {
	now := time.Now()
	t.lines(fmt.Sprintf("   %7.2fs  ", now.Sub(t.last).Seconds()), "             ", fmt.Sprintf(format, args...))
	t.last = now
}

// quote shows words of a machine, indented.
func (t *teller) quote(text string) {
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		t.lines("             │ ", "             │ ", line)
	}
}

// lines writes text after a margin, on as many lines as the terminal's width asks for, the others after a margin of
// their own.
func (t *teller) lines(margin, others, text string) {
	room := math.MaxInt
	if t.width > 0 {
		room = max(20, t.width-utf8.RuneCountInString(others))
	}
	for _, line := range wrapped(text, room) {
		fmt.Fprintln(t.out, margin+line)
		margin = others
	}
}

// wrapped breaks text into lines of at most room characters: between words, and inside those that no line holds.
func wrapped(text string, room int) (lines []string) {
	rest := []rune(strings.TrimRight(text, " "))
	for len(rest) > room {
		cut := room
		for cut > 0 && rest[cut] != ' ' {
			cut--
		}
		word := slices.Index(rest[cut+1:], ' ')
		if word < 0 {
			word = len(rest) - cut - 1
		}
		if cut == 0 || word > room {
			cut = room
		}
		lines = append(lines, strings.TrimRight(string(rest[:cut]), " "))
		rest = []rune(strings.TrimLeft(string(rest[cut:]), " "))
	}
	return append(lines, string(rest))
}

func (t *teller) done() {
	fmt.Fprintf(t.out, "\nDone: from a golden path to a service in production, changed and rolled back, in %.1fs.\n", time.Since(t.began).Seconds())
}
