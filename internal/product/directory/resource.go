package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Kinds of resources.
const (
	User  = "User"
	Group = "Group"
)

// Bounds of what is kept of one directory.
const (
	MostMembers    = 20_000 // of one group
	MostAttributes = 64 << 10
	mostResources  = 100_000
	mostSame       = 50 // resources whose names are the same but for what can't stand in one
)

const resourcePrefix = "dir"

// Resource is a person or a group as an identity provider has sent it.
type Resource struct {
	ID         string // dir_…
	Kind       string // User, Group
	Label      string // userName of a User, displayName of a Group
	ExternalID string
	Active     bool
	Attributes map[string]any // without id, externalId, members and groups
	Members    []Member       // of a Group, when they were asked for
	Groups     []Member       // that a User is in, when they were asked for
	Name       string         // of the entity
	Created    time.Time
	Changed    time.Time
	Version    int64
	Problem    string // why the catalog does not have it so
}

// Member is one end of a membership.
type Member struct {
	ID      string
	Kind    string
	Display string
}

// Sent is what an identity provider says of a resource.
type Sent struct {
	Label      string
	ExternalID string
	Active     bool // of a User
	Attributes map[string]any
	Members    []string // ids; nil leaves them as they are
}

// Query asks for resources. What is "" is not asked for.
type Query struct {
	Kind       string
	ID         string
	Label      string // without case
	ExternalID string
	Member     string // of Groups: the id of one who is in it
	Whole      bool   // members and groups are given too
	Match      func(Resource) bool
	Start      int // of the first that is given, from 1
	Count      int
}

// Begin gives the directory to whoever may write to it by SCIM: directory:write. NotFound when there is none that is written
// to.
func (s *Service) Begin(ctx context.Context, name string) (Directory, error) {
	d, err := s.writable(ctx, name)
	if err == nil && d.Protocol() != BySCIM {
		err = fault.Errorf(fault.NotFound, "directory %s is read by LDAP; nothing is written to it", d.Name)
	}
	return d, err
}

// CreateResource takes in a person or a group. It needs directory:write. Conflict when there is one of the same userName.
func (s *Service) CreateResource(ctx context.Context, directory, kind string, in Sent) (Resource, error) {
	d, err := s.Begin(ctx, directory)
	if err != nil {
		return Resource{}, err
	}
	r := Resource{ID: ref.NewID(resourcePrefix, s.Now()), Kind: kind, Created: s.Now()}
	err = s.change(ctx, d, "created", func(tx *store.Tx, d Directory) (*Resource, error) {
		if n, err := resourcesOf(ctx, tx, d.Name); err != nil || n >= mostResources {
			return nil, orExhausted(err, "directory %s has %d people and groups, which is as many as one may have; use another one for the rest", d.Name, n)
		}
		return &r, s.put(ctx, tx, d, &r, in)
	})
	if err != nil {
		return r, fault.Wrap(err, "take in a %s", kind)
	}
	return s.Resource(ctx, d.Name, kind, r.ID)
}

func orExhausted(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fault.Errorf(fault.Exhausted, format, args...)
}

// ReplaceResource makes a person or a group what is sent. It needs directory:write. version is the one that was seen, 0 for
// whatever it is: Stale when it is another by now.
func (s *Service) ReplaceResource(ctx context.Context, directory, kind, id string, version int64, in Sent) (Resource, error) {
	d, err := s.Begin(ctx, directory)
	if err != nil {
		return Resource{}, err
	}
	err = s.change(ctx, d, "changed", func(tx *store.Tx, d Directory) (*Resource, error) {
		r, err := current(ctx, tx, d.Name, kind, id, version)
		if err != nil {
			return nil, err
		}
		return &r, s.put(ctx, tx, d, &r, in)
	})
	if err != nil {
		return Resource{}, fault.Wrap(err, "change a %s", kind)
	}
	return s.Resource(ctx, d.Name, kind, id)
}

// DeleteResource ends a person or a group. It needs directory:write. version is as in ReplaceResource.
func (s *Service) DeleteResource(ctx context.Context, directory, kind, id string, version int64) error {
	d, err := s.Begin(ctx, directory)
	if err != nil {
		return err
	}
	err = s.change(ctx, d, "deleted", func(tx *store.Tx, d Directory) (*Resource, error) {
		r, err := current(ctx, tx, d.Name, kind, id, version)
		if err != nil {
			return nil, err
		}
		if err := staleNeighbours(ctx, tx, d.Name, r.ID); err != nil {
			return nil, err
		}
		return &r, bury(ctx, tx, d.Name, r.ID)
	})
	return fault.Wrap(err, "delete a %s", kind)
}

