package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// lockFolder makes a data folder one process's own, until the file is closed or the process ends.
func lockFolder(data string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "lock the data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fault.Errorf(fault.Conflict, "another server uses the data folder %s; stop it, or give this one a folder of its own with --data", data)
	} else if err != nil {
		err = fault.Errorf(fault.Unavailable, "lock the data folder: %w", err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// settleIn makes this server the home of its database. Repositories, logs and the node's pods lie in its data folder,
// so a server with another folder would find none of them, and would run what this one runs once more.
func (h *House) settleIn() error {
	ctx := context.Background()
	return h.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO server_home (one, server) VALUES (1, $1) ON CONFLICT (one) DO NOTHING", h.name); err != nil {
			return err
		}
		var home string
		if err := tx.QueryRow(ctx, "SELECT server FROM server_home WHERE one = 1").Scan(&home); err != nil {
			return err
		}
		if home != h.name {
			return fault.Errorf(fault.Conflict, "the database belongs to the server %s, and %s holds the name of another one, %s; "+
				"start it with the data folder that belongs to the database, or restore a backup, which brings both", home, fmt.Sprintf("%s/%s", h.Options.Data, nameFile), h.name)
		}
		return nil
	})
}
