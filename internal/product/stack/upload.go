package stack

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// UploadLimit bounds the archive of a configuration as it is sent, in bytes.
const UploadLimit = 100 << 20

// uploadBounds bound what such an archive holds.
func uploadBounds() worker.Bounds {
	return worker.Bounds{Bytes: 512 << 20, Entries: 50_000, Depth: 50}
}

// Configuration is a folder that somebody uploaded, to be planned, and for a stack without a repository to be applied.
type Configuration struct {
	ID          string // cfg_…
	Stack       ref.Entity
	Status      string // pending, uploaded, errored or archived
	Error       string // why an upload was refused
	Speculative bool   // only to be planned
	Provisional bool   // not what a run is of that names none, until a run of it has finished
	Digest      string // sha256: of the archive as it was sent
	Size        int64  // bytes, as it was sent
	Entries     int
	Actor       string
	Created     time.Time

	blob string // sealed
}

// States of configurations.
const (
	ConfigurationPending  = "pending"
	ConfigurationUploaded = "uploaded"
	ConfigurationErrored  = "errored"
	ConfigurationArchived = "archived" // what was uploaded is not kept for new runs
)

const (
	configurationID      = "cfg"
	configurationColumns = "id, stack, status, error, speculative, digest, kept, size, entries, actor, created, provisional"
)

func scanConfiguration(row store.Row) (Configuration, error) {
	var c Configuration
	var name string
	var speculative, provisional int
	var created int64
	err := row.Scan(&c.ID, &name, &c.Status, &c.Error, &speculative, &c.Digest, &c.blob, &c.Size, &c.Entries, &c.Actor, &created, &provisional)
	if err != nil {
		return c, err
	}
	c.Speculative, c.Provisional, c.Created = speculative == 1, provisional == 1, store.FromMicros(created)
	c.Stack, err = ref.Parse(name, "stack", ref.DefaultNamespace)
	return c, err
}

func getConfiguration(ctx context.Context, tx *store.Tx, id string) (Configuration, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+configurationColumns+" FROM stack_configurations WHERE id = $1", id), scanConfiguration, "configuration %s", id)
}

// mostPending bounds how many configurations of one stack one person may have begun and not sent.
const mostPending = 100

// NewConfiguration makes room for an upload, which Upload brings.
// Permission: stack:plan in the stack's space. Who may not even see the stack gets NotFound.
func (s *Service) NewConfiguration(ctx context.Context, r ref.Entity, speculative, provisional bool) (Configuration, error) {
	stack, err := s.begins(ctx, r, Proposed)
	if err != nil {
		return Configuration{}, err
	}
	if stack.Deleted {
		return Configuration{}, gone(r)
	}
	now := s.Now()
	c := Configuration{ID: ref.NewID(configurationID, now), Stack: r, Status: ConfigurationPending, Speculative: speculative || !stack.Remote(), Provisional: provisional, Actor: actor.From(ctx).ID, Created: now}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		// What was never sent, or refused, is kept for a day.
		if _, err := tx.Exec(ctx, "DELETE FROM stack_configurations WHERE stack = $1 AND status IN ('pending', 'errored') AND created < $2", r.String(), store.Micros(now.Add(-24*time.Hour))); err != nil {
			return fault.Wrap(err, "forget old uploads of %s", r)
		}
		n := 0
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM stack_configurations WHERE stack = $1 AND status = 'pending' AND actor = $2", r.String(), c.Actor).Scan(&n); err != nil {
			return err
		}
		if n >= mostPending {
			return fault.Errorf(fault.Exhausted, "%d uploads to %s were begun and not sent; send one of them, or come back tomorrow", n, r)
		}
		_, err := tx.Exec(ctx, "INSERT INTO stack_configurations ("+configurationColumns+") VALUES ($1,$2,$3,'',$4,'','',0,0,$5,$6,$7)",
			c.ID, r.String(), c.Status, btoi(c.Speculative), c.Actor, store.Micros(now), btoi(c.Provisional))
		return fault.Wrap(err, "begin an upload to %s", r)
	})
	return c, err
}

func gone(r ref.Entity) error {
	return fault.Errorf(fault.Conflict, "the document of %s is deleted; apply it again first", r)
}

