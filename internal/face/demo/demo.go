package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// Options say how the demo runs.
type Options struct {
	Program  string // the roadbed program, whose server is started
	Dir      string // to work in; "" for a new one below the folder for temporary files
	Listen   string
	Database string
	Exit     bool // end when it is done, and leave nothing running or lying about
	Out      io.Writer
}

// limit bounds the whole story: cold caches compile Go's standard library once.
const limit = 20 * time.Minute

// Run does the main job and tells each step with its time. It fails at the first thing that does not happen.
func Run(ctx context.Context, o Options) error {
	dir := o.Dir
	var err error
	if dir == "" {
		if dir, err = os.MkdirTemp("", "roadbed-demo-"); err != nil {
			return err
		}
		if o.Exit {
			defer os.RemoveAll(dir)
		}
	} else if dir, err = filepath.Abs(dir); err != nil {
		return err
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	story, stop := context.WithTimeout(ctx, limit)
	defer stop()
	t := &teller{out: o.Out, began: time.Now()}
	t.chapter("A server on embedded defaults")
	s, err := start(story, o, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	t.step("ready at %s, data in %s", s.url, dir)
	j := newJob(s, dir, t)
	if err := j.run(story); err != nil {
		return fmt.Errorf("%w\nthe server's log ends with:\n%s", err, tail(s.log, 25))
	}
	t.done()
	if o.Exit {
		return nil
	}
	link, err := client.Post[client.SignInLink](ctx, j.admin, "/signin-links", map[string]string{"user": j.alice.ref})
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "\nIn the browser, signed in as %s (once, within ten minutes):\n  %s\n", j.alice.name, link.URL)
	fmt.Fprintf(o.Out, "The service itself:\n  curl %s\n", j.serviceURL)
	fmt.Fprintf(o.Out, "In another terminal:\n  export ROADBED_URL=%s ROADBED_TOKEN=%s\n  %s app list\n", s.url, j.alice.api.Token, o.Program)
	fmt.Fprintln(o.Out, "Press Ctrl-C to stop.")
	<-ctx.Done()
	return nil
}

// teller tells the story with the time of each step.
type teller struct {
	out      io.Writer
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
	fmt.Fprintf(t.out, "   %7.2fs  %s\n", now.Sub(t.last).Seconds(), fmt.Sprintf(format, args...))
	t.last = now
}

// quote shows words of a machine, indented.
func (t *teller) quote(text string) {
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(t.out, "             │ %s\n", line)
	}
}

func (t *teller) done() {
	fmt.Fprintf(t.out, "\nDone: from a golden path to a service in production, changed and rolled back, in %.1fs.\n", time.Since(t.began).Seconds())
}
