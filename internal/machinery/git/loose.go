package git

import (
	"bufio"
	"cmp"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What a small push brings stands in the quarantine as loose objects, each a file of its own. They are read here: starting
// git takes longer than reading them all.

const (
	looseMost   = 1000 // objects that are read so; git keeps a push of 100 and more as a pack
	looseHeader = 4 << 10
)

var errLonger = errors.New("it is longer than it says")

// looseObject is a loose object that has been opened: its body follows.
type looseObject struct {
	hash, kind string
	size       int64
	body       *bufio.Reader
	file       *os.File
}

// loose gives the objects of the quarantine, closed. ok is false when they are too many, or not all of what is there are
// loose objects that can be read: then git is to be asked.
func (in Incoming) loose(ctx context.Context) (objects []looseObject, ok bool) {
	folders, err := os.ReadDir(in.quarantine)
	if err != nil {
		return nil, false
	}
	for _, folder := range folders {
		files, err := os.ReadDir(filepath.Join(in.quarantine, folder.Name()))
		if err != nil {
			return nil, false
		}
		for _, file := range files { // of a pack, whatever else: no hash
			o, err := in.openLoose(folder.Name() + file.Name())
			if err != nil {
				return nil, false
			}
			o.file.Close()
			if objects = append(objects, looseObject{hash: o.hash, kind: o.kind, size: o.size}); len(objects) > looseMost || ctx.Err() != nil {
				return nil, false
			}
		}
	}
	return objects, true
}

// openLoose opens a loose object of the quarantine.
func (in Incoming) openLoose(hash string) (o looseObject, err error) {
	if !IsHash(hash) {
		return o, fmt.Errorf("%q is no hash", clip(hash))
	}
	file, err := os.Open(filepath.Join(in.quarantine, hash[:2], hash[2:]))
	if err != nil {
		return o, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	unpacked, err := zlib.NewReader(file)
	if err != nil {
		return o, err
	}
	o = looseObject{hash: hash, body: bufio.NewReaderSize(unpacked, looseHeader), file: file}
	header, err := o.body.ReadSlice(0)
	if err != nil {
		return o, err
	}
	kind, number, _ := strings.Cut(string(header[:len(header)-1]), " ")
	if o.size, err = strconv.ParseInt(number, 10, 64); err == nil && o.size < 0 {
		err = fmt.Errorf("it has %d bytes", o.size)
	}
	o.kind = kind
	return o, err
}

// content gives all of a loose object of the quarantine.
func (in Incoming) content(hash string) ([]byte, error) {
	o, err := in.openLoose(hash)
	if err != nil {
		return nil, err
	}
	defer o.file.Close()
	content := make([]byte, o.size)
	if _, err = io.ReadFull(o.body, content); err != nil {
		return nil, err
	}
	if _, err = o.body.ReadByte(); errors.Is(err, io.EOF) { // its checksum is compared there
		return content, nil
	}
	return nil, fmt.Errorf("the object %s is damaged: %w", hash, cmp.Or(err, errLonger))
}

// looseFiles is Files with loose objects.
func (in Incoming) looseFiles(ctx context.Context, objects []looseObject, sees func(hash string, size int64) (read bool, err error), reads func(hash string, content []byte) error) error {
	var wanted []string
	for _, o := range objects {
		if o.kind != "blob" {
			continue
		}
		read, err := sees(o.hash, o.size)
		if err != nil {
			return err
		}
		if read {
			wanted = append(wanted, o.hash)
		}
	}
	for _, hash := range wanted {
		if ctx.Err() != nil {
			return fault.Errorf(fault.Canceled, "it was stopped: %w", ctx.Err())
		}
		content, err := in.content(hash)
		if err == nil {
			err = reads(hash, content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leads tells whether loose commits of the quarantine lead from a commit back to another one. When it is false git may
// know better.
func (in Incoming) leads(from, to string) bool {
	if in.quarantine == "" || !IsHash(from) || !IsHash(to) {
		return false
	}
	seen := map[string]bool{from: true}
	for next := []string{from}; len(next) > 0 && len(seen) <= looseMost; {
		commit := next[0]
		next = next[1:]
		for _, parent := range in.parents(commit) {
			if parent == to {
				return true
			}
			if !seen[parent] {
				seen[parent] = true
				next = append(next, parent)
			}
		}
	}
	return false
}

// parents gives the parents of a loose commit of the quarantine; none when it is no such commit.
func (in Incoming) parents(commit string) (parents []string) {
	o, err := in.openLoose(commit)
	if err != nil {
		return nil
	}
	defer o.file.Close()
	if o.kind != "commit" {
		return nil
	}
	if tree, err := o.body.ReadSlice('\n'); err != nil || !strings.HasPrefix(string(tree), "tree ") {
		return nil
	}
	for len(parents) < looseMost {
		line, err := o.body.ReadSlice('\n')
		if err != nil {
			return parents // no line is left, or one that is too long for a parent
		}
		parent, ok := strings.CutPrefix(strings.TrimSuffix(string(line), "\n"), "parent ")
		if !ok || !IsHash(parent) {
			return parents
		}
		parents = append(parents, parent)
	}
	return parents
}
