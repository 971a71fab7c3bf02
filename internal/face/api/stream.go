package api

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Beat is sent when a stream opens and then in its pauses, so that the reader knows that the stream stands, and
// nothing on the way ends it for being idle. It ends when its reader's token or session has ended.
type Beat struct{}

// stream registers a live stream of server-sent events, by their names. Every stream may also tell a problem, after which it ends.
func stream[I any](a *API, op huma.Operation, events map[string]any, follow func(ctx context.Context, in *I, send sse.Sender)) {
	a.streams.Handle(op.Method+" "+op.Path, http.NotFoundHandler())
	events = maps.Clone(events)
	events["beat"], events["problem"] = Beat{}, huma.ErrorModel{}
	sse.Register(a.huma, op, events, func(ctx context.Context, in *I, send sse.Sender) {
		ctx, stop := context.WithCancel(ctx)
		var beats sync.WaitGroup
		defer beats.Wait()
		defer stop()
		var one sync.Mutex // messages are written whole
		alone := func(m sse.Message) error {
			one.Lock()
			defer one.Unlock()
			if err := ctx.Err(); err != nil {
				return err
			}
			return send(m)
		}
		last := func(m sse.Message) { // nothing is told after it
			one.Lock()
			defer one.Unlock()
			_ = send(m) // it ends in any case
			stop()
		}
		if alone(sse.Message{Data: Beat{}}) != nil {
			return
		}
		beats.Go(func() {
			defer stop()
			tick := time.NewTicker(a.Beat)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					if err := a.Identity.Alive(ctx, actor.From(ctx)); fault.Is(err, fault.Unauthenticated) {
						last(sse.Message{Data: a.problem(ctx, err)})
						return
					}
					if alone(sse.Message{Data: Beat{}}) != nil {
						return
					}
				case <-ctx.Done():
					return
				}
			}
		})
		follow(ctx, in, alone)
	})
}
