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
	"time"
	"unicode"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pushUpdates is the most references that one push may change.
const pushUpdates = 50_000

// Update is one reference that a push wants to move. Old or New is Zero when it creates or deletes it.
type Update struct{ Ref, Old, New string }

// Deletes tells whether the reference is to be deleted.
func (u Update) Deletes() bool { return u.New == zeroHash }

// Creates tells whether the reference is to be created.
func (u Update) Creates() bool { return u.Old == zeroHash }

// Incoming is a push that has been received and checked, and waits for the word that it may be kept.
type Incoming struct {
	Updates []Update

	git *Git
	dir string
	env []string // makes the received objects visible
}

// IsAncestor is Git.IsAncestor, with the received objects too.
func (in Incoming) IsAncestor(ctx context.Context, a, b string) (bool, error) {
	return in.git.isAncestor(ctx, in.dir, in.env, a, b)
}

// receive serves a push.
func (s *session) receive(ctx context.Context) error {
	config := [][2]string{{"receive.maxInputSize", strconv.FormatInt(s.options.MaxInput, 10)}}
	work, cancel := context.WithDeadline(context.WithoutCancel(ctx), s.end)
	defer cancel()
	// Until the word is given the request's end ends the push; after it only the push's own time.
	last := context.AfterFunc(ctx, cancel)
	defer last()
	var talk *dialogue
	if s.options.PreReceive != nil {
		if err := writeHook(s.dir); err != nil {
			return fault.Wrap(err, "prepare a push")
		}
		config = append(config, [2]string{"core.hooksPath", "hooks"})
		var err error
		if talk, err = newDialogue(s); err != nil {
			return fault.Wrap(err, "prepare a push")
		}
		defer talk.close()
	}
	c := call{dir: s.dir, forks: true, env: s.protocol, config: config, args: []string{"receive-pack", "--stateless-rpc", "."}}
	ended := s.options.Ended
	if ended == nil {
		ended = func() {}
	}
	if talk == nil {
		return s.run(work, s.git.command(work, c), func() {}, ended)
	}
	c.files = []*os.File{talk.hookWrites, talk.hookReads} // descriptors 3 and 4
	done := make(chan struct{})
	go func() {
		defer close(done)
		talk.listen(work, last)
	}()
	return s.run(work, s.git.command(work, c), talk.started, func() {
		talk.close() // ends listen, when the hook never came
		<-done
		ended()
	})
}

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
		verdict = oneLine(fault.Message(err))
	}
	_, _ = io.WriteString(d.down, verdict+"\n") // a hook that has gone has refused
}

// read gives what the hook says: the quarantine, the updates, and the end.
func (d *dialogue) read() (Incoming, error) {
	in := Incoming{git: d.s.git, dir: d.s.dir}
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
		in.env = []string{"GIT_OBJECT_DIRECTORY=" + quarantine, "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + objects}
	}
	for {
		line, err := next()
		if err != nil {
			return in, err
		}
		if line == "end" {
			return in, nil
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

// oneLine makes a message fit for a terminal and for a line.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return "roadbed: " + s[:min(len(s), 1000)]
}

// run feeds the body to a process and streams its output to the client. What a process that writes has to say is read
// however slowly the client takes it, so that ended is called when the process has ended and not when the client lets it;
// started and ended are nil for one that only reads.
func (s *session) run(ctx context.Context, cmd *process, started, ended func()) error {
	// git may answer before it has read everything; HTTP/1 would otherwise stop reading then.
	_ = s.control.EnableFullDuplex()
	complaint := &bounded{limit: errorBytes}
	out := &answer{s: s, w: pacedWriter{s.w, s.control, s.pace()}, keep: started != nil}
	cmd.Stderr = complaint
	stdin, err := cmd.StdinPipe()
	var stdout io.ReadCloser
	if err == nil {
		// Not cmd.Stdout: Wait would give a slow client only WaitDelay for what is left in the pipe.
		stdout, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.start()
	}
	if err != nil {
		if ended != nil {
			ended()
		}
		return s.git.problem(ctx, cmd, err, complaint)
	}
	if started != nil {
		started()
	}
	fed := make(chan error, 1)
	go func() {
		_, err := io.Copy(stdin, s.input)
		stdin.Close()
		fed <- err
	}()
	sent := func() {}
	if ended == nil {
		_, _ = io.Copy(out, stdout) // a client that has gone ends the process by its closed pipe
	} else {
		sent = relay(out, stdout)
	}
	stdout.Close()
	err = cmd.wait()
	if ended != nil {
		ended()
	}
	sent()
	s.drain(fed)
	out.w.done()
	if out.begun {
		if err != nil {
			s.git.log.Info("git ended early", "command", cmd.Args[1], "dir", s.dir, "error", err, "said", complaint.String())
		}
		return nil
	}
	if err != nil {
		return s.git.problem(ctx, cmd, err, complaint)
	}
	_, err = out.Write(nil)
	return err
}

// relay reads all that a process says and has it written on beside that; sent waits for the last of it. Of what the
// client has not taken, backlog bytes are kept.
func relay(to io.Writer, from io.Reader) (sent func()) {
	chunks := make(chan []byte, backlog/chunkBytes)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for chunk := range chunks {
			_, _ = to.Write(chunk) // a client that has gone
		}
	}()
	for {
		chunk := make([]byte, chunkBytes)
		n, err := from.Read(chunk)
		if n > 0 {
			chunks <- chunk[:n]
		}
		if err != nil {
			close(chunks)
			return func() { <-done }
		}
	}
}

const (
	chunkBytes = 16 << 10
	backlog    = 8 << 20
)

// drain waits until the body is no longer read by the feeder, then drops some of what is left of it, so that a client
// that still sends comes to read the answer. It does so for moments only.
func (s *session) drain(fed <-chan error) {
	var err error
	select {
	case err = <-fed:
	default:
		// The feeder finds out at its next write; a client that sends nothing more is not waited for long.
		if s.control.SetReadDeadline(time.Now().Add(grace)) != nil {
			s.body.Close()
		}
		err = <-fed
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // such a client sends nothing
		if s.control.SetReadDeadline(time.Now().Add(drainTime)) == nil {
			_, _ = io.CopyN(io.Discard, s.body, drainInput)
		}
	}
	_ = s.control.SetReadDeadline(time.Time{})
}
