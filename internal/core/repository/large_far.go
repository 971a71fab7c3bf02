package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/git/lfs"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	largeTime = 6 * time.Hour // of the files of Git LFS of one import or mirroring; what has come by then stays
	farShown  = 3             // files that can't be had, each with its reason
)

// bringLarge brings the files of Git LFS that the references of an import lead to and that are not here. What has come is
// a row at once, so that whatever cuts it off is gone on with.
func (s *Service) bringLarge(ctx context.Context, id string, task importTask, remote git.Remote, done *outcome) error {
	state := digestOf(done.Refs)
	if s.large == nil || s.elsewhere.HTTP == nil || task.large == state {
		return nil
	}
	before := maps.Clone(done.Refs)
	for _, m := range done.Moved {
		if before[m.Ref] = m.Old; m.Old == Zero {
			delete(before, m.Ref)
		}
	}
	var known []string
	if task.large == digestOf(before) {
		known = hashesOf(before)
	}
	r, err := s.byID(ctx, id)
	if err != nil {
		return err
	}
	p := &farLarge{s: s, r: r, id: id, phase: "Receiving files of Git LFS"}
	if err := p.wanted(ctx, hashesOf(done.Refs), known); err != nil {
		return err
	}
	total, err := s.largeTotal(ctx, id)
	if err != nil {
		return err
	}
	limits := s.limitsOf(r)
	var ask []git.Pointer
	for _, f := range p.missing {
		if err := limits.takes(r, f.Size, total); err != nil {
			p.failed(f, err)
			continue
		}
		total += f.Size
		ask = append(ask, f)
	}
	by := task.mark().actor
	err = p.run(ctx, ask, remote, func(ctx context.Context, client *lfs.Client) error {
		return client.Download(ctx, ask, func(ctx context.Context, f git.Pointer, content io.Reader) error {
			return s.keepLarge(ctx, r, f, p.counted(content), by)
		}, p.told)
	})
	done.files = int(p.done.Load())
	if err == nil {
		err = p.outcome("the branches and tags are here, but not")
	}
	if err == nil {
		done.large = state
	}
	return err
}

// sendLarge sends the files of Git LFS that references lead to and that a mirror lacks. Those that are not here either are
// nobody's fault now; they are looked for again the next time.
func (s *Service) sendLarge(ctx context.Context, r Repository, m *Mirror, remote git.Remote, here, there, known map[string]string) error {
	if s.large == nil || s.elsewhere.HTTP == nil {
		return nil
	}
	if len(there) == 0 {
		m.large = "" // it is empty, or another one
	}
	state := digestOf(here)
	if m.large == state {
		return nil
	}
	if total, err := s.largeTotal(ctx, r.ID); err != nil || total == 0 {
		return err
	}
	var old []string
	if m.large == digestOf(known) {
		old = hashesOf(known)
	}
	p := &farLarge{s: s, r: r, id: m.ID, phase: "Sending files of Git LFS"}
	if err := p.wanted(ctx, hashesOf(here), old); err != nil {
		return err
	}
	err := p.run(ctx, p.here, remote, func(ctx context.Context, client *lfs.Client) error {
		return client.Upload(ctx, p.here, func(ctx context.Context, f git.Pointer) (io.ReadCloser, error) {
			content, _, err := s.large.Open(ctx, "sha256:"+f.OID)
			if err != nil {
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{p.counted(content), content}, nil
		}, p.told)
	})
	if err == nil {
		err = p.outcome("what is at " + m.where() + " leads to files of Git LFS that are not there:")
	}
	if err == nil && len(p.missing) == 0 {
		m.large = state
	}
	return err
}

// farLarge is one exchange of files of Git LFS with a repository elsewhere.
type farLarge struct {
	s     *Service
	r     Repository
	id    string // of the exchange
	phase string

	here, missing []git.Pointer // that the history leads to
	all           int64
	done          atomic.Int64

	lacking []string // of which the first are told
	passing error    // of a file that may be had the next time
	kind    fault.Kind
	bytes   atomic.Int64
}

// wanted looks for the files that a history leads to, without those that known leads to.
func (p *farLarge) wanted(ctx context.Context, tips, known []string) error {
	p.progress()
	found, err := p.s.git.Pointers(ctx, p.s.folder(p.r.ID), tips, known)
	if err != nil {
		return err
	}
	kept, err := p.s.larges(ctx, p.r.ID, found)
	for _, f := range found {
		if size, here := kept[f.OID]; here {
			p.here = append(p.here, git.Pointer{OID: f.OID, Size: size})
		} else {
			p.missing = append(p.missing, f)
		}
	}
	return err
}

// run has files moved; what ends it as a whole is its error.
func (p *farLarge) run(ctx context.Context, files []git.Pointer, remote git.Remote, move func(ctx context.Context, client *lfs.Client) error) error {
	if len(files) == 0 {
		return nil
	}
	p.all = int64(len(files))
	p.progress()
	client, err := lfs.New(remote, p.s.elsewhere.HTTP)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, largeTime)
	defer cancel()
	err = move(within, client)
	if err != nil && ctx.Err() == nil && errors.Is(within.Err(), context.DeadlineExceeded) {
		return fault.Errorf(fault.Unavailable, "after %s, %d of %d files of Git LFS are through; it goes on with the others", largeTime, p.done.Load(), p.all)
	}
	return fault.Wrap(err, "%s", strings.ToLower(p.phase[:1])+p.phase[1:])
}

// told takes what became of one file; by one at a time.
func (p *farLarge) told(f git.Pointer, err error) {
	if err != nil {
		p.failed(f, err)
		return
	}
	p.done.Add(1)
	p.progress()
}

func (p *farLarge) failed(f git.Pointer, err error) {
	if fault.Is(err, fault.Internal) {
		p.s.log.Error("exchange a file of Git LFS", "repository", p.r.FullName(), "oid", f.OID, "error", err)
	}
	if again(err) {
		p.passing = err
	}
	if len(p.lacking) == 0 {
		p.kind = fault.KindOf(err)
	}
	p.lacking = append(p.lacking, fmt.Sprintf("%.12s (%s): %s", f.OID, git.Bytes(f.Size), fault.Message(err)))
}

// outcome gives what is lacking in the end.
func (p *farLarge) outcome(begin string) error {
	n := len(p.lacking)
	if n == 0 {
		return nil
	}
	kind := p.kind
	if p.passing != nil {
		kind = fault.Unavailable
	}
	shown := p.lacking
	if n > farShown {
		shown = append(shown[:farShown:farShown], fmt.Sprintf("%d more", n-farShown))
	}
	return fault.Errorf(kind, "%s %d of %d files of Git LFS: %s", begin, n, len(p.here)+len(p.missing), strings.Join(shown, "; "))
}

// counted tells of content as it is read.
func (p *farLarge) counted(content io.Reader) io.Reader { return counter{content, p} }

type counter struct {
	r io.Reader
	p *farLarge
}

func (c counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	const step = 1 << 20
	if now := c.p.bytes.Add(int64(n)); now/step != (now-int64(n))/step {
		c.p.progress()
	}
	return n, err
}

func (p *farLarge) progress() {
	p.s.exchanges.tell(p.id, git.Progress{Phase: p.phase, Done: p.done.Load(), Total: p.all, Bytes: p.bytes.Load()})
}

// digestOf names a set of references and where they are.
func digestOf(refs map[string]string) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintf(sum, "%s %s\n", name, refs[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func hashesOf(refs map[string]string) []string {
	return slices.Compact(slices.Sorted(maps.Values(refs)))
}