// Resource gives a person or a group with all that belongs to it. It needs directory:write: who provisions reads what is there.
func (s *Service) Resource(ctx context.Context, directory, kind, id string) (Resource, error) {
	found, _, err := s.Resources(ctx, directory, Query{Kind: kind, ID: id, Whole: true, Start: 1, Count: 1})
	if err != nil {
		return Resource{}, err
	}
	if len(found) == 0 {
		return Resource{}, noResource(kind, id)
	}
	return found[0], nil
}

func noResource(kind, id string) error {
	return fault.Errorf(fault.NotFound, "there is no %s %.100s", kind, id)
}

// Resources gives a part of the people or groups that a query asks for, in the order of their ids, and how many those are in
// all. It needs directory:write.
func (s *Service) Resources(ctx context.Context, directory string, q Query) (part []Resource, total int, err error) {
	d, err := s.Begin(ctx, directory)
	if err != nil {
		return nil, 0, err
	}
	q.Start, q.Count = max(q.Start, 1), max(q.Count, 0)
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if q.Match == nil {
			part, total, err = paged(ctx, tx, d.Name, q)
		} else {
			part, total, err = matched(ctx, tx, d.Name, q)
		}
		return err
	})
	return part, total, fault.Wrap(err, "look for people and groups")
}

// change does one request of an identity provider, and has the catalog say so before it is answered.
func (s *Service) change(ctx context.Context, d Directory, what string, do func(tx *store.Tx, d Directory) (*Resource, error)) error {
	done, err := s.turn(ctx, d.Name)
	if err != nil {
		return err
	}
	defer done()
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := byName(ctx, tx, d.Name)
		if err != nil {
			return err
		}
		r, err := do(tx, now)
		if err != nil {
			return err
		}
		before := now.Status
		now.generation++
		now.Looked, now.State, now.Reason = s.Now(), Healthy, ""
		if before.State == Waiting {
			now.written = now.Looked
		}
		if now.State != before.State {
			now.Since = now.Looked
			if err := s.tell(ctx, tx, now, "directory.healthy", map[string]any{"protocol": BySCIM}); err != nil {
				return err
			}
		}
		if err := save(ctx, tx, now); err != nil {
			return err
		}
		return s.tell(ctx, tx, now, "directory.written", map[string]any{"resource": r.ID, "kind": r.Kind, "action": what})
	})
	if err != nil {
		return err
	}
	settled, stop := context.WithTimeout(context.WithoutCancel(ctx), projectTime) // also for who has hung up
	defer stop()
	if err := s.project(settled, d.Name); err != nil { // which is tried again
		s.Log.WarnContext(ctx, "what was written to a directory is not in the catalog yet", "directory", d.Name, "error", err)
	}
	return nil
}

// put writes a resource as it was sent.
func (s *Service) put(ctx context.Context, tx *store.Tx, d Directory, r *Resource, in Sent) error {
	if in.Label == "" || len(in.Label) > mostText || len(in.ExternalID) > mostText {
		what := map[string]string{User: "userName", Group: "displayName"}[r.Kind]
		return fault.Errorf(fault.Invalid, "%s is missing or, as externalId, longer than %d bytes", what, mostText)
	}
	raw, err := json.Marshal(in.Attributes)
	if err != nil {
		return err
	}
	if len(raw) > MostAttributes {
		return fault.Errorf(fault.TooLarge, "the attributes take %d bytes; at most %d are kept", len(raw), MostAttributes)
	}
	r.Label, r.ExternalID, r.Active, r.Attributes = in.Label, in.ExternalID, in.Active || r.Kind == Group, in.Attributes
	if r.Kind == User {
		if err := unlike(ctx, tx, d.Name, *r); err != nil {
			return err
		}
	}
	if r.Name == "" {
		if r.Name, err = freeName(ctx, tx, d, *r); err != nil {
			return err
		}
	}
	r.Changed = s.Now()
	r.Version++
	if err := saveResource(ctx, tx, d.Name, *r, string(raw)); err != nil || in.Members == nil {
		return err
	}
	return setMembers(ctx, tx, d.Name, r.ID, in.Members)
}

// unlike refuses a userName that somebody else of the directory has.
func unlike(ctx context.Context, tx *store.Tx, directory string, r Resource) error {
	var other string
	err := tx.QueryRow(ctx, `SELECT id FROM directory_resources WHERE directory = $1 AND kind = $2 AND label = $3 AND gone = 0 AND id <> $4`,
		directory, r.Kind, strings.ToLower(r.Label), r.ID).Scan(&other)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return fault.Wrap(err, "look for the same userName")
	}
	return fault.Errorf(fault.Conflict, "the userName belongs to %s", other)
}

