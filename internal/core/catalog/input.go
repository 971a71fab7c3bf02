package catalog

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// input is a file that a placeholder, or a $ref of what it brings, brings.
type input struct {
	repository string // "" for that of the location
	branch     string
	path       string
}

const elsewhere = "//" // no path of a repository begins so

// String gives the path, or //NAMESPACE/NAME@BRANCH:PATH of another repository.
func (in input) String() string {
	if in.repository == "" {
		return in.path
	}
	return elsewhere + in.repository + "@" + in.branch + ":" + in.path
}

// MarshalText gives what UnmarshalText reads.
func (in input) MarshalText() ([]byte, error) { return []byte(in.String()), nil }

// UnmarshalText reads what String gives. Neither repositories nor branches have a colon.
func (in *input) UnmarshalText(text []byte) error {
	rest, far := strings.CutPrefix(string(text), elsewhere)
	if !far {
		*in = input{path: rest}
		return nil
	}
	where, path, _ := strings.Cut(rest, ":")
	repository, branch, _ := strings.Cut(where, "@")
	*in = input{repository, branch, path}
	return nil
}

func compareInputs(a, b input) int {
	return strings.Compare(a.repository+"\x00"+a.branch+"\x00"+a.path, b.repository+"\x00"+b.branch+"\x00"+b.path)
}

// source gives the input without its path.
func (in input) source() input { return input{repository: in.repository, branch: in.branch} }

// commitOf gives where an input is read: for another repository than the location's its head, which stays the same while the
// reading goes on.
func (r *reading) commitOf(ctx context.Context, in input) (repository, commit string, err error) {
	if in.repository == "" {
		return r.location.Repository, r.commit, nil
	}
	r.headsLock.Lock()
	defer r.headsLock.Unlock()
	if commit = r.heads[in.source()]; commit != "" {
		return in.repository, commit, nil
	}
	if commit, err = r.headOf(ctx, in); err == nil {
		r.heads[in.source()] = commit
	}
	return in.repository, commit, err
}

// headOf asks whether the location's space may read another repository, in the same words for one that is not there.
func (r *reading) headOf(ctx context.Context, in input) (string, error) {
	gone := fault.Errorf(fault.NotFound, "there is no repository %s that space %s may read; it is looked at again when it is pushed", in.repository, r.location.Space)
	if r.asCaller {
		gone = fault.Errorf(fault.NotFound, "there is no repository %s that both you and space %s may read", in.repository, r.location.Space)
	}
	space, err := r.s.repositories.SpaceOf(ctx, in.repository)
	if fault.Is(err, fault.NotFound) {
		return "", gone
	}
	if err != nil {
		return "", err
	}
	within, err := r.s.access.Within(ctx, space, r.location.Space)
	if err != nil {
		return "", err
	}
	if within && r.asCaller {
		if within, err = r.s.mayRead(ctx, in.repository); err != nil {
			return "", err
		}
	}
	if !within {
		return "", gone
	}
	return r.s.repositories.Head(ctx, in.repository, in.branch)
}

// hashesOf gives those of files; of one that is not there it is "".
func (r *reading) hashesOf(ctx context.Context, files []input) (map[input]string, error) {
	slices.SortFunc(files, compareInputs)
	files = slices.Compact(files)
	hashes := make(map[input]string, len(files))
	for len(files) > 0 {
		from := files[0].source()
		n := slices.IndexFunc(files, func(in input) bool { return in.source() != from })
		if n < 0 {
			n = len(files)
		}
		paths := make([]string, n)
		for i, in := range files[:n] {
			paths[i], hashes[in] = in.path, ""
		}
		repository, commit, err := r.commitOf(ctx, from)
		var found map[string]string
		if err == nil {
			found, err = r.s.repositories.Hashes(ctx, repository, commit, paths)
		}
		if err != nil && !refused(err) {
			return nil, err
		}
		for _, in := range files[:n] {
			hashes[in] = found[in.path]
		}
		files = files[n:]
	}
	return hashes, nil
}

// noteInputs writes which other repositories the location's placeholders bring files of, so that it is read again when they are
// pushed. It is read again at once where one of them was pushed meanwhile.
func (r *reading) noteInputs(ctx context.Context) error {
	wanted := map[string]bool{}
	note := func(inputs map[input]string) {
		for in := range inputs {
			if in.repository != "" {
				wanted[in.repository] = true
			}
		}
	}
	for path, f := range r.files {
		if note(f.inputs); f.inputs == nil { // it is as it was, or could not be read
			note(r.known[path].inputs)
		}
	}
	if len(wanted) == 0 && !r.far {
		return nil
	}
	err := r.s.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := current(ctx, tx, r.location); err != nil {
			return err
		}
		return saveInputs(ctx, tx, r.location.ID, slices.Sorted(maps.Keys(wanted)))
	})
	if err != nil {
		return err
	}
	for from, commit := range r.heads {
		head, err := r.s.repositories.Head(ctx, from.repository, from.branch)
		if err != nil || head == commit {
			continue
		}
		return r.s.db.Write(ctx, func(tx *store.Tx) error { return r.s.enqueue(ctx, tx, r.location.ID, whyInputs) })
	}
	return nil
}

func saveInputs(ctx context.Context, tx *store.Tx, location string, repositories []string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM location_inputs WHERE location = $1`, location); err != nil {
		return fault.Wrap(err, "forget what location %s brings", location)
	}
	rows := make([][]any, len(repositories))
	for i, name := range repositories {
		rows[i] = []any{name, location}
	}
	_, err := store.InsertMany(ctx, tx, `INSERT INTO location_inputs (repository, location)`, `ON CONFLICT DO NOTHING`, rows)
	return fault.Wrap(err, "write what location %s brings", location)
}

// bringers gives the locations whose placeholders bring files of another repository.
func bringers(ctx context.Context, tx *store.Tx, repository string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT location FROM location_inputs WHERE repository = $1 ORDER BY location`, repository)
	ids, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
	return ids, fault.Wrap(err, "find the locations that bring files of %s", repository)
}

func hasInputs(ctx context.Context, tx *store.Tx, location string) (has bool, err error) {
	var n int
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM location_inputs WHERE location = $1`, location).Scan(&n)
	return n > 0, fault.Wrap(err, "find what location %s brings", location)
}

func readInputs(text string) (inputs map[input]string, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &inputs)
	}
	return inputs, err
}
