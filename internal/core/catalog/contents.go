package catalog

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of what is in work at the same time.
const (
	filesAtOnce = 256       // names that git is given
	bytesAtOnce = 4 << 20   // that git is asked for, or one file
	bytesInWork = 8 << 20   // of files that were read and are not taken yet, with what their placeholders bring; of one file alone more
	largeFile   = 1 << 20   // of which one is parsed at a time
	aliasFile   = 1 << 20   // what one weighs that may have aliases: a few bytes of these are many in memory
	bytesInFile = 128 << 20 // of its documents, with what aliases repeat and placeholders bring
)

// contents is a file that was read, parsed and checked.
type contents struct {
	file      *walkedFile
	path      string
	documents []checked
	bad       []fault.Detail // why none of it could be read
	err       error          // the platform's own
	inputs    []input        // that placeholders bring
	hashes    map[input]string
	size      int             // bytes of the file itself
	filled    int             // bytes that its placeholders bring
	kept      int             // bytes of the documents
	hold      func(bytes int) // counts what comes to it among what is in work; waits for room until its turn comes
	taken     func()          // what it took in memory is free again
}

// turn is a file that is parsed, in the order in which files are taken.
type turn struct {
	contents chan *contents
	come     func() // all files before it are taken
}

// checked is a document with what is wrong with it; without anything its change is complete.
type checked struct {
	change
	wrong []fault.Detail
}

