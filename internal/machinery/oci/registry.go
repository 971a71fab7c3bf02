package oci

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Options bound what a registry takes in. A zero field means its default.
type Options struct {
	MaxBlob     int64         // bytes of one blob; 4 GiB
	MaxManifest int64         // bytes of one manifest; 4 MiB, as the specification advises
	MaxUploads  int           // uploads open at once; 128
	UploadAge   time.Duration // an upload that nobody touched for that long is dropped; 1 h
	Grace       time.Duration // content that nothing names is kept for that long, since its push may go on; 24 h
	Now         func() time.Time
	Log         *slog.Logger
}

// Registry keeps repositories, their blobs, manifests and tags in one folder. It is safe for concurrent use by
// one process.
type Registry struct {
	root *os.Root
	o    Options

	// sweep is held to read while links are written to content that may be unnamed until then, and to write while
	// Collect removes one piece of content.
	sweep sync.RWMutex

	mu      sync.Mutex
	busy    map[string]bool // uploads that a request is writing to
	uploads int
}

// Open opens the registry in dir and makes it when it is new. Half-done writes of an earlier life are dropped.
func Open(dir string, o Options) (*Registry, error) {
	if o.MaxBlob == 0 {
		o.MaxBlob = 4 << 30
	}
	if o.MaxManifest == 0 {
		o.MaxManifest = 4 << 20
	}
	if o.MaxUploads == 0 {
		o.MaxUploads = 128
	}
	if o.UploadAge == 0 {
		o.UploadAge = time.Hour
	}
	if o.Grace == 0 {
		o.Grace = 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(err, "make the registry's folder")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Wrap(err, "open the registry's folder")
	}
	r := &Registry{root: root, o: o, busy: map[string]bool{}}
	if err := r.prepare(); err != nil {
		root.Close()
		return nil, fault.Wrap(err, "open the registry")
	}
	return r, nil
}

// Close frees the folder; it waits for nobody.
func (r *Registry) Close() error { return r.root.Close() }

func (r *Registry) prepare() error {
	if err := r.root.RemoveAll("tmp"); err != nil {
		return err
	}
	for _, dir := range []string{"tmp", "blobs/sha256", "repositories", "uploads"} {
		if err := r.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	open, err := fs.ReadDir(r.root.FS(), "uploads")
	r.uploads = len(open)
	return err
}

// paths

func blobPath(d Digest) string              { return "blobs/sha256/" + d.hex()[:2] + "/" + d.hex() }
func repositoryPath(name string) string     { return "repositories/" + name }
func blobLink(name string, d Digest) string { return repositoryPath(name) + "/_blobs/" + d.hex() }
func manifestLink(name string, d Digest) string {
	return repositoryPath(name) + "/_manifests/" + d.hex()
}
func tagPath(name, tag string) string { return repositoryPath(name) + "/_tags/" + tag }
func referrerLink(name string, subject, d Digest) string {
	return repositoryPath(name) + "/_referrers/" + subject.hex() + "/" + d.hex()
}

// writeFile makes a small file durable under its name, all or nothing.
func (r *Registry) writeFile(name string, content []byte) error {
	temporary := "tmp/" + randomID()
	f, err := r.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = r.place(temporary, name)
	}
	if err != nil {
		r.root.Remove(temporary)
	}
	return err
}

// place renames a durable file to its final name and makes the name durable.
func (r *Registry) place(temporary, name string) error {
	dir := path.Dir(name)
	if err := r.makeDir(dir); err != nil {
		return err
	}
	if err := r.root.Rename(temporary, name); err != nil {
		return err
	}
	return r.syncDir(dir)
}

// makeDir makes dir and makes each name that it had to add durable.
func (r *Registry) makeDir(dir string) error {
	if _, err := r.root.Stat(dir); err == nil {
		return nil
	}
	if err := r.makeDir(path.Dir(dir)); err != nil {
		return err
	}
	if err := r.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return r.syncDir(path.Dir(dir))
}

func (r *Registry) syncDir(dir string) error {
	f, err := r.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (r *Registry) exists(name string) bool {
	_, err := r.root.Stat(name)
	return err == nil
}

// touch says that name is in use, so that Collect leaves what it names alone for the time of grace.
func (r *Registry) touch(name string) error {
	now := r.o.Now()
	return r.root.Chtimes(name, now, now)
}

// Blob is an open blob.
type Blob struct {
	io.ReadSeekCloser
	Digest Digest
	Size   int64
}

// StatBlob gives the size of a blob of the repository, or NotFound. A pusher that is told that it exists may
// rely on it for the time of grace.
func (r *Registry) StatBlob(ctx context.Context, name string, d Digest) (int64, error) {
	b, err := r.OpenBlob(ctx, name, d)
	if err != nil {
		return 0, err
	}
	b.Close()
	r.sweep.RLock()
	defer r.sweep.RUnlock()
	if err := r.touch(blobPath(d)); err != nil {
		return 0, notFound(err, "blob %s", d)
	}
	return b.Size, nil
}

// OpenBlob opens a blob (or a manifest, by its digest) that the repository may hand out. NotFound when it can't.
func (r *Registry) OpenBlob(_ context.Context, name string, d Digest) (*Blob, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if !r.exists(blobLink(name, d)) && !r.exists(manifestLink(name, d)) {
		return nil, fault.Errorf(fault.NotFound, "repository %s has no blob %s", name, d)
	}
	return r.openContent(d)
}

func (r *Registry) openContent(d Digest) (*Blob, error) {
	f, err := r.root.Open(blobPath(d))
	if err != nil {
		return nil, notFound(err, "blob %s", d)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fault.Wrap(err, "open blob %s", d)
	}
	return &Blob{ReadSeekCloser: f, Digest: d, Size: info.Size()}, nil
}

// Mount makes a blob of one repository one of another too. The caller has asked for the right to pull from the first.
func (r *Registry) Mount(ctx context.Context, from, to string, d Digest) error {
	if err := CheckName(to); err != nil {
		return err
	}
	if _, err := r.StatBlob(ctx, from, d); err != nil {
		return err
	}
	return fault.Wrap(r.link(to, d), "mount %s in %s", d, to)
}

// link lets the repository hand out content that is already durable.
func (r *Registry) link(name string, d Digest) error {
	r.sweep.RLock()
	defer r.sweep.RUnlock()
	if err := r.touch(blobPath(d)); err != nil {
		return notFound(err, "blob %s", d)
	}
	if r.exists(blobLink(name, d)) {
		return nil
	}
	return r.writeFile(blobLink(name, d), nil)
}

// DeleteBlob takes a blob from the repository; the content goes with the next Collect after no repository names it.
func (r *Registry) DeleteBlob(_ context.Context, name string, d Digest) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := r.root.Remove(blobLink(name, d)); err != nil {
		return notFound(err, "repository %s has no blob %s", name, d)
	}
	return nil
}

// Drop forgets a repository with all its manifests and tags; the content that no other names goes with the next Collect.
func (r *Registry) Drop(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return fault.Wrap(r.root.RemoveAll(repositoryPath(name)), "drop repository %s", name)
}

func notFound(err error, format string, args ...any) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Errorf(fault.NotFound, format+": there is none", args...)
	}
	return fault.Wrap(err, format, args...)
}
