package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// dialogue is the conversation with the hook of one push.
type dialogue struct {
	s                     *session
	hookWrites, hookReads *os.File // the hook's ends
	up, down              *os.File // ours
}

func newDialogue(s *session) (*dialogue, error) {
	d := &dialogue{s: s}
	var err error
	if d.up, d.hookWrites, err = os.Pipe(); err != nil {
		return nil, err
	}
	if d.hookReads, d.down, err = os.Pipe(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// started drops the hook's ends once git has them, so that its end is seen here.
func (d *dialogue) started() {
	d.hookWrites.Close()
	d.hookReads.Close()
}

// close ends both directions, and with that listen. A second close of a file is an error that changes nothing.
func (d *dialogue) close() {
	for _, f := range []*os.File{d.up, d.down, d.hookWrites, d.hookReads} {
		if f != nil {
			f.Close()
		}
	}
}

// listen waits for the hook, asks PreReceive, and gives the hook its verdict. keep tells git's keeper that the push must
// not be stopped any more; it is false when it is too late for that.
func (d *dialogue) listen(ctx context.Context, keep func() bool) {
	in, err := d.read()
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
		return // the push ended before its hook
	}
	if err == nil {
		err = d.s.options.PreReceive(ctx, in)
	}
	if err == nil && !keep() {
		err = fault.Errorf(fault.Canceled, "the push was given up")
	}
	verdict := "ok"
	if err != nil {
		if fault.Is(err, fault.Internal) {
			d.s.git.log.Error("judge a push", "dir", d.s.dir, "error", err)
		}
		d.say("roadbed: " + fault.Message(err))
		verdict = "no"
	}
	_, _ = io.WriteString(d.down, verdict+"\n") // a hook that has gone has refused
}

// say gives the hook a line to show.
func (d *dialogue) say(line string) { _, _ = io.WriteString(d.down, "say "+oneLine(line)+"\n") }

// read gives what the hook says: the quarantine, the updates, their end with the number of options, and the options.
func (d *dialogue) read() (Incoming, error) {
	in := Incoming{git: d.s.git, dir: d.s.dir, say: d.say}
	lines := bufio.NewScanner(d.up)
	lines.Buffer(make([]byte, 0, 4<<10), 64<<10)
	next := func() (string, error) {
		if lines.Scan() {
			return lines.Text(), nil
		}
		if err := lines.Err(); err != nil {
			return "", err
		}
		return "", io.EOF
	}
	quarantine, err := next()
	if err != nil {
		return in, err
	}
	if quarantine != "" { // a push that only deletes has none
		objects, err := filepath.Abs(filepath.Join(d.s.dir, "objects"))
		if err != nil {
			return in, err
		}
		if !filepath.IsAbs(quarantine) {
			quarantine = filepath.Join(filepath.Dir(objects), quarantine)
		}
		in.quarantine = quarantine
		in.env = []string{"GIT_OBJECT_DIRECTORY=" + quarantine, "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + objects}
	}
	for {
		line, err := next()
		if err != nil {
			return in, err
		}
		if count, ended := strings.CutPrefix(line, "end "); ended {
			in.Options, err = options(count, next)
			return in, err
		}
		fields := strings.SplitN(line, " ", 3)
		if len(fields) != 3 || !IsHash(fields[0]) || !IsHash(fields[1]) {
			return in, fmt.Errorf("the hook of %s said %q", d.s.dir, clip(line))
		}
		if err := CheckRef(fields[2]); err != nil {
			return in, err
		}
		if in.Updates = append(in.Updates, Update{fields[2], fields[0], fields[1]}); len(in.Updates) > pushUpdates {
			return in, fault.Errorf(fault.TooLarge, "a push changes at most %d references", pushUpdates)
		}
	}
}

// options reads as many options as the hook has.
func options(count string, next func() (string, error)) (all []string, err error) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("the hook said that there are %q options", clip(count))
	}
	if n > pushOptions {
		return nil, fault.Errorf(fault.TooLarge, "a push has at most %d options", pushOptions)
	}
	for range n {
		option, err := next()
		if err != nil {
			return nil, err
		}
		if len(option) > optionBytes {
			return nil, fault.Errorf(fault.TooLarge, "an option of a push has at most %d bytes", optionBytes)
		}
		all = append(all, option)
	}
	return all, nil
}

// oneLine makes a message fit for a terminal and for a line.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), 1000)], "")
}
