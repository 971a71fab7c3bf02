package store

import (
	"context"
	"encoding/binary"
	"time"

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

// checkpointAgain is how long it takes until what could not be moved, because somebody reads of before, is tried again.
const checkpointAgain = time.Second

// checkpoints moves what is in the log whenever it is told that there is enough, until the writer has ended.
func (l *lite) checkpoints() {
	defer close(l.moved)
	var again <-chan time.Time
	for {
		select {
		case <-l.writer.grown:
		case <-again:
		case <-l.writer.gone:
			return
		}
		again = nil
		if !l.checkpoint() {
			again = time.After(checkpointAgain)
		}
	}
}

// checkpoint waits for nobody, and tells whether all of the log was moved.
func (l *lite) checkpoint() (all bool) {
	var busy, pages, moved int
	err := l.db.outer.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved)
	if err != nil && !l.failed {
		l.db.log.Warn("what is in the log of the database was not moved into its file; it is tried again", "error", err)
	}
	l.failed = err != nil
	return err == nil && busy == 0 && moved == pages
}

// grow tells that a commit has made the log long enough to be moved.
func (w *writer) grow(tls *libc.TLS) {
	pages := w.link.pagesWritten(tls)
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
func (k *link) pagesWritten(tls *libc.TLS) int {
	if k.handle == 0 {
		return 0
	}
	at := tls.Alloc(8)
	defer tls.Free(8)
	if sqlite3.Xsqlite3_db_status(tls, k.handle, sqlite3.SQLITE_DBSTATUS_CACHE_WRITE, at, at+4, 0) != sqlite3.SQLITE_OK {
		return 0
	}
	return int(binary.NativeEndian.Uint32(libc.GoBytes(at, 4)))
}
