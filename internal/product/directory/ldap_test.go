package directory_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
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
			if err := b.secrets.Put(system(), "default", name, secret.Change{Value: []byte(value)}); err != nil {
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

// TestWhatCannotBeTakenStays has the catalog keep what the server has, though not so that it could be taken.
func TestWhatCannotBeTakenStays(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		s := slapdtest.Start(t)
		zoe, bob := s.Person("zoe", "Zoe"), s.Person("bob", "Bob")
		crew := "cn=crew,ou=groups," + slapdtest.Suffix
		s.Add(crew, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"crew"}, "businessCategory": {"crew"}, "member": {zoe, bob}})
		if err := b.secrets.Put(system(), "default", "ldap", secret.Change{Value: []byte(slapdtest.Password)}); err != nil {
			t.Fatal(err)
		}
		b.declare("corp", strings.NewReplacer("(objectClass=inetOrgPerson)", "(objectClass=inetOrgPerson), name: mail", "'ou=groups,"+slapdtest.Suffix+"'", "'ou=groups,"+slapdtest.Suffix+"', name: businessCategory").
			Replace(strings.TrimSuffix(spec("ldaps://"+s.Address, s.CA, "ldap", ""), "}")+", names: local}"))
		look := func(people, groups int, wrong ...string) {
			t.Helper()
			if _, err := b.Look(as("adam"), "default/corp"); err != nil {
				t.Fatal(err)
			}
			d := b.status("corp")
			if d.State != directory.Healthy || d.People != people || d.Groups != groups || d.Wrong != len(wrong) || len(d.Problems) != len(wrong) {
				t.Fatalf("the look finds %+v", d.Status)
			}
			for _, want := range wrong {
				if !strings.Contains(fmt.Sprint(d.Problems), want) {
					t.Errorf("the problems are %+v, and say nothing of %s", d.Problems, want)
				}
			}
		}
		const is = "map[memberOf:[group:default/crew] profile:map[displayName:Zoe email:zoe@example.com]]"
		want := func() {
			t.Helper()
			if got := fmt.Sprint(b.entity("user:default/zoe"), b.entity("group:default/crew") != nil); got != is+" true" {
				t.Errorf("zoe and the crew are %s", got)
			}
		}
		look(2, 1)
		want()

		// A group without a name stays, with those who are in it.
		s.Replace(crew, "businessCategory")
		look(2, 1, "businessCategory is missing")
		want()

		// Another zoe does not become the first one, though her DN comes before.
		other := "uid=aaron,ou=people," + slapdtest.Suffix
		s.Add(other, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {"aaron"}, "cn": {"Other"}, "sn": {"Other"}, "mail": {"zoe@example.org"}})
		look(2, 1, "businessCategory is missing", other+" it would be called zoe in the catalog, as "+zoe)
		want()
		before := b.count("entity_versions") + b.count("ledger_entries")
		look(2, 1, "businessCategory is missing", other)
		if after := b.count("entity_versions") + b.count("ledger_entries"); after != before {
			t.Errorf("an unchanged server writes %d rows", after-before)
		}

		// The first one is still she while she has no name herself.
		s.Replace(zoe, "mail")
		look(2, 1, zoe+" its mail is missing", other, crew)
		want()

		// What is gone goes, and its name is free.
		s.Delete(crew)
		s.Delete(zoe)
		look(2, 0)
		if got := fmt.Sprint(b.entity("user:default/zoe"), b.entity("group:default/crew")); got != "map[memberOf:[] profile:map[displayName:Other email:zoe@example.org]] map[]" {
			t.Errorf("when zoe and the crew are gone, they are %s", got)
		}
	})
}

