package oci

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

var uploadPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// randomID gives 128 random bits: an upload's id is also what keeps others from writing to it.
func randomID() string {
	var raw [16]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// StartUpload opens an upload to the repository. Exhausted when too many are open.
func (r *Registry) StartUpload(_ context.Context, name string) (id string, err error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	r.mu.Lock()
	full := r.uploads >= r.o.MaxUploads
	if !full {
		r.uploads++
	}
	r.mu.Unlock()
	if full {
		return "", fault.Errorf(fault.Exhausted, "%d uploads are open already; finish or cancel one, or try again later", r.o.MaxUploads)
	}
	id = randomID()
	dir := "uploads/" + id
	err = r.root.Mkdir(dir, 0o700)
	if err == nil {
		err = r.root.WriteFile(dir+"/repository", []byte(name), 0o600)
	}
	if err == nil {
		err = r.root.WriteFile(dir+"/data", nil, 0o600)
	}
	if err != nil {
		r.dropUpload(id)
		return "", fault.Wrap(err, "start an upload")
	}
	return id, nil
}

// acquire makes the caller the one who works on an upload; Exhausted while somebody else does. That is no Conflict, which
// tells the sender where to go on.
func (r *Registry) acquire(name, id string) (release func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	unknown := fault.Errorf(fault.NotFound, "repository %s has no upload with that id; start a new one", name)
	if !uploadPattern.MatchString(id) {
		return nil, unknown
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[id] {
		return nil, fault.Errorf(fault.Exhausted, "another request is writing to this upload; wait for it, then ask how much has arrived")
	}
	owner, err := r.root.ReadFile("uploads/" + id + "/repository")
	if errors.Is(err, fs.ErrNotExist) || err == nil && string(owner) != name {
		return nil, unknown
	}
	if err != nil {
		return nil, fault.Wrap(err, "read the upload")
	}
	r.busy[id] = true
	return func() {
		r.mu.Lock()
		delete(r.busy, id)
		r.mu.Unlock()
	}, nil
}

// UploadSize gives how many bytes of an upload have arrived.
func (r *Registry) UploadSize(_ context.Context, name, id string) (int64, error) {
	release, err := r.acquire(name, id)
	if err != nil {
		return 0, err
	}
	defer release()
	info, err := r.root.Stat("uploads/" + id + "/data")
	if err != nil {
		return 0, notFound(err, "upload")
	}
	return info.Size(), nil
}

// Append adds what body gives to an upload and returns its new size. offset is where the sender thinks that it
// is, or -1 to take it as it comes; a wrong one is a Conflict and writes nothing. What arrived before an error
// stays, and the sender may go on from there. TooLarge over the limit of a blob.
func (r *Registry) Append(ctx context.Context, name, id string, offset int64, body io.Reader) (int64, error) {
	release, err := r.acquire(name, id)
	if err != nil {
		return 0, err
	}
	defer release()
	return r.append(ctx, id, offset, body)
}

func (r *Registry) append(ctx context.Context, id string, offset int64, body io.Reader) (int64, error) {
	f, err := r.root.OpenFile("uploads/"+id+"/data", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 0, notFound(err, "upload")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fault.Wrap(err, "continue the upload")
	}
	size := info.Size()
	if offset >= 0 && offset != size {
		return size, fault.Errorf(fault.Conflict, "the chunk starts at %d, but %d bytes have arrived; go on from there", offset, size)
	}
	sent := &sender{Reader: cancelReader{ctx, body}}
	n, err := io.Copy(f, io.LimitReader(sent, r.o.MaxBlob-size+1))
	size += n
	if sent.err != nil {
		return size, fault.Errorf(fault.Canceled, "the sender stopped after %d bytes: %w", size, sent.err)
	}
	if err != nil {
		return size, fault.Wrap(err, "receive the blob")
	}
	if size > r.o.MaxBlob {
		r.dropUpload(id)
		return size, fault.Errorf(fault.TooLarge, "the blob is over %d bytes", r.o.MaxBlob)
	}
	return size, nil
}

// Finish adds the last bytes, checks the whole against the digest, and makes it a blob of the repository.
// Invalid when the content has another digest; then the upload is gone. With Conflict it gives how much has arrived.
func (r *Registry) Finish(ctx context.Context, name, id string, offset int64, body io.Reader, d Digest) (int64, error) {
	release, err := r.acquire(name, id)
	if err != nil {
		return 0, err
	}
	defer release()
	if arrived, err := r.append(ctx, id, offset, body); err != nil {
		return arrived, err
	}
	data := "uploads/" + id + "/data"
	size, actual, err := r.seal(ctx, data)
	if err != nil {
		return 0, fault.Wrap(err, "finish the upload")
	}
	if actual != d {
		r.dropUpload(id)
		return 0, fault.Errorf(fault.Invalid, "the content has digest %s, not %s; push it again", actual, d)
	}
	if err := r.adopt(data, name, d); err != nil {
		return 0, fault.Wrap(err, "finish the upload")
	}
	r.dropUpload(id)
	return size, nil
}

// adopt gives the durable file data its name by content and links it.
func (r *Registry) adopt(data, name string, d Digest) error {
	r.sweep.RLock()
	defer r.sweep.RUnlock()
	if err := r.place(data, blobPath(d)); err != nil {
		return err
	}
	if err := r.touch(blobPath(d)); err != nil {
		return err
	}
	if r.exists(blobLink(name, d)) {
		return nil
	}
	return r.writeFile(blobLink(name, d), nil)
}

// seal makes the bytes of an upload durable and gives their digest.
func (r *Registry) seal(ctx context.Context, data string) (int64, Digest, error) {
	f, err := r.root.OpenFile(data, os.O_RDWR, 0)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, cancelReader{ctx, f})
	if err != nil {
		return 0, "", err
	}
	return size, Digest("sha256:" + hex.EncodeToString(sum.Sum(nil))), f.Sync()
}

// CancelUpload drops an upload.
func (r *Registry) CancelUpload(_ context.Context, name, id string) error {
	release, err := r.acquire(name, id)
	if err != nil {
		return err
	}
	defer release()
	r.dropUpload(id)
	return nil
}

// dropUpload removes an upload that the caller holds (or has just made).
func (r *Registry) dropUpload(id string) {
	if err := r.root.RemoveAll("uploads/" + id); err != nil {
		r.o.Log.Warn("an upload to the registry can't be removed", "error", err)
		return
	}
	r.mu.Lock()
	r.uploads--
	r.mu.Unlock()
}

// cancelReader stops a long copy when its context ends.
type cancelReader struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// sender remembers an error of the one who sends, which is no error of this machine.
type sender struct {
	io.Reader
	err error
}

func (s *sender) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