// configuration gives one whose stack the caller may see or plan.
func (s *Service) configuration(ctx context.Context, id string) (c Configuration, stack Stack, err error) {
	none := access.NotFound("configuration " + id)
	if !ref.IsID(id, configurationID) {
		return c, stack, none
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if c, err = getConfiguration(ctx, tx, id); err == nil {
			stack, err = getStack(ctx, tx, c.Stack, "")
		}
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return c, stack, none
	}
	if err == nil && !s.Access.May(ctx, "stack:read", stack.Space) && !s.Access.May(ctx, "stack:plan", stack.Space) {
		return Configuration{}, Stack{}, none
	}
	return c, stack, err
}

// Configuration gives one. Permission: stack:read or stack:plan in the stack's space; otherwise NotFound.
func (s *Service) Configuration(ctx context.Context, id string) (Configuration, error) {
	c, _, err := s.configuration(ctx, id)
	return c, err
}

// Configurations gives those of a stack, newest first. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) Configurations(ctx context.Context, r ref.Entity, part page.Request) (list page.Of[Configuration], err error) {
	if _, err := s.read(ctx, r); err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Equal("stack", r.String())
		w.Before("id", part.Cursor)
		rows, err := tx.Query(ctx, "SELECT "+configurationColumns+" FROM stack_configurations"+w.String()+" ORDER BY id DESC LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanConfiguration)
		list = page.Cut(all, part, func(c Configuration) string { return c.ID })
		return err
	})
	return list, err
}

// Upload brings the tar.gz of a configuration. It is looked at before anything of it is kept: TooLarge or Invalid tells
// what is wrong with it. Sending the same archive again is done at once; another one gives Conflict.
// Permission: stack:plan in the stack's space, and it is the caller's own; otherwise NotFound.
func (s *Service) Upload(ctx context.Context, id string, archive io.Reader) (Configuration, error) {
	c, stack, err := s.configuration(ctx, id)
	if err != nil {
		return c, err
	}
	if c.Actor != actor.From(ctx).ID {
		return c, access.NotFound("configuration " + id)
	}
	if _, err := s.begins(ctx, stack.Ref, Proposed); err != nil {
		return c, err
	}
	f, sent, err := spool(archive)
	if err != nil {
		return c, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if c.Status == ConfigurationArchived {
		return c, fault.Errorf(fault.Conflict, "configuration %s is archived; begin another one", id)
	}
	if c.Status == ConfigurationUploaded {
		if c.Digest == sent.Digest {
			return c, nil
		}
		return c, fault.Errorf(fault.Conflict, "configuration %s is uploaded already; begin another one", id)
	}
	sent.ID, sent.Stack = c.ID, c.Stack
	holds, err := worker.CheckArchive(f, uploadBounds())
	if kind := fault.KindOf(err); kind == fault.Invalid || kind == fault.TooLarge {
		return c, errors.Join(err, s.refused(ctx, id, err))
	}
	if err != nil {
		return c, err
	}
	sent.Entries = holds.Entries
	return s.uploaded(ctx, sent, f)
}

// spool writes an archive to a file, since it is read twice.
func spool(archive io.Reader) (f *os.File, sent Configuration, err error) {
	if f, err = os.CreateTemp("", "roadbed-upload-*"); err != nil {
		return nil, sent, fault.Errorf(fault.Unavailable, "make room for the upload: %w", err)
	}
	sum := sha256.New()
	sent.Size, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(archive, UploadLimit+1))
	if err == nil && sent.Size > UploadLimit {
		err = fault.Errorf(fault.TooLarge, "the archive has more than %d MiB; leave out what a plan does not need, such as by .terraformignore", UploadLimit>>20)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, sent, fault.Wrap(err, "take the upload")
	}
	sent.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return f, sent, nil
}

func (s *Service) refused(ctx context.Context, id string, why error) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE stack_configurations SET status = 'errored', error = $2 WHERE id = $1 AND status = 'pending'", id, fault.Message(why))
		return err
	})
}

