package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Spec is what an Application document says: Argo CD's fields, as far as this room acts on them.
type Spec struct {
	Project              string      `json:"project,omitempty"`
	Source               Source      `json:"source"`
	Destination          Destination `json:"destination"`
	SyncPolicy           SyncPolicy  `json:"syncPolicy,omitzero"`
	RevisionHistoryLimit int         `json:"revisionHistoryLimit,omitempty"`
	Info                 []Info      `json:"info,omitempty"`
}

// Source is where the manifests live.
type Source struct {
	RepoURL        string     `json:"repoURL"`
	Path           string     `json:"path,omitempty"`
	TargetRevision string     `json:"targetRevision,omitempty"`
	Directory      *Directory `json:"directory,omitempty"`
}

// Directory chooses files of the path.
type Directory struct {
	Recurse bool   `json:"recurse,omitempty"`
	Include string `json:"include,omitempty"`
	Exclude string `json:"exclude,omitempty"`
}

// Destination is where the objects go.
type Destination struct {
	Name      string `json:"name,omitempty"`
	Server    string `json:"server,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// SyncPolicy says what happens by itself.
type SyncPolicy struct {
	Automated   *Automated `json:"automated,omitempty"`
	SyncOptions []string   `json:"syncOptions,omitempty"`
}

// Automated syncs without a person.
type Automated struct {
	Enabled    *bool `json:"enabled,omitempty"`
	Prune      bool  `json:"prune,omitempty"`
	SelfHeal   bool  `json:"selfHeal,omitempty"`
	AllowEmpty bool  `json:"allowEmpty,omitempty"`
}

// Info is a line for people.
type Info struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Annotations that join an application to its neighbours.
const (
	AnnotationStack     = "roadbed.dev/stack"     // its outputs reach the application
	AnnotationComponent = "roadbed.dev/component" // whose history shows the syncs
)

// automatic tells whether the application syncs by itself.
func (s Spec) automatic() bool {
	a := s.SyncPolicy.Automated
	return a != nil && (a.Enabled == nil || *a.Enabled)
}

// prune tells whether what vanishes from the repository, or the whole application, goes from the cluster too.
func (s Spec) prune() bool {
	return !s.option("Prune=false") && (s.option("Prune=true") || s.SyncPolicy.Automated != nil && s.SyncPolicy.Automated.Prune)
}

// keptRevisions are kept of an application that does not say how many.
const keptRevisions = 50

func (s Spec) history() int {
	if s.RevisionHistoryLimit > 0 {
		return s.RevisionHistoryLimit
	}
	return keptRevisions
}

func (s Spec) allowEmpty() bool {
	return s.SyncPolicy.Automated != nil && s.SyncPolicy.Automated.AllowEmpty
}

func (s Spec) selfHeal() bool {
	return s.SyncPolicy.Automated != nil && s.SyncPolicy.Automated.SelfHeal
}

func (s Spec) option(name string) bool {
	for _, o := range s.SyncPolicy.SyncOptions {
		if o == name {
			return true
		}
	}
	return false
}

// knownOptions are the sync options that this room acts on.
var knownOptions = []string{"CreateNamespace=true", "CreateNamespace=false", "Prune=true", "Prune=false", "Validate=true"}

// LocalCluster is the name of the embedded node as a destination.
const LocalCluster = "local"

// DocumentKind gives the kind Application, kept by s.
func DocumentKind(s *Service) document.Kind {
	return document.Kind{
		APIVersions: []string{"argoproj.io/v1alpha1"}, Name: "Application", Plural: "applications",
		Description: "A folder of manifests that is kept running on a cluster.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := s.readDocument(d)
			return wrong
		},
		Relations: relations,
		Changed:   s.documentChanged,
	}
}

// hostedPath finds NAMESPACE/NAME in the ways a hosted repository is written without a host: /git/NS/NAME, NS/NAME.
var hostedPath = regexp.MustCompile(`^(?:/git/)?([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9][A-Za-z0-9._-]*?)(?:\.git)?/?$`)

// hosted gives the name of a repository of this server, which is known under the given addresses.
func hosted(text string, addresses []string) (string, bool) {
	if u, err := url.Parse(text); err != nil || len(text) > 1000 {
		return "", false
	} else if u.Scheme != "" || u.Host != "" {
		own := slices.ContainsFunc(addresses, func(base string) bool {
			b, err := url.Parse(base)
			return err == nil && b.Host != "" && strings.EqualFold(b.Host, u.Host)
		})
		if !own || !strings.HasPrefix(u.Path, "/git/") {
			return "", false
		}
		text = u.Path
	}
	m := hostedPath.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return strings.ToLower(m[1] + "/" + m[2]), true // as the ledger names it
}

func (s *Service) readDocument(d document.Document) (Application, []fault.Detail) {
	a := Application{Ref: d.Ref()}
	if err := document.Decode(d, &a.Spec); err != nil {
		return a, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) { wrong = append(wrong, d.At(message, hint, at...)) }
	spec := a.Spec
	if spec.Project != "" && spec.Project != "default" {
		bad(fmt.Sprintf("project %q does not exist", spec.Project), "write default", "spec", "project")
	}
	var ok bool
	if a.Repository, ok = hosted(spec.Source.RepoURL, s.Addresses); !ok {
		bad(fmt.Sprintf("%q is not a hosted repository", spec.Source.RepoURL), "write /git/NAMESPACE/NAME", "spec", "source", "repoURL")
	}
	wrong = append(wrong, a.readSource(d)...)
	if n := spec.RevisionHistoryLimit; n < 0 || n > 200 {
		bad(fmt.Sprintf("is %d", n), "keep 1 to 200 revisions", "spec", "revisionHistoryLimit")
	}
	if dest := spec.Destination; (dest.Name == "") == (dest.Server == "") {
		bad("needs either name or server", "write name: "+LocalCluster, "spec", "destination")
	} else if s.cluster(dest) == nil {
		bad(fmt.Sprintf("cluster %q is unknown", dest.Name+dest.Server), "known: "+strings.Join(slices.Sorted(maps.Keys(s.Clusters)), ", "), "spec", "destination")
	}
	if name := spec.Destination.Namespace; name != "" && (len(name) > 63 || !namespaceName.MatchString(name)) {
		bad(fmt.Sprintf("%q is not the name of a namespace", name), "use lower-case letters, digits and dashes", "spec", "destination", "namespace")
	}
	for i, o := range spec.SyncPolicy.SyncOptions {
		if !slices.Contains(knownOptions, o) {
			bad(fmt.Sprintf("sync option %q is not acted on", o), "known: "+strings.Join(knownOptions, ", "), "spec", "syncPolicy", "syncOptions", fmt.Sprint(i))
		}
	}
	a.Stack = annotated(d, AnnotationStack, "stack", &wrong)
	a.Component = annotated(d, AnnotationComponent, "component", &wrong)
	return a, wrong
}

var namespaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// revisionName is a branch, a tag or a commit; git itself is stricter still.
var revisionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/+@-]{0,254}$`)

