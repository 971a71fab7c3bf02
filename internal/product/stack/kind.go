package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Spec is what a Stack document says.
type Spec struct {
	Owner       string         `json:"owner"`
	System      string         `json:"system,omitempty"`
	Component   string         `json:"component,omitempty"` // the component it belongs to
	Source      Source         `json:"source"`
	Engine      Engine         `json:"engine,omitzero"`
	Vendor      Vendor         `json:"vendor,omitzero"`
	Network     bool           `json:"network,omitempty"` // steps ask for the pool's network
	Autodeploy  bool           `json:"autodeploy,omitempty"`
	Following   *bool          `json:"autodeployFollowing,omitempty"` // instead of autodeploy, of runs that follow those of other stacks
	Variables   map[string]any `json:"variables,omitempty"`
	Environment []Variable     `json:"environment,omitempty"`
	Limits      Limits         `json:"limits,omitzero"`
	DependsOn   []Dependency   `json:"dependsOn,omitempty"`
	Schedules   []Schedule     `json:"schedules,omitempty"`
	ShareWith   []string       `json:"shareWith,omitempty"` // spaces whose stacks may use its outputs, with those below them
	Labels      []string       `json:"labels,omitempty"`    // words by which policies and contexts attach, such as production
	Contexts    []string       `json:"contexts,omitempty"`  // attached by hand
	Files       []File         `json:"files,omitempty"`
	Hooks       Hooks          `json:"hooks,omitzero"`
	WorkerPool  string         `json:"workerPool,omitempty"` // where its runs run; "" for the server itself
	Watch       []string       `json:"watch,omitempty"`      // patterns of files beside its folder whose change is one of it, too
	Image       string         `json:"image,omitempty"`      // in which steps run, where the pool has containers
	OIDC        OIDC           `json:"oidc,omitzero"`
}

// DeploysFollowing tells whether runs that follow those of other stacks are applied without a review.
func (s Spec) DeploysFollowing() bool {
	if s.Following != nil {
		return *s.Following
	}
	return s.Autodeploy
}

// Source is where a stack's configuration lives.
type Source struct {
	Repository string `json:"repository,omitempty"` // NAMESPACE/NAME
	Upload     bool   `json:"upload,omitempty"`     // instead of a repository: what is planned and applied is uploaded
	Branch     string `json:"branch,omitempty"`
	Path       string `json:"path,omitempty"`
}

// Engine chooses what runs the configuration.
type Engine struct {
	Name    string `json:"name,omitempty"`    // tofu or terraform; "" for what the pool has
	Version string `json:"version,omitempty"` // a constraint, or latest; "" for what the pool has, or the repository says
}

// Variable is one variable of the environment of a stack's runs.
type Variable struct {
	Name      string `json:"name"`
	Value     string `json:"value,omitempty"`
	SecretRef string `json:"secretRef,omitempty"` // SPACE/NAME
}

// DocumentKind gives the kind Stack, kept by s.
func DocumentKind(s *Service) document.Kind {
	return document.Kind{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "Stack", Plural: "stacks",
		Description: "Infrastructure as code: a folder of a repository that is planned, judged, reviewed and applied.",
		Validate: func(d document.Document) []fault.Detail {
			spec, wrong := read(d)
			return slices.Concat(wrong, spec.Limits.over(d, s.Most), s.checkImage(d, spec))
		},
		Relations: relations,
		Changed:   s.documentChanged,
	}
}

var (
	variableName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	inputName      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$`) // of an engine's variable
	outputName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,127}$`)
	repositoryName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}/[a-z0-9][a-z0-9._-]{0,99}$`)
	secretRef      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,126}$`)
)