// uploaded keeps an archive that was looked at, sealed, since a folder may hold more than its owner thinks. The same one
// of the same stack is kept once.
func (s *Service) uploaded(ctx context.Context, sent Configuration, f io.ReadSeeker) (c Configuration, err error) {
	same := func(tx *store.Tx, lock string) (string, error) {
		return optionalText(tx.QueryRow(ctx, "SELECT kept FROM stack_configurations WHERE stack = $1 AND digest = $2 AND status = 'uploaded' LIMIT 1"+lock, sent.Stack.String(), sent.Digest))
	}
	if err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		sent.blob, err = same(tx, "")
		return err
	}); err != nil {
		return c, err
	}
	reused := sent.blob != ""
	if !reused {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return c, fault.Wrap(err, "read the upload again")
		}
		sealed := s.Seal.Sealing(f)
		defer sealed.Close()
		if sent.blob, _, err = s.Blob.Put(ctx, sealed, 2*UploadLimit); err != nil {
			return c, fault.Wrap(err, "keep the upload")
		}
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if reused {
			if still, err := same(tx, tx.ForUpdate()); err != nil || still != sent.blob {
				return cmp.Or(err, fault.Errorf(fault.Unavailable, "the same archive was forgotten at this moment; upload it again"))
			}
		}
		_, err := tx.Exec(ctx, "UPDATE stack_configurations SET status = 'uploaded', error = '', digest = $2, kept = $3, size = $4, entries = $5 WHERE id = $1 AND status IN ('pending', 'errored')",
			sent.ID, sent.Digest, sent.blob, sent.Size, sent.Entries)
		if err != nil {
			return fault.Wrap(err, "keep configuration %s", sent.ID)
		}
		if c, err = getConfiguration(ctx, tx, sent.ID); err != nil {
			return err
		}
		if c.Digest != sent.Digest { // two were sent at the same time
			return fault.Errorf(fault.Conflict, "configuration %s was uploaded at this moment with another content", sent.ID)
		}
		stack, err := getStack(ctx, tx, c.Stack, "")
		if err != nil {
			return err
		}
		return s.note(ctx, tx, stack, "stack.configuration-uploaded", "", map[string]any{"configuration": c.ID, "digest": c.Digest, "entries": c.Entries})
	})
	return c, err
}

func optionalText(row store.Row) (text string, err error) {
	if err = row.Scan(&text); fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return text, err
}

// Upload is what a run of an uploaded folder is asked to do besides. It is a part of a run's Input.
type Upload struct {
	Configuration string            `json:"configuration"`
	Blob          string            `json:"blob"` // of the archive, sealed
	Digest        string            `json:"digest"`
	Targets       []string          `json:"targets,omitempty"`
	Replace       []string          `json:"replace,omitempty"`
	Destroy       bool              `json:"destroy,omitempty"` // of a preview
	RefreshOnly   bool              `json:"refreshOnly,omitempty"`
	NoRefresh     bool              `json:"noRefresh,omitempty"`
	Variables     map[string]string `json:"-"`                   // as HCL writes them
	VariablesBlob string            `json:"variables,omitempty"` // the same as a file, sealed
	Message       string            `json:"message,omitempty"`
	AutoApply     bool              `json:"autoApply,omitempty"` // asked for by whoever began the run
	Save          bool              `json:"save,omitempty"`      // the plan waits for its confirmation, whatever the stack says
}

// Bounds of what a run of an upload is asked.
const (
	mostAddresses    = 1000
	mostRunVariables = 1000
	valueLimit       = 64 << 10 // bytes of a variable's value, or an address
	askLimit         = 1 << 20  // bytes of all of them
)

func (u Upload) check() error {
	if len(u.Targets)+len(u.Replace) > mostAddresses || len(u.Variables) > mostRunVariables {
		return fault.Errorf(fault.TooLarge, "a run takes at most %d addresses and %d variables", mostAddresses, mostRunVariables)
	}
	total := len(u.Message)
	for _, address := range slices.Concat(u.Targets, u.Replace) {
		if total += len(address); address == "" || len(address) > valueLimit || strings.ContainsAny(address, "\x00\n\r") {
			return fault.Errorf(fault.Invalid, "%.100q is not the address of a resource", address)
		}
	}
	for name, value := range u.Variables {
		if !outputName.MatchString(name) {
			return fault.Errorf(fault.Invalid, "%.100q is not the name of a variable; letters, digits, _ and -", name)
		}
		if total += len(value); len(value) > valueLimit {
			return fault.Errorf(fault.TooLarge, "the value of variable %s has more than %d bytes", name, valueLimit)
		}
	}
	if total > askLimit {
		return fault.Errorf(fault.TooLarge, "what the run is asked has more than %d bytes", askLimit)
	}
	return nil
}

