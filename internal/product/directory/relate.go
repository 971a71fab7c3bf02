package directory

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// What an entity says of where it comes from.
const (
	annotationDN = "backstage.io/ldap-dn"
	annotationID = "backstage.io/ldap-uuid"
)

// relate makes entries of what a server has, sorted, and tells what of it can't be taken. Who is in a group by a DN, or by the
// name that the directory calls people by (memberUid), is in it; what is not among what was read is passed over. had gives what
// the catalog has of the directory; it is asked for where one has no name, or several have the same one.
func relate(d Directory, people, teams []*ldap.Entry, had func() (map[ref.Entity]map[string]string, error)) (entries []entry, problems []Problem, err error) {
	l := d.Spec.LDAP
	r := relating{d: d, byDN: map[string]*entry{}, byName: map[string]*entry{}}
	candidates := append(r.candidates(User, l.Users, people), r.candidates(Group, l.Groups, teams)...)
	if err := r.settle(candidates, had); err != nil {
		return nil, nil, err
	}
	for _, c := range candidates {
		r.add(c)
	}
	for _, t := range teams {
		r.join(t)
	}
	for _, e := range r.all {
		slices.Sort(e.memberOf)
		e.memberOf = slices.Compact(e.memberOf)
		slices.Sort(e.children)
		e.children = slices.Compact(e.children)
		if len(e.memberOf) > mostGroupsIn || len(e.children) > mostGroupsIn {
			e.kept = fmt.Sprintf("it is in more than %d groups, or has as many in it; what the catalog has of it stays as it was", mostGroupsIn)
		}
		entries = append(entries, *e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.kind+" "+a.name, b.kind+" "+b.name) })
	return entries, r.problems, nil
}

type relating struct {
	d        Directory
	all      []*entry
	byDN     map[string]*entry
	byName   map[string]*entry // people, by the name that the server has for them
	problems []Problem
}

// candidate is something of the server that is to have an entity.
type candidate struct {
	from   *ldap.Entry
	kind   string
	search Search
	called string
	id     string
	name   string // of the entity; "" when nothing of what it is called can stand in one
	kept   string // why it stays as it was
	wrong  string // why it has no entity
}

func (r *relating) candidates(kind string, s Search, from []*ldap.Entry) (all []*candidate) {
	for _, e := range from {
		c := &candidate{from: e, kind: kind, search: s, called: e.GetEqualFoldAttributeValue(s.Name), id: identifier(e.GetEqualFoldRawAttributeValue(s.ID))}
		c.name = entityName(c.called, r.d.Spec.Names)
		all = append(all, c)
	}
	return all
}

// as tells how surely an entity is that of the candidate: 2 by the id, 1 by the DN, 0 not at all.
func (c *candidate) as(annotations map[string]string) int {
	switch {
	case c.id != "" && annotations[annotationID] == c.id:
		return 2
	case annotations[annotationDN] == plain(c.from.DN):
		return 1
	}
	return 0
}

// settle says who has a name that several would have: whose entity it is already, or else the first by DN. What has no name any
// more is as the catalog has it.
func (r *relating) settle(all []*candidate, had func() (map[ref.Entity]map[string]string, error)) error {
	by, clear := map[ref.Entity][]*candidate{}, true
	for _, c := range all {
		key := ref.New(c.kind, r.d.Spec.Namespace, c.name)
		by[key] = append(by[key], c)
		clear = clear && c.name != "" && len(by[key]) == 1
	}
	if clear {
		return nil
	}
	before, err := had()
	if err != nil {
		return err
	}
	r.recall(by, before)
	for key, same := range by {
		if key.Name == "" {
			continue
		}
		slices.SortFunc(same, func(a, b *candidate) int {
			return cmp.Or(cmp.Compare(b.as(before[key]), a.as(before[key])), strings.Compare(a.from.DN, b.from.DN))
		})
		for _, c := range same[1:] {
			c.wrong = fmt.Sprintf("it would be called %s in the catalog, as %s is", key.Name, cut(same[0].from.DN, mostText))
		}
	}
	return nil
}

// recall gives those without a name the one that they had.
func (r *relating) recall(by map[ref.Entity][]*candidate, before map[ref.Entity]map[string]string) {
	byID, byDN := map[string]ref.Entity{}, map[string]ref.Entity{}
	for e, annotations := range before {
		byID[e.Kind+" "+annotations[annotationID]], byDN[e.Kind+" "+annotations[annotationDN]] = e, e
	}
	for _, kind := range []string{User, Group} {
		key := ref.New(kind, r.d.Spec.Namespace, "")
		for _, c := range by[key] {
			missing := fmt.Sprintf("its %s is missing, or nothing of it can stand in a name", c.search.Name)
			e, known := byID[key.Kind+" "+c.id]
			if !known || c.id == "" {
				e, known = byDN[key.Kind+" "+plain(c.from.DN)]
			}
			known = known && e.Namespace == key.Namespace
			if !known {
				c.wrong = missing
				continue
			}
			c.name, c.kept = e.Name, missing+"; what the catalog has of it stays as it was"
			by[e] = append(by[e], c)
		}
	}
}

func (r *relating) add(c *candidate) {
	if c.wrong != "" {
		r.problems = append(r.problems, Problem{cut(c.from.DN, mostText), c.wrong})
		return
	}
	s := c.search
	e := &entry{
		kind: c.kind, name: c.name, what: cut(c.from.DN, mostText), display: plain(c.from.GetEqualFoldAttributeValue(s.DisplayName)),
		email: plain(c.from.GetEqualFoldAttributeValue(s.Email)), description: plain(c.from.GetEqualFoldAttributeValue(s.Description)),
		annotations: map[string]string{"roadbed.dev/directory": r.d.Name, annotationDN: plain(c.from.DN)}, kept: c.kept,
	}
	if e.display == "" {
		e.display = plain(c.called)
	}
	if c.id != "" {
		e.annotations[annotationID] = c.id
	}
	r.all = append(r.all, e)
	r.byDN[dn(c.from.DN)] = e
	if c.kind == User && c.called != "" {
		r.byName[strings.ToLower(c.called)] = e
	}
}

func (r *relating) join(team *ldap.Entry) {
	t := r.byDN[dn(team.DN)]
	if t == nil {
		return
	}
	for _, value := range team.GetEqualFoldAttributeValues(r.d.Spec.LDAP.Groups.Members) {
		m := r.byDN[dn(value)]
		if m == nil {
			m = r.byName[strings.ToLower(value)]
		}
		switch {
		case m == nil || m == t:
		case m.kind == User:
			m.memberOf = append(m.memberOf, t.name)
		default:
			t.children = append(t.children, m.name)
		}
	}
}

// dn gives a DN in one way of writing it.
func dn(text string) string {
	parsed, err := ldap.ParseDN(text)
	if err != nil {
		return strings.ToLower(text)
	}
	return strings.ToLower(parsed.String())
}

// identifier gives an id as text: entryUUID is, and objectGUID has sixteen bytes, the first three groups turned around.
func identifier(raw []byte) string {
	if len(raw) == 16 && (!utf8.Valid(raw) || slices.ContainsFunc(raw, func(b byte) bool { return b < ' ' })) {
		b := slices.Clone(raw)
		slices.Reverse(b[0:4])
		slices.Reverse(b[4:6])
		slices.Reverse(b[6:8])
		h := hex.EncodeToString(b)
		return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	}
	return plain(string(raw))
}
