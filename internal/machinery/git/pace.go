package git

import (
	"io"
	"net/http"
	"time"
)

const (
	idleTime    = 2 * time.Minute // that a client is waited for, and as much again as minimumRate allows for what it moves
	minimumRate = 1 << 10         // bytes a second
)

// pace bounds how long a client is waited for in one direction: at once, in all by what it has moved so far, and by the
// end of the whole. What git needs is not the client's time. A writer without deadlines has no bound.
type pace struct {
	idle   time.Duration
	end    time.Time
	waited time.Duration
	moved  int64
}

// until gives how long a client is waited for from now on.
func (p *pace) until(now time.Time) time.Time {
	earned := p.idle + time.Duration(p.moved/minimumRate)*time.Second
	t := now.Add(min(p.idle, earned-p.waited))
	if p.end.Before(t) {
		return p.end
	}
	return t
}

// count notes that n bytes took from begun to now.
func (p *pace) count(n int, begun, now time.Time) {
	p.moved += int64(n)
	p.waited += now.Sub(begun)
}

// patient reads the body of a request at the client's pace.
type patient struct {
	r       io.Reader
	control *http.ResponseController
	pace    pace
}

func (p *patient) Read(b []byte) (int, error) {
	begun := time.Now()
	_ = p.control.SetReadDeadline(p.pace.until(begun))
	n, err := p.r.Read(b)
	p.pace.count(n, begun, time.Now())
	if err != nil {
		// What the server watches for after the body, the client's going, has no deadline.
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// PacedBody gives the body of a request held to the pace of what is served: a client that sends next to nothing is given up.
func PacedBody(w http.ResponseWriter, r *http.Request) io.Reader {
	return &patient{r: r.Body, control: http.NewResponseController(w), pace: pace{idle: idleTime, end: time.Now().Add(serveTime)}}
}

// Paced gives w held to the pace of what is served, for other answers to whoever clones: a client that takes next to
// nothing is given up. Call done at the end.
func Paced(w http.ResponseWriter) (paced http.ResponseWriter, done func()) {
	p := &pacedWriter{w, http.NewResponseController(w), pace{idle: idleTime, end: time.Now().Add(serveTime)}}
	return p, p.done
}

type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	pace    pace
}

func (p *pacedWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *pacedWriter) Write(b []byte) (int, error) {
	begun := time.Now()
	_ = p.control.SetWriteDeadline(p.pace.until(begun))
	n, err := p.ResponseWriter.Write(b)
	p.pace.count(n, begun, time.Now())
	return n, err
}

// done takes the bound from what the connection is used for next.
func (p *pacedWriter) done() { _ = p.control.SetWriteDeadline(time.Time{}) }

// answer streams a process' output to the client; it begins the response at the first byte.
type answer struct {
	s       *session
	w       pacedWriter
	begun   bool
	packets packets
	keep    bool // swallow what can't be sent: a push must not end by a broken pipe between two references
}

func (a *answer) Write(p []byte) (int, error) {
	n, err := a.send(p)
	if a.keep {
		return len(p), nil
	}
	return n, err
}

// pass writes what git says, with what the client is to be told between two packets of it.
func (a *answer) pass(p []byte) (written int, err error) {
	for len(p) > 0 && err == nil {
		if a.packets.between() {
			if message := a.s.message(); message != nil {
				if _, err := a.w.Write(message); err != nil {
					return written, err
				}
			}
		}
		part := p
		if a.s.channels.Load() {
			for n := 0; n < len(p); {
				n += a.packets.pass(p[n:])
				if part = p[:n]; a.packets.between() && a.s.notice.Load() != nil {
					break
				}
			}
		}
		n, failed := a.w.Write(part)
		written, err, p = written+n, failed, p[len(part):]
	}
	return written, err
}

func (a *answer) send(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		header := a.w.Header()
		header.Set("Content-Type", a.s.result)
		header.Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
		if _, err := io.WriteString(&a.w, a.s.head); err != nil {
			return 0, err
		}
	}
	n, err := a.pass(p)
	if err == nil {
		begun := time.Now()
		_ = a.w.control.Flush() // not every writer has it
		a.w.pace.count(0, begun, time.Now())
	}
	return n, err
}
