package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// announcement is PostgreSQL's channel for all of ours; the payload names ours.
const announcement = "roadbed"

const reconnect = time.Second

func hasPoolSize(url string) bool { return strings.Contains(url, "pool_max_conns") }

// announce has other servers woken. It is sent after the commit and outside of it: NOTIFY in a transaction
// would make all commits of the database wait for one another.
func (p *postgres) announce(channel string) {
	p.mu.Lock()
	p.pending[channel] = true
	p.mu.Unlock()
	poke(p.poke)
}

// tell sends what is to be announced; many announcements of one channel become one.
func (p *postgres) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.poke:
		}
		p.mu.Lock()
		pending := p.pending
		p.pending = map[string]bool{}
		p.mu.Unlock()
		for channel := range pending {
			if _, err := p.writers.Exec(ctx, "SELECT pg_notify($1, $2)", announcement, channel); err != nil && ctx.Err() == nil {
				p.db.log.Warn("other servers could not be woken; they will see the change when they poll", "error", err)
			}
		}
	}
}

// hear wakes the listeners of this process for what other servers announce.
func (p *postgres) hear(ctx context.Context, config *pgx.ConnConfig) {
	for ctx.Err() == nil {
		err := p.hearOnce(ctx, config)
		if ctx.Err() != nil {
			return
		}
		p.db.log.Warn("the connection that listens to other servers was lost; it is made again", "error", err)
		select {
		case <-time.After(reconnect):
		case <-ctx.Done():
		}
	}
}

func (p *postgres) hearOnce(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+announcement); err != nil {
		return err
	}
	p.db.waker.wakeAll() // for what was announced while nobody heard
	for {
		note, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		p.db.waker.wake(note.Payload)
	}
}