// unreviewed tells why a run is applied without review where the policies agree; "" when it is not.
func (in Input) unreviewed(round int) string {
	switch {
	case in.Upload != nil && in.Upload.Save: // it is confirmed by who has looked at it
		return ""
	case in.Upload != nil && in.Upload.AutoApply && in.Type != Proposed && round == 1: // who retries it may not be who asked
		return "applied without review, as whoever began it asked"
	case in.Autodeploy && in.Type == Tracked:
		return "applied without review, as the stack says"
	}
	return ""
}

// refreshOnly tells whether a run takes up what others have changed, and applies nothing of its folder.
func (in Input) refreshOnly() bool { return in.Upload != nil && in.Upload.RefreshOnly }

// source gives where a run's files come from.
func (in Input) source(r *run.Run) worker.Source {
	if in.Upload != nil {
		return worker.Source{Path: "source", Blob: in.Upload.Blob, Sealed: true}
	}
	return worker.Source{Path: "source", Repository: r.Source.Repository, Commit: r.Source.Commit}
}

// files gives what an upload's run has beside its folder: the variables of the run, which count before all others.
func (in Input) files() []worker.File {
	if in.Upload == nil || in.Upload.VariablesBlob == "" {
		return nil
	}
	return []worker.File{{Path: path.Join("source", in.Path, "zzz_roadbed_run.auto.tfvars"), Blob: in.Upload.VariablesBlob, Sealed: true, Mode: 0o600}}
}

// keepVariables stores the variables of a run as the file that its steps get, sealed, since they may be secrets.
func (s *Service) keepVariables(ctx context.Context, u *Upload) (err error) {
	if len(u.Variables) == 0 {
		return nil
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(u.Variables)) {
		fmt.Fprintf(&text, "%s = %s\n", name, u.Variables[name])
	}
	sealed := s.Seal.Sealing(strings.NewReader(text.String()))
	defer sealed.Close()
	u.VariablesBlob, _, err = s.Blob.Put(ctx, sealed, 4*askLimit)
	return fault.Wrap(err, "keep the variables of the run")
}

// planArgs adds to a plan's arguments what the run was asked. Engines read them as a shell would.
func (u *Upload) planArgs(job *worker.Job) {
	if u == nil {
		return
	}
	var args []string
	if u.Destroy {
		args = append(args, "-destroy")
	}
	if u.RefreshOnly {
		args = append(args, "-refresh-only")
	}
	if u.NoRefresh {
		args = append(args, "-refresh=false")
	}
	for _, address := range u.Targets {
		args = append(args, quoted("-target="+address))
	}
	for _, address := range u.Replace {
		args = append(args, quoted("-replace="+address))
	}
	if len(args) > 0 {
		job.Env["TF_CLI_ARGS_plan"] = strings.TrimSpace(job.Env["TF_CLI_ARGS_plan"] + " " + strings.Join(args, " "))
	}
}

// UploadRun asks for a run of an uploaded folder.
type UploadRun struct {
	Type          string // proposed, tracked or destroy
	Configuration string // "" for the newest of the stack that is more than a preview
	Upload        Upload // without its configuration, blob and digest
	Commit        string // there is none
}

