package lfs

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// watched gives the context of a transfer that ends when next to nothing is moved for a while.
func (c *Client) watched(ctx context.Context) (_ context.Context, moved *atomic.Int64, over func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	moved = &atomic.Int64{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(c.stall)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if moved.Swap(0) < stallBytes {
					cancel(fault.Errorf(fault.Unavailable, "%s moves next to nothing", c.host()))
					return
				}
			}
		}
	}()
	return ctx, moved, func() { cancel(nil); <-ended }
}

// exact reads content that has as many bytes as its pointer says. What is shorter is told by its SHA-256.
type exact struct {
	r     io.Reader
	moved *atomic.Int64
	left  int64
	fails func(err error) error
}

func (e *exact) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	e.moved.Add(int64(n))
	if e.left -= int64(n); e.left < 0 {
		return 0, fault.Errorf(fault.Invalid, "it has more bytes than its pointer says")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = e.fails(err)
	}
	return n, err
}
