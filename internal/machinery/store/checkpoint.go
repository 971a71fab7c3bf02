package store

import (
	"context"
	"encoding/binary"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// What SQLite commits stands in its log until a checkpoint has moved it into the file, which takes several waits for the disk.
// Left to itself, SQLite has whoever commits do that. Here it is done beside those who commit, which go on meanwhile. The log
// begins anew when all of it was moved and somebody commits; where there is never such a moment, because commits follow one
// another without a rest, the log becomes long, and then a commit moves the little that is left.
const (
	pagesInLog = 1000  // that are committed before they are moved
	mostInLog  = 16000 // pages (64 MB) from which on a commit moves what is left
)

// checkpoints moves what is in the log whenever it is told that there is enough, until the writer has ended.
func (l *lite) checkpoints() {
	defer close(l.moved)
	for {
		select {
		case <-l.writer.grown:
		case <-l.writer.gone:
			return
		}
		l.checkpoint()
	}
}

// checkpoint waits for nobody: where somebody else makes one, or a reader needs what is in the log, that is left for the next.
func (l *lite) checkpoint() {
	if _, err := l.db.outer.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		l.db.log.Warn("what is in the log of the database was not moved into its file; it is tried again", "error", err)
	}
}

// grow tells that a commit has made the log long enough to be moved.
func (w *writer) grow() {
	pages := w.link.pagesWritten()
	if pages >= w.pages && pages-w.pages < pagesInLog { // a connection that was made again begins anew
		return
	}
	w.pages = pages
	select {
	case w.grown <- struct{}{}:
	default: // it is told already
	}
}

// pagesWritten counts the pages that a connection has written in its life. It is 0 where the driver does not tell SQLite's handle.
func (k *link) pagesWritten() int {
	if k.handle == 0 {
		return 0
	}
	tls := libc.NewTLS()
	defer tls.Close()
	at := tls.Alloc(8)
	defer tls.Free(8)
	if sqlite3.Xsqlite3_db_status(tls, k.handle, sqlite3.SQLITE_DBSTATUS_CACHE_WRITE, at, at+4, 0) != sqlite3.SQLITE_OK {
		return 0
	}
	return int(binary.NativeEndian.Uint32(libc.GoBytes(at, 4)))
}