// readSource takes the folder and the branch, and says what is wrong with them.
func (a *Application) readSource(d document.Document) (wrong []fault.Detail) {
	bad := func(field, message, hint string) {
		wrong = append(wrong, d.At(message, hint, "spec", "source", field))
	}
	source := a.Spec.Source
	clean, err := git.CheckPath(source.Path)
	if err != nil || strings.Contains("/"+source.Path+"/", "/../") || len(source.Path) > 500 {
		bad("path", fmt.Sprintf("%.100q is not a folder of the repository", source.Path), "write a path within it, such as deploy")
	}
	a.Path = clean
	a.Branch = strings.TrimPrefix(source.TargetRevision, "refs/heads/")
	if a.Branch == "" || a.Branch == "HEAD" {
		a.Branch = "main"
	}
	if !revisionName.MatchString(a.Branch) || strings.Contains(a.Branch, "..") {
		bad("targetRevision", fmt.Sprintf("%.100q is not a branch, a tag or a commit", a.Branch), "write a branch, such as main")
	}
	if dir := source.Directory; dir != nil {
		for _, pattern := range []string{dir.Include, dir.Exclude} {
			if len(pattern) > 500 || !validGlob(pattern) {
				bad("directory", fmt.Sprintf("%.100q is not a pattern of files", pattern), "write it like *.yaml or {a.yaml,b.yaml}")
			}
		}
	}
	return wrong
}

