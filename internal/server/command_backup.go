package server

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// kept are the folders of the data folder that a backup holds beside the database. What the server makes anew
// (workspaces, caches, sandboxes, unpacked images, pods) is left out.
var kept = []string{"keys", "blobs", "lfs", "registry", "node"}

// left are folders within them that are made anew.
var left = []string{"node/images", "node/pods", "registry/tmp", "registry/uploads", "blobs/temporary", "lfs/temporary"}

// linksFolder holds which repository of the registry has what content.
const linksFolder = "registry/repositories"

// databaseName is the database in a data folder, dumpName its rows in a backup.
const (
	databaseName = "roadbed.db"
	dumpName     = "database.jsonl"
)

func backupCommand(string) *cobra.Command {
	c := onData("backup FILE", "Write a backup of a data folder, also while its server runs", cobra.ExactArgs(1), func(c *cobra.Command, o Options, args []string) error {
		log, err := o.Logger()
		if err != nil {
			return err
		}
		db, err := store.Open(c.Context(), o.Database, log)
		if err != nil {
			return err
		}
		defer db.Close()
		n, err := backup(c.Context(), db, o.Data, args[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "wrote %s: %d files. It holds the key of the secrets: keep it as safe as the server.\n", args[0], n)
		return nil
	})
	return c
}

// content are the folders of what never changes and is named by its content, which rows and links name. It goes when no row
// names it any more.
var content = []string{"blobs/content", "lfs/content", "registry/blobs"}

// backup copies content before the rows and once more after them: what a row of the copy names was there before, or has
// come since, also when somebody deletes meanwhile. The rest is copied after the rows, of which none then knows more than
// the files hold.
func backup(ctx context.Context, db *store.DB, data, path string) (files int, err error) {
	b, err := newBackup(data, path)
	if err != nil {
		return 0, err
	}
	defer b.leave()
	if err := b.contents(ctx); err != nil {
		return 0, err
	}
	if err := b.rows(ctx, db); err != nil {
		return 0, err
	}
	if err := b.rest(ctx, db); err != nil {
		return 0, err
	}
	return b.files, b.finish()
}

// backupFile is a backup that is being written.
type backupFile struct {
	data, path, temp string
	out              *os.File
	zipped           *gzip.Writer
	archive          *tar.Writer
	files            int
	has              map[string]bool // of the content
}

func newBackup(data, path string) (*backupFile, error) {
	out, err := os.OpenFile(path+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "make the backup: %w", err)
	}
	b := &backupFile{data: data, path: path, out: out, has: map[string]bool{}}
	if b.temp, err = os.MkdirTemp(filepath.Dir(path), ".backup-"); err != nil {
		b.leave()
		return nil, fault.Errorf(fault.Unavailable, "make the backup: %w", err)
	}
	b.zipped = gzip.NewWriter(out)
	b.archive = tar.NewWriter(b.zipped)
	return b, nil
}

// leave lets go of what is not finished.
func (b *backupFile) leave() {
	_ = b.out.Close()
	_ = os.Remove(b.path + ".part")
	if b.temp != "" {
		_ = os.RemoveAll(b.temp)
	}
}

func (b *backupFile) finish() error {
	if err := errors.Join(b.archive.Close(), b.zipped.Close(), b.out.Sync(), b.out.Close()); err != nil {
		return fault.Errorf(fault.Unavailable, "write the backup: %w", err)
	}
	return os.Rename(b.path+".part", b.path)
}

// contents copies the content that is not in the backup yet.
func (b *backupFile) contents(ctx context.Context) error {
	for _, folder := range content {
		if err := b.folder(ctx, b.data, folder); err != nil {
			return fault.Wrap(err, "copy %s", folder)
		}
	}
	return nil
}

func (b *backupFile) rows(ctx context.Context, db *store.DB) error {
	if err := dumpTo(ctx, db, filepath.Join(b.temp, dumpName)); err != nil {
		return err
	}
	b.files++
	return addFile(b.archive, filepath.Join(b.temp, dumpName), dumpName)
}

// rest copies all that is kept beside the rows. The links of the registry go before its content, which comes before what
// links to it.
func (b *backupFile) rest(ctx context.Context, db *store.DB) error {
	if err := addFile(b.archive, filepath.Join(b.data, nameFile), nameFile); err == nil {
		b.files++
	} else if !errors.Is(err, fs.ErrNotExist) { // a server that was never started has no name
		return fault.Wrap(err, "copy the server's name")
	}
	if err := b.folder(ctx, b.data, linksFolder); err != nil {
		return fault.Wrap(err, "copy registry")
	}
	for _, folder := range kept {
		if err := b.folder(ctx, b.data, folder); err != nil {
			return fault.Wrap(err, "copy %s", folder)
		}
	}
	// Repositories are packed while their server runs, so they are copied by the room that knows how.
	if err := copyRepositories(ctx, db, b.data, filepath.Join(b.temp, "repositories")); err != nil {
		return fault.Wrap(err, "copy the repositories")
	}
	return fault.Wrap(b.folder(ctx, b.temp, "repositories"), "copy the repositories")
}

