package git

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// A push that is cut off by this program is told why: git itself only sees that its input ends. The word goes between two
// packets of git's answer, on the channel of messages, to a client that has asked for channels.

// asksForChannels tells whether the first command of a push asks for side-band-64k. An error is the client's: what it sends
// ends, or takes too long.
func asksForChannels(body *bufio.Reader) (asks bool, err error) {
	head, err := body.Peek(4)
	if err != nil {
		return false, err
	}
	size, err := strconv.ParseUint(string(head), 16, 16)
	if err != nil || size < 4 || int(size) > body.Size() {
		return false, nil // git will say what is wrong with it
	}
	line, err := body.Peek(int(size))
	_, capabilities, _ := bytes.Cut(line, []byte{0})
	for _, c := range bytes.Fields(capabilities) {
		asks = asks || string(c) == "side-band-64k"
	}
	return asks, err
}

// give notes what the client is to be told; the first word counts.
func (s *session) give(word string) { s.notice.CompareAndSwap(nil, &word) }

// message gives the packet of a notice that was given and not sent; nil when there is none.
func (s *session) message() []byte {
	if !s.channels.Load() {
		return nil
	}
	word := s.notice.Load()
	if word == nil || s.noticed {
		return nil
	}
	s.noticed = true
	line := "roadbed: " + oneLine(*word) + "\n"
	return fmt.Appendf(nil, "%04x\x02%s", len(line)+5, line)
}

// packets follows a stream of packets.
type packets struct {
	head   [4]byte
	have   int // of head
	left   int // of the packet
	broken bool
}

// between tells whether a packet has ended and no other has begun.
func (k *packets) between() bool { return !k.broken && k.left == 0 && k.have == 0 }

// pass gives how much of p belongs to what has begun.
func (k *packets) pass(p []byte) int {
	if k.broken {
		return len(p)
	}
	if k.left > 0 {
		n := min(k.left, len(p))
		k.left -= n
		return n
	}
	n := copy(k.head[k.have:], p)
	if k.have += n; k.have == len(k.head) {
		k.have = 0
		size, err := strconv.ParseUint(string(k.head[:]), 16, 16)
		k.broken = err != nil
		k.left = max(0, int(size)-len(k.head)) // the short ones are signs without content
	}
	return n
}

const (
	spareDisk  = 256 << 20 // that is left of the disk, or a twentieth of it when that is less
	spareEvery = 8 << 20   // bytes of a push, until the disk is looked at again
)

// sparing ends a push before it fills the disk.
type sparing struct {
	s    *session
	body *bufio.Reader // that r reads
	r    io.Reader
	next int64
	read int64
	room uint64 // that there was at first; git keeps a file in memory until it is whole

	looked bool  // at the first command
	failed error // of that look, for when what had come before is read
}

func (p *sparing) Read(b []byte) (int, error) {
	if !p.looked { // here, where nothing but the client is waited for
		p.looked = true
		var asks bool
		asks, p.failed = asksForChannels(p.body)
		p.s.channels.Store(asks)
	}
	if p.failed != nil && p.body.Buffered() == 0 {
		return 0, p.failed // the reader tells it once
	}
	if p.read >= p.next {
		p.next = p.read + spareEvery
		if p.full() {
			p.s.give("the disk of the server is full; nothing was changed, ask its administrator to free some space")
			return 0, errOutputLimit
		}
	}
	n, err := p.r.Read(b)
	p.read += int64(n)
	return n, err
}

// full tells whether what comes next would take what is to be left of the disk: by what is free, and by what has been read
// and may be written yet.
func (p *sparing) full() bool {
	total, free, err := diskSpace(p.s.dir)
	if err != nil {
		return false // git will say so
	}
	if p.read == 0 {
		p.room = free
	}
	needed := min(total/20, spareDisk) + spareEvery
	return free < needed || p.room < needed+uint64(p.read)
}
