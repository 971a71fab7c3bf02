package stack

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/core/run"
)

// What a plan would do is shown to policies when it is judged, when somebody reviews it, and once more beside the next run's: a
// plan never changes, so what is small is kept, and need not be read again.
const (
	briefsBytes = 4 << 20   // of all together
	briefBytes  = 256 << 10 // of one; larger ones are not kept
)

// briefs keeps what plans would do as JSON, by their digests; the oldest make place. It is safe for concurrent use.
type briefs struct {
	mu    sync.Mutex
	by    map[string]json.RawMessage
	order []string // of digests, the oldest first
	size  int
}

func (b *briefs) find(digest string) (brief json.RawMessage, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	brief, ok = b.by[digest]
	return brief, ok
}

func (b *briefs) keep(digest string, brief json.RawMessage) {
	if digest == "" || len(brief) > briefBytes {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.by[digest]; ok {
		return
	}
	if b.by == nil {
		b.by = map[string]json.RawMessage{}
	}
	b.by[digest] = brief
	b.order = append(b.order, digest)
	for b.size += len(brief); b.size > briefsBytes; {
		oldest := b.order[0]
		b.size -= len(b.by[oldest])
		delete(b.by, oldest)
		b.order = b.order[1:]
	}
}

// briefOf gives what a plan would do as policies see it, and keeps it.
func (s *Service) briefOf(digest string, p Plan) (json.RawMessage, error) {
	brief, err := json.Marshal(p.brief())
	if err == nil {
		s.briefs.keep(digest, brief)
	}
	return brief, err
}

// briefOfRun gives what the newest plan of a run would do as policies see it.
func (s *Service) briefOfRun(ctx context.Context, r run.Run) (json.RawMessage, error) {
	var out Output
	_ = json.Unmarshal(r.Output, &out) // what can't be read has no plan
	if brief, ok := s.briefs.find(out.Plan); ok {
		return brief, nil
	}
	p, err := s.planOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.briefOf(out.Plan, p)
}
