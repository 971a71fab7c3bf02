package repository

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// One look follows another until all that are due were looked at, a few at the same time.
func TestTheLineOfThoseThatAreDue(t *testing.T) {
	t.Parallel()
	w := newWatches()
	now := time.Now()
	for i := range 50 {
		one := w.get(fmt.Sprintf("%02d", i))
		one.integration, one.next = "default/forge", now.Add(-time.Duration(i)*time.Second) // the last has waited longest
	}
	w.get("late").integration, w.get("late").next = "default/forge", now.Add(time.Hour)
	w.get("held").integration = "default/tired"
	w.held["default/tired"] = now.Add(time.Hour)
	starts := w.due(now)
	if !slices.Equal(starts, slices.Repeat([]string{"default/forge"}, looksShare)) {
		t.Fatalf("looks begin at %v", starts)
	}
	if more := w.due(now); len(more) != 0 {
		t.Errorf("while they run, looks begin at %v", more)
	}
	var took []string
	for {
		id, ok := w.take(t.Context(), "default/forge", now)
		if !ok {
			break
		}
		took = append(took, id)
		w.get(id).next = now.Add(time.Minute)
	}
	if len(took) != 50 || took[0] != "49" || took[49] != "00" {
		t.Errorf("%d were taken: %v", len(took), took)
	}
	for range looksShare - 1 {
		if id, ok := w.take(t.Context(), "default/forge", now); ok {
			t.Errorf("%s is taken again", id)
		}
	}
	if len(w.lookingBy) != 0 || w.looking != 0 {
		t.Errorf("when all have ended %d look, %v", w.looking, w.lookingBy)
	}

	// A forge that wants to be left alone, and a stop, end it at once.
	w.due(now.Add(2 * time.Minute))
	w.held["default/forge"] = now.Add(time.Hour)
	ended, end := context.WithCancel(t.Context())
	end()
	if id, ok := w.take(t.Context(), "default/forge", now.Add(2*time.Minute)); ok {
		t.Errorf("%s is looked at while its forge is left alone", id)
	}
	delete(w.held, "default/forge")
	if id, ok := w.take(ended, "default/forge", now.Add(2*time.Minute)); ok {
		t.Errorf("%s is looked at after a stop", id)
	}
}
