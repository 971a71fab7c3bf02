package git

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	pointersTime  = 15 * time.Minute // of a look through a history
	pointersBytes = 4 << 30          // of the list of its small files: a hundred millions
	pointersRead  = 10_000           // small files that are read at once
	pointersMost  = 200_000
)

// Pointers gives the pointers of Git LFS in the files of a history: of all commits that tips lead to, without those that
// known lead to. A hash that is not there is passed over among known. TooLarge when there are more than 200,000.
func (g *Git) Pointers(ctx context.Context, dir string, tips, known []string) ([]Pointer, error) {
	var asked strings.Builder
	for sign, hashes := range map[string][]string{"": tips, "^": known} {
		for _, h := range hashes {
			if !IsHash(h) {
				return nil, fault.Errorf(fault.Invalid, "%q is no hash", clip(h))
			}
			asked.WriteString(sign + h + "\n")
		}
	}
	if len(tips) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pointersTime)
	defer cancel()
	var found []Pointer
	have := map[string]bool{}
	var small []string
	read := func() error {
		if len(small) == 0 {
			return nil
		}
		err := g.contents(ctx, call{dir: dir}, small, func(_ string, content []byte) error {
			p, ok := ParsePointer(content)
			if !ok || have[p.OID] {
				return nil
			}
			if len(found) == pointersMost {
				return fault.Errorf(fault.TooLarge, "the history has more than %d files of Git LFS", pointersMost)
			}
			have[p.OID] = true
			found = append(found, p)
			return nil
		})
		small = small[:0]
		return err
	}
	err := g.records(ctx, call{
		dir: dir, limit: pointersBytes, lines: true, time: pointersTime, stdin: strings.NewReader(asked.String()),
		args: []string{
			"rev-list", "--objects", "--no-object-names", "--ignore-missing", "--filter-provided-objects",
			"--filter=object:type=blob", "--filter=blob:limit=" + strconv.Itoa(PointerBytes+1), "--stdin",
		},
	}, func(hash string) error {
		if small = append(small, hash); len(small) < pointersRead {
			return nil
		}
		return read()
	})
	if err == nil {
		err = read()
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
		err = fault.Errorf(fault.TooLarge, "it takes longer than %s", pointersTime)
	}
	return found, fault.Wrap(err, "look for files of Git LFS in the history")
}
