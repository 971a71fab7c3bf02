package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// knownFile is a file as a location has read it.
type knownFile struct {
	hash   string // "" when it must be read again
	names  bool
	inputs map[input]string
}

// knownFiles gives the files that a location has read.
func knownFiles(ctx context.Context, tx *store.Tx, location string) (map[string]knownFile, error) {
	rows, err := tx.Query(ctx, `SELECT path, hash, names, inputs FROM location_files WHERE location = $1`, location)
	known := map[string]knownFile{}
	_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
		var path, inputs string
		var k knownFile
		if err := r.Scan(&path, &k.hash, &k.names, &inputs); err != nil {
			return struct{}{}, err
		}
		var err error
		if k.inputs, err = readInputs(inputs); err != nil {
			return struct{}{}, fmt.Errorf("read what %s brings: %w", path, err)
		}
		known[path] = k
		return struct{}{}, nil
	})
	return known, fault.Wrap(err, "read the files of location %s", location)
}

// knowFiles writes files as they were read.
func knowFiles(ctx context.Context, tx *store.Tx, location string, files map[string]knownFile) error {
	rows := make([][]any, 0, len(files))
	for path, k := range files {
		inputs := ""
		if len(k.inputs) > 0 {
			text, err := json.Marshal(k.inputs)
			if err != nil {
				return err
			}
			inputs = string(text)
		}
		rows = append(rows, []any{location, path, k.hash, k.names, inputs})
	}
	slices.SortFunc(rows, func(a, b []any) int { return compareText(a[1], b[1]) })
	_, err := store.InsertMany(ctx, tx, `INSERT INTO location_files (location, path, hash, names, inputs)`,
		`ON CONFLICT (location, path) DO UPDATE SET hash = excluded.hash, names = excluded.names, inputs = excluded.inputs`, rows)
	return fault.Wrap(err, "write the files of location %s", location)
}

// forgetFiles takes out files that are gone with all that they declared.
func forgetFiles(ctx context.Context, tx *store.Tx, location string, paths []string) error {
	return among(tx.Dialect(), []any{location}, paths, func(in string, args []any) error {
		_, err := tx.Exec(ctx, `DELETE FROM location_files WHERE location = $1 AND path `+in, args...)
		return fault.Wrap(err, "forget files of location %s", location)
	})
}
