package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// LargeGrace is how long the content of a file of Git LFS stays that no repository has any more.
const LargeGrace = 24 * time.Hour

// Large is a file of Git LFS, as a batch asks for it, and what is known of it.
type Large struct {
	git.Pointer
	Here bool  // the repository has it
	Err  error // why it can't be given or taken
}

// KeepLarge says where files of Git LFS are kept; nothing else may be in there. Without it there is no Git LFS.
func (s *Service) KeepLarge(store blob.Store) { s.large = store }

// forLarge gives a repository whose files of Git LFS may be read or written.
func (s *Service) forLarge(ctx context.Context, action, fullName string) (Repository, error) {
	r, err := s.open(ctx, action, fullName)
	if err == nil && r.Outside != nil {
		err = fault.Errorf(fault.Conflict, "%s lives at its forge, and so do its files of Git LFS: %s", r.FullName(), r.Outside.URL)
	}
	if err == nil && s.large == nil {
		err = fault.Errorf(fault.Unavailable, "this server keeps no files of Git LFS")
	}
	if err == nil && action == Write {
		err = r.changeable()
	}
	return r, err
}

// Batch tells of files of Git LFS whether they can be downloaded, or with write whether they are to be uploaded. It needs
// repository:read, or repository:write.
func (s *Service) Batch(ctx context.Context, fullName string, write bool, asked []git.Pointer) ([]Large, error) {
	action := Read
	if write {
		action = Write
	}
	r, err := s.forLarge(ctx, action, fullName)
	if err != nil {
		return nil, err
	}
	kept, err := s.larges(ctx, r.ID, asked)
	if err != nil {
		return nil, err
	}
	var total int64
	if write {
		if total, err = s.largeTotal(ctx, r.ID); err != nil {
			return nil, err
		}
	}
	limits := s.limitsOf(r)
	files := make([]Large, len(asked))
	for i, p := range asked {
		size, here := kept[p.OID]
		f := Large{Pointer: p, Here: here}
		switch {
		case !git.IsOID(p.OID) || p.Size < 0:
			f.Err = fault.Errorf(fault.Invalid, "%.100q is not the SHA-256 of a file of %d bytes", p.OID, p.Size)
		case here:
			f.Size = size
		case !write:
			f.Err = fault.Errorf(fault.NotFound, "%s has no file %s of Git LFS; whoever has it uploads it by git lfs push --all", r.FullName(), p.OID)
		default:
			f.Err = limits.takes(r, p.Size, total)
			total += p.Size
		}
		files[i] = f
	}
	return files, nil
}

// takes refuses a file of Git LFS that is too large, or too much with the others.
func (l Limits) takes(r Repository, size, total int64) error {
	switch {
	case size > l.Object:
		return fault.Errorf(fault.TooLarge, "a file of Git LFS has at most %s here, this one %s", git.Bytes(l.Object), git.Bytes(size))
	case total+size > l.Large:
		return fault.Errorf(fault.TooLarge, "%s may have %s of files of Git LFS, and has %s", r.FullName(), git.Bytes(l.Large), git.Bytes(total))
	}
	return nil
}

// PutLarge takes a file of Git LFS. It needs repository:write. Invalid when the content is not what its name says; nothing
// is kept then.
func (s *Service) PutLarge(ctx context.Context, fullName, oid string, size int64, content io.Reader) error {
	r, err := s.forLarge(ctx, Write, fullName)
	if err != nil {
		return err
	}
	if !git.IsOID(oid) {
		return fault.Errorf(fault.Invalid, "%.100q is not a SHA-256 in hex", oid)
	}
	ctx, ended := s.serving(ctx, r.ID)
	defer ended()
	return s.keepLarge(ctx, r, git.Pointer{OID: oid, Size: max(size, 0)}, content, actor.From(ctx).ID)
}

