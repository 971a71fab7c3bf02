package document

import (
	"testing"
	"time"
)

// TestWhoAsksWhileKindsAreReadGetsThoseOfNow: what is declared is known to all who ask after that, whoever reads it.
func TestWhoAsksWhileKindsAreReadGetsThoseOfNow(t *testing.T) {
	r := NewRegistry()
	var declared []Kind
	generation := int64(1)
	reads, goOn := make(chan struct{}, 3), make(chan struct{})
	r.Declared(func(int64) ([]Kind, int64, error) {
		kinds, n := declared, generation
		reads <- struct{}{}
		<-goOn
		return kinds, n, nil
	})
	ask := func(answer chan<- bool) {
		_, there := r.ByName("Dataset")
		answer <- there
	}
	before, after := make(chan bool, 1), make(chan bool, 1)
	go ask(before)
	<-reads
	declared, generation = []Kind{{Name: "Dataset", Plural: "datasets", APIVersions: []string{"example.com/v1"}}}, 2
	r.Changed()
	go ask(after)
	select {
	case <-after:
		t.Error("who asks does not wait for what is being read")
		close(goOn)
	case <-time.After(20 * time.Millisecond): // it waits, or has not begun
		close(goOn)
		if !<-after {
			t.Error("who asked after the declaration does not know of it")
		}
	}
	<-before
	known := r.tables.Load()
	if r.Refresh(); r.tables.Load() != known {
		t.Error("what was declared is new for ever")
	}
	if _, there := r.ByName("datasets"); !there {
		t.Error("what was declared is not known")
	}
}