// TestFromLDAPToSCIM has a company's people stay who they are when an identity provider writes them in place of a server.
func TestFromLDAPToSCIM(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		s := slapdtest.Start(t)
		const many = 8
		var people []string
		for i := range many {
			people = append(people, s.Person(fmt.Sprintf("p%d", i), fmt.Sprintf("Person %d", i)))
		}
		s.Person("left", "Who has left")
		s.Group("crew", people...)
		if err := b.secrets.Put(system(), "default", "ldap", secret.Change{Value: []byte(slapdtest.Password)}); err != nil {
			t.Fatal(err)
		}
		b.declare("okta", spec("ldaps://"+s.Address, s.CA, "ldap", ""))
		uids := map[string]string{}
		there := func(n int) {
			t.Helper()
			found, err := b.catalog.Annotations(system(), "directory:default/okta")
			if err != nil || len(found) != n {
				t.Fatalf("the directory has %d entities, want %d: %v", len(found), n, err)
			}
			for r := range found {
				e, err := b.catalog.Get(system(), r)
				if err != nil {
					t.Fatal(err)
				}
				if was := uids[r.String()]; was != "" && was != e.UID {
					t.Errorf("%s is somebody else", r)
				}
				uids[r.String()] = e.UID
			}
		}
		pass := func(d time.Duration) directory.Directory {
			t.Helper()
			b.later(d)
			b.work()
			return b.status("okta")
		}
		there(many + 2)
		b.declare("okta", "{scim: {}, names: local}")
		if d := pass(2 * time.Hour); d.State != directory.Waiting {
			t.Errorf("before anything is written it is %+v", d.Status)
		}
		there(many + 2)

		// The provider writes one after the other; who is not written yet is still there.
		var ids []string
		write := func(i int) { ids = append(ids, b.create(directory.User, user(fmt.Sprintf("p%d@example.com", i))).ID) }
		write(0)
		if d := pass(2 * time.Hour); d.State != directory.Healthy || d.Last.Held != many+1 {
			t.Errorf("when one is written it is %+v", d.Status)
		}
		there(many + 2)
		if got := fmt.Sprint(b.entity("user:default/p0"), b.entity("user:default/p1")); got != "map[memberOf:[] profile:map[displayName:P0@EXAMPLE.COM email:p0@example.com]] map[memberOf:[group:default/crew] profile:map[displayName:Person 1 email:p1@example.com]]" {
			t.Errorf("they are %s", got)
		}
		for range 2 {
			if d := pass(25 * time.Hour); d.State != directory.Failing || !strings.Contains(d.Reason, "9 people and groups came by LDAP") {
				t.Errorf("when no more is written it is %+v", d.Status)
			}
		}
		there(many + 2)
		for i := 1; i < many; i++ {
			write(i)
		}
		b.create(directory.Group, group("crew", ids...))
		if d := pass(2 * time.Hour); d.State != directory.Healthy || d.People != many || d.Groups != 1 || d.Wrong != 0 || d.Last.Held != 0 {
			t.Errorf("when all are written it is %+v", d.Status)
		}
		there(many + 1) // who is not written and no more than one of many goes
		if b.entity("user:default/left") != nil {
			t.Error("who has left is there")
		}
	})
}

// TestWhoCameByLDAPStaysADay after the first that an identity provider writes: a failure does not shorten it, nor do later writes
// prolong it.
func TestWhoCameByLDAPStaysADay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		s := slapdtest.Start(t)
		const many = 8
		for i := range many {
			s.Person(fmt.Sprintf("p%d", i), fmt.Sprintf("Person %d", i))
		}
		if err := b.secrets.Put(system(), "lab", "ldap", secret.Change{Value: []byte(slapdtest.Password)}); err != nil {
			t.Fatal(err)
		}
		apply := func(space, source, yaml string) {
			t.Helper()
			docs, err := document.Parse("test.yaml", []byte(yaml), document.Limits{})
			if err == nil {
				_, err = b.catalog.Apply(system(), catalog.Apply{Space: space, Source: source, Documents: docs, Prune: true})
			}
			if err != nil {
				t.Fatal(err)
			}
			b.work()
		}
		below := func(parent string) {
			t.Helper()
			apply("default", "test:crew", "{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: crew}, spec: {parent: "+parent+"}}")
		}
		declare := func(spec string) {
			t.Helper()
			apply("lab", "test:okta", "{apiVersion: roadbed.dev/v1, kind: Directory, metadata: {name: okta}, spec: "+strings.TrimSuffix(spec, "}")+", space: crew}}")
		}
		is := func(when string, state directory.State, held int, there bool) {
			t.Helper()
			d, err := b.Look(system(), "default/okta")
			if err != nil {
				t.Fatal(err)
			}
			if d.State != state || d.Last.Held != held || (b.entity("user:default/p7") != nil) != there {
				t.Errorf("%s it is %+v, and p7 %v", when, d.Status, b.entity("user:default/p7"))
			}
		}
		below("lab")
		declare(strings.ReplaceAll(spec("ldaps://"+s.Address, s.CA, "ldap", ""), "default/ldap", "lab/ldap"))
		is("by LDAP", directory.Healthy, 0, true)
		declare("{scim: {}, names: local}")
		b.later(48 * time.Hour)
		is("before anything is written", directory.Waiting, 0, true)
		first := b.create(directory.User, user("p0@example.com"))
		b.later(2 * time.Hour)
		for i := 1; i < many-1; i++ {
			b.create(directory.User, user(fmt.Sprintf("p%d@example.com", i)))
		}
		is("when all but one are written", directory.Healthy, 1, true)

		fail := func() {
			t.Helper()
			b.later(time.Hour)
			below("default")
			is("when it can't be held against the catalog", directory.Failing, 1, true)
			below("lab")
			b.later(time.Minute)
		}
		fail()
		is("after a failure", directory.Healthy, 1, true)
		fail()
		b.replace(first, user("p0@example.com"))
		b.later(time.Hour)
		is("after a failure and a write", directory.Healthy, 1, true)
		b.later(20 * time.Hour)
		is("a day after the first write", directory.Healthy, 0, false)
	})
}
