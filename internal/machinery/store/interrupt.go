package store

import (
	"context"
	"database/sql"
	"reflect"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// interruptAgain is how often what runs is interrupted until it ends: a statement that begins just then does not notice.
const interruptAgain = 10 * time.Millisecond

// handleOf gives SQLite's handle of a connection, which the driver keeps to itself; 0 when it no longer keeps it so.
func handleOf(conn *sql.Conn) (handle uintptr) {
	_ = conn.Raw(func(driver any) error {
		if v := reflect.ValueOf(driver); v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
			if db := v.Elem().FieldByName("db"); db.Kind() == reflect.Uintptr {
				handle = uintptr(db.Uint())
			}
		}
		return nil
	})
	return handle
}

// guard has the end of ctx interrupt what runs on a connection, until end is called. The driver and database/sql would do
// so too, with two goroutines for each statement that ctx is given to, which cost more than most statements do.
func (k *link) guard(ctx context.Context) (end func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		tls := libc.NewTLS()
		defer tls.Close()
		for {
			sqlite3.Xsqlite3_interrupt(tls, k.handle)
			select {
			case <-over:
				return
			case <-time.After(interruptAgain):
			}
		}
	})
	return func() {
		if !stop() {
			close(over)
			<-ended
		}
	}
}