// reserved are the beginnings of names that the platform sets in a step's environment.
var reserved = []string{"ROADBED_", "SPACELIFT_OIDC_TOKEN", "TF_HTTP_", "TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "TF_IN_AUTOMATION", "LD_", "PATH"}

func read(d document.Document) (Spec, []fault.Detail) {
	var spec Spec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) { wrong = append(wrong, d.At(message, hint, at...)) }
	if spec.Owner == "" {
		bad("is missing", "name the group that owns it, such as group:default/payments", "spec", "owner")
	}
	switch {
	case spec.Source.Upload && (spec.Source.Repository != "" || spec.Source.Branch != ""):
		bad("has both upload and a repository", "keep one of them", "spec", "source")
	case spec.Source.Upload:
	case !repositoryName.MatchString(spec.Source.Repository):
		bad(fmt.Sprintf("%q is not a hosted repository", spec.Source.Repository), "write NAMESPACE/NAME, or upload: true for a stack whose folder is uploaded", "spec", "source", "repository")
	}
	if spec.Source.Branch == "" && !spec.Source.Upload {
		spec.Source.Branch = "main"
	}
	if p := spec.Source.Path; p != "" {
		clean := path.Clean(p)
		if path.IsAbs(p) || clean == ".." || strings.HasPrefix(clean, "../") || len(p) > 500 {
			bad(fmt.Sprintf("%q leaves the repository", p), "write a path within it, such as infra", "spec", "source", "path")
		}
		if spec.Source.Path = clean; clean == "." {
			spec.Source.Path = ""
		}
	}
	spec.Engine.check(bad)
	if _, err := spec.Limits.time(); err != nil {
		bad(fmt.Sprintf("%q is not a duration between a minute and a day", spec.Limits.Time), "write it like 30m or 2h", "spec", "limits", "time")
	}
	if m := spec.Limits.Memory; m != 0 && (m < 64<<20 || m > 1<<40) {
		bad(fmt.Sprintf("%d bytes of memory are too few or too many", m), "write bytes, such as 2147483648 for 2 GiB", "spec", "limits", "memory")
	}
	for i, label := range spec.Labels {
		if label == "" || len(label) > 200 || i >= 100 {
			bad(fmt.Sprintf("label %q can't be used", label), "write at most 100 labels of at most 200 characters", "spec", "labels")
			break
		}
	}
	for name := range spec.Variables {
		if !inputName.MatchString(name) {
			bad(fmt.Sprintf("%q is not the name of a variable", name), "letters, digits, _ and -", "spec", "variables", name)
		}
	}
	if len(spec.Watch) > mostPatterns {
		bad(fmt.Sprintf("watches %d patterns", len(spec.Watch)), fmt.Sprintf("write at most %d", mostPatterns), "spec", "watch")
	}
	for i, p := range spec.Watch {
		if problem := badPattern(p); problem != "" {
			bad(fmt.Sprintf("%q %s", p, problem), "write a pattern of files from the repository's root, such as modules/network/**", "spec", "watch", fmt.Sprint(i))
		}
	}
	spec.checkVendor(bad)
	spec.OIDC.check(bad)
	spec.checkDependencies(d, bad)
	spec.checkSchedules(d, bad)
	spec.checkPool(d, bad)
	wrong = append(wrong, spec.readAttached(d)...)
	return spec, wrong
}

func isReserved(name string) bool {
	for _, r := range reserved {
		if strings.HasPrefix(name, r) {
			return true
		}
	}
	return false
}

func relations(d document.Document) []document.Relation {
	spec, wrong := read(d)
	if len(wrong) > 0 {
		return nil
	}
	var out []document.Relation
	add := func(kind, text, defaultKind string) {
		if text == "" {
			return
		}
		if target, err := ref.Parse(text, defaultKind, d.Ref().Namespace); err == nil {
			out = append(out, document.Relation{Type: kind, Target: target})
		}
	}
	add("ownedBy", spec.Owner, "group")
	add("partOf", spec.System, "system")
	add("partOf", spec.Component, "component")
	for _, d := range spec.DependsOn {
		add("dependsOn", d.Stack, "stack")
	}
	return out
}

