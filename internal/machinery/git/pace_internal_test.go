package git

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// However many ask at the same time, only so many processes run; who gives up waiting is told so.
func TestOnlySoManyCommands(t *testing.T) {
	t.Parallel()
	g, err := New("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range commandsAtOnce {
		g.running <- struct{}{}
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err := g.Head(ctx, t.TempDir()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("one command too many: %v", err)
	}
	<-g.running
	dir := t.TempDir() + "/repo.git"
	if err := g.Init(t.Context(), dir); err != nil { // one after the other
		t.Error(err)
	}
	if branch, err := g.Head(t.Context(), dir); err != nil || branch != "main" {
		t.Errorf("the head is %q, %v", branch, err)
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	const second = time.Second
	for what, c := range map[string]struct {
		pace pace
		want time.Duration
	}{
		"at first":                 {pace{}, idleTime},
		"after a fast megabyte":    {pace{moved: 1 << 20, waited: second}, idleTime},
		"one byte in a minute":     {pace{moved: 1, waited: time.Minute}, time.Minute},
		"three bytes in a minute":  {pace{moved: 3, waited: 2 * time.Minute}, 0},
		"too little for its time":  {pace{moved: 100 * minimumRate, waited: 5 * time.Minute}, -80 * second},
		"at the end of the whole":  {pace{moved: 1 << 30, end: now.Add(second)}, second},
		"after the end, when idle": {pace{end: now.Add(-second)}, -second},
	} {
		c.pace.idle = idleTime
		if c.pace.end.IsZero() {
			c.pace.end = now.Add(serveTime)
		}
		if got := c.pace.until(now).Sub(now); got != c.want {
			t.Errorf("%s: waited for %s, want %s", what, got, c.want)
		}
	}
}
