package api

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
)

// Beat is sent when a stream opens and then in its pauses, so that the reader knows that the stream stands, and
// nothing on the way ends it for being idle.
type Beat struct{}

const beatEvery = 20 * time.Second

// stream registers a live stream of server-sent events, by their names. Every stream may also tell a problem, after which it ends.
func stream[I any](a *API, op huma.Operation, events map[string]any, follow func(ctx context.Context, in *I, send sse.Sender)) {
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
			return send(m)
		}
		if alone(sse.Message{Data: Beat{}}) != nil {
			return
		}
		beats.Go(func() {
			tick := time.NewTicker(beatEvery)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					if alone(sse.Message{Data: Beat{}}) != nil {
						stop()
					}
				case <-ctx.Done():
					return
				}
			}
		})
		follow(ctx, in, alone)
	})
}