// stop cancels what is under way of a stack whose document goes. What changes infrastructure already comes to its end.
func (s *Service) stop(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	for cursor := ""; ; {
		page, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: r.String(), Open: true, Cursor: cursor, Limit: 200})
		if err != nil {
			return err
		}
		for _, open := range page.Runs {
			err := s.Runs.CancelTx(ctx, tx, open.ID)
			if fault.Is(err, fault.Conflict) {
				if err = nil; ctx.Value(takenAway{}) != nil { // it was confirmed meanwhile
					err = errBusy
				}
			}
			if err != nil {
				return fault.Wrap(err, "cancel run %s", open.ID)
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

// documentChanged keeps the row of a stack, in the transaction of its document, and asks for a look at its branch.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		if _, err := getStack(ctx, tx, c.Ref, tx.ForUpdate()); err != nil && !fault.Is(err, fault.NotFound) { // no run begins meanwhile
			return err
		}
		if ctx.Value(unfollowed{}) != nil {
			if err := followedByNone(ctx, tx, c.Ref); err != nil {
				return err
			}
		}
		if ctx.Value(bySet{}) != nil {
			if err := s.mayGo(ctx, tx, c.Ref); err != nil {
				return err
			}
		}
		if of, is := ctx.Value(takenAway{}).(run.Run); is && of.Subject == c.Ref.String() {
			if _, err := s.mayTakeAway(ctx, tx, of, tx.ForUpdate()); err != nil {
				return err
			}
		}
		if err := s.stop(ctx, tx, c.Ref); err != nil {
			return err
		}
		if err := forgetInit(ctx, tx, c.Ref); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE stacks SET deleted = 1, updated = $2 WHERE ref = $1", c.Ref.String(), store.Micros(s.Now())); err != nil {
			return fault.Wrap(err, "forget stack %s", c.Ref)
		}
		if err := keepNamed(ctx, tx, c.Ref, nil); err != nil {
			return err
		}
		return s.keepDependencies(ctx, tx, c.Ref, Spec{})
	}
	before, err := getStack(ctx, tx, c.Ref, tx.ForUpdate())
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	there := err == nil
	if there && before.Space != c.Space {
		if err := s.takeOver(ctx, tx, c, before); err != nil {
			return err
		}
	}
	spec, wrong := read(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Stack %s is not valid", c.New.Metadata.Name), wrong...)
	}
	if err := s.mayUsePool(ctx, tx, c, spec); err != nil {
		return err
	}
	created, same := s.Now(), there && !before.Deleted && before.Space == c.Space
	known := Spec{}
	if same {
		created, known = before.Created, before.Spec
	}
	if err := s.mayDeclare(ctx, tx, c, created, known, spec, "spec", "schedules"); err != nil {
		return err
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode stack %s", c.Ref)
	}
	edit, editors := before.Edit, before.Editors
	born, who, err := s.bornAt(ctx, tx, c)
	if err != nil {
		return err
	}
	if !same || before.text != string(raw) {
		if len(who) == 0 {
			one, err := s.editor(ctx, tx, c)
			if err != nil {
				return err
			}
			who = []string{one}
		}
		edit++
		for _, one := range who {
			editors = editors.with(one, edit)
		}
	}
	edited, err := json.Marshal(editors)
	if err != nil {
		return fault.Wrap(err, "encode the editors of %s", c.Ref)
	}
	_, err = tx.Exec(ctx, `INSERT INTO stacks (ref, space, repository, branch, path, spec, seen, message, deleted, updated, applied, edit, applied_edit, editors, scheduled, drift, drift_checked, created, owner, pool)
 VALUES ($1,$2,$3,$4,$5,$6,$10,'',0,$7,'',$8,0,$9,$7,'',0,$11,$12,$13) ON CONFLICT (ref) DO UPDATE SET space=excluded.space, owner=excluded.owner, pool=excluded.pool, repository=excluded.repository,
 branch=excluded.branch, path=excluded.path, spec=excluded.spec, deleted=0, updated=excluded.updated, edit=excluded.edit, editors=excluded.editors, created=excluded.created,
 scheduled = CASE WHEN stacks.spec=excluded.spec AND stacks.deleted=0 THEN stacks.scheduled ELSE excluded.scheduled END,
 overdue = CASE WHEN stacks.spec=excluded.spec AND stacks.deleted=0 THEN stacks.overdue ELSE '' END,
 applied = CASE WHEN stacks.repository=excluded.repository AND stacks.branch=excluded.branch AND stacks.deleted=0 THEN stacks.applied ELSE '' END,
 seen = CASE WHEN stacks.repository=excluded.repository AND stacks.branch=excluded.branch AND stacks.path=excluded.path
  AND stacks.deleted=0 AND stacks.spec=excluded.spec THEN stacks.seen ELSE '' END`,
		c.Ref.String(), c.Space, spec.Source.Repository, spec.Source.Branch, spec.Source.Path, string(raw), store.Micros(s.Now()), edit, string(edited), born, store.Micros(created), Stack{Ref: c.Ref, Spec: spec}.owner(), spec.WorkerPool)
	if err != nil {
		return fault.Wrap(err, "keep stack %s", c.Ref)
	}
	if err := s.keepDependencies(ctx, tx, c.Ref, spec); err != nil {
		return err
	}
	if err := keepNamed(ctx, tx, c.Ref, spec.Contexts); err != nil {
		return err
	}
	if err := s.schedule(ctx, tx, c.Ref, spec, created, s.Now()); err != nil {
		return err
	}
	if err := s.keepWorkspace(ctx, tx, c); err != nil {
		return err
	}
	if born != "" && !there { // it counts as looked at
		return nil
	}
	return s.look(ctx, tx, c.Ref)
}