// StartUpload begins a run of an uploaded folder. A stack that has a repository plans what is uploaded and nothing more:
// what it applies comes from its branch.
// Permission: that of the run's type, see Right, and run:confirm for AutoApply. Who may not even see the stack gets NotFound.
func (s *Service) StartUpload(ctx context.Context, r ref.Entity, ask UploadRun) (run.Run, error) {
	stack, err := s.begins(ctx, r, ask.Type)
	if err != nil {
		return run.Run{}, err
	}
	if stack.Deleted {
		return run.Run{}, gone(r)
	}
	if ask.Commit != "" {
		return run.Run{}, fault.Errorf(fault.Invalid, "a run is of a commit or of an uploaded folder; keep one of commit and configuration")
	}
	if ask.Type == Drift || ask.Type == Task {
		return run.Run{}, fault.Errorf(fault.Invalid, "what is uploaded is planned or applied; write type proposed, tracked or destroy")
	}
	if ask.Type == Destroy {
		if err := s.free(ctx, stack); err != nil {
			return run.Run{}, err
		}
	}
	if !stack.Remote() && ask.Type != Proposed {
		return run.Run{}, fault.Errorf(fault.Conflict, "%s follows branch %s of %s, and applies nothing that is uploaded; preview it, and push what you want to apply", r, stack.Branch, stack.Repository)
	}
	ask.Upload.Destroy = ask.Upload.Destroy && ask.Type == Proposed // the type says it of others
	if err := ask.Upload.check(); err != nil {
		return run.Run{}, err
	}
	if ask.Upload.AutoApply {
		if err := s.Access.Authorize(ctx, "run:confirm", stack.Space); err != nil {
			return run.Run{}, fault.Wrap(err, "apply without asking")
		}
	}
	if err := s.keepVariables(ctx, &ask.Upload); err != nil {
		return run.Run{}, err
	}
	var c Configuration
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = chosen(ctx, tx, r, ask)
		return err
	})
	if err != nil {
		return run.Run{}, err
	}
	ready, err := s.prepareUpload(ctx, stack, c)
	if err == nil {
		err = s.mayBegin(ctx, stack, ask.Type, "", "")
	}
	if err != nil {
		return run.Run{}, err
	}
	up := ask.Upload
	up.Configuration, up.Blob, up.Digest = c.ID, c.blob, c.Digest
	var created run.Run
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		err := s.useUpload(ctx, tx, c, r)
		if err != nil {
			return err
		}
		created, _, err = s.start(ctx, tx, stack, ask.Type, "", "", "", ready, func(n *run.New, in *Input) { in.Upload, n.Source = &up, run.Source{} })
		if err == nil && !onlyPlans(ask.Type) {
			err = s.letGoOn(ctx, tx, r, "")
		}
		return err
	})
	return created, err
}

// chosen gives the configuration of a run.
func chosen(ctx context.Context, tx *store.Tx, r ref.Entity, ask UploadRun) (Configuration, error) {
	if ask.Configuration == "" {
		c, err := store.One(tx.QueryRow(ctx, "SELECT "+configurationColumns+" FROM stack_configurations WHERE stack = $1 AND status = 'uploaded' AND speculative = 0 AND provisional = 0 ORDER BY id DESC LIMIT 1", r.String()),
			scanConfiguration, "configuration of %s", r)
		if fault.Is(err, fault.NotFound) {
			err = fault.Errorf(fault.Conflict, "nothing was uploaded to %s so far; run `tofu apply` with its cloud block, or upload its folder", r)
		}
		return c, err
	}
	c, err := getConfiguration(ctx, tx, ask.Configuration)
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && c.Stack != r:
		return c, access.NotFound("configuration " + ask.Configuration)
	case err != nil:
		return c, err
	case c.Status != ConfigurationUploaded:
		return c, fault.Errorf(fault.Conflict, "configuration %s is %s %s; upload it first", c.ID, c.Status, c.Error)
	case c.Speculative && ask.Type != Proposed:
		return c, fault.Errorf(fault.Conflict, "configuration %s was uploaded to be planned only", c.ID)
	}
	return c, nil
}

// uploadAuthors gives whose changes a run of an upload would apply. Who edited the document in a repository is not known.
func uploadAuthors(stack Stack, c Configuration) []string {
	all := []string{c.Actor}
	for _, who := range stack.Editors.since(stack.AppliedEdit) {
		if strings.HasPrefix(who, commitPrefix) {
			who = unknownAuthor
		}
		if !slices.Contains(all, who) {
			all = append(all, who)
		}
	}
	return all
}
