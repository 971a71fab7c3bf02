package backstage

import (
	"context"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
)

// written keeps entities as they are sent. One is sent again as long as its revision is the same, to readers who see the same
// spaces: its relations tell of others.
type written struct {
	mu         sync.Mutex
	young, old map[writtenKey]writtenText // what is asked for in neither turn goes
	size       int                        // of young, in bytes
}

type writtenKey struct{ view, ref string }

type writtenText struct {
	revision uint64
	text     []byte
}

const (
	writtenHalf = 4 << 20   // bytes of young, and of old
	writtenMost = 256 << 10 // of one entity
	writtenCost = 200       // of keeping one, beside its text
)

// fill sets the texts that are kept of hits.
func (w *written) fill(texts [][]byte, hits []index.Hit, view string) (missing int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, hit := range hits {
		if hit.Ref == "" {
			continue
		}
		key := writtenKey{view, hit.Ref}
		kept, ok := w.young[key]
		if !ok {
			if kept, ok = w.old[key]; ok {
				w.keep(key, kept)
			}
		}
		if ok && kept.revision == hit.Revision {
			texts[i] = kept.text
			continue
		}
		missing++
	}
	return missing
}

func (w *written) put(hit index.Hit, view string, text []byte) {
	if len(text) > writtenMost {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(writtenKey{view, hit.Ref}, writtenText{hit.Revision, text})
}

func (w *written) keep(key writtenKey, kept writtenText) {
	if w.size > writtenHalf || w.young == nil {
		w.young, w.old, w.size = map[writtenKey]writtenText{}, w.young, 0
	}
	if before, ok := w.young[key]; ok {
		w.size -= len(before.text) + writtenCost
	}
	w.young[key] = kept
	w.size += len(kept.text) + writtenCost
}

// texts gives entities as they are sent; nil for one that is not there, or was deleted just now. With keep they are kept,
// which those of a long list are not: it would take the place of what is asked for often.
func (h *Handler) texts(ctx context.Context, hits []index.Hit, view string, keep bool) ([][]byte, error) {
	texts := make([][]byte, len(hits))
	missing := h.written.fill(texts, hits, view)
	if missing == 0 {
		return texts, nil
	}
	wanted := make([]index.Hit, 0, missing)
	at := make([]int, 0, missing)
	for i, hit := range hits {
		if texts[i] == nil && hit.Ref != "" {
			wanted, at = append(wanted, hit), append(at, i)
		}
	}
	found, err := h.catalog.Raws(ctx, wanted)
	if err != nil {
		return nil, err
	}
	files := map[string]whence{} // of the same file many may come
	for i, e := range found {
		if e.Entity == nil {
			continue
		}
		file := e.Space + " " + e.Source + " " + e.File.Path
		if e.Orphan {
			file += " orphan"
		}
		from, known := files[file]
		if !known {
			from = h.whence(e.Entity)
			files[file] = from
		}
		texts[at[i]] = appendEntity(make([]byte, 0, len(e.Text)+room(e.Entity, from)), e.Text, e.Entity, from)
		if keep {
			h.written.put(hits[at[i]], view, texts[at[i]])
		}
	}
	return texts, nil
}
