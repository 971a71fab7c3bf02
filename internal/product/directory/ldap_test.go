package directory_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/product/directory"
	"github.com/roadbed-dev/roadbed/internal/product/directory/slapdtest"
)

func spec(url, ca, password, more string) string {
	quoted, err := json.Marshal(ca)
	if err != nil {
		panic(err) // a text
	}
	return fmt.Sprintf("{ldap: {url: '%s', ca: %s, bindDN: '%s', password: {secretRef: default/%s}, users: {base: 'ou=people,%[5]s', filter: (objectClass=inetOrgPerson)}, groups: {base: 'ou=groups,%[5]s'}, pageSize: 7%[6]s}}",
		url, quoted, slapdtest.Admin, password, slapdtest.Suffix, more)
}

// TestAServerIsRead goes through the days of a company whose people are on an LDAP server.
func TestAServerIsRead(t *testing.T) {
	s := slapdtest.Start(t)
	var people []string
	for i := range 30 { // more than the server gives at once
		people = append(people, s.Person(fmt.Sprintf("p%02d", i), fmt.Sprintf("Person %d", i)))
	}
	crew := s.Group("crew", people[0], people[1], "uid=stranger,ou=people,"+slapdtest.Suffix)
	s.Group("all", crew, people[2])
	s.Add("cn=!!!,ou=groups,"+slapdtest.Suffix, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"!!!"}, "member": {people[0]}})
	each(t, func(t *testing.T, b *bench) {
		for name, value := range map[string]string{"ldap": slapdtest.Password + "\n", "wrong": "wrong"} {
			if err := b.secrets.Put(system(), "default", name, []byte(value), ""); err != nil {
				t.Fatal(err)
			}
		}
		good := spec("ldaps://"+s.Address, s.CA, "ldap", "")
		b.declare("corp", good)
		d := b.status("corp")
		if d.State != directory.Healthy || d.People != 30 || d.Groups != 2 || d.Wrong != 1 || len(d.Problems) != 1 || !strings.Contains(d.Problems[0].What, "!!!") {
			t.Fatalf("after the first look it is %+v", d.Status)
		}
		if got := fmt.Sprint(b.entity("user:default/p00"), b.entity("group:default/all")); got != "map[memberOf:[group:default/crew] profile:map[displayName:Person 0 email:p00@example.com]] map[children:[group:default/crew] profile:map[displayName:all] type:team]" {
			t.Errorf("the catalog has %s", got)
		}

		// What is as it was writes nothing there.
		before := b.count("entity_versions") + b.count("ledger_entries")
		b.later(time.Hour)
		b.work()
		if after := b.count("entity_versions") + b.count("ledger_entries"); after != before || !b.status("corp").Looked.Equal(b.now()) {
			t.Errorf("an unchanged server writes %d rows, and was looked at %s", after-before, b.status("corp").Looked)
		}

		// What can't be read to its end takes nothing away.
		for wrong, want := range map[string]string{
			spec("ldaps://"+s.Address, s.CA, "wrong", ""):      "credentials",
			spec("ldaps://"+s.Address, "", "ldap", ""):         "certificate",
			spec("ldaps://127.0.0.1:1", s.CA, "ldap", ""):      "127.0.0.1:1",
			spec("ldaps://"+s.Address, s.CA, "none", ""):       "secret",
			strings.Replace(good, "ou=groups,", "ou=none,", 1): "no such base",
		} {
			b.declare("corp", wrong)
			if d := b.status("corp"); d.State != directory.Failing || !strings.Contains(d.Reason, want) || strings.Contains(d.Reason, slapdtest.Password) {
				t.Errorf("what is wrong is %s: %q, want %s", d.State, d.Reason, want)
			}
		}
		if b.entity("user:default/p29") == nil {
			t.Error("a look that failed has taken somebody away")
		}

		// By StartTLS it is the same; a filter that finds too few is held back.
		b.declare("corp", spec("ldap://"+s.Plain, s.CA, "ldap", ", startTLS: true"))
		if d := b.status("corp"); d.State != directory.Healthy {
			t.Errorf("by StartTLS it is %s: %s", d.State, d.Reason)
		}
		few := strings.Replace(good, "(objectClass=inetOrgPerson)", "(uid=p0*)", 1)
		b.declare("corp", few)
		if d := b.status("corp"); d.State != directory.Failing || !strings.Contains(d.Reason, "mostGone") || b.entity("user:default/p29") == nil {
			t.Errorf("20 of 30 are gone, and it is %s: %s", d.State, d.Reason)
		}
		b.declare("corp", strings.TrimSuffix(few, "}")+", mostGone: 100}")
		if d := b.status("corp"); d.State != directory.Healthy || d.People != 10 || b.entity("user:default/p29") != nil {
			t.Errorf("they may go, and it is %s with %d: %s", d.State, d.People, d.Reason)
		}
	})
}