// freeName gives a name for the entity of a new resource.
func freeName(ctx context.Context, tx *store.Tx, d Directory, r Resource) (string, error) {
	base := entityName(r.Label, d.Spec.Names)
	if base == "" {
		base = entityName(r.ExternalID, FullNames)
	}
	if base == "" {
		base = strings.ToLower(r.Kind) + "-" + r.ID[len(r.ID)-8:]
	}
	for n := 1; n <= mostSame; n++ {
		name := base
		if n > 1 {
			tail := fmt.Sprintf("-%d", n)
			name = strings.TrimRight(base[:min(len(base), mostName-len(tail))], "-_.") + tail
		}
		var taken int
		err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM directory_resources WHERE directory = $1 AND kind = $2 AND name = $3`, d.Name, r.Kind, name).Scan(&taken)
		if err != nil || taken == 0 {
			return name, fault.Wrap(err, "look for a free name")
		}
	}
	return "", fault.Errorf(fault.Conflict, "%d others would be called %s in the catalog", mostSame, base)
}

// setMembers makes the members of a group those that are given. Who comes or goes is brought up to date in the catalog.
func setMembers(ctx context.Context, tx *store.Tx, directory, group string, ids []string) error {
	want := make(map[string]bool, len(ids))
	for _, id := range ids {
		if id != group {
			want[id] = true
		}
	}
	if len(want) > MostMembers {
		return fault.Errorf(fault.TooLarge, "the group has %d members; at most %d are taken", len(want), MostMembers)
	}
	had, err := membersOf(ctx, tx, directory, group)
	if err != nil {
		return err
	}
	var gone, come []string
	for id := range had {
		if !want[id] {
			gone = append(gone, id)
		}
	}
	for id := range want {
		if !had[id] {
			come = append(come, id)
		}
	}
	slices.Sort(gone)
	slices.Sort(come)
	kinds, err := kindsOf(ctx, tx, directory, slices.Concat(gone, come))
	if err != nil {
		return err
	}
	for _, id := range come {
		if kinds[id] == "" {
			return fault.Errorf(fault.Invalid, "there is no User or Group %.100s that could be a member", id)
		}
	}
	if err := dropMembers(ctx, tx, directory, group, gone); err != nil {
		return err
	}
	if err := addMembers(ctx, tx, directory, group, come); err != nil {
		return err
	}
	stale := []string{group} // for nested groups
	for id, kind := range kinds {
		if kind == User {
			stale = append(stale, id)
		}
	}
	slices.Sort(stale)
	return markStale(ctx, tx, directory, stale)
}

// text gives the first text that is there of some attributes, which may be of a part of another one: name.formatted.
func (r Resource) text(paths ...string) string {
	for _, path := range paths {
		var v any = r.Attributes
		for part := range strings.SplitSeq(path, ".") {
			m, _ := v.(map[string]any)
			v = m[part]
		}
		if s, ok := v.(string); ok && s != "" {
			return plain(s)
		}
	}
	return ""
}

// first gives the value of a list such as emails: the primary one, or else the first.
func (r Resource) first(list string) string {
	items, _ := r.Attributes[list].([]any)
	found := ""
	for _, item := range items {
		m, _ := item.(map[string]any)
		value, _ := m["value"].(string)
		if value == "" {
			continue
		}
		if m["primary"] == true {
			return plain(value)
		}
		if found == "" {
			found = value
		}
	}
	return plain(found)
}

// display gives how a person or a group is called.
func (r Resource) display() string {
	if name := r.text("displayName", "name.formatted"); name != "" {
		return name
	}
	if name := strings.TrimSpace(r.text("name.givenName") + " " + r.text("name.familyName")); name != "" {
		return name
	}
	return plain(r.Label)
}

// said gives a resource as the entry of the catalog that it stands for.
func (r Resource) said(d Directory) entry {
	e := entry{kind: r.Kind, name: r.Name, what: r.Label, display: r.display(), email: r.first("emails"), annotations: map[string]string{"roadbed.dev/directory": d.Name, annotationResource: r.ID}}
	if id := plain(r.ExternalID); id != "" {
		e.annotations["roadbed.dev/external-id"] = id
	}
	if r.Kind == User {
		e.description = r.text("title")
	}
	return e
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
