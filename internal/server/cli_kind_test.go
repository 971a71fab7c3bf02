package server

import (
	"path/filepath"
	"regexp"
	"testing"
)

const declaredKind = `apiVersion: roadbed.dev/v1
kind: Kind
metadata: {name: dataset}
spec:
  group: acme.example
  versions: [v1]
  names: {kind: Dataset}
  description: Data that teams publish.
  schema: {required: [tier], properties: {tier: {enum: [gold, silver]}}}
  relations: [{field: spec.from, type: derivedFrom, inverse: derivedTo, kind: Dataset}]
---
{apiVersion: acme.example/v1, kind: Dataset, metadata: {name: raw}, spec: {tier: gold}}
---
{apiVersion: acme.example/v1, kind: Dataset, metadata: {name: sales}, spec: {tier: gold, from: [raw]}}
`

// TestADeclaredKindAtTheTerminal is declared, used, and deleted when nothing is of it.
func TestADeclaredKindAtTheTerminal(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	dir := t.TempDir()
	all, wrong := filepath.Join(dir, "all.yaml"), filepath.Join(dir, "wrong.yaml")
	write(t, all, declaredKind)
	write(t, wrong, "apiVersion: acme.example/v1\nkind: Dataset\nmetadata: {name: odd}\nspec: {tier: tin}\n")
	sayAll(t, []said{
		{"kinds", 0, "Component"},
		{"get dataset", 4, "no kind"},
		{"diff -f " + all, 0, "dataset:default/sales"},
		{"apply -f " + all, 0, "created  dataset:default/sales"},
		{"kinds", 0, "kind:default/dataset"},
		{"get datasets", 0, "raw"},
		{"describe dataset sales", 0, "dataset:default/raw"},
		{"describe dataset raw", 0, "derivedTo"},
		{"graph dataset sales", 0, "raw"},
		{"apply -f " + wrong, 1, "spec.tier"},
		{"delete kind dataset", 5, "2 entities of the kind dataset"},
		{"delete -f " + all, 0, "deleted  kind:default/dataset"},
		{"get dataset", 4, "no kind"},
	})
}

// TestRulesOfLocationsAtTheTerminal are shown, set for a location and for a space, and kept apart.
func TestRulesOfLocationsAtTheTerminal(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	sayAll(t, []said{{"repo create default/shop", 0, "default/shop"}, {"location add default/shop", 0, "any kind that is not restricted"}})
	_, out, _ := say("location list -o json")
	id := regexp.MustCompile(`loc_[0-9a-z]+`).FindString(out)
	sayAll(t, []said{
		{"location rules", 2, "give the ID"},
		{"location rules " + id + " --space default", 2, "give the ID"},
		{"location rules " + id + " --kind Component --any", 2, "exclude"},
		{"location rules " + id + " --kind Nothing", 1, "there is no kind"},
		{"location rules " + id + " --orphans perhaps", 1, "delete"},
		{"location rules " + id + " --kind Component,API", 0, "Component, API"},
		{"location rules --space default --orphans keep", 0, "keep"},
		{"location show " + id, 0, "API, Component"},
		{"location show " + id, 0, "keep"},
		{"location rules " + id + " --any --orphans delete", 0, "delete"},
		{"location show " + id, 0, "any kind that is not restricted"},
		{"location rules --space nowhere", 4, "no space"},
	})
}
