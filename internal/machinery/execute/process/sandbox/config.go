// Package sandbox is what runs inside: the first process of a step's namespaces. It builds the root that the
// step sees, starts the step without rights, reaps what the step leaves behind, and ends with it.
//
// It is linked into two programs: sandboxinit, a tiny static one, and the server itself, for when the tiny
// one was not built. So it imports as little as it can: each package is paid for at the start of every step.
package sandbox

import (
	"encoding/binary"
	"errors"
)

// Arg0 is the argv[0] by which a program knows that it is to be a sandbox's first process.
const Arg0 = "roadbed-sandbox"

// ControlFD is the descriptor of the control socket: a stream of frames in both directions. Its end is the
// end of the sandbox. A program that is started with an argument connects to the unix socket at that path instead.
const ControlFD = 3

// Mount is a host path shown inside.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// Rlimit is one resource limit, soft and hard alike.
type Rlimit struct {
	Resource int
	Value    uint64
}

// Base is the first frame: what all steps of a server have in common, so that a sandbox can be made ready before
// there is a step for it.
type Base struct {
	Isolated bool   // in namespaces of its own; otherwise only a reaper of what the step starts
	Held     bool   // by somebody else, a container engine: namespaces, root, user and bounds are there already
	Become   bool   // started as root: continue as UID and GID
	UserNS   bool   // put the step into a user namespace in which only UID and GID exist
	Network  bool   // the host's network is kept
	UID, GID int    // as the step sees itself
	Root     string // host folder to mount the new root at
}

// Config is the second frame: one step. The descriptors that come with it are standard input, standard output
// and error, then one file for each cgroup to join, into which it writes 0.
type Config struct {
	Workspace string // host folder for /work
	Tmp       string // host folder for /tmp
	Mounts    []Mount
	Argv, Env []string
	Dir       string
	Ports     []int // to listen on at 127.0.0.1; the listeners are sent back
	Rlimits   []Rlimit
	Cgroups   int // how many descriptors are of cgroups
}

// Frames from the sandbox.
const (
	FrameReady     = 'r' // the step runs; the listeners of Config.Ports come along
	FrameFailed    = 'f' // Text: why the step could not be set up; the sandbox ends
	FrameExit      = 'x' // Code, Signal, MaxRSS, CPU, and of one that is held Short
	FrameConnected = 'c' // ID, Code (an errno, 0 with the connection as descriptor)
)

// Frames to the sandbox.
const (
	FrameBase    = 'B'
	FrameConfig  = 'C'
	FrameConnect = 'D' // ID, Code: the port to connect to
	FrameTerm    = 'T' // the step is asked to end
)

// Frame is any later message.
type Frame struct {
	Kind   byte
	ID     int
	Code   int
	Signal int
	Short  int   // processes that the kernel ended for want of memory
	MaxRSS int64 // bytes
	CPU    int64 // nanoseconds
	Text   string
}

// MaxFrame bounds a frame: the kernel's own bound on arguments and environment, and room for the rest.
const MaxFrame = 4 << 20

var errShort = errors.New("the frame is cut short")

// Encode gives the bytes of the frame without its length.
func (f Frame) Encode() []byte {
	var e encoder
	e.b = append(e.b, f.Kind)
	e.num(int64(f.ID))
	e.num(int64(f.Code))
	e.num(int64(f.Signal))
	e.num(int64(f.Short))
	e.num(f.MaxRSS)
	e.num(f.CPU)
	e.str(f.Text)
	return e.b
}

// DecodeFrame reads what Encode gave.
func DecodeFrame(b []byte) (Frame, error) {
	if len(b) == 0 {
		return Frame{}, errShort
	}
	d := decoder{b: b[1:]}
	f := Frame{Kind: b[0], ID: d.int(), Code: d.int(), Signal: d.int(), Short: d.int(), MaxRSS: d.num(), CPU: d.num(), Text: d.str()}
	return f, d.end()
}

