package directory

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// relate makes entries of what a server has, sorted, and tells what of it can't be taken. Who is in a group by a DN, or by the
// name that the directory calls people by (memberUid), is in it; what is not among what was read is passed over.
func relate(d Directory, people, teams []*ldap.Entry) (entries []entry, problems []Problem) {
	l := d.Spec.LDAP
	r := relating{d: d, byDN: map[string]*entry{}, byName: map[string]*entry{}, taken: map[string]string{}}
	for _, p := range people {
		r.add(User, l.Users, p)
	}
	for _, t := range teams {
		r.add(Group, l.Groups, t)
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
			r.wrong(e.what, fmt.Sprintf("it is in more than %d groups, or has as many in it", mostGroupsIn))
			continue
		}
		entries = append(entries, *e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.kind+" "+a.name, b.kind+" "+b.name) })
	return entries, r.problems
}

type relating struct {
	d        Directory
	all      []*entry
	byDN     map[string]*entry
	byName   map[string]*entry // people, by the name that the server has for them
	taken    map[string]string // kind and name of an entity → its DN
	problems []Problem
}

func (r *relating) wrong(what, message string) {
	r.problems = append(r.problems, Problem{cut(what, mostText), message})
}

func (r *relating) add(kind string, s Search, from *ldap.Entry) {
	called := from.GetEqualFoldAttributeValue(s.Name)
	name := entityName(called, r.d.Spec.Names)
	if name == "" {
		r.wrong(from.DN, fmt.Sprintf("its %s is missing, or nothing of it can stand in a name", s.Name))
		return
	}
	key := kind + " " + name
	if other, twice := r.taken[key]; twice {
		r.wrong(from.DN, fmt.Sprintf("it would be called %s in the catalog, as %s is", name, cut(other, mostText)))
		return
	}
	r.taken[key] = from.DN
	e := &entry{
		kind: kind, name: name, what: cut(from.DN, mostText), display: plain(from.GetEqualFoldAttributeValue(s.DisplayName)),
		email: plain(from.GetEqualFoldAttributeValue(s.Email)), description: plain(from.GetEqualFoldAttributeValue(s.Description)),
		annotations: map[string]string{"roadbed.dev/directory": r.d.Name, "backstage.io/ldap-dn": plain(from.DN)},
	}
	if e.display == "" {
		e.display = plain(called)
	}
	if id := identifier(from.GetEqualFoldRawAttributeValue(s.ID)); id != "" {
		e.annotations["backstage.io/ldap-uuid"] = id
	}
	r.all = append(r.all, e)
	r.byDN[dn(from.DN)] = e
	if kind == User {
		r.byName[strings.ToLower(called)] = e
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