func dumpTo(ctx context.Context, db *store.DB, path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "make the dump of the database: %w", err)
	}
	defer out.Close()
	if err := db.Dump(ctx, out); err != nil {
		return err
	}
	return out.Close()
}

func copyRepositories(ctx context.Context, db *store.DB, data, to string) error {
	log := slog.New(slog.DiscardHandler)
	program, err := git.New("", log)
	if err != nil {
		return err
	}
	l := ledger.New(db, time.Now, log)
	repositories, err := repository.New(db, access.New(db, l, time.Now, log), l, program, filepath.Join(data, "repositories"), time.Now, log)
	if err != nil {
		return err
	}
	return repositories.Copy(ctx, to)
}

// folder copies what is in a folder and not in the backup yet.
func (b *backupFile) folder(ctx context.Context, data, folder string) error {
	return filepath.WalkDir(filepath.Join(data, folder), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // gone since the folder was listed, such as a lock of git
			return nil
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(data, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		if b.has[name] || !e.IsDir() && !e.Type().IsRegular() || ctx.Err() != nil {
			return ctx.Err()
		}
		if e.IsDir() {
			if slices.Contains(left, name) || name == linksFolder && folder != linksFolder {
				return fs.SkipDir
			}
			return b.archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o700})
		}
		if err := addFile(b.archive, path, name); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		b.files++
		if slices.ContainsFunc(content, func(c string) bool { return strings.HasPrefix(name, c+"/") }) {
			b.has[name] = true
		}
		return nil
	})
}

func addFile(archive *tar.Writer, path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, io.LimitReader(f, info.Size())) // a log that grows meanwhile is copied as long as it was
	return err
}

func restoreCommand(string) *cobra.Command {
	return onData("restore FILE", "Make a data folder and a database from a backup; both must be new or empty", cobra.ExactArgs(1), func(c *cobra.Command, o Options, args []string) error {
		log, err := o.Logger()
		if err != nil {
			return err
		}
		n, err := restore(c.Context(), o, args[0], log)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "restored %d files to %s; start the server with --data %s", n, o.Data, o.Data)
		if !strings.HasPrefix(o.Database, "sqlite:") {
			fmt.Fprint(c.OutOrStdout(), " and the same --database") // not shown: it may hold a password
		}
		fmt.Fprintln(c.OutOrStdout())
		return nil
	})
}

// restore fills the database, which may be of the other kind than the one that was copied, and puts the files in place.
// References that were pushed after the database was copied are recorded by the next start, as changes past the server are.
func restore(ctx context.Context, o Options, path string, log *slog.Logger) (files int, err error) {
	if entries, err := os.ReadDir(o.Data); err == nil && len(entries) > 0 {
		return 0, fault.Errorf(fault.Conflict, "%s is not empty; name a new folder with --data", o.Data)
	}
	in, err := os.Open(path)
	if err != nil {
		return 0, fault.Errorf(fault.Invalid, "open the backup: %w", err)
	}
	defer in.Close()
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return 0, fault.Errorf(fault.Unavailable, "make the data folder: %w", err)
	}
	root, err := os.OpenRoot(o.Data)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	zipped, err := gzip.NewReader(in)
	if err != nil {
		return 0, fault.Errorf(fault.Invalid, "%s is not a backup: %w", path, err)
	}
	archive := tar.NewReader(zipped)
	loaded := false
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, fault.Errorf(fault.Invalid, "%s is damaged: %w", path, err)
		}
		if header.Name == dumpName {
			loaded, err = true, load(ctx, o.Database, archive, log)
		} else {
			err = place(root, archive, header)
		}
		if err != nil {
			return 0, fault.Wrap(err, "restore %s", header.Name)
		}
		if header.Typeflag == tar.TypeReg {
			files++
		}
	}
	if !loaded {
		return 0, fault.Errorf(fault.Invalid, "%s is not a backup: it holds no %s", path, dumpName)
	}
	return files, nil
}

func load(ctx context.Context, database string, from io.Reader, log *slog.Logger) error {
	db, err := store.Open(ctx, database, log)
	if err != nil {
		return err
	}
	_, err = db.Load(ctx, from, Migrations()...)
	return errors.Join(err, db.Close())
}

func place(root *os.Root, archive io.Reader, header *tar.Header) error {
	name := filepath.FromSlash(strings.TrimSuffix(header.Name, "/"))
	if header.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o700)
	}
	if header.Typeflag != tar.TypeReg {
		return fault.Errorf(fault.Invalid, "a backup holds files and folders alone")
	}
	if dir := filepath.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(header.Mode).Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, archive)
	return errors.Join(err, f.Close())
}