// keepLarge takes a file of Git LFS for a repository, whoever sends it. The size of the pointer is what was told of it.
func (s *Service) keepLarge(ctx context.Context, r Repository, p git.Pointer, content io.Reader, by string) error {
	oid, limits := p.OID, s.limitsOf(r)
	total, err := s.largeTotal(ctx, r.ID)
	if err != nil {
		return err
	}
	if err := limits.takes(r, p.Size, total); err != nil {
		return err
	}
	defer s.uploads.begin(oid)() // from before the content is there until its row is
	_, size, err := s.large.Put(ctx, &verifier{r: content, hash: sha256.New(), want: oid}, max(1, min(limits.Object, limits.Large-total)))
	if err != nil {
		return fault.Wrap(err, "take a file of Git LFS")
	}
	return fault.Wrap(s.db.Write(ctx, func(tx *store.Tx) error {
		now, err := held(ctx, tx, r.ID)
		if err != nil {
			return fault.Errorf(fault.NotFound, "the repository was deleted meanwhile")
		}
		var total int64
		if err := tx.QueryRow(ctx, "SELECT COALESCE(SUM(size), 0) FROM repository_large WHERE repository = $1 AND oid <> $2", r.ID, oid).Scan(&total); err != nil {
			return err
		}
		if err := s.limitsOf(now).takes(now, size, total); err != nil { // others may have come at the same time
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO repository_large (repository, oid, size, actor, created) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (repository, oid) DO NOTHING`, r.ID, oid, size, by, s.now())
		return err
	}), "keep a file of Git LFS")
}

// OpenLarge gives a file of Git LFS. It needs repository:read.
func (s *Service) OpenLarge(ctx context.Context, fullName, oid string) (io.ReadSeekCloser, int64, error) {
	r, err := s.forLarge(ctx, Read, fullName)
	if err != nil {
		return nil, 0, err
	}
	kept, err := s.larges(ctx, r.ID, []git.Pointer{{OID: oid}})
	if err != nil {
		return nil, 0, err
	}
	if _, here := kept[oid]; !here {
		return nil, 0, fault.Errorf(fault.NotFound, "%s has no file %.100s of Git LFS", r.FullName(), oid)
	}
	return s.large.Open(ctx, "sha256:"+oid)
}

// LargeAt gives the pointer of a file of Git LFS that the repository has, when content is one. It needs repository:read.
func (s *Service) LargeAt(ctx context.Context, fullName string, content []byte) (p git.Pointer, ok bool, err error) {
	if p, ok = git.ParsePointer(content); !ok || s.large == nil {
		return p, false, nil
	}
	files, err := s.Batch(ctx, fullName, false, []git.Pointer{p})
	if fault.Is(err, fault.Conflict) { // they are at its forge
		return p, false, nil
	}
	if err != nil || !files[0].Here {
		return p, false, err
	}
	return files[0].Pointer, true, nil
}

// larges gives the sizes of those files that a repository has.
func (s *Service) larges(ctx context.Context, id string, asked []git.Pointer) (map[string]int64, error) {
	const atOnce = 500
	kept := map[string]int64{}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		for len(asked) > 0 {
			part := asked[:min(len(asked), atOnce)]
			asked = asked[len(part):]
			oids := make([]string, len(part))
			for i, p := range part {
				oids[i] = strings.ToValidUTF8(p.OID, "")
			}
			w := &store.Where{}
			w.Equal("repository", id)
			w.Add(w.In("oid", oids))
			rows, err := tx.Query(ctx, "SELECT oid, size FROM repository_large"+w.String(), w.Args...)
			_, err = store.Collect(rows, err, func(row store.Row) (x struct{}, err error) {
				var oid string
				var size int64
				err = row.Scan(&oid, &size)
				kept[oid] = size
				return x, err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return kept, fault.Wrap(err, "look for files of Git LFS")
}

func (s *Service) largeTotal(ctx context.Context, id string) (total int64, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT COALESCE(SUM(size), 0) FROM repository_large WHERE repository = $1", id).Scan(&total)
	})
	return total, fault.Wrap(err, "count the files of Git LFS")
}

// dropLarge removes the content of files of Git LFS that no repository has, older than a time: of deleted repositories, and
// of uploads that a crash cut off.
func (s *Service) dropLarge(ctx context.Context, before time.Time) error {
	if s.large == nil {
		return nil
	}
	return fault.Wrap(s.large.Walk(ctx, func(i blob.Info) error {
		oid, content := strings.CutPrefix(i.Digest, "sha256:")
		if !content || !i.Modified.Before(before) {
			return nil
		}
		return s.uploads.unless(oid, func() error {
			needed := false
			err := s.db.Read(ctx, func(tx *store.Tx) error {
				n := 0
				err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM repository_large WHERE oid = $1", oid).Scan(&n)
				needed = n > 0
				return err
			})
			if err != nil || needed {
				return err
			}
			return s.large.Delete(ctx, i.Digest)
		})
	}), "remove files of Git LFS that no repository has")
}

// verifier fails at the end of content that is not what its name says.
type verifier struct {
	r    io.Reader
	hash hash.Hash
	want string
}

func (v *verifier) Read(b []byte) (int, error) {
	n, err := v.r.Read(b)
	v.hash.Write(b[:n])
	var known *fault.Error
	if errors.As(err, &known) {
		return n, err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fault.Errorf(fault.Canceled, "the upload was cut: %w", err)
	}
	if err != nil {
		if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.want {
			return n, fault.Errorf(fault.Invalid, "what was sent has the SHA-256 %s, not %s; send it again", got, v.want)
		}
	}
	return n, err
}
