package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	pushUpdates = 50_000 // references that one push may change
	pushOptions = 50     // that it may have; the hook gives no more
	optionBytes = 1000   // of one of them
)

// Update is one reference that a push wants to move. Old or New is Zero when it creates or deletes it.
type Update struct{ Ref, Old, New string }

// Deletes tells whether the reference is to be deleted.
func (u Update) Deletes() bool { return u.New == zeroHash }

// Creates tells whether the reference is to be created.
func (u Update) Creates() bool { return u.Old == zeroHash }

// Incoming is a push that has been received and checked, and waits for the word that it may be kept.
type Incoming struct {
	Updates []Update
	Options []string // of git push -o, as they were given

	git        *Git
	dir        string
	env        []string // makes the received objects visible
	quarantine string   // where they are; "" when there are none
	say        func(string)
}

// Say shows a line to whoever pushes, beside the verdict.
func (in Incoming) Say(format string, args ...any) {
	if in.say != nil {
		in.say(fmt.Sprintf(format, args...))
	}
}

// IsAncestor is Git.IsAncestor, with the received objects too.
func (in Incoming) IsAncestor(ctx context.Context, a, b string) (bool, error) {
	if in.leads(b, a) {
		return true, nil
	}
	return in.git.isAncestor(ctx, in.dir, in.env, a, b)
}

// receive serves a push.
func (s *session) receive(ctx context.Context) error {
	config := [][2]string{
		{"receive.maxInputSize", strconv.FormatInt(s.options.MaxInput+commandInput, 10)},
		// The check of what is received asks the repositories that it borrows objects from for their references: that is
		// this one, whose references it has. The shell, which the hook needs too, is sooner there than another git.
		{"core.alternateRefsCommand", "exit 0 #"},
	}
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
		_, _ = io.CopyBuffer(out, alone{widen(stdout)}, make([]byte, pumpBytes)) // a client that has gone ends the process by its closed pipe
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

// alone is a reader that is nothing more, so that io.CopyBuffer takes the buffer that it is given.
type alone struct{ io.Reader }

const (
	pumpBytes  = 256 << 10 // of a clone at once: each piece is a chunk of its own on the way to the client
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
