package directory

import (
	"fmt"
	"slices"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func directoryOf(names string) Directory {
	return Directory{Name: "default/corp", Spec: Spec{Namespace: "default", Names: names, LDAP: &LDAP{Users: usualUsers, Groups: usualTeams}}}
}

func person(dn, uid, id string) *ldap.Entry {
	return ldap.NewEntry(dn, map[string][]string{"uid": {uid}, "entryUUID": {id}})
}

// TestWhoHasAName gives it to whose entity it is, or else to the first by DN, in whichever order a server tells of them.
func TestWhoHasAName(t *testing.T) {
	t.Parallel()
	alice := ref.New(User, "default", "alice")
	first, second, third := person("uid=a,ou=b", "alice@b", "2"), person("uid=a,ou=a", "alice@a", "1"), person("uid=a,ou=c", "", "3")
	for what, c := range map[string]struct {
		had  map[string]string // annotations of alice
		want string
	}{
		"nobody's":               {nil, "alice uid=a,ou=a"},
		"by its DN":              {map[string]string{annotationDN: "uid=a,ou=b"}, "alice uid=a,ou=b"},
		"by its id, elsewhere":   {map[string]string{annotationDN: "uid=a,ou=a", annotationID: "2"}, "alice uid=a,ou=b"},
		"of one without a name":  {map[string]string{annotationID: "3"}, "alice uid=a,ou=c kept"},
		"of one who is not here": {map[string]string{annotationDN: "uid=a,ou=d", annotationID: "4"}, "alice uid=a,ou=a"},
	} {
		for _, order := range [][]*ldap.Entry{{first, second, third}, {third, second, first}, {second, third, first}} {
			entries, problems, err := relate(directoryOf(LocalNames), order, nil, func() (map[ref.Entity]map[string]string, error) {
				if c.had == nil {
					return nil, nil
				}
				return map[ref.Entity]map[string]string{alice: c.had}, nil
			})
			if err != nil || len(entries) != 1 || len(problems) != 2 {
				t.Fatalf("%s: there are %d entries and %+v, %v", what, len(entries), problems, err)
			}
			got := entries[0].name + " " + entries[0].what
			if entries[0].kept != "" {
				got += " kept"
			}
			if got != c.want {
				t.Errorf("%s: %s has the name, want %s", what, got, c.want)
			}
		}
	}
}

func TestWhoIsInTooManyGroupsIsKept(t *testing.T) {
	t.Parallel()
	var teams []*ldap.Entry
	for i := range mostGroupsIn + 1 {
		teams = append(teams, ldap.NewEntry(fmt.Sprintf("cn=t%d", i), map[string][]string{"cn": {fmt.Sprintf("t%d", i)}, "member": {"uid=ann"}}))
	}
	entries, problems, err := relate(directoryOf(FullNames), []*ldap.Entry{person("uid=ann", "ann", ""), person("uid=bob", "bob", "")}, teams, nil)
	if err != nil || len(problems) != 0 || len(entries) != len(teams)+2 {
		t.Fatalf("there are %d entries, %+v, %v", len(entries), problems, err)
	}
	kept := slices.DeleteFunc(entries, func(e entry) bool { return e.kept == "" })
	if len(kept) != 1 || kept[0].name != "ann" {
		t.Errorf("%+v are kept", kept)
	}
}
