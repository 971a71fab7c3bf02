package store

import (
	"sync/atomic"
	"time"
)

// Stats are figures for metrics; all but the gauges only grow.
type Stats struct {
	Writes      int64         // transactions that were committed
	Failed      int64         // transactions that were undone
	Retries     int64         // further attempts (PostgreSQL)
	Reads       int64         // read transactions
	Commits     int64         // commits; on SQLite each may hold many transactions
	CommitTime  time.Duration // spent in them
	CommitError int64         // commits that did not succeed
	Waiting     int64         // gauge: writes that wait for their turn (SQLite) or connections that are wanted
	Connections int64         // gauge: connections in use
}

type counters struct {
	writes, failed, retries, reads, commits, commitTime, commitError atomic.Int64
}

func (c *counters) committed(count int, took time.Duration, err error) {
	if err != nil {
		c.commitError.Add(1)
		c.failed.Add(int64(count))
		return
	}
	if count == 0 {
		return
	}
	c.commits.Add(1)
	c.writes.Add(int64(count))
	c.commitTime.Add(int64(took))
}

// Stats gives the figures at this moment.
func (db *DB) Stats() Stats {
	c := &db.stats
	s := Stats{
		Writes: c.writes.Load(), Failed: c.failed.Load(), Retries: c.retries.Load(), Reads: c.reads.Load(),
		Commits: c.commits.Load(), CommitTime: time.Duration(c.commitTime.Load()), CommitError: c.commitError.Load(),
	}
	db.engine.gauges(&s)
	return s
}

func (l *lite) gauges(s *Stats) {
	s.Waiting = int64(len(l.writer.queue) + len(l.writer.ahead))
	s.Connections = int64(cap(l.idle) - len(l.idle))
}

func (p *postgres) gauges(s *Stats) {
	for _, pool := range p.pools() {
		stat := pool.Stat()
		s.Connections += int64(stat.AcquiredConns())
		s.Waiting += int64(stat.ConstructingConns())
	}
}