func annotated(d document.Document, name, kind string, wrong *[]fault.Detail) ref.Entity {
	text := d.Metadata.Annotations[name]
	if text == "" {
		return ref.Entity{}
	}
	r, err := ref.Parse(text, kind, d.Ref().Namespace)
	if err != nil || r.Kind != kind {
		*wrong = append(*wrong, d.At(fmt.Sprintf("%q is not a %s", text, kind), "write "+kind+":NAMESPACE/NAME", "metadata", "annotations", name))
		return ref.Entity{}
	}
	return r
}

func relations(d document.Document) []document.Relation {
	var ignored []fault.Detail
	var out []document.Relation
	if r := annotated(d, AnnotationStack, "stack", &ignored); !r.IsZero() {
		out = append(out, document.Relation{Type: "dependsOn", Target: r})
	}
	if r := annotated(d, AnnotationComponent, "component", &ignored); !r.IsZero() {
		out = append(out, document.Relation{Type: "partOf", Target: r})
	}
	if owner := d.Metadata.Annotations["roadbed.dev/owner"]; owner != "" {
		if r, err := ref.Parse(owner, "group", d.Ref().Namespace); err == nil {
			out = append(out, document.Relation{Type: "ownedBy", Target: r})
		}
	}
	return out
}

// channelDeleted wakes syncs that wait for the health of an application that is no longer wanted.
const channelDeleted = "delivery_deleted"

// documentChanged keeps the row of an application, in the transaction of its document, and asks for a look.
func (s *Service) documentChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		_, err := tx.Exec(ctx, "UPDATE applications SET deleted = $3, updated = $2 WHERE ref = $1", c.Ref.String(), store.Micros(s.Now()), leaving)
		if err != nil {
			return fault.Wrap(err, "forget application %s", c.Ref)
		}
		s.DB.Notify(tx, channelDeleted)
		return s.look(ctx, tx, c.Ref.String())
	}
	a, wrong := s.readDocument(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("Application %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(a.Spec)
	if err != nil {
		return fault.Wrap(err, "encode application %s", c.Ref)
	}
	if err := s.nameFree(ctx, tx, c); err != nil {
		return err
	}
	// What was deployed in one space is no history for those of another.
	if _, err = tx.Exec(ctx, `DELETE FROM application_revisions WHERE application IN (SELECT ref FROM applications WHERE ref = $1 AND space <> $2)`, c.Ref.String(), c.Space); err != nil {
		return fault.Wrap(err, "forget the history of %s", c.Ref)
	}
	_, err = tx.Exec(ctx, `INSERT INTO applications (ref, space, repository, branch, path, spec, stack, component, synced, failed, message, deleted, updated)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,'','','',0,$9) ON CONFLICT (ref) DO UPDATE SET space=excluded.space, repository=excluded.repository,
 branch=excluded.branch, path=excluded.path, spec=excluded.spec, stack=excluded.stack, component=excluded.component,
 synced = CASE WHEN applications.deleted <> 0 OR applications.space <> excluded.space THEN '' ELSE applications.synced END, failed = CASE WHEN applications.deleted <> 0 OR applications.space <> excluded.space THEN '' ELSE applications.failed END,
 message = CASE WHEN applications.deleted <> 0 OR applications.space <> excluded.space THEN '' ELSE applications.message END, deleted=0, updated=excluded.updated`,
		c.Ref.String(), c.Space, a.Repository, a.Branch, a.Path, string(raw), a.Stack.String(), a.Component.String(), store.Micros(s.Now()))
	if err != nil {
		return fault.Wrap(err, "keep application %s", c.Ref)
	}
	return s.look(ctx, tx, c.Ref.String())
}

// nameFree refuses a name under which an application of another space still has objects: the cluster knows them by it,
// so whoever took it would have them too.
func (s *Service) nameFree(ctx context.Context, tx *store.Tx, c document.Change) error {
	n := 0
	err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM applications WHERE ref = $1 AND space <> $2 AND deleted <> 0", c.Ref.String(), c.Space).Scan(&n)
	if err != nil {
		return fault.Wrap(err, "look who had the name of %s", c.Ref)
	}
	if n == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Conflict, Message: fmt.Sprintf("Application %s can't be taken", c.New.Metadata.Name), Details: []fault.Detail{
		c.New.At("an application of this name in another space was deleted, and its objects are still there",
			"choose another name, or have that space bring it back, with prune, and delete it", "metadata", "name"),
	}}
}
