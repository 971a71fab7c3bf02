package hook_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// BenchmarkReceive takes deliveries of 5 KB from 24 senders at once, while they are handled.
func BenchmarkReceive(b *testing.B) {
	w := newBench(b, storetest.SQLite(b, ledger.Migrations(), queue.Migrations(), access.Migrations(), hook.Migrations()), hook.Retention{})
	w.real.Store(true)
	ctx, stop := context.WithCancel(actor.AsSystem(b.Context()))
	ended := make(chan error, 2)
	go func() { ended <- w.queue.Run(ctx) }()
	go func() { ended <- w.hooks.Run(ctx) }()
	defer func() { stop(); <-ended; <-ended }()
	var number atomic.Int64
	text := strings.Repeat(`"https://api.github.com/repos/acme/shop/contents{/sha}", `, 90)
	b.SetParallelism(12)
	began := time.Now()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			n := number.Add(1)
			body := fmt.Sprintf(`{"x":[%s 1],"ref":"refs/heads/b%d","before":"1111111111111111111111111111111111111111","after":"2222222222222222222222222222222222222222","repository":{"id":%d,"full_name":"acme/r%d"}}`, text, n, n%100+1, n%100)
			if _, err := w.hooks.Receive(b.Context(), incoming("push", fmt.Sprint(n), body)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "deliveries/s")
}
