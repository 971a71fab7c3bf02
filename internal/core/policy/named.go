package policy

import (
	"context"
	"maps"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Person is who stands behind an opaque id, as policies see them.
type Person struct {
	Login string // alice, of the usual namespace; else the whole reference, such as machine:default/nightly
	Name  string // for display
}

// Names has policies see people by their logins: people gives those of ids, without what is unknown or was deleted. What is
// recorded of an input has ids alone. It comes once, while the server is built.
func (s *Service) Names(people func(ctx context.Context, ids []string) (map[string]Person, error)) {
	s.people = people
}

// ofPeople are the fields that may have somebody's id, or a list of such.
var ofPeople = map[string]bool{"login": true, "author": true, "authors": true, "username": true, "triggered_by": true, "locked_by": true}

// ofPlans are the fields whose content is somebody else's: what a plan says of people is not ours to read.
var ofPlans = map[string]bool{"terraform": true, "kubernetes": true, "pulumi": true, "ansible": true, "third_party_metadata": true, "changes": true}

const maxPeople = 10_000 // of one input

// named puts logins in place of the ids of people, and names beside them. It changes value.
func (s *Service) named(ctx context.Context, value any) error {
	if s.people == nil {
		return nil
	}
	ids := map[string]bool{}
	eachPerson(value, func(id string) string {
		ids[id] = true
		return id
	})
	switch {
	case len(ids) == 0:
		return nil
	case len(ids) > maxPeople: // whoever brings so many must not have policies see some by their ids
		return fault.Errorf(fault.TooLarge, "the input of the policies is about %d people, and they take %d; make the change in smaller parts", len(ids), maxPeople)
	}
	people, err := s.people(ctx, slices.Sorted(maps.Keys(ids)))
	if err != nil {
		return fault.Wrap(err, "read who the input of the policies is about")
	}
	nameBeside(value, people)
	eachPerson(value, func(id string) string {
		if p, known := people[id]; known {
			return p.Login
		}
		return id
	})
	return nil
}

// eachPerson gives each id of a person to as, and puts what that gives in its place.
func eachPerson(v any, as func(id string) string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			eachPerson(item, as)
		}
	case map[string]any:
		for key, item := range v {
			switch text, is := item.(string); {
			case ofPlans[key]:
			case is && ofPeople[key] && ref.IsID(text, ref.Principal):
				v[key] = as(text)
			case ofPeople[key]:
				list, _ := item.([]any)
				for i, one := range list {
					if id, is := one.(string); is && ref.IsID(id, ref.Principal) {
						list[i] = as(id)
					}
				}
			default:
				eachPerson(item, as)
			}
		}
	}
}

// nameBeside fills the names of sessions.
func nameBeside(v any, people map[string]Person) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			nameBeside(item, people)
		}
	case map[string]any:
		if id, is := v["login"].(string); is && v["name"] == "" {
			v["name"] = people[id].Name
		}
		for key, item := range v {
			if !ofPlans[key] {
				nameBeside(item, people)
			}
		}
	}
}