// Encode gives the bytes of the first frame without its length.
func (c Base) Encode() []byte {
	e := encoder{b: []byte{FrameBase}}
	for _, v := range []bool{c.Isolated, c.Held, c.Become, c.UserNS, c.Network} {
		e.flag(v)
	}
	e.num(int64(c.UID))
	e.num(int64(c.GID))
	e.str(c.Root)
	return e.b
}

// DecodeBase reads what Encode gave.
func DecodeBase(b []byte) (Base, error) {
	if len(b) == 0 || b[0] != FrameBase {
		return Base{}, errors.New("the first frame is not the base")
	}
	d := decoder{b: b[1:]}
	c := Base{Isolated: d.flag(), Held: d.flag(), Become: d.flag(), UserNS: d.flag(), Network: d.flag(), UID: d.int(), GID: d.int(), Root: d.str()}
	return c, d.end()
}

// Encode gives the bytes of the second frame without its length.
func (c Config) Encode() []byte {
	e := encoder{b: []byte{FrameConfig}}
	e.str(c.Workspace)
	e.str(c.Tmp)
	e.num(int64(len(c.Mounts)))
	for _, m := range c.Mounts {
		e.str(m.Source)
		e.str(m.Target)
		e.flag(m.ReadOnly)
	}
	e.strs(c.Argv)
	e.strs(c.Env)
	e.str(c.Dir)
	e.num(int64(len(c.Ports)))
	for _, p := range c.Ports {
		e.num(int64(p))
	}
	e.num(int64(len(c.Rlimits)))
	for _, r := range c.Rlimits {
		e.num(int64(r.Resource))
		e.num(int64(r.Value))
	}
	e.num(int64(c.Cgroups))
	return e.b
}

// DecodeConfig reads what Encode gave.
func DecodeConfig(b []byte) (Config, error) {
	if len(b) == 0 || b[0] != FrameConfig {
		return Config{}, errors.New("the second frame is not a step")
	}
	d := decoder{b: b[1:]}
	c := Config{Workspace: d.str(), Tmp: d.str()}
	for range d.count() {
		c.Mounts = append(c.Mounts, Mount{Source: d.str(), Target: d.str(), ReadOnly: d.flag()})
	}
	c.Argv, c.Env, c.Dir = d.strs(), d.strs(), d.str()
	for range d.count() {
		c.Ports = append(c.Ports, d.int())
	}
	for range d.count() {
		c.Rlimits = append(c.Rlimits, Rlimit{Resource: d.int(), Value: uint64(d.num())})
	}
	c.Cgroups = d.int()
	return c, d.end()
}

// The encoding is varints and length-prefixed strings in the order of the fields; both ends are built
// together. encoding/json would add a millisecond to the start of each step.
type encoder struct{ b []byte }

func (e *encoder) num(n int64) { e.b = binary.AppendVarint(e.b, n) }
func (e *encoder) str(s string) {
	e.num(int64(len(s)))
	e.b = append(e.b, s...)
}
func (e *encoder) strs(l []string) {
	e.num(int64(len(l)))
	for _, s := range l {
		e.str(s)
	}
}
func (e *encoder) flag(v bool) {
	if v {
		e.num(1)
	} else {
		e.num(0)
	}
}

type decoder struct {
	b   []byte
	err error
}

func (d *decoder) num() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.err, d.b = errShort, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}
func (d *decoder) int() int   { return int(d.num()) }
func (d *decoder) flag() bool { return d.num() != 0 }

// count reads a length; each element takes at least a byte, so a count beyond what is left is wrong.
func (d *decoder) count() int {
	n := d.num()
	if n < 0 || n > int64(len(d.b)) {
		d.err, d.b = errShort, nil
		return 0
	}
	return int(n)
}
func (d *decoder) str() string {
	n := d.count()
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}
func (d *decoder) strs() []string {
	n := d.count()
	l := make([]string, 0, n)
	for range n {
		l = append(l, d.str())
	}
	return l
}
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		return errors.New("the frame is too long")
	}
	return d.err
}
