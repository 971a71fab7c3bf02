package oci

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Collected says what Collect removed.
type Collected struct {
	Uploads int   // abandoned
	Links   int   // blobs that a repository had, and no manifest of it named
	Blobs   int   // pieces of content
	Bytes   int64 // of that content
}

// Collect removes what nothing names: uploads that nobody touched for Options.UploadAge, and content and links that
// no manifest of the repository names and that are older than Options.Grace. Manifests are never removed, tagged or
// not, since a deployment names them by digest; see DeleteManifest. Pushes and pulls go on meanwhile.
func (r *Registry) Collect(ctx context.Context) (Collected, error) {
	var c Collected
	if err := r.expireUploads(&c); err != nil {
		return c, fault.Wrap(err, "collect uploads")
	}
	before := r.o.Now().Add(-r.o.Grace)
	named := map[Digest]bool{}
	repositories, err := r.Repositories(ctx)
	if err != nil {
		return c, err
	}
	for _, name := range repositories {
		if err := r.markRepository(ctx, name, before, named, &c); err != nil {
			return c, fault.Wrap(err, "collect repository %s", name)
		}
	}
	return c, fault.Wrap(r.sweepBlobs(ctx, before, named, &c), "collect content")
}

// Repositories gives the names of all repositories that have had a push, in order.
func (r *Registry) Repositories(ctx context.Context) ([]string, error) {
	var found []string
	err := fs.WalkDir(r.root.FS(), "repositories", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !e.IsDir() || !strings.HasPrefix(e.Name(), "_") {
			return nil
		}
		parent := strings.TrimPrefix(strings.TrimSuffix(path, "/"+e.Name()), "repositories/")
		if len(found) == 0 || found[len(found)-1] != parent {
			found = append(found, parent)
		}
		return fs.SkipDir
	})
	return found, fault.Wrap(err, "list repositories")
}

// markRepository notes all content that the repository's manifests name, and drops old links to anything else.
func (r *Registry) markRepository(ctx context.Context, name string, before time.Time, named map[Digest]bool, c *Collected) error {
	manifests, err := r.names(repositoryPath(name) + "/_manifests")
	if err != nil {
		return err
	}
	own := map[Digest]bool{}
	for _, hex := range manifests {
		if err := ctx.Err(); err != nil {
			return err
		}
		d := Digest("sha256:" + hex)
		named[d] = true
		m, err := r.Manifest(ctx, name, string(d))
		if err != nil {
			return err // never guess what a manifest that can't be read names
		}
		doc, _, err := parseManifest(m.MediaType, m.Content)
		if err != nil {
			return err
		}
		if doc.Config != nil {
			own[doc.Config.Digest] = true
		}
		for _, p := range doc.Layers {
			own[p.Digest] = true
		}
	}
	links, err := r.names(repositoryPath(name) + "/_blobs")
	if err != nil {
		return err
	}
	for _, hex := range links {
		d := Digest("sha256:" + hex)
		if own[d] {
			named[d] = true
			continue
		}
		dropped, err := r.dropIfOld(blobPath(d), blobLink(name, d), before)
		if err != nil {
			return err
		}
		if dropped {
			c.Links++
		} else {
			named[d] = true
		}
	}
	return nil
}

// dropIfOld removes victim when the content at path was last touched before the time, which it looks at while
// nobody can link to it.
func (r *Registry) dropIfOld(path, victim string, before time.Time) (bool, error) {
	r.sweep.Lock()
	defer r.sweep.Unlock()
	info, err := r.root.Stat(path)
	if err == nil && !info.ModTime().Before(before) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	err = r.root.Remove(victim)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (r *Registry) sweepBlobs(ctx context.Context, before time.Time, named map[Digest]bool, c *Collected) error {
	return fs.WalkDir(r.root.FS(), "blobs/sha256", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		d := Digest("sha256:" + e.Name())
		if named[d] {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		dropped, err := r.dropIfOld(path, path, before)
		if dropped {
			c.Blobs++
			c.Bytes += info.Size()
		}
		return err
	})
}

func (r *Registry) expireUploads(c *Collected) error {
	ids, err := r.names("uploads")
	if err != nil {
		return err
	}
	before := r.o.Now().Add(-r.o.UploadAge)
	for _, id := range ids {
		r.mu.Lock()
		busy := r.busy[id]
		if !busy {
			r.busy[id] = true
		}
		r.mu.Unlock()
		if busy {
			continue
		}
		touched, err := r.lastTouched(id)
		if err == nil && touched.Before(before) {
			r.dropUpload(id)
			c.Uploads++
		}
		r.mu.Lock()
		delete(r.busy, id)
		r.mu.Unlock()
	}
	return nil
}

func (r *Registry) lastTouched(id string) (time.Time, error) {
	info, err := r.root.Stat("uploads/" + id + "/data")
	if errors.Is(err, fs.ErrNotExist) {
		info, err = r.root.Stat("uploads/" + id)
	}
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
