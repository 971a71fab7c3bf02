package toolchain

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// How long a list of versions counts as the newest, and that it could not be read.
const (
	keptFor = time.Hour
	awayFor = time.Minute
)

// list is what a releases' site has told last.
type list struct {
	From     string    `json:"from"`
	At       time.Time `json:"at"`       // when all of it was read; zero for never
	Versions []string  `json:"versions"` // with a build for this platform, the newest first

	tried time.Time // when it could not be read last, or not all of it
	away  error     // why
}

// fresh tells whether a list is not asked for again.
func (l list) fresh(now time.Time) bool { return now.Sub(l.At) < keptFor || now.Sub(l.tried) < awayFor }

// Available gives the versions of a program that can be downloaded, the newest first. A list that is an hour old at most
// is not asked for again; where the site is away, the last list counts, with what could be read. Unavailable where nothing may
// be downloaded, or there is no list.
func (c *Cache) Available(ctx context.Context, name string) ([]string, error) {
	l, err := c.available(ctx, name)
	return l.Versions, err
}

func (c *Cache) available(ctx context.Context, name string) (list, error) {
	if err := c.may(name); err != nil {
		return list{}, fault.Errorf(fault.Unavailable, "%w", err)
	}
	from, file := c.site(name), filepath.Join(c.Dir, name, "versions.json")
	c.recall(name, from, file)
	l, err := c.listed(ctx, name, nil, func(ctx context.Context, last list) list {
		versions, err := c.list(ctx, name)
		l := list{From: from, At: c.Now().UTC(), Versions: versions}
		if err != nil {
			err = fault.Errorf(fault.Unavailable, "read which versions of %s there are at %s: %w", Title(name), from, err)
			c.Log.Warn("the list of a program's versions can't be read", "name", name, "error", err, "read", len(versions), "known", len(last.Versions))
			l = list{From: from, At: last.At, Versions: slices.Concat(versions, last.Versions), tried: c.Now(), away: err}
		}
		Sort(l.Versions)
		l.Versions = slices.Compact(l.Versions)
		if len(versions) == 0 {
			return l
		}
		if data, err := json.Marshal(l); err == nil && os.MkdirAll(filepath.Dir(file), 0o755) == nil {
			_ = writeWhole(file, data) // it is asked for again
		}
		return l
	})
	if err == nil && len(l.Versions) == 0 {
		err = l.away
	}
	return l, err
}

// recall takes up the list that an earlier life has kept.
func (c *Cache) recall(name, from, file string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if _, known := c.lists[name]; known {
		return
	}
	var l list
	data, err := provider.ReadBounded(file, mostList)
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if l.From, _ = apart(l.From); err == nil && l.From == from {
		c.lists[name] = l
	}
}

// asked is a list that is being asked for.
type asked struct {
	done chan struct{}
	list list // when it is done
}

// listed gives a list of a name, which is asked for where it is not fresh: once at a time, and to the end also when whoever came
// first has left, since the answer is everybody's. Where nobody is to ask, away says why.
func (c *Cache) listed(ctx context.Context, name string, away error, ask func(ctx context.Context, last list) list) (list, error) {
	c.lock.Lock()
	last, known := c.lists[name]
	a := c.asking[name]
	switch {
	case known && last.fresh(c.Now()):
		c.lock.Unlock()
		return last, nil
	case away != nil:
		c.lock.Unlock()
		return last, away
	case a == nil && !known && !c.roomForList():
		c.lock.Unlock()
		return list{}, fault.Errorf(fault.Unavailable, "too many versions were asked for within the hour; write this one in full")
	case a == nil:
		a = &asked{done: make(chan struct{})}
		c.asking[name] = a
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), listing)
		go func() {
			defer stop()
			l := ask(ctx, last)
			c.lock.Lock()
			defer c.lock.Unlock()
			c.lists[name], a.list = l, l
			delete(c.asking, name)
			close(a.done)
		}()
	}
	c.lock.Unlock()
	select {
	case <-a.done:
		return a.list, nil
	case <-ctx.Done():
		return last, ctx.Err()
	}
}

// roomForList tells whether there is room for another list; those that count no more make it. Whoever calls it has the lock.
func (c *Cache) roomForList() bool {
	if len(c.lists)+len(c.asking) < mostLists {
		return true
	}
	for name, l := range c.lists {
		if !slices.Contains(Names(), name) && !l.fresh(c.Now()) {
			delete(c.lists, name)
		}
	}
	return len(c.lists)+len(c.asking) < mostLists
}