// stream gives the files to fn, in their order, while those that follow are read and parsed, on half of the processors: the
// others are for whoever writes what was parsed, and for those who ask meanwhile.
func (r *reading) stream(ctx context.Context, files []*walkedFile, fn func(*contents) error) error {
	if len(files) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	ready := make(chan turn, filesAtOnce)
	weights := semaphore.NewWeighted(bytesInWork)
	group.Go(func() {
		defer close(ready)
		r.fetch(ctx, &group, files, weights, ready)
	})
	for one := range ready {
		one.come()
		var c *contents
		select {
		case c = <-one.contents:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := fn(c); err != nil {
			return err
		}
		c.taken()
	}
	return ctx.Err()
}

// fetch reads files from git and has them parsed.
func (r *reading) fetch(ctx context.Context, group *sync.WaitGroup, files []*walkedFile, weights *semaphore.Weighted, ready chan<- turn) {
	processors := int64(max(1, runtime.GOMAXPROCS(0)/2))
	parsers := semaphore.NewWeighted(processors)
	give := func(c *contents, size int, parse func()) bool {
		weight := int64(min(size+1<<10, bytesInWork))
		if weights.Acquire(ctx, weight) != nil {
			return false
		}
		busy := int64(1)
		if size > largeFile {
			busy = processors
		}
		if parsers.Acquire(ctx, busy) != nil {
			return false
		}
		ahead, come := context.WithCancel(ctx)
		one := turn{make(chan *contents, 1), come}
		c.hold = func(bytes int) { // the file whose turn it is waits for nobody, since all others wait for it
			if more := int64(min(bytes, bytesInWork)); weights.Acquire(ahead, more) == nil {
				weight += more
			}
		}
		c.taken = func() { weights.Release(weight) }
		group.Go(func() {
			parse()
			parsers.Release(busy)
			one.contents <- c
		})
		select {
		case ready <- one:
			return true
		case <-ctx.Done():
			come()
			return false
		}
	}
	for len(files) > 0 {
		part := files[:min(len(files), filesAtOnce)]
		paths := make([]string, len(part))
		for i, f := range part {
			paths[i] = f.path
		}
		some, err := r.s.repositories.ReadSome(ctx, r.location.Repository, r.commit, paths, maxFile, bytesAtOnce)
		if err == nil && len(some) == 0 {
			err = fault.Errorf(fault.Internal, "none of the files of %s was read", r.location)
		}
		if err != nil {
			give(&contents{file: part[0], err: err}, 0, func() {})
			return
		}
		for i, one := range some {
			c := &contents{file: part[i], path: part[i].path}
			if !give(c, weightOf(one.Bytes), func() { r.parse(ctx, c, one) }) {
				return
			}
		}
		files = files[len(some):]
	}
}

// weightOf gives the bytes that a file counts for while it is in work.
func weightOf(data []byte) int {
	if bytes.IndexByte(data, '&') >= 0 && bytes.IndexByte(data, '*') >= 0 {
		return max(len(data), aliasFile)
	}
	return len(data)
}

// parse fills c with what its file declares.
func (r *reading) parse(ctx context.Context, c *contents, in git.Content) {
	switch fault.KindOf(in.Err) {
	case fault.NotFound, fault.TooLarge, fault.Invalid:
		if in.Err != nil {
			c.bad = []fault.Detail{{File: c.path, Message: fault.Message(in.Err)}}
			return
		}
	}
	if c.err = in.Err; c.err != nil {
		return
	}
	if c.err = r.took(len(in.Bytes)); c.err != nil {
		return
	}
	c.size = len(in.Bytes)
	documents, err := document.Parse(c.path, in.Bytes, document.Limits{Bytes: maxFile, Expanded: maxTexts, Placeholders: true})
	if err != nil {
		if c.bad = fault.Details(err); len(c.bad) == 0 {
			c.bad = []fault.Detail{{File: c.path, Message: fault.Message(err)}}
		}
		return
	}
	c.documents = make([]checked, len(documents))
	for i, d := range documents {
		runtime.Gosched() // who waits for an answer goes before
		documents[i] = document.Document{}
		if c.documents[i], c.err = r.check(ctx, c, d); len(c.bad) > 0 {
			c.documents, c.err = nil, nil
			break
		}
		if c.err != nil {
			return
		}
	}
	if len(c.inputs) > 0 {
		c.hashes, c.err = r.hashesOf(ctx, c.inputs)
	}
}

// refuse has nothing of the file taken.
func (c *contents) refuse(why fault.Detail) error {
	c.bad = []fault.Detail{why}
	return fault.At(c.path+" is too large", why)
}

// check completes a document and holds it to what is taken from this location.
func (r *reading) check(ctx context.Context, c *contents, d document.Document) (checked, error) {
	d, wrong, err := r.fill(ctx, c, d)
	if err != nil {
		return checked{}, err
	}
	change, more := r.s.checkOne(d)
	wrong = append(wrong, more...)
	if change.kind.Restricted && !slices.Contains(r.location.Trusted, change.kind.Name) {
		wrong = append(wrong, d.At(fmt.Sprintf("a %s is not taken from a repository that is not trusted for it", change.kind.Name),
			"an administrator of the space can trust this location for it, or apply the document", "kind"))
	}
	if !r.rules.take(change.kind, r.location.Trusted) {
		wrong = append(wrong, d.At(fmt.Sprintf("a %s is not taken from this location, which may bring %s", change.kind.Name, strings.Join(r.rules.Kinds, ", ")),
			"an administrator of the space can change its rules", "kind"))
	}
	change.space, change.source, change.path, change.commit, change.elsewhere = r.location.Space, r.location.source(), c.path, r.commit, r.elsewhere
	if len(wrong) > 0 { // its name and place are all that is asked for
		change.document, change.text, change.declared = change.document.Place(), nil, nil
	} else if !alone(change.kind) && !r.preview {
		change.document = change.document.Place()
	}
	if c.kept += len(change.text); c.kept > bytesInFile {
		return checked{}, c.refuse(d.At(fmt.Sprintf("the documents up to here have more than %d MiB, with what aliases repeat and placeholders bring", bytesInFile>>20), "split the file"))
	}
	return checked{change, wrong}, nil
}

// alone tells whether documents of a kind are taken one by one, in the order in which they need one another: its owner
// keeps a projection of them, they name locations, or they are persons.
func alone(kind document.Kind) bool {
	return kind.Changed != nil || kind.Name == locationKind || strings.EqualFold(kind.Name, userKind)
}
